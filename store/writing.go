package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// writing is one transaction of intents and outcomes.
type writing struct {
	*attemptStatements
	ctx context.Context //nolint:containedctx // of the transaction, and gone with it
	tx  *sql.Tx

	rows       []any // values of the rows of the next statement
	lastID     int64 // of the last row inserted
	delivering int64 // a run that is known to be
	begunOf    map[segmentID]int64
	sumOf      map[int64]attemptSum
}

// segmentID names a segment.
type segmentID struct{ run, segment int64 }

// attemptSum is what the attempts of a run add to its row in attempt_sums.
type attemptSum struct{ attempts, bytes int64 }

func (w *writing) sum(run, attempts, bytes int64) {
	s := w.sumOf[run]
	w.sumOf[run] = attemptSum{s.attempts + attempts, s.bytes + bytes}
}

func (w *writing) addSums() error {
	for run, s := range w.sumOf {
		if err := w.change(w.sums, run, s.attempts, s.bytes); err != nil {
			return err
		}
	}
	return nil
}

// change runs a statement that has to change a row; ErrState if there was none.
func (w *writing) change(s *sql.Stmt, args ...any) error {
	return mustChange(w.tx.StmtContext(w.ctx, s).ExecContext(w.ctx, args...)) //nolint:sqlclosecheck // the transaction's end closes it
}

// rowSizes are how many rows one statement takes: a statement of 32 rows costs a
// third less than 32 statements.
var rowSizes = [...]int{32, 8, 1}

// rowsStatement is a statement over a list of rows, prepared for each size.
type rowsStatement struct {
	width int // values of a row
	sizes [len(rowSizes)]*sql.Stmt
}

// prepareRows prepares a statement whose rows stand between head and tail.
func prepareRows(ctx context.Context, db *sql.DB, head, row, tail string) (s rowsStatement, err error) {
	s.width = strings.Count(row, "?")
	for i, n := range rowSizes {
		rows := strings.Repeat(row+", ", n-1) + row
		if s.sizes[i], err = db.PrepareContext(ctx, head+rows+tail); err != nil { //nolint:sqlclosecheck // they are closed with db
			return s, err
		}
	}
	return s, nil
}

// exec runs the statement for all rows, whose values follow each other. A row that
// changed nothing is ErrState.
func (s *rowsStatement) exec(w *writing, rows []any) error {
	for i, size := range rowSizes {
		for len(rows) >= size*s.width {
			res, err := w.tx.StmtContext(w.ctx, s.sizes[i]).ExecContext(w.ctx, rows[:size*s.width]...) //nolint:sqlclosecheck // the transaction's end closes it
			if err != nil {
				return err
			}
			rows = rows[size*s.width:]
			if n, err := res.RowsAffected(); err != nil || n != int64(size) {
				return errors.Join(err, ErrState)
			}
			if w.lastID, err = res.LastInsertId(); err != nil {
				return err
			}
		}
	}
	return nil
}
