package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Intent is what an attempt is about to send.
type Intent struct {
	Run, Chunk int64
	Segment    int64  // of a record whose chunk has no row yet: the segment that has it; else 0
	BodyHash   string // of the exact body
	BodyBytes  int64  // length of the exact body
}

// BeginAttempt commits the intent to send a planned chunk of a run that is
// Delivering. Only after it returned without error may the body leave. A chunk
// in another state, one of a plan that is not finished, or one with an open or
// accepted attempt, is ErrState. Parallel calls share a commit.
func (l *Ledger) BeginAttempt(ctx context.Context, run, chunk int64, bodyHash string, bodyBytes int64) (attemptID int64, err error) {
	return l.begin(ctx, Intent{Run: run, Chunk: chunk, BodyHash: bodyHash, BodyBytes: bodyBytes})
}

// BeginRecord is BeginAttempt for a chunk that is still only in its segment. A
// chunk that has its row already, or that no planned segment has, is ErrState.
func (l *Ledger) BeginRecord(ctx context.Context, i Intent) (attemptID int64, err error) {
	return l.begin(ctx, i)
}

func (l *Ledger) begin(ctx context.Context, i Intent) (attemptID int64, err error) {
	t := &transition{begin: &i}
	if err := l.share(ctx, t); err != nil {
		return 0, fmt.Errorf("intent for chunk %d: %w", i.Chunk, err)
	}
	return t.attemptID, nil
}

// AttemptEnd is how an attempt ended and what follows for its chunk.
type AttemptEnd struct {
	Outcome     string
	Reason      string
	Detail      string
	StatusCode  int
	AnalyticsID string
	Answer      []byte
	Next        ChunkState
	ChunkReason string
	NotBefore   time.Time // with Next == ChunkPlanned: no try before; zero: at once
	Split       *Split    // with Next == ChunkSplit: what takes the chunk's place
}

// accepted says whether WorqHat has the chunk for certain.
func (e *AttemptEnd) accepted() bool { return e.Outcome == "accepted" || e.Outcome == "accepted_no_id" }

// check refuses an end that contradicts itself, so that no mistake elsewhere can
// take an accepted trigger for one that may be sent again.
func (e *AttemptEnd) check() error {
	switch e.Next {
	case ChunkAccepted: // unknown: on_unknown = "accept"
		if e.accepted() || e.Outcome == "unknown" {
			return nil
		}
	case ChunkSplit:
		if e.Outcome == "refused" && e.Split != nil {
			return nil
		}
	case ChunkPlanned, ChunkFailed, ChunkUnknown:
		if !e.accepted() {
			return nil
		}
	}
	return fmt.Errorf("%w: the chunk cannot become %q by it", ErrState, e.Next)
}

// FinishAttempt commits an attempt's outcome and moves its chunk on; a record's
// chunk gets its row here. An attempt that has its outcome already is ErrState,
// and so is a Next that the outcome does not allow. Parallel calls share a
// commit, also with intents.
func (l *Ledger) FinishAttempt(ctx context.Context, attemptID int64, e AttemptEnd) error {
	return l.FinishLater(ctx, attemptID, e)()
}

// FinishLater is FinishAttempt in two halves: wait returns after the commit, and is
// called once. What its caller begins before that is committed with it or later.
func (l *Ledger) FinishLater(ctx context.Context, attemptID int64, e AttemptEnd) (wait func() error) {
	t := &transition{attemptID: attemptID, end: &e}
	err := e.check()
	if err == nil {
		err = l.enqueue(ctx, t)
	}
	return func() error {
		if err == nil {
			err = <-t.done
		}
		if err != nil {
			return fmt.Errorf("outcome of attempt %d (%s): %w", attemptID, e.Outcome, err)
		}
		return nil
	}
}

// An intent: the chunk is claimed, and an open attempt of it begins. A record's
// chunk without a row needs no claim: its open attempt is the claim, and the
// database triggers and indexes let in no second one.
const (
	claimChunk     = `UPDATE chunks SET state = 'sending', reason = '' WHERE run = ? AND chunk = ? AND state = 'planned'`
	runDelivers    = `SELECT EXISTS (SELECT 1 FROM runs WHERE id = ? AND state = 'delivering')`
	insertAttempts = `
INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, reason, detail, status_code) VALUES `
	attemptRow = `(?, ?, (SELECT count(*) + 1 FROM attempts WHERE run = ? AND chunk = ?), ?, ?, ?, '', '', 0)`
)

// An outcome: the attempt ends, and its chunk moves on.
const (
	finishAttempt = `
UPDATE attempts SET finished_at = ?, outcome = ?, reason = ?, detail = ?, status_code = ?, analytics_id = nullif(?, ''), answer = ?, over = 1
WHERE attempt_id = ? AND outcome IS NULL`
	// Most of all outcomes; many at once, and without a change to over.
	acceptAttempts = `
UPDATE attempts SET finished_at = v.column2, outcome = v.column3, reason = v.column4, detail = v.column5, status_code = v.column6,
    analytics_id = nullif(v.column7, ''), answer = v.column8
FROM (VALUES `
	acceptRow      = `(?, ?, ?, ?, ?, ?, ?, ?)`
	acceptedWhere  = `) v WHERE attempt_id = v.column1 AND outcome IS NULL`
	moveChunk      = `UPDATE chunks SET state = ?, reason = ?, not_before = ? WHERE run = ? AND chunk = ? AND state = 'sending'`
	insertRecords  = `INSERT INTO chunks (run, chunk, state, reason, records, body_bytes, source_hash, key, not_before) VALUES `
	recordRow      = `(?, ?, ?, ?, 1, ?, '', '', ?)`
	countBegun     = `UPDATE segments SET begun = begun + ? WHERE run = ? AND segment = ?`
	addAttemptSums = `
INSERT INTO attempt_sums (run, attempts, bytes_sent) VALUES (?, ?, ?)
ON CONFLICT (run) DO UPDATE SET attempts = attempts + excluded.attempts, bytes_sent = bytes_sent + excluded.bytes_sent`
	// What an attempt of an earlier process was to send; segment 0: its chunk has a row.
	openAttemptOf = `
SELECT run, chunk, body_hash, body_bytes, CASE WHEN EXISTS (SELECT 1 FROM chunks c WHERE c.run = a.run AND c.chunk = a.chunk) THEN 0 ELSE
    coalesce((SELECT segment FROM segments s WHERE s.run = a.run AND first_chunk <= a.chunk ORDER BY first_chunk DESC LIMIT 1), 0) END
FROM attempts a WHERE attempt_id = ? AND outcome IS NULL`
)

// attemptStatements are those of each attempt. They are prepared once: SQLite
// takes as long to read them as to run them.
type attemptStatements struct {
	claim, delivers, finish, move, begun, sums, open *sql.Stmt

	insert, accept, record rowsStatement

	slots, runs rowsStatement // of slots that are claimed together
}

func prepareAttempts(ctx context.Context, db *sql.DB) (s attemptStatements, err error) {
	for _, p := range []struct {
		into  **sql.Stmt
		query string
	}{
		{&s.claim, claimChunk},
		{&s.delivers, runDelivers},
		{&s.finish, finishAttempt},
		{&s.move, moveChunk},
		{&s.begun, countBegun},
		{&s.sums, addAttemptSums},
		{&s.open, openAttemptOf},
	} {
		if *p.into, err = db.PrepareContext(ctx, p.query); err != nil { //nolint:sqlclosecheck // they are closed with db
			return s, err
		}
	}
	for _, p := range []struct {
		into             *rowsStatement
		head, row, after string
	}{
		{&s.insert, insertAttempts, attemptRow, ""},
		{&s.accept, acceptAttempts, acceptRow, acceptedWhere},
		{&s.record, insertRecords, recordRow, ""},
		{&s.slots, insertSlots, slotRow, onSlotConflict},
		{&s.runs, insertRuns, runRow, ""},
	} {
		if *p.into, err = prepareRows(ctx, db, p.head, p.row, p.after); err != nil {
			return s, err
		}
	}
	return s, nil
}

// finishAll stores outcomes and what follows for their chunks.
func (w *writing) finishAll(list []*transition) error {
	now := ms(time.Now())
	w.rows = w.rows[:0]
	for _, t := range list {
		e := t.end
		if e.accepted() {
			w.rows = append(w.rows, t.attemptID, now, e.Outcome, e.Reason, e.Detail, e.StatusCode, e.AnalyticsID, e.Answer)
			continue
		}
		if err := w.change(w.finish, now, e.Outcome, e.Reason, e.Detail, e.StatusCode, e.AnalyticsID, e.Answer, t.attemptID); err != nil {
			return err
		}
		if e.Outcome == "not_sent" {
			w.sum(t.open.Run, 0, -t.open.BodyBytes)
		}
	}
	if err := w.accept.exec(w, w.rows); err != nil {
		return err
	}
	w.rows = w.rows[:0]
	for _, t := range list {
		e, notBefore := t.end, int64(0)
		if !e.NotBefore.IsZero() {
			notBefore = ms(e.NotBefore)
		}
		if t.open.Segment != 0 {
			w.rows = append(w.rows, t.open.Run, t.open.Chunk, string(e.Next), e.ChunkReason, t.open.BodyBytes, notBefore)
			w.begunOf[segmentID{t.open.Run, t.open.Segment}]++
		} else if err := w.change(w.move, string(e.Next), e.ChunkReason, notBefore, t.open.Run, t.open.Chunk); err != nil {
			return err
		}
		if e.Next == ChunkSplit {
			if err := e.Split.add(w.ctx, w.tx); err != nil {
				return err
			}
		}
	}
	if err := w.record.exec(w, w.rows); err != nil {
		return err
	}
	for s, n := range w.begunOf {
		if err := w.change(w.begun, n, s.run, s.segment); err != nil {
			return err
		}
	}
	return nil
}

// beginAll stores intents. Attempts of one statement get ids that follow each
// other.
func (w *writing) beginAll(list []*transition) error {
	now := ms(time.Now())
	w.rows = w.rows[:0]
	for _, t := range list {
		i := t.begin
		if err := w.mustDeliver(i.Run); err != nil {
			return err
		}
		if i.Segment == 0 {
			if err := w.change(w.claim, i.Run, i.Chunk); err != nil {
				return err
			}
		}
		w.rows = append(w.rows, i.Run, i.Chunk, i.Run, i.Chunk, i.BodyHash, i.BodyBytes, now)
		w.sum(i.Run, 1, i.BodyBytes)
	}
	if err := w.insert.exec(w, w.rows); err != nil {
		return err
	}
	for n, t := range list {
		t.attemptID = w.lastID - int64(len(list)-1-n)
	}
	return nil
}

// mustDeliver is ErrState for a run in another state than Delivering.
func (w *writing) mustDeliver(run int64) error {
	if w.delivering == run {
		return nil
	}
	var ok bool
	if err := w.tx.StmtContext(w.ctx, w.delivers).QueryRowContext(w.ctx, run).Scan(&ok); err != nil { //nolint:sqlclosecheck // the transaction's end closes it
		return err
	}
	if !ok {
		return ErrState
	}
	w.delivering = run
	return nil
}
