//go:build !linux

package source

// renameNew renames a file from one open folder into another, and never over
// one that is there: that is fs.ErrExist. Another file system is EXDEV.
func renameNew(fromFolder int, from string, toFolder int, to string) error {
	return linkNew(fromFolder, from, toFolder, to)
}
