package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"worqcron/source"
	"worqcron/store"
)

// encoderVersion is part of every shape. Raise it when the same records would
// become other bytes, or the bytes of a range another hash.
const encoderVersion = 2

// shape is what decides a run's bodies and where they go. It is stored with the
// run, so that a resumed run builds the bodies that were planned whatever the
// configuration says by then.
type shape struct {
	Encoder int    `json:"encoder"`
	FlowID  string `json:"flow_id"`
	BaseURL string `json:"base_url"`
	Payload string `json:"payload"` // as configured, expressions and all
	source.Dialect
	HasSource  bool   `json:"has_source"`
	MaxBytes   int64  `json:"max_bytes"`
	MaxRecords int    `json:"max_records,omitempty"`
	Mode       string `json:"mode,omitempty"` // "" or ModeRecords
	RecordsKey string `json:"records_key"`
	BatchKey   string `json:"batch_key"`
}

func shapeOf(j *Job) shape {
	s := shape{
		Encoder: encoderVersion, FlowID: j.FlowID, BaseURL: j.BaseURL, Payload: j.Payload.Source(),
		MaxBytes: j.Chunk.MaxBytes, MaxRecords: j.Chunk.MaxRecords, RecordsKey: j.Chunk.RecordsKey, BatchKey: j.Chunk.BatchKey,
	}
	if j.Source != nil {
		s.HasSource, s.Dialect = true, j.Source.Dialect
		if j.Chunk.Mode == ModeRecords {
			s.Mode = ModeRecords
		}
	}
	return s
}

// text is the shape as the ledger keeps it.
func (s shape) text() (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}

// hash identifies the shape.
func (s shape) hash() (string, error) {
	t, err := s.text()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(t))
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// plannedShape reads the shape that a run was planned with.
func plannedShape(r *store.Run) (shape, error) {
	var s shape
	if err := json.Unmarshal([]byte(r.Job), &s); err != nil {
		return s, fmt.Errorf("run %s: its stored options: %w", r.RunID, err)
	}
	if s.Encoder != encoderVersion {
		return s, fmt.Errorf("run %s was planned with encoder %d, this program has %d: start it afresh with --new", r.RunID, s.Encoder, encoderVersion)
	}
	return s, nil
}

// keyPrefix is what a chunk's key begins with, or the keys of all chunks of a
// segment: 96 bits of SHA-256 over what makes it the one it is. store.Key adds the
// chunk's number. A key stays the same when a slot is planned again from the same
// bytes; a run by hand, a redrive, a backfill of a slot that ran before, --force
// and another shape give others.
func keyPrefix(r *store.Run, sourceHash string) string {
	occasion := r.RunID
	switch {
	case r.Origin == "manual", r.Origin == originRedrive, r.Origin == OriginBackfill && r.Number > 1:
	default:
		occasion = r.ScheduledFor.UTC().Format(time.RFC3339Nano)
	}
	h := sha256.New()
	for _, part := range []string{r.NameInBodies(), occasion, strconv.Itoa(r.Generation), r.Shape, sourceHash} {
		fmt.Fprintf(h, "%d:%s,", len(part), part) // lengths keep neighbours apart
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// chunkKey is the key of a chunk with a hash of its own.
func chunkKey(r *store.Run, sourceHash string, chunk int64) string {
	return store.Key(keyPrefix(r, sourceHash), chunk)
}

// checkForm refuses options that do not go together, and a payload of which a
// body would have two members with one name.
func checkForm(s shape, payload []string) error {
	switch {
	case s.Mode == ModeRecords && s.RecordsAs != "":
		return fmt.Errorf("records_as = %q needs mode = %q: with mode = %q a record's own members are the body", s.RecordsAs, ModeChunks, ModeRecords)
	case s.RecordsAs != source.RecordsAsColumns:
		return nil
	}
	for _, name := range []string{columnsKey, rowsKey} {
		if slices.Contains(payload, name) || s.BatchKey == name {
			return fmt.Errorf("records_as = \"columns\" gives each body a member %q, and the payload or batch_key has this name too: give it another one", name)
		}
	}
	return nil
}
