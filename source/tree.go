package source

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// tree is the folder below which a glob is expanded. All opening goes through
// os.Root, so no symbolic link and no ".." leads out of it, also if the tree is
// changed meanwhile.
type tree struct {
	root    *os.Root
	base    string // the part of the path before the first glob character or expression
	pattern string // the rest, with slashes
	glob    string // both, for messages
}

// openTree opens the fixed part of a path; nil if it does not exist.
func openTree(o Options) (*tree, error) {
	glob := o.Path
	base, pattern := o.Base, o.Below
	if base == "" {
		base, pattern = doublestar.SplitPattern(filepath.ToSlash(PathPattern(glob)))
	}
	if !doublestar.ValidatePattern(pattern) {
		return nil, &Error{Path: glob, Msg: "is not a valid glob", Hint: "close each [ and {"}
	}
	base = filepath.FromSlash(base)
	root, err := os.OpenRoot(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, openError(base, err)
	}
	return &tree{root, base, pattern, glob}, nil
}

// List names the files that o.Path, without expressions, names now, sorted. They
// are not opened, so they may be no files that can be read.
func List(o Options) ([]string, error) {
	o, err := o.withDefaults()
	if err != nil || o.Path == Stdin {
		return nil, err
	}
	paths, stat := []string{o.Path}, os.Stat
	if o.belowTree() {
		t, err := openTree(o)
		if err != nil || t == nil {
			return nil, err
		}
		defer t.close()
		if paths, err = t.match(); err != nil {
			return nil, err
		}
		stat = t.stat
	}
	return slices.DeleteFunc(paths, func(path string) bool { _, err := stat(path); return errors.Is(err, fs.ErrNotExist) }), nil
}

// match lists the paths that the pattern matches, sorted by name; one without a
// wildcard is listed whether it is there or not. Symbolic links to folders are not
// followed on the way: a link cannot make a loop.
func (t *tree) match() ([]string, error) {
	if !hasWildcard(t.pattern) {
		return []string{filepath.Join(t.base, filepath.FromSlash(unescape(t.pattern)))}, nil
	}
	names, err := doublestar.Glob(t.root.FS(), t.pattern, doublestar.WithFailOnIOErrors(), doublestar.WithNoFollow())
	if err != nil {
		return nil, &Error{Path: t.glob, Msg: "list files", Err: err}
	}
	everything := path.Base(t.pattern) == "*" || path.Base(t.pattern) == "**"
	paths := make([]string, 0, len(names))
	for _, name := range names {
		if everything && t.isFolder(name) {
			continue
		}
		paths = append(paths, filepath.Join(t.base, filepath.FromSlash(name)))
	}
	slices.Sort(paths)
	return paths, nil
}

// isFolder leaves errors to the open that follows.
func (t *tree) isFolder(name string) bool {
	info, err := t.root.Stat(name)
	return err == nil && info.IsDir()
}

// open has the shape of os.OpenFile.
func (t *tree) open(file string, flag int, perm os.FileMode) (*os.File, error) {
	name, err := t.name(file)
	if err != nil {
		return nil, err
	}
	return t.root.OpenFile(name, flag, perm)
}

func (t *tree) stat(file string) (fs.FileInfo, error) {
	name, err := t.name(file)
	if err != nil {
		return nil, err
	}
	return t.root.Stat(name)
}

// name is a path within the tree. One outside is refused.
func (t *tree) name(file string) (string, error) {
	name, err := filepath.Rel(t.base, file)
	if err != nil || name == ".." || strings.HasPrefix(name, ".."+string(filepath.Separator)) {
		return "", &fs.PathError{Op: "open", Path: file, Err: errors.New("it is not below " + t.base)}
	}
	return name, nil
}

func (t *tree) close() { t.root.Close() } // a folder opened for reading: its close loses nothing
