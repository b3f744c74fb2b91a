package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// check holds the ledger against the server's log, after each start: the
// invariants I1 to I7 and I9 of docs/reliability.md. ended says that the run came
// to rest.
func (r *round) check(ctx context.Context, ended bool) error {
	l, problems, err := readLedger(ctx, r.state)
	if err != nil {
		return err
	}
	r.ledger = l
	c := &checking{round: r, ledger: l, seen: r.server.triggers(), problems: append(problems, r.server.complaints()...)}
	if err := c.secret(); err != nil {
		return err
	}
	if l == nil {
		if len(c.seen) > 0 || ended {
			c.problem("I3: %d triggers were sent and there is no ledger", len(c.seen))
		}
		return c.verdict()
	}
	c.group()
	c.slots()
	c.accepts()
	c.attempts()
	c.answers()
	c.plan()
	c.bodies()
	if err := c.files(ended); err != nil {
		return err
	}
	if ended {
		c.whole()
	}
	return c.verdict()
}

// checking is one check.
type checking struct {
	*round
	ledger   *ledger
	seen     []trigger
	byKey    map[string][]trigger
	problems []string
}

func (c *checking) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *checking) verdict() error {
	if len(c.problems) == 0 {
		return nil
	}
	const most = 10
	list := c.problems
	if len(list) > most {
		list = append(slices.Clone(list[:most]), fmt.Sprintf("and %d more", len(list)-most))
	}
	return errors.New(strings.Join(list, "\n"))
}

func (c *checking) group() {
	c.byKey = map[string][]trigger{}
	for _, t := range c.seen {
		c.byKey[t.Key] = append(c.byKey[t.Key], t)
	}
}

// slots is I6.
func (c *checking) slots() {
	if n := len(c.ledger.runs); n > 1 || c.ledger.slots != n {
		c.problem("I6: %d runs and %d slots where there is one slot", n, c.ledger.slots)
	}
}

// accepts is I2, and I3 by number: each trigger that the server saw is an attempt
// that may have been sent, and none was sent more often than the policy allows.
func (c *checking) accepts() {
	for key, list := range c.byKey {
		row := c.ledger.byKey[key]
		if row == nil {
			c.problem("I3: the server saw %d triggers with the key %s, which the ledger does not know", len(list), key)
			continue
		}
		accepts, may, unknown := acceptsOf(list), 0, row.unknown()
		for _, a := range row.attempts {
			if a.outcome != "not_sent" {
				may++
			}
		}
		if len(list) > may {
			c.problem("I3: the server saw chunk %d %d times, the ledger has %d attempts that may have arrived", row.chunk, len(list), may)
		}
		if accepts > 1+unknown {
			c.problem("I2: chunk %d was accepted %d times with %d unknown attempts", row.chunk, accepts, unknown)
		}
		if c.policy == "hold" && accepts > 1 { // only what did not run is resolved as resend
			c.problem("I2: under hold chunk %d was accepted %d times", row.chunk, accepts)
		}
		byItself := map[string]int{"hold": 1, "resend": 2}[c.policy]
		if unknown > byItself+row.resends {
			c.problem("I2: under %s chunk %d has %d unknown attempts, and %d decisions to send it again", c.policy, row.chunk, unknown, row.resends)
		}
	}
}

func acceptsOf(list []trigger) (n int) {
	for _, t := range list {
		if t.given.accepts {
			n++
		}
	}
	return n
}

// unknown counts attempts that may have been accepted without anybody knowing.
func (c *chunkRow) unknown() (n int) {
	for _, a := range c.attempts {
		if a.outcome == "unknown" || a.outcome == "" {
			n++
		}
	}
	return n
}

// attempts holds each outcome, and each chunk's state, against what the server did.
func (c *checking) attempts() {
	for _, row := range c.ledger.chunks {
		list := c.byKey[row.key]
		said := map[int]int{} // definite answers by status
		for _, t := range list {
			said[t.given.status]++
		}
		had := map[string]int{}
		for _, a := range row.attempts {
			had[a.outcome]++
			if a.outcome != "" && a.status != 0 && said[a.status] == 0 {
				c.problem("I4: chunk %d has an attempt with status %d, the server never gave it", row.chunk, a.status)
			}
		}
		accepts := acceptsOf(list)
		if had["accepted"]+had["accepted_no_id"] > accepts {
			c.problem("I1: chunk %d has %d accepted attempts, the server accepted it %d times: lost", row.chunk, had["accepted"]+had["accepted_no_id"], accepts)
		}
		switch row.state {
		case "accepted":
			if accepts == 0 {
				c.problem("I1: chunk %d is accepted, the server never accepted it: lost", row.chunk)
			}
		case "failed":
			if said[400]+said[413]+said[200]-accepts <= 0 && had["refused"]+had["flow_failed"] == 0 {
				c.problem("I1: chunk %d failed, the server never refused it", row.chunk)
			}
		case "unknown":
			if row.unknown() == 0 {
				c.problem("I1: chunk %d is unknown without an unknown attempt", row.chunk)
			}
		}
		if row.state != "accepted" && accepts > row.unknown() {
			c.problem("I4: chunk %d is %s, the server accepted it %d times, %d attempts are unknown", row.chunk, row.state, accepts, row.unknown())
		}
	}
}

// answers is I4: what the program was told while it lived is stored as told. A kill
// may cost what the workers had in hand, and no more.
func (c *checking) answers() {
	stored := map[string]string{}
	for _, row := range c.ledger.chunks {
		for _, a := range row.attempts {
			if a.id == "" {
				continue
			}
			if stored[a.id] != "" {
				c.problem("I4: two attempts have the id %s", a.id)
			}
			stored[a.id] = row.key
		}
	}
	missing := map[int]int{}
	given := map[string]bool{}
	for _, t := range c.seen {
		given[t.ID] = true
		if t.ID != "" && stored[t.ID] != "" && stored[t.ID] != t.Key {
			c.problem("I4: the ledger has %s for the chunk %s, the server gave it to %s", t.ID, stored[t.ID], t.Key)
		}
		if !t.answered || c.isStored(t, stored) {
			continue
		}
		if missing[t.Start]++; c.ends[t.Start] {
			c.problem("I4: the answer %q (%s) to %s was received by start %d and is not stored", t.Answer, t.ID, t.Key, t.Start)
		}
	}
	for start, n := range missing {
		if n > maxInFlight {
			c.problem("I4: start %d lost %d answers, at most %d were in hand", start, n, maxInFlight)
		}
	}
	for id, key := range stored {
		if !given[id] {
			c.problem("I4: the ledger has %s for %s, the server never gave it", id, key)
		}
	}
}

// isStored says whether an answer has its attempt: by its id, else by its status.
func (c *checking) isStored(t trigger, stored map[string]string) bool {
	if t.ID != "" {
		return stored[t.ID] == t.Key
	}
	row := c.ledger.byKey[t.Key]
	return row != nil && slices.ContainsFunc(row.attempts, func(a attemptRow) bool { return a.status == t.given.status })
}

// secret is I7: the key is in no file.
func (c *checking) secret() error {
	var files []string
	err := filepath.WalkDir(c.state, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	for _, path := range files {
		data, readErr := os.ReadFile(path)
		if err = errors.Join(err, readErr); bytes.Contains(data, []byte(key)) {
			c.problem("I7: the key is in %s", path)
		}
	}
	return err
}
