package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// openStdin makes a File of the standard input. It is read once, and its size is
// known when that was done.
func openStdin(o Options) (*File, error) {
	refuse := func(msg, hint string) (*File, error) {
		return nil, &Error{Path: Stdin, Msg: msg, Hint: hint}
	}
	switch {
	case o.Format == "":
		return refuse("the standard input has no name that tells its format", `set format = "csv", "ndjson" or "json" in [source]`)
	case o.Compression == CompressionZip:
		return refuse("zip cannot be read from the standard input: its directory is at its end", "give the file's path, or pipe it through funzip")
	case term.IsTerminal(int(os.Stdin.Fd())):
		return refuse("the standard input is a terminal", "pipe the records in, or give a file: worqcron run NAME < FILE")
	}
	info, err := os.Stdin.Stat()
	if err != nil {
		return nil, &Error{Path: Stdin, Msg: "the standard input cannot be read", Err: err}
	}
	f := newTextFile(os.Stdin, Stdin, o)
	f.info, f.ModTime, f.Format, f.Compression = info, time.Now(), o.Format, o.Compression
	if f.Compression == "" {
		f.Compression = CompressionNone
	}
	return f, nil
}

// Stdin says whether the file is the standard input.
func (f *File) Stdin() bool { return f.Path == Stdin }

// takeStdin lets the standard input be read, once.
func (f *File) takeStdin() error {
	if f.taken {
		return &Error{Path: Stdin, Msg: "the standard input was read already", Hint: "it cannot be read twice"}
	}
	f.taken = true
	return nil
}

// pollMillis is how long a wait for the standard input goes without a look at
// whether it is still wanted.
const pollMillis = 100

// errStopped ends a wait that the Scan's context ended.
var errStopped = &Error{Path: Stdin, Msg: "reading was stopped"}

// readStdin reads what is there, and waits while there is nothing, until the end
// or until done.
func (d *disk) readStdin(p []byte) (int, error) {
	if d.ended {
		return 0, io.EOF
	}
	fd := []unix.PollFd{{Fd: int32(d.f.file.Fd()), Events: unix.POLLIN}}
	for ready := 0; ready == 0; {
		select {
		case <-d.done:
			return 0, errStopped
		default:
		}
		var err error
		ready, err = unix.Poll(fd, pollMillis)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, &Error{Path: Stdin, Msg: "wait for more", Err: err}
		}
	}
	n, err := d.f.file.Read(p)
	d.count(p[:n])
	d.ended = err == io.EOF
	if err != nil && err != io.EOF {
		return n, &Error{Path: Stdin, Msg: fmt.Sprintf("read at byte %d", d.off), Err: err}
	}
	return n, err
}
