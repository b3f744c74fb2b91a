// Package sandbox is a stand-in for the WorqHat API on this machine: for trying
// schedules without a key, for tests and for benchmarks.
//
// It speaks the documented requests and answers (POST /flows/trigger/{flowId},
// POST /flows/file/{flowId}, GET /flows/metrics, GET /health), checks them at
// least as strictly as the documentation does, and can misbehave on purpose:
// see Faults. It runs no flow; a trigger that it accepts counts as an execution
// that ends at once.
//
// It is also an auditor. A trigger is accepted exactly when its line is in the
// log, and that line is handed to the log in one write before the first byte of
// the answer leaves. So the log can be compared with what a client believes,
// whatever happened to the answer, to the client, or to both.
//
// It does not keep bodies, nothing survives Close, memory is bounded (the last
// requests and executions are kept, older ones dropped), and it listens on
// loopback alone. It shares no code with the client on purpose: a mistake must
// not hide by being made twice.
package sandbox
