package scheduler

import (
	"fmt"
	"strconv"
	"strings"
)

// fieldKind is what one field may hold.
type fieldKind struct {
	name     string
	min, max int
	names    []string // names[i] stands for min+i
}

var fieldKinds = []fieldKind{
	{name: "second", min: 0, max: 59},
	{name: "minute", min: 0, max: 59},
	{name: "hour", min: 0, max: 23},
	{name: "day of month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of week", min: 0, max: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

func (k fieldKind) isDay() bool { return k.isDom() || k.isDow() }
func (k fieldKind) isDom() bool { return k.max == 31 }
func (k fieldKind) isDow() bool { return k.max == 7 }

// special holds the items that robfig/cron does not know; see calendar for the
// bits.
type special struct {
	lastDay, lastWorkday         bool
	nearWorkday, nthDow, lastDow uint64
}

// fieldSet is one field read: the plain items, in the words of robfig/cron, and
// the rest.
type fieldSet struct {
	plain string
	star  bool // the field starts with "*" (or "?", which means the same)
	special
}

// parseField checks a field and sorts its items. robfig/cron lets too much pass
// ("*-5", "+3", "1,,2"), so what it is handed is checked here first.
func parseField(k fieldKind, w word) (fieldSet, *ExprError) {
	f := fieldSet{star: w.text[0] == '*' || w.text[0] == '?' && k.isDay()}
	var plain []string
	offset := w.offset
	for _, item := range strings.Split(w.text, ",") {
		it := fieldItem{k, strings.ToLower(item), offset}
		known, err := it.special(&f.special)
		if err != nil {
			return f, err
		}
		if !known {
			text, err := it.plain()
			if err != nil {
				return f, err
			}
			plain = append(plain, text)
		}
		offset += len(item) + 1
	}
	f.plain = strings.Join(plain, ",")
	return f, nil
}

// fieldItem is one item of a field's list, in lower case.
type fieldItem struct {
	fieldKind
	text   string
	offset int
}

func (it fieldItem) fail(msg, hint string) *ExprError {
	return &ExprError{Field: it.name, Offset: it.offset, Msg: msg, Hint: hint}
}

// special reads L, LW, 15W (day of month) and 5L, 5#2 (day of week).
func (it fieldItem) special(s *special) (bool, *ExprError) {
	switch {
	case it.isDom() && it.text == "l":
		s.lastDay = true
	case it.isDom() && it.text == "lw":
		s.lastWorkday = true
	case it.isDom() && strings.HasSuffix(it.text, "w"):
		day, err := it.value(strings.TrimSuffix(it.text, "w"))
		if err != nil {
			return false, err
		}
		s.nearWorkday |= 1 << day
	case it.isDow() && it.text == "l":
		return false, it.fail(`"L" alone names no day`, "6L is the month's last Saturday, 6 each Saturday")
	case it.isDow() && strings.HasSuffix(it.text, "l"):
		day, err := it.value(strings.TrimSuffix(it.text, "l"))
		if err != nil {
			return false, err
		}
		s.lastDow |= 1 << (day % 7)
	case it.isDow() && strings.Contains(it.text, "#"):
		name, count, _ := strings.Cut(it.text, "#")
		day, err := it.value(name)
		if err != nil {
			return false, err
		}
		if len(count) != 1 || count[0] < '1' || count[0] > '5' {
			return false, it.fail(fmt.Sprintf("%q: a month has a first to a fifth of each weekday", it.text), "5#2 is the second Friday; 5L is the last")
		}
		s.nthDow |= 1 << (int(count[0]-'1')*7 + day%7)
	default:
		return false, nil
	}
	return true, nil
}

// plain checks "*", "5", "1-5" and each with a step, and gives it in the words of
// robfig/cron.
func (it fieldItem) plain() (string, *ExprError) {
	base, step, stepped := strings.Cut(it.text, "/")
	by := 1
	if stepped {
		var err *ExprError
		if by, err = it.step(step); err != nil {
			return "", err
		}
	}
	if base == "*" || base == "?" && it.isDay() {
		return it.text, nil
	}
	low, high, ranged := strings.Cut(base, "-")
	from, err := it.value(low)
	if err != nil {
		return "", err
	}
	to := from
	if ranged {
		if to, err = it.rangeEnd(from, high); err != nil {
			return "", err
		}
	} else if stepped {
		to = it.max // "5/15" runs to the end of the field
		if it.isDow() && from < 7 {
			to = 6
		}
	}
	return it.spell(from, to, by), nil
}

// rangeEnd reads the end of a range; Sunday may end a week as 7 or by its name.
func (it fieldItem) rangeEnd(from int, text string) (int, *ExprError) {
	to, err := it.value(text)
	if err != nil {
		return 0, err
	}
	if it.isDow() && text == "sun" && from > 0 {
		to = 7
	}
	if to >= from {
		return to, nil
	}
	hint := fmt.Sprintf("write %d-%d,%d-%d", from, it.max, it.min, to)
	if it.isDow() {
		hint = fmt.Sprintf("write %d-6,0-%d", from, to)
		if from == 7 {
			hint = fmt.Sprintf("Sunday starts the week as 0: write 0-%d", to)
		}
	}
	return 0, it.fail(fmt.Sprintf("%q runs backwards", it.text), hint)
}

// spell writes a checked range for robfig/cron, for which Sunday is only 0.
func (it fieldItem) spell(from, to, by int) string {
	if !it.isDow() || to < 7 {
		return fmt.Sprintf("%d-%d/%d", from, to, by)
	}
	var days []string
	for d := from; d <= to; d += by {
		days = append(days, strconv.Itoa(d%7))
	}
	return strings.Join(days, ",")
}

func (it fieldItem) step(text string) (int, *ExprError) {
	n, ok := number(text)
	switch {
	case !ok:
		return 0, it.fail(fmt.Sprintf("step %q is no number", text), fmt.Sprintf("a step is a number after the slash: */2 takes every second %s", it.name))
	case n == 0:
		return 0, it.fail("a step of 0 never moves on", "write */1 or *")
	}
	return n, nil
}

// value reads a number or a name.
func (it fieldItem) value(text string) (int, *ExprError) {
	for i, name := range it.names {
		if text == name {
			return it.min + i, nil
		}
	}
	n, ok := number(text)
	switch {
	case text == "" && it.text == "":
		return 0, it.fail("an empty place in the list", "leave out the comma")
	case !ok:
		return 0, it.fail(fmt.Sprintf("%q is not understood in %q", text, it.text), it.hint())
	case n < it.min || n > it.max:
		return 0, it.fail(fmt.Sprintf("%d is out of range", n), it.hint())
	}
	return n, nil
}

func (it fieldItem) hint() string {
	h := fmt.Sprintf("a %s is %d to %d", it.name, it.min, it.max)
	switch {
	case it.isDom():
		return h + ", *, or L, LW, 15W"
	case it.isDow():
		return h + " (0 and 7 are Sunday), sun to sat, *, or 5L, 5#2"
	case it.names != nil:
		return h + fmt.Sprintf(", %s to %s, or *", it.names[0], it.names[len(it.names)-1])
	default:
		return h + ", or *"
	}
}

// number reads a few digits and nothing else: no sign, no space, no underscore.
func number(text string) (int, bool) {
	if text == "" || len(text) > 6 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
