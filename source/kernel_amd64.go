//go:build !purego

package source

import "golang.org/x/sys/cpu"

// haveKernel says that the functions in assembly may be called: the processor
// has AVX2 and BMI2. Only tests set it; they hold the portable code against the kernel.
var haveKernel = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2

// classifyAVX2 fills the masks of the words, at least one, from raw on, and
// returns all their high masks in one.
//
//go:noescape
func classifyAVX2(raw *byte, masks *wordMasks, words int, c *csvBytes) (high uint64)

// stopsAVX2 fills a mask a word, at least one, of where a string of JSON has to
// be looked at: quotes, backslashes, controls.
//
//go:noescape
func stopsAVX2(raw *byte, stops *uint64, words int)

// utf8AVX2 says whether the words, at least one, from raw on have a byte that
// cannot follow the three before it, which are read as well. A sequence that is
// cut by the end is not wrong yet.
//
//go:noescape
func utf8AVX2(raw *byte, words int) (wrong bool)

// knownAVX2 is accepter.known: it goes over members whose names are the next of
// names, at least one, all in object, and whose values are strings without
// escapes of less than 64 bytes, which end in m's window. It leaves names that do
// not fit into first to others. taken is how many members it went over, one at
// whose value it stopped included.
//
//go:noescape
func knownAVX2(s []byte, i int, names []knownName, object uint32, m *stringMap) (next, taken int, atValue bool)

// fieldsAVX2 is encoding.fields for the fields that are copied by two wide
// stores each, as copyFields has it; it returns the ends of those from the first
// other one on.
//
//go:noescape
func fieldsAVX2(e *csvWriter, raw []byte, base int, ends, escapes uint64) (left uint64)
