package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"

	"github.com/spf13/cobra"

	"worqcron/batch"
	"worqcron/store"
)

// exportFlags are the flags of 'export'.
type exportFlags struct {
	format        string
	file          string
	force, ranges bool
	dead          bool
}

func newExport(p *program) *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use:   "export RUN",
		Short: "one line a record: what became of it; or the dead ones, to be mended",
		Long: `export prints a line for each record that a run read, by file and line, as of one
instant: accepted, failed, dead, filtered, unchanged, unknown or pending, with its
chunk, the chunk's key and WorqHat's id. RUN is a run's id or name; a schedule's
name is its latest run.

The ledger has ranges of lines; which line is which record, and which records were
filtered or unchanged, is read from the source again. A file that is not there any
more as the run read it gives a line a range, with the number of its records
('records'), and one line for those that were left out. So do all files with
--ranges, which reads none of them. The records of all lines add up to what the
run read, or export fails.

With --dead the dead records are written as they lie in their file, behind its
header, unpacked and in UTF-8. With -o FILE their reasons are in FILE.reasons.csv,
each with the line of FILE that it is about. Mend FILE outside of the folder that
the schedule reads, and move it there: it is read with the same options. Records
of a JSON document are written one after the other.

Cells of CSV that a spreadsheet would take for a formula begin with an apostrophe;
the dead records themselves are left as they are.`,
		Example: `  worqcron export orders > orders-report.csv
  worqcron export orders@2026-11-24T02:30 --format ndjson -o report.ndjson
  worqcron export orders --dead -o mend/orders.csv`,
		Args: exactly("RUN"),
		RunE: func(c *cobra.Command, args []string) error {
			if p.json && !c.Flags().Changed("format") {
				f.format = "ndjson"
			}
			switch {
			case f.format != "csv" && f.format != "ndjson":
				return usageError{fmt.Errorf("export: --format %s: use csv or ndjson", f.format)}
			case f.dead && (c.Flags().Changed("format") || f.ranges):
				return usageError{errors.New("export: --dead has the format of the source, so it goes without --format and --ranges")}
			case f.force && f.file == "":
				return usageError{errors.New("export: --force needs -o FILE")}
			}
			return p.export(c.Context(), args[0], f)
		},
	}
	c.Flags().StringVar(&f.format, "format", "csv", "csv or ndjson")
	c.Flags().StringVarP(&f.file, "output", "o", "", "write to `FILE`, which is there whole or not at all")
	c.Flags().BoolVar(&f.force, "force", false, "replace FILE if it exists")
	c.Flags().BoolVar(&f.ranges, "ranges", false, "one line a range, from the ledger alone")
	c.Flags().BoolVar(&f.dead, "dead", false, "the dead records themselves, to be mended and fed in again")
	return c
}

func (p *program) export(ctx context.Context, name string, f exportFlags) (err error) {
	r, err := p.mustRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	run, err := findShown(ctx, r, name)
	if err != nil {
		return err
	}
	if f.dead {
		return p.exportDead(ctx, r, run, f)
	}
	if f.file == "" {
		return p.exportTo(ctx, p.out, r, run, f)
	}
	out, err := createOutput(f.file, f.force)
	if err != nil {
		return err
	}
	return out.commit(p.exportTo(ctx, out, r, run, f))
}

// exportTo writes a line a record.
func (p *program) exportTo(ctx context.Context, w io.Writer, r *store.Reader, run *store.Run, f exportFlags) error {
	buf := bufio.NewWriterSize(w, 256<<10)
	appendLine := appendLineJSON
	if f.format == "csv" {
		appendLine = appendLineCSV
		if _, err := buf.WriteString(exportHeader); err != nil {
			return err
		}
	}
	progress := &batch.Progress{}
	hide := p.showReading(progress)
	var line []byte
	notes, err := batch.Export(ctx, r, run, batch.ExportOptions{Ranges: f.ranges, Workers: runtime.GOMAXPROCS(0), Progress: progress}, func(l *batch.ExportLine) (err error) {
		if line, err = appendLine(line[:0], l); err != nil {
			return err
		}
		_, err = buf.Write(line)
		return err
	})
	hide()
	for _, note := range notes {
		fmt.Fprintln(p.err, note)
	}
	return errors.Join(err, buf.Flush())
}

const exportHeader = "path,line,last_line,records,chunk,key,outcome,reason,analytics_id,remote_status\n"

func appendLineCSV(b []byte, l *batch.ExportLine) ([]byte, error) {
	number := func(n int64) {
		if n != 0 {
			b = strconv.AppendInt(b, n, 10)
		}
		b = append(b, ',')
	}
	b = append(appendCell(b, l.Path), ',')
	number(l.Line)
	number(l.LastLine)
	b = append(strconv.AppendInt(b, l.Records, 10), ',')
	number(l.Chunk)
	for i, text := range []string{l.Key, l.Outcome, l.Reason, l.AnalyticsID, l.RemoteStatus} {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(b, text)
	}
	return append(b, '\n'), nil
}

// exportJSON is a line of an export for programs.
type exportJSON struct {
	Path         string `json:"path"`
	Line         int64  `json:"line,omitempty"` // left out: somewhere in the file
	LastLine     int64  `json:"last_line,omitempty"`
	Records      int64  `json:"records"`
	Chunk        int64  `json:"chunk,omitempty"`
	Key          string `json:"key,omitempty"`
	Outcome      string `json:"outcome"`
	Reason       string `json:"reason,omitempty"`
	AnalyticsID  string `json:"analytics_id,omitempty"`
	RemoteStatus string `json:"remote_status,omitempty"`
}

func appendLineJSON(b []byte, l *batch.ExportLine) ([]byte, error) {
	text, err := json.Marshal(exportJSON(*l))
	return append(append(b, text...), '\n'), err
}
