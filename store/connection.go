package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
)

// access is what a connection is for.
type access int

const (
	toRead access = iota
	toCopy        // as toRead, for VACUUM INTO, which query_only forbids
	toWrite
	toCreate // as toWrite, to a file that is still empty
)

// dsn names the file and the settings of each connection. Unknown keys are
// ignored by the driver in silence, so assertDurable asks for what matters.
func dsn(path string, a access) string {
	q := url.Values{"_pragma": {
		"busy_timeout(10000)", // milliseconds, for who else holds the write lock: Ask, a backup
		"foreign_keys(1)",
		"synchronous(FULL)", // NORMAL would lose commits in a power cut, and with them triggers
		"cache_size(-1000)",
	}}
	switch a {
	case toRead:
		q.Set("mode", "ro")
		q.Add("_pragma", "query_only(1)")
	case toCopy:
		q.Set("mode", "ro")
	case toWrite, toCreate:
		q.Set("mode", "rw")           // never create: a ledger that is gone is not a new one
		q.Set("_txlock", "immediate") // a transaction that reads first must not fail to upgrade
		if a == toCreate {
			q.Add("_pragma", "auto_vacuum(INCREMENTAL)") // it counts before the first page is written; see GiveBack
		}
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "wal_autocheckpoint(2000)")
		q.Add("_pragma", "journal_size_limit(67108864)") // bytes of log that stay when a large transaction is over
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	if !filepath.IsAbs(path) { // with ./, since ":memory:" would be no file
		u = url.URL{Scheme: "file", Opaque: "./" + url.PathEscape(path), RawQuery: q.Encode()}
	}
	return u.String()
}

func assertDurable(ctx context.Context, db *sql.DB) error {
	for _, want := range []struct{ pragma, value string }{
		{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"},
	} {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+want.pragma).Scan(&got); err != nil {
			return err
		}
		if got != want.value {
			return fmt.Errorf("%s is %q, not %q: this file system or build cannot keep the ledger safe", want.pragma, got, want.value)
		}
	}
	return nil
}

// maxWholeCheck is how large a ledger may be to be read whole at each start;
// that takes about a second for 100 MB, and no start should wait for longer than a
// moment. Damage in a larger one halts it when it is met; a backup finds it.
const maxWholeCheck = 10 << 20

// assertWhole reads the whole file once. A damaged ledger must be known before
// anything is sent on its word, and its pages are not all read otherwise.
func assertWhole(ctx context.Context, db *sql.DB) error {
	var size int64
	const bytes = `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`
	if err := db.QueryRowContext(ctx, bytes).Scan(&size); err != nil || size > maxWholeCheck {
		return err
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("the file is damaged, restore a backup: %s", verdict)
	}
	return nil
}
