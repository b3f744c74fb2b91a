package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const upsertLoaded = `
INSERT INTO loaded_config (one, text, loaded_at) VALUES (1, ?, ?)
ON CONFLICT (one) DO UPDATE SET text = excluded.text, loaded_at = excluded.loaded_at`

// SetLoaded records what the configuration says that a daemon loaded just now.
func (l *Ledger) SetLoaded(ctx context.Context, text string) error {
	return l.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, upsertLoaded, text, ms(time.Now()))
		return err
	})
}

const selectLoaded = `SELECT text, loaded_at FROM loaded_config`

// Loaded returns what SetLoaded recorded, and when; false if no daemon ever loaded
// a configuration.
func (r *Reader) Loaded(ctx context.Context) (text string, at time.Time, ok bool, err error) {
	var loaded int64
	err = r.ro.QueryRowContext(ctx, selectLoaded).Scan(&text, &loaded)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, false, nil
	}
	return text, fromMS(loaded), err == nil, err
}
