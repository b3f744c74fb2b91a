package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"
)

// plan is one half of I1: once a plan is committed, each wanted record is in just
// one chunk or segment, and each bad one is a dead letter.
func (c *checking) plan() {
	l := c.ledger
	if len(l.runs) == 0 || !l.runs[0].planned {
		return
	}
	records := 0
	var places []lines
	for _, row := range l.chunks {
		if row.state == "split" { // its records are in the chunks that it was split into
			continue
		}
		records += row.records
		places = append(places, row.ranges...)
		if c.mode == "records" && row.row && len(row.attempts) == 0 {
			c.problem("I1: chunk %d has a row and no attempt", row.chunk)
		}
	}
	for _, s := range l.segments {
		if s.begun != s.rows {
			c.problem("I1: the segment from chunk %d on counts %d chunks with a row, there are %d", s.first, s.begun, s.rows)
		}
	}
	if want := c.wantedRecords(); records != want {
		c.problem("I1: the ledger has %d of %d records", records, want)
	}
	if len(l.dead) != c.bad {
		c.problem("I1: %d dead letters of %d bad records", len(l.dead), c.bad)
	}
	slices.SortFunc(places, func(a, b lines) int {
		if a.path != b.path {
			return strings.Compare(a.path, b.path)
		}
		return a.first - b.first
	})
	for i := 1; i < len(places); i++ {
		if a, b := places[i-1], places[i]; a.path == b.path && b.first <= a.last {
			c.problem("I1: chunks overlap: %s has lines %d to %d and %d to %d", a.path, a.first, a.last, b.first, b.last)
		}
	}
}

func (c *checking) wantedRecords() (n int) {
	for id := range c.records {
		if c.wanted(id) {
			n++
		}
	}
	return n
}

// bodies holds that a chunk's body is the one that was planned, byte for byte,
// whatever ended in between, and that its records are the source's.
func (c *checking) bodies() {
	for key, list := range c.byKey {
		row := c.ledger.byKey[key]
		if row == nil {
			continue // I3 says so
		}
		for _, t := range list[1:] {
			if !bytes.Equal(t.body, list[0].body) {
				c.problem("I1: chunk %d went out as\n%s\nand as\n%s", row.chunk, list[0].body, t.body)
			}
		}
		body := list[0].body
		hash := fmt.Sprintf("xxh3-128:%x", xxh3.Hash128(body).Bytes())
		for _, a := range row.attempts {
			if a.hash != hash || a.bytes != len(body) || row.row && row.bytes != len(body) {
				c.problem("I3: chunk %d has %d bytes planned, %d (%s) in an attempt, and %d (%s) at the server", row.chunk, row.bytes, a.bytes, a.hash, len(body), hash)
			}
		}
		if want := c.idsOf(row); !slices.Equal(list[0].IDs, want) {
			c.problem("I1: the body of chunk %d has the records %v, its place in the source has %v", row.chunk, list[0].IDs, want)
		}
		c.contents(row, list[0])
	}
}

// idsOf are the wanted records in the lines that a chunk has in the ledger.
func (c *checking) idsOf(row *chunkRow) (ids []int) {
	for _, g := range row.ranges {
		for id, rec := range c.input.records {
			if c.input.files[rec.file].name == g.path && g.first <= rec.line && rec.line <= g.last && c.wanted(id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// contents compares the members of each record with the source.
func (c *checking) contents(row *chunkRow, t trigger) {
	type member struct{ ID, Day, Text, Run string }
	var body struct {
		member
		Records []member
	}
	if err := json.Unmarshal(t.body, &body); err != nil {
		c.problem("I1: the body of chunk %d: %v", row.chunk, err)
		return
	}
	list := body.Records
	if c.mode == "records" {
		list = []member{body.member}
	}
	run := ""
	if c.mapped {
		run = c.ledger.runs[0].runID
	}
	for i, got := range list {
		id := t.IDs[i]
		if want := (member{fmt.Sprint(id), day(id), text(id), run}); got != want {
			c.problem("I1: record %+v was sent, the source has %+v", got, want)
		}
	}
}

// files holds that each file of the source lies in just one place, whole, and was
// moved only when all of it was accepted.
func (c *checking) files(ended bool) error {
	for i, f := range c.input.files {
		var found []string
		for _, folder := range []string{"", "done"} {
			path := filepath.Join(c.state, folder, f.name)
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if !bytes.Equal(data, f.data) {
				c.problem("%s is not the file that was there", path)
			}
			found = append(found, folder)
		}
		if len(found) != 1 {
			c.problem("%s is in the folders %q", f.name, found)
			continue
		}
		moved, whole := found[0] == "done", c.isWhole(i)
		if moved && (!c.move || !whole) {
			c.problem("%s was moved although not all of it was accepted", f.name)
		}
		if ended && whole && moved != c.move {
			c.problem("%s is in the folder %q although the run has ended", f.name, found[0])
		}
	}
	return nil
}

// isWhole says whether the server accepted all that was wanted of a file.
func (c *checking) isWhole(file int) bool {
	if c.input.files[file].bad > 0 {
		return false
	}
	accepted := map[int]bool{}
	for _, t := range c.seen {
		row := c.ledger.byKey[t.Key]
		for _, id := range t.IDs {
			accepted[id] = accepted[id] || t.given.accepts && row != nil && row.state == "accepted"
		}
	}
	for id, rec := range c.input.records {
		if rec.file == file && c.wanted(id) && !accepted[id] {
			return false
		}
	}
	return true
}

// whole is the other half of I1, at the end: each wanted record was accepted in
// just one chunk, or its chunk was refused; and the run says so. A chunk that was
// too large gave its records to its two parts.
func (c *checking) whole() {
	owner := map[int]string{}
	for _, t := range c.seen {
		if row := c.ledger.byKey[t.Key]; row != nil && row.state == "split" {
			continue
		}
		for _, id := range t.IDs {
			if was, ok := owner[id]; ok && was != t.Key {
				c.problem("I1: record %d went out in the chunks %s and %s", id, was, t.Key)
			}
			owner[id] = t.Key
		}
	}
	failed := 0
	for id := range c.records {
		if !c.wanted(id) {
			if owner[id] != "" {
				c.problem("I1: record %d was filtered and sent", id)
			}
			continue
		}
		row := c.ledger.byKey[owner[id]]
		switch {
		case row == nil:
			c.problem("I1: record %d never reached the server: lost", id)
		case row.state == "failed":
			failed++
		case row.state != "accepted": // "accepted" was held against the server's log
			c.problem("I1: the run has ended and record %d is in the %s chunk %d: lost", id, row.state, row.chunk)
		}
	}
	want := "succeeded"
	if failed > 0 || c.bad > 0 {
		want = "partial"
	}
	if got := c.ledger.runs[0]; got.state != want {
		c.problem("I1: the run is %s (%s) with %d records failed and %d bad, it should be %s", got.state, got.reason, failed, c.bad, want)
	}
}
