//go:build !linux

package store

// refuseNetworkFileSystem knows only Linux's file systems.
func refuseNetworkFileSystem(string) error { return nil }
