package batch

import (
	"encoding/binary"
	"errors"
	"io"

	"worqcron/store"
)

// Behind the records of a spooled chunk comes where each of them lay in the
// source, so that the chunk can be split. It is a skippable frame (RFC 8878,
// section 3.1.2): whoever unpacks the spool does not see it. Its last four bytes
// are its length, to find it from the end.

// recordPlace is where one record lies in its decompressed file.
type recordPlace struct{ start, end, line, lastLine int64 }

// places packs recordPlaces: what each differs in from where the one before
// ended, mostly four bytes.
type places struct {
	packed []byte
	last   recordPlace
}

func (p *places) add(r recordPlace) {
	for _, n := range [...]int64{r.start - p.last.end, r.end - r.start, r.line - p.last.lastLine, r.lastLine - r.line} {
		p.packed = binary.AppendVarint(p.packed, n)
	}
	p.last = r
}

func unpackPlaces(packed []byte) (list []recordPlace, err error) {
	var last recordPlace
	for len(packed) > 0 {
		var d [4]int64
		for i := range d {
			n, size := binary.Varint(packed)
			if size <= 0 {
				return nil, errNoPlaces
			}
			d[i], packed = n, packed[size:]
		}
		r := recordPlace{start: last.end + d[0], line: last.lastLine + d[2]}
		r.end, r.lastLine = r.start+d[1], r.line+d[3]
		list, last = append(list, r), r
	}
	return list, nil
}

var errNoPlaces = errors.New("the spool does not say where its records lie")

const (
	skippableMagic  = 0x184D2A50
	skippableHeader = 8 // the magic and the length of what follows
	placesTrailer   = 4
)

// writePlaces ends a frame's places; a segment has none here.
func (s *spoolWriter) writePlaces() error {
	if len(s.places.packed) == 0 {
		return nil
	}
	length := uint32(len(s.places.packed) + placesTrailer)
	frame := binary.LittleEndian.AppendUint32(nil, skippableMagic)
	frame = binary.LittleEndian.AppendUint32(frame, length)
	for _, part := range [][]byte{frame, s.places.packed, binary.LittleEndian.AppendUint32(nil, length)} {
		if _, err := s.Write(part); err != nil {
			return err
		}
	}
	s.places = places{packed: s.places.packed[:0]}
	return nil
}

// readPlaces reads where the records of a spooled chunk lie.
func readPlaces(spool io.ReaderAt, g store.SpoolRange) ([]recordPlace, error) {
	var trailer [placesTrailer]byte
	if g.End-g.Start < skippableHeader+placesTrailer {
		return nil, errNoPlaces
	}
	if _, err := spool.ReadAt(trailer[:], g.End-placesTrailer); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(trailer[:]))
	if length < placesTrailer || length > g.End-g.Start-skippableHeader {
		return nil, errNoPlaces
	}
	frame := make([]byte, skippableHeader+length)
	if _, err := spool.ReadAt(frame, g.End-int64(len(frame))); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(frame) != skippableMagic || int64(binary.LittleEndian.Uint32(frame[4:])) != length {
		return nil, errNoPlaces
	}
	return unpackPlaces(frame[skippableHeader : len(frame)-placesTrailer])
}
