package source

import (
	"bytes"
	"hash"
)

// RecordEnd returns where what stands at an offset of a file that is Seekable
// ends: one record, good or bad, whatever a mapping would make of it, or a blank
// line. The header must be in use (UseHeader). At the file's end it is the offset
// itself.
func (s *Snapshot) RecordEnd(file int, at int64) (end int64, err error) {
	f := s.Files[file]
	if at >= f.Size {
		return at, nil
	}
	var p parser = newNDJSONParser(f)
	if f.Format == FormatCSV {
		if p, err = newCSVParser(f); err != nil {
			return 0, err
		}
	}
	for size := int64(rangeBytes); ; size *= 2 {
		raw := make([]byte, min(size, f.Size-at))
		if err := f.readAt(raw, at); err != nil {
			return 0, err
		}
		last := at+int64(len(raw)) == f.Size
		found := found{limit: 1}
		p.parse(raw, job{last: last, list: true}, &found)
		start, length := found.first()
		switch {
		case start > 0 || length == 0 && found.stop == stopEnd:
			return at + int64(lineLen(raw, f.newline)), nil
		case length > 0 && !(found.stop == stopSkip && len(found.bad) == 1):
			return at + length, nil
		case length > 0:
			return s.lineEnd(f, at+length)
		}
	}
}

// first is the place of the first record, good or bad; a length of 0 says that
// there is none.
func (f *found) first() (start, length int64) {
	if len(f.records) > 0 {
		start, length = int64(f.records[0].Start), int64(f.records[0].End-f.records[0].Start)
	}
	if len(f.bad) > 0 && (length == 0 || f.bad[0].Start < start) {
		start, length = f.bad[0].Start, f.bad[0].End-f.bad[0].Start
	}
	return start, length
}

// lineLen is the length of the first line, its end included.
func lineLen(raw []byte, newline byte) int {
	if i := bytes.IndexByte(raw, newline); i >= 0 {
		return i + 1
	}
	return len(raw)
}

// lineEnd is behind the first line end from an offset on.
func (s *Snapshot) lineEnd(f *File, at int64) (int64, error) {
	buf := make([]byte, rangeBytes)
	for at < f.Size {
		part := buf[:min(int64(len(buf)), f.Size-at)]
		if err := f.readAt(part, at); err != nil {
			return 0, err
		}
		n := lineLen(part, f.newline)
		at += int64(n)
		if part[n-1] == f.newline {
			return at, nil
		}
	}
	return at, nil
}

// HashRange writes the bytes of a range to sum, without looking at its records.
func (s *Snapshot) HashRange(g Range, sum hash.Hash) error {
	buf := make([]byte, min(256<<10, g.End-g.Start))
	for at := g.Start; at < g.End; {
		part := buf[:min(int64(len(buf)), g.End-at)]
		if err := s.Files[g.File].readAt(part, at); err != nil {
			return err
		}
		if _, err := sum.Write(part); err != nil {
			return err
		}
		at += int64(len(part))
	}
	return nil
}
