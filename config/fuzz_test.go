package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// FuzzParse holds that any data gives a configuration that is complete or an
// *Invalid whose problems lie in the file.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/invalid/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "../schedules.example.toml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		text, _ := splitExpectation(string(data))
		f.Add([]byte(text))
	}
	cleanEnvironment(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		checkTree(t, data)
		c, err := Parse("schedules.toml", data)
		if err != nil {
			var invalid *Invalid
			if !errors.As(err, &invalid) || len(invalid.Errors) == 0 {
				t.Fatalf("got %v, want an *Invalid with errors", err)
			}
			lines := bytes.Count(data, []byte{'\n'}) + 1
			for _, p := range append(invalid.Errors, invalid.Warnings...) {
				if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Column > len(data)+1 || p.Message == "" {
					t.Fatalf("%s is not in the file", p)
				}
			}
			return
		}
		again, err := Restore("schedules.toml", c.Text())
		if err != nil {
			t.Fatalf("what is kept of it cannot be read: %v\n%s", err, c.Text())
		}
		if lines := showDifference(again, c); len(lines) > 0 {
			t.Fatalf("what is kept of it differs: %q", lines)
		}
		for _, s := range c.Schedules {
			j := s.Job
			if s.Name == "" || s.Due.String() == "" || j.Zone == nil || j.Payload == nil || j.FlowID == "" || j.BaseURL == "" ||
				j.Delivery.MaxInFlight < 1 || j.Delivery.Timeout <= 0 || j.Chunk.MaxBytes < minBodyBytes || j.Chunk.MaxBytes > maxBodyBytes {
				t.Fatalf("incomplete: %+v", s)
			}
			if j.Source != nil && (!filepath.IsAbs(j.Source.Path) || j.Records.Empty == "") {
				t.Fatalf("incomplete: %+v", j.Source)
			}
		}
	})
}

// checkTree holds that the walk finds a fault in a file where go-toml finds
// one, and in no other but those with [[tables]].
func checkTree(t *testing.T, data []byte) {
	doc := readDocument(data)
	var ignored map[string]any
	err := toml.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &ignored)
	if err != nil && len(doc.faults) == 0 {
		t.Fatalf("go-toml refuses what the walk takes: %v\n%s", err, data)
	}
	if err == nil && len(doc.faults) > 0 && !bytes.Contains(data, []byte("[[")) {
		t.Fatalf("go-toml takes what the walk refuses: %v\n%s", doc.faults, data)
	}
}

// All ways to define a few tables in four lines: the walk refuses those that
// go-toml refuses, and no others.
func TestTablesTwice(t *testing.T) {
	lines := []string{
		"[a]", "[a.b]", "[a.b.c]", "[b]", "a = 1", "b = 1", "a.b = 1", "a.b.c = 1", "b.c = 1", "b.c.d = 1", "a = { b = 1 }", "a = { b.c = 1, b.d = 2 }", "a.b = {}",
	}
	n := len(lines)
	for i := range n * n * n * n {
		text := lines[i%n] + "\n" + lines[i/n%n] + "\n" + lines[i/n/n%n] + "\n" + lines[i/n/n/n] + "\n"
		checkTree(t, []byte(text))
	}
}
