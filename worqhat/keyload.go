package worqhat

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// CredentialName is the file that LoadKey looks for in the directory that
	// systemd names in $CREDENTIALS_DIRECTORY (LoadCredential=, systemd.exec(5)).
	CredentialName = "worqhat-api-key"
	// DefaultKeyEnv is the variable that WorqHat's own SDKs read.
	DefaultKeyEnv = "WORQHAT_API_KEY"

	maxKeyFileBytes = 8 << 10
)

// KeyError says why there is no usable key and what to do about it. It never
// holds the key.
type KeyError struct {
	Where string // "file /etc/worqcron/key", "variable WORQHAT_API_KEY", …
	Err   error
	Hint  string // a command or a sentence; one line
}

// Error is one line for the fault and one for the hint.
func (e *KeyError) Error() string {
	return fmt.Sprintf("api key from %s: %v\nhint: %s", e.Where, e.Err, e.Hint)
}

// Unwrap gives the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// LoadKey finds the key: first a systemd credential, then Options.KeyFile, then
// the variable Options.KeyEnv. The first that is set decides; a fault in it is
// an error and not a reason to try the next, since a wrong key in use is worse
// than none. The text says where the key came from, for messages. Errors are
// of type *KeyError.
func LoadKey(o Options) (Key, string, error) {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		path := filepath.Join(dir, CredentialName)
		// systemd guards that directory itself and may show the file as 0440.
		text, err := readKeyFile(path, true)
		if !errors.Is(err, fs.ErrNotExist) {
			return madeKey("systemd credential "+path, text, err)
		}
	}
	if o.KeyFile != "" {
		text, err := readKeyFile(o.KeyFile, false)
		return madeKey("file "+o.KeyFile, text, err)
	}
	name := o.KeyEnv
	if name == "" {
		name = DefaultKeyEnv
	}
	text, set := os.LookupEnv(name)
	if !set {
		return Key{}, "", &KeyError{
			Where: "variable " + name, Err: errors.New("it is not set"),
			Hint: "export " + name + "=wh_…, or name a file of mode 0600 with api_key_file",
		}
	}
	return madeKey("variable "+name, text, nil)
}

// madeKey finishes what a place gave.
func madeKey(where, text string, err error) (Key, string, error) {
	if err != nil {
		var fault *KeyError
		if errors.As(err, &fault) {
			fault.Where = where
			return Key{}, "", fault
		}
		return Key{}, "", &KeyError{Where: where, Err: err, Hint: "put the key there, readable by this user alone"}
	}
	key, err := NewKey(text)
	if err != nil {
		return Key{}, "", &KeyError{
			Where: where, Err: err,
			Hint: "it must hold the key alone, as WorqHat shows it: wh_…",
		}
	}
	return key, where, nil
}

// readKeyFile reads a small regular file. Unless shared, others must have no
// right on it. O_NONBLOCK keeps a FIFO from holding the start.
func readKeyFile(path string, shared bool) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err // the place is named already
		}
		return "", err
	}
	defer f.Close() // read only: nothing can be lost
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("stat: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", &KeyError{Err: errors.New("it is no regular file"), Hint: "name a file that holds the key alone"}
	}
	if mode := info.Mode().Perm(); !shared && mode&0o077 != 0 {
		return "", &KeyError{Err: fmt.Errorf("its mode %04o lets others at it", mode), Hint: "chmod 600 " + path}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFileBytes+1))
	if err != nil {
		return "", fmt.Errorf("read: %w", err)
	}
	if len(text) > maxKeyFileBytes {
		return "", &KeyError{Err: fmt.Errorf("it is larger than %d bytes", maxKeyFileBytes), Hint: "name a file that holds the key alone"}
	}
	return string(text), nil
}
