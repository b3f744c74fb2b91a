package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/fsnotify/fsnotify"
)

// Notices is what the operating system tells of changes in folders, for all watches
// of a process: there are few places for more than one.
type Notices struct {
	watcher *fsnotify.Watcher

	mu      sync.Mutex
	folders map[string]*noticedFolder // by path
	bells   map[*bell]bool
}

// noticedFolder is a folder whose changes are told.
type noticedFolder struct {
	inode uint64 // 0: it is told no more
	bells map[*bell]bool
}

// bell rings, once until it was heard, when something changed.
type bell struct {
	rung    chan struct{} // holds one
	folders map[string]bool
}

func newBell() *bell { return &bell{rung: make(chan struct{}, 1), folders: map[string]bool{}} }

func (b *bell) ring() {
	select {
	case b.rung <- struct{}{}:
	default: // it was not heard yet
	}
}

// OpenNotices begins to listen. Run must be called then; it closes them.
func OpenNotices() (*Notices, error) {
	w, err := fsnotify.NewBufferedWatcher(1024)
	if err != nil {
		return nil, fmt.Errorf("be told of changes in folders: %w", err)
	}
	return &Notices{watcher: w, folders: map[string]*noticedFolder{}, bells: map[*bell]bool{}}, nil
}

// Run hands on what is told until ctx ends, and returns nil then.
func (n *Notices) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return n.watcher.Close()
		case e := <-n.watcher.Events:
			n.tell(e)
		case err := <-n.watcher.Errors: // such as an overflow: nobody knows what was missed
			n.tellAll(err)
		}
	}
}

func (n *Notices) tell(e fsnotify.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if f := n.folders[e.Name]; f != nil && e.Has(fsnotify.Remove|fsnotify.Rename) {
		f.inode = 0
	}
	for _, folder := range []string{e.Name, filepath.Dir(e.Name)} {
		if f := n.folders[folder]; f != nil {
			for b := range f.bells {
				b.ring()
			}
		}
	}
}

// tellAll lets all look: after an error of the listening it is not known at what.
func (n *Notices) tellAll(err error) {
	if err == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for b := range n.bells {
		b.ring()
	}
}

func (n *Notices) newBell() *bell {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := newBell()
	n.bells[b] = true
	return b
}

func (n *Notices) remove(b *bell) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.bells, b)
	for folder := range b.folders {
		n.drop(b, folder)
	}
}

// drop lets a bell no longer ring for a folder.
func (n *Notices) drop(b *bell, folder string) {
	delete(b.folders, folder)
	f := n.folders[folder]
	delete(f.bells, b)
	if len(f.bells) > 0 {
		return
	}
	delete(n.folders, folder)
	if f.inode != 0 {
		_ = n.watcher.Remove(folder) // an error says that it is gone already
	}
}

// cover lets a bell ring for just these folders. It says whether there are new ones
// among them, whose last changes nobody was told of. After an error some may be
// missing.
func (n *Notices) cover(b *bell, folders []string) (added bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	want := map[string]bool{}
	for _, folder := range folders {
		want[folder] = true
		more, e := n.add(b, folder)
		added, err = added || more, errors.Join(err, e)
		if e != nil {
			break // there is no place for the next one either
		}
	}
	for folder := range b.folders {
		if !want[folder] {
			n.drop(b, folder)
		}
	}
	return added, err
}

// add lets a bell ring for a folder, which may be another one than before at the
// same path.
func (n *Notices) add(b *bell, folder string) (added bool, err error) {
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // gone since it was listed: look again
	}
	if err != nil {
		return false, openError(folder, err)
	}
	inode := identityOf(info).Inode
	f := n.folders[folder]
	if f == nil {
		f = &noticedFolder{bells: map[*bell]bool{}}
		n.folders[folder] = f
	}
	if !f.bells[b] {
		f.bells[b], b.folders[folder], added = true, true, true
	}
	if f.inode != 0 && f.inode == inode {
		return added, nil
	}
	if f.inode != 0 {
		_ = n.watcher.Remove(folder) // an error says that it is gone already
	}
	f.inode = 0
	if err := n.watcher.Add(folder); err != nil {
		return added, fmt.Errorf("be told of changes in %s: %w", folder, err)
	}
	f.inode = max(1, inode)
	return true, nil
}

// maxNoticed bounds the folders of one path whose changes are told.
const maxNoticed = 4096

// listen lets the bell ring for the folders in which files may arrive, and gives
// when to look in any case.
func (l *lookout) listen() time.Duration {
	if l.watch.Notices == nil {
		return lookOften
	}
	folders, err := l.folders()
	added := false
	if err == nil {
		added, err = l.watch.Notices.cover(l.bell, folders)
	}
	l.trouble(noNotices, err)
	if added {
		l.bell.ring()
	}
	if err != nil || len(folders) > 0 && isRemote(folders[0]) {
		return lookOften
	}
	return lookAnyway
}

// noNotices is where a lookout remembers why it is not told of changes.
const noNotices = "\x00"

// folders are those in which files may arrive, and those in which such folders may:
// or, where all of them are missing, the last one on the way that is there.
func (l *lookout) folders() ([]string, error) {
	if !l.options.belowTree() {
		return []string{nearestFolder(filepath.Dir(l.options.Path))}, nil
	}
	t, err := openTree(l.options)
	if err != nil {
		return nil, err
	}
	if t == nil {
		base, _ := doublestar.SplitPattern(filepath.ToSlash(PathPattern(l.options.Path)))
		return []string{nearestFolder(filepath.FromSlash(base))}, nil
	}
	defer t.close()
	return t.folders()
}

// folders lists the base, and below it the folders that a beginning of the pattern
// matches.
func (t *tree) folders() ([]string, error) {
	list := []string{t.base}
	known := map[string]bool{".": true}
	dir := path.Dir(t.pattern)
	if strings.Contains(t.pattern, "**") || bracesSpanFolders(t.pattern) {
		dir = "**"
	}
	if dir == "." {
		return list, nil
	}
	parts := strings.Split(dir, "/")
	for i := range parts {
		begin := path.Join(parts[:i+1]...)
		err := doublestar.GlobWalk(t.root.FS(), begin, func(name string, d fs.DirEntry) error {
			if !d.IsDir() || known[name] {
				return nil
			}
			known[name] = true
			list = append(list, filepath.Join(t.base, filepath.FromSlash(name)))
			if len(list) > maxNoticed {
				return fmt.Errorf("be told of changes: more than %d folders may hold files", maxNoticed)
			}
			return nil
		}, doublestar.WithNoFollow())
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// bracesSpanFolders says whether a pattern's parts cannot be told apart.
func bracesSpanFolders(pattern string) bool {
	open := strings.IndexByte(pattern, '{')
	return open >= 0 && strings.Contains(pattern[open:strings.LastIndexByte(pattern, '}')+1], "/")
}

// nearestFolder is a folder, or the last one on the way to it that is there.
func nearestFolder(folder string) string {
	for {
		info, err := os.Stat(folder)
		if err == nil && info.IsDir() || filepath.Dir(folder) == folder {
			return folder
		}
		folder = filepath.Dir(folder)
	}
}
