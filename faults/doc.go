// Package faults has no code, only tests: what can go wrong around the real
// program, each with the fault really made, and what must hold after it. A
// server that logs each trigger before it answers, and SQL, say what is true;
// nothing is shared with the program.
//
// docs/reliability.md lists the faults with the names of their tests.
package faults
