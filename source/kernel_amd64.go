//go:build !purego

package source

import "golang.org/x/sys/cpu"

// haveKernel says that the functions in assembly may be called: the processor
// has AVX2. Only tests set it; they hold the portable code against the kernel.
var haveKernel = cpu.X86.HasAVX2

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
