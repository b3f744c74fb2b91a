package expression

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var columns = Scope{Names: map[string]any{
	"amount": int64(0), "name": "", "ok": true, "extra": nil, "date": "", "count": int64(0), "len": "", "Order No": "", "scheduled_for": time.Time{},
}}

var row = map[string]any{
	"amount": int64(5), "name": "Ann", "ok": true, "extra": map[string]any{"tags": []any{"a"}}, "date": "2026-11-24", "count": int64(2),
	"len": "long", "Order No": "7", "scheduled_for": time.Date(2026, 11, 24, 2, 30, 0, 0, time.UTC),
}

func TestRun(t *testing.T) {
	var m Machine // one for all: what one expression leaves must not reach the next
	for _, test := range []struct {
		text string
		used []string
		want any
	}{
		{"amount > 3 and ok", []string{"amount", "ok"}, true},
		{`amount in [1, 5] ? name : "nobody"`, []string{"amount", "name"}, "Ann"},
		{`$env["Order No"] + date`, []string{"Order No", "date"}, "72026-11-24"},
		{"$env.name", []string{"name"}, "Ann"},
		{`count([1, 2, 3], {# > 1}) + $env["count"]`, []string{"count"}, 4},
		{`len(name) + len($env["len"])`, []string{"len", "name"}, 7},
		{"let n = amount; n * n", []string{"amount"}, 25},
		{"extra.tags[0]", []string{"extra"}, "a"},
		{"extra?.missing?.deeper", []string{"extra"}, nil},
		{"strftime(scheduled_for, '%F')", []string{"scheduled_for"}, "2026-11-24"},
		{"filter([1, 2], # > 1)[0]", nil, 2},
	} {
		p, err := Compile(test.text, columns)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		got, err := m.Run(p, row)
		if err != nil || !reflect.DeepEqual(got, test.want) || !slices.Equal(p.Used, test.used) || p.UsesAll {
			t.Errorf("%s = %#v, %v, used %q, want %#v, used %q", test.text, got, err, p.Used, test.want, test.used)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for _, test := range []struct {
		text    string
		offset  int
		msg     string // begins with
		unknown string
	}{
		{"amuont > 3", 0, "unknown name amuont", "amuont"},
		{`name == "é" and amuont > 3`, 17, "unknown name amuont", "amuont"},
		{`amount > 3 and $env["Order no"] == ""`, 20, `unknown name Order no`, "Order no"},
		{`$env["a\tb"]`, 5, `unknown name "a\tb"`, "a\tb"},
		{"amount == '5'", 7, "invalid operation: ==", ""},
		{"name + 1", 5, "invalid operation: +", ""},
		{"foo(1)", 0, "unknown name foo", "foo"},
		{"now()", 0, "unknown name now", "now"},
		{"values({})", 0, "unknown name values", "values"},
		{"strftime(scheduled_for, '%i')", 24, `strftime: there is no "%i"`, ""},
		{"count + count([1, 2], {# > 1})", 0, "count is a function here", ""},
		{"amount >", 7, "unexpected token EOF", ""},
		{"ok and amount", 3, "invalid operation: and", ""},
	} {
		_, err := Compile(test.text, columns)
		var e *Error
		if !errors.As(err, &e) || e.Offset != test.offset || !strings.HasPrefix(e.Msg, test.msg) || e.Unknown != test.unknown {
			t.Errorf("%s: got %#v, want %d: %s…", test.text, err, test.offset, test.msg)
		}
	}
}

// In an open scope names that nobody mentioned have the type of Other, and
// builtins' names are columns as well.
func TestOpenScope(t *testing.T) {
	text := Scope{Names: map[string]any{"amount": int64(0)}, Open: true, Other: ""}
	if _, err := Compile("count > 5", text); err == nil {
		t.Error("a string compared with a number: no error")
	}
	anything := Scope{Open: true}
	var m Machine
	for _, name := range []string{"count", "type", "date", "now", "anything"} {
		p, err := Compile(name+" > 5", anything)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := m.Run(p, map[string]any{name: 6.5}); err != nil || got != true {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if _, err := m.Run(p, nil); err == nil {
			t.Errorf("%s: nil is over 5", name)
		}
	}
	if _, err := Compile("nothing(1)", anything); err == nil {
		t.Error("an unknown function: no error")
	}
}

func TestType(t *testing.T) {
	for text, want := range map[string]reflect.Type{
		"amount > 1": reflect.TypeFor[bool](), "extra": nil, "amount + 1": reflect.TypeFor[int](), "amount": reflect.TypeFor[int64](), "[1]": reflect.TypeFor[[]any](),
	} {
		p, err := Compile(text, columns)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Type(); got != want {
			t.Errorf("%s: type %v, want %v", text, got, want)
		}
	}
}

func TestRunErrors(t *testing.T) {
	var m Machine
	for text, want := range map[string]string{
		"amount > 3":                  "invalid operation: <nil> > int",
		"extra.tags":                  "cannot fetch tags from <nil>",
		"repeat('x', 900000)":         "memory budget exceeded",
		"strftime(extra, '%F')":       "strftime takes a time",
		"int('x')":                    "invalid operation: int(x)",
		"map(1..50000, {[#, #, #]})":  "memory budget exceeded",
		"upper(name)":                 "interface conversion",
		"[1, 2][amount ?? 7]":         "index out of range",
		`fromJSON('{"a": 1')`:         "unexpected end of JSON",
		"strftime(scheduled_for, '')": "strftime takes a time",
	} {
		p, err := Compile(text, columns)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		_, err = m.Run(p, nil)
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Msg, want) {
			t.Errorf("%s: got %v, want %s…", text, err, want)
		}
	}
}

func TestUsesAll(t *testing.T) {
	for text, want := range map[string]bool{
		"$env": true, "len($env)": true, `$env[name]`: true, `get($env, "name")`: true, `$env["name"]`: false, "$env?.name": false,
	} {
		p, err := Compile(text, Scope{Names: map[string]any{"name": ""}})
		if err != nil || p.UsesAll != want {
			t.Errorf("%s: %v, want UsesAll %v", text, err, want)
		}
	}
}

func TestPath(t *testing.T) {
	if got, want := Path("source", []any{"set", "a.b", 2, "c-1"}), `source.set."a.b"[2].c-1`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{"", "amount > 3", `$env["é"] + 1`, "let x = amount; x", "count(1..3, {# > 1})", "$env", "strftime(scheduled_for, '%F')", "{a: [1]}.a[0]", "\xff", "é == now()"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var m Machine
		for _, s := range []Scope{columns, {Open: true}} {
			p, err := Compile(text, s)
			if err == nil {
				_, err = m.Run(p, row)
			}
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) || e.Msg == "") {
				t.Fatalf("%q: %#v, want an *Error within the text", text, err)
			}
		}
	})
}
