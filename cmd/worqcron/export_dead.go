package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"worqcron/batch"
	"worqcron/source"
	"worqcron/store"
)

// exportDead writes the dead records of a run as files that can be mended.
func (p *program) exportDead(ctx context.Context, r *store.Reader, run *store.Run, f exportFlags) error {
	d := &deadFiles{program: p, flags: f, names: map[batch.DeadKind]string{}}
	report, err := batch.ExportDead(ctx, r, run, batch.DeadOutput{Open: d.open, Wrote: d.wrote})
	if err == nil && report.Written == 0 && report.Missing > 0 {
		err = fmt.Errorf("%s\n  hint: worqcron export %s lists each dead record with its place and reason", strings.Join(report.Why, "\n"), run.Name())
	}
	if err := d.commit(err); err != nil {
		return err
	}
	if report.Written == 0 {
		fmt.Fprintf(p.err, "run %s has no dead record\n", run.Name())
		return nil
	}
	for i, name := range d.order {
		fmt.Fprintf(p.err, "%s: %s\n", name, count(d.counts[i], "dead record"))
	}
	for _, hint := range append(report.Hints, d.hints...) {
		fmt.Fprintf(p.err, "  hint: %s\n", hint)
	}
	if report.Missing > 0 {
		return exitError{exitUnsettled, errors.New(strings.Join(report.Why, "\n"))}
	}
	return nil
}

// deadFiles are the files that dead records go to: one a kind, and one with their
// reasons. Without -o FILE the records go to stdout and the reasons to stderr.
type deadFiles struct {
	*program
	flags   exportFlags
	files   []*outputFile
	buffers []*bufio.Writer
	names   map[batch.DeadKind]string
	order   []string
	counts  []int64
	reasons *bufio.Writer
	hints   []string
}

func (d *deadFiles) create(name string) (*bufio.Writer, error) {
	f, err := createOutput(name, d.flags.force)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriter(f)
	d.files, d.buffers = append(d.files, f), append(d.buffers, w)
	return w, nil
}

// open begins the file for a kind: FILE, then FILE with -2, -3, … before its
// ending.
func (d *deadFiles) open(kind batch.DeadKind) (io.Writer, error) {
	n := len(d.names) + 1
	if d.flags.file == "" {
		if n > 1 {
			return nil, usageError{errors.New("the dead records are of files with different headers or formats, which cannot be one file\n  hint: -o FILE makes several")}
		}
		d.names[kind] = "-"
		w := bufio.NewWriter(d.out)
		d.buffers = append(d.buffers, w)
		return w, nil
	}
	name := d.flags.file
	end := filepath.Ext(name)
	if n == 1 {
		var err error
		if d.reasons, err = d.create(name + ".reasons.csv"); err != nil {
			return nil, err
		}
		if _, err := d.reasons.WriteString("path,line,column,reason,detail,file,file_line\n"); err != nil {
			return nil, err
		}
	} else {
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, end), n, end)
	}
	if end != kind.Ending && kind.Ending != "" {
		d.hints = append(d.hints, fmt.Sprintf("%s: its source's name ends in %s, by which its format may be known", name, kind.Ending))
	}
	if kind.Format == source.FormatJSON {
		d.hints = append(d.hints, name+": its records are JSON documents one after the other")
	}
	d.names[kind] = name
	d.order, d.counts = append(d.order, name), append(d.counts, 0)
	return d.create(name)
}

// wrote takes note of a record.
func (d *deadFiles) wrote(kind batch.DeadKind, at batch.DeadPlace) error {
	if d.reasons == nil {
		_, err := fmt.Fprintf(d.err, "%s:%d:%d: %s (%s)\n", at.Path, at.Line, at.Column, at.Detail, at.Reason)
		return err
	}
	name := d.names[kind]
	for i := range d.order {
		if d.order[i] == name {
			d.counts[i]++
		}
	}
	b := append(appendCell(nil, at.Path), ',')
	b = append(strconv.AppendInt(b, at.Line, 10), ',')
	b = append(strconv.AppendInt(b, at.Column, 10), ',')
	b = append(appendCell(b, at.Reason), ',')
	b = append(appendCell(b, at.Detail), ',')
	b = append(appendCell(b, filepath.Base(name)), ',')
	b = append(strconv.AppendInt(b, at.MendLine, 10), '\n')
	_, err := d.reasons.Write(b)
	return err
}

// commit ends all files: they get their names, unless there was an error.
func (d *deadFiles) commit(err error) error {
	for _, w := range d.buffers {
		err = errors.Join(err, w.Flush())
	}
	for _, f := range d.files {
		err = f.commit(err)
	}
	return err
}
