package worqhat

import (
	"time"

	"golang.org/x/time/rate"
)

// Sent is a trigger that an earlier process sent, or was about to.
type Sent struct {
	Schedule string
	At       time.Time
}

// Remember tells a new budget what was sent before it was made, so that a
// restart wins no tokens. sent are all triggers since an instant, oldest first;
// what was sent before then is not known, and counts as much as it could have.
// The rates must have been set; see Memory.
func (b *Budget) Remember(since time.Time, sent []Sent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	all := make([]time.Time, len(sent))
	own := map[string][]time.Time{}
	for i, s := range sent {
		all[i] = s.At
		own[s.Schedule] = append(own[s.Schedule], s.At)
	}
	spend(b.limiter, since, all, now)
	for schedule, q := range b.queues {
		spend(q.limiter, since, own[schedule], now)
	}
}

// Memory is how far back a trigger still matters: how long an empty limiter
// takes to be full, the key's or a schedule's.
func (b *Budget) Memory() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	longest := fills(b.limiter)
	for _, q := range b.queues {
		longest = max(longest, fills(q.limiter))
	}
	return longest
}

// maxFill bounds Memory, against rates like one in a thousand years.
const maxFill = 366 * 24 * time.Hour

// fills is how long an empty limiter takes to be full; zero without a limit.
func fills(l *rate.Limiter) time.Duration {
	if l.Limit() == rate.Inf {
		return 0
	}
	seconds := float64(l.Burst()) / float64(l.Limit())
	return time.Duration(min(seconds, maxFill.Seconds()) * float64(time.Second))
}

// spend brings a full limiter to where it would be now.
func spend(l *rate.Limiter, since time.Time, sent []time.Time, now time.Time) {
	full := fills(l)
	if full == 0 {
		return
	}
	if empty := emptyAt(full, l.Burst(), since, sent); empty.Before(now) {
		now = empty
	}
	l.ReserveN(now, l.Burst()) // it is empty then, and fills from there
}

// emptyAt says when a limiter that now has its tokens would have had none, had
// nothing been sent since. It takes full to fill up to burst, and was empty at
// since at worst. Each trigger had its token, so behind it there are none at
// worst.
func emptyAt(full time.Duration, burst int, since time.Time, sent []time.Time) time.Time {
	empty, token := since, full/time.Duration(burst)
	for _, at := range sent {
		if filled := at.Add(-full); empty.Before(filled) {
			empty = filled
		}
		if empty = empty.Add(token); empty.After(at) {
			empty = at
		}
	}
	return empty
}
