package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strings"
)

// crashCase is what one round sends, and how.
type crashCase struct {
	policy  string // on_unknown
	mode    string // chunk.mode
	format  string // csv or ndjson
	packed  bool   // gzip: records go through the spool
	files   int
	records int
	bad     int  // records that become dead letters
	mapped  bool // a filter that reads the run, and a member with the run's id
	move    bool // when_done = "move:done"
	daemon  bool // some starts are 'serve'
}

// drawCase picks one. Most plans are short, so that a kill is cheap; a few have so
// many dead letters that the plan is committed in pieces.
func drawCase(r *rand.Rand, policy string) crashCase {
	c := crashCase{
		policy: policy, mode: pick(r, "chunks", "records"), format: pick(r, "csv", "csv", "ndjson"), packed: r.IntN(3) == 0,
		files: pick(r, 1, 1, 3), records: 60 + r.IntN(80), mapped: r.IntN(3) == 0, move: r.IntN(2) == 0, daemon: r.IntN(2) == 0,
	}
	switch r.IntN(10) {
	case 0:
		c.bad = 2100
	case 1, 2:
		c.bad = 1 + r.IntN(5)
	}
	return c
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (c crashCase) String() string {
	words := []string{c.policy, c.mode, c.format}
	for _, w := range []struct {
		on   bool
		word string
	}{{c.packed, "gzip"}, {c.files > 1, "several files"}, {c.bad > 0, "dead letters"}, {c.mapped, "mapped"}, {c.move, "moved"}, {c.daemon, "daemon"}} {
		if w.on {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
}

// record is one good record of the source. Its number is its id.
type record struct {
	file, line int // the physical line that it begins in, from 1
}

// sourceFile is a file of the source.
type sourceFile struct {
	name string
	data []byte
	bad  int // records that become dead letters
}

// input is the source of a round.
type input struct {
	files   []sourceFile
	records []record
}

// day is the member that mapped cases filter by.
func day(id int) string { return []string{"02", "01", "01"}[id%3] }

func text(id int) string { return fmt.Sprintf("line %d,\nnext", id) }

// wanted says whether a record is to be sent.
func (c crashCase) wanted(id int) bool { return !c.mapped || day(id) == "01" }

// input writes the files: good records in turns, the bad ones spread among them.
func (c crashCase) input() (in input, err error) {
	texts, lines, bad := make([]bytes.Buffer, c.files), make([]int, c.files), make([]int, c.files)
	if c.format == "csv" {
		for i := range texts {
			texts[i].WriteString("id,day,text\n")
			lines[i] = 1
		}
	}
	for id := range c.records {
		file := id * c.files / c.records
		in.records = append(in.records, record{file, lines[file] + 1})
		if c.format == "csv" {
			fmt.Fprintf(&texts[file], "%d,%s,\"%s\"\n", id, day(id), text(id))
			lines[file] += 2 // the text has a line end
		} else {
			fmt.Fprintf(&texts[file], `{"id":"%d","day":%q,"text":%q}`+"\n", id, day(id), text(id))
			lines[file]++
		}
		for range c.bad*(id+1)/c.records - c.bad*id/c.records {
			texts[file].WriteString(map[string]string{"csv": "bad\n", "ndjson": "{\n"}[c.format])
			lines[file]++
			bad[file]++
		}
	}
	for i := range texts {
		f := sourceFile{fmt.Sprintf("in-%d.%s", i, c.format), texts[i].Bytes(), bad[i]}
		if c.packed {
			if f, err = gzipped(f); err != nil {
				return in, err
			}
		}
		in.files = append(in.files, f)
	}
	return in, nil
}

func gzipped(f sourceFile) (sourceFile, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(f.data); err != nil {
		return f, err
	}
	if err := w.Close(); err != nil {
		return f, err
	}
	return sourceFile{f.name + ".gz", out.Bytes(), f.bad}, nil
}

// Names that a configuration, a command and the checks share.
const (
	keyVariable = "WORQHAT_API_KEY"
	key         = "wh_canary_7f3a9c51e2" // must be in no file and in no output
	flowID      = "f825ab82-371f-40cb-9bed-b325531ead4a"
	schedule    = "big"
	ledgerName  = "worqcron.db"
	maxInFlight = 3

	// slot is not due yet, so that the daemon goes on with its run at any age and
	// begins no other. Its day is what mapped cases send.
	slot = "2099-01-01"
)

// configuration is schedules.toml.
func (c crashCase) configuration(url string) string {
	path, options := "in-*."+c.format, ""
	if c.packed {
		path += ".gz"
	}
	if c.mapped {
		options += `, where = "day == strftime(scheduled_for, '%d')", set = { run = "run_id" }`
	}
	if c.move {
		options += `, when_done = "move:done"`
	}
	return fmt.Sprintf(`[worqhat]
base_url = %q
rate = "off"
max_in_flight = %d
[dashboard]
listen = ""
[schedules.%s]
cron = "0 0 1 1 *"
flow_id = %q
source = { path = %q, max_bad = 1000000%s }
chunk = { mode = %q, max_bytes = "1kB", max_records = 4 }
delivery = { on_unknown = %q }
`, url, maxInFlight, schedule, flowID, path, options, c.mode, c.policy)
}
