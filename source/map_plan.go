package source

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"worqcron/expression"
)

// mapPlan is a Mapping compiled for the records of one file. It never changes,
// and the file's parsers share it.
//
// A column is a member as the file has it, a member is one as it goes out. The
// members are fixed where their names and order are known beforehand: in CSV, and
// in NDJSON with keep. Else those of a record go out in its own order, and only
// the columns that the mapping mentions are known by name.
type mapPlan struct {
	csv     bool
	header  []string // the plan is for; CSV only
	array   bool     // values alone, as records_as = "columns" wants them
	same    bool     // a record goes out as it came, or not at all
	fixed   bool
	members []mapMember
	own     int                   // of members: those that are columns, if they are fixed; behind them are those that set makes
	columns []mapColumn           // CSV: by field
	read    int                   // CSV: how many of them have to be looked at
	byName  map[string]*mapColumn // NDJSON: the mentioned ones
	nulls   map[string]bool
	longest int // of nulls
	where   *expression.Program
	sets    []mapSet
	used    []mapUse
	usesAll bool
	moment  map[string]any
}

// mapColumn is a member as it stands in the file.
type mapColumn struct {
	name   string
	kind   valueKind
	member int // what it becomes; -1: it does not go out
	keyLen int // CSV: what stands before its value in an object, up to its quote
}

// mapMember is a member as it goes out.
type mapMember struct {
	name string
	key  []byte // as JSON, quotes included
	kind valueKind
}

// mapSet gives a member the value of an expression.
type mapSet struct {
	Assignment
	member  int
	program *expression.Program
}

// mapUse is a name that expressions read: a member or, where there is none, a
// name of the moment.
type mapUse struct {
	name   string
	member int // -1: none
	moment any
}

// valueKind says what a column's values are turned into.
type valueKind uint8

const (
	kindAny     valueKind = iota // any JSON value, as it is
	kindText                     // a string
	kindInteger                  // digits, as many as there are
	kindNumber                   // a JSON number
	kindBoolean                  // true or false
	kindJSON                     // any JSON value; a text is read as one
)

var kindByName = map[string]valueKind{
	"string": kindText, "integer": kindInteger, "number": kindNumber, "boolean": kindBoolean, "json": kindJSON,
}

// sample is a value of the type that an expression sees; nil: any.
func (k valueKind) sample() any {
	switch k {
	case kindText:
		return ""
	case kindInteger:
		return int64(0)
	case kindNumber:
		return float64(0)
	case kindBoolean:
		return false
	}
	return nil
}

// isZero says that records stay as they are.
func (m *Mapping) isZero() bool {
	return len(m.NullValues)+len(m.Types)+len(m.Rename)+len(m.Keep)+len(m.Drop)+len(m.Set) == 0 && m.Where == ""
}

// mapCompiler makes a plan and collects every mistake.
type mapCompiler struct {
	*mapPlan
	dialect *Dialect
	format  string         // "" if it is not known yet
	index   map[string]int // of members, by name

	errs []error
}

// compileMapping compiles the mapping for a CSV file with this header. Without
// a header it does what can be done before a file is read, or for NDJSON. The
// error joins *MappingErrors.
func compileMapping(d *Dialect, format string, header []string, m expression.Moment) (*mapPlan, error) {
	c := &mapCompiler{
		mapPlan: &mapPlan{
			csv: format == FormatCSV, header: header, array: d.RecordsAs == RecordsAsColumns, byName: map[string]*mapColumn{}, moment: m.Values(),
		},
		dialect: d, format: format, index: map[string]int{},
	}
	c.fixed = header != nil || len(d.Keep) > 0
	c.same = len(d.NullValues)+len(d.Types)+len(d.Rename)+len(d.Keep)+len(d.Drop)+len(d.Set) == 0 && !c.array
	c.checkNames()
	if len(c.errs) == 0 {
		c.layOut()
		c.compileExpressions()
	} else {
		c.checkSyntax()
	}
	if c.array && !c.fixed && c.hasObjects() {
		c.fail(`records_as = "columns" needs it: objects may differ in their members`, "list the members that go out, in their order", "keep")
	}
	return c.mapPlan, errors.Join(c.errs...)
}

// hasObjects says that the file is known to be of JSON objects.
func (c *mapCompiler) hasObjects() bool { return c.format != "" && !c.csv }

// fail notes a mistake at the steps below [source].
func (c *mapCompiler) fail(msg, hint string, steps ...any) {
	c.errs = append(c.errs, &MappingError{Steps: steps, Msg: msg, Hint: hint})
}

// out is the name that a column goes out with.
func (c *mapCompiler) out(column string) string {
	if name, ok := c.dialect.Rename[column]; ok {
		return name
	}
	return column
}

// columnOf is the column that goes out with a name, if that is known.
func (c *mapCompiler) columnOf(out string) string {
	for old, name := range c.dialect.Rename {
		if name == out {
			return old
		}
	}
	return out
}

func (c *mapCompiler) kindOf(column string) valueKind {
	if kind, ok := kindByName[c.dialect.Types[column]]; ok {
		return kind
	}
	if c.csv {
		return kindText
	}
	return kindAny
}

func (c *mapCompiler) isDropped(out string) bool { return slices.Contains(c.dialect.Drop, out) }

// layOut decides which columns become which members.
func (c *mapCompiler) layOut() {
	d := c.dialect
	names := d.Keep
	if len(names) == 0 {
		for _, column := range c.header {
			if name := c.out(column); !c.isDropped(name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		c.member(name)
	}
	c.own = len(c.members)
	for i, column := range c.header {
		k := mapColumn{name: column, kind: c.kindOf(column), member: c.find(c.out(column))}
		k.keyLen = len(appendEscaped(nil, []byte(column))) + len(`,"":`)
		c.columns = append(c.columns, k)
		if !c.same {
			c.read = i + 1
		}
	}
	if c.header == nil {
		for _, column := range c.mentioned() {
			c.mention(column)
		}
	}
	c.nulls = map[string]bool{}
	for _, text := range d.NullValues {
		c.nulls[text] = true
		c.longest = max(c.longest, len(text))
	}
	for _, a := range d.Set {
		c.sets = append(c.sets, mapSet{Assignment: a, member: c.member(a.Name)})
	}
}

// member is the member of a name, a new one if there is none yet.
func (c *mapCompiler) member(name string) int {
	if i, ok := c.index[name]; ok {
		return i
	}
	c.index[name] = len(c.members)
	key := append(appendEscaped([]byte{'"'}, []byte(name)), '"')
	c.members = append(c.members, mapMember{name: name, key: key, kind: c.kindOf(c.columnOf(name))})
	return len(c.members) - 1
}

// find is the member of a name, or -1.
func (c *mapCompiler) find(name string) int {
	if i, ok := c.index[name]; ok {
		return i
	}
	return -1
}

// mentioned are the columns of objects that the mapping names in some way.
func (c *mapCompiler) mentioned() []string {
	d := c.dialect
	names := slices.Concat(slices.Collect(maps.Keys(d.Types)), slices.Collect(maps.Keys(d.Rename)),
		slices.Collect(maps.Values(d.Rename)), d.Keep, d.Drop)
	for _, a := range d.Set {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// mention makes a column of objects known by name.
func (c *mapCompiler) mention(column string) {
	if c.byName[column] != nil {
		return
	}
	k := &mapColumn{name: column, kind: c.kindOf(column), member: -1}
	name := c.out(column)
	if c.fixed {
		k.member = c.find(name)
	} else if !c.isDropped(name) {
		k.member = c.member(name)
	}
	c.byName[column] = k
}

// MappingError is a mistake in what a source's configuration says of its
// records' members.
type MappingError struct {
	Steps  []any // where below [source]: "where"; "set", "total"; "keep", 2
	Offset int   // bytes into the expression there; 0 where there is none
	Msg    string
	Hint   string // may be empty
}

func (e *MappingError) Error() string {
	text := expression.Path("source", e.Steps) + ": " + e.Msg
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// CheckMapping compiles the mapping as far as it can be known before a file is
// read: with o.Columns all names are, else those of CSV columns are not. The
// error joins a *MappingError for each mistake.
func (o *Options) CheckMapping() error {
	if o.Mapping.isZero() {
		return nil
	}
	format := cmp.Or(o.Format, ByName(o.Path).Format)
	var header []string
	if format == FormatCSV && len(o.Columns) > 0 {
		header = o.Columns
	}
	_, err := compileMapping(&o.Dialect, format, header, o.Moment)
	return err
}

// WhereReadsRun says whether it may depend on the run which records go out:
// where names one of the moment, and not only the records' members.
func (d *Dialect) WhereReadsRun() bool {
	if d.Where == "" {
		return false
	}
	p, err := expression.Compile(d.Where, expression.Scope{Open: true})
	if err != nil {
		return false // the mapping does not compile either
	}
	moment := expression.Moment{}.Values()
	return p.UsesAll || slices.ContainsFunc(p.Used, func(name string) bool { _, ok := moment[name]; return ok })
}

// mapping is the file's compiled mapping; its header must be known. Several
// goroutines may ask.
func (f *File) mapping() (*mapPlan, error) {
	f.planLock.Lock()
	defer f.planLock.Unlock()
	if f.plan != nil && slices.Equal(f.plan.header, f.Header) {
		return f.plan, nil
	}
	plan, err := compileMapping(&f.dialect, f.Format, f.Header, f.moment)
	var first *MappingError
	if errors.As(err, &first) {
		return nil, &Error{Path: f.Path, Msg: strings.TrimPrefix(expression.Path("", first.Steps), ".") + ": " + first.Msg, Hint: first.Hint}
	}
	f.plan = plan
	return plan, nil
}

// outgoing is the names of a record's members in order, nil where records
// differ.
func (f *File) outgoing() ([]string, error) {
	if f.dialect.Mapping.isZero() {
		return f.Header, nil
	}
	plan, err := f.mapping()
	if err != nil || !plan.fixed {
		return nil, err
	}
	var names []string
	for _, m := range plan.members {
		names = append(names, m.name)
	}
	return names, nil
}
