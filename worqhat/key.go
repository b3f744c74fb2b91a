package worqhat

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// hidden is what a key prints as, whoever prints it.
const hidden = "[key]"

// Key is the API key. It prints as "[key]" with every verb, in JSON and in
// logs. The secret lies behind a pointer, so that a struct which holds a Key in
// an unexported field, where fmt can't call methods, prints an address at worst.
// The zero Key is no key.
type Key struct{ secret *string }

// NewKey makes a key of text: white space around it and a "Bearer " prefix,
// which would be doubled on the wire, are taken off. An empty key, or one with
// anything but visible ASCII in it, is an error; the error does not show it.
func NewKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	for len(text) >= len(bearer) && strings.EqualFold(text[:len(bearer)], bearer) {
		text = strings.TrimSpace(text[len(bearer):])
	}
	switch {
	case text == "" || strings.EqualFold(text, strings.TrimSpace(bearer)):
		return Key{}, errors.New("the key is empty")
	case strings.ContainsAny(text[:1]+text[len(text)-1:], `"'`):
		return Key{}, errors.New("the key is in quotes")
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' {
			return Key{}, fmt.Errorf("the key has a space, a control character or a letter outside ASCII at character %d", i+1)
		}
	}
	return Key{secret: &text}, nil
}

const bearer = "Bearer "

// Bearer is the value of the Authorization header. It is the only way to the
// secret; never print it.
func (k Key) Bearer() string { return bearer + k.text() }

// IsZero says that there is no key.
func (k Key) IsZero() bool { return k.secret == nil }

// String and the methods below hide the key from whoever prints it.
func (Key) String() string { return hidden }

// GoString hides the key from %#v.
func (Key) GoString() string { return hidden }

// Format hides the key from all other verbs.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText hides the key from JSON, XML and TOML.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the key from slog.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

func (k Key) text() string {
	if k.secret == nil {
		return ""
	}
	return *k.secret
}

// redact takes the key out of a text that a person will read.
func (k Key) redact(s string) string {
	if k.IsZero() {
		return s
	}
	return strings.ReplaceAll(s, k.text(), hidden)
}

// mask overwrites the key in an answer, in place and in the same length, so
// that JSON stays JSON and no cut can leave half a key at the end.
func (k Key) mask(b []byte) {
	if k.IsZero() {
		return
	}
	secret := []byte(k.text())
	for {
		i := bytes.Index(b, secret)
		if i < 0 {
			return
		}
		for j := range secret {
			b[i+j] = '*'
		}
		b = b[i+len(secret):]
	}
}
