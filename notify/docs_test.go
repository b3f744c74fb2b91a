package notify

import (
	"os"
	"regexp"
	"testing"
)

// The URLs that the documentation shows are such that a service can read.
func TestURLsOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?:smtp|slack|ntfy|generic\\+https)://[^\\s`\"]+").FindAllString(string(page), -1)
	if len(found) < 5 {
		t.Fatalf("found %q", found)
	}
	for _, text := range found {
		if err := Check(NewURL(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
