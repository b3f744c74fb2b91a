package batch

import (
	"fmt"
	"testing"

	"worqcron/store"
)

// A file in which dead records were mended has the others of a run that retention
// removed: they are not sent again.
func TestMendedFileAfterRetention(t *testing.T) {
	for _, mode := range bothModes {
		for _, retain := range []bool{false, true} {
			t.Run(fmt.Sprint(mode, " ", retain), func(t *testing.T) {
				r, j := judgedRunner(t)
				job := deadJob(t, mode, 1, []string{"1,x", "2", "3,x", "4,x", "5"}, []string{"6,x"})
				first := runJob(t, r, job, Order{})
				wantBalance(t, first, store.Partial, store.RecordBalance{Read: 6, Accepted: 4, Dead: 2})
				rewrite(t, job, "in1.csv", []string{"1,x", "2,x", "3,x", "4,x", "5,x"})
				j.refuse = `"a":"2"`
				second := redrive(t, r, job, first, Redrive{Dead: true})
				wantBalance(t, second, store.Partial, store.RecordBalance{Read: 5, Accepted: 1, Failed: 1, Unchanged: 3})
				if retain {
					if gone := retainAll(t, r); gone.Runs != 1 {
						t.Fatalf("%d runs were removed", gone.Runs)
					}
				}
				j.refuse = ""
				j.take()
				wantBalance(t, runJob(t, r, job, Order{New: true}), store.Succeeded, store.RecordBalance{Read: 5, Accepted: 1, Unchanged: 4})
				if sent := j.take(); len(sent) != 1 {
					t.Errorf("sent %q", sent)
				}
			})
		}
	}
}

// What a later run sent of a run, or a redrive of it, is not sent again when the
// later one is gone and the run is not.
func TestRedriveAfterRetention(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprint(whole), func(t *testing.T) {
			r, j := judgedRunner(t)
			job := redriveJob(t, ModeChunks)
			j.refuse = `"a":"3"`
			first := runJob(t, r, job, Order{})
			if !whole {
				j.refuse, j.status = `"a":"3"`, 400
				redrive(t, r, job, first, Redrive{})
			}
			j.refuse = ""
			if whole {
				wantBalance(t, runJob(t, r, job, Order{New: true}), store.Succeeded, store.RecordBalance{Read: 4, Accepted: 1, Unchanged: 3})
			} else {
				wantBalance(t, redrive(t, r, job, first, Redrive{}), store.Succeeded, store.RecordBalance{Read: 1, Accepted: 1})
			}
			runJob(t, r, job, Order{New: true}) // the latest, which stays
			execute(t, r.Ledger.Path(), "UPDATE runs SET finished_at = finished_at + 7200000 WHERE run_id = '"+first.RunID+"'")
			gone := retainAll(t, r)
			if want := map[bool]int64{true: 1}[whole]; gone.Runs != want { // redrives stay with their run
				t.Errorf("%d runs were removed, want %d", gone.Runs, want)
			}
			why := "is gone by now, has records of it: accepted"
			if !whole {
				why = "sent again as chunk 1 of run"
			}
			wantNothing(t, r, job, first, Redrive{}, why)
		})
	}
}
