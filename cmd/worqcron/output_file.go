package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// outputFile is a private file that is there whole or not at all.
type outputFile struct {
	*os.File
	path    string
	replace bool
}

// createOutput begins a file. Without replace one that is there already is an
// error, now and at the end.
func createOutput(path string, replace bool) (*outputFile, error) {
	if _, err := os.Lstat(path); err == nil && !replace {
		return nil, existsAlready(path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".worqcron-*") // 0600
	if err != nil {
		return nil, err
	}
	return &outputFile{f, path, replace}, nil
}

func existsAlready(path string) error {
	return usageError{fmt.Errorf("%s exists\n  hint: --force replaces it", path)}
}

// commit makes the file durable under its name, or removes it where err is set.
func (f *outputFile) commit(err error) error {
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && f.replace {
		if err = os.Rename(f.Name(), f.path); err == nil {
			return nil
		}
	} else if err == nil {
		err = os.Link(f.Name(), f.path) // unlike a rename it replaces nothing
		if errors.Is(err, fs.ErrExist) {
			err = existsAlready(f.path)
		}
	}
	return errors.Join(err, os.Remove(f.Name()))
}
