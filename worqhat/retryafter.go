package worqhat

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxRetryAfter caps what a server may ask for.
	MaxRetryAfter = time.Hour
	// minRetryAfter keeps "0" or a date in the past from becoming a busy loop.
	minRetryAfter = time.Second
	// unaskedRetryAfter is the wait if the server throttles without a usable time.
	unaskedRetryAfter = 10 * time.Second
)

// askedWait is how long the key waits: the longer of header and body, capped.
// asked is false if neither has a usable time; the wait is then our own.
func askedWait(o Observation, a answer) (wait time.Duration, asked bool) {
	// A date is relative to the server's clock, which may differ from ours.
	now := o.Now
	if date, err := http.ParseTime(o.Header.Get("Date")); err == nil {
		now = date
	}
	for _, text := range slices.Concat(o.Header.Values("Retry-After"), []string{a.retryAfter}) {
		if d, ok := parseRetryAfter(text, now); ok {
			wait, asked = max(wait, d), true
		}
	}
	if !asked {
		return unaskedRetryAfter, false
	}
	return max(wait, minRetryAfter), true
}

// parseRetryAfter reads seconds (RFC 9110, 10.2.3; a fraction is let pass) or a
// date (HTTP's three forms, or RFC 3339, as bodies have it). A date in the past
// is zero. The result is between zero and MaxRetryAfter.
func parseRetryAfter(text string, now time.Time) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 64 {
		return 0, false
	}
	if strings.Trim(text, "0123456789.eE+-") == "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || seconds < 0 {
			return 0, false
		}
		if seconds >= MaxRetryAfter.Seconds() {
			return MaxRetryAfter, true
		}
		return time.Duration(math.Ceil(seconds*1000)) * time.Millisecond, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		at, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter), true
}
