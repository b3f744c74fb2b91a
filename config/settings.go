package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Setting is a key that a file sets, for a schedule also by [defaults].
type Setting struct {
	Key   string // from its schedule or the top on, as TOML: delivery.rate, payload.day
	Value string // as TOML; of a secret only a hash
}

// secretKeys are not stored and not shown: to know one is to be able to use it.
var secretKeys = []string{"heartbeat_url"}

func isSecret(key string) bool {
	return slices.ContainsFunc(secretKeys, func(name string) bool { return key == name || strings.HasSuffix(key, "."+name) })
}

// record notes what a file says. The members of a table are settings of their own.
func (s *settings) record(section section, n *node) {
	if n.origin != "" {
		return // a default, or the environment
	}
	key := n.key
	if prefix := below(section.name); prefix != "" {
		key = prefix + "." + key
	}
	list := &s.config.Settings
	if s.schedule != nil {
		list = &s.schedule.Settings
	}
	if n.kind != kindTable {
		*list = append(*list, settingOf(key, n))
		return
	}
	for _, child := range n.children {
		*list = append(*list, settingOf(key+"."+tomlKey(child.key), child))
	}
}

func settingOf(key string, n *node) Setting {
	value := tomlText(n)
	if isSecret(key) {
		sum := sha256.Sum256([]byte(value))
		value = "secret " + hex.EncodeToString(sum[:4])
	}
	return Setting{key, value}
}

// tomlText writes a value again, however it was written.
func tomlText(n *node) string {
	var parts []string
	switch n.kind {
	case kindTable:
		for _, child := range n.children {
			parts = append(parts, tomlKey(child.key)+" = "+tomlText(child))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case kindList:
		for _, item := range n.items {
			parts = append(parts, tomlText(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case kindString:
		return tomlString(n.value.(string))
	default:
		return n.raw
	}
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func tomlKey(key string) string {
	if bareKey.MatchString(key) {
		return key
	}
	return tomlString(key)
}

func tomlString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Text is what the configuration says, without secrets: a file that Restore
// understands, with the days of calendars in it and [defaults] in each schedule.
func (c *Config) Text() string {
	var b strings.Builder
	writeSettings(&b, c.Settings)
	for _, name := range sortedKeys(c.Calendars) {
		fmt.Fprintf(&b, "[calendars.%s]\ndates = [", tomlKey(name))
		for i, day := range c.Calendars[name] {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(tomlString(day))
		}
		b.WriteString("]\n")
	}
	for i := range c.Schedules {
		fmt.Fprintf(&b, "[schedules.%s]\n", tomlKey(c.Schedules[i].Name))
		writeSettings(&b, c.Schedules[i].Settings)
	}
	return b.String()
}

func writeSettings(b *strings.Builder, list []Setting) {
	for _, s := range list {
		if !isSecret(s.Key) {
			fmt.Fprintf(b, "%s = %s\n", s.Key, s.Value)
		}
	}
}

// Restore reads a configuration that Text wrote. Relative paths start at the folder
// of file. What this program no longer understands is an *Invalid.
func Restore(file, text string) (*Config, error) {
	c, err := Parse(file, []byte(text))
	if c != nil {
		c.restored = true
	}
	return c, err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
