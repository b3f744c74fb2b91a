// Package config reads schedules.toml into the plain options of the packages
// that do the work.
//
// A file is read in three steps. It is parsed into a tree that remembers where
// each key and value stood (document.go). The tree is read by one table of keys
// (keys.go, keys_schedule.go), which holds for each key its type, its default
// and its sentence of documentation; docs/configuration.md is made from it. Then
// what several keys decide together is checked: the cron expression with its
// zone, the payload with the names of the body's members (finish.go).
//
// It decides what a file may say, and what is assumed where it says nothing. It
// does not read sources, keys or the ledger: Load only looks whether they are
// there. Invariants: every mistake of a file is reported at once, each with line,
// column and, where there is one, a hint; a Config is complete and consistent,
// so that those who use its parts need no checks; what is missing on the
// machine (a folder, a key) is a warning, because it fails the run and not the
// file; no message holds a key.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"worqcron/alert"
	"worqcron/batch"
	"worqcron/notify"
	"worqcron/scheduler"
	"worqcron/worqhat"
)

// Config is a whole, valid configuration.
type Config struct {
	File      string // as it was given
	WorqHat   worqhat.Options
	Ledger    Ledger
	Notify    Notify
	Schedules []Schedule // by name
	Warnings  []Problem

	Settings  []Setting           // what the file sets of [worqhat] and [ledger]
	Calendars map[string][]string // their days, sorted
	restored  bool                // it comes from Text, and has no secrets
}

// Ledger is the [ledger] table.
type Ledger struct {
	Path       string        // absolute
	KeepBodies int64         // bytes of disk for the bodies of unknown and failed chunks
	Retain     time.Duration // how long runs stay after their end; 0: for ever
}

// Schedule is one [schedules.NAME]: when, and what.
type Schedule struct {
	scheduler.Schedule
	Cron       string // as written; "" with At, After or OnArrival
	At         string // as written; "" with Cron, After or OnArrival
	Timezone   string
	After      string // the schedule whose success makes it due; "": its times do
	AfterAny   bool   // any end of that one's runs but failed and stopped will do
	OnArrival  bool   // files make its slots, and its Spec has none
	Paused     bool   // by the file; the command is the ledger's matter
	PausedNote string // why, in the person's own words
	Job        batch.Job

	// Due is the times that its slots can have: those of Spec, or with After, where
	// Spec is zero, of the first schedule of its chain.
	Due scheduler.Spec

	Expect       alert.Expect
	Heartbeat    notify.URL // zero: none, or it is in HeartbeatEnv
	HeartbeatEnv string     // the variable that holds it; ""
	Settings     []Setting  // what the file sets of it, also in [defaults]
	renamedAt    Problem    // where renamed_from stands
}

const (
	localFile  = "schedules.toml"
	systemFile = "/etc/worqcron/schedules.toml"

	// maxFileBytes is far beyond any sensible configuration: 10,000 schedules take
	// two to five megabytes.
	maxFileBytes = 16 << 20
)

// Find decides which file to load: the one of the flag if it is not empty, else
// ./schedules.toml, else /etc/worqcron/schedules.toml.
func Find(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	for _, file := range []string{localFile, systemFile} {
		_, err := os.Stat(file)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for the configuration: %w", err)
		}
	}
	return "", fmt.Errorf("no configuration: neither ./%s nor %s exists; name a file with --config FILE, or copy schedules.example.toml to ./%s",
		localFile, systemFile, localFile)
}

// Load reads and checks a file, and looks at what it names on this machine. If
// the file was read but is wrong, the error is an *Invalid with all mistakes.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	r, err := newReader(path, data)
	if err != nil {
		return nil, err
	}
	r.read()
	r.lookAround()
	return r.result()
}

// Parse is Load without a look at the machine, for data that need not be a file.
// file names it in messages, and relative paths start at its folder.
func Parse(file string, data []byte) (*Config, error) {
	r, err := newReader(file, data)
	if err != nil {
		return nil, err
	}
	r.read()
	return r.result()
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close() // read only: nothing can be lost
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("read the configuration: %s is larger than %d bytes; is it the right file?", path, maxFileBytes)
	}
	return data, nil
}

// Schedule finds a schedule by its name.
func (c *Config) Schedule(name string) (Schedule, bool) {
	i, ok := slices.BinarySearchFunc(c.Schedules, name, func(s Schedule, name string) int { return cmp.Compare(s.Name, name) })
	if !ok {
		return Schedule{}, false
	}
	return c.Schedules[i], true
}

// Nearest is the schedule's name that was most likely meant, for "did you mean";
// "" if none is close.
func (c *Config) Nearest(name string) string {
	names := make([]string, len(c.Schedules))
	for i, s := range c.Schedules {
		names[i] = s.Name
	}
	return nearest(strings.ToLower(name), names)
}

// folder is the absolute folder of a configuration file, where relative paths
// start.
func folder(file string) (string, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("find the folder of %s: %w", file, err)
	}
	return filepath.Dir(path), nil
}
