package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"runtime"

	"github.com/pressly/goose/v3"

	"worqcron/failpoint"
)

//go:embed migrations/*.sql
var migrations embed.FS

func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithLogger(goose.NopLogger()))
}

// migrate brings the database to the program's version. One that is newer is
// refused: this program does not know what its rows promise.
func migrate(ctx context.Context, db *sql.DB) error {
	var foreign string
	if err := db.QueryRowContext(ctx, foreignTables).Scan(&foreign); err != nil {
		return fmt.Errorf("reading its tables: %w", err)
	}
	if foreign != "" {
		return fmt.Errorf("it is another program's database (it has tables %s)", foreign)
	}
	p, err := provider(db)
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading its version: %w", err)
	}
	if current > target {
		return fmt.Errorf("it was written by a newer worqcron (version %d, this program knows %d)", current, target)
	}
	failpoint.Hit("migrate")
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating it from version %d to %d: %w", current, target, err)
	}
	failpoint.Hit("migrated")
	if current < target { // goose leaves buffers of 8 MB in a pool, which two collections empty
		runtime.GC()
		runtime.GC()
	}
	return nil
}

// foreignTables names the tables of a database that no worqcron ever set up.
const foreignTables = `
SELECT coalesce(group_concat(name, ', '), '') FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sqlite%'
  AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'goose_db_version')`

const versionQuery = `SELECT max(version_id) FROM goose_db_version WHERE is_applied = 1`

// assertVersion refuses a database that a reader would misread.
func assertVersion(ctx context.Context, db *sql.DB) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	target := sources[len(sources)-1].Version
	var current sql.NullInt64
	if err := db.QueryRowContext(ctx, versionQuery).Scan(&current); err != nil {
		return fmt.Errorf("it is no worqcron ledger, or was never set up: %w", hintDamage(err))
	}
	switch {
	case current.Int64 > target:
		return fmt.Errorf("it was written by a newer worqcron (version %d, this program knows %d)", current.Int64, target)
	case current.Int64 < target:
		return fmt.Errorf("it is of version %d, this program needs %d: start 'worqcron serve' or 'run' once to migrate it", current.Int64, target)
	}
	return nil
}
