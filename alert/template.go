package alert

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"worqcron/expression"
)

// DefaultTemplate is the text of an alert where the configuration has none.
const DefaultTemplate = "${ headline } (${ strftime(since, '%Y-%m-%d %H:%M %Z') }): ${ reason }\n${ receipt }\n${ look }"

// Facts are what a template may name.
type Facts struct {
	Schedule string
	Alert    string    // failed, held, late or recovered
	Before   string    // the state before: ok, failed …
	Since    time.Time // when it became so, in the schedule's zone
	Run      string    // the run's name; "" where there is none
	RunID    string
	Reason   string
	Receipt  string // the run's balance in one line; "" without a run
	Look     string // the command that shows more
}

// Names are the names of a template with their values.
func (f Facts) Names() map[string]any {
	headline := f.Schedule + " is " + f.Alert
	if f.Alert == string(Failed) || f.Alert == Recovered {
		headline = f.Schedule + " " + f.Alert
	}
	return map[string]any{
		"schedule": f.Schedule, "alert": f.Alert, "before": f.Before, "since": f.Since, "run": f.Run, "run_id": f.RunID,
		"reason": f.Reason, "receipt": f.Receipt, "look": f.Look, "headline": headline,
	}
}

// Template is the text of alerts. It never changes.
type Template struct {
	text   string
	pieces []piece
}

type piece struct {
	literal string
	program *expression.Program // nil: it is literal
}

// NewTemplate compiles a text with ${…}. Its error is an *expression.Error with its
// place in the text.
func NewTemplate(text string) (*Template, error) {
	split, err := expression.Split(text)
	if err != nil {
		return nil, err
	}
	t := &Template{text: text}
	for _, p := range split {
		if !p.IsExpression {
			t.pieces = append(t.pieces, piece{literal: p.Text})
			continue
		}
		program, err := compile(p.Text)
		if err != nil {
			err.Offset += p.Offset
			return nil, err
		}
		t.pieces = append(t.pieces, piece{program: program})
	}
	return t, nil
}

const namesHint = "there are schedule, alert, before, since, run, run_id, reason, receipt, look and headline"

func compile(text string) (*expression.Program, *expression.Error) {
	program, err := expression.Compile(text, expression.Scope{Names: Facts{}.Names()})
	if err != nil {
		var wrong *expression.Error
		if !errors.As(err, &wrong) {
			return nil, &expression.Error{Msg: err.Error()}
		}
		if wrong.Unknown != "" && wrong.Hint == "" {
			wrong.Hint = namesHint
		}
		return nil, wrong
	}
	switch t := program.Type(); {
	case t == reflect.TypeFor[time.Time]():
		return nil, &expression.Error{Msg: "the expression gives a time, not text", Hint: "write strftime(since, '%Y-%m-%d %H:%M')"}
	case t != nil && (t.Kind() == reflect.Map || t.Kind() == reflect.Slice || t.Kind() == reflect.Struct):
		return nil, &expression.Error{Msg: "the expression gives a list or a map, not text"}
	}
	return program, nil
}

// Text renders the template. Lines that come to nothing are left out.
func (t *Template) Text(f Facts) (string, error) {
	var b strings.Builder
	var m expression.Machine
	names := f.Names()
	for _, p := range t.pieces {
		if p.program == nil {
			b.WriteString(p.literal)
			continue
		}
		value, err := m.Run(p.program, names)
		if err != nil {
			return "", fmt.Errorf("notify.template: %w", err)
		}
		fmt.Fprint(&b, value)
	}
	var lines []string
	for _, line := range strings.Split(b.String(), "\n") {
		if line = strings.TrimRight(line, " \t\r"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n"), nil
}

// String is the template as it was written.
func (t *Template) String() string { return t.text }
