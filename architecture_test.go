package worqcron_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is this module's path; ours are the import paths below it.
const module = "worqcron"

// mayImport lists, for each package, which of ours it may import. "*" is all.
// Data flows one way: config, scheduler, batch, worqhat, store.
var mayImport = map[string][]string{
	"worqcron":                 {},
	"worqcron/cmd/worqcron":    {"*"},
	"worqcron/bench":           {"*"},
	"worqcron/crash":           {}, // the harness shares nothing with what it checks
	"worqcron/failpoint":       {},
	"worqcron/alert":           {"worqcron/expression"},
	"worqcron/notify":          {},
	"worqcron/config":          {"worqcron/alert", "worqcron/notify", "worqcron/source", "worqcron/batch", "worqcron/worqhat", "worqcron/scheduler", "worqcron/expression"}, // their option types
	"worqcron/scheduler":       {},
	"worqcron/batch":           {"worqcron/source", "worqcron/worqhat", "worqcron/store", "worqcron/expression", "worqcron/failpoint"},
	"worqcron/source":          {"worqcron/expression"},
	"worqcron/expression":      {},
	"worqcron/worqhat":         {"worqcron/failpoint"},
	"worqcron/worqhat/sandbox": {},
	"worqcron/store":           {"worqcron/failpoint"},
	"worqcron/sample":          {},
	"worqcron/contrib/systemd": {},
	"worqcron/faults":          {},
}

// testsMayImport is what tests of any package may use on top: what is made for
// trying things out, and the example configuration.
var testsMayImport = []string{"worqcron", "worqcron/sample", "worqcron/worqhat/sandbox"}

// goPackage is what 'go list -json' says of a package.
type goPackage struct {
	ImportPath, Name                   string
	Imports, TestImports, XTestImports []string
}

func goList(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Imports,TestImports,XTestImports", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return list
		case err != nil:
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// TestImports holds who may import whom.
func TestImports(t *testing.T) {
	for _, p := range goList(t) {
		allowed, known := mayImport[p.ImportPath]
		if !known {
			t.Errorf("%s has no rule: add it to mayImport, and to ARCHITECTURE.md", p.ImportPath)
			continue
		}
		if i := forbidden(p, p.Imports, allowed); len(i) > 0 {
			t.Errorf("%s imports %v, it may import %v of ours", p.ImportPath, i, allowed)
		}
		tests := slices.Concat(p.TestImports, p.XTestImports)
		if i := forbidden(p, tests, slices.Concat(allowed, testsMayImport)); len(i) > 0 {
			t.Errorf("tests of %s import %v", p.ImportPath, i)
		}
	}
}

func forbidden(p goPackage, imports, allowed []string) []string {
	if slices.Contains(allowed, "*") {
		return nil
	}
	var out []string
	for _, i := range imports {
		ours := i == module || strings.HasPrefix(i, module+"/")
		if ours && i != p.ImportPath && !slices.Contains(allowed, i) {
			out = append(out, i)
		}
	}
	return out
}

// saysNothing are package names that invite everything.
var saysNothing = []string{"util", "utils", "common", "helper", "helpers", "misc", "types", "base", "shared"}

func TestPackageNames(t *testing.T) {
	for _, p := range goList(t) {
		if slices.Contains(saysNothing, p.Name) {
			t.Errorf("package %s (%s): name it after what it decides", p.Name, p.ImportPath)
		}
	}
}

const (
	maxLines     = 450
	maxTestLines = 800
)

// leftOpen finds notes to oneself; split, so that this file has none.
var leftOpen = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// TestFiles holds the limits of single files.
func TestFiles(t *testing.T) {
	for _, path := range goFiles(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		limit := maxLines
		if strings.HasSuffix(path, "_test.go") {
			limit = maxTestLines
			if line := sleeps(t, path, data); line > 0 {
				t.Errorf("%s:%d: the test sleeps: wait for what it waits for, or use testing/synctest", path, line)
			}
		}
		if n := strings.Count(string(data), "\n"); n > limit {
			t.Errorf("%s has %d lines, at most %d", path, n, limit)
		}
		if m := leftOpen.Find(data); m != nil {
			t.Errorf("%s holds %q: do it, or say why not", path, m)
		}
	}
}

// goFiles are all Go files of the repository.
func goFiles(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"):
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no Go files: the test runs in the wrong folder")
	}
	return list
}

// sleeps finds a time.Sleep in a test: its line, or 0. In a file that uses
// testing/synctest the clock is a made-up one, where sleeping costs nothing.
func sleeps(t *testing.T, path string, data []byte) (line int) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, data, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range file.Imports {
		if i.Path.Value == `"testing/synctest"` {
			return 0
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok || s.Sel.Name != "Sleep" {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
			line = files.Position(s.Pos()).Line
		}
		return true
	})
	return line
}
