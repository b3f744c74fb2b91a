package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/zeebo/xxh3"
)

// check holds the ledger against the server's log (I1 to I8).
func (h *killHarness) check(ended bool) {
	h.t.Helper()
	if _, err := os.Stat(filepath.Join(h.dir, "worqcron.db")); err != nil && !ended {
		return // killed before it had a ledger: then it must not have sent
	}
	if len(h.strings(`SELECT name FROM sqlite_master WHERE name = 'attempts'`)) == 0 {
		if n := len(h.server.seen()); n > 0 {
			h.t.Fatalf("%d triggers were sent without a ledger", n)
		}
		return
	}
	// I5
	if got := h.strings(`PRAGMA integrity_check`); strings.Join(got, " ") != "ok" {
		h.t.Errorf("integrity_check: %v", got)
	}
	if got := h.strings(`SELECT "table" FROM pragma_foreign_key_check`); len(got) > 0 {
		h.t.Errorf("foreign_key_check: %v", got)
	}
	h.checkAccepts()
	h.checkAnswers()
	h.checkPlan()
	h.checkBodies()
	h.checkFile(ended)
	if ended {
		h.checkWhole()
	}
}

// checkAccepts holds I2 and I3: each trigger that the server saw has an attempt,
// and none was sent more often than the policy allows.
func (h *killHarness) checkAccepts() {
	accepts := map[string]int{}
	for _, a := range h.server.seen() {
		accepts[a.key]++
	}
	attempts, unknown := map[string]int{}, map[string]int{}
	h.query(`SELECT c.key, count(*), sum(a.outcome = 'unknown' OR a.outcome IS NULL) FROM attempts a
		JOIN chunks c ON c.run = a.run AND c.chunk = a.chunk GROUP BY c.key`, func(rows *sql.Rows) error {
		var key string
		var n, u int
		err := rows.Scan(&key, &n, &u)
		attempts[key], unknown[key] = n, u
		return err
	})
	resent := map[string]bool{}
	for _, key := range h.strings(`SELECT c.key FROM audit a JOIN runs r ON r.run_id = a.run_id
		JOIN chunks c ON c.run = r.id AND c.chunk = a.chunk WHERE a.action LIKE '%resend'`) {
		resent[key] = true
	}
	for key, n := range accepts {
		if attempts[key] < n {
			h.t.Errorf("I3: the server accepted %s %d times, the ledger has %d attempts", key, n, attempts[key])
		}
		if n > 1+unknown[key] {
			h.t.Errorf("I2: the server accepted %s %d times with %d unknown attempts", key, n, unknown[key])
		}
		if h.policy == "hold" && n > 1 && !resent[key] {
			h.t.Errorf("I2: under hold the server accepted %s %d times", key, n)
		}
	}
}

// checkAnswers holds I4: an id in the ledger is the one that the server gave to
// this chunk.
func (h *killHarness) checkAnswers() {
	given := map[string]string{}
	for _, a := range h.server.seen() {
		given[a.id] = a.key
	}
	h.query(`SELECT a.analytics_id, c.key FROM attempts a JOIN chunks c ON c.run = a.run AND c.chunk = a.chunk
		WHERE a.analytics_id IS NOT NULL`, func(rows *sql.Rows) error {
		var id, key string
		err := rows.Scan(&id, &key)
		if given[id] != key {
			h.t.Errorf("I4: the ledger has %s for chunk %s, the server gave it to %q", id, key, given[id])
		}
		return err
	})
}

// checkPlan holds I6: once a plan is committed each wanted record is in just one
// chunk or segment, and with one trigger a record no chunk has a row without an
// attempt.
func (h *killHarness) checkPlan() {
	if len(h.strings(`SELECT run_id FROM runs WHERE planned_at IS NOT NULL`)) == 0 {
		return
	}
	want := fmt.Sprint(h.wantedRecords())
	if got := h.strings(`SELECT (SELECT coalesce(sum(records), 0) FROM chunks) + (SELECT coalesce(sum(records - begun), 0) FROM segments)`); got[0] != want {
		h.t.Errorf("I6: the ledger has %s of %s records", got[0], want)
	}
	if h.mode != "records" {
		return
	}
	if got := h.strings(`SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM attempts a WHERE a.run = c.run AND a.chunk = c.chunk)`); got[0] != "0" {
		h.t.Errorf("I6: %s chunks have a row and no attempt", got[0])
	}
	if got := h.strings(`SELECT segment FROM segments s WHERE begun <>
		(SELECT count(*) FROM chunks c WHERE c.run = s.run AND c.chunk BETWEEN s.first_chunk AND s.first_chunk + s.records - 1)`); len(got) > 0 {
		h.t.Errorf("I6: segments %v miscount their chunks", got)
	}
}

// checkBodies holds I7: whatever ended in between, a key's body is the one that
// was planned, byte for byte, and its records are the source's.
func (h *killHarness) checkBodies() {
	first := map[string][]byte{}
	for _, a := range h.server.seen() {
		if was, ok := first[a.key]; ok && !bytes.Equal(was, a.body) {
			h.t.Errorf("I7: %s went out as\n%s\nand as\n%s", a.key, was, a.body)
		}
		first[a.key] = a.body
		h.checkRecords(a)
	}
	h.query(`SELECT c.key, c.body_bytes, a.body_bytes, a.body_hash FROM attempts a JOIN chunks c ON c.run = a.run AND c.chunk = a.chunk`, func(rows *sql.Rows) error {
		var key, hash string
		var planned, sent int
		if err := rows.Scan(&key, &planned, &sent, &hash); err != nil {
			return err
		}
		body, ok := first[key]
		if sum := xxh3.Hash128(body).Bytes(); ok && (hash != fmt.Sprintf("xxh3-128:%x", sum) || len(body) != planned || sent != planned) {
			h.t.Errorf("I7: chunk %s has %d bytes (%s) in the ledger and %d at the server", key, planned, hash, len(body))
		}
		return nil
	})
}

// checkRecords compares the records of one body with the source.
func (h *killHarness) checkRecords(a accepted) {
	type record struct{ ID, Day, Text, Run string }
	var body struct {
		record
		Records []record
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		h.t.Fatal(err)
	}
	list := body.Records
	if h.mode == "records" {
		list = []record{body.record}
	}
	run := ""
	if h.mapped {
		run = h.strings(`SELECT run_id FROM runs`)[0]
	}
	for i, got := range list {
		id := a.ids[i]
		if want := (record{fmt.Sprint(id), killDay(id), fmt.Sprintf("line %d,\nnext", id), run}); got != want || !h.wanted(id) {
			h.t.Errorf("I7: record %+v was sent, the source has %+v", got, want)
		}
	}
}

// checkFile holds I8: the source's file lies in just one place, whole, and is
// moved only by a run that has succeeded.
func (h *killHarness) checkFile(ended bool) {
	var found []string
	for _, pattern := range []string{"in*", "done/*", "done/.*"} {
		names, err := filepath.Glob(filepath.Join(h.dir, pattern))
		if err != nil {
			h.t.Fatal(err)
		}
		found = append(found, names...)
	}
	if len(found) != 1 {
		h.t.Fatalf("I8: the file is in %v", found)
	}
	if data, err := os.ReadFile(found[0]); err != nil || !bytes.Equal(data, h.data) {
		h.t.Errorf("I8: %s is not the file that was there: %v", found[0], err)
	}
	moved := filepath.Base(filepath.Dir(found[0])) == "done"
	if state := strings.Join(h.strings(`SELECT state FROM runs`), " "); moved && state != "succeeded" {
		h.t.Errorf("I8: the file was moved and the run is %s", state)
	}
	if ended && moved != h.move {
		h.t.Errorf("I8: in the end the file is in %v", found)
	}
}

// checkWhole holds I1: the run succeeded, and each record reached the server,
// in order within its chunk, and only in its own chunk.
func (h *killHarness) checkWhole() {
	if got := h.strings(`SELECT state FROM runs`); strings.Join(got, " ") != "succeeded" {
		h.t.Errorf("runs are %v", got)
	}
	if got := h.strings(`SELECT DISTINCT state FROM chunks`); strings.Join(got, " ") != "accepted" {
		h.t.Errorf("chunks are %v", got)
	}
	owner := map[int]string{}
	for _, a := range h.server.seen() {
		for i, id := range a.ids {
			if i > 0 && id != h.after(a.ids[i-1]) {
				h.t.Errorf("chunk %s has record %d after %d", a.key, id, a.ids[i-1])
			}
			if was, ok := owner[id]; ok && was != a.key {
				h.t.Errorf("I1: record %d is in chunks %s and %s", id, was, a.key)
			}
			owner[id] = a.key
		}
	}
	if len(owner) != h.wantedRecords() {
		h.t.Errorf("I1: %d of %d records reached the server", len(owner), h.wantedRecords())
	}
}

// after is the wanted record that follows another one.
func (h *killHarness) after(id int) int {
	for id++; !h.wanted(id); id++ {
	}
	return id
}
