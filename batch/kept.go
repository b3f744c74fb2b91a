package batch

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"worqcron/store"
)

// keptBodies are the bodies of chunks that ended unknown or failed, kept so
// that a decision next morning can still send them when the source was
// overwritten. One private zstd file a chunk, beside the ledger; its name holds
// the body's hash.
type keptBodies struct {
	dir   string
	limit int64 // bytes of all of them
}

func keptDir(ledger string) string { return ledger + ".bodies" }

// errNoRoom means that the kept bodies have reached their limit.
var errNoRoom = errors.New("keep_bodies is reached")

func (k keptBodies) prefix(runID string, chunk int64) string {
	return fmt.Sprintf("%s-%d-", runID, chunk)
}

// save keeps a body, in place of what was kept for the same chunk.
func (k keptBodies) save(runID string, chunk int64, body []byte) error {
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	if err := k.remove(runID, chunk); err != nil {
		return err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return err
	}
	packed := enc.EncodeAll(body, nil)
	used, err := k.size()
	if err != nil {
		return err
	}
	if used+int64(len(packed)) > k.limit {
		return errNoRoom
	}
	sum := xxh3.Hash128(body).Bytes()
	name := filepath.Join(k.dir, k.prefix(runID, chunk)+hex.EncodeToString(sum[:])+".json.zst")
	return writeDurably(name, packed)
}

// writeDurably writes a private file that is there whole or not at all.
func writeDurably(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(name))
}

func (k keptBodies) size() (total int64, err error) {
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	return total, nil
}

func (k keptBodies) find(runID string, chunk int64) ([]string, error) {
	return filepath.Glob(filepath.Join(k.dir, k.prefix(runID, chunk)+"*.json.zst"))
}

// load appends the kept body of a chunk to dst; fs.ErrNotExist if there is none.
func (k keptBodies) load(dst []byte, runID string, c *store.Chunk) ([]byte, error) {
	names, err := k.find(runID, c.Chunk)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fs.ErrNotExist
	}
	packed, err := os.ReadFile(names[0])
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	body, err := dec.DecodeAll(packed, dst)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", names[0], err)
	}
	sum := xxh3.Hash128(body).Bytes()
	if !strings.Contains(filepath.Base(names[0]), hex.EncodeToString(sum[:])) || int64(len(body)) != c.BodyBytes {
		return nil, fmt.Errorf("%s is damaged", names[0])
	}
	return body, nil
}

// remove forgets the body of a chunk that needs it no more.
func (k keptBodies) remove(runID string, chunk int64) error {
	names, err := k.find(runID, chunk)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
