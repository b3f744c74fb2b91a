package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// disk is an ext4 file system in an image, mounted over the program's folder. A
// power cut is a copy of the image while the program stands still: what it wrote
// and did not sync is in the page cache above the image, and not in the copy. The
// copy then takes the place of the disk.
type disk struct {
	image, folder string
	number        int // of the image
}

// errNoDisk says that this machine or user cannot mount an image.
var errNoDisk = errors.New("no image of a disk can be mounted here (needs root on Linux, loop devices and mkfs.ext4)")

const imageBytes = 32 << 20

func newDisk(ctx context.Context, dir, folder string) (*disk, error) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return nil, errNoDisk
	}
	d := &disk{image: filepath.Join(dir, "disk-0.img"), folder: folder}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(d.image, imageBytes); err != nil {
		return nil, err
	}
	err := command(ctx, "mkfs.ext4", "-q", "-J", "size=4", d.image)
	if err == nil {
		err = d.mount(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoDisk, err)
	}
	return d, nil
}

func command(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

func (d *disk) mount(ctx context.Context) error {
	return command(ctx, "mount", "-o", "loop", d.image, d.folder)
}

// sync makes all that is on the disk so far durable.
func (d *disk) sync(ctx context.Context) error { return command(ctx, "sync", "-f", d.folder) }

func (d *disk) unmount() error {
	return command(context.Background(), "umount", d.folder) // also when the round was given up
}

func (d *disk) close() error { return d.unmount() }

// nextDeath picks the instant of a cut.
func (d *disk) nextDeath(r *rand.Rand) death {
	how := death{how: byCut, n: 1 + r.IntN(30), after: time.Duration(r.IntN(3000)) * time.Microsecond}
	if r.IntN(4) == 0 {
		how.n, how.after = 0, time.Duration(r.IntN(150))*time.Millisecond // from the start
	}
	return how
}

// cut stops a process, copies the image as the block device holds it, and kills the
// process. Every trigger that it ever sent left before the copy began.
func (d *disk) cut(process *os.Process) error {
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	if err := waitStopped(process.Pid); err != nil {
		return err
	}
	return errors.Join(copyFile(d.image, d.copy()), process.Kill())
}

func (d *disk) copy() string {
	return filepath.Join(filepath.Dir(d.image), fmt.Sprintf("disk-%d.img", d.number+1))
}

// replace puts the copy in the place of the disk, when the process is gone.
func (d *disk) replace(ctx context.Context) error {
	if err := d.unmount(); err != nil {
		return err
	}
	if err := os.Remove(d.image); err != nil {
		return err
	}
	d.image = d.copy()
	d.number++
	return d.mount(ctx)
}

// waitStopped returns when no thread of a process runs any more: one that is in the
// kernel, in an fsync for instance, comes to its end first.
func waitStopped(pid int) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		states, err := threadStates(pid)
		switch {
		case err != nil:
			return err
		case strings.Trim(states, "Z") == "":
			return os.ErrProcessDone
		case strings.Trim(states, "TZ") == "":
			return nil
		}
	}
	return fmt.Errorf("process %d does not stop", pid)
}

// threadStates has a letter for each thread of a process, as in proc(5).
func threadStates(pid int) (states string, err error) {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return "", err
	}
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		if err != nil {
			continue // a thread that ended meanwhile
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		states += rest[:1]
	}
	return states, nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(struct{ io.Writer }{out}, in) // by read: what the page cache of the image has
	return errors.Join(err, out.Close())
}
