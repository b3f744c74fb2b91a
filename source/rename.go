package source

import "golang.org/x/sys/unix"

// linkNew renames in two steps: a second name, then the first one goes. A crash
// between them leaves both.
func linkNew(fromFolder int, from string, toFolder int, to string) error {
	if err := unix.Linkat(fromFolder, from, toFolder, to, 0); err != nil {
		return err
	}
	return unix.Unlinkat(fromFolder, from, 0)
}
