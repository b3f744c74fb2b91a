//go:build !amd64 || purego

package source

// withoutKernel calls fn with the portable code alone, as all calls here are.
func withoutKernel(fn func()) { fn() }
