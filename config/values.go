package config

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// The functions here read one written value. Their errors are messages for the
// value's place: what it is and what it should be.

// unitBytes are the units of sizes, in lower case: case is not looked at.
var unitBytes = map[string]int64{
	"": 1, "b": 1,
	"kb": 1000, "mb": 1000 * 1000, "gb": 1000 * 1000 * 1000,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}

// parseSize reads "9.5MB" as bytes: decimal kB, MB, GB, binary KiB, MiB, GiB.
func parseSize(text string) (int64, *fault) {
	const hint = `a number and B, kB, MB, GB, KiB, MiB or GiB: "9.5MB"`
	digits := strings.TrimLeft(text, "0123456789.")
	number, unit := text[:len(text)-len(digits)], strings.TrimSpace(digits)
	factor, known := unitBytes[strings.ToLower(unit)]
	value, valid := new(big.Rat).SetString(number)
	if !known || !valid || len(number) > 20 {
		return 0, &fault{msg: fmt.Sprintf("%q is no size", shorten(text)), hint: hint}
	}
	value.Mul(value, new(big.Rat).SetInt64(factor))
	if !value.IsInt() || !value.Num().IsInt64() {
		return 0, &fault{msg: fmt.Sprintf("%q is not a whole number of bytes below 2^63", text), hint: hint}
	}
	return value.Num().Int64(), nil
}

// showSize writes bytes with the largest decimal unit that leaves it short.
func showSize(n int64) string {
	for _, u := range []struct {
		factor int64
		name   string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if n >= u.factor && n%(u.factor/100) == 0 {
			return strconv.FormatFloat(float64(n)/float64(u.factor), 'f', -1, 64) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// parseDuration reads Go's syntax, "1h30m", with days in front: "2d", "1d12h".
func parseDuration(text string) (time.Duration, *fault) {
	wrong := &fault{msg: fmt.Sprintf("%q is no duration", shorten(text)), hint: `a number and ms, s, m, h or d: "30s", "1h30m", "2d"`}
	number, rest, hasDays := strings.Cut(text, "d")
	var days time.Duration
	if hasDays {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return 0, wrong
		}
		days, text = time.Duration(n)*day, rest
		if rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > math.MaxInt64-days {
		return 0, wrong
	}
	return days + d, nil
}

// showDuration is d.String() without its zeros, and in days where that is
// even: "24h", "366d".
func showDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parseRate reads "50/min" as triggers a second; "off" is 0, no limit.
func parseRate(text string) (float64, *fault) {
	if text == "off" {
		return 0, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	seconds := map[string]float64{"s": 1, "min": 60, "h": 3600}[strings.TrimSpace(unit)]
	n, ok := plainNumber(strings.TrimSpace(number))
	if !ok || seconds == 0 {
		return 0, &fault{msg: fmt.Sprintf("%q is no rate", shorten(text)), hint: `a number a second, minute or hour: "10/s", "50/min", "600/h"; or "off"`}
	}
	const most = 100_000 // a second; beyond it is a slip
	if n <= 0 || n/seconds > most {
		return 0, &fault{msg: fmt.Sprintf("%q is out of range", text), hint: `above 0 and at most 100000/s; for no limit write "off"`}
	}
	return n / seconds, nil
}

// parsePercent reads "1%" as 1.
func parsePercent(text string) (float64, bool) {
	number, found := strings.CutSuffix(text, "%")
	n, ok := plainNumber(strings.TrimSpace(number))
	return n, found && ok && n <= 100
}

// plainNumber reads digits with at most one point: no sign, exponent, hex,
// infinity or underscore, all of which strconv would take.
func plainNumber(text string) (float64, bool) {
	if text == "" || len(text) > 20 || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// shorten keeps messages on one line.
func shorten(text string) string {
	const most = 60
	characters := []rune(text)
	if len(characters) <= most {
		return text
	}
	return string(characters[:most]) + "…"
}
