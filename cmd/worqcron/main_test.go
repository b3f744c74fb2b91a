package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"worqcron/sample"
	"worqcron/worqhat/sandbox"
)

// TestMain makes this binary serve as worqcron itself, for the scripts.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"worqcron": func() { os.Exit(Main()) }})
}

// leakChecked fails tests that leave goroutines behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScripts runs each session of testdata/script in an empty folder of its
// own, with a sandbox that plays WorqHat.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("WORQHAT_API_KEY", canaryKey)
			e.Setenv("NO_COLOR", "1")
			e.Setenv("HOME", e.WorkDir)
			return startSandbox(e, "")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sandbox":  cmdSandbox,
			"triggers": cmdTriggers,
			"arrived":  cmdArrived,
			"sample":   cmdSample,
			"signal":   cmdSignal,
			"waitfor":  cmdWaitFor,
			"nowhere":  cmdNowhere,
			"zip":      cmdZip,
			"utf16":    cmdUTF16,
			"hours":    cmdHours,
			"spaced":   cmdSpaced,
			"waited":   cmdWaited,
			"hook":     cmdHook,
		},
	})
}

// canaryKey must never be seen in anything that the program writes.
const canaryKey = "wh_canary_7f3a9c51e2"

type sandboxKey struct{}

var scriptNumber atomic.Int32

func startSandbox(e *testscript.Env, faults string) error {
	f, err := sandbox.ParseFaults(faults)
	if err != nil {
		return err
	}
	// An address of its own, so that no other script can take the port while
	// the sandbox is replaced.
	addr := fmt.Sprintf("127.0.1.%d:0", scriptNumber.Add(1))
	s, err := sandbox.Start(sandbox.Options{Addr: addr, Faults: f, Key: canaryKey})
	if err != nil {
		return err
	}
	holder := &sandboxHolder{s}
	e.Values[sandboxKey{}] = holder
	e.Setenv("WORQHAT_BASE_URL", s.URL())
	e.Defer(func() { _ = holder.Close() })
	return nil
}

// sandboxHolder lets a script replace its sandbox.
type sandboxHolder struct{ *sandbox.Server }

func holderOf(ts *testscript.TestScript) *sandboxHolder {
	return ts.Value(sandboxKey{}).(*sandboxHolder)
}

// cmdSandbox replaces the script's sandbox by one with these faults, at the same
// address, so that a ledger made with the one before goes on with it. The second
// argument is the largest body that it takes.
func cmdSandbox(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 2 {
		ts.Fatalf("usage: sandbox [faults [max-body]]")
	}
	var maxBytes int64
	if len(args) == 2 {
		n, err := strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
		maxBytes, args = n, args[:1]
	}
	h := holderOf(ts)
	addr := strings.TrimPrefix(h.URL(), "http://")
	ts.Check(h.Close())
	f, err := sandbox.ParseFaults(strings.Join(args, ""))
	ts.Check(err)
	o := sandbox.Options{Addr: addr, Faults: f, Key: canaryKey, MaxBytes: maxBytes}
	s, err := sandbox.Start(o)
	// A child that was just forked holds the old listener until it executes.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; errors.Is(err, syscall.EADDRINUSE) && tries < 500; tries++ {
		<-tick.C
		s, err = sandbox.Start(o)
	}
	ts.Check(err)
	h.Server = s
}

// cmdTriggers asserts how many triggers the sandbox received since it was
// started last.
func cmdTriggers(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: triggers N")
	}
	want, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	if got := holderOf(ts).Stats().Requests; (got == want) == neg {
		ts.Fatalf("the sandbox received %d triggers, want %s", got, args[0])
	}
}

// cmdArrived waits until the sandbox received at least so many triggers.
func cmdArrived(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: arrived N")
	}
	want, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(30 * time.Second)
	for holderOf(ts).Stats().Requests < want {
		select {
		case <-tick.C:
		case <-end:
			ts.Fatalf("the sandbox never received %d triggers", want)
		}
	}
}

// cmdSample writes sample data: sample csv|ndjson FILE BYTES.
func cmdSample(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sample csv|ndjson FILE BYTES")
	}
	size, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.Create(path)
	ts.Check(err)
	write := sample.CSV
	if args[0] == "ndjson" {
		write = sample.NDJSON
	}
	_, err = write(f, size, 1)
	ts.Check(err)
	ts.Check(f.Close())
}

// cmdSignal sends a signal to the background command that was started first.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || signals[args[0]] == nil {
		ts.Fatalf("usage: signal TERM|HUP|INT|KILL")
	}
	running := ts.BackgroundCmds()
	if len(running) == 0 {
		ts.Fatalf("nothing runs in the background")
	}
	ts.Check(running[0].Process.Signal(signals[args[0]]))
}

// cmdWaitFor waits until a file holds a text: waitfor FILE TEXT.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE TEXT")
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(30 * time.Second)
	for {
		data, _ := os.ReadFile(ts.MkAbs(args[0])) // it may not be there yet
		if strings.Contains(string(data), args[1]) {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			ts.Fatalf("%s never held %q; it holds:\n%s", args[0], args[1], data)
		}
	}
}

// cmdNowhere asserts that a text is in no file below the work folder.
func cmdNowhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: nowhere TEXT")
	}
	var found []string
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), args[0]) {
			found = append(found, path)
		}
		return err
	}))
	if slices.Sort(found); len(found) > 0 {
		ts.Fatalf("%q is in %v", args[0], found)
	}
}

// cmdZip makes a zip of files.
func cmdZip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: zip FILE.zip FILE...")
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range args[1:] {
		w, err := z.Create(name)
		ts.Check(err)
		_, err = w.Write([]byte(ts.ReadFile(name)))
		ts.Check(err)
	}
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out.Bytes(), 0o600))
}

// cmdUTF16 writes a file again in UTF-16, little endian, with its mark.
func cmdUTF16(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: utf16 FROM TO")
	}
	out := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(ts.ReadFile(args[0]))) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out, 0o600))
}
