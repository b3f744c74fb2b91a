package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/bmatcuk/doublestar/v4"

	"worqcron/source"
	"worqcron/worqhat"
)

// lookAround compares the file with the machine: the API key, and the folders
// of the sources. Each may still come or go, so what is missing is a warning;
// but a key that others can read is an error, since it has to be replaced.
func (r *reader) lookAround() {
	if r.doc.root == nil {
		return
	}
	r.lookForKey(r.doc.root.child(worqhatSection))
	r.lookForServices(r.doc.root.child(notifySection))
	for _, s := range r.config.Schedules {
		if s.Job.Source == nil || s.Job.Source.Path == "" || s.Job.Source.Path == source.Stdin {
			continue
		}
		written := r.schedules[s.Name].child("source").child("path")
		hint := "each run fails until the folder is there"
		if s.OnArrival {
			hint = "no file arrives until the folder is there"
		}
		r.lookForFolder(written, source.PathPattern(s.Job.Source.Path), hint)
	}
}

// lookForKey reports where there is no usable key. It does not keep the key.
func (r *reader) lookForKey(table *node) {
	options := r.config.WorqHat
	offset := 0
	for _, key := range []string{"api_key_env", "api_key_file"} {
		if n := table.child(key); n != nil {
			offset = n.offset
		}
	}
	if options.KeyFile != "" {
		info, err := os.Stat(options.KeyFile)
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			r.reject(offset, fmt.Sprintf("the key file %s has mode %04o: others can get at the key", options.KeyFile, info.Mode().Perm()),
				"chmod 600 "+options.KeyFile)
			return
		}
	}
	_, _, err := worqhat.LoadKey(options)
	var missing *worqhat.KeyError
	switch {
	case err == nil:
	case errors.As(err, &missing):
		r.warn(offset, fmt.Sprintf("no API key from %s: %v", missing.Where, missing.Err), missing.Hint)
	default:
		r.warn(offset, fmt.Sprintf("no API key: %v", err), "")
	}
}

// lookForFolder reports a source whose folder is not there.
func (r *reader) lookForFolder(written *node, pattern, hint string) {
	folder, _ := doublestar.SplitPattern(pattern)
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.warn(written.offset, fmt.Sprintf("path: folder %s does not exist", folder), hint)
	case err != nil:
		r.warn(written.offset, "path: "+err.Error(), hint)
	case !info.IsDir():
		r.warn(written.offset, fmt.Sprintf("path: %s is not a folder", folder), hint)
	}
}
