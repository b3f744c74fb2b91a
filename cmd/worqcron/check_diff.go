package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"worqcron/config"
	"worqcron/store"
)

// diffJSON is what a reload would change, for programs.
type diffJSON struct {
	LoadedAt  *time.Time         `json:"loaded_at"` // when the daemon loaded what the file is compared with; null: never
	Settings  []config.KeyChange `json:"settings"`  // of all schedules together
	Schedules []changeJSON       `json:"schedules"` // those that differ

	text []string // the same for a person
}

// diffOf compares a file with what the daemon loaded last. r is nil where there is no
// ledger.
func diffOf(ctx context.Context, r *store.Reader, c *config.Config) (*diffJSON, error) {
	d := &diffJSON{Settings: []config.KeyChange{}, Schedules: []changeJSON{}}
	if r == nil {
		return d, nil
	}
	text, at, ok, err := r.Loaded(ctx)
	if err != nil || !ok {
		return d, err
	}
	old, err := config.Restore(c.File, text)
	if err != nil {
		var invalid *config.Invalid
		if errors.As(err, &invalid) {
			err = fmt.Errorf("this program does not understand all that the daemon loaded (%s): is it of another version?\n  hint: restart the daemon", invalid.Errors[0].Message)
		}
		return nil, err
	}
	d.LoadedAt = &at
	now := time.Now()
	general, list := config.Difference(old, c)
	d.Settings = append(d.Settings, general...)
	for _, k := range general {
		d.text = append(d.text, fmt.Sprintf("%s %s → %s", k.Key, shownValue(k.Old), shownValue(k.New)))
	}
	for i := range list {
		j := changeOf(&list[i], now)
		d.Schedules = append(d.Schedules, j)
		d.text = append(d.text, j.lines(&list[i], now)...)
	}
	return d, nil
}

// lines say a change to a person.
func (j *changeJSON) lines(c *config.Change, now time.Time) []string {
	head := j.Schedule + ": " + j.Change
	if j.RenamedFrom != "" {
		head += " from " + j.RenamedFrom
	}
	lines := []string{head}
	for i := range j.Keys {
		lines = append(lines, "    "+keysText(j.Keys[i:i+1], true))
	}
	if text := j.slotsText(c, now); text != "" {
		for _, part := range strings.Split(text, "; ") {
			lines = append(lines, "    "+part)
		}
	}
	return lines
}

func (p *program) printDiff(d *diffJSON) {
	if d.LoadedAt == nil {
		fmt.Fprintln(p.out, "no daemon has loaded a configuration yet")
		return
	}
	for _, line := range d.text {
		fmt.Fprintln(p.out, line)
	}
	since := d.LoadedAt.Local().Format(localLayout)
	if len(d.text) == 0 {
		fmt.Fprintf(p.out, "nothing differs from what the daemon loaded %s\n", since)
	} else {
		fmt.Fprintf(p.out, "compared with what the daemon loaded %s\n", since)
	}
}
