package worqhat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const secret = "wh_canary0123456789"

func mustKey(t testing.TB, text string) Key {
	t.Helper()
	k, err := NewKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyPrintsNothing(t *testing.T) {
	key := mustKey(t, secret)
	client, err := NewClient(Options{}, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		for _, v := range []any{key, &key, []Key{key}, map[string]Key{"k": key}, struct{ K Key }{key}, struct{ k Key }{key}, client} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", key, "all", struct{ K Key }{key})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "key", key, "all", struct{ K Key }{key})
	if err := json.NewEncoder(&out).Encode(map[string]any{"k": key, "s": struct{ K Key }{key}}); err != nil {
		t.Fatal(err)
	}
	hexed := fmt.Sprintf("%x", secret)
	if got := out.String(); strings.Contains(got, secret) || strings.Contains(strings.ToLower(got), hexed) {
		t.Errorf("the key is printed:\n%s", got)
	}
	if got := fmt.Sprint(key); got != "[key]" {
		t.Errorf("Sprint = %q", got)
	}
	if got := key.Bearer(); got != "Bearer "+secret {
		t.Errorf("Bearer = %q", got)
	}
}

func TestNewKey(t *testing.T) {
	good := map[string]string{
		"plain":                 secret,
		"white space around":    " \t" + secret + "\r\n",
		"doubled prefix":        "Bearer " + secret,
		"prefix twice, no case": "bearer  BEARER " + secret,
	}
	for name, text := range good {
		t.Run(name, func(t *testing.T) {
			if k := mustKey(t, text); k.Bearer() != "Bearer "+secret {
				t.Errorf("Bearer = %q", k.Bearer())
			}
		})
	}
	bad := map[string]string{
		"empty": "", "white space": " \n", "prefix alone": "Bearer ", "prefix alone, cut": "Bearer",
		"inner space": "wh_ab cd", "inner newline": "wh_ab\ncd", "control": "wh_ab\x00cd", "not ASCII": "wh_abç", "delete": "wh_ab\x7f",
		"quotes": `"wh_abcd"`,
	}
	for name, text := range bad {
		t.Run(name, func(t *testing.T) {
			k, err := NewKey(text)
			if err == nil || !k.IsZero() {
				t.Fatalf("NewKey(%q) took it", text)
			}
			if strings.Contains(err.Error(), "wh_") {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func writeKey(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadKeyOrder(t *testing.T) {
	credential := writeKey(t, CredentialName, "wh_credential", 0o444)
	file := writeKey(t, "key", "wh_file\n", 0o600)
	t.Setenv("WORQHAT_API_KEY", "wh_default")
	t.Setenv("OTHER_KEY", "wh_other")
	tests := []struct {
		name, credentials string
		o                 Options
		want, where       string
	}{
		{"credential first", filepath.Dir(credential), Options{KeyFile: file}, "wh_credential", "systemd credential " + credential},
		{"credential without our file", t.TempDir(), Options{KeyFile: file}, "wh_file", "file " + file},
		{"file before variable", "", Options{KeyFile: file, KeyEnv: "OTHER_KEY"}, "wh_file", "file " + file},
		{"named variable", "", Options{KeyEnv: "OTHER_KEY"}, "wh_other", "variable OTHER_KEY"},
		{"default variable", "", Options{}, "wh_default", "variable WORQHAT_API_KEY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CREDENTIALS_DIRECTORY", tt.credentials)
			key, where, err := LoadKey(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if key.Bearer() != "Bearer "+tt.want || where != tt.where {
				t.Errorf("LoadKey = %q from %q; want %q from %q", key.Bearer(), where, tt.want, tt.where)
			}
		})
	}
}

func TestLoadKeyFaults(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	open := writeKey(t, "open", secret, 0o644)
	t.Setenv("WORQHAT_API_KEY", secret)
	t.Setenv("EMPTY_KEY", " ")
	t.Setenv("SPACED_KEY", secret+" "+secret)
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"missing file does not fall through", Options{KeyFile: filepath.Join(dir, "none")}, "api key from file " + dir + "/none: no such file or directory\nhint: "},
		{"directory", Options{KeyFile: dir}, "it is no regular file\nhint: "},
		{"fifo does not block", Options{KeyFile: fifo}, "it is no regular file\nhint: "},
		{"open to others", Options{KeyFile: open}, "its mode 0644 lets others at it\nhint: chmod 600 " + open},
		{"open to the group", Options{KeyFile: writeKey(t, "group", secret, 0o640)}, "its mode 0640 lets others at it"},
		{"empty file", Options{KeyFile: writeKey(t, "empty", "\n", 0o600)}, "the key is empty\nhint: "},
		{"large file", Options{KeyFile: writeKey(t, "large", strings.Repeat(secret, 1000), 0o600)}, "larger than 8192 bytes"},
		{"variable not set", Options{KeyEnv: "NO_SUCH_KEY_HERE"}, "variable NO_SUCH_KEY_HERE: it is not set\nhint: export NO_SUCH_KEY_HERE=wh_…"},
		{"variable empty", Options{KeyEnv: "EMPTY_KEY"}, "the key is empty"},
		{"two keys", Options{KeyEnv: "SPACED_KEY"}, "space"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := LoadKey(tt.o)
			var keyErr *KeyError
			if !errors.As(err, &keyErr) {
				t.Fatalf("LoadKey: %v (%T), want a *KeyError", err, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error\n got %q\nwant %q", err, tt.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func TestNewClientBaseURL(t *testing.T) {
	key := mustKey(t, secret)
	for _, ok := range []string{"", "https://api.worqhat.com", "https://example.com/path", "http://127.0.0.1:8411", "http://[::1]:80", "http://localhost:1", "http://127.8.8.8"} {
		if c, err := NewClient(Options{BaseURL: ok}, key, nil); err != nil {
			t.Errorf("base URL %q: %v", ok, err)
		} else {
			c.Close()
		}
	}
	for _, bad := range []string{"http://api.worqhat.com", "http://localhost.example.com", "http://10.0.0.1", "ftp://x", "api.worqhat.com", "https://", "https://u:" + secret + "@x", "https://x?y=1", "https://x#y", "http://0.0.0.0", ":", "https:x"} {
		if _, err := NewClient(Options{BaseURL: bad}, key, nil); err == nil {
			t.Errorf("base URL %q was taken", bad)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows a password: %v", err)
		}
	}
	if _, err := NewClient(Options{}, Key{}, nil); err == nil {
		t.Error("a client without a key was made")
	}
}
