// Package notify tells people and monitoring services: messages through the
// services of a list of URLs (shoutrrr), and pings of heartbeat URLs.
//
// What to tell, and whether it was told already, is decided and kept elsewhere. A
// URL holds the token that lets anybody write to a channel, so it is a secret here:
// it prints as "[url]", and no error says anything that stands in it.
package notify

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const hidden = "[url]"

// URL is an address with a secret in it. The secret lies behind a pointer, so that
// nothing prints it by accident. The zero value is none.
type URL struct{ secret *string }

// NewURL makes one of text.
func NewURL(text string) URL { return URL{&text} }

// IsZero says that there is none.
func (u URL) IsZero() bool { return u.secret == nil || *u.secret == "" }

// text is the address itself: never print it.
func (u URL) text() string {
	if u.secret == nil {
		return ""
	}
	return *u.secret
}

// String and the methods below hide the address from whoever prints it.
func (URL) String() string { return hidden }

// GoString hides it from %#v.
func (URL) GoString() string { return hidden }

// Format hides it from all other verbs.
func (URL) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText hides it from JSON.
func (URL) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides it from slog.
func (URL) LogValue() slog.Value { return slog.StringValue(hidden) }

// scheme is the part before "://", without what follows a + in it.
func (u URL) scheme() string {
	name, _, found := strings.Cut(u.text(), "://")
	name, _, _ = strings.Cut(strings.ToLower(name), "+")
	if !found || !schemeName.MatchString(name) {
		return ""
	}
	return name
}

var schemeName = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}$`)

// An address of the web, or of a service, within a text.
var addresses = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+`)

// maxErrorBytes is how much of an error is kept.
const maxErrorBytes = 300

// redact takes out of a text whatever stands in the URL, and every other address:
// a service makes new ones of the tokens.
func (u URL) redact(text string) string {
	text = strings.ReplaceAll(text, u.text(), hidden)
	text = addresses.ReplaceAllString(text, hidden)
	for _, part := range u.parts() {
		text = strings.ReplaceAll(text, part, "…")
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxErrorBytes {
		text = strings.ToValidUTF8(text[:maxErrorBytes], "") + " …"
	}
	return text
}

// parts are all pieces of the URL that could be secret, the longest first: the
// address as a whole, what is between its delimiters, and the same unescaped.
func (u URL) parts() []string {
	_, rest, _ := strings.Cut(u.text(), "://")
	const shortest = 4 // less is no secret, and would leave nothing of a message
	var list []string
	add := func(text string) {
		for _, delimiters := range []string{"", "/?&#", "/?&#=@,;", "/?&#=@,;:", "/?&#=@,;:-+"} {
			split := func(c rune) bool { return strings.ContainsRune(delimiters, c) || unicode.IsSpace(c) }
			for _, part := range strings.FieldsFunc(text, split) {
				if len(part) >= shortest && !harmless[strings.ToLower(part)] {
					list = append(list, part)
				}
			}
		}
	}
	add(rest)
	if plain, err := url.PathUnescape(rest); err == nil {
		add(plain)
	}
	if plain, err := url.QueryUnescape(rest); err == nil {
		add(plain)
	}
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(list)
}

// harmless are words in URLs that messages need and nobody hides.
var harmless = map[string]bool{
	"http": true, "https": true, "token": true, "host": true, "port": true, "auth": true, "title": true, "json": true, "true": true,
	"false": true, "chats": true, "none": true, "plain": true, "subject": true, "timeout": true, "template": true, "localhost": true,
	"127.0.0.1": true, "starttls": true, "usestarttls": true, "disabletls": true, "telegram": true, "channel": true,
}
