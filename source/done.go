package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Identity says which file was read at a path, so that another one that took
// its place is left alone.
type Identity struct {
	Size    int64
	ModTime time.Time
	Inode   uint64
}

// Identity is that of an open file; its zero value where there is none.
func (f *File) Identity() Identity {
	if f.info == nil {
		return Identity{}
	}
	return identityOf(f.info)
}

func identityOf(info fs.FileInfo) Identity {
	id := Identity{Size: info.Size(), ModTime: info.ModTime()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Inode = stat.Ino
	}
	return id
}

// Remove deletes a file of the source, if it is still the one that was read.
// Another file there is an *Error; none at all wraps fs.ErrNotExist. It cannot
// leave the folder below which a glob is expanded.
func Remove(o Options, path string, was Identity) error {
	p, err := openDone(o, path)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.check(was); err != nil {
		return err
	}
	return p.fault("delete", p.folder.Remove(p.name))
}

// MoveInto moves a file of the source into a folder, which it creates (0700) if
// need be, under the file's name or, where that is taken, with -1, -2, … before
// its ending: nothing is overwritten. It returns the new path. The same errors
// as Remove; where one is returned, the file lies where it was.
func MoveInto(ctx context.Context, o Options, path string, was Identity, folder string) (string, error) {
	p, err := openDone(o, path)
	if err != nil {
		return "", err
	}
	defer p.close()
	if err := p.check(was); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", p.fault("move", err)
	}
	to, err := os.OpenRoot(folder)
	if err != nil {
		return "", p.fault("move", err)
	}
	defer to.Close() // a folder opened for reading: its close loses nothing
	if p.isIn(to) {
		return "", &Error{Path: path, Msg: "lies in the folder for delivered files already", Hint: "name another folder in when_done"}
	}
	name, err := p.rename(to)
	if errors.Is(err, unix.EXDEV) {
		name, err = p.copyAcross(ctx, to, was)
	}
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, name), nil
}

// doneFile is a file that nothing more is needed of: an open folder and a name in
// it.
type doneFile struct {
	folder *os.Root
	name   string
	path   string // both, for messages
}

// openDone opens the folder of a path, below the glob's own if there is one.
func openDone(o Options, path string) (*doneFile, error) {
	p := &doneFile{name: filepath.Base(path), path: path}
	if !o.belowTree() {
		folder, err := os.OpenRoot(filepath.Dir(path))
		if err != nil {
			return nil, p.fault("open its folder", err)
		}
		p.folder = folder
		return p, nil
	}
	t, err := openTree(o)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, p.fault("open its folder", fs.ErrNotExist)
	}
	defer t.close()
	name, err := t.name(path)
	if err != nil {
		return nil, p.fault("open its folder", err)
	}
	if p.folder, err = t.root.OpenRoot(filepath.Dir(name)); err != nil {
		return nil, p.fault("open its folder", err)
	}
	return p, nil
}

func (p *doneFile) close() { p.folder.Close() } // read only: its close loses nothing

// fault is err with the file's path, or nil.
func (p *doneFile) fault(doing string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &Error{Path: p.path, Msg: doing, Err: err}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		e.Err = inner.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		e.Hint = "let the user that runs worqcron write to the folders"
	}
	return e
}

func (p *doneFile) changed(how string) error {
	return &Error{Path: p.path, Msg: how, Hint: "the next run reads what lies there now"}
}

// check compares the file that lies there now with the one that was read.
func (p *doneFile) check(was Identity) error {
	info, err := p.folder.Lstat(p.name)
	if err != nil {
		return p.fault("look at it", err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return &Error{Path: p.path, Msg: "is a symbolic link, which stays", Hint: "let path name the files themselves"}
	}
	now := identityOf(info)
	switch {
	case now.Inode != was.Inode:
		return p.changed("was replaced since it was read")
	case now.Size != was.Size || !now.ModTime.Equal(was.ModTime):
		return p.changed("was written since it was read")
	}
	return nil
}

func (p *doneFile) isIn(folder *os.Root) bool {
	here, err := p.folder.Stat(".")
	if err != nil {
		return false
	}
	there, err := folder.Stat(".")
	return err == nil && os.SameFile(here, there)
}

// rename moves the file within its file system and returns its new name.
func (p *doneFile) rename(to *os.Root) (string, error) {
	from, err := p.folder.Open(".")
	if err != nil {
		return "", p.fault("move", err)
	}
	defer from.Close() // read only: its close loses nothing
	return p.intoFree(to, from, p.name)
}

// intoFree renames what is called old in from to the first free name in to.
func (p *doneFile) intoFree(to *os.Root, from *os.File, old string) (string, error) {
	folder, err := to.Open(".")
	if err != nil {
		return "", p.fault("move", err)
	}
	defer folder.Close() // read only: its close loses nothing
	const most = 10_000
	for n := range most {
		name := numbered(p.name, n)
		err := renameNew(int(from.Fd()), old, int(folder.Fd()), name)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		return name, p.fault("move", err)
	}
	return "", &Error{Path: p.path, Msg: fmt.Sprintf("move: %d files have its name in %s", most, to.Name()), Hint: "clear the folder out"}
}

// numbered puts -n before a name's ending: orders-1.csv.gz. 0 is the name itself.
func numbered(name string, n int) string {
	if n == 0 {
		return name
	}
	end := filepath.Ext(name)
	if packed := end; packed == ".gz" || packed == ".zst" || packed == ".zip" {
		end = filepath.Ext(strings.TrimSuffix(name, packed)) + packed
	}
	if end == name { // a name that begins with its only dot
		end = ""
	}
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, end), n, end)
}

// copyAcross copies the file into a folder of another file system, makes the
// copy durable under its name, and deletes the file if it is the same still.
func (p *doneFile) copyAcross(ctx context.Context, to *os.Root, was Identity) (name string, err error) {
	temporary := fmt.Sprintf(".worqcron-%x-%s.part", was.Inode, p.name) // what a crash leaves of it is used again
	if err := p.copyTo(ctx, to, temporary, was); err != nil {
		return "", errors.Join(p.fault("copy", err), ignoreMissing(to.Remove(temporary)))
	}
	folder, err := to.Open(".")
	if err != nil {
		return "", p.fault("copy", errors.Join(err, to.Remove(temporary)))
	}
	defer folder.Close() // read only: its close loses nothing
	if name, err = p.intoFree(to, folder, temporary); err != nil {
		return "", errors.Join(err, to.Remove(temporary))
	}
	if err := folder.Sync(); err != nil {
		return "", p.fault("copy", errors.Join(err, to.Remove(name)))
	}
	if err := p.check(was); err != nil {
		return "", errors.Join(err, to.Remove(name))
	}
	if err := p.folder.Remove(p.name); err != nil {
		return "", p.fault("delete", errors.Join(err, to.Remove(name)))
	}
	return name, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copyTo writes a durable copy with the file's mode and time.
func (p *doneFile) copyTo(ctx context.Context, to *os.Root, name string, was Identity) error {
	in, err := p.folder.OpenFile(p.name, openFlags, 0)
	if err != nil {
		return err
	}
	defer in.Close() // read only: its close loses nothing
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if now := identityOf(info); now.Inode != was.Inode {
		return p.changed("was replaced since it was read")
	}
	out, err := to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, stopping{ctx, in})
	if err == nil && n != was.Size {
		err = p.changed("was written since it was read")
	}
	if err == nil {
		err = errors.Join(out.Chmod(info.Mode().Perm()), to.Chtimes(name, time.Time{}, info.ModTime()), out.Sync())
	}
	return errors.Join(err, out.Close())
}

// stopping is a reader that ends with its context.
type stopping struct {
	ctx context.Context
	in  io.Reader
}

func (s stopping) Read(b []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.in.Read(b)
}
