package batch

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"worqcron/failpoint"
	"worqcron/store"
)

// keptBodies are the bodies of chunks that ended unknown or failed, kept so
// that a decision next morning can still send them when the source was
// overwritten. One private zstd file a chunk, beside the ledger, in a folder a run
// and there in one for each thousand chunks; its name holds the body's hash.
type keptBodies struct {
	dir   string
	limit int64 // bytes of all of them

	mu      sync.Mutex
	used    int64     // bytes of all of them, unless somebody deleted some
	counted time.Time // when they were looked at for it; zero: never
}

func keptDir(ledger string) string { return ledger + ".bodies" }

// errNoRoom means that the kept bodies have reached their limit.
var errNoRoom = errors.New("keep_bodies is reached")

func (k *keptBodies) folder(runID string, chunk int64) string {
	return filepath.Join(k.dir, runID, strconv.FormatInt(chunk/1000, 10))
}

// save keeps a body, in place of what was kept for the same chunk.
func (k *keptBodies) save(runID string, chunk int64, body []byte) error {
	folder := k.folder(runID, chunk)
	for _, dir := range []string{k.dir, filepath.Dir(folder), folder} {
		if err := makeDir(dir); err != nil {
			return err
		}
	}
	if err := k.remove(runID, chunk); err != nil {
		return err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		return err
	}
	packed := enc.EncodeAll(body, nil)
	if err := k.take(int64(len(packed))); err != nil {
		return err
	}
	sum := xxh3.Hash128(body).Bytes()
	name := filepath.Join(folder, fmt.Sprintf("%d-%x.json.zst", chunk, sum))
	if err := writeDurably(name, packed); err != nil {
		k.give(int64(len(packed)))
		return err
	}
	return nil
}

// countAgainAfter is how often bodies that seem to have reached their limit are
// counted again.
const countAgainAfter = time.Minute

// take makes room for n more bytes; errNoRoom if there is none.
func (k *keptBodies) take(n int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.counted.IsZero() || k.used+n > k.limit && time.Since(k.counted) > countAgainAfter {
		now, err := filesBelow(k.dir)
		if err != nil {
			return err
		}
		k.used, k.counted = now.Bytes, time.Now()
	}
	if k.used+n > k.limit {
		return errNoRoom
	}
	k.used += n
	return nil
}

func (k *keptBodies) give(n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used -= n
}

// writeDurably writes a private file that is there whole or not at all.
func writeDurably(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	failpoint.Hit("body-kept")
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(name))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// find returns the files of a chunk's body: one, none, or after a crash more.
func (k *keptBodies) find(runID string, chunk int64) (names []string, err error) {
	folder := k.folder(runID, chunk)
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), strconv.FormatInt(chunk, 10)+"-") {
			names = append(names, filepath.Join(folder, e.Name()))
		}
	}
	return names, ignoreMissing(err)
}

// load appends the kept body of a chunk to dst; fs.ErrNotExist if there is none.
func (k *keptBodies) load(dst []byte, runID string, c *store.Chunk) ([]byte, error) {
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
func (k *keptBodies) remove(runID string, chunk int64) error {
	names, err := k.find(runID, chunk)
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil {
			err = os.Remove(name)
		}
		if err == nil {
			k.give(info.Size())
		}
		if err := ignoreMissing(err); err != nil {
			return err
		}
	}
	return nil
}
