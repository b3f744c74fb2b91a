package batch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"worqcron/source"
	"worqcron/store"
)

// testRun is a run as the packer and the envelope see it.
func testRun(payload string) *store.Run {
	return &store.Run{
		RunID: "019370aa-0000-7000-8000-000000000000", Schedule: "orders", Origin: "slot", Payload: payload, Shape: "sha256:00",
		ScheduledFor: time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC),
	}
}

// fakeBlock lays records of the given sizes one after the other, each a line of
// so many bytes.
func fakeBlock(start int64, sizes []int) *source.Block {
	b := &source.Block{Start: start, FirstLine: 1}
	for i, size := range sizes {
		from := len(b.Raw)
		b.Raw = append(b.Raw, bytes.Repeat([]byte{'x'}, size)...)
		b.Raw = append(b.Raw, '\n')
		b.Records = append(b.Records, source.Record{
			Start: uint32(from), End: uint32(len(b.Raw)), Size: uint32(size), Line: uint32(i), LastLine: uint32(i),
		})
	}
	b.End = start + int64(len(b.Raw))
	return b
}

// packed runs the packer over blocks and returns what it emitted.
func packed(t testing.TB, s shape, payload string, blocks []*source.Block) ([]store.Chunk, []store.DeadLetter, packTotals) {
	t.Helper()
	return packedWith(t, s, payload, false, blocks)
}

func packedWith(t testing.TB, s shape, payload string, gapless bool, blocks []*source.Block) ([]store.Chunk, []store.DeadLetter, packTotals) {
	t.Helper()
	run := testRun(payload)
	env, err := newEnvelope(s, run)
	if err != nil {
		t.Fatal(err)
	}
	var chunks []store.Chunk
	var dead []store.DeadLetter
	p := newPacker(packer{
		envelope: env, run: run, gapless: gapless, chunk: ChunkOptions{MaxBytes: s.MaxBytes, MaxRecords: s.MaxRecords},
		emit: func(c store.Chunk) error { chunks = append(chunks, c); return nil },
		dead: func(d store.DeadLetter) error { dead = append(dead, d); return nil },
	})
	for _, b := range blocks {
		if err := p.block(0, b, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}
	return chunks, dead, p.totals
}

func testShape(maxBytes int64, maxRecords int) shape {
	return shape{Encoder: encoderVersion, HasSource: true, MaxBytes: maxBytes, MaxRecords: maxRecords, RecordsKey: "records", BatchKey: "_batch"}
}

// FuzzPack checks the packing promise on any sizes, limit and payload: all
// records once and in order, each body below the limit, each as full as the
// next record allows, and sizes that are exact.
func FuzzPack(f *testing.F) {
	f.Add([]byte{10, 20, 30, 255, 1, 1, 1}, uint16(400), uint8(0), uint8(3), uint8(0))
	f.Add([]byte{1}, uint16(300), uint8(1), uint8(1), uint8(1))
	f.Add(bytes.Repeat([]byte{9}, 500), uint16(1000), uint8(0), uint8(7), uint8(2))
	f.Fuzz(func(t *testing.T, sizes []byte, limit uint16, maxRecords, perBlock, which uint8) {
		payload := [...]string{"", `"a":1`, `"note":"ü\n","nested":{"x":[1,2]}`}[which%3]
		sizes = sizes[:min(len(sizes), 400)]
		s := testShape(int64(limit), int(maxRecords))
		var blocks []*source.Block
		var all []int
		offset := int64(0)
		for i := 0; i < len(sizes); i += int(perBlock) + 1 {
			var part []int
			for _, v := range sizes[i:min(len(sizes), i+int(perBlock)+1)] {
				part = append(part, 2+int(v))
			}
			b := fakeBlock(offset, part)
			offset = b.End
			blocks, all = append(blocks, b), append(all, part...)
		}
		chunks, dead, totals := packed(t, s, payload, blocks)
		checkPacking(t, s, payload, all, chunks, dead)
		if totals.records != int64(len(all)) || totals.dead != int64(len(dead)) {
			t.Fatalf("totals %+v for %d records, %d dead", totals, len(all), len(dead))
		}
	})
}

func checkPacking(t *testing.T, s shape, payload string, sizes []int, chunks []store.Chunk, dead []store.DeadLetter) {
	t.Helper()
	env, err := newEnvelope(s, testRun(payload))
	if err != nil {
		t.Fatal(err)
	}
	next, deadNext := 0, 0 // records, dead letters
	skipDead := func() {
		for next < len(sizes) && env.size(int64(sizes[next])) >= s.MaxBytes {
			if deadNext >= len(dead) || dead[deadNext].Reason != source.ReasonTooLarge {
				t.Fatalf("record %d of %d bytes fits into no body and is no dead letter", next, sizes[next])
			}
			next, deadNext = next+1, deadNext+1
		}
	}
	for i := range chunks {
		c := &chunks[i]
		if c.Chunk != int64(i+1) {
			t.Fatalf("chunk %d has the number %d", i+1, c.Chunk)
		}
		joined := int64(-1)
		for range c.Records {
			skipDead()
			joined += 1 + int64(sizes[next])
			next++
		}
		body := buildBody(env, c, joined)
		if int64(len(body)) != c.BodyBytes || c.BodyBytes >= s.MaxBytes || !json.Valid(body) {
			t.Fatalf("chunk %d: %d bytes planned, %d built, limit %d: %s", c.Chunk, c.BodyBytes, len(body), s.MaxBytes, body)
		}
		skipDead()
		full := s.MaxRecords > 0 && c.Records == int64(s.MaxRecords)
		if !full && next < len(sizes) && env.size(joined+1+int64(sizes[next])) < s.MaxBytes {
			t.Fatalf("chunk %d ends before record %d although it fits", c.Chunk, next)
		}
	}
	skipDead()
	if next != len(sizes) || deadNext != len(dead) {
		t.Fatalf("%d of %d records are in chunks or dead", next, len(sizes))
	}
}

// buildBody makes a body of the right length with stand-ins for the records.
func buildBody(e *envelope, c *store.Chunk, joined int64) []byte {
	b := append([]byte(nil), e.head...)
	b = append(b, '"')
	b = append(b, bytes.Repeat([]byte{'x'}, int(joined)-2)...)
	b = append(b, '"')
	return e.appendTail(b, c)
}

func TestPackBreaksRangesAtBadRecords(t *testing.T) {
	b := fakeBlock(100, []int{10, 10, 10, 10})
	bad := b.Records[2]
	b.Records = append(b.Records[:2:2], b.Records[3])
	b.Bad = []source.Bad{{Start: b.Start + int64(bad.Start), End: b.Start + int64(bad.End), Line: 3, Column: 5, Reason: "ragged", Detail: "2 fields"}}
	chunks, dead, totals := packed(t, testShape(1000, 0), "", []*source.Block{b})
	if len(chunks) != 1 || len(dead) != 1 || totals.records != 4 {
		t.Fatalf("got %d chunks, %d dead, totals %+v", len(chunks), len(dead), totals)
	}
	want := []store.ChunkRange{
		{File: 0, ByteStart: 100, ByteEnd: 122, FirstLine: 1, LastLine: 2, Records: 2},
		{File: 0, ByteStart: 133, ByteEnd: 144, FirstLine: 4, LastLine: 4, Records: 1},
	}
	if fmt.Sprint(chunks[0].Ranges) != fmt.Sprint(want) {
		t.Errorf("ranges\n got %+v\nwant %+v", chunks[0].Ranges, want)
	}
	if dead[0].Line != 3 || dead[0].Column != 5 || dead[0].Reason != "ragged" || dead[0].Number != 1 {
		t.Errorf("dead letter %+v", dead[0])
	}
}

// TestPackAtOnce compares the packing of blocks with that of their records one
// by one, with gaps between some of them and with filters that read the run.
func TestPackAtOnce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		s := testShape(int64(300+rnd.IntN(900)), rnd.IntN(3)*rnd.IntN(9))
		var whole, single []*source.Block
		start := int64(0)
		for range 1 + rnd.IntN(3) {
			var sizes []int
			for range 1 + rnd.IntN(40) {
				sizes = append(sizes, 2+rnd.IntN(120))
			}
			b := fakeBlock(start, sizes)
			start = b.End
			b.Records = slices.DeleteFunc(b.Records, func(source.Record) bool { return rnd.IntN(5) == 0 })
			whole = append(whole, b)
			for _, rec := range b.Records {
				single = append(single, &source.Block{Start: b.Start, End: b.End, FirstLine: 1, Raw: b.Raw, Records: []source.Record{rec}})
			}
		}
		for _, gapless := range []bool{false, true} {
			got, gotDead, gotTotals := packedWith(t, s, "", gapless, whole)
			want, wantDead, wantTotals := packedWith(t, s, "", gapless, single)
			if !gapless { // a hash then covers the gaps within a block, too
				for i := range min(len(got), len(want)) {
					got[i].SourceHash, got[i].Key, got[i].Ranges = want[i].SourceHash, want[i].Key, want[i].Ranges
				}
			}
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotDead, wantDead) || gotTotals != wantTotals {
				t.Fatalf("round %d, gapless %t:\n got %+v %+v %+v\nwant %+v %+v %+v", round, gapless, got, gotDead, gotTotals, want, wantDead, wantTotals)
			}
		}
	}
}

func TestPackJoinsRangesOverBlocks(t *testing.T) {
	first := fakeBlock(0, []int{10, 10})
	second := fakeBlock(first.End, []int{10})
	second.FirstLine = 3
	chunks, _, _ := packed(t, testShape(1000, 0), "", []*source.Block{first, second})
	if len(chunks) != 1 || len(chunks[0].Ranges) != 1 || chunks[0].Ranges[0].LastLine != 3 || chunks[0].Ranges[0].Records != 3 {
		t.Fatalf("got %+v", chunks)
	}
}

func TestChunkKey(t *testing.T) {
	run := testRun("")
	base := chunkKey(run, "xxh3-128:1", 1)
	if len(base) != keyLen {
		t.Fatalf("key %q has %d characters, want %d", base, len(base), keyLen)
	}
	again := *run
	again.RunID = "another"
	if got := chunkKey(&again, "xxh3-128:1", 1); got != base {
		t.Error("a run of the same slot has another key")
	}
	other := map[string]string{"chunk": chunkKey(run, "xxh3-128:1", 2), "source": chunkKey(run, "xxh3-128:2", 1)}
	forced := *run
	forced.Generation++
	other["generation"] = chunkKey(&forced, "xxh3-128:1", 1)
	byHand := *run
	byHand.Origin = "manual"
	other["by hand"] = chunkKey(&byHand, "xxh3-128:1", 1)
	for what, key := range other {
		if key == base {
			t.Errorf("another %s has the same key", what)
		}
	}
}
