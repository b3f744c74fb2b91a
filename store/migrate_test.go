package store

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

func TestMigrationsAreNumbered(t *testing.T) {
	entries, err := fs.ReadDir(migrations, "migrations")
	must(t, err)
	if len(entries) == 0 {
		t.Fatal("no migration is embedded")
	}
	for i, e := range entries {
		if want := fmt.Sprintf("%05d_", i+1); !strings.HasPrefix(e.Name(), want) || !strings.HasSuffix(e.Name(), ".sql") {
			t.Errorf("%s: want a name %s….sql", e.Name(), want)
		}
	}
	l := open(t)
	p, err := provider(l.rw)
	must(t, err)
	current, target, err := p.GetVersions(context.Background())
	must(t, err)
	if current != target || target != int64(len(entries)) {
		t.Errorf("got version %d of %d with %d files", current, target, len(entries))
	}
}

var columnLine = regexp.MustCompile(`^    ([a-z_]+) +(?:INTEGER|TEXT|BLOB|REAL|ANY)\b`)

// TestEachColumnHasAComment reads the .sql files and compares what it found
// with the tables that they make, so that no column can hide from it.
func TestEachColumnHasAComment(t *testing.T) {
	documented := map[string]bool{}
	table := ""
	entries, err := fs.ReadDir(migrations, "migrations")
	must(t, err)
	for _, e := range entries {
		text, err := fs.ReadFile(migrations, "migrations/"+e.Name())
		must(t, err)
		for i, line := range strings.Split(string(text), "\n") {
			if name, ok := strings.CutPrefix(line, "CREATE TABLE "); ok {
				table = strings.TrimSuffix(name, " (")
			}
			column := columnLine.FindStringSubmatch(line)
			if column == nil {
				continue
			}
			_, comment, _ := strings.Cut(line, "-- ")
			if strings.TrimSpace(comment) == "" {
				t.Errorf("%s:%d: column %s has no comment", e.Name(), i+1, column[1])
			}
			documented[table+"."+column[1]] = true
		}
	}
	columns, err := texts(open(t), `
		SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'goose_db_version'`)
	must(t, err)
	for _, c := range columns {
		if !documented[c] {
			t.Errorf("column %s was not found in the .sql files", c)
		}
		delete(documented, c)
	}
	if len(documented) > 0 {
		t.Errorf("found in the .sql files, but in no table: %v", documented)
	}
}
