// Package worqcron holds the example configuration, so that the program can
// show it and run it without any file beside it.
package worqcron

import _ "embed" // for Example

// Example is schedules.example.toml.
//
//go:embed schedules.example.toml
var Example string
