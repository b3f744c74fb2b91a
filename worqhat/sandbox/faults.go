package sandbox

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is one way to misbehave.
type FaultKind struct {
	Name    string
	Does    string        // for help texts: one line, no period
	Accepts bool          // the flow is started and logged, whatever the client hears
	Wait    time.Duration // unless the specification says otherwise; 0: the fault has no time

	status int              // that is answered; 0 for no answer
	act    func(*answering) // how it answers; nil: an error of that status
}

// FaultKinds is the table of all faults, in the order of help texts.
func FaultKinds() []FaultKind {
	const ok = http.StatusOK
	refusal := func(status int, does string) FaultKind {
		return FaultKind{Name: strconv.Itoa(status), status: status, Does: does}
	}
	return []FaultKind{
		{Name: "429", Does: "429 with Retry-After in seconds", Wait: time.Second, status: 429, act: (*answering).throttleHeader},
		{Name: "429-date", Does: "429 with Retry-After as a date", Wait: 2 * time.Second, status: 429, act: (*answering).throttleDate},
		{Name: "429-garbage", Does: "429 with an unreadable Retry-After", status: 429, act: (*answering).throttleGarbage},
		{Name: "retry-after-body", Does: "429 with retry_after in the body alone", Wait: time.Second, status: 429, act: (*answering).throttleBody},
		{Name: "503-retry", Does: "503 with Retry-After in seconds", Wait: time.Second, status: 503, act: (*answering).unavailable},
		refusal(400, "400, nothing started"),
		refusal(401, "401, as for a wrong key"),
		refusal(402, "402, as for a plan that is used up"),
		refusal(403, "403, as for a key without rights"),
		refusal(404, "404, as for a flow that does not exist"),
		refusal(408, "408, nothing started"),
		refusal(409, "409, nothing started"),
		refusal(413, "413, as for a body that is too large"),
		refusal(415, "415, nothing started"),
		refusal(422, "422, nothing started"),
		refusal(500, "500, nothing started"),
		{Name: "500-after", Does: "500 although the flow was started", Accepts: true, status: 500},
		refusal(502, "502, nothing started"),
		refusal(503, "503 without Retry-After, nothing started"),
		refusal(504, "504, nothing started"),
		refusal(520, "520, as some gateways say, nothing started"),
		{Name: "redirect", Does: "307 to another path", status: 307, act: (*answering).redirect},
		{Name: "reset-before", Does: "the connection is reset in the middle of the body", act: (*answering).reset},
		{Name: "reset-after", Does: "accepted, then the connection is reset instead of an answer", Accepts: true, act: (*answering).reset},
		{Name: "lost", Does: "the whole body is read, not accepted, and the connection closed", act: (*answering).hangUp},
		{Name: "drop", Does: "accepted, but no answer until the client gives up", Accepts: true, act: (*answering).hold},
		{Name: "slow", Does: "accepted, answered late", Accepts: true, Wait: 2 * time.Second, status: ok, act: (*answering).slow},
		{Name: "no-id", Does: "accepted, answer without analytics_id", Accepts: true, status: ok, act: (*answering).withoutID},
		{Name: "same-id", Does: "accepted, with the analytics_id of the trigger before", Accepts: true, status: ok, act: (*answering).accept},
		{Name: "sync", Does: "accepted, answer is the flow's own output, without an id", Accepts: true, status: ok, act: (*answering).flowOutput},
		{Name: "success-false", Does: "the flow ran and failed: 200 with success false", Accepts: true, status: ok, act: (*answering).successFalse},
		{Name: "nested-500", Does: `the flow ran and failed: 200 with a nested statusCode "500"`, Accepts: true, status: ok, act: (*answering).nested500},
		{Name: "failed-later", Does: "accepted, shown as failed by the metrics", Accepts: true, status: ok, act: (*answering).accept},
		{Name: "running", Does: "accepted, shown as in progress by the metrics", Accepts: true, status: ok, act: (*answering).accept},
		{Name: "unlisted", Does: "accepted, not shown by the metrics", Accepts: true, status: ok, act: (*answering).accept},
		{Name: "html", Does: "accepted, answer is an HTML page", Accepts: true, status: ok, act: (*answering).html},
		{Name: "malformed", Does: "accepted, answer is broken JSON", Accepts: true, status: ok, act: (*answering).malformed},
		{Name: "cut", Does: "accepted, answer ends in the middle", Accepts: true, status: ok, act: (*answering).cut},
		{Name: "huge", Does: "accepted, answer of two MiB", Accepts: true, status: ok, act: (*answering).huge},
		{Name: "empty", Does: "accepted, 200 without a body", Accepts: true, status: ok, act: (*answering).empty},
	}
}

// FaultHelp is the table as text, for help pages.
func FaultHelp() string {
	var s strings.Builder
	for _, k := range FaultKinds() {
		does := k.Does
		if k.Wait > 0 {
			does += fmt.Sprintf(" (:%s)", k.Wait)
		}
		fmt.Fprintf(&s, "  %-17s %s\n", k.Name, does)
	}
	return s.String()
}

// Faults says which part of the triggers meets which fault. The zero value is a
// server without faults.
type Faults struct{ chosen []fault }

type fault struct {
	kind        FaultKind
	probability float64
	wait        time.Duration
}

// ParseFaults reads "429=0.1,slow=0.05:2s,no-id=0.01": names of FaultKinds with
// the share of triggers that meet them and, for those that have one, a time. The
// shares add up to one at most. An empty text is no fault at all.
func ParseFaults(text string) (Faults, error) {
	var f Faults
	sum := 0.0
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		one, err := parseFault(part)
		if err != nil {
			return Faults{}, err
		}
		if slices.ContainsFunc(f.chosen, func(o fault) bool { return o.kind.Name == one.kind.Name }) {
			return Faults{}, fmt.Errorf("fault %q: it is there twice", one.kind.Name)
		}
		sum += one.probability
		f.chosen = append(f.chosen, one)
	}
	if sum > 1+1e-9 {
		return Faults{}, fmt.Errorf("faults %q: the shares add up to %.4g, at most 1 is possible", text, sum)
	}
	return f, nil
}

func parseFault(part string) (fault, error) {
	name, value, ok := strings.Cut(part, "=")
	name = strings.TrimSpace(name)
	kinds := FaultKinds()
	i := slices.IndexFunc(kinds, func(k FaultKind) bool { return k.Name == name })
	if i < 0 {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.Name
		}
		return fault{}, fmt.Errorf("fault %q is unknown; there are %s", name, strings.Join(names, ", "))
	}
	if !ok {
		return fault{}, fmt.Errorf("fault %q: say how often, like %s=0.1", name, name)
	}
	one := fault{kind: kinds[i], wait: kinds[i].Wait}
	share, wait, hasWait := strings.Cut(value, ":")
	var err error
	one.probability, err = strconv.ParseFloat(strings.TrimSpace(share), 64)
	if err != nil || math.IsNaN(one.probability) || one.probability < 0 || one.probability > 1 {
		return fault{}, fmt.Errorf("fault %q: share %q is no number from 0 to 1", name, share)
	}
	if !hasWait {
		return one, nil
	}
	if one.kind.Wait == 0 {
		return fault{}, fmt.Errorf("fault %q has no time, but %q follows", name, ":"+wait)
	}
	one.wait, err = time.ParseDuration(strings.TrimSpace(wait))
	if err != nil || one.wait < 0 {
		return fault{}, fmt.Errorf("fault %q: time %q is none; write it like 2s", name, wait)
	}
	return one, nil
}

// String is the specification again, in the order it was given.
func (f Faults) String() string {
	parts := make([]string, len(f.chosen))
	for i, one := range f.chosen {
		parts[i] = one.kind.Name + "=" + strconv.FormatFloat(one.probability, 'g', -1, 64)
		if one.wait != one.kind.Wait {
			parts[i] += ":" + one.wait.String()
		}
	}
	return strings.Join(parts, ",")
}

// pick draws the fault of one trigger; false for none.
func (f Faults) pick(random *rand.Rand) (fault, bool) {
	if len(f.chosen) == 0 {
		return fault{}, false
	}
	at := random.Float64()
	for _, one := range f.chosen {
		if at < one.probability {
			return one, true
		}
		at -= one.probability
	}
	return fault{}, false
}
