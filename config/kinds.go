package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"worqcron/batch"
)

// kind is the type of a key: its name for people, and how a value is read into
// the settings. read may trust nothing about the node.
type kind struct {
	name    string
	example string // of a value, for the hint when the TOML type is wrong
	read    func(*settings, *node) *fault
}

// wrongType is the fault of a value that has another TOML type.
func wrongType(n *node, wanted, example string) *fault {
	found := string(n.kind)
	if n.kind == kindInteger || n.kind == kindFloat || n.kind == kindBoolean || n.kind == kindDate {
		found += " " + shorten(n.raw)
	}
	return &fault{msg: withArticle(found) + " where " + withArticle(wanted) + " belongs", hint: "for example " + example}
}

// withArticle is good enough for the names of types.
func withArticle(noun string) string {
	if noun != "" && strings.IndexByte("aeio", noun[0]) >= 0 {
		return "an " + noun
	}
	return "a " + noun
}

// textKind is a string; set may refuse it.
func textKind(name, example string, set func(*settings, string) *fault) kind {
	return kind{name, example, func(s *settings, n *node) *fault {
		text, ok := n.value.(string)
		if !ok || n.kind != kindString {
			return wrongType(n, name, example)
		}
		return set(s, text)
	}}
}

// choiceKind is a string out of a few.
func choiceKind(field func(*settings) *string, choices ...string) kind {
	quoted := make([]string, len(choices))
	for i, c := range choices {
		quoted[i] = strconv.Quote(c)
	}
	k := textKind("string", quoted[0], func(s *settings, text string) *fault {
		if !slices.Contains(choices, text) {
			return &fault{msg: fmt.Sprintf("%q is none of the choices", shorten(text)), hint: "use " + orList(quoted)}
		}
		*field(s) = text
		return nil
	})
	k.name = strings.Join(quoted, ", ")
	return k
}

// durationKind is a length of time within [low, high].
func durationKind(field func(*settings) *time.Duration, low, high time.Duration) kind {
	const name = "duration"
	k := textKind(name, `"30s"`, func(s *settings, text string) *fault {
		d, wrong := parseDuration(text)
		if wrong != nil {
			return wrong
		}
		if d < low || d > high {
			return &fault{msg: fmt.Sprintf("%q is out of range", text), hint: fmt.Sprintf("from %s to %s", showDuration(low), showDuration(high))}
		}
		*field(s) = d
		return nil
	})
	read := k.read
	k.read = func(s *settings, n *node) *fault {
		if n.kind == kindInteger || n.kind == kindFloat {
			return wrongType(n, name, fmt.Sprintf(`"%ss": a unit and quotes are needed`, n.raw))
		}
		return read(s, n)
	}
	return k
}

// durationOrOffKind is durationKind, or "off" for 0.
func durationOrOffKind(field func(*settings) *time.Duration, low, high time.Duration) kind {
	k := durationKind(field, low, high)
	read := k.read
	k.read = func(s *settings, n *node) *fault {
		if n.value == "off" {
			*field(s) = 0
			return nil
		}
		wrong := read(s, n)
		if wrong != nil {
			wrong.hint += `; or "off"`
		}
		return wrong
	}
	return k
}

// sizeKind is a number of bytes within [low, high], with a unit or without.
func sizeKind(field func(*settings) *int64, low, high int64) kind {
	const name, example = "size", `"9.5MB"`
	return kind{name, example, func(s *settings, n *node) *fault {
		var size int64
		switch v := n.value.(type) {
		case int64:
			size = v
		case string:
			parsed, wrong := parseSize(v)
			if wrong != nil {
				return wrong
			}
			size = parsed
		default:
			return wrongType(n, name, example)
		}
		if size < low || size > high {
			return &fault{msg: fmt.Sprintf("%s is out of range", n.raw), hint: fmt.Sprintf("from %s to %s", showSize(low), showSize(high))}
		}
		*field(s) = size
		return nil
	}}
}

// countKind is an integer within [low, high].
func countKind(field func(*settings) *int, low, high int) kind {
	const name = "integer"
	return kind{name, strconv.Itoa(max(low, 1)), func(s *settings, n *node) *fault {
		v, ok := n.value.(int64)
		if !ok {
			return wrongType(n, name, strconv.Itoa(max(low, 1))+", without quotes")
		}
		if v < int64(low) || v > int64(high) {
			return &fault{msg: fmt.Sprintf("%d is out of range", v), hint: fmt.Sprintf("from %d to %d", low, high)}
		}
		*field(s) = int(v)
		return nil
	}}
}

// flagKind is true or false.
func flagKind(field func(*settings) *bool) kind {
	const name, example = "boolean", "true"
	return kind{name, example, func(s *settings, n *node) *fault {
		v, ok := n.value.(bool)
		if !ok {
			return wrongType(n, name, example+", without quotes")
		}
		*field(s) = v
		return nil
	}}
}

// rateKind is triggers a second.
func rateKind(field func(*settings) *float64) kind {
	return textKind("rate", `"50/min"`, func(s *settings, text string) *fault {
		rate, wrong := parseRate(text)
		if wrong == nil {
			*field(s) = rate
		}
		return wrong
	})
}

// shareKind is a percentage, or a count as an integer.
func shareKind(field func(*settings) *batch.Share) kind {
	const name, example = "percentage or count", `"1%" or 100`
	return kind{name, example, func(s *settings, n *node) *fault {
		switch v := n.value.(type) {
		case int64:
			if v < 0 {
				return &fault{msg: fmt.Sprintf("%d is out of range", v), hint: "a count is 0 or more"}
			}
			*field(s) = batch.Share{Count: v}
			return nil
		case string:
			if percent, ok := parsePercent(v); ok {
				*field(s) = batch.Share{Percent: percent, IsPercent: true}
				return nil
			}
			if count, err := strconv.ParseUint(v, 10, 63); err == nil {
				*field(s) = batch.Share{Count: int64(count)}
				return nil
			}
			return &fault{msg: fmt.Sprintf("%q is neither a percentage nor a count", shorten(v)), hint: `from "0%" to "100%", or a count such as 100`}
		default:
			return wrongType(n, name, example)
		}
	}}
}

// portionKind is a percentage above 0, as a part of 1.
func portionKind(field func(*settings) *float64) kind {
	return textKind("percentage", `"50%"`, func(s *settings, text string) *fault {
		percent, ok := parsePercent(text)
		if !ok || percent == 0 {
			return &fault{msg: fmt.Sprintf("%q is no percentage", shorten(text)), hint: `above "0%" and up to "100%"`}
		}
		*field(s) = percent / 100
		return nil
	})
}

// windowKind is hours of the day, or a list of them.
func windowKind(field func(*settings) *batch.Window) kind {
	const name, example = "hours, list of hours", `"22:00-06:00"`
	return kind{name, example, func(s *settings, n *node) *fault {
		items := []*node{n}
		if n.kind == kindList {
			items = n.items
		} else if n.kind != kindString {
			return wrongType(n, "string or list", example+`, or ["22:00-06:00", "12:00-13:00"]`)
		}
		if len(items) == 0 {
			return &fault{msg: "an empty list", hint: "for example " + example + ", or leave it out: it always sends"}
		}
		var window batch.Window
		var all faults
		for _, item := range items {
			text, ok := item.value.(string)
			if !ok || item.kind != kindString {
				all.add(item, wrongType(item, "string", example))
				continue
			}
			hours, err := batch.ParseHours(text)
			if err != nil {
				all.add(item, &fault{msg: shorten(err.Error()), hint: `from and to in hours and minutes, such as "22:00-06:00" or "18:00-24:00"`})
			}
			window = append(window, hours)
		}
		if wrong := all.joined(); wrong != nil {
			return wrong
		}
		*field(s) = window
		return nil
	}}
}

// shareOrOffKind is shareKind, and "off" for all.
func shareOrOffKind(field func(*settings) *batch.Share) kind {
	k := shareKind(field)
	read := k.read
	k.read = func(s *settings, n *node) *fault {
		if n.value == "off" {
			*field(s) = batch.Share{Percent: 100, IsPercent: true}
			return nil
		}
		return read(s, n)
	}
	return k
}

// delimiterKind is one ASCII character that cannot be taken for something else
// in a CSV file.
func delimiterKind(field func(*settings) *string) kind {
	return textKind("one character", `";"`, func(s *settings, text string) *fault {
		if text == `\t` { // written in single quotes
			text = "\t"
		}
		if len(text) != 1 || text[0] >= 0x7f || text[0] < ' ' && text[0] != '\t' || text[0] == '"' {
			return &fault{msg: fmt.Sprintf("%q cannot separate fields", shorten(text)), hint: `one ASCII character, no quote and no line end: ",", ";", "|", "\t" …`}
		}
		*field(s) = text
		return nil
	})
}

// orList writes `a, b or c`.
func orList(words []string) string {
	last := len(words) - 1
	if last <= 0 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
