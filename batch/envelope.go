package batch

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"worqcron/source"
	"worqcron/store"
)

// envelope is what surrounds the records of each body of a run:
//
//	{"records":[ … ],"report":"orders","_batch":{"schedule":…,"chunk":1,"records":5000,"key":…}}
//	{"columns":["a","b"],"rows":[ … ],"report":"orders","_batch":{…}}   records_as = "columns"
//	{"records":"[ … ]","report":"orders","_batch":"{…}"}                records_as = "string"
//	{"a":"1","b":"x","report":"orders","_batch":{…}}                    mode = "records"
//
// Its length depends on the chunk only by the digits of two numbers. Packing
// counts each of them with maxDigits, so that a body never grows past its limit
// when a number gets longer.
type envelope struct {
	head      []byte // up to the first record; with columns it comes with them
	middle    []byte // from the end of the records to the chunk's number
	hasBatch  bool
	perRecord bool   // a record's own members take the place of the head
	columns   bool   // the names of the records' members stand before them
	text      string // those names as JSON
	tail      tail
}

// members that take the place of records_key with records_as = "columns"
const (
	columnsKey = "columns"
	rowsKey    = "rows"
)

// maxDigits is what packing allows for a chunk's number and for its records.
const maxDigits = 10

// tail is the rest of _batch after the chunk's number: `,"records":` … `,"key":"`
// 32 hex `"}}`.
type tail struct{ records, key, end string }

const keyLen = 32

var (
	objectTail = tail{`,"records":`, `,"key":"`, `"}}`}
	stringTail = tail{`,\"records\":`, `,\"key\":\"`, `\"}"}`} // _batch is a string too
)

func newEnvelope(s shape, r *store.Run) (*envelope, error) {
	e := &envelope{hasBatch: s.BatchKey != "", columns: s.HasSource && s.RecordsAs == source.RecordsAsColumns, perRecord: s.Mode == ModeRecords}
	quoted := s.HasSource && s.RecordsAs == source.RecordsAsString
	e.head, e.tail = append(e.head, '{'), objectTail
	switch {
	case e.perRecord:
		e.head = nil
	case s.HasSource:
		var err error
		if e.head, err = jsontext.AppendQuote(e.head, s.RecordsKey); err != nil {
			return nil, err
		}
		begin, end := ":[", "]"
		if quoted {
			begin, end, e.tail = `:"[`, `]"`, stringTail
		}
		e.head = append(e.head, begin...)
		e.middle = append(e.middle, end...)
	}
	e.appendMember(s.HasSource, r.Payload)
	if !e.hasBatch {
		e.middle = append(e.middle, '}')
		return e, nil
	}
	about, err := batchMember(s.BatchKey, r, quoted)
	if err != nil {
		return nil, err
	}
	e.appendMember(s.HasSource || r.Payload != "", string(about))
	return e, nil
}

// withColumns is the envelope for records whose members have these names, a JSON
// list.
func (e *envelope) withColumns(names string) *envelope {
	own := *e
	own.text = names
	own.head = []byte(`{"` + columnsKey + `":` + names + `,"` + rowsKey + `":[`)
	return &own
}

// columnsText is names as a JSON list.
func columnsText(names []string) (string, error) {
	b := []byte{'['}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = jsontext.AppendQuote(b, name); err != nil {
			return "", err
		}
	}
	return string(append(b, ']')), nil
}

func (e *envelope) appendMember(follows bool, member string) {
	if member == "" {
		return
	}
	if follows {
		e.middle = append(e.middle, ',')
	}
	e.middle = append(e.middle, member...)
}

// batchMember gives the member that describes the chunk up to its number; quoted
// makes a JSON string of the description.
func batchMember(key string, r *store.Run, quoted bool) ([]byte, error) {
	name, err := jsontext.AppendQuote(nil, key)
	if err != nil {
		return nil, err
	}
	b, err := jsontext.AppendQuote([]byte(`{"schedule":`), r.NameInBodies())
	if err != nil {
		return nil, err
	}
	b = append(b, `,"run_id":"`...)
	b = append(b, r.RunID...)
	b = append(b, `","scheduled_for":"`...)
	b = r.ScheduledFor.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","chunk":`...)
	name = append(name, ':')
	if !quoted {
		return append(name, b...), nil
	}
	inside, err := jsontext.AppendQuote(nil, b)
	if err != nil {
		return nil, err
	}
	return append(name, inside[:len(inside)-1]...), nil // the string goes on
}

// size is the length of a body whose records, joined by commas, take joined
// bytes, with both numbers at their longest.
func (e *envelope) size(joined int64) int64 {
	n := int64(len(e.head)+len(e.middle)) + joined
	if e.perRecord {
		n-- // the record's closing brace; the body's own is in middle or tail
	}
	if e.hasBatch {
		n += 2*maxDigits + keyLen + int64(len(e.tail.records)+len(e.tail.key)+len(e.tail.end))
	}
	return n
}

// exactSize is the length of the body of one chunk.
func (e *envelope) exactSize(joined, chunk, records int64) int64 {
	n := e.size(joined)
	if e.hasBatch {
		n -= 2*maxDigits - int64(len(strconv.FormatInt(chunk, 10))+len(strconv.FormatInt(records, 10)))
	}
	return n
}

// recordSize is the length of the body of a chunk that is one record's members.
func (e *envelope) recordSize(record []byte, chunk int64) int64 {
	n := e.exactSize(int64(len(record)), chunk, 1)
	if e.spareComma(record) {
		n--
	}
	return n
}

// appendRecord appends the body of a chunk that is one record's members.
func (e *envelope) appendRecord(b, record []byte, c *store.Chunk) []byte {
	b = append(b, record[:len(record)-1]...)
	end := len(b)
	b = e.appendTail(b, c)
	if e.spareComma(record) {
		b = slices.Delete(b, end, end+1)
	}
	return b
}

// spareComma says whether what follows a record's members would begin with a
// comma although the record has none.
func (e *envelope) spareComma(record []byte) bool {
	return e.middle[0] == ',' && len(bytes.TrimLeft(record[1:len(record)-1], " \t\r\n")) == 0
}

// appendTail ends the body of one chunk.
func (e *envelope) appendTail(b []byte, c *store.Chunk) []byte {
	b = append(b, e.middle...)
	if !e.hasBatch {
		return b
	}
	b = strconv.AppendInt(b, c.Chunk, 10)
	b = append(b, e.tail.records...)
	b = strconv.AppendInt(b, c.Records, 10)
	b = append(b, e.tail.key...)
	b = append(b, c.Key...)
	return append(b, e.tail.end...)
}
