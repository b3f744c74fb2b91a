package source

import (
	"errors"

	"golang.org/x/sys/unix"
)

// renameNew renames a file from one open folder into another, and never over
// one that is there: that is fs.ErrExist. Another file system is EXDEV.
func renameNew(fromFolder int, from string, toFolder int, to string) error {
	err := unix.Renameat2(fromFolder, from, toFolder, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return linkNew(fromFolder, from, toFolder, to) // a file system without the flag, such as NFS
	}
	return err
}
