package alert

import (
	"errors"
	"strings"
	"testing"
	"time"

	"worqcron/expression"
)

func TestJudge(t *testing.T) {
	few := Expect{MinRecords: 1000}
	for _, tt := range []struct {
		name   string
		expect Expect
		run    Run
		state  State
		reason string
	}{
		{"good", few, Run{State: "succeeded", Read: 1000}, OK, "run r succeeded"},
		{"too few", few, Run{State: "succeeded", Read: 12}, Failed, "run r: 12 records read, at least 1,000 expected (min_records)"},
		{"one", few, Run{State: "succeeded", Read: 1}, Failed, "run r: 1 record read, at least 1,000 expected (min_records)"},
		{"nothing there", few, Run{State: "skipped", Reason: "empty: no file"}, Failed, "run r: 0 records read, at least 1,000 expected (min_records)"},
		{"unchanged", few, Run{State: "skipped", Reason: "unchanged since run q", Uncounted: true}, OK, "run r skipped: unchanged since run q"},
		{"nothing expected", Expect{}, Run{State: "skipped", Reason: "empty: no file"}, OK, "run r skipped: empty: no file"},
		{"partial", Expect{}, Run{State: "partial", Reason: "3 records dead"}, Failed, "run r partial: 3 records dead"},
		{"failed", Expect{}, Run{State: "failed", Reason: "nothing was accepted"}, Failed, "run r failed: nothing was accepted"},
		{"failed and few", few, Run{State: "failed"}, Failed, "run r failed"},
		{"stopped", Expect{}, Run{State: "stopped", Reason: "401"}, Failed, "run r stopped: 401"},
		{"stopped by a person", Expect{}, Run{State: "stopped", OnPurpose: true}, "", "run r stopped"},
		{"cancelled", Expect{}, Run{State: "partial", OnPurpose: true}, "", "run r partial"},
		{"held", Expect{}, Run{State: "held"}, Held, "run r held"},
		{"a redrive of all", Expect{}, Run{State: "succeeded", Uncounted: true}, OK, "run r succeeded"},
		{"a redrive of a part", Expect{}, Run{State: "succeeded", Rest: true}, "", "run r succeeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.run.Name = "r"
			v := tt.expect.Judge(tt.run)
			if v.State != tt.state || v.Reason != tt.reason {
				t.Errorf("got %q, %q, want %q, %q", v.State, v.Reason, tt.state, tt.reason)
			}
			if few := strings.Contains(v.Reason, "expected"); few != (v.Breach != "") {
				t.Errorf("breach %q of %q", v.Breach, v.Reason)
			}
		})
	}
}

// Only what changes is told, and that all is well only to those who heard that it
// was not.
func TestChanges(t *testing.T) {
	all := Kinds()
	for _, tt := range []struct {
		name     string
		on       []string
		verdicts string
		told     string
	}{
		{"good nights", all, "ok ok ok", ""},
		{"ten bad nights", all, "failed failed failed ok ok", "failed recovered"},
		{"late and then failed", all, "late failed late held ok", "late failed late held recovered"},
		{"late in between", all, "failed late late failed ok", "failed late failed recovered"},
		{"no news", all, "failed - - ok -", "failed recovered"},
		{"late is not told", []string{"failed", "recovered"}, "late ok failed ok", "failed recovered"},
		{"late after failed is not told", []string{"failed", "recovered"}, "failed late ok", "failed"},
		{"without recovered", []string{"failed"}, "failed ok failed", "failed failed"},
		{"nothing", nil, "failed ok held", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Standing
			var told []string
			at := time.Unix(0, 0)
			for _, word := range strings.Fields(tt.verdicts) {
				at = at.Add(time.Hour)
				v := Verdict{State: State(strings.Trim(word, "-")), Reason: "why"}
				before := s
				now, c := s.After(v, "run", at)
				if c == nil && before.State != "" && now != before {
					t.Errorf("%s: changed without a change: %+v", word, now)
				}
				if c != nil {
					if !now.Since.Equal(at) || now.State != v.State || c.Before.State == now.State {
						t.Errorf("%s: got %+v", word, c)
					}
					if now.Told = c.Tells(tt.on); now.Told {
						told = append(told, c.Kind)
					}
				}
				s = now
			}
			if got := strings.Join(told, " "); got != tt.told {
				t.Errorf("got %q, want %q", got, tt.told)
			}
		})
	}
}

func slotsAt(list ...Slot) []Slot {
	for i := range list {
		list[i].At = time.Date(2026, 11, 24+i, 7, 30, 0, 0, time.UTC)
		if !list[i].Begun.IsZero() {
			list[i].Begun = list[i].At.Add(list[i].Begun.Sub(zero))
		}
		if !list[i].Ended.IsZero() {
			list[i].Ended = list[i].At.Add(list[i].Ended.Sub(zero))
		}
	}
	return list
}

var zero = time.Unix(0, 0)

func after(d time.Duration) time.Time { return zero.Add(d) }

func TestLate(t *testing.T) {
	e := Expect{StartWithin: 10 * time.Minute, FinishWithin: 2 * time.Hour}
	zone := time.FixedZone("", -5*3600)
	onTime := Slot{Run: "a", Begun: after(time.Minute), Ended: after(time.Hour)}
	for _, tt := range []struct {
		name           string
		slots          []Slot
		starts, finish string
	}{
		{"none", nil, "", ""},
		{"on time", []Slot{onTime, onTime}, "", ""},
		{"at the last moment", []Slot{{Run: "a", Begun: after(10 * time.Minute), Ended: after(2 * time.Hour)}}, "", ""},
		{"excused", []Slot{{Excused: true}, onTime}, "", ""},
		{"no run", []Slot{{}}, "no run began within 10m of 2026-11-24T02:30:00-05:00", "no run finished within 2h of 2026-11-24T02:30:00-05:00"},
		{
			"overlap",
			[]Slot{{Why: "skipped: overlap with run x"}},
			"no run began within 10m of 2026-11-24T02:30:00-05:00: skipped: overlap with run x",
			"no run finished within 2h of 2026-11-24T02:30:00-05:00: skipped: overlap with run x",
		},
		{
			"began late",
			[]Slot{{Run: "a", Begun: after(6 * time.Hour), Ended: after(7*time.Hour + 30*time.Second)}},
			"run a began 6h after its slot; start_within is 10m", "run a finished 7h0m30s after its slot; finish_within is 2h",
		},
		{"not at its end", []Slot{{Run: "a", Begun: after(0)}}, "", "run a is not finished 2h after its slot"},
		{
			"two",
			[]Slot{{}, {}, onTime},
			"no run began within 10m of 2026-11-25T02:30:00-05:00; so was one slot before it",
			"no run finished within 2h of 2026-11-25T02:30:00-05:00; so was one slot before it",
		},
		{
			"many",
			[]Slot{{}, {}, onTime, {}},
			"no run began within 10m of 2026-11-27T02:30:00-05:00; so were 2 slots before it",
			"no run finished within 2h of 2026-11-27T02:30:00-05:00; so were 2 slots before it",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			slots := slotsAt(tt.slots...)
			for want, v := range map[string]Verdict{"s" + tt.starts: e.Starts(slots, zone), "f" + tt.finish: e.Finishes(slots, zone)} {
				if v.Reason != want[1:] || (v.State == Late) != (want[1:] != "") {
					t.Errorf("got %+v, want %q", v, want[1:])
				}
				if v.State == Late && v.Slot.IsZero() {
					t.Error("no slot")
				}
			}
		})
	}
}

func TestTemplate(t *testing.T) {
	f := Facts{
		Schedule: "orders", Alert: "failed", Before: "ok", Since: time.Date(2026, 11, 24, 2, 31, 0, 0, time.FixedZone("EST", -5*3600)),
		Run: "orders@2026-11-24T02:30", RunID: "id", Reason: "nothing was accepted", Look: "worqcron show orders@2026-11-24T02:30",
	}
	for text, want := range map[string]string{
		DefaultTemplate: "orders failed (2026-11-24 02:31 EST): nothing was accepted\nworqcron show orders@2026-11-24T02:30",
		"${ schedule }/${ alert }/${ before }/${ run_id }":           "orders/failed/ok/id",
		"${ alert == 'failed' ? upper(schedule) : '' } $${ ${ 1+1 }": "ORDERS ${ 2",
		"a\n${ receipt }\nb":                     "a\nb",
		"${ strftime(since, '%F') }${ receipt }": "2026-11-24",
	} {
		tmpl, err := NewTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Text(f); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	f.Alert = "held"
	if got := f.Names()["headline"]; got != "orders is held" {
		t.Errorf("got %q", got)
	}
	for text, at := range map[string]int{"ab ${ since }": 5, "ab ${ who }": 6, "${ [1] }": 2, "${": 0, "${ 1 + }": 6} {
		_, err := NewTemplate(text)
		var wrong *expression.Error
		if !errors.As(err, &wrong) || wrong.Offset != at {
			t.Errorf("%q: got %v at %d, want at %d", text, err, wrong.Offset, at)
		}
	}
}
