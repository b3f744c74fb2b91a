package batch

import (
	"io/fs"
	"path/filepath"
)

// Files is a number of files and their size together.
type Files struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// Beside is what lies beside a ledger and belongs to it, but is no part of it: a
// backup of the ledger does not have it.
type Beside struct {
	KeptBodies Files `json:"kept_bodies"` // in NAME.bodies
	Spools     Files `json:"spools"`      // in NAME.spool
}

// FindBeside looks at what lies beside a ledger.
func FindBeside(ledger string) (b Beside, err error) {
	if b.KeptBodies, err = filesBelow(keptDir(ledger)); err != nil {
		return b, err
	}
	b.Spools, err = filesBelow(spoolDir(ledger))
	return b, err
}

// filesBelow counts all files below a folder; none if it is missing.
func filesBelow(dir string) (total Files, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return ignoreMissing(err)
		}
		info, err := e.Info()
		if err == nil {
			total.Files++
			total.Bytes += info.Size()
		}
		return ignoreMissing(err)
	})
	return total, err
}
