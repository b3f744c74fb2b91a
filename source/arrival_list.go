package source

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zeebo/blake3"
)

// listing is the files that a path names now.
type listing struct {
	tree  *tree // nil: one file by its whole path
	paths []string
}

// open lists them; nil if the folder in which they would lie is missing.
func (l *lookout) open() (*listing, error) {
	if !l.options.belowTree() {
		if _, err := os.Stat(filepath.Dir(l.options.Path)); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		} else if err != nil {
			return nil, openError(filepath.Dir(l.options.Path), err)
		}
		return &listing{paths: []string{l.options.Path}}, nil
	}
	t, err := openTree(l.options)
	if err != nil || t == nil {
		return nil, err
	}
	paths, err := t.match()
	if err != nil {
		t.close()
		return nil, err
	}
	return &listing{tree: t, paths: paths}, nil
}

func (l *listing) close() {
	if l.tree != nil {
		l.tree.close()
	}
}

func (l *listing) stat(path string) (fs.FileInfo, error) {
	if l.tree == nil {
		return os.Stat(path)
	}
	return l.tree.stat(path)
}

func (l *listing) open(path string) (*os.File, error) {
	if l.tree == nil {
		return os.OpenFile(path, openFlags, 0)
	}
	return l.tree.open(path, openFlags, 0)
}

func arrivedOf(path string, info fs.FileInfo) Arrived {
	return Arrived{Path: path, Identity: identityOf(info), Changed: changeTime(info)}
}

// errTouched says that a file is not what it was a moment ago.
var errTouched = errors.New("it changed while it was read")

// hashOf reads a file as it was listed.
func hashOf(ctx context.Context, there *listing, was Arrived) (string, error) {
	f, err := there.open(was.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errTouched
	}
	if err != nil {
		return "", err
	}
	defer f.Close() // read only: its close loses nothing
	sum := blake3.New()
	for _, read := range []bool{true, false} {
		info, err := f.Stat()
		if err != nil {
			return "", err
		}
		if !was.same(arrivedOf(was.Path, info)) {
			return "", errTouched
		}
		if read {
			if _, err := io.CopyBuffer(sum, stopping{ctx, f}, make([]byte, min(max(1, was.Size), 256<<10))); err != nil {
				return "", err
			}
		}
	}
	return "blake3:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// Lying lists the files that the source's path names now and that are not among
// known: those that an ArrivalWatch would tell of, or wait for.
func Lying(o Options, known []Arrived) (list []string, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	l := &lookout{options: o}
	there, err := l.open()
	if err != nil || there == nil {
		return nil, err
	}
	defer there.close()
	before := map[string]Arrived{}
	for _, a := range known {
		before[a.Path] = a
	}
	for _, path := range there.paths {
		info, err := there.stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if a, ok := before[path]; !ok || !a.same(arrivedOf(path, info)) {
			list = append(list, path)
		}
	}
	return list, nil
}

// Names says whether the source's path, without expressions, names a file at path.
func (o *Options) Names(file string) bool {
	c, err := o.withDefaults()
	if err != nil || !c.belowTree() {
		return err == nil && file == c.Path
	}
	matches, err := doublestar.Match(filepath.ToSlash(c.Path), filepath.ToSlash(file))
	return err == nil && matches
}
