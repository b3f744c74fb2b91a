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

// errNoPlaces is the error of a chunk whose records were taken from a kept body: it
// can be sent, but not split.
var errNoPlaces = errors.New("its records were taken from a kept body, which does not say where they lay")

const (
	skippableMagic  = 0x184D2A50
	skippableHeader = 8 // the magic and the length of what follows
	placesTrailer   = 4
)

// writePlaces ends a frame's places; a segment has none here.
func (s *spoolWriter) writePlaces() error {
	packed := s.places.Packed()
	if len(packed) == 0 {
		return nil
	}
	length := uint32(len(packed) + placesTrailer)
	frame := binary.LittleEndian.AppendUint32(nil, skippableMagic)
	frame = binary.LittleEndian.AppendUint32(frame, length)
	for _, part := range [][]byte{frame, packed, binary.LittleEndian.AppendUint32(nil, length)} {
		if _, err := s.Write(part); err != nil {
			return err
		}
	}
	s.places.Reset()
	return nil
}

// readPlaces reads where the records of a spooled chunk lie, without their files.
func readPlaces(spool io.ReaderAt, g store.SpoolRange) ([]store.ChunkRange, error) {
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
	return store.UnpackPlaces(frame[skippableHeader:len(frame)-placesTrailer], 0)
}
