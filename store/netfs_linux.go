package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// refuseNetworkFileSystem rejects places where file locks and fsync cannot be
// relied on (magic numbers from statfs(2)).
func refuseNetworkFileSystem(dir string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return err
	}
	names := map[uint32]string{
		unix.NFS_SUPER_MAGIC:  "NFS",
		unix.SMB_SUPER_MAGIC:  "SMB",
		unix.CIFS_SUPER_MAGIC: "CIFS",
		unix.SMB2_SUPER_MAGIC: "SMB",
		unix.AFS_SUPER_MAGIC:  "AFS",
		unix.V9FS_MAGIC:       "9P",
		unix.CEPH_SUPER_MAGIC: "Ceph",
		unix.CODA_SUPER_MAGIC: "Coda",
	}
	if name, ok := names[uint32(s.Type)]; ok {
		return fmt.Errorf("it lies on a network file system (%s), where locks and fsync cannot be relied on: move it to a local disk", name)
	}
	return nil
}
