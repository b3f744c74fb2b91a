package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// hasName looks where a schedule leaves rows; ?1 is its name.
const hasName = `
SELECT EXISTS (SELECT 1 FROM schedule_state WHERE schedule = ?1) OR EXISTS (SELECT 1 FROM slots WHERE schedule = ?1)
  OR EXISTS (SELECT 1 FROM runs WHERE schedule = ?1) OR EXISTS (SELECT 1 FROM delivered_files WHERE schedule = ?1)
  OR EXISTS (SELECT 1 FROM delivered_ranges WHERE schedule = ?1) OR EXISTS (SELECT 1 FROM pauses WHERE schedule = ?1)
  OR EXISTS (SELECT 1 FROM arrivals WHERE schedule = ?1)`

// HasSchedule says whether the ledger has anything of a schedule.
func (r *Reader) HasSchedule(ctx context.Context, name string) (has bool, err error) {
	err = r.ro.QueryRowContext(ctx, hasName, name).Scan(&has)
	return has, err
}

const selectNameNow = `SELECT schedule FROM former_names WHERE name = ?`

// NameNow gives what a schedule is called that had this name before it was renamed;
// the name itself if none had it.
func (r *Reader) NameNow(ctx context.Context, name string) (string, error) {
	now := name
	err := r.ro.QueryRowContext(ctx, selectNameNow, name).Scan(&now)
	if errors.Is(err, sql.ErrNoRows) {
		return name, nil
	}
	return now, err
}

// renames are the statements that give all rows of schedule ?1 the name ?2. If both
// have rows, those of ?2 stay where two cannot be: they are younger.
var renames = []string{
	`DELETE FROM schedule_state WHERE schedule = ?2 AND spec = '' AND EXISTS (SELECT 1 FROM schedule_state WHERE schedule = ?1 AND spec <> '')`,
	`UPDATE OR IGNORE schedule_state SET schedule = ?2 WHERE schedule = ?1`,
	`DELETE FROM schedule_state WHERE schedule = ?1`,
	`UPDATE OR IGNORE slots SET schedule = ?2 WHERE schedule = ?1`,
	`DELETE FROM slots WHERE schedule = ?1`,
	`UPDATE runs SET receipt = NULL, number = number + (SELECT max(number) FROM runs n WHERE n.schedule = ?2 AND n.scheduled_for = runs.scheduled_for)
	 WHERE schedule = ?1 AND EXISTS (SELECT 1 FROM runs n WHERE n.schedule = ?2 AND n.scheduled_for = runs.scheduled_for)`,
	`UPDATE runs SET called = CASE called WHEN '' THEN schedule ELSE called END, schedule = ?2,
	   receipt = replace(replace(receipt, '"name":"' || ?1 || '@', '"name":"' || ?2 || '@'), '"schedule":"' || ?1 || '"', '"schedule":"' || ?2 || '"')
	 WHERE schedule = ?1`,
	`UPDATE OR IGNORE delivered_files SET schedule = ?2 WHERE schedule = ?1`,
	`DELETE FROM delivered_files WHERE schedule = ?1`,
	`UPDATE OR IGNORE delivered_ranges SET schedule = ?2 WHERE schedule = ?1`,
	`DELETE FROM delivered_ranges WHERE schedule = ?1`,
	`UPDATE OR IGNORE pauses SET schedule = ?2 WHERE schedule = ?1`,
	`DELETE FROM pauses WHERE schedule = ?1`,
	`UPDATE OR IGNORE arrivals SET schedule = ?2 WHERE schedule = ?1`,
	`DELETE FROM arrivals WHERE schedule = ?1`,
	`UPDATE OR IGNORE alerts SET schedule = ?2 WHERE schedule = ?1`,
	`DELETE FROM alerts WHERE schedule = ?1`,
	`UPDATE OR IGNORE followers SET schedule = ?2 WHERE schedule = ?1`,
	`DELETE FROM followers WHERE schedule = ?1`,
	`UPDATE followers SET other = ?2 WHERE other = ?1`,
	`UPDATE notifications SET schedule = ?2 WHERE schedule = ?1`,
	`UPDATE requests SET body = json_set(body, '$.schedule', ?2)
	 WHERE finished_at IS NULL AND json_valid(body) AND json_extract(body, '$.schedule') = ?1`,
	`UPDATE former_names SET schedule = ?2 WHERE schedule = ?1`,
	`DELETE FROM former_names WHERE name = ?2`,
}

const insertFormerName = `
INSERT INTO former_names (name, schedule, renamed_at) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET schedule = excluded.schedule, renamed_at = excluded.renamed_at`

// Rename is a schedule that gets another name.
type Rename struct{ From, To string }

// RenameSchedules gives everything that the ledger knows of schedules another name:
// marks, slots, pauses and runs, what they delivered, and what is asked of them.
// Runs keep the old one in their bodies, and are found by it. It returns those of
// which there was something; all or none are done. No run of them may be under way.
func (l *Ledger) RenameSchedules(ctx context.Context, list []Rename) (done []Rename, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	err = l.write(ctx, func(tx *sql.Tx) error {
		done = nil
		for _, r := range list {
			renamed, err := renameSchedule(ctx, tx, r)
			if err != nil {
				return fmt.Errorf("rename schedule %s to %s: %w", r.From, r.To, err)
			}
			if renamed {
				done = append(done, r)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

func renameSchedule(ctx context.Context, tx *sql.Tx, r Rename) (renamed bool, err error) {
	if err := tx.QueryRowContext(ctx, hasName, r.From).Scan(&renamed); err != nil || !renamed {
		return false, err
	}
	for _, query := range renames {
		if _, err := tx.ExecContext(ctx, query, r.From, r.To); err != nil {
			return false, err
		}
	}
	_, err = tx.ExecContext(ctx, insertFormerName, r.From, r.To, ms(time.Now()))
	return true, err
}
