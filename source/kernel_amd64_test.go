//go:build !purego

package source

// withoutKernel calls fn with the portable code alone.
func withoutKernel(fn func()) {
	defer func(was bool) { haveKernel = was }(haveKernel)
	haveKernel = false
	fn()
}
