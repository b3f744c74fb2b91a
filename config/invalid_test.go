package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInvalid loads each file of testdata/invalid, which is one mistake (or, in
// a few, several), and compares the problems with the lines at its end that
// start with wantMark.
func TestInvalid(t *testing.T) {
	cleanEnvironment(t)
	files, err := filepath.Glob("testdata/invalid/*.toml")
	if err != nil || len(files) < 50 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text, want := splitExpectation(string(data))
			_, err = Parse("schedules.toml", []byte(text))
			var invalid *Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v, want an *Invalid", err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(text+markExpectation(invalid.Error())), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := invalid.Error(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if strings.Contains(invalid.Error(), "secret") {
				t.Error("the message repeats a key")
			}
		})
	}
}

const wantMark = "#! "

func splitExpectation(data string) (text, want string) {
	at := strings.Index(data, wantMark)
	if at < 0 {
		return data, ""
	}
	lines := strings.Split(strings.TrimSuffix(data[at:], "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], wantMark)
	}
	return data[:at], strings.Join(lines, "\n")
}

func markExpectation(problems string) string {
	return wantMark + strings.ReplaceAll(problems, "\n", "\n"+wantMark) + "\n"
}
