package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ClaimSlots is CloseSlot and BeginRun for many slots that are decided at one
// instant, with one commit: all of it is written, or nothing. A slot that was
// closed before keeps its row. Of each run it gives what BeginRun gives; nil where
// the slot has its row already.
func (l *Ledger) ClaimSlots(ctx context.Context, closed []Slot, runs []NewRun) (begun []*Run, err error) {
	begun = make([]*Run, len(runs))
	for i, n := range runs {
		if begun[i], err = newRun(n); err != nil {
			return nil, err
		}
	}
	write := func(each func(context.Context, *sql.Tx, []Slot, []NewRun, []*Run) error) error {
		return l.write(ctx, func(tx *sql.Tx) error { return each(ctx, tx, closed, runs, begun) })
	}
	err = write(l.claimNew)
	if errors.Is(err, ErrState) {
		err = write(claimEach) // a slot has its row, or one of them cannot be written
	}
	if err != nil {
		return nil, err
	}
	return begun, nil
}

// claimNew writes slots of which none has a row yet, many rows a statement. If one
// has, it is ErrState.
func (l *Ledger) claimNew(ctx context.Context, tx *sql.Tx, closed []Slot, runs []NewRun, begun []*Run) error {
	w := &writing{attemptStatements: &l.prepared, ctx: ctx, tx: tx}
	now := ms(time.Now())
	var rows []any
	for _, s := range closed {
		rows = append(rows, s.Schedule, ms(s.ScheduledFor), s.State, s.Reason, now)
	}
	for _, n := range runs {
		rows = append(rows, n.Schedule, ms(n.ScheduledFor), SlotRan, "", now)
	}
	if err := w.slots.exec(w, rows); err != nil {
		return err
	}
	if err := numberRuns(ctx, tx, begun); err != nil {
		return err
	}
	size := rowSizes[0]
	for len(begun) > 0 {
		part := begun[:min(size, len(begun))]
		begun = begun[len(part):]
		if len(part) < size { // their ids are known of whole statements alone
			for _, r := range part {
				if err := r.insert(tx.ExecContext(ctx, insertRun, r.values()...)); err != nil {
					return err
				}
			}
			continue
		}
		rows = rows[:0]
		for _, r := range part {
			rows = append(rows, r.values()...)
		}
		if err := w.runs.exec(w, rows); err != nil {
			return err
		}
		for i, r := range part {
			r.ID = w.lastID - int64(size-1-i) // SQLite counts on from the highest id
		}
	}
	return nil
}

// claimEach writes one slot after the other.
func claimEach(ctx context.Context, tx *sql.Tx, closed []Slot, runs []NewRun, begun []*Run) error {
	c, err := prepareClaims(ctx, tx)
	if err != nil {
		return err
	}
	for _, s := range closed {
		if _, err := c.slot(ctx, s); err != nil {
			return fmt.Errorf("slot %s of %s: %w", s.ScheduledFor.Format(time.RFC3339), s.Schedule, err)
		}
	}
	for i, n := range runs {
		err := c.begin(ctx, tx, n, begun[i])
		if errors.Is(err, ErrSlotTaken) {
			begun[i], err = nil, nil
		}
		if err != nil {
			return fmt.Errorf("run of %s: %w", n.Schedule, err)
		}
	}
	return nil
}

// claims are the statements that claim slots, prepared for one transaction.
type claims struct{ insertSlot, nextNumber, insertRun *sql.Stmt }

func prepareClaims(ctx context.Context, tx *sql.Tx) (c claims, err error) {
	for query, into := range map[string]**sql.Stmt{insertSlot: &c.insertSlot, nextNumber: &c.nextNumber, insertRun: &c.insertRun} {
		if *into, err = tx.PrepareContext(ctx, query); err != nil { //nolint:sqlclosecheck // the transaction's end closes it
			return c, err
		}
	}
	return c, nil
}

func (c claims) slot(ctx context.Context, s Slot) (claimed bool, err error) {
	n, err := changed(c.insertSlot.ExecContext(ctx, s.Schedule, ms(s.ScheduledFor), s.State, s.Reason, ms(time.Now())))
	return n == 1, err
}

// begin writes the run of a slot.
func (c claims) begin(ctx context.Context, tx *sql.Tx, n NewRun, r *Run) error {
	claimed, err := c.slot(ctx, Slot{Schedule: n.Schedule, ScheduledFor: n.ScheduledFor, State: SlotRan})
	if err != nil {
		return err
	}
	if !claimed {
		if err := reopenSlot(ctx, tx, n); err != nil {
			return err
		}
	}
	if err := c.number(ctx, r); err != nil {
		return err
	}
	return r.insert(c.insertRun.ExecContext(ctx, r.values()...))
}

// runsBesides finds what runs a list of slots has already: ?1 is JSON, a schedule and
// an instant each.
const runsBesides = `
SELECT e.key, max(r.number), max(r.generation)
FROM json_each(?1) e CROSS JOIN runs r ON r.schedule = e.value ->> 0 AND r.scheduled_for = e.value ->> 1 GROUP BY e.key`

// numberRuns counts the runs of slots on from those that they have.
func numberRuns(ctx context.Context, tx *sql.Tx, begun []*Run) error {
	slots := make([][2]any, len(begun))
	for i, r := range begun {
		slots[i] = [2]any{r.Schedule, ms(r.ScheduledFor)}
		r.Number, r.Generation = 1, 0
	}
	text, err := json.Marshal(slots)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, runsBesides, string(text))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i, number, generation int64
		if err := rows.Scan(&i, &number, &generation); err != nil {
			return err
		}
		begun[i].Number, begun[i].Generation = int(number)+1, int(generation)
	}
	return rows.Err()
}

func (c claims) number(ctx context.Context, r *Run) error {
	return c.nextNumber.QueryRowContext(ctx, r.Schedule, ms(r.ScheduledFor)).Scan(&r.Number, &r.Generation)
}

// newRun is the row that a run begins with.
func newRun(n NewRun) (*Run, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("run of %s: %w", n.Schedule, err)
	}
	r := &Run{
		RunID: id.String(), Schedule: n.Schedule, Called: n.Called, ScheduledFor: fromMS(ms(n.ScheduledFor)), Origin: n.Origin,
		State: Planning, Zone: n.Zone, FlowID: n.FlowID, BaseURL: n.BaseURL, StartedAt: fromMS(ms(time.Now())),
		RedriveOf: n.RedriveOf, RedriveWhat: n.RedriveWhat,
	}
	r.IntervalStart = r.ScheduledFor
	if !n.IntervalStart.IsZero() {
		r.IntervalStart = fromMS(ms(n.IntervalStart))
	}
	return r, nil
}

// values are those of insertRun.
func (r *Run) values() []any {
	return []any{
		r.RunID, r.Schedule, ms(r.ScheduledFor), ms(r.IntervalStart), r.Number, r.Generation, r.Origin,
		r.Zone, r.FlowID, r.BaseURL, ms(r.StartedAt), r.RedriveOf, r.RedriveWhat, r.Called,
	}
}

// insert takes the result of insertRun.
func (r *Run) insert(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	r.ID, err = res.LastInsertId()
	return err
}
