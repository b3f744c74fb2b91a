package batch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"worqcron/source"
	"worqcron/store"
)

// truth is what a made-up file is known to have.
type truth struct {
	line, last int64
	outcome    string // "" goes out
	raw        string
}

// madeUp writes CSV with columns a and b of which some records are bad, some are
// filtered by a != 'no', some have several lines, and blank lines lie between.
func madeUp(rnd *rand.Rand, n int) (text string, list []truth) {
	text, line := "a,b\n", int64(2)
	for i := range n {
		var t truth
		switch rnd.IntN(8) {
		case 0:
			t = truth{raw: fmt.Sprintf("%d,x,1\n", i), outcome: OutcomeDead}
		case 1:
			t = truth{raw: "no,x\n", outcome: OutcomeFiltered}
		case 2:
			t = truth{raw: fmt.Sprintf("%d,\"x\n\ny\"\r\n", i)}
		case 3:
			text, line = text+"\n", line+1
			fallthrough
		default:
			t = truth{raw: fmt.Sprintf("%d,%s\n", i, strings.Repeat("z", rnd.IntN(30)))}
		}
		t.line = line
		line += int64(strings.Count(t.raw, "\n"))
		t.last = line - 1
		text += t.raw
		list = append(list, t)
	}
	return text, list
}

// numberedIDs accepts each trigger with an id of its own.
type numberedIDs struct{ last atomic.Int64 }

func (n *numberedIDs) accept(r *http.Request) (*http.Response, error) {
	return answer(http.StatusOK, http.Header{}, fmt.Sprintf(`{"success":true,"analytics_id":"id-%d"}`, n.last.Add(1)))(r)
}

// madeUpRun delivers two made-up files, and returns what is in them.
func madeUpRun(t *testing.T, seed uint64, mode string, packed bool, limit int64) (*Runner, *Job, *store.Run, []truth) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	job := testJob(t, 0)
	job.Chunk.Mode, job.Chunk.MaxRecords, job.Source.Where = mode, 1+rnd.IntN(7), "a != 'no'"
	job.Records.MaxBad = Share{Count: 1000}
	job.Payload = mustCompile(t, map[string]any{"kind": "t"})
	files, list := map[string]string{}, []truth{}
	for _, name := range []string{"in1.csv", "in2.csv"} {
		text, part := madeUp(rnd, 5+rnd.IntN(60))
		if packed {
			name += ".gz" // put packs it
		}
		files[name] = text
		list = append(list, part...)
	}
	put(t, job, files)
	job.Source.Path = filepath.Join(filepath.Dir(job.Source.Path), "in*.csv*")
	r := testRunner(t, &wire{script: []answering{(&numberedIDs{}).accept}})
	run, err := r.Start(context.Background(), job, Order{Origin: "manual", Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := r.Execute(context.Background(), job, run, Order{Origin: "manual", Limit: limit}); err != nil || !c.Balanced || c.Chunks.Accepted == 0 {
		t.Fatalf("%v, %+v", err, c)
	}
	return r, job, run, list
}

func exported(t *testing.T, r *Runner, run *store.Run, o ExportOptions) (lines []ExportLine, notes []string) {
	t.Helper()
	notes, err := Export(t.Context(), &r.Ledger.Reader, run, o, func(l *ExportLine) error {
		lines = append(lines, *l)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, notes
}

// eachMadeUp goes over the ways to make, pack and cut a run.
func eachMadeUp(t *testing.T, seeds uint64, fn func(t *testing.T, seed uint64, mode string, packed bool, limit int64)) {
	for seed := range seeds {
		for _, mode := range []string{"", ModeRecords} {
			for _, packed := range []bool{false, true} {
				for _, limit := range []int64{0, 3} {
					t.Run(fmt.Sprintf("seed %d mode %q packed %v limit %d", seed, mode, packed, limit), func(t *testing.T) {
						fn(t, seed, mode, packed, limit)
					})
				}
			}
		}
	}
}

// Each record has one line, in order, with its place and what became of it.
func TestExport(t *testing.T) {
	eachMadeUp(t, 2, func(t *testing.T, seed uint64, mode string, packed bool, limit int64) {
		r, _, run, want := madeUpRun(t, seed, mode, packed, limit)
		lines, notes := exported(t, r, run, ExportOptions{Workers: 2})
		if len(lines) != len(want) || len(notes) != 0 {
			t.Fatalf("%d lines for %d records, notes %q", len(lines), len(want), notes)
		}
		for i, l := range lines {
			w := want[i]
			if w.outcome == "" {
				w.outcome = OutcomeAccepted
				if limit > 0 && l.Chunk > limit {
					w.outcome = OutcomePending
				}
			}
			sent := l.Outcome == OutcomeAccepted || l.Outcome == OutcomePending
			if l.Line != w.line || l.LastLine != w.last || l.Outcome != w.outcome || l.Records != 1 || sent != (l.Chunk > 0) || sent != (l.Key != "") ||
				(l.Outcome == OutcomeAccepted) != (l.AnalyticsID != "") {
				t.Errorf("record %d: got %+v, want %+v", i, l, w)
			}
			if sent {
				c, err := FindChunk(t.Context(), &r.Ledger.Reader, run, l.Chunk)
				if err != nil || c.Key != l.Key {
					t.Errorf("chunk %d: key %s, exported is %s (%v)", l.Chunk, c.Key, l.Key, err)
				}
			}
		}
	})
}

// From the ledger alone the counts are the same, and places are in order.
func TestExportRanges(t *testing.T) {
	eachMadeUp(t, 1, func(t *testing.T, seed uint64, mode string, packed bool, limit int64) {
		r, job, run, _ := madeUpRun(t, seed, mode, packed, limit)
		exact, _ := exported(t, r, run, ExportOptions{Workers: 1})
		counts := func(lines []ExportLine) map[string]int64 {
			n := map[string]int64{}
			for _, l := range lines {
				n[l.Outcome] += l.Records
			}
			return n
		}
		want := fmt.Sprint(counts(exact))
		ranges, notes := exported(t, r, run, ExportOptions{Ranges: true})
		if got := fmt.Sprint(counts(ranges)); got != want || len(notes) != 0 {
			t.Errorf("got %s, want %s; notes %q", got, want, notes)
		}
		for i := 1; i < len(ranges); i++ {
			a, b := ranges[i-1], ranges[i]
			whole := a.Chunk > 0 || a.Outcome == OutcomeDead // not the rest of a segment
			if a.Path == b.Path && b.Line != 0 && whole && b.Line <= a.LastLine || a.Path > b.Path {
				t.Errorf("%+v\ncomes before %+v", a, b)
			}
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(job.Source.Path), filepath.Base(ranges[0].Path)), []byte("a,b\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		changed, notes := exported(t, r, run, ExportOptions{Workers: 1})
		if got := fmt.Sprint(counts(changed)); got != want || len(notes) != 1 {
			t.Errorf("with a file that was written since: got %s, want %s; notes %q", got, want, notes)
		}
	})
}

// Dead records come out as they lie in their files, in order, behind the header.
func TestExportDead(t *testing.T) {
	eachMadeUp(t, 1, func(t *testing.T, seed uint64, mode string, packed bool, limit int64) {
		r, _, run, list := madeUpRun(t, seed, mode, packed, limit)
		want, places := "a,b\n", 0
		for _, w := range list {
			if w.outcome == OutcomeDead {
				want += w.raw
			}
		}
		var got bytes.Buffer
		report, err := ExportDead(t.Context(), &r.Ledger.Reader, run, DeadOutput{
			Open: func(k DeadKind) (io.Writer, error) {
				if k != (DeadKind{source.FormatCSV, ".csv", "a,b\n"}) {
					t.Errorf("the kind is %+v", k)
				}
				return &got, nil
			},
			Wrote: func(_ DeadKind, p DeadPlace) error {
				if places++; p.MendLine != int64(places)+1 || p.Reason != source.ReasonRagged {
					t.Errorf("place %d: %+v", places, p)
				}
				return nil
			},
		})
		if err != nil || report.Missing != 0 || report.Written != int64(places) {
			t.Fatalf("%v, %+v for %d places", err, report, places)
		}
		if places > 0 && got.String() != want {
			t.Errorf("got\n%swant\n%s", got.String(), want)
		}
	})
}
