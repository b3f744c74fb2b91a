package config

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"text/template"
)

// update rewrites what is derived from the code: docs/configuration.md and the
// expectations in testdata/invalid. Look at the difference before you keep it.
var update = flag.Bool("update", false, "rewrite docs/configuration.md and the expectations in testdata")

type docSection struct {
	Name, Doc string
	Keys      []docKey
}

type docKey struct{ Name, Type, Default, Doc string }

// document describes a key for a row of a Markdown table.
func (k key) document() docKey {
	standard := k.words
	switch {
	case k.required:
		standard = "required"
	case standard == "":
		standard = "`" + k.standard + "`"
	}
	kindName := k.kind.name
	if strings.Contains(kindName, `"`) {
		kindName = "`" + strings.ReplaceAll(kindName, ", ", "`, `") + "`"
	}
	return docKey{k.name, cell(kindName), cell(standard), cell(k.doc)}
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// documentation renders docs.md.tmpl with the table of keys.
func documentation(t *testing.T) []byte {
	t.Helper()
	var sections []docSection
	for _, s := range tableOfKeys() {
		if s.name == scheduleSection {
			sections = append(sections, defaultsDocumentation())
		}
		section := docSection{Name: s.name, Doc: s.doc}
		for _, k := range s.keys {
			section.Keys = append(section.Keys, k.document())
		}
		sections = append(sections, section)
	}
	page, err := template.ParseFiles("docs.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, sections); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// defaultsDocumentation lists where each key of [defaults] is explained.
func defaultsDocumentation() docSection {
	d := docSection{Name: defaultsSection, Doc: "Values for every schedule that does not say otherwise: any key of the tables below but those that make a schedule what it is. Keys of `source`, `chunk` and `delivery` stand in `[defaults.source]`, `[defaults.chunk]` and `[defaults.delivery]`; `[defaults.source]` gives no schedule a source."}
	tables := tableOfKeys()
	for _, s := range tables {
		if !strings.HasPrefix(s.name, scheduleSection) {
			continue
		}
		var shared, own []string
		for _, k := range s.keys {
			if k.own {
				own = append(own, "`"+k.name+"`")
			} else {
				shared = append(shared, "`"+k.name+"`")
			}
		}
		doc := strings.Join(shared, ", ")
		if own != nil {
			doc += "; not " + orList(own)
		}
		name := s.shared().name
		d.Keys = append(d.Keys, docKey{name, "table", "that of [" + s.name + "]", doc})
	}
	return d
}

func TestDocumentationIsCurrent(t *testing.T) {
	const file = "../docs/configuration.md"
	want := documentation(t)
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from the table of keys; run: go test ./config -update", file)
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range tableOfKeys() {
		if s.doc == "" {
			t.Errorf("[%s] has no sentence", s.name)
		}
		for _, k := range s.keys {
			name := s.name + "." + k.name
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
			if k.doc == "" || !strings.HasSuffix(k.doc, ".") || k.kind.name == "" || k.kind.example == "" {
				t.Errorf("%s: doc %q, type %q and example %q must be whole", name, k.doc, k.kind.name, k.kind.example)
			}
			says := 0
			for _, has := range []bool{k.required, k.standard != "", k.words != ""} {
				if has {
					says++
				}
			}
			if says != 1 {
				t.Errorf("%s must be required, or have a default, or words for it", name)
			}
			for _, later := range s.later {
				if later == k.name {
					t.Errorf("%s is supported and not", name)
				}
			}
		}
	}
}
