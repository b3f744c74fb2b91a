package batch

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"worqcron/store"
)

func verified(t *testing.T, r *store.Reader, run *store.Run) []Check {
	t.Helper()
	list, err := Verify(t.Context(), r, run, VerifyOptions{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestVerify(t *testing.T) {
	eachMadeUp(t, 1, func(t *testing.T, seed uint64, mode string, packed bool, limit int64) {
		r, job, run, _ := madeUpRun(t, seed, mode, packed, limit)
		for _, c := range verified(t, &r.Ledger.Reader, run) {
			if !c.OK || !c.Made {
				t.Errorf("%+v", c)
			}
		}
		files, err := filepath.Glob(job.Source.Path)
		if err != nil || len(files) != 2 {
			t.Fatal(files, err)
		}
		if err := os.Remove(files[1]); err != nil {
			t.Fatal(err)
		}
		missed := 0
		for _, c := range verified(t, &r.Ledger.Reader, run) {
			if c.Made && !c.OK {
				t.Errorf("without a file: %+v", c)
			}
			if !c.Made {
				missed++
			}
		}
		if missed != 6 {
			t.Errorf("without a file %d checks could not be made, want 6", missed)
		}
	})
}

// execute runs statements on a ledger behind the program's back.
func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=ignore_check_constraints(1)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// openToTampering is a copy of a runner's ledger without the database triggers
// that forbid what is wrong.
func openToTampering(t *testing.T, r *Runner) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "open.db")
	execute(t, r.Ledger.Path(), "VACUUM INTO '"+path+"'")
	execute(t, path, "DROP TRIGGER chunks_keep_accepted", "DROP TRIGGER attempts_keep_outcome",
		"DROP TRIGGER chunks_stay", "DROP TRIGGER attempts_stay", "DROP TRIGGER attempts_of_a_chunk")
	return path
}

// tampered is a copy of such a ledger, with one statement run on it.
func tampered(t *testing.T, path, statement string) *store.Reader {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	execute(t, copied, statement)
	r, err := store.OpenReader(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Whatever is wrong in the ledger, the check that is there for it finds it.
func TestVerifyFindsWhatIsWrong(t *testing.T) {
	both := []string{"", ModeRecords}
	mutants := []struct {
		modes     []string
		statement string
		finds     string
	}{
		{both, `UPDATE runs SET records_read = records_read + 1`, "receipt balances"},
		{both, `UPDATE runs SET records_filtered = records_filtered + 1, records_read = records_read + 1`, "records"},
		{both, `UPDATE runs SET records_unchanged = 1, records_read = records_read + 1`, "records"},
		{both, `UPDATE runs SET receipt = replace(receipt, '"attempts":', '"attempts":1')`, "receipt as stored"},
		{both, `UPDATE attempts SET outcome = 'refused' WHERE chunk = 2`, "accepted once"},
		{both, `UPDATE chunks SET state = 'failed' WHERE chunk = 2`, "attempts"},
		{both, `UPDATE chunks SET state = 'sending' WHERE chunk = 2`, "attempts"},
		{both, `UPDATE attempts SET outcome = NULL, finished_at = NULL WHERE chunk = 2`, "attempts"},
		{both, `UPDATE attempts SET chunk = 100000 WHERE chunk = 2`, "no stray attempts"},
		{both, `UPDATE attempts SET body_bytes = body_bytes + 1 WHERE chunk = 2`, "same bytes"},
		{both, `INSERT INTO attempts (run, chunk, number, body_hash, body_bytes, started_at, finished_at, outcome, reason, detail, status_code, over)
			SELECT run, chunk, 2, 'xxh3-128:00', body_bytes, started_at, finished_at, 'refused', '', '', 400, 1 FROM attempts WHERE chunk = 2`, "same bytes"},
		{both, `UPDATE attempts SET analytics_id = (SELECT analytics_id FROM attempts WHERE chunk = 1) WHERE chunk = 2`, "ids unique"},
		{[]string{""}, `UPDATE chunks SET key = (SELECT key FROM chunks WHERE chunk = 1) WHERE chunk = 2`, "keys unique"},
		{[]string{""}, `UPDATE chunks SET key = '0123456789abcdef0123456789abcdef' WHERE chunk = 2`, "keys"},
		{both, `UPDATE attempts SET body_hash = 'xxh3-128:00' WHERE chunk = 2`, "bodies"},
		{both, `UPDATE chunks SET body_bytes = body_bytes + 1 WHERE chunk = 2`, "bodies"},
		{[]string{""}, `UPDATE chunks SET source_hash = 'xxh3-128:00' WHERE chunk = 2`, "source hashes"},
		{[]string{""}, `UPDATE chunk_ranges SET last_line = last_line + 1 WHERE chunk = 2 AND part = 0`, "ranges"},
		{[]string{""}, `UPDATE chunk_ranges SET first_line = first_line - 1 WHERE chunk = 2 AND part = 0`, "ranges"},
		{[]string{""}, `UPDATE chunk_ranges SET byte_start = byte_start + 1 WHERE chunk = 2 AND part = 0`, "ranges"},
		{both, `UPDATE dead_letters SET reason = 'nul_byte' WHERE number = 1`, "dead letters"},
		{both, `UPDATE dead_letters SET line = line + 1 WHERE number = 2`, "dead letters"},
		{both, `UPDATE dead_letters SET byte_end = byte_end + 1 WHERE number = 2`, "dead letters"},
		{both, `UPDATE dead_letters SET byte_start = byte_start + 1 WHERE number = 2`, "records"},
		{both, `DELETE FROM dead_letters WHERE number = 2`, "records"},
		{both, `UPDATE snapshots SET records = records + 1 WHERE file = 1`, "records"},
		{[]string{""}, `DELETE FROM chunk_ranges WHERE chunk = 2 AND part = 0`, "records"},
		{[]string{""}, `INSERT INTO chunk_ranges SELECT run, 1, 99, file, byte_start, byte_end, first_line, last_line, records
			FROM chunk_ranges WHERE chunk = 2 AND part = 0`, "records"},
		{[]string{""}, `UPDATE chunk_ranges SET records = records + 1 WHERE chunk = 2 AND part = 0`, "ranges"},
		{[]string{""}, `UPDATE chunks SET records = records + 1 WHERE chunk = (SELECT max(chunk) FROM chunks)`, "ranges"},
		{both, `UPDATE attempt_sums SET attempts = attempts + 1`, "sums"},
		{both, `UPDATE attempt_sums SET bytes_sent = bytes_sent - 1`, "sums"},
		{[]string{ModeRecords}, `UPDATE segments SET key_prefix = '0123456789abcdef01234567' WHERE segment = 1`, "keys"},
		{[]string{ModeRecords}, `UPDATE segment_places SET places = CAST(substr(places, 1, length(places) - 1) || x'78' AS BLOB) WHERE segment = 1`, "ranges"},
		{[]string{ModeRecords}, `UPDATE segment_places SET places = x'80' WHERE segment = 1`, "ranges"},
		{[]string{ModeRecords}, `UPDATE segments SET begun = begun - 1 WHERE segment = 1`, "segments"},
		{[]string{ModeRecords}, `UPDATE segments SET source_hash = 'xxh3-128:00' WHERE segment = 1`, "source hashes"},
		{[]string{ModeRecords}, `UPDATE segment_ranges SET last_line = last_line + 1 WHERE segment = 1 AND part = 0`, "ranges"},
		{[]string{ModeRecords}, `DELETE FROM segment_ranges WHERE segment = 1 AND part = 0`, "records"},
	}
	for _, mode := range both {
		for _, packed := range []bool{false, true} {
			r, _, run, _ := madeUpRun(t, 7, mode, packed, 0)
			path := openToTampering(t, r)
			for _, m := range mutants {
				if !slices.Contains(m.modes, mode) {
					continue
				}
				list := verified(t, tampered(t, path, m.statement), run)
				i := slices.IndexFunc(list, func(k Check) bool { return k.Name == m.finds })
				if i < 0 || list[i].OK || !list[i].Made || strings.TrimSpace(list[i].Detail) == "" {
					t.Errorf("mode %q, packed %v: %s\nis not found by %q: %+v", mode, packed, m.statement, m.finds, list)
				}
			}
		}
	}
}

// A file that was changed in place, with its old size and time, is known by its
// hash: nothing of it counts.
func TestVerifyKnowsBytesChangedInPlace(t *testing.T) {
	r, job, run, _ := madeUpRun(t, 5, "", false, 0)
	files, err := filepath.Glob(job.Source.Path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-2] ^= 1
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(files[0], info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	for _, c := range verified(t, &r.Ledger.Reader, run) {
		if c.Made && !c.OK || c.Name == "source" && (c.Made || !strings.Contains(c.Detail, "other bytes")) {
			t.Errorf("%+v", c)
		}
	}
	if _, err := Export(t.Context(), &r.Ledger.Reader, run, ExportOptions{Workers: 1}, func(*ExportLine) error { return nil }); err == nil {
		t.Error("it was exported")
	}
}

// The parts of a chunk that was split have its records; they are not counted
// twice.
func TestExportAndVerifyOfSplitChunks(t *testing.T) {
	r, _, run, want := madeUpRun(t, 3, "", false, 2)
	c, err := r.Ledger.Chunk(t.Context(), run.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.Ledger.Chunks(t.Context(), run.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	number := int64(len(list) + 1)
	ledger := tampered(t, openToTampering(t, r), fmt.Sprintf(`
		UPDATE attempts SET outcome = 'refused', analytics_id = NULL, over = 1 WHERE chunk = 1;
		UPDATE chunks SET state = 'split', reason = '413' WHERE chunk = 1;
		UPDATE runs SET receipt = NULL, state = 'delivering', finished_at = NULL;
		INSERT INTO chunks (run, chunk, state, reason, records, body_bytes, source_hash, key, not_before, spool_line)
			SELECT run, %[1]d, 'planned', '', records, body_bytes + length(%[1]d) - 1, source_hash, '%[2]s', 0, 0 FROM chunks WHERE chunk = 1;
		INSERT INTO chunk_ranges SELECT run, %[1]d, part, file, byte_start, byte_end, first_line, last_line, records FROM chunk_ranges WHERE chunk = 1`,
		number, chunkKey(run, c.SourceHash, number)))
	for _, k := range verified(t, ledger, run) {
		if !k.OK {
			t.Errorf("%+v", k)
		}
	}
	var parts, lines int64
	if _, err := Export(t.Context(), ledger, run, ExportOptions{Workers: 1}, func(l *ExportLine) error {
		lines++
		if l.Chunk == 1 {
			t.Errorf("the chunk that was split has %+v", l)
		}
		if l.Chunk == number {
			parts++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if parts != c.Records || lines != int64(len(want)) {
		t.Errorf("%d lines of the part, want %d; %d lines for %d records", parts, c.Records, lines, len(want))
	}
}
