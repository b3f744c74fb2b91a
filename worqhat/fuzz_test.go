package worqhat

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseRetryAfter(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"30", 30 * time.Second, true},
		{" 7 ", 7 * time.Second, true},
		{"0", 0, true},
		{"1.5", 1500 * time.Millisecond, true},
		{"0.0001", time.Millisecond, true},
		{"1000000000", time.Hour, true},
		{"3600", time.Hour, true},
		{"3599", time.Hour - time.Second, true},
		{"1e3", 1000 * time.Second, true},
		{"1e999", time.Hour, true},
		{strings.Repeat("9", 60), time.Hour, true},
		{"Tue, 24 Nov 2026 02:30:45 GMT", 45 * time.Second, true},
		{"Tuesday, 24-Nov-26 02:31:00 GMT", time.Minute, true},
		{"Tue Nov 24 02:31:00 2026", time.Minute, true},
		{"2026-11-24T02:31:00Z", time.Minute, true},
		{"2026-11-24T04:31:00+02:00", time.Minute, true},
		{"Tue, 24 Nov 2020 02:30:45 GMT", 0, true},
		{"", 0, false},
		{"-1", 0, false},
		{"-1e999", 0, false},
		{"soon", 0, false},
		{"30s", 0, false},
		{"inf", 0, false},
		{"nan", 0, false},
		{"0x10", 0, false},
		{"1_0", 0, false},
		{"1,2", 0, false},
		{"e", 0, false},
		{"--", 0, false},
		{strings.Repeat("9", 65), 0, false},
	}
	for _, tt := range tests {
		got, ok := parseRetryAfter(tt.text, testNow)
		if got != tt.want || ok != tt.ok {
			t.Errorf("parseRetryAfter(%q) = %s, %v; want %s, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"30", "-1", "1e9", "soon", "Tue, 24 Nov 2026 02:30:45 GMT", "2026-11-24T02:31:00Z", "1.5", "0", "nan"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, header, inBody string) {
		d, ok := parseRetryAfter(header, testNow)
		if d < 0 || d > time.Hour || !ok && d != 0 {
			t.Errorf("parseRetryAfter(%q) = %s, %v", header, d, ok)
		}
		quoted, err := json.Marshal(inBody)
		if err != nil {
			t.Fatal(err)
		}
		o := answered(429, `{"retry_after":`+string(quoted)+`}`)
		o.Header["Retry-After"] = []string{header}
		v := Decide(o)
		if v.Outcome != Throttled || v.RetryAfter < time.Second || v.RetryAfter > time.Hour {
			t.Errorf("Decide = %s, wait %s", v.Outcome, v.RetryAfter)
		}
		if ok && v.RetryAfter < d {
			t.Errorf("waits %s, the header asks for %s", v.RetryAfter, d)
		}
	})
}

// FuzzDecideAnswer compares with encoding/json: what is accepted must be a whole
// JSON object that says so.
func FuzzDecideAnswer(f *testing.F) {
	for _, s := range []string{
		`{"success":true,"analytics_id":"x"}`, `{"success":true}`, `{"success":false}`, `{"analytics_id":1}`, `[]`, ``, `<html>`,
		`{"success":true,"data":{"statusCode":"500"}}`, `{"success":true,"data":{"success":false}}`, "\ufeff{}", `{"success":true`,
		`{"success":true,"success":true}`, `{"success":"true","analytics_id":"\u0078"}`, `{"retry_after":1e999}`, `{"a":{"b":[{}]}}`,
	} {
		f.Add(uint16(200), []byte(s), false)
		f.Add(uint16(503), []byte(s), true)
	}
	f.Fuzz(func(t *testing.T, status uint16, body []byte, broken bool) {
		o := answered(int(status), "")
		o.Answer = bytes.Clone(body)
		if broken {
			o.Err = http.ErrBodyReadAfterClose
		}
		v := Decide(o)
		if n := utf8.RuneCountInString(v.Detail); n > 500 || !utf8.ValidString(v.Detail) {
			t.Errorf("detail of %d characters: %q", n, v.Detail)
		}
		if !bytes.Equal(o.Answer, body) {
			t.Error("Decide changed the answer")
		}
		if status == 0 || v.Outcome != Accepted && v.Outcome != AcceptedNoID {
			return
		}
		if status < 200 || status > 299 {
			t.Fatalf("status %d is %s", status, v.Outcome)
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &object); err != nil {
			t.Fatalf("%s, but it is no JSON object: %v: %q", v.Outcome, err, body)
		}
		success, hasID := strings.ToLower(string(object["success"])), len(object["analytics_id"]) > 0
		if strings.Contains(success, "false") {
			t.Errorf("success is %s, outcome %s", success, v.Outcome)
		}
		if v.Outcome == Accepted && (!hasID || v.AnalyticsID == "") {
			t.Errorf("accepted without an id: %q", body)
		}
		if v.Outcome == AcceptedNoID && (len(success) == 0 || success == "null" || v.AnalyticsID != "") {
			t.Errorf("accepted without success and id: %q", body)
		}
	})
}
