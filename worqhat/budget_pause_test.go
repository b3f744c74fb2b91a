package worqhat

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestBudgetWaitsAsAsked: whatever way a server asks for a wait, all workers of
// the key, of whatever schedule, wait to the instant, and the first goes then.
func TestBudgetWaitsAsAsked(t *testing.T) {
	skewed := func(by, wait time.Duration) http.Header {
		now := time.Now().UTC().Add(by)
		return http.Header{"Date": {now.Format(http.TimeFormat)}, "Retry-After": {now.Add(wait).Format(http.TimeFormat)}}
	}
	seconds := func(text string) func() http.Header {
		return func() http.Header { return http.Header{"Retry-After": {text}} }
	}
	none := func() http.Header { return http.Header{} }
	tests := []struct {
		name   string
		status int
		header func() http.Header // made in the bubble, for dates
		body   string
		want   time.Duration
	}{
		{"seconds", 429, seconds("100"), "", 100 * time.Second},
		{"a fraction", 429, seconds("1.25"), "", 1250 * time.Millisecond},
		{"date, the same clock", 429, func() http.Header { return skewed(0, 90*time.Second) }, "", 90 * time.Second},
		{"date, a clock two hours ahead", 429, func() http.Header { return skewed(2*time.Hour, 90*time.Second) }, "", 90 * time.Second},
		{"date, a clock a year behind", 503, func() http.Header { return skewed(-365*24*time.Hour, 90*time.Second) }, "", 90 * time.Second},
		{"date without a clock", 429, func() http.Header {
			h := skewed(0, 45*time.Second)
			h.Del("Date")
			return h
		}, "", 45 * time.Second},
		{"date of the past", 429, func() http.Header { return skewed(0, -time.Hour) }, "", time.Second},
		{"body, number", 429, none, `{"success":false,"retry_after":60}`, time.Minute},
		{"body, string", 503, none, `{"retry_after":" 60 "}`, time.Minute},
		{"body, negative", 429, none, `{"retry_after":-60}`, unaskedRetryAfter},
		{"body, null", 429, none, `{"retry_after":null}`, unaskedRetryAfter},
		{"body, a list", 429, none, `{"retry_after":[60]}`, unaskedRetryAfter},
		{"body, a billion", 429, none, `{"retry_after":"1000000000"}`, time.Hour},
		{"body and header", 429, seconds("2"), `{"retry_after":30}`, 30 * time.Second},
		{"a billion", 429, seconds("1000000000"), "", time.Hour},
		{"garbage", 429, seconds("a while"), "", unaskedRetryAfter},
		{"negative", 429, seconds("-100"), "", unaskedRetryAfter},
		{"nothing", 429, none, "", unaskedRetryAfter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				transport := roundTrip(func(r *http.Request) (*http.Response, error) {
					if _, err := io.Copy(io.Discard, r.Body); err != nil {
						return nil, err
					}
					return &http.Response{StatusCode: tt.status, Header: tt.header(), Body: io.NopCloser(strings.NewReader(tt.body))}, nil
				})
				o := Options{BaseURL: "http://127.0.0.1", MaxInFlight: 64}
				c, err := NewClient(o, mustKey(t, secret), transport)
				if err != nil {
					t.Fatal(err)
				}
				b := NewBudget(o)
				r := c.Trigger(t.Context(), Trigger{FlowID: testFlow, Body: bodyOf(small)})
				if r.Outcome != Throttled || !b.Pause(r.Finished.Add(r.RetryAfter), r.Detail) {
					t.Fatalf("got %+v", r)
				}
				if b.Pause(r.Finished.Add(r.RetryAfter/2), "shorter") {
					t.Error("a shorter pause made it longer")
				}
				var all sync.WaitGroup
				for i := range 30 {
					all.Go(func() {
						if _, err := b.Acquire(context.Background(), fmt.Sprint("schedule ", i%3)); err != nil {
							t.Error(err)
						}
						if got := time.Since(start); got != tt.want {
							t.Errorf("worker %d goes after %s, want %s", i, got, tt.want)
						}
					})
				}
				all.Wait()
			})
		})
	}
}
