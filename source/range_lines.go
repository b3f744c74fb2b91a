package source

import (
	"bytes"
	"hash"
	"slices"
)

// appendLines is AppendRange for NDJSON whose records go out as they are: bytes
// are read to where the records go, and line ends become commas there.
func (r *RangeReader) appendLines(dst []byte, g Range, sum hash.Hash) (_ []byte, total int, err error) {
	f := r.snapshot.Files[g.File]
	end := len(dst) // of the records so far; behind it lies the line under way
	for at := g.Start; at < g.End; {
		want := int(min(rangeBytes, g.End-at))
		seen := len(dst)
		dst = slices.Grow(dst, want)[:seen+want]
		if err := f.readAt(dst[seen:], at); err != nil {
			return dst[:end], total, err
		}
		if _, err := sum.Write(dst[seen:]); err != nil {
			return dst[:end], total, err
		}
		at += int64(want)
		var records int
		dst, end, records = takeLines(dst, end, seen)
		total += records
	}
	if len(dst) > end { // a last line without an end
		dst, end, total = takeLine(dst, end, dst[end:], total)
		dst = dst[:end]
	}
	if total > 0 {
		dst = dst[:len(dst)-1] // the last comma
	}
	return dst, total, nil
}

// takeLines makes records of the lines that lie in full behind end, and moves
// what is left down to them. There is no line end before seen.
func takeLines(dst []byte, end, seen int) (_ []byte, newEnd, records int) {
	line := end
	for {
		n := bytes.IndexByte(dst[seen:], '\n')
		if n < 0 {
			break
		}
		dst, end, records = takeLine(dst, end, dst[line:seen+n], records)
		line = seen + n + 1
		seen = line
	}
	if line > end {
		dst = dst[:end+copy(dst[end:], dst[line:])]
	}
	return dst, end, records
}

// takeLine puts a line's record and a comma at end, unless the line is blank.
func takeLine(dst []byte, end int, line []byte, records int) (_ []byte, newEnd, count int) {
	if n := len(line); n == 0 || line[0] != '{' || line[n-1] != '}' {
		if line = trimSpace(line); len(line) == 0 {
			return dst, end, records
		}
	}
	if &dst[end] != &line[0] {
		copy(dst[end:], line)
	}
	if end += len(line); end < len(dst) {
		dst[end] = ','
	} else {
		dst = append(dst, ',')
	}
	return dst, end + 1, records + 1
}
