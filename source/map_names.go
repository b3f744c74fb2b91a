package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"worqcron/expression"
)

// checkNames refuses a mapping whose names cannot be meant.
func (c *mapCompiler) checkNames() {
	d := c.dialect
	if len(d.NullValues) > 0 && c.hasObjects() {
		c.fail("is for CSV, and these files are "+strings.ToUpper(c.format), "leave it out: JSON has null itself", "null_values")
	}
	for _, column := range slices.Sorted(maps.Keys(d.Types)) {
		if _, ok := kindByName[d.Types[column]]; !ok {
			c.fail(fmt.Sprintf("%q is not a type", d.Types[column]), `use "string", "integer", "number", "boolean" or "json"`, "types", column)
		}
		c.mustExist(column, c.header, "types", column)
	}
	c.checkRename()
	known := c.renamed()
	for i, name := range d.Keep {
		c.mustExist(name, known, "keep", i)
		if slices.Index(d.Keep, name) < i {
			c.fail(fmt.Sprintf("%q is listed twice", name), "", "keep", i)
		}
	}
	for i, name := range d.Drop {
		c.mustExist(name, known, "drop", i)
	}
	if len(d.Keep) > 0 && len(d.Drop) > 0 {
		c.fail("does not go with keep", "what is not kept is dropped", "drop")
	}
	seen := map[string]bool{}
	for _, a := range d.Set {
		c.mustBeName(a.Name, "set", a.Name)
		if seen[a.Name] {
			c.fail("is set twice", "", "set", a.Name)
		}
		seen[a.Name] = true
	}
}

func (c *mapCompiler) checkRename() {
	olds := slices.Sorted(maps.Keys(c.dialect.Rename))
	taken := map[string]string{}
	for _, column := range c.header {
		if _, renamed := c.dialect.Rename[column]; !renamed {
			taken[column] = column
		}
	}
	for _, old := range olds {
		name := c.dialect.Rename[old]
		c.mustExist(old, c.header, "rename", old)
		c.mustBeName(name, "rename", old)
		if other, ok := taken[name]; ok {
			c.fail(fmt.Sprintf("columns %q and %q would both be named %q", other, old, name), "", "rename", old)
		}
		taken[name] = old
	}
}

// renamed are the names after rename; nil if they are not known.
func (c *mapCompiler) renamed() []string {
	var names []string
	for _, column := range c.header {
		names = append(names, c.out(column))
	}
	return names
}

func (c *mapCompiler) mustBeName(name string, steps ...any) {
	switch {
	case name == "":
		c.fail("the name is empty", "", steps...)
	case !utf8.ValidString(name):
		c.fail("the name is not UTF-8", "", steps...)
	}
}

// mustExist refuses a name that known does not have; nil: nothing is known.
func (c *mapCompiler) mustExist(name string, known []string, steps ...any) {
	if known == nil || slices.Contains(known, name) {
		return
	}
	c.fail(fmt.Sprintf("there is no column %q", name), didYouMean(name, known), steps...)
}

// maxNamed bounds how many columns a hint lists.
const maxNamed = 20

// didYouMean names the nearest of the known names, and the known ones.
func didYouMean(name string, known []string) string {
	if len(known) == 0 {
		return "there are no columns"
	}
	near, text := expression.Nearest(name, known), ""
	if i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) }); i >= 0 {
		near = known[i]
	}
	if near != "" {
		text = fmt.Sprintf("did you mean %q? ", near)
	}
	list, more := known, ""
	if len(known) > maxNamed {
		list, more = known[:maxNamed], fmt.Sprintf(" and %d more", len(known)-maxNamed)
	}
	return text + "the columns are " + strings.Join(list, ", ") + more
}
