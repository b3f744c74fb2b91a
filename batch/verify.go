package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"worqcron/store"
)

// Check is one thing that Verify looked at.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`   // it was looked at as a whole, and nothing is wrong
	Made   bool   `json:"made"` // false: some of it could not be looked at; the rest is right
	Detail string `json:"detail"`
}

// VerifyOptions say how a run is verified.
type VerifyOptions struct {
	Workers  int // goroutines that parse
	Progress *Progress
}

// Verify proves a stored run against itself and against its source, as of one
// instant: that the receipt balances, that each record of each file is in one
// place of the ledger, that chunks give the bytes that went out. It sends nothing
// and writes nothing. What it finds is in the checks; an error means that it could
// not go on.
func Verify(ctx context.Context, r *store.Reader, run *store.Run, o VerifyOptions) (list []Check, err error) {
	err = r.View(ctx, func(v *store.View) error {
		now, err := v.Run(ctx, run.ID)
		if err != nil {
			return err
		}
		if now.State == store.Planning {
			return fmt.Errorf("run %s is still being planned\n  hint: verify it when it delivers", now.Name())
		}
		f := &verifier{view: v, run: now}
		if err := errors.Join(f.receipt(ctx), f.ledger(ctx), f.keys(ctx)); err != nil {
			return err
		}
		if err := f.source(ctx, o); err != nil {
			return err
		}
		for _, c := range f.list {
			list = append(list, c.result())
		}
		return nil
	})
	return list, err
}

// verifier verifies one run.
type verifier struct {
	view *store.View
	run  *store.Run
	list []*checking
}

// checking is a check under way.
type checking struct {
	name     string
	right    string // what to say if nothing is wrong; "": how many things are right
	noun     string // what those are
	proved   int64
	wrong    int64
	examples []string
	missed   []string // why some of it could not be looked at
}

func (f *verifier) check(name, right string) *checking {
	c := &checking{name: name, right: right}
	f.list = append(f.list, c)
	return c
}

func (f *verifier) checkEach(name, noun string) *checking {
	c := f.check(name, "")
	c.noun = noun
	return c
}

const maxExamples = 5

func (c *checking) fail(format string, args ...any) {
	c.wrong++
	if len(c.examples) < maxExamples {
		c.examples = append(c.examples, fmt.Sprintf(format, args...))
	}
}

func (c *checking) miss(format string, args ...any) {
	if len(c.missed) < maxExamples {
		c.missed = append(c.missed, fmt.Sprintf(format, args...))
	}
}

func (c *checking) result() Check {
	r := Check{Name: c.name, OK: c.wrong == 0 && len(c.missed) == 0, Made: c.wrong > 0 || len(c.missed) == 0}
	switch {
	case c.wrong > 0:
		r.Detail = strings.Join(c.examples, "; ")
		if more := c.wrong - int64(len(c.examples)); more > 0 {
			r.Detail += fmt.Sprintf("; and %d more", more)
		}
	case len(c.missed) > 0:
		r.Detail = strings.Join(c.missed, "; ")
	case c.right != "":
		r.Detail = c.right
	default:
		r.Detail = counted(c.proved, c.noun)
	}
	return r
}

// receipt computes the receipt anew and compares it with the stored one.
func (f *verifier) receipt(ctx context.Context) error {
	now, err := f.view.Receipt(ctx, f.run)
	if err != nil {
		return err
	}
	balance := f.check("receipt balances", fmt.Sprintf("%d records read", now.Records.Read))
	if !now.Balanced {
		balance.fail("the records do not add up to the %d that were read: %+v", now.Records.Read, now.Records)
	}
	stored := f.check("receipt as stored", "it is what was computed when the run ended")
	text, err := f.view.StoredReceipt(ctx, f.run.ID)
	switch {
	case err != nil:
		return err
	case !f.run.State.Ended():
		stored.right = "the run goes on, so none is stored"
		return nil
	case text == "":
		stored.right = "none is stored: its chunks changed since it ended, or it was cut short; it is counted"
		return nil
	}
	var then store.Receipt
	if err := json.Unmarshal([]byte(text), &then); err != nil {
		stored.fail("it is no JSON: %v", err)
		return nil
	}
	for _, c := range []struct {
		what      string
		then, now any
	}{
		{"status", then.Status, now.Status},
		{"chunks", then.Chunks, now.Chunks},
		{"records", then.Records, now.Records},
		{"bytes", then.Bytes, now.Bytes},
		{"attempts", then.Attempts, now.Attempts},
		{"balanced", then.Balanced, now.Balanced},
	} {
		if c.then != c.now {
			stored.fail("%s: stored is %+v, computed %+v", c.what, c.then, c.now)
		}
	}
	return nil
}

// ledger holds the rows of the run against the ledger's rules.
func (f *verifier) ledger(ctx context.Context) error {
	list, err := f.view.CheckLedger(ctx, f.run.ID)
	for _, l := range list {
		c := f.check(l.Name, l.Rule)
		c.wrong, c.examples = l.Broken, l.Examples
	}
	return err
}

// keys makes the key of each chunk anew.
func (f *verifier) keys(ctx context.Context) (err error) {
	c := f.checkEach("keys", "key")
	keys, err := f.view.ChunkKeys(ctx, f.run.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.Close()) }()
	for {
		k, ok, err := keys.Next()
		if !ok {
			return err
		}
		if want := chunkKey(f.run, k.Hash, k.Chunk); k.Key != want {
			c.fail("chunk %d has the key %s instead of %s", k.Chunk, k.Key, want)
			continue
		}
		c.proved += k.Chunks
	}
}
