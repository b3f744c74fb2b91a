package scheduler

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// maxExprBytes bounds what Parse looks at; the longest sensible expression, all
// minutes in a list, has 200.
const maxExprBytes = 1000

// descriptors are the names for whole expressions (crontab(5)).
var descriptors = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

// Parse reads an expression for a zone: five fields (minute, hour, day of month,
// month, day of week), six with seconds in front, @daily and the like, or
// @every with a duration in whole seconds. Errors are *ExprError.
func Parse(expr string, zone *time.Location, o SpecOptions) (Spec, error) {
	p := parser{expr: expr}
	s, err := p.spec(zone, o)
	if err != nil {
		return Spec{}, err
	}
	text := strings.TrimSpace(expr)
	switch {
	case strings.HasPrefix(strings.ToLower(text), "@every"):
		err = p.every(&s, text)
	case strings.HasPrefix(text, "@"):
		err = p.descriptor(&s, text)
	default:
		err = p.fields(&s, expr)
	}
	if err != nil {
		return Spec{}, err
	}
	return s, nil
}

// parser carries the expression for its error messages.
type parser struct{ expr string }

func (p parser) fail(offset int, msg, hint string) error {
	return &ExprError{Expr: p.expr, Offset: offset, Msg: msg, Hint: hint}
}

// spec checks everything but the expression itself.
func (p parser) spec(zone *time.Location, o SpecOptions) (Spec, error) {
	s := Spec{zone: zone, gap: o.Gap, fold: o.Fold, start: minSecond, end: maxSecond + 1}
	if s.gap == "" {
		s.gap = GapRun
	}
	if s.fold == "" {
		s.fold = FoldFirst
	}
	if !o.Start.IsZero() {
		s.start = o.Start.Add(time.Second - 1).Unix() // the first whole second in it
		s.anchor = o.Start.Unix()
	}
	if !o.End.IsZero() {
		s.end = o.End.Add(time.Second - 1).Unix()
	}
	switch {
	case zone == nil:
		return s, p.fail(0, "no time zone", "name one, such as \"UTC\" or \"Europe/Berlin\"")
	case s.gap != GapRun && s.gap != GapShift && s.gap != GapSkip:
		return s, p.fail(0, fmt.Sprintf("unknown rule %q for a time that does not exist", s.gap), `use "run", "shift" or "skip"`)
	case s.fold != FoldFirst && s.fold != FoldSecond && s.fold != FoldBoth:
		return s, p.fail(0, fmt.Sprintf("unknown rule %q for a time that happens twice", s.fold), `use "first", "second" or "both"`)
	case s.start >= s.end:
		return s, p.fail(0, "the end is not after the start", "slots lie in [start, end)")
	case len(p.expr) > maxExprBytes:
		return s, p.fail(maxExprBytes, fmt.Sprintf("longer than %d bytes", maxExprBytes), "use ranges and steps, or several schedules")
	}
	return s, nil
}

func (p parser) descriptor(s *Spec, text string) error {
	at := strings.Index(p.expr, text)
	name := strings.ToLower(text)
	if name == "@reboot" {
		return p.fail(at, "@reboot is no time", "run it by hand, or from the service that starts the daemon")
	}
	full, ok := descriptors[name]
	if !ok {
		return p.fail(at, fmt.Sprintf("unknown name %q", text), "use @hourly, @daily, @weekly, @monthly, @yearly or \"@every 90m\"")
	}
	if err := p.fields(s, full); err != nil {
		return err
	}
	s.expr = name
	return nil
}

func (p parser) every(s *Spec, text string) error {
	at := strings.Index(p.expr, text)
	value := strings.TrimSpace(text[len("@every"):])
	d, err := time.ParseDuration(value)
	if value == "" || err != nil || len(text) > len("@every") && text[len("@every")] != ' ' && text[len("@every")] != '\t' {
		return p.fail(at, fmt.Sprintf("%q is no duration", value), `write a number and a unit after a space: "@every 90m", "@every 1h30m", "@every 45s"`)
	}
	at = strings.LastIndex(p.expr, value)
	if d < time.Second {
		return p.fail(at, fmt.Sprintf("%s is less than a second", value), `the shortest is "@every 1s"`)
	}
	if d%time.Second != 0 {
		return p.fail(at, fmt.Sprintf("%s is not whole seconds", value), fmt.Sprintf("write %s", d.Round(time.Second)))
	}
	s.expr = "@every " + value
	s.every = int64(d / time.Second)
	return nil
}

// fields reads a five- or six-field expression; text is p.expr or what a
// descriptor stands for.
func (p parser) fields(s *Spec, text string) error {
	words := splitFields(text)
	if err := p.count(words); err != nil {
		return err
	}
	kinds := fieldKinds[len(fieldKinds)-len(words):]
	set := make([]fieldSet, len(fieldKinds))
	set[0] = fieldSet{plain: "0", special: special{}} // without a seconds field
	for i, w := range words {
		f, err := parseField(kinds[i], w)
		if err != nil {
			err.Expr = p.expr
			return err
		}
		set[len(fieldKinds)-len(words)+i] = f
	}
	c, err := compile(set)
	if err != nil {
		return p.fail(0, err.Error(), "")
	}
	s.calendar = c
	s.interval = set[1].star || set[2].star
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	s.expr = strings.Join(texts, " ")

	if _, ok := c.from(0, monthsPerCycle); !ok {
		day := words[len(words)-3]
		return &ExprError{
			Expr: p.expr, Field: "day of month", Offset: day.offset,
			Msg:  fmt.Sprintf("%q never comes in month %q", day.text, words[len(words)-2].text),
			Hint: "for the last day of a month write L",
		}
	}
	return nil
}

func (p parser) count(words []word) error {
	switch n := len(words); {
	case n == 0:
		return p.fail(0, "empty", `write five fields, such as "30 2 * * *"`)
	case strings.Contains(words[0].text, "TZ="):
		return p.fail(words[0].offset, "a time zone inside the expression", `set timezone = "…" beside it`)
	case n == 5 || n == 6:
		return nil
	case n == 7:
		return p.fail(words[6].offset, "7 fields; a year cannot be given", "five fields, or six with seconds in front")
	default:
		return p.fail(words[0].offset, fmt.Sprintf("%d fields instead of 5", n), `the order is minute, hour, day of month, month, day of week: "30 2 * * *"`)
	}
}

// word is one field's text and its place in the expression.
type word struct {
	text   string
	offset int
}

// splitFields cuts at spaces and tabs.
func splitFields(text string) []word {
	var words []word
	for i := 0; i < len(text); {
		if text[i] == ' ' || text[i] == '\t' {
			i++
			continue
		}
		n := strings.IndexAny(text[i:], " \t")
		if n < 0 {
			n = len(text) - i
		}
		words = append(words, word{text[i : i+n], i})
		i += n
	}
	return words
}

// compile lets robfig/cron turn the plain fields into bits and adds what it does
// not know. robfig marks a "*" in the top bit, but forgets it with a step, so
// that mark is replaced by our own.
func compile(set []fieldSet) (calendar, error) {
	plain := make([]string, len(set))
	for i, f := range set {
		plain[i] = f.plain
		if f.plain == "" {
			plain[i] = "1" // only specials: any valid value, taken out again below
		}
	}
	parsed, err := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(strings.Join(plain, " "))
	if err != nil {
		return calendar{}, err
	}
	bits, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return calendar{}, fmt.Errorf("robfig/cron gave a %T instead of fields", parsed)
	}
	const values = math.MaxInt64 // all but the top bit
	c := calendar{
		second: bits.Second & values, minute: bits.Minute & values, hour: bits.Hour & values,
		dom: bits.Dom & values, month: bits.Month & values, dow: bits.Dow & values,
		domStar: set[3].star, dowStar: set[5].star,
		lastDay: set[3].lastDay, lastWorkday: set[3].lastWorkday, nearWorkday: set[3].nearWorkday,
		nthDow: set[5].nthDow, lastDow: set[5].lastDow,
	}
	if set[3].plain == "" {
		c.dom = 0
	}
	if set[5].plain == "" {
		c.dow = 0
	}
	return c, nil
}
