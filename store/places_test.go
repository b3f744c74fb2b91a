package store

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestPlaces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var p Places
	for round := range 50 {
		p.Reset()
		var want []ChunkRange
		end, line := random.Int64N(1<<40), random.Int64N(1<<30)
		for range random.IntN(200) {
			g := ChunkRange{File: 3, ByteStart: end, FirstLine: line + 1, Records: 1}
			if random.IntN(3) == 0 { // what lies between was filtered, or is no record
				g.ByteStart += random.Int64N(1000)
				g.FirstLine += random.Int64N(10) - 1
			}
			g.ByteEnd, g.LastLine = g.ByteStart+1+random.Int64N(5000), g.FirstLine
			if random.IntN(4) == 0 {
				g.LastLine += random.Int64N(5)
			}
			p.Add(g)
			want = append(want, g)
			end, line = g.ByteEnd, g.LastLine
		}
		got, err := UnpackPlaces(p.Packed(), 3)
		must(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: got\n%v\nwant\n%v", round, got, want)
		}
	}
}

func TestPlacesAreSmall(t *testing.T) {
	var p Places
	for n := range int64(10_000) {
		p.Add(ChunkRange{ByteStart: n * 300, ByteEnd: n*300 + 300, FirstLine: n + 1, LastLine: n + 1})
	}
	if n := len(p.Packed()); n > 20_000 {
		t.Errorf("10,000 records take %d bytes", n)
	}
}

func FuzzUnpackPlaces(f *testing.F) {
	var p Places
	p.Add(ChunkRange{ByteStart: 10, ByteEnd: 300, FirstLine: 2, LastLine: 4})
	p.Add(ChunkRange{ByteStart: 300, ByteEnd: 301, FirstLine: 5, LastLine: 5})
	f.Add(p.Packed())
	f.Fuzz(func(t *testing.T, packed []byte) {
		list, err := UnpackPlaces(packed, 0)
		if err != nil {
			return
		}
		var again Places
		for _, g := range list {
			again.Add(g)
		}
		if got, err := UnpackPlaces(again.Packed(), 0); err != nil || !reflect.DeepEqual(got, list) {
			t.Errorf("%x: got %v and then %v (%v)", packed, list, got, err)
		}
	})
}
