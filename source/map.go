package source

import (
	"bytes"

	"worqcron/expression"
)

// mapParser gives the records that an inner parser finds another form, leaves
// some out and finds some bad. The inner one frames and checks them and writes
// each as an object; the mapping works on that object, so it is the same for
// every format, dialect and encoding. Its place in the file is looked up only
// for what is bad, and for null values.
type mapParser struct {
	plan    *mapPlan
	file    *File
	inner   parser
	in      found // what inner found last
	next    int   // of in.json: the next record's object
	nextBad int   // of in.bad
	slots   []mapSlot
	at      []int  // by member: its slot and one; 0: none yet. Where members are not fixed
	arena   []byte // values of one record that had to be written anew
	out     []byte // one record as it goes out
	machine expression.Machine
	env     map[string]any
}

// mapSlot is a member of the record under way.
type mapSlot struct {
	key    []byte // as JSON, quotes included
	value  []byte // as JSON; nil: absent
	kind   valueKind
	member int // -1: one that the mapping does not mention
}

// mapFlaw is why a record is bad.
type mapFlaw struct {
	reason, detail string
	// column is the source's name of the one at fault, field its number in CSV;
	// "" blames the record as a whole.
	column string
	field  int
	atName bool // its name is wrong, not its value
}

func newMapParser(f *File, inner parser) (parser, error) {
	plan, err := f.mapping()
	if err != nil {
		return nil, err
	}
	p := &mapParser{plan: plan, file: f, inner: inner, env: map[string]any{}, at: make([]int, len(plan.members))}
	if plan.fixed {
		for i, m := range plan.members {
			p.slots = append(p.slots, mapSlot{key: m.key, kind: m.kind, member: i})
		}
	}
	return p, nil
}

// mapBatch is how many records are taken from the inner parser at once: few, so
// that their bytes are still in the cache when they are mapped.
const mapBatch = 1024

// parse implements parser.
func (p *mapParser) parse(raw []byte, j job, f *found) {
	for f.stop = stopFull; f.stop == stopFull; {
		if j.list && f.full() {
			return
		}
		p.batch(raw, j, f)
	}
}

// batch takes some records from the inner parser and adds what becomes of them
// to f. If they grow so much that a list gets full on the way, it starts again
// and takes only as many as there is room for: only the inner parser can say
// what lies between two records.
func (p *mapParser) batch(raw []byte, j job, f *found) {
	before := *f
	p.take(raw, j, f, mapBatch)
	for i := range p.in.records {
		if j.list && i > 0 && f.full() {
			*f = before
			if json, ok := p.inner.(*jsonParser); ok { // others go by what is consumed alone
				json.rewind()
			}
			p.take(raw, j, f, i)
			for k := range p.in.records {
				p.record(raw, k, j, f)
			}
			break
		}
		p.record(raw, i, j, f)
	}
	p.addBad(len(raw)+1, j, f)
	f.blank += p.in.blank
	f.replaced += p.in.replaced
	f.lines, f.consumed, f.stop = p.in.lines, p.in.consumed, p.in.stop
}

// take lets the inner parser go on, by about so many records.
func (p *mapParser) take(raw []byte, j job, f *found, limit int) {
	p.in.reset()
	p.in.limit, p.in.consumed, p.in.lines = limit, f.consumed, f.lines
	p.next, p.nextBad = 0, 0
	p.inner.parse(raw, job{last: j.last, list: true, encode: true, sep: '\n', known: j.known}, &p.in)
}

// addBad hands on the inner parser's bad records that begin before an offset.
func (p *mapParser) addBad(before int, j job, f *found) {
	for ; p.nextBad < len(p.in.bad) && p.in.bad[p.nextBad].Start < int64(before); p.nextBad++ {
		if j.list {
			f.bad = append(f.bad, p.in.bad[p.nextBad])
		}
	}
}

// record adds what becomes of the ith record.
func (p *mapParser) record(raw []byte, i int, j job, f *found) {
	rec := &p.in.records[i]
	object := p.in.json[p.next : p.next+int(rec.Size)]
	p.next += int(rec.Size) + 1
	p.addBad(int(rec.Start), j, f)
	out, wrong := p.mapped(object, raw[rec.Start:rec.End])
	switch {
	case wrong != nil:
		if j.list {
			f.bad = append(f.bad, p.bad(raw, rec, wrong, f.consumed))
		}
	case out == nil:
		f.filtered++
		if j.left {
			f.left = append(f.left, Record{Start: rec.Start, End: rec.End, Line: rec.Line, LastLine: rec.LastLine})
		}
	default:
		f.count++
		if j.list {
			f.records = append(f.records, Record{Start: rec.Start, End: rec.End, Size: uint32(len(out)), Line: rec.Line, LastLine: rec.LastLine})
		}
		if j.encode {
			f.json = append(append(f.json, out...), j.sep)
		}
	}
}

// bad is a record with a flaw, with the place of that; from is where the inner
// parser began.
func (p *mapParser) bad(raw []byte, rec *Record, wrong *mapFlaw, from int) Bad {
	at := int(rec.Start) + p.place(raw[rec.Start:rec.End], wrong)
	lines := bytes.Count(raw[rec.Start:at], []byte{p.file.newline})
	begin := bytes.LastIndexByte(raw[:at], p.file.newline) + 1
	column := int64(at-begin) + 1
	if json, ok := p.inner.(*jsonParser); ok && begin == 0 { // a line that began in an earlier piece
		column += json.before.column - int64(from)
	}
	return Bad{
		Start: int64(rec.Start), End: int64(rec.End), Line: int64(rec.Line) + int64(lines), Column: column,
		Reason: wrong.reason, Detail: wrong.detail,
	}
}

// place is where in a record the flaw is.
func (p *mapParser) place(record []byte, wrong *mapFlaw) int {
	if wrong.column == "" {
		return 0
	}
	if p.plan.csv {
		fields := p.file.fields(record)
		at := 0
		for range wrong.field + 1 {
			at, _ = fields.next()
		}
		return at
	}
	for i := bytes.IndexByte(record, '{') + 1; i > 0; {
		m, next, ok := nextMember(record, i)
		if !ok {
			break
		}
		if goString(record[m.nameStart:m.nameEnd]) == wrong.column {
			if wrong.atName {
				return m.nameStart
			}
			return m.start
		}
		i = next
	}
	return 0
}
