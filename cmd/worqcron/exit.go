package main

import (
	"context"
	"errors"
	"strings"

	"worqcron/batch"
	"worqcron/config"
	"worqcron/store"
)

// Exit codes. They are part of the interface: scripts branch on them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnsettled   = 3 // went to its end, but something is dead, failed or held
	exitBusy        = 75
	exitConfig      = 78
	exitInterrupted = 130
)

// exitError ends the program with a code. Without an error inside, everything
// was said already.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func exitCode(err error) int {
	var exit exitError
	var usage usageError
	var busy *store.BusyError
	var invalid *config.Invalid
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage), isCobraUsage(err):
		return exitUsage
	case errors.As(err, &busy):
		return exitBusy
	case errors.As(err, &invalid):
		return exitConfig
	case errors.Is(err, batch.ErrInterruptedByHand), errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitFailed
}

// isCobraUsage knows the one error of the library that has no type.
func isCobraUsage(err error) bool { return strings.HasPrefix(err.Error(), "unknown command ") }

// statusCode is the exit code that a run's state means.
func statusCode(c *store.Receipt) int {
	switch c.Status {
	case store.Succeeded, store.Skipped:
		return exitDone
	case store.Partial, store.Held:
		return exitUnsettled
	}
	return exitFailed
}
