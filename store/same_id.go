package store

import (
	"context"
)

// SameID is an id that WorqHat gave to a trigger although another has it.
type SameID struct {
	AnalyticsID string
	Chunk       int64  // of the run that was asked about
	OtherRun    string // its run_id
	OtherChunk  int64
}

const lastAttempt = `SELECT coalesce(max(attempt_id), 0) FROM attempts`

// LastAttempt returns the largest attempt id; 0 without one.
func (r *Reader) LastAttempt(ctx context.Context) (id int64, err error) {
	err = r.ro.QueryRowContext(ctx, lastAttempt).Scan(&id)
	return id, err
}

// The attempts of a delivery lie together, and each asks the index of ids once.
const sameIDs = `
SELECT a.analytics_id, a.chunk, r.run_id, b.chunk
FROM attempts a NOT INDEXED
CROSS JOIN attempts b INDEXED BY attempts_by_id ON b.analytics_id = a.analytics_id AND b.attempt_id < a.attempt_id
JOIN runs r ON r.id = b.run
WHERE a.attempt_id > ? AND a.run = ? AND a.outcome = 'accepted' AND a.analytics_id IS NOT NULL AND b.outcome = 'accepted'
ORDER BY a.attempt_id LIMIT ?`

// SameIDs returns ids that accepted triggers of a run got after an attempt although
// an accepted trigger before them has the same.
func (r *Reader) SameIDs(ctx context.Context, run *Run, afterAttempt int64, limit int) (list []SameID, err error) {
	rows, err := r.ro.QueryContext(ctx, sameIDs, afterAttempt, run.ID, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s SameID
		if err := rows.Scan(&s.AnalyticsID, &s.Chunk, &s.OtherRun, &s.OtherChunk); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}
