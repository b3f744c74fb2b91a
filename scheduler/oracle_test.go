package scheduler

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The oracle decides slots by looking at every minute. It shares nothing with the
// evaluator: it matches the expression's text against what package time says the
// local clock showed.

var oracleZones = []string{
	"America/New_York", "Europe/Berlin", "Europe/London", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut",
	"America/Santiago", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Asia/Kolkata",
	"Asia/Tehran", "Africa/Casablanca", "Antarctica/Troll", "UTC", "Europe/Dublin", "Pacific/Kwajalein", "Asia/Gaza", "America/Nuuk",
	"Pacific/Chatham", "Europe/Moscow", "America/St_Johns", "Asia/Pyongyang", "America/Caracas", "Africa/Juba", "Europe/Istanbul",
	"Pacific/Norfolk", "America/Asuncion", "Asia/Amman",
}

// span is real minutes with one offset from UTC: seconds since 1970 [from, until).
type span struct{ from, until, off int64 }

// spansOf looks at each real minute of [from, until) and asks package time what the
// clock on the wall showed.
func spansOf(zone *time.Location, from, until time.Time) []span {
	var all []span
	for at := from.Unix(); at < until.Unix(); at += 60 {
		_, o := time.Unix(at, 0).In(zone).Zone()
		off := int64(o)
		if n := len(all); n > 0 && all[n-1].off == off {
			all[n-1].until = at + 60
			continue
		}
		all = append(all, span{at, at + 60, off})
	}
	return all
}

// oracleSlots gives the slots among the minutes, as seconds since 1970: it tries
// them all, and then all minutes that a gap swallowed.
func oracleSlots(spans []span, e oracleExpr, o SpecOptions) []int64 {
	var slots []int64
	for i, sp := range spans {
		for at := sp.from; at < sp.until; at += 60 {
			wall := at + sp.off
			if !e.onDay(wall) {
				at += 86400 - wall%86400 - 60 // the rest of a day on which it has nothing
				continue
			}
			if e.matches(wall) && (e.interval || rightPass(spans, i, at, o.Fold)) {
				slots = append(slots, at)
			}
		}
		if i == 0 || e.interval {
			continue
		}
		before := spans[i-1].off
		for lost := sp.from + before; lost < sp.from+sp.off; lost += 60 {
			switch {
			case !e.matches(lost):
			case o.Gap == "" || o.Gap == "run":
				slots = append(slots, sp.from)
			case o.Gap == "shift":
				slots = append(slots, lost-before)
			}
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// rightPass says whether a minute of the ith span is the one that counts of those
// at which the wall shows the same.
func rightPass(spans []span, i int, at int64, fold string) bool {
	first, last := at, at
	for j := max(0, i-2); j < min(len(spans), i+3); j++ {
		if same := at + spans[i].off - spans[j].off; same >= spans[j].from && same < spans[j].until {
			first, last = min(first, same), max(last, same)
		}
	}
	switch fold {
	case "both":
		return true
	case "second":
		return at == last
	default:
		return at == first
	}
}

// oracleExpr is an expression's text, and what was found for a day or a time of
// day once.
type oracleExpr struct {
	fields   []string
	interval bool
	days     map[int64]bool
	clock    *[24 * 60]bool
}

func newOracleExpr(expr string) oracleExpr {
	e := oracleExpr{fields: strings.Fields(strings.ReplaceAll(strings.ToUpper(expr), "?", "*")), days: map[int64]bool{}, clock: &[24 * 60]bool{}}
	e.fields[3] = spellOut(e.fields[3], 1, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
	e.fields[4] = spellOut(strings.ReplaceAll(e.fields[4], "-SUN", "-7"), 0, "SUN MON TUE WED THU FRI SAT")
	e.interval = e.fields[0][0] == '*' || e.fields[1][0] == '*'
	for m := range e.clock {
		e.clock[m] = itemsMatch(e.fields[0], m%60, 0, 59) && itemsMatch(e.fields[1], m/60, 0, 23)
	}
	return e
}

// spellOut replaces names by numbers, from first on.
func spellOut(field string, first int, names string) string {
	for i, name := range strings.Fields(names) {
		field = strings.ReplaceAll(field, name, strconv.Itoa(first+i))
	}
	return field
}

func (e oracleExpr) onDay(wall int64) bool {
	day := wall / 86400
	on, known := e.days[day]
	if !known {
		on = dayMatches(e.fields, time.Unix(wall, 0).UTC())
		e.days[day] = on
	}
	return on
}

func (e oracleExpr) matches(wall int64) bool { return e.clock[wall%86400/60] && e.onDay(wall) }

func dayMatches(fields []string, t time.Time) bool {
	if !itemsMatch(fields[3], int(t.Month()), 1, 12) {
		return false
	}
	dom, dow := domMatches(fields[2], t), dowMatches(fields[4], t)
	if fields[2][0] == '*' || fields[4][0] == '*' {
		return dom && dow
	}
	return dom || dow
}

func itemsMatch(field string, v, low, high int) bool {
	for _, item := range strings.Split(field, ",") {
		base, step, stepped := strings.Cut(item, "/")
		by := 1
		if stepped {
			by, _ = strconv.Atoi(step)
		}
		from, to := low, high
		if base != "*" {
			a, b, ranged := strings.Cut(base, "-")
			from, _ = strconv.Atoi(a)
			if ranged {
				to, _ = strconv.Atoi(b)
			} else if !stepped {
				to = from
			}
		}
		if v >= from && v <= to && (v-from)%by == 0 {
			return true
		}
	}
	return false
}

func domMatches(field string, t time.Time) bool {
	for _, item := range strings.Split(field, ",") {
		workday := t.Weekday() != time.Saturday && t.Weekday() != time.Sunday
		switch {
		case item == "L":
			if t.AddDate(0, 0, 1).Day() == 1 {
				return true
			}
		case item == "LW":
			rest := 0 // workdays of this month after t
			for u := t.AddDate(0, 0, 1); u.Month() == t.Month(); u = u.AddDate(0, 0, 1) {
				if u.Weekday() != time.Saturday && u.Weekday() != time.Sunday {
					rest++
				}
			}
			if workday && rest == 0 {
				return true
			}
		case strings.HasSuffix(item, "W"):
			day, _ := strconv.Atoi(strings.TrimSuffix(item, "W"))
			if workday && nearestByDistance(day, t) == t.Day() {
				return true
			}
		default:
			if itemsMatch(item, t.Day(), 1, 31) {
				return true
			}
		}
	}
	return false
}

// nearestByDistance finds the workday of t's month nearest to a day by trying all.
func nearestByDistance(day int, t time.Time) int {
	if time.Date(t.Year(), t.Month(), day, 0, 0, 0, 0, time.UTC).Month() != t.Month() {
		return -1
	}
	for distance := range 4 {
		for _, d := range []int{day - distance, day + distance} {
			u := time.Date(t.Year(), t.Month(), d, 0, 0, 0, 0, time.UTC)
			if u.Month() == t.Month() && u.Weekday() != time.Saturday && u.Weekday() != time.Sunday {
				return d
			}
		}
	}
	return -1
}

func dowMatches(field string, t time.Time) bool {
	for _, item := range strings.Split(field, ",") {
		day, nth, numbered := strings.Cut(item, "#")
		switch {
		case numbered:
			d, _ := strconv.Atoi(day)
			n, _ := strconv.Atoi(nth)
			if int(t.Weekday()) == d%7 && (t.Day()+6)/7 == n {
				return true
			}
		case strings.HasSuffix(item, "L"):
			d, _ := strconv.Atoi(strings.TrimSuffix(item, "L"))
			if int(t.Weekday()) == d%7 && t.AddDate(0, 0, 7).Month() != t.Month() {
				return true
			}
		default:
			base, _, stepped := strings.Cut(item, "/")
			top := 7
			if base == "*" || stepped && !strings.Contains(base, "-") && base != "7" {
				top = 6
			}
			if itemsMatch(item, int(t.Weekday()), 0, top) || t.Weekday() == time.Sunday && top == 7 && itemsMatch(item, 7, 0, 7) {
				return true
			}
		}
	}
	return false
}

// oracleVariable is the environment's word for how long to compare.
const oracleVariable = "WORQCRON_ORACLE"

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func randomExpr(r *rand.Rand) string {
	n := func(low, high int) string { return strconv.Itoa(low + r.IntN(high-low+1)) }
	rangeOf := func(low, high int) string {
		a := low + r.IntN(high-low)
		return fmt.Sprintf("%d-%d", a, a+r.IntN(high-a+1))
	}
	minute := pick(r, "*", "*/7", "*/15", "*/45", "0", "30", n(0, 59), n(0, 59)+","+n(0, 59), rangeOf(0, 59)+"/13", n(0, 59)+"/20")
	hour := pick(r, "*", "*/2", "0", "1", "2", "3", "0-4", n(0, 23), "1,2,3", rangeOf(0, 23), n(0, 23)+"/3", "23,0,1,2")
	dom := pick(r, "*", "*", "*", "*/2", n(1, 31), "L", "LW", n(1, 31)+"W", "1,L", rangeOf(1, 31), "28-31")
	month := pick(r, "*", "*", "*", "*", "*/3", rangeOf(1, 12), "3,4,9,10,11")
	dow := pick(r, "*", "*", "*", "*/3", n(0, 7), "0,6", "5-7", "1-7/2", "7", n(0, 7)+"#"+n(1, 5), n(0, 7)+"L", "2/2")
	return strings.Join([]string{minute, hour, dom, month, dow}, " ")
}

// randomWindow picks six days, half the time around a change of the clock.
func randomWindow(r *rand.Rand, zone *time.Location) (from, until time.Time) {
	from = time.Date(1975+r.IntN(90), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), 0, 0, 0, time.UTC)
	if r.IntN(4) > 0 {
		_, off := from.In(zone).Zone()
		for day := range 366 {
			at := from.AddDate(0, 0, day)
			if _, o := at.In(zone).Zone(); o != off {
				from = at.AddDate(0, 0, -3)
				break
			}
		}
	}
	return from, from.AddDate(0, 0, 6)
}

// TestAgainstOracle compares a random sample. WORQCRON_ORACLE=10m runs it longer,
// with another sample each time; =full is for TestTenYearsAgainstOracle.
func TestAgainstOracle(t *testing.T) {
	deadline, seed := time.Now().Add(3*time.Second), uint64(1)
	if long := os.Getenv(oracleVariable); long != "" && long != "full" {
		d, err := time.ParseDuration(long)
		if err != nil {
			t.Fatal(err)
		}
		deadline, seed = time.Now().Add(d), rand.Uint64()
		t.Logf("seed %d", seed)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	compared, slots := 0, 0
	for windows := 0; windows < len(oracleZones) || time.Now().Before(deadline); windows++ {
		zone := zoneNamed(t, oracleZones[windows%len(oracleZones)])
		from, until := randomWindow(r, zone)
		// A day's margin, so that no gap or fold is cut by the window.
		spans := spansOf(zone, from.AddDate(0, 0, -2), until.AddDate(0, 0, 2))
		for range 12 {
			expr := randomExpr(r)
			o := SpecOptions{Gap: pick(r, "", "run", "shift", "skip"), Fold: pick(r, "", "first", "second", "both")}
			s, err := Parse(expr, zone, o)
			if err != nil {
				continue // an impossible date
			}
			var want []int64
			for _, at := range oracleSlots(spans, newOracleExpr(expr), o) {
				if at >= from.Unix() && at < until.Unix() {
					want = append(want, at)
				}
			}
			var got []int64
			for at := range s.Between(from, until) {
				got = append(got, at.Unix())
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%q in %s, %+v, [%s, %s):\n got %v\nwant %v", expr, zone, o, from, until, inZone(got, zone), inZone(want, zone))
			}
			compared, slots = compared+1, slots+len(want)
		}
	}
	t.Logf("%d expressions, %d slots", compared, slots)
	if slots < 1000 {
		t.Errorf("only %d slots compared", slots)
	}
}

func inZone(slots []int64, zone *time.Location) []string {
	var out []string
	for _, at := range slots {
		out = append(out, time.Unix(at, 0).In(zone).Format("2006-01-02 15:04 -07:00"))
	}
	return out
}
