package source

// parser finds records in a piece of a file that starts at a record's start. It
// belongs to one goroutine.
//
// A piece need not end at a record's end. The verdict on a record never depends
// on where pieces were cut: a parser that cannot judge the last record from the
// bytes it has says so (stopTail) and is called again with more.
type parser interface {
	// parse goes over raw from f.consumed on until it has to stop, as f.stop says.
	// It adds to f, which the caller has reset.
	parse(raw []byte, j job, f *found)
}

// job says what a parse is for.
type job struct {
	// last says that the file, or the range, ends with the piece.
	last bool
	// list keeps the records and bad records and stops (stopFull) when the
	// lists reach their bounds; without it they are only counted.
	list bool
	// encode appends each record's JSON, as Dialect.RecordsAs wants it, and then
	// sep to found.json.
	encode bool
	sep    byte
	// left also lists the records that Mapping.Where leaves out.
	left bool
	// known says that the piece is good records and blank lines alone, as a
	// Scan found; the caller proves by a hash that it is the same piece. Neither
	// JSON nor UTF-8 is then validated again.
	known bool
}

// found is what a parser made of a piece. Offsets and lines are relative to the
// piece, lines from 0.
type found struct {
	records  []Record
	bad      []Bad
	left     []Record // that Mapping.Where left out, if the job asks for them; without a size
	json     []byte
	count    int    // good records, listed or not
	blank    int64  // blank lines
	filtered int64  // records that Mapping.Where left out
	limit    int    // records before it is full, exactly; 0: about maxListedRecords
	replaced int64  // records with bytes replaced
	lines    uint32 // line terminators in what was consumed
	consumed int
	stop     stop
}

// stop says why a parse ended.
type stop uint8

const (
	// stopEnd: the piece was consumed whole and ends at a record's end.
	stopEnd stop = iota
	// stopTail: the bytes after consumed begin a record that goes on after the
	// piece. They are never more than Options.MaxRecordBytes.
	stopTail
	// stopFull: a list reached its bound; parse again from consumed.
	stopFull
	// stopSkip: the piece was consumed whole, and the last bad record, whose
	// end is not known yet, goes on up to the next line terminator.
	stopSkip
)

// Bounds of what one parse may list, so that a file of tiny records does not
// take many times its block's memory. A Record is 20 bytes, a Bad with its text
// about 200.
const (
	maxListedRecords = 1 << 16
	maxListedBad     = 1 << 12
	maxListedJSON    = 4 << 20
)

// full reports whether f reached a bound.
func (f *found) full() bool {
	limit := maxListedRecords
	if f.limit > 0 {
		limit = f.limit
	}
	return len(f.records) >= limit || len(f.bad) >= maxListedBad || len(f.json) >= maxListedJSON
}

// reset empties f for the next piece and keeps its memory.
func (f *found) reset() {
	f.records, f.bad, f.json, f.left = f.records[:0], f.bad[:0], f.json[:0], f.left[:0]
	f.count, f.blank, f.filtered, f.replaced, f.lines, f.consumed, f.stop = 0, 0, 0, 0, 0, 0, stopEnd
	f.limit = 0
}

// newParser makes a parser for f, whose header must be in use.
func newParser(f *File) (parser, error) {
	if f.Format == FormatNDJSON {
		return f.wrap(newNDJSONParser(f))
	}
	if f.dialect.RecordsAs == RecordsAsColumns && f.dialect.Mapping.isZero() {
		return newCSVRows(f)
	}
	p, err := newCSVParser(f)
	if err != nil {
		return nil, err
	}
	return f.wrap(p)
}

// wrap puts around a parser what gives its records another form.
func (f *File) wrap(p parser) (parser, error) {
	if f.dialect.RecordsAs == RecordsAsColumns && f.Columns == nil {
		return nil, noColumns(f)
	}
	var err error
	if !f.dialect.Mapping.isZero() { // it also makes rows
		if p, err = newMapParser(f, p); err != nil {
			return nil, err
		}
	}
	if f.dialect.RecordsAs == RecordsAsString {
		return &form{inner: p}, nil
	}
	return p, nil
}
