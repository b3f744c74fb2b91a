package batch

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"worqcron/expression"
)

// nightInNewYork is a moment just inside the second pass of a repeated hour,
// where local time and UTC disagree about the day's end.
func nightInNewYork(t testing.TB) expression.Moment {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	return expression.Moment{
		Schedule:     "orders",
		RunID:        "0193a7c2-7c1e-7bb0-a5f0-2f3c4d5e6f70",
		ScheduledFor: time.Date(2026, 11, 24, 2, 30, 0, 0, zone),
		Origin:       "slot",
	}
}

func TestPayloadRender(t *testing.T) {
	tests := []struct {
		name    string
		members map[string]any
		want    string
	}{
		{"nil", nil, ``},
		{"empty", map[string]any{}, ``},
		{"sorted keys", map[string]any{"b": "2", "a": "1"}, `"a":"1","b":"2"`},
		{"scalars", map[string]any{"t": true, "i": int64(math.MaxInt64), "f": 0.1, "whole": 3.0}, `"f":0.1,"i":9223372036854775807,"t":true,"whole":3`},
		{"large and small floats", map[string]any{"a": 1e300, "b": 1e-9}, `"a":1e+300,"b":1e-9`},
		{"nested", map[string]any{"o": map[string]any{"z": int64(1), "y": []any{"x", int64(2), map[string]any{}}}}, `"o":{"y":["x",2,{}],"z":1}`},
		{"time", map[string]any{"t": time.Date(2026, 5, 27, 7, 32, 0, 0, time.UTC)}, `"t":"2026-05-27T07:32:00Z"`},
		{"nothing inflated", map[string]any{"s": "<a & b>\u2028é"}, "\"s\":\"<a & b>\u2028é\""},
		{"needed escapes", map[string]any{"s": "a\"b\\c\n\x01"}, `"s":"a\"b\\c\n\u0001"`},
		{"escaped key", map[string]any{`k"`: "v"}, `"k\"":"v"`},
		{"empty string", map[string]any{"s": ""}, `"s":""`},
		{"whole string", map[string]any{"s": "${schedule}"}, `"s":"orders"`},
		{"whole number", map[string]any{"s": "${scheduled_for.Year()}"}, `"s":2026`},
		{"whole float", map[string]any{"s": "${1/4}"}, `"s":0.25`},
		{"whole bool", map[string]any{"s": `${origin == "slot"}`}, `"s":true`},
		{"mixed", map[string]any{"s": "${schedule}/${scheduled_for.Year()} ${true}!"}, `"s":"orders/2026 true!"`},
		{"spaces around make it text", map[string]any{"s": " ${scheduled_for.Year()}"}, `"s":" 2026"`},
		{"two expressions are text", map[string]any{"s": "${1}${2}"}, `"s":"12"`},
		{"local day", map[string]any{"s": "${ strftime(scheduled_for, '%Y-%m-%d %H:%M %z') }"}, `"s":"2026-11-24 02:30 -0500"`},
		{"utc day", map[string]any{"s": "${strftime(scheduled_for.UTC(), '%FT%T')}"}, `"s":"2026-11-24T07:30:00"`},
		{"day before", map[string]any{"s": "${strftime(scheduled_for.AddDate(0, 0, -1), '%F')}"}, `"s":"2026-11-23"`},
		{"format put together", map[string]any{"s": "${strftime(scheduled_for, '%Y' + '-%j')}"}, `"s":"2026-328"`},
		{"percent sign", map[string]any{"s": "${strftime(scheduled_for, '100%%')}"}, `"s":"100%"`},
		{"escaped", map[string]any{"s": "$${schedule} ${schedule} $$${1}"}, `"s":"${schedule} orders $${1}"`},
		{"lone dollar", map[string]any{"s": "$5 and {x}"}, `"s":"$5 and {x}"`},
		{"braces inside", map[string]any{"s": `${ {"a": "}"}.a + '}' }`}, `"s":"}}"`},
		{"backquotes and comments", map[string]any{"s": "${ /* } */ `}` + \"\\\"}\" // }\n }"}, `"s":"}\"}"`},
		{"value is escaped", map[string]any{"s": `${"a\"b"}`, "m": `x${"a\"b"}`}, `"m":"xa\"b","s":"a\"b"`},
		{"value that looks like an expression", map[string]any{"s": "${'$' + '{schedule}'}"}, `"s":"${schedule}"`},
		{"inside lists and tables", map[string]any{"l": []any{"${schedule}", map[string]any{"k": "<${origin}>"}}}, `"l":["orders",{"k":"<slot>"}]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := CompilePayload(test.members)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Render(nightInNewYork(t))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if !json.Valid([]byte("{" + string(got) + "}")) {
				t.Errorf("not JSON: %s", got)
			}
		})
	}
}

func TestCompilePayloadErrors(t *testing.T) {
	tests := []struct {
		name   string
		value  any
		offset int
		msg    string // begins with
		hint   string // contains
	}{
		{"unknown name", "day ${ dya }", 7, "unknown name dya", "scheduled_for"},
		{"after other characters", "é${'é' + dya}", 11, "unknown name dya", "scheduled_for"},
		{"now", "${now()}", 2, "unknown name now", "repeatable"},
		{"date", "${date('2026-01-01')}", 2, "unknown name date", "repeatable"},
		{"random order", "${keys({'a': 1})[0]}", 2, "unknown name keys", ""},
		{"syntax", "${schedule +}", 11, "unexpected token EOF", ""},
		{"types", "${schedule + 1}", 11, "invalid operation: +", ""},
		{"no end", "a ${schedule", 2, "the expression has no closing }", "$${"},
		{"no end of a string", "${'a}", 0, "the expression has no closing }", "$${"},
		{"empty", "x${ }", 1, "the expression is empty", "$${"},
		{"a time", "${scheduled_for}", 2, "the expression gives a time", "strftime"},
		{"a duration", "${scheduled_for.Sub(scheduled_for)}", 2, "the expression gives a duration", "Seconds"},
		{"a list", "${[1]}", 2, "the expression gives a list or a map", ""},
		{"a location", "${scheduled_for.Location()}", 2, "the expression gives a *time.Location", ""},
		{"bad directive", "${strftime(scheduled_for, '%Y-%i')}", 26, `strftime: there is no "%i"`, "docs/configuration.md"},
		{"cut directive", "${strftime(scheduled_for, '%Y-%')}", 26, `strftime: the format ends within "%"`, ""},
		{"wrong argument", "${strftime(schedule, '%Y')}", 11, "cannot use string as argument (type time.Time)", ""},
		{"too long", "${'" + strings.Repeat("x", expression.MaxBytes) + "'}", 2, "the expression is longer than 4096 bytes", ""},
		{"too many nodes", "${" + strings.Repeat("1+", expression.MaxNodes) + "1}", 503, "compilation failed: expression exceeds maximum allowed nodes", ""},
		{"infinity", math.Inf(1), 0, "+Inf, a number that JSON does not have", "string"},
		{"not UTF-8", "\xff", 0, "text that is not UTF-8", ""},
		{"another type", int8(1), 0, "a int8 has no form in JSON", ""},
		{"nil", nil, 0, "a <nil> has no form in JSON", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := CompilePayload(map[string]any{"a": []any{map[string]any{"b c": test.value}}})
			var got *ExpressionError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want an *ExpressionError", err)
			}
			if want := `payload.a[0]."b c"`; got.Path != want {
				t.Errorf("path: got %s, want %s", got.Path, want)
			}
			if want := []any{"a", 0, "b c"}; !reflect.DeepEqual(got.Steps, want) {
				t.Errorf("steps: got %v, want %v", got.Steps, want)
			}
			if got.Offset != test.offset || !strings.HasPrefix(got.Msg, test.msg) || !strings.Contains(got.Hint, test.hint) {
				t.Errorf("got  %d: %s (hint %q)\nwant %d: %s… (hint …%s…)", got.Offset, got.Msg, got.Hint, test.offset, test.msg, test.hint)
			}
		})
	}
}

func TestCompilePayloadReportsAll(t *testing.T) {
	_, err := CompilePayload(map[string]any{"a": "${x}", "b": "${y}", "c": "${schedule}"})
	if err == nil || strings.Count(err.Error(), "unknown name") != 2 {
		t.Errorf("got %v, want two unknown names", err)
	}
}

func TestPayloadRenderErrors(t *testing.T) {
	tests := []struct{ name, text, msg string }{
		{"fails when run", "${int(schedule)}", "invalid operation: int(orders)"},
		{"format known only then", "${strftime(scheduled_for, '%' + (schedule == 'orders' ? 'i' : 'd'))}", `strftime: there is no "%i"`},
		{"memory", "${repeat(schedule, 900000)}", "memory budget exceeded"},
		{"nil", "${fromJSON('null')}", "the expression gives nil"},
		{"list known only then", "x${fromJSON('[1]')}", "the expression gives a list or a map"},
		{"infinity", "${1 / float(len(schedule) - 6)}", "+Inf, a number that JSON does not have"},
		{"not UTF-8", "x${fromBase64('/w==')}", "text that is not UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := CompilePayload(map[string]any{"k": test.text})
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.Render(nightInNewYork(t))
			var got *ExpressionError
			if !errors.As(err, &got) {
				t.Fatalf("got %q, %v, want an *ExpressionError", out, err)
			}
			if got.Path != "payload.k" || !strings.HasPrefix(got.Msg, test.msg) {
				t.Errorf("got %v, want payload.k: %s…", got, test.msg)
			}
		})
	}
}

func TestPayloadSourceAndKeys(t *testing.T) {
	one, err := CompilePayload(map[string]any{"b": "${schedule}", "a": []any{int64(1), "$${x}"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := one.Source(), `{"a":[1,"$${x}"],"b":"${schedule}"}`; got != want {
		t.Errorf("source: got %s, want %s", got, want)
	}
	if got, want := one.Keys(), []string{"a", "b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("keys: got %v, want %v", got, want)
	}
	empty, err := CompilePayload(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := empty.Source(); got != "{}" {
		t.Errorf("source of nothing: got %s, want {}", got)
	}
}

func TestPayloadRenderIsSafeForSeveralAtOnce(t *testing.T) {
	p, err := CompilePayload(map[string]any{"k": "${strftime(scheduled_for, '%F')} ${schedule}"})
	if err != nil {
		t.Fatal(err)
	}
	moment := nightInNewYork(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				got, err := p.Render(moment)
				if want := `"k":"2026-11-24 orders"`; err != nil || string(got) != want {
					t.Errorf("got %s, %v, want %s", got, err, want)
				}
			}
		})
	}
	group.Wait()
}

func FuzzCompilePayload(f *testing.F) {
	for _, seed := range []string{
		"", "plain", "$${", "$$${1}", "${schedule}", "a${ {'x': '}'}.x }b", "${strftime(scheduled_for, '%F')}",
		"${`", "${/*}", "${\"\\", "é${1/0}\xff", "${repeat('x', 99999)}", "${if true {1} else {2}}",
	} {
		f.Add(seed)
	}
	moment := nightInNewYork(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := CompilePayload(map[string]any{"k": text})
		var fault *ExpressionError
		if err != nil {
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset > len(text) {
				t.Fatalf("%#v, want an *ExpressionError within the text", err)
			}
			return
		}
		out, err := p.Render(moment)
		if err != nil {
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset > len(text) {
				t.Fatalf("%#v, want an *ExpressionError within the text", err)
			}
			return
		}
		var decoded map[string]any
		if err := json.Unmarshal([]byte("{"+string(out)+"}"), &decoded); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if !strings.Contains(text, "${") && decoded["k"] != text {
			t.Fatalf("got %q, want %q", decoded["k"], text)
		}
	})
}
