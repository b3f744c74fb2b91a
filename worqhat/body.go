package worqhat

import (
	"errors"
	"io"
	"sync"

	"worqcron/failpoint"
)

var errSealed = errors.New("the attempt is over, its body is no longer readable")

// sealedBody is the body of one attempt. It counts what net/http takes and can
// be sealed: afterwards not one byte more can leave, whatever goroutine of
// net/http is still at work, and the caller's buffer is its own again. That
// makes "the body was not handed over whole" a proof instead of a guess.
type sealedBody struct {
	mu     sync.Mutex
	data   []byte // the caller's; never written to
	begins func() // called at the first read
	off    int
	sealed bool
}

// Read implements io.Reader.
func (b *sealedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed {
		return 0, errSealed
	}
	if b.off == 0 && b.begins != nil {
		b.begins()
		b.begins = nil
	}
	if b.off == len(b.data) {
		return 0, io.EOF
	}
	n := copy(p, b.data[b.off:])
	b.off += n
	return n, nil
}

// pieceBytes is what one write takes of a body at most. Larger writes were no
// faster, and each may keep seal waiting.
const pieceBytes = 1 << 20

// writeTo writes what is left of the body, n bytes at most, without a copy. A
// seal meanwhile waits for the write under way: net/http closes a connection
// whose request is over and not written whole, and that ends the write.
func (b *sealedBody) writeTo(w io.Writer, n int64) (total int64, err error) {
	for total < n && err == nil {
		var more int
		if more, err = b.writePiece(w, min(n-total, failpoint.Piece("mid-body", pieceBytes))); more == 0 {
			break
		}
		total += int64(more)
		failpoint.Hit("mid-body")
	}
	return total, err
}

func (b *sealedBody) writePiece(w io.Writer, n int64) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed {
		return 0, errSealed
	}
	if b.off == 0 && b.begins != nil {
		b.begins()
		b.begins = nil
	}
	piece := b.data[b.off:]
	piece = piece[:min(int64(len(piece)), n)]
	written, err := w.Write(piece)
	b.off += written
	return written, err
}

// Close implements io.Closer; there is nothing to free.
func (b *sealedBody) Close() error { return nil }

// seal ends all reading and returns how many bytes were taken.
func (b *sealedBody) seal() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	b.data = nil
	return int64(b.off)
}
