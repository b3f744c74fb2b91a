package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Settling says how long files must have been left alone before they are read.
type Settling struct {
	For     time.Duration                          // no change of size or time for so long; 0 waits for nothing
	AtMost  time.Duration                          // then OpenSettled gives up
	Waiting func(path string, until time.Duration) // told once if it has to wait at all; may be nil
	Only    string                                 // of the files that the path names, just this one; "": all
}

// OpenSettled is OpenSnapshot for files that may still be written. It waits
// until each file that lies there now has kept its size and time for w.For, and
// opens these and those that came meanwhile and have settled too. A newcomer
// that has not is left to the next run, so that a folder that fills all the time
// can be read.
//
// A file's time of change is believed at first sight unless it lies in the
// future; from then on the file is watched. One that goes on changing is an
// *Error when w.AtMost has passed. The end of ctx ends the wait with its cause.
func OpenSettled(ctx context.Context, o Options, w Settling) (*Snapshot, error) {
	if w.For <= 0 && w.Only != "" {
		return OpenFiles(o, []string{w.Only})
	}
	if w.For <= 0 || o.Path == Stdin {
		return OpenSnapshot(o)
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	v := &vigil{options: o, wait: w, began: time.Now(), seen: map[string]*sight{}}
	for {
		files, err := v.look()
		if err != nil {
			return nil, err
		}
		restless := v.restless(files)
		if restless == nil {
			s, err := v.open(files)
			if s != nil || err != nil {
				return s, err
			}
			continue // one changed in this instant
		}
		if err := v.sleep(ctx, restless); err != nil {
			return nil, err
		}
	}
}

// vigil watches the files of one source until they have settled.
type vigil struct {
	options Options
	wait    Settling
	began   time.Time
	looks   int
	seen    map[string]*sight
	told    bool
}

// sight is a file as it was seen last.
type sight struct {
	path    string
	size    int64
	modTime time.Time
	since   time.Time // it has not changed since then
	first   bool      // it was there at the first look
	regular bool      // anything else is refused when it is opened
}

// look lists the files that lie there now, in the order of their names.
func (v *vigil) look() ([]*sight, error) {
	v.looks++
	if !v.options.belowTree() {
		info, err := os.Stat(v.options.Path)
		return []*sight{v.note(v.options.Path, info, err)}, nil
	}
	t, err := openTree(v.options)
	if err != nil {
		return nil, err
	}
	if t == nil {
		_, err := openMissing(v.options)
		return nil, err
	}
	defer t.close()
	paths := []string{v.wait.Only}
	if v.wait.Only == "" {
		if paths, err = t.match(); err != nil {
			return nil, err
		}
	}
	var files []*sight
	for _, path := range paths {
		info, err := t.stat(path)
		files = append(files, v.note(path, info, err))
	}
	return files, nil
}

// note compares a file with how it was seen before. What cannot be looked at is
// left to the open that follows.
func (v *vigil) note(path string, info fs.FileInfo, err error) *sight {
	f, known := v.seen[path]
	if !known {
		f = &sight{path: path, first: v.looks == 1}
		v.seen[path] = f
	}
	f.regular = err == nil && info.Mode().IsRegular()
	if !f.regular {
		return f
	}
	now := time.Now()
	switch changed := f.size != info.Size() || !f.modTime.Equal(info.ModTime()); {
	case !known && info.ModTime().Before(now):
		f.since = info.ModTime()
	case changed:
		f.since = now
	}
	f.size, f.modTime = info.Size(), info.ModTime()
	return f
}

func (v *vigil) settled(f *sight) bool { return !f.regular || time.Since(f.since) >= v.wait.For }

// restless is the file to wait for longest, of those that were there from the
// beginning; nil if all have settled.
func (v *vigil) restless(files []*sight) *sight {
	var last *sight
	for _, f := range files {
		if f.first && !v.settled(f) && (last == nil || f.since.After(last.since)) {
			last = f
		}
	}
	return last
}

// open opens the settled ones. It gives nothing if one of them changed since it
// was looked at.
func (v *vigil) open(files []*sight) (*Snapshot, error) {
	files = slices.DeleteFunc(files, func(f *sight) bool { return !v.settled(f) })
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.path
	}
	s, err := OpenFiles(v.options, paths)
	if err != nil {
		return nil, err
	}
	for i, f := range s.Files {
		if f.Size != files[i].size || !f.ModTime.Equal(files[i].modTime) {
			return nil, s.Close()
		}
	}
	if err := s.sort(v.options.Order); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// sleep waits until a file may have settled, but looks at it several times on
// the way: a change that leaves no trace in the end is seen as well.
func (v *vigil) sleep(ctx context.Context, f *sight) error {
	left := v.wait.AtMost - time.Since(v.began)
	if left <= 0 {
		return &Error{
			Path: f.path, Msg: fmt.Sprintf("is still being written: it changed %s ago, and after waiting for %s it has not been left alone for %s",
				time.Since(f.since).Round(time.Millisecond), v.wait.AtMost, v.wait.For),
			Hint: "raise settle_timeout, lower settle, or look at what writes it",
		}
	}
	until := v.wait.For - time.Since(f.since)
	if !v.told && v.wait.Waiting != nil {
		v.wait.Waiting(f.path, until)
	}
	v.told = true
	pause := min(max(v.wait.For/4, 50*time.Millisecond), 5*time.Second)
	timer := time.NewTimer(min(left, until, pause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
