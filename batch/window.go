package batch

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Window is the hours of the day in which a run may send; none: it always may.
// They are what a clock on the wall shows: where it is set back, hours that it
// shows twice are open twice; what it jumps over is not there.
type Window []Hours

// Hours is a stretch of the day in minutes since midnight: From counts, To does
// not. From after To goes over midnight.
type Hours struct{ From, To int }

const dayMinutes = 24 * 60

var hoursText = regexp.MustCompile(`^(\d\d):(\d\d)-(\d\d):(\d\d)$`)

// ParseHours reads "22:00-06:00". The end may be 24:00. The error says what is
// wrong with the text.
func ParseHours(text string) (Hours, error) {
	parts := hoursText.FindStringSubmatch(text)
	if parts == nil {
		return Hours{}, fmt.Errorf("%q is no window", text)
	}
	n := make([]int, 4)
	for i := range n {
		n[i], _ = strconv.Atoi(parts[i+1]) // two digits
	}
	h := Hours{n[0]*60 + n[1], n[2]*60 + n[3]}
	switch {
	case n[1] > 59 || n[3] > 59 || h.From >= dayMinutes || h.To > dayMinutes:
		return Hours{}, fmt.Errorf("%q has a time that no clock shows", text)
	case h.From == h.To:
		return Hours{}, fmt.Errorf("%q begins when it ends", text)
	}
	return h, nil
}

// String is the text again.
func (h Hours) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", h.From/60, h.From%60, h.To/60, h.To%60)
}

// String is for people.
func (w Window) String() string {
	texts := make([]string, len(w))
	for i, h := range w {
		texts[i] = h.String()
	}
	return strings.Join(texts, ", ")
}

func (h Hours) holds(minute int) bool {
	if h.From < h.To {
		return h.From <= minute && minute < h.To
	}
	return h.From <= minute || minute < h.To
}

// open says whether an instant is in the window.
func (w Window) open(at time.Time) bool {
	hour, minute, _ := at.Clock()
	for _, h := range w {
		if h.holds(hour*60 + minute) {
			return true
		}
	}
	return len(w) == 0
}

// lookAhead bounds the search for an edge. Hours that are missing on the day of a
// clock change are there on the next; a window that is open for so long needs no
// edge yet.
const lookAhead = 3 * 24 * time.Hour

// Around returns the stretch that holds an instant: whether it is open, and when
// it ends (at the latest three days later; it may then go on).
func (w Window) Around(at time.Time, zone *time.Location) (open bool, end time.Time) {
	at = at.In(zone).Round(0) // a clock on the wall
	open = w.open(at)
	last := at.Add(lookAhead)
	if len(w) == 0 {
		return true, last
	}
	// From minute to minute, since a zone's rules know no other steps.
	for end = nextMinute(at); end.Before(last) && w.open(end) == open; {
		end = end.Add(time.Minute)
	}
	return open, end
}

// nextMinute is when the clock on the wall shows the next minute.
func nextMinute(at time.Time) time.Time {
	return at.Add(time.Minute - time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
}
