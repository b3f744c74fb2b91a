package batch

import (
	"cmp"
	"context"
	"slices"

	"worqcron/store"
)

// knownRanges is Reader.EarlierRanges, and with it what runs did with the same
// records before or after others in the file were mended. Ranges are those of the
// content that is asked for, in its order.
func knownRanges(ctx context.Context, r *store.Reader, run *store.Run, content store.Content) ([]store.Earlier, error) {
	all, err := r.Mendings(ctx, run)
	if err != nil {
		return nil, err
	}
	return (&contents{reader: r, run: run, mendings: all, seen: map[store.Content]bool{}}).known(ctx, content)
}

// contents looks at files that are the same but for mended records.
type contents struct {
	reader   *store.Reader
	run      *store.Run
	mendings []store.Mending
	seen     map[store.Content]bool
}

func (c *contents) known(ctx context.Context, content store.Content) ([]store.Earlier, error) {
	c.seen[content] = true
	list, err := c.reader.EarlierRanges(ctx, c.run, content.Size, content.Hash)
	if err != nil {
		return nil, err
	}
	more := false
	for _, m := range c.mendings {
		other, moves := m.Before, forward(m.Places)
		switch content {
		case m.Now:
		case m.Before:
			other, moves = m.Now, backward(m.Places)
		default:
			continue
		}
		if c.seen[other] {
			continue
		}
		there, err := c.known(ctx, other)
		if err != nil {
			return nil, err
		}
		list, more = append(list, moved(there, moves)...), true
	}
	if more {
		slices.SortStableFunc(list, func(a, b store.Earlier) int { return cmp.Compare(a.Start, b.Start) })
	}
	return list, nil
}

// move says that a place of one file is another place in another file, and that
// what lies behind it follows it.
type move struct{ start, end, newStart, newEnd int64 }

// forward moves ranges of the file before to the mended one.
func forward(places []store.Mended) []move {
	list := make([]move, len(places))
	for i, p := range places {
		list[i] = move{p.OldStart, p.OldEnd, p.ByteStart, p.ByteEnd}
	}
	return list
}

// backward moves ranges of the mended file to the one before.
func backward(places []store.Mended) []move {
	list := make([]move, len(places))
	for i, p := range places {
		list[i] = move{p.ByteStart, p.ByteEnd, p.OldStart, p.OldEnd}
	}
	return list
}

// moved gives ranges their places in the other file. What lies within a mended
// place is not there; a range with such a place in it is cut, and no longer knows
// how many records its pieces have.
func moved(ranges []store.Earlier, moves []move) (list []store.Earlier) {
	for _, g := range ranges {
		at, i := g.Start, firstBehind(moves, g.Start)
		for at < g.End {
			piece := g
			piece.Start, piece.End = at, g.End
			next := g.End
			if i < len(moves) && moves[i].start < g.End {
				piece.End, next = max(at, moves[i].start), moves[i].end
			}
			if piece.Start != g.Start || piece.End != g.End {
				piece.Records = 0
			}
			if piece.Start < piece.End {
				by := shiftBefore(moves, i)
				piece.Start, piece.End = piece.Start+by, piece.End+by
				list = append(list, piece)
			}
			at, i = max(at, next), i+1
		}
	}
	return list
}

// firstBehind is the first move whose place ends behind an offset.
func firstBehind(moves []move, at int64) int {
	i, _ := slices.BinarySearchFunc(moves, at, func(m move, at int64) int {
		if m.end <= at {
			return -1
		}
		return 1
	})
	return i
}

// shiftBefore is how far what lies before the place i, and behind the one before
// it, moves.
func shiftBefore(moves []move, i int) int64 {
	if i == 0 {
		return 0
	}
	return moves[i-1].newEnd - moves[i-1].end
}
