package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/scheduler"
	"worqcron/source"
	"worqcron/store"
)

// arrivalDaemon is a daemon that was not started, whose schedule reads files that
// arrive; they are put into the folder.
func arrivalDaemon(t *testing.T, more string) (d *daemon, inbox string) {
	t.Helper()
	d = testDaemon(t, slog.New(slog.NewTextHandler(io.Discard, nil)))
	inbox = filepath.Join(filepath.Dir(d.ledger.Path()), "inbox")
	text := `
[worqhat]
base_url = "` + d.config.WorqHat.BaseURL + `"
rate = "off"
[schedules.orders]
on_arrival = true
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
` + more + `
[schedules.orders.source]
path = "inbox/*.csv"
settle = "0s"
`
	file := filepath.Join(filepath.Dir(inbox), "schedules.toml")
	if err := errors.Join(os.MkdirAll(inbox, 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	d.config = cfg
	return d, inbox
}

// arrive puts a file there and lets the daemon know of it.
func arrive(t *testing.T, d *daemon, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := source.OpenFiles(source.Options{Path: path}, []string{path})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := snap.Files[0].Hash(t.Context())
	id := snap.Files[0].Identity()
	if err := errors.Join(err, snap.Close()); err != nil {
		t.Fatal(err)
	}
	if err := d.arrived(t.Context(), "orders", []source.Arrived{{Path: path, Identity: id, Changed: info.ModTime(), ContentHash: hash}}); err != nil {
		t.Fatal(err)
	}
}

// arrivals are the slots of the schedule, in order, as texts, with the file's name
// and its run's state.
func arrivalSlots(t *testing.T, d *daemon) (list []string) {
	t.Helper()
	slots, err := d.ledger.Slots(t.Context(), "orders", time.Unix(0, 0), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slots {
		a, ok, err := d.ledger.Arrival(t.Context(), "orders", s.ScheduledFor)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		text := filepath.Base(a.Path) + " " + string(s.State)
		if s.Reason != "" && s.State != store.SlotWaiting {
			text += ": " + s.Reason
		}
		run, err := d.ledger.LatestOfSlot(t.Context(), "orders", s.ScheduledFor)
		if err != nil {
			t.Fatal(err)
		}
		if run != nil {
			c, err := d.ledger.Receipt(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			text += ", " + string(run.State) + " " + strings.TrimPrefix(c.SourcePath, a.Path)
			if c.Records.Read != 1 && run.State == store.Succeeded || run.Origin != batch.OriginArrival {
				t.Errorf("%s: %d records, origin %s", run.Name(), c.Records.Read, run.Origin)
			}
		}
		list = append(list, strings.TrimSpace(text))
	}
	return list
}

func wantArrivals(t *testing.T, d *daemon, want ...string) {
	t.Helper()
	got := arrivalSlots(t, d)
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestArrivalsRunOneAfterTheOther(t *testing.T) {
	d, inbox := arrivalDaemon(t, "")
	for _, name := range []string{"a", "b", "c"} {
		arrive(t, d, filepath.Join(inbox, name+".csv"), "id\n"+name+"\n")
	}
	wantArrivals(t, d, "a.csv waiting", "b.csv waiting", "c.csv waiting")
	// The daemon was killed here: the next one finds the rows, and takes none twice.
	d.startAllWaiting(t.Context())
	d.startAllWaiting(t.Context())
	d.runs.Wait()
	wantArrivals(t, d, "a.csv ran, succeeded", "b.csv ran, succeeded", "c.csv ran, succeeded")
	runs, err := d.ledger.Runs(t.Context(), "orders", 10)
	if err != nil || len(runs) != 3 {
		t.Fatalf("got %d runs, %v", len(runs), err)
	}
	for i, run := range runs[:2] {
		if run.StartedAt.Before(*runs[i+1].FinishedAt) {
			t.Errorf("%s began before %s ended", run.Name(), runs[i+1].Name())
		}
	}
}

// A file waits behind a run, a pause, a blackout, and however long.
func TestArrivalsWait(t *testing.T) {
	d, inbox := arrivalDaemon(t, "")
	arrive(t, d, filepath.Join(inbox, "a.csv"), "id\na\n")
	d.runWaiting(t.Context(), "orders")
	d.runs.Wait()
	_, release := block(t, d)
	arrive(t, d, filepath.Join(inbox, "b.csv"), "id\nb\n")
	d.runWaiting(t.Context(), "orders")
	wantArrivals(t, d, "a.csv ran, succeeded", "b.csv waiting")
	if err := pauseHere(t.Context(), d.ledger, pauseRequest{Schedule: "orders"}); err != nil {
		t.Fatal(err)
	}
	release()
	wantArrivals(t, d, "a.csv ran, succeeded", "b.csv waiting")
	if _, err := resumeHere(t.Context(), d.ledger, resumeRequest{Schedule: "orders", Missed: store.MissedSkip}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	setSchedule(d, func(s *config.Schedule) {
		s.Exclude = []scheduler.Exclusion{{Name: "blackout", From: now.Add(-time.Hour), Until: now.Add(time.Hour)}}
		s.CatchUpWindow = time.Nanosecond
	})
	if err := d.missOldWaiting(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.runWaiting(t.Context(), "orders")
	d.runs.Wait()
	wantArrivals(t, d, "a.csv ran, succeeded", "b.csv waiting")
	setSchedule(d, func(s *config.Schedule) { s.Exclude = nil })
	d.runWaiting(t.Context(), "orders")
	d.runs.Wait()
	wantArrivals(t, d, "a.csv ran, succeeded", "b.csv ran, succeeded")
}

// What an edit leaves without a way to run is given up, and says so.
func TestArrivalsAfterAnEdit(t *testing.T) {
	for want, change := range map[string]func(*config.Schedule){
		scheduler.SkippedRemoved:                   func(s *config.Schedule) { s.Name = "others" },
		"on_arrival was taken off the schedule":    func(s *config.Schedule) { s.OnArrival = false },
		"source.path no longer names the file":     func(s *config.Schedule) { o := *s.Job.Source; o.Path += ".gz"; s.Job.Source = &o },
		"removed before its run":                   nil,
		"replaced by other content before its run": nil,
	} {
		t.Run(want, func(t *testing.T) {
			d, inbox := arrivalDaemon(t, "")
			path := filepath.Join(inbox, "a.csv")
			arrive(t, d, path, "id\na\n")
			state := "skipped"
			switch {
			case change != nil:
				setSchedule(d, change)
			case want == store.RemovedUnread:
				state = "missed"
				if err := errors.Join(os.Remove(path), d.ledger.LeftArrivals(t.Context(), "orders", []string{path})); err != nil {
					t.Fatal(err)
				}
			default:
				arrive(t, d, path, "id\nb\n")
				d.runWaiting(t.Context(), "orders")
				d.runs.Wait()
				wantArrivals(t, d, "a.csv missed: "+want, "a.csv ran, succeeded")
				return
			}
			d.runWaiting(t.Context(), "orders")
			d.runs.Wait()
			wantArrivals(t, d, "a.csv "+state+": "+want)
		})
	}
}

// A file that took another's place before that one's run came to it was read by that
// run, and is not sent again even if everything is.
func TestArrivalReadByAnEarlierRun(t *testing.T) {
	d, inbox := arrivalDaemon(t, "")
	setSchedule(d, func(s *config.Schedule) { s.Job.Records.Unchanged = "send" })
	path := filepath.Join(inbox, "a.csv")
	arrive(t, d, path, "id\na\n")
	if err := os.WriteFile(path, []byte("id\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.runWaiting(t.Context(), "orders")
	d.runs.Wait()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	arrive(t, d, filepath.Join(inbox, "other.csv"), "id\nc\n") // in between
	snap, err := source.OpenFiles(source.Options{Path: path}, []string{path})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := snap.Files[0].Hash(t.Context())
	a := source.Arrived{Path: path, Identity: snap.Files[0].Identity(), Changed: info.ModTime(), ContentHash: hash}
	if err := errors.Join(err, snap.Close(), d.arrived(t.Context(), "orders", []source.Arrived{a})); err != nil {
		t.Fatal(err)
	}
	d.runWaiting(t.Context(), "orders")
	d.runs.Wait()
	runs, err := d.ledger.Runs(t.Context(), "orders", 10)
	if err != nil || len(runs) != 2 {
		t.Fatalf("got %d runs, %v", len(runs), err)
	}
	wantArrivals(t, d, "a.csv ran, succeeded", "other.csv ran, succeeded", "a.csv skipped: read by run "+runs[1].Name()+" already")
	// Written anew it is a new file.
	arrive(t, d, path, "id\nd\n")
	d.runWaiting(t.Context(), "orders")
	d.runs.Wait()
	if got := arrivalSlots(t, d); got[len(got)-1] != "a.csv ran, succeeded" {
		t.Errorf("got %q", got)
	}
}

// A run that a crash interrupted before it had its plan reads its own file alone, also
// after catch_up_window.
func TestInterruptedArrivalGoesOn(t *testing.T) {
	d, inbox := arrivalDaemon(t, "catch_up_window = \"1s\"")
	arrive(t, d, filepath.Join(inbox, "a.csv"), "id\na\n")
	arrive(t, d, filepath.Join(inbox, "b.csv"), "id\nb\n")
	slot, _, err := d.ledger.FirstWaiting(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := d.schedule("orders")
	run, err := d.runner.Start(t.Context(), &s.Job, batch.Order{Origin: batch.OriginArrival, ScheduledFor: slot.ScheduledFor})
	if err != nil {
		t.Fatal(err)
	}
	interrupted, err := recoverLedger(t.Context(), d.runner, d.config)
	if err != nil || len(interrupted) != 1 || interrupted[0].ID != run.ID {
		t.Fatalf("got %v, %v", interrupted, err)
	}
	setSchedule(d, func(s *config.Schedule) { s.CatchUpWindow = time.Nanosecond })
	d.resume(t.Context(), interrupted, nil)
	d.startAllWaiting(t.Context())
	d.runs.Wait()
	wantArrivals(t, d, "a.csv ran, succeeded", "b.csv ran, succeeded")
}
