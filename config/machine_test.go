package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loadIn writes a file into a new folder and loads it.
func loadIn(t *testing.T, dir, text string) (*Config, error) {
	t.Helper()
	file := filepath.Join(dir, "schedules.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file)
}

func messages(problems []Problem) string {
	var lines []string
	for _, p := range problems {
		p.File = filepath.Base(p.File)
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

const daily = `
[schedules.orders]
cron = "@daily"
flow_id = "f825ab82-371f-40cb-9bed-b325531ead4a"
`

func TestLoadWarnings(t *testing.T) {
	tests := []struct {
		name, text string
		noKey      bool
		want       string // DIR stands for the folder
	}{
		{name: "nothing missing", text: daily},
		{
			name: "no key", text: daily, noKey: true,
			want: "schedules.toml:1:1: no API key from variable WORQHAT_API_KEY: it is not set\n  hint: export WORQHAT_API_KEY=wh_…, or name a file of mode 0600 with api_key_file",
		},
		{
			name: "no key file", text: "worqhat.api_key_file = \"key\"\n" + daily,
			want: "schedules.toml:1:24: no API key from file DIR/key: no such file or directory\n  hint: put the key there, readable by this user alone",
		},
		{
			name: "no folder", text: daily + "[schedules.orders.source]\npath = \"in/*/a.csv\"\n",
			want: "schedules.toml:6:8: path: folder DIR/in does not exist\n  hint: each run fails until the folder is there",
		},
		{
			name: "no folder for a file", text: daily + "source.path = \"in/a.csv\"\n",
			want: "schedules.toml:5:15: path: folder DIR/in does not exist\n  hint: each run fails until the folder is there",
		},
		{
			name: "a file for a folder", text: daily + "source.path = \"schedules.toml/*.csv\"\n",
			want: "schedules.toml:5:15: path: DIR/schedules.toml is not a folder\n  hint: each run fails until the folder is there",
		},
		{name: "no schedules", text: "", want: "schedules.toml:1:1: there are no schedules\n  hint: add one: [schedules.NAME] with cron and flow_id"},
		{
			name: "uneven step", text: strings.Replace(daily, "@daily", "*/45 * * * *", 1),
			want: "schedules.toml:3:8: ",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cleanEnvironment(t)
			if test.noKey {
				unsetenv(t, "WORQHAT_API_KEY")
			}
			dir := t.TempDir()
			c, err := loadIn(t, dir, test.text)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(test.want, "DIR", dir)
			got := messages(c.Warnings)
			if got != want && !(strings.HasSuffix(want, ": ") && strings.HasPrefix(got, want)) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// unsetenv removes a variable until the test ends; t.Setenv puts it back.
func unsetenv(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "")
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

func TestKeyFileOpenToOthers(t *testing.T) {
	cleanEnvironment(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, []byte("wh_"+strings.Repeat("k", 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "[worqhat]\napi_key_file = \"key\"\n" + daily
	if c, err := loadIn(t, dir, text); err != nil || len(c.Warnings) > 0 {
		t.Fatalf("mode 0600: got %v", err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := loadIn(t, dir, text)
	var invalid *Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v, want an *Invalid", err)
	}
	want := "schedules.toml:2:16: the key file " + file + " has mode 0640: others can get at the key\n  hint: chmod 600 " + file
	if got := messages(invalid.Errors); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestInvalidHasWarningsToo(t *testing.T) {
	cleanEnvironment(t)
	unsetenv(t, "WORQHAT_API_KEY")
	_, err := loadIn(t, t.TempDir(), "x = 1\n"+daily)
	var invalid *Invalid
	if !errors.As(err, &invalid) || len(invalid.Errors) != 1 || len(invalid.Warnings) != 1 {
		t.Fatalf("got %#v, want one error and one warning", err)
	}
}

func TestProblemAsJSON(t *testing.T) {
	got, err := json.Marshal(Problem{File: "s.toml", Line: 14, Column: 8, Message: "m", Hint: "h"})
	if want := `{"file":"s.toml","line":14,"column":8,"message":"m","hint":"h"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
