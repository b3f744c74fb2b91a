package scheduler

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a database inside the binary, for hosts that have none
)

// ZoneError says which zone is not known and what might have been meant.
type ZoneError struct {
	Name string
	Msg  string
	Hint string
	Err  error // what package time said; may be nil
}

func (e *ZoneError) Error() string { return fmt.Sprintf("time zone %q: %s", e.Name, e.Msg) }
func (e *ZoneError) Unwrap() error { return e.Err }

// LoadZone finds a zone by its IANA name. The host's database is preferred, since
// it is updated; the one in the binary stands in. Errors are *ZoneError. "" and
// "Local" are refused: a schedule must not move with the machine it runs on.
func LoadZone(name string) (*time.Location, error) {
	const example = `write a name of the IANA database, such as "Europe/Berlin" or "UTC"`
	switch {
	case name == "":
		return nil, &ZoneError{Name: name, Msg: "empty", Hint: example}
	case strings.EqualFold(name, "local") || strings.EqualFold(name, "localtime"):
		return nil, &ZoneError{Name: name, Msg: "depends on the machine", Hint: example}
	case strings.HasPrefix(name, "right/"):
		return nil, &ZoneError{Name: name, Msg: "counts leap seconds", Hint: fmt.Sprintf("write %q", strings.TrimPrefix(name, "right/"))}
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		return zone, nil
	}
	hint := example
	if near := nearZone(name); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return nil, &ZoneError{Name: name, Msg: "not known", Hint: hint, Err: err}
}

// abbreviations are not zones: they name an offset, and several mean more than
// one. These are the places most people mean.
var abbreviations = map[string]string{
	"EDT": "America/New_York", "CST": "America/Chicago", "CDT": "America/Chicago", "MDT": "America/Denver",
	"PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "BST": "Europe/London", "CEST": "Europe/Berlin",
	"EEST": "Europe/Athens", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "AEST": "Australia/Sydney", "Z": "UTC",
}

var regions = []string{"America", "Europe", "Asia", "Africa", "Australia", "Pacific", "Atlantic", "Indian", "Antarctica"}

// nearZone guesses: an abbreviation, another case, spaces for underscores, or a
// city without its continent. It gives "" if nothing of that exists.
func nearZone(name string) string {
	if zone, ok := abbreviations[strings.ToUpper(name)]; ok {
		return zone
	}
	if len(name) > 40 {
		return ""
	}
	guesses := []string{strings.ToUpper(name), capitals(name)}
	city := capitals(name)
	if i := strings.LastIndex(city, "/"); i >= 0 {
		city = city[i+1:]
	}
	for _, region := range regions {
		guesses = append(guesses, region+"/"+city)
	}
	for _, guess := range guesses {
		if _, err := time.LoadLocation(guess); err == nil && guess != "" && guess != "LOCAL" {
			return guess
		}
	}
	return ""
}

// capitals spells a name as the database does: "america/new york" becomes
// "America/New_York".
func capitals(name string) string {
	b := []byte(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "_"))
	for i, c := range b {
		if (i == 0 || b[i-1] == '/' || b[i-1] == '_' || b[i-1] == '-') && 'a' <= c && c <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}
