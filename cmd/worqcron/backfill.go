package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// backfillRequest is what 'backfill' asks for.
type backfillRequest struct {
	Schedule string    `json:"schedule"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"` // slots before it
	Only     string    `json:"only"`
	Actor    string    `json:"actor"`
}

func newBackfill(p *program) *cobra.Command {
	var q backfillRequest
	var from, to string
	var dryRun, yes bool
	c := &cobra.Command{
		Use:   "backfill NAME --from TIME --to TIME",
		Short: "run past slots of a schedule, oldest first",
		Long: `backfill runs the slots of a schedule in [--from, --to), one after the other,
oldest first; never any before the schedule's start, nor any that is not past.
Nor does it take slots that no run has because of a calendar (exclude) or a
blackout: nothing is missing there. 'worqcron run NAME --at TIME' runs one.

  --only missing  slots of which no run got anywhere: there was none, or all of
                  them failed or stopped (the default)
  --only failed   slots whose latest run failed, stopped, or went to its end with
                  something failed or dead
  --only all      each slot

A run that stopped goes on; else the slot gets a new run, in which files that the
schedule delivered whole before are left out as in any other.

It ends with the first run that fails, stops or is cancelled. The same command
goes on there: what is done is no longer missing. All backfills together have
backfill_share of the rate, so schedules that are due find room; a slot of the
same schedule that is due meanwhile runs first.

A daemon that holds the ledger does it, also after a restart; Ctrl-C then only
stops following. 'worqcron cancel RUN' of the run under way ends it.`,
		Example: `  worqcron backfill orders --from 2026-11-01 --to 2026-11-08 --dry-run
  worqcron backfill orders --from 2026-11-01 --to 2026-11-08
  worqcron backfill orders --from 2026-11-01 --to 2026-11-08 --only failed --yes`,
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Schedule, q.Actor = args[0], actor()
			return p.backfill(c.Context(), q, [2]string{from, to}, dryRun, yes)
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "the first `TIME` whose slot counts, in the schedule's zone or with an offset")
	f.StringVar(&to, "to", "", "slots before this `TIME`")
	f.StringVar(&q.Only, "only", onlyMissing, "which slots: missing, failed or all")
	f.BoolVar(&dryRun, "dry-run", false, "list the slots and what is known of them, and run nothing")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (p *program) backfill(ctx context.Context, q backfillRequest, times [2]string, dryRun, yes bool) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	s, err := schedule(cfg, q.Schedule)
	if err != nil {
		return err
	}
	if err := q.read(s, times); err != nil {
		return err
	}
	chosen, excluded, err := p.chooseSlots(ctx, cfg, s, q)
	if err != nil {
		return err
	}
	if dryRun {
		return p.printDryRun(s, q, chosen, excluded)
	}
	p.sayExcluded(s, excluded)
	if len(chosen) == 0 {
		fmt.Fprintf(p.err, "no slot of %s to run\n", s.Name)
		return p.printBackfill(q, nil, nil)
	}
	if err := p.confirm(fmt.Sprintf("run %s of %s, %s?", count(int64(len(chosen)), "past slot"), s.Name, span(s, chosen)), yes); err != nil {
		return err
	}
	p.sayWindow(s)
	ledger, err := openLedger(ctx, cfg, "run", p.logger(slog.LevelWarn), false) // a run in the foreground
	var busy *store.BusyError
	if errors.As(err, &busy) && busy.Role == "serve" {
		return p.handOverBackfill(ctx, cfg, q, chosen)
	}
	if err != nil {
		return err
	}
	return errors.Join(p.backfillHere(ctx, cfg, s, ledger, q), ledger.Close())
}

// read takes the flags over.
func (q *backfillRequest) read(s config.Schedule, times [2]string) (err error) {
	switch {
	case times[0] == "" || times[1] == "":
		return usageError{errors.New("backfill: give --from and --to\n  hint: --from 2026-11-01 --to 2026-11-08 is the week from the 1st to the 7th")}
	case q.Only != onlyMissing && q.Only != onlyFailed && q.Only != onlyAll:
		return usageError{fmt.Errorf("backfill: --only %q: use missing, failed or all", q.Only)}
	case s.OnArrival:
		return usageError{fmt.Errorf("backfill: files make schedule %s due when they arrive, so it has no times to make up for\n  hint: 'worqcron run %s' sends what lies there and was not delivered", s.Name, s.Name)}
	case readsStdin(s):
		return usageError{fmt.Errorf("backfill: schedule %s reads the standard input, which has no past", s.Name)}
	}
	if q.From, err = parseTime(times[0], zoneOf(s)); err != nil {
		return err
	}
	if q.To, err = parseTime(times[1], zoneOf(s)); err != nil {
		return err
	}
	switch {
	case !q.From.Before(q.To):
		return usageError{errors.New("backfill: --from must be before --to")}
	case !q.From.Before(time.Now()):
		return usageError{errors.New("backfill: --from is not past, and only past slots can be run\n  hint: the daemon runs those to come")}
	}
	return nil
}

// chooseSlots looks up which slots are to run, before anybody is asked.
func (p *program) chooseSlots(ctx context.Context, cfg *config.Config, s config.Schedule, q backfillRequest) (chosen, excluded []pastSlot, err error) {
	r, err := store.OpenReader(ctx, cfg.Ledger.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return q.choose(ctx, nil, s)
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return q.choose(ctx, r, s)
}

func span(s config.Schedule, chosen []pastSlot) string {
	zone := zoneOf(s).String()
	first, last := localTime(chosen[0].at, zone), localTime(chosen[len(chosen)-1].at, zone)
	if first == last {
		return first
	}
	return "from " + first + " to " + last
}

// pastSlotJSON is a slot that a backfill would run, for programs.
type pastSlotJSON struct {
	ScheduledFor time.Time `json:"scheduled_for"`
	Local        string    `json:"local"`
	Known        string    `json:"known"`
	Slot         string    `json:"slot,omitempty"`   // the state of its row
	RunID        string    `json:"run_id,omitempty"` // of its latest run
	Status       string    `json:"status,omitempty"` // of that
	SourcePath   string    `json:"source_path,omitempty"`
	Files        *[]string `json:"files,omitempty"` // there now; absent where the path has no expressions
}

func (p *program) printDryRun(s config.Schedule, q backfillRequest, chosen, excluded []pastSlot) error {
	list := []pastSlotJSON{}
	for _, slot := range chosen {
		j := pastSlotJSON{ScheduledFor: slot.at, Local: localTime(slot.at, zoneOf(s).String()), Known: slot.known(), Slot: string(slot.row.State)}
		if run := slot.latest(); run != nil {
			j.RunID, j.Status = run.RunID, string(run.State)
		}
		path, files, err := batch.WouldRead(&s.Job, slot.at)
		if err != nil {
			return err
		}
		if path != "" {
			files = append([]string{}, files...)
			j.SourcePath, j.Files = path, &files
		}
		list = append(list, j)
	}
	if p.json {
		return printJSON(p.out, map[string]any{
			"schedule": q.Schedule, "from": q.From.UTC(), "to": q.To.UTC(), "only": q.Only, "slots": list, "excluded": excludedJSON(s, excluded),
		})
	}
	for _, j := range list {
		fmt.Fprintf(p.out, "%s  %s\n", j.Local, j.Known)
		switch {
		case j.Files == nil:
		case len(*j.Files) == 0:
			fmt.Fprintf(p.out, "    nothing lies at %s\n", j.SourcePath)
		default:
			for _, file := range *j.Files {
				fmt.Fprintf(p.out, "    %s\n", file)
			}
		}
	}
	for _, j := range excludedJSON(s, excluded) {
		fmt.Fprintf(p.out, "%s  not taken: %s\n", j.Local, j.Reason)
	}
	fmt.Fprintf(p.out, "%s, nothing was run\n", count(int64(len(list)), "slot"))
	return nil
}

// printBackfilled prints one run of a backfill for a person, as it ends.
func (p *program) printBackfilled(c *store.Receipt) {
	if !p.json {
		fmt.Fprintf(p.out, "%-36s %-11s %12s accepted  %s\n", c.Name, c.Status, humanize.Comma(c.Records.Accepted), c.Reason)
	}
}

// printBackfill prints what a backfill came to for programs; err is how it ended.
func (p *program) printBackfill(q backfillRequest, runs []*store.Receipt, err error) error {
	if !p.json {
		return nil
	}
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	if runs == nil {
		runs = []*store.Receipt{}
	}
	return printJSON(p.out, map[string]any{"schedule": q.Schedule, "from": q.From.UTC(), "to": q.To.UTC(), "only": q.Only, "reason": reason, "runs": runs})
}
