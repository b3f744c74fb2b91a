//go:build !amd64 || purego

package source

// haveKernel says that there are no functions in assembly: the portable code
// does it all.
const haveKernel = false

func classifyAVX2(*byte, *wordMasks, int, *csvBytes) uint64 { panic("no kernel") }

func stopsAVX2(*byte, *uint64, int) { panic("no kernel") }

func utf8AVX2(*byte, int) bool { panic("no kernel") }

func knownAVX2([]byte, int, []knownName, uint32, *stringMap) (next, taken int, atValue bool) {
	panic("no kernel")
}

func fieldsAVX2(*csvWriter, []byte, int, uint64, uint64) uint64 { panic("no kernel") }
