// Package failpoint names the instants at which the crash harness may kill the
// program (see docs/reliability.md). Without the build tag "failpoint" its
// functions are empty and cost nothing.
//
// With the tag the environment variable WORQCRON_FAILPOINT=NAME:N makes the
// process send itself SIGKILL at the Nth hit of the point NAME.
package failpoint
