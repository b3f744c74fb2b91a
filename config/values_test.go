package config

import (
	"math"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	good := map[string]int64{
		"0": 0, "12": 12, "12B": 12, "1kB": 1000, "1KB": 1000, "9.5MB": 9_500_000, "2 GB": 2e9,
		"1KiB": 1024, "1.5MiB": 1572864, "2GiB": 2 << 30, "9.999999MB": 9_999_999, "9223372036854775807": math.MaxInt64,
	}
	for text, want := range good {
		if got, wrong := parseSize(text); wrong != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, wrong, want)
		}
	}
	for _, text := range []string{"", "MB", "-1kB", "+1", "1e3", "1/2", "1.2.3", ".", "1TB", "1.5B", "0x10", "1_000", "9223372036854775808", "1 M B", "1000000000000000000000"} {
		if got, wrong := parseSize(text); wrong == nil {
			t.Errorf("%q: got %d, want a fault", text, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	good := map[string]time.Duration{
		"0s": 0, "30s": 30 * time.Second, "1h30m": 90 * time.Minute, "1.5s": 1500 * time.Millisecond,
		"1d": day, "2d12h": 60 * time.Hour, "365d": 365 * day,
	}
	for text, want := range good {
		if got, wrong := parseDuration(text); wrong != nil || got != want {
			t.Errorf("%q: got %s, %v, want %s", text, got, wrong, want)
		}
	}
	for _, text := range []string{"", "d", "1", "1 day", "1days", "-1s", "-1d", "1.5d", "1h1d", "65536d", "9999999999h", "1d-1h", "30 s"} {
		if got, wrong := parseDuration(text); wrong == nil {
			t.Errorf("%q: got %s, want a fault", text, got)
		}
	}
}

func TestShow(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Millisecond: "1ms", 90 * time.Second: "1m30s", time.Hour: "1h", day: "24h", 366 * day: "366d", 90 * time.Minute: "1h30m",
	} {
		if got := showDuration(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0B", 999: "999B", 1000: "1kB", 9_500_000: "9.5MB", 9_999_999: "9999999B", 2e9: "2GB"} {
		if got := showSize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestParseRate(t *testing.T) {
	good := map[string]float64{"off": 0, "10/s": 10, "50/min": 50.0 / 60, "600/h": 1.0 / 6, "0.5 / s": 0.5, "100000/s": 100_000}
	for text, want := range good {
		if got, wrong := parseRate(text); wrong != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, wrong, want)
		}
	}
	for _, text := range []string{"", "50", "50/", "/s", "0/s", "-1/s", "1e3/s", "inf/s", "100001/s", "50/day", "1/s/s", "OFF"} {
		if got, wrong := parseRate(text); wrong == nil {
			t.Errorf("%q: got %v, want a fault", text, got)
		}
	}
}

func TestParsePercent(t *testing.T) {
	for text, want := range map[string]float64{"0%": 0, "1%": 1, "0.5 %": 0.5, "100%": 100} {
		if got, ok := parsePercent(text); !ok || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "%", "1", "101%", "-1%", "nan%", "1e1%", "0x1p2%"} {
		if got, ok := parsePercent(text); ok {
			t.Errorf("%q: got %v, want none", text, got)
		}
	}
}

func TestNearestWord(t *testing.T) {
	words := []string{"flow_id", "cron", "timezone", "max_bytes"}
	for word, want := range map[string]string{"flowid": "flow_id", "corn": "cron", "time_zone": "timezone", "max_byte": "max_bytes", "x": "", "wibble": "", "cr": ""} {
		if got := nearest(word, words); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}
