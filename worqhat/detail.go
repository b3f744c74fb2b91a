package worqhat

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// answerDetail is the sentence for a person: status, message, code, wait, error.
// It never quotes other parts of an answer, which may hold rows.
func answerDetail(o Observation, a answer, v Verdict) string {
	var s strings.Builder
	s.WriteString(strconv.Itoa(o.StatusCode))
	if text := http.StatusText(o.StatusCode); text != "" {
		s.WriteString(" " + text)
	}
	if a.message != "" {
		s.WriteString(": " + o.quote(a.message, maxQuote))
	}
	if a.code != "" {
		s.WriteString(" (" + o.quote(a.code, maxCode) + ")")
	}
	switch {
	case v.Outcome == Throttled:
		s.WriteString("; waiting " + v.RetryAfter.String())
	case v.Outcome == Refused && o.StatusCode < 400:
		s.WriteString("; redirects are not followed, check base_url")
	case v.Outcome == Unknown && o.StatusCode < 300:
		s.WriteString("; the answer does not say whether the flow was started (" + string(v.Reason) + ")")
	}
	if o.Err != nil {
		s.WriteString("; the answer broke off: " + o.quote(o.Err.Error(), maxQuote))
	}
	return cut(s.String(), maxDetail)
}

// quote makes a foreign text fit for one line of a log: no key, valid UTF-8, no
// control characters, at most limit characters.
func (o Observation) quote(s string, limit int) string {
	s = o.key.redact(s)
	// A character has four bytes at most: no need to clean a megabyte.
	s = s[:min(len(s), (limit+1)*utf8.UTFMax)]
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return cut(s, limit)
}

// cut shortens s to limit characters.
func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}
