package batch

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/source"
	"worqcron/store"
)

// mappedInbox keeps the records of the bodies that arrive. It refuses those that hold
// refuse, unless that is "".
type mappedInbox struct {
	mu      sync.Mutex
	records []string
	refuse  string
}

var recordsOf = regexp.MustCompile(`^\{"records":\[(.*)\],"_batch":`)

func (b *mappedInbox) answer(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = http.NoBody
	b.mu.Lock()
	defer b.mu.Unlock()
	records := recordsOf.FindSubmatch(body)
	if records == nil {
		return nil, fmt.Errorf("unexpected body %s", body)
	}
	if b.refuse != "" && strings.Contains(string(body), b.refuse) {
		return answer(400, http.Header{}, `{"success":false,"message":"no"}`)(r)
	}
	b.records = append(b.records, string(records[1]))
	return accepted(r)
}

// take gives what arrived since the last call, sorted.
func (b *mappedInbox) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.records)
	text := strings.Join(b.records, " ")
	b.records = nil
	return text
}

// mappedJob is a job over one file with a mapping, one record a chunk.
func mappedJob(t *testing.T, name, text string, m source.Mapping) *Job {
	t.Helper()
	job := testJob(t, 0)
	job.Source = &source.Options{Path: filepath.Join(t.TempDir(), name), Dialect: source.Dialect{Mapping: m}}
	data := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		var b strings.Builder
		z := gzip.NewWriter(&b)
		if _, err := z.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		data = []byte(b.String())
	}
	if err := os.WriteFile(job.Source.Path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return job
}

// runJob runs a job and checks that its receipt balances.
func runJob(t *testing.T, r *Runner, job *Job, o Order) *store.Receipt {
	t.Helper()
	o.Origin = "manual"
	c, err := r.Run(context.Background(), job, o)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Balanced {
		t.Errorf("the receipt does not balance: %+v", c.Records)
	}
	return c
}

func wantBalance(t *testing.T, c *store.Receipt, state store.RunState, want store.RecordBalance) {
	t.Helper()
	if c.Status != state || c.Records != want {
		t.Errorf("got %s (%s) with %+v\nwant %s with %+v", c.Status, c.Reason, c.Records, state, want)
	}
}

const fiveRows = "id,n\n1,1\n2,x\n3,3\n\n4,4\n5,5\n"

var oddRows = source.Mapping{Where: `id in ["1", "2", "3", "5"] and id != "3"`, Types: map[string]string{"n": "integer"}}

func TestFilteredRecordsAreCounted(t *testing.T) {
	for _, name := range []string{"in.csv", "in.csv.gz"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var in mappedInbox
				r := testRunner(t, &wire{script: []answering{in.answer}})
				job := mappedJob(t, name, fiveRows, oddRows)
				job.Records.MaxBad = Share{Count: 1}
				job.Chunk.MaxRecords = 10
				c := runJob(t, r, job, Order{})
				wantBalance(t, c, store.Partial, store.RecordBalance{Read: 5, Accepted: 2, Dead: 1, Filtered: 2})
				if got, want := in.take(), `{"id":"1","n":1},{"id":"5","n":5}`; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

func TestRerunOfFilteredFileIsUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in mappedInbox
		r := testRunner(t, &wire{script: []answering{in.answer}})
		job := mappedJob(t, "in.csv", fiveRows, source.Mapping{Where: `id != "2"`})
		wantBalance(t, runJob(t, r, job, Order{}), store.Succeeded, store.RecordBalance{Read: 5, Accepted: 4, Filtered: 1})
		in.take()
		if c := runJob(t, r, job, Order{New: true}); c.Status != store.Skipped || in.take() != "" {
			t.Errorf("got %s, %s", c.Status, c.Reason)
		}
		job.Source.Where = `id == "x"` // another shape
		wantBalance(t, runJob(t, r, job, Order{New: true}), store.Succeeded, store.RecordBalance{Read: 5, Filtered: 5})
	})
}

func TestPartlyDeliveredMappedFileSendsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := mappedInbox{refuse: `{"id":"3"`}
		r := testRunner(t, &wire{script: []answering{in.answer}})
		job := mappedJob(t, "in.csv", fiveRows, source.Mapping{Where: `id != "2"`, Set: []source.Assignment{{Name: "n", Value: `n + "!"`}}})
		job.Chunk.MaxRecords = 2
		wantBalance(t, runJob(t, r, job, Order{}), store.Partial, store.RecordBalance{Read: 5, Accepted: 2, Failed: 2, Filtered: 1})
		if got, want := in.take(), `{"id":"4","n":"4!"},{"id":"5","n":"5!"}`; got != want {
			t.Errorf("first: got %s, want %s", got, want)
		}
		in.refuse = ""
		wantBalance(t, runJob(t, r, job, Order{New: true}), store.Succeeded, store.RecordBalance{Read: 5, Accepted: 2, Unchanged: 2, Filtered: 1})
		if got, want := in.take(), `{"id":"1","n":"1!"},{"id":"3","n":"3!"}`; got != want {
			t.Errorf("again: got %s, want %s", got, want)
		}
	})
}

// A resumed run evaluates its expressions as it was planned, whatever the
// configuration says by then.
func TestResumedRunMapsAsPlanned(t *testing.T) {
	for _, name := range []string{"in.csv", "in.csv.gz"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var in mappedInbox
				r := testRunner(t, &wire{script: []answering{in.answer}})
				zone, err := time.LoadLocation("America/New_York")
				if err != nil {
					t.Fatal(err)
				}
				job := mappedJob(t, name, "id\n1\n2\n3\n", source.Mapping{
					Where: `id != "2"`,
					Set:   []source.Assignment{{Name: "at", Value: "strftime(scheduled_for, '%FT%T%z')"}, {Name: "run", Value: "run_id + schedule + origin"}},
				})
				job.Zone = zone
				slot := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
				first := runJob(t, r, job, Order{ScheduledFor: slot, Limit: 1})
				job.Zone = time.UTC
				changed := *job.Source
				changed.Mapping = source.Mapping{}
				job.Source = &changed
				wantBalance(t, runJob(t, r, job, Order{ScheduledFor: slot}), store.Succeeded, store.RecordBalance{Read: 3, Accepted: 2, Filtered: 1})
				row := `{"id":"%d","at":"2026-11-24T02:30:00-0500","run":"` + first.RunID + `ordersmanual"}`
				got := in.take()
				if want := fmt.Sprintf(row+" "+row, 1, 3); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				run, err := r.Ledger.FindRun(t.Context(), first.RunID)
				if err != nil {
					t.Fatal(err)
				}
				for i, sent := range strings.Split(got, " ") {
					chunk, err := r.Ledger.Chunk(t.Context(), run.ID, int64(i)+1)
					if err != nil {
						t.Fatal(err)
					}
					body, err := Body(t.Context(), &r.Ledger.Reader, run, chunk)
					if name == "in.csv" && (err != nil || !strings.Contains(string(body), sent)) {
						t.Errorf("chunk %d: got %s, %v", i+1, body, err)
					}
				}
			})
		})
	}
}

// Where the run itself decides which records go out, the next run finds its own
// in the same file, and none goes out twice.
func TestWhereThatReadsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in mappedInbox
		r := testRunner(t, &wire{script: []answering{in.answer}})
		job := mappedJob(t, "in.csv", "day,n\n24,1\n25,2\n24,3\n25,4\n24,5\n", source.Mapping{Where: `day == strftime(scheduled_for, '%d')`})
		job.Chunk.MaxRecords = 10
		slot := func(day int) time.Time { return time.Date(2026, 11, day, 7, 30, 0, 0, time.UTC) }
		planned := runJob(t, r, job, Order{ScheduledFor: slot(24), PlanOnly: true})
		wantBalance(t, planned, store.Stopped, store.RecordBalance{Read: 5, Pending: 3, Filtered: 2})
		wantBalance(t, runJob(t, r, job, Order{ScheduledFor: slot(25)}), store.Succeeded, store.RecordBalance{Read: 5, Accepted: 2, Filtered: 3})
		if got, want := in.take(), `{"day":"25","n":"2"},{"day":"25","n":"4"}`; got != want {
			t.Errorf("the 25th: got %s, want %s", got, want)
		}
		wantBalance(t, runJob(t, r, job, Order{ScheduledFor: slot(24)}), store.Succeeded, store.RecordBalance{Read: 5, Accepted: 3, Filtered: 2})
		if got, want := in.take(), `{"day":"24","n":"1"},{"day":"24","n":"3"},{"day":"24","n":"5"}`; got != want {
			t.Errorf("the 24th: got %s, want %s", got, want)
		}
		wantBalance(t, runJob(t, r, job, Order{ScheduledFor: slot(24), New: true}), store.Succeeded, store.RecordBalance{Read: 5, Unchanged: 3, Filtered: 2})
		wantBalance(t, runJob(t, r, job, Order{ScheduledFor: slot(26)}), store.Succeeded, store.RecordBalance{Read: 5, Filtered: 5})
		if got := in.take(); got != "" {
			t.Errorf("sent again: %s", got)
		}
	})
}

// The same with one trigger a record: what the earlier run has only in a segment
// stays with it, what was refused goes out.
func TestWhereThatReadsTheRunWithOneTriggerARecord(t *testing.T) {
	for _, suffix := range []string{"", ".gz"} {
		synctest.Test(t, func(t *testing.T) {
			box := &inbox{}
			no := answer(400, http.Header{}, `{"success":false,"message":"no"}`)
			r := testRunner(t, &wire{script: []answering{box.accept, no, box.accept}})
			job := recordsJob(t, map[string]string{"in.csv" + suffix: "day,n\n24,1\n25,2\n24,3\n25,4\n24,5\n24,6\n"})
			job.Delivery.MaxInFlight = 1
			job.Source.Mapping = source.Mapping{Where: `day == strftime(scheduled_for, '%d') or n == "3"`}
			slot := func(day int) time.Time { return time.Date(2026, 11, day, 7, 30, 0, 0, time.UTC) }
			sent := func() (numbers string) {
				for _, body := range box.bodies {
					_, rest := about(t, body)
					numbers += rest["n"]
				}
				box.bodies = nil
				return numbers
			}
			// 1 is accepted, 3 refused; 5 and 6 stay in the segment.
			first := runJob(t, r, job, Order{ScheduledFor: slot(24), Limit: 2})
			wantBalance(t, first, store.Stopped, store.RecordBalance{Read: 6, Accepted: 1, Failed: 1, Pending: 2, Filtered: 2})
			if got, want := sent(), `"1"`; got != want {
				t.Errorf("the 24th: got %s, want %s", got, want)
			}
			wantBalance(t, runJob(t, r, job, Order{ScheduledFor: slot(25)}), store.Succeeded, store.RecordBalance{Read: 6, Accepted: 3, Filtered: 3})
			if got, want := sent(), `"2""3""4"`; got != want {
				t.Errorf("the 25th: got %s, want %s", got, want)
			}
			wantBalance(t, runJob(t, r, job, Order{ScheduledFor: slot(24), New: true}), store.Held, store.RecordBalance{Read: 6, Unchanged: 2, Unknown: 2, Filtered: 2})
			if got := sent(); got != "" {
				t.Errorf("the 24th anew sent %s, which the first run still has", got)
			}
			c := runJob(t, r, job, Order{})
			wantBalance(t, c, store.Partial, store.RecordBalance{Read: 6, Accepted: 3, Failed: 1, Filtered: 2})
			if got, want := sent(), `"5""6"`; got != want || c.RunID != first.RunID {
				t.Errorf("the first run again: got %s, want %s", got, want)
			}
		})
	}
}

func TestMappingThatDoesNotFitFailsThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in mappedInbox
		r := testRunner(t, &wire{script: []answering{in.answer}})
		job := mappedJob(t, "in.csv", fiveRows, source.Mapping{Where: `id != "2" and m == ""`})
		c := runJob(t, r, job, Order{})
		if c.Status != store.Failed || !strings.HasSuffix(c.Reason, `in.csv: where: unknown name m; hint: did you mean "n"? the columns are id, n`) || in.take() != "" {
			t.Errorf("got %s, %s", c.Status, c.Reason)
		}
	})
}
