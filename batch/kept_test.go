package batch

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"worqcron/store"
)

func TestKeptBodies(t *testing.T) {
	// A folder may have a name that a glob would read otherwise.
	k := &keptBodies{dir: filepath.Join(t.TempDir(), "[a-b]*", "ledger.bodies"), limit: 1 << 20}
	if err := os.Mkdir(filepath.Dir(k.dir), 0o700); err != nil {
		t.Fatal(err)
	}
	for chunk := int64(1); chunk <= 12; chunk++ { // 1 is the beginning of 10, 11 and 12
		for _, body := range []string{"other", strings.Repeat("x", int(chunk))} {
			if err := k.save("run", chunk, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if used, err := filesBelow(k.dir); err != nil || used.Bytes != k.used || used.Bytes == 0 {
		t.Errorf("counts %d bytes, %d are there, %v", k.used, used, err)
	}
	if err := k.remove("run", 1); err != nil {
		t.Fatal(err)
	}
	for chunk := int64(2); chunk <= 12; chunk++ {
		got, err := k.load([]byte(nil), "run", &store.Chunk{Chunk: chunk, BodyBytes: chunk})
		if err != nil || string(got) != strings.Repeat("x", int(chunk)) {
			t.Errorf("chunk %d: got %q, %v", chunk, got, err)
		}
	}
	for _, c := range []struct {
		run   string
		chunk int64
	}{{"run", 1}, {"run", 13}, {"ru", 2}} {
		if got, err := k.load(nil, c.run, &store.Chunk{Chunk: c.chunk, BodyBytes: 1}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: got %q, %v", c, got, err)
		}
	}
}

func TestKeptBodiesHaveALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keptBodies{dir: filepath.Join(t.TempDir(), "bodies"), limit: 30}
		if err := k.save("run", 1, []byte("0123456789")); err != nil {
			t.Fatal(err)
		}
		if err := k.save("run", 2, []byte("0123456789")); !errors.Is(err, errNoRoom) {
			t.Errorf("got %v", err)
		}
		if err := os.RemoveAll(k.dir); err != nil { // by hand; it is noticed before long
			t.Fatal(err)
		}
		<-time.After(2 * countAgainAfter)
		if err := k.save("run", 2, []byte("0123456789")); err != nil {
			t.Errorf("with room again: %v", err)
		}
	})
}

// A body is kept as long as somebody may need it: not once it was accepted.
func TestKeptBodyGoesWithItsAcceptance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := answer(502, http.Header{}, "")
		r := testRunner(t, &wire{script: []answering{lost, accepted}})
		job := testJob(t, 1)
		c := runJob(t, r, job, Order{})
		run, err := r.Ledger.FindRun(t.Context(), c.RunID)
		if err != nil {
			t.Fatal(err)
		}
		if names, err := r.keptBodies().find(run.RunID, 1); c.Status != store.Held || len(names) != 1 || err != nil {
			t.Fatalf("got %s, kept %v, %v", c.Status, names, err)
		}
		if _, err := r.Resolve(t.Context(), run, Resolution{Decision: DecideResend, Reason: "not there"}); err != nil {
			t.Fatal(err)
		}
		c = runJob(t, r, job, Order{})
		if used, err := filesBelow(keptDir(r.Ledger.Path())); c.Status != store.Succeeded || used.Bytes != 0 || err != nil || r.keptBodies().used != 0 {
			t.Errorf("got %s, %d bytes are kept, %d counted, %v", c.Status, used, r.keptBodies().used, err)
		}
	})
}

// BenchmarkKeepBody keeps bodies beside 20,000 others: with one trigger a record
// each record that is refused has one.
func BenchmarkKeepBody(b *testing.B) {
	k := &keptBodies{dir: filepath.Join(b.TempDir(), "bodies"), limit: 1 << 40}
	for chunk := range int64(20_000) {
		name := filepath.Join(k.folder("run", chunk), "x")
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name+time.Duration(chunk).String(), []byte("x"), 0o600)); err != nil {
			b.Fatal(err)
		}
	}
	for chunk := int64(20_000); b.Loop(); chunk++ {
		if err := k.save("run", chunk, []byte(`{"id":1}`)); err != nil {
			b.Fatal(err)
		}
	}
}
