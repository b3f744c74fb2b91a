package source

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Arrived is a file that lies where a source's path names files, and has settled.
type Arrived struct {
	Path string
	Identity
	Changed     time.Time // when its inode last changed, which a move counts as; zero: not known here
	ContentHash string    // as File.ContentHash
}

// same says whether a file is the one that was seen before, untouched.
func (a Arrived) same(b Arrived) bool {
	return a.Size == b.Size && a.Inode == b.Inode && a.ModTime.Equal(b.ModTime) && a.Changed.Equal(b.Changed)
}

// ArrivalWatch finds files that arrive at a source's path. Fill in the fields and
// call Run. It decides what has settled and differs from what lay there; what that
// means is for those whom it tells.
//
// It is told of changes by Notices where that is possible, and looks by itself from
// time to time in any case: often where it is not told.
type ArrivalWatch struct {
	Options Options       // Path without expressions
	Settle  time.Duration // a file counts when its size and time have not changed for so long
	Notices *Notices      // nil: it only looks by itself
	Known   []Arrived     // what Arrived was told before and has not Left, as far as is known

	// Arrived is told of files that have settled and are not what it was told of
	// their paths before: another file or content, or the same content touched. An
	// error lets it be told again some seconds later. It is called from Run, as the
	// others are.
	Arrived func(context.Context, []Arrived) error
	// Left is told of paths at which there is no file any more. While the folder of
	// the path is missing as a whole nothing is: it may be a disk that is not mounted.
	Left func(context.Context, []string) error
	// Looked is told after each look.
	Looked func(context.Context)
	// Trouble is told, once, what keeps a file or ("") everything from being looked at;
	// it is tried again all the time. A nil error: it is no more.
	Trouble func(path string, err error)
}

// Times of an ArrivalWatch.
const (
	lookAnyway  = 30 * time.Second // also when it is told of changes
	lookOften   = 5 * time.Second  // when it is not
	lookAgain   = 5 * time.Second  // after an error of those whom it tells
	lookGap     = 100 * time.Millisecond
	lookShare   = 10 // a look rests so many times as long as it took, however much happens
	tellAtMost  = 200
	tellAtLeast = time.Second // so often while many are hashed
)

// Run watches until ctx ends and returns nil then.
func (w *ArrivalWatch) Run(ctx context.Context) error {
	o, err := w.Options.withDefaults()
	if err != nil {
		return err
	}
	l := &lookout{watch: w, options: o, vigil: &vigil{options: o, wait: Settling{For: w.Settle}, seen: map[string]*sight{}}, reported: map[string]Arrived{}, troubles: map[string]string{}}
	for _, a := range w.Known {
		l.reported[a.Path] = a
	}
	if w.Notices != nil {
		l.bell = w.Notices.newBell()
		defer w.Notices.remove(l.bell)
	} else {
		l.bell = newBell()
	}
	for ctx.Err() == nil {
		began := time.Now()
		next := l.look(ctx)
		if ctx.Err() == nil {
			w.Looked(ctx)
		}
		l.rest(ctx, max(lookGap, lookShare*time.Since(began)), next)
	}
	return nil
}

// lookout is an ArrivalWatch under way.
type lookout struct {
	watch    *ArrivalWatch
	options  Options
	vigil    *vigil
	reported map[string]Arrived // by path: what Arrived was told
	troubles map[string]string  // by path: what Trouble was told
	bell     *bell
}

// rest sleeps for at least a while, then until the bell rings or next has passed.
func (l *lookout) rest(ctx context.Context, atLeast, next time.Duration) {
	timer := time.NewTimer(atLeast)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	timer.Reset(max(0, next-atLeast))
	select {
	case <-ctx.Done():
	case <-l.bell.rung:
	case <-timer.C:
	}
}

// trouble tells what is wrong with a path, or (nil) that nothing is, when that is
// news.
func (l *lookout) trouble(path string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if l.troubles[path] == text {
		return
	}
	if text == "" {
		delete(l.troubles, path)
	} else {
		l.troubles[path] = text
	}
	l.watch.Trouble(strings.TrimPrefix(path, noNotices), err)
}

// look tells what is new, and gives when to look again.
func (l *lookout) look(ctx context.Context) time.Duration {
	next := l.listen()
	there, err := l.open()
	if err != nil {
		l.trouble("", err)
		return next
	}
	l.trouble("", nil)
	if there == nil {
		clear(l.vigil.seen)
		return next
	}
	defer there.close()
	known := map[string]bool{}
	r := &report{lookout: l, ctx: ctx, began: time.Now()}
	for _, path := range there.paths {
		if ctx.Err() != nil {
			return next
		}
		info, err := there.stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		known[path] = true
		if err == nil && info.IsDir() {
			continue
		}
		if again := l.inspect(r, there, path, info, err); again > 0 {
			next = min(next, again)
		}
	}
	if err := r.tell(); err != nil {
		next = min(next, lookAgain)
	}
	if err := l.forget(ctx, known); err != nil {
		next = min(next, lookAgain)
	}
	return next
}

// inspect adds a file to the report if it is news and has settled; if it has not,
// the result is when it may have.
func (l *lookout) inspect(r *report, there *listing, path string, info fs.FileInfo, err error) (again time.Duration) {
	if err == nil && !info.Mode().IsRegular() {
		err = &Error{Path: path, Msg: "is " + kindOf(info.Mode()) + ", not a regular file"}
	}
	if err != nil {
		l.trouble(path, openError(path, err))
		return 0
	}
	now := arrivedOf(path, info)
	if before, ok := l.reported[path]; ok && before.same(now) {
		delete(l.vigil.seen, path)
		l.trouble(path, nil)
		return 0
	}
	s := l.vigil.note(path, info, nil)
	if !l.vigil.settled(s) {
		return max(time.Millisecond, l.watch.Settle-time.Since(s.since))
	}
	sum, err := hashOf(r.ctx, there, now)
	switch {
	case errors.Is(err, errTouched):
		s.since = time.Now()
		return max(lookGap, l.watch.Settle)
	case err != nil && r.ctx.Err() == nil:
		l.trouble(path, openError(path, err))
		return 0
	case err != nil:
		return 0
	}
	l.trouble(path, nil)
	now.ContentHash = sum
	if r.add(now) != nil {
		return lookAgain
	}
	return 0
}

// forget lets go of paths at which no file lies any more.
func (l *lookout) forget(ctx context.Context, known map[string]bool) error {
	for path := range l.vigil.seen {
		if !known[path] {
			delete(l.vigil.seen, path)
		}
	}
	for path := range l.troubles {
		if path != "" && path != noNotices && !known[path] {
			delete(l.troubles, path)
		}
	}
	var left []string
	for path := range l.reported {
		if !known[path] {
			left = append(left, path)
		}
	}
	if len(left) == 0 || ctx.Err() != nil {
		return nil
	}
	slices.Sort(left)
	if err := l.watch.Left(ctx, left); err != nil {
		return err
	}
	for _, path := range left {
		delete(l.reported, path)
	}
	return nil
}

// report collects what one look found.
type report struct {
	*lookout
	ctx   context.Context // of the look, which lives no longer
	began time.Time
	list  []Arrived
}

func (r *report) add(a Arrived) error {
	r.list = append(r.list, a)
	if len(r.list) < tellAtMost && time.Since(r.began) < tellAtLeast {
		return nil
	}
	return r.tell()
}

func (r *report) tell() error {
	list := r.list
	r.list, r.began = nil, time.Now()
	if len(list) == 0 || r.ctx.Err() != nil {
		return nil
	}
	if err := r.watch.Arrived(r.ctx, list); err != nil {
		return err
	}
	for _, a := range list {
		r.reported[a.Path] = a
		delete(r.vigil.seen, a.Path)
	}
	return nil
}
