package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"worqcron/alert"
	"worqcron/expression"
	"worqcron/notify"
)

// Notify is the [notify] table.
type Notify struct {
	notify.Options
	On       []string // what is told: words of alert.Kinds
	Template *alert.Template
}

func notifyKeys() section {
	return section{
		name: notifySection,
		doc:  "Who is told when a schedule is late, has failed, is held, or is well again. [operations.md](operations.md#being-told) has examples. Only the daemon tells, and only what changes: not each night that fails.",
		keys: []key{
			{
				name: "urls", standard: "[]",
				kind: kind{"list of URLs", `["ntfy://ntfy.sh/my-topic"]`, setServices},
				doc:  "Services to tell, as [shoutrrr](https://shoutrrr.nickfedor.com/) writes them: `slack://…`, `smtp://…`, `ntfy://…`, `generic+https://…` for a webhook. They hold tokens: with this key nobody else should be able to read the file.",
			},
			{
				name: "urls_env", words: "none",
				kind: textKind("variable name", `"WORQCRON_NOTIFY_URLS"`, func(s *settings, text string) *fault {
					return setVariable(&s.config.Notify.Env, text, `"WORQCRON_NOTIFY_URLS"; the URLs themselves belong in urls`)
				}),
				doc: "An environment variable with more of them, separated by spaces or line ends.",
			},
			{
				name: "urls_file", words: "none",
				kind: textKind("path", `"/etc/worqcron/notify"`, func(s *settings, text string) *fault {
					if strings.Contains(text, "://") {
						return &fault{msg: "this is no path", hint: "the name of a file with one URL a line; the URLs themselves belong in urls"}
					}
					if wrong := checkPath(text); wrong != nil {
						return wrong
					}
					s.config.Notify.File = absolute(s.dir, text)
					return nil
				}),
				doc: "A file with more of them, one a line; `#` begins a comment. Nobody but its owner may have any right to it (mode 0600 or less). A relative path starts at the configuration file's folder.",
			},
			{
				name: "on", standard: `["failed", "held", "late", "recovered"]`,
				kind: kind{"list of strings", `["failed", "held"]`, setNotifyOn},
				doc:  "What is told. *failed*: a run failed or stopped, was partial, or read fewer than `min_records`. *held*: something is unknown and waits for a decision. *late*: see `start_within` and `finish_within`. *recovered*: all is well after one of those was told.",
			},
			{
				name: "template", words: "schedule, what, since when, why, the receipt and the command that shows more",
				kind: textKind("string", `"${ headline }: ${ reason }"`, setTemplate),
				doc:  "The text of a message, with [expressions](#expressions). They may name `schedule`, `alert` (failed, held, late or recovered), `before` (the state before), `since` (a time), `run` and `run_id`, `reason`, `receipt` (one line), `look` (a command) and `headline` (such as \"orders failed\"). Lines that come to nothing are left out.",
			},
		},
	}
}

func expectKeys() section {
	return section{
		name: expectSection,
		doc:  "What is expected of the schedule. The daemon watches it; [notify] says who hears of it, the log does in any case.",
		keys: []key{
			{
				name: "start_within", words: "none",
				kind: durationKind(func(s *settings) *time.Duration { return &s.schedule.Expect.StartWithin }, time.Second, 366*day),
				doc:  "A run begins so long after its slot at most, else the schedule is *late*. It must be longer than `jitter`. Slots that a calendar or a pause skips are not waited for; those that an overlap skips, or that come while no daemon is up, are late. Not with `after` or `on_arrival`.",
			},
			{
				name: "finish_within", words: "none",
				kind: durationKind(func(s *settings) *time.Duration { return &s.schedule.Expect.FinishWithin }, time.Second, 366*day),
				doc:  "A run is at rest so long after its slot at most, else the schedule is *late*. It must be longer than `start_within`. Not with `after` or `on_arrival`.",
			},
			{
				name: "min_records", words: "none",
				kind: kind{"integer", "1000", func(s *settings, n *node) *fault {
					v, ok := n.value.(int64)
					if !ok {
						return wrongType(n, "integer", "1000, without quotes")
					}
					if v < 1 {
						return &fault{msg: fmt.Sprintf("%d is out of range", v), hint: fmt.Sprintf("from 1 to %d", int64(math.MaxInt64))}
					}
					s.schedule.Expect.MinRecords = v
					return nil
				}},
				doc: "A run reads so many records at least, else it counts as *failed*, however well it went. A run that is skipped because its files are unchanged is not counted; one that found no file read none.",
			},
			{
				name: "heartbeat_url", words: "none", own: true,
				kind: textKind("URL", `"https://hc-ping.com/your-uuid"`, setHeartbeat),
				doc:  "Called when a run begins (`URL/start`), went well (`URL`) or did not (`URL/fail`), as [Healthchecks](https://healthchecks.io/docs/http_api/) has it, with the run's id as `rid`. Who has it can call it as well: it is kept out of logs and the ledger.",
			},
			{
				name: "heartbeat_url_env", words: "none", own: true,
				kind: textKind("variable name", `"ORDERS_HEARTBEAT_URL"`, func(s *settings, text string) *fault {
					return setVariable(&s.schedule.HeartbeatEnv, text, `"ORDERS_HEARTBEAT_URL"; the URL itself belongs in heartbeat_url`)
				}),
				doc: "The environment variable that holds it, in place of `heartbeat_url`.",
			},
		},
	}
}

// setServices never repeats a URL: its tokens are secrets.
func setServices(s *settings, n *node) *fault {
	const example = `"ntfy://ntfy.sh/my-topic"`
	if n.kind != kindList {
		return wrongType(&node{kind: n.kind}, "list", "["+example+"]")
	}
	var all faults
	var urls []notify.URL
	for _, item := range n.items {
		text, ok := item.value.(string)
		if !ok || item.kind != kindString {
			all.add(item, wrongType(item, "string", example))
			continue
		}
		u := notify.NewURL(text)
		if err := notify.Check(u); err != nil {
			all.add(item, &fault{msg: err.Error(), hint: "'worqcron notify --test' tries them"})
		}
		urls = append(urls, u)
	}
	s.config.Notify.URLs = urls
	return all.joined()
}

func setNotifyOn(s *settings, n *node) *fault {
	const example = `["failed", "held"]`
	if n.kind != kindList {
		return wrongType(n, "list", example)
	}
	var quoted []string
	for _, k := range alert.Kinds() {
		quoted = append(quoted, strconv.Quote(k))
	}
	var all faults
	on := []string{}
	for _, item := range n.items {
		text, ok := item.value.(string)
		switch {
		case !ok || item.kind != kindString:
			all.add(item, wrongType(item, "string", `"failed"`))
		case !slices.Contains(alert.Kinds(), text):
			all.add(item, &fault{msg: fmt.Sprintf("%q is none of the choices", shorten(text)), hint: "use " + orList(quoted)})
		default:
			on = append(on, text)
		}
	}
	s.config.Notify.On = on
	return all.joined()
}

func setTemplate(s *settings, text string) *fault {
	t, err := alert.NewTemplate(text)
	var wrong *expression.Error
	switch {
	case errors.As(err, &wrong):
		return &fault{msg: wrong.Msg, hint: wrong.Hint, inside: true, at: wrong.Offset}
	case err != nil:
		return &fault{msg: err.Error()}
	case strings.TrimSpace(text) == "":
		return &fault{msg: "an empty message", hint: "leave it out for the usual one"}
	}
	s.config.Notify.Template = t
	return nil
}

func setHeartbeat(s *settings, text string) *fault {
	if err := notify.CheckHeartbeat(text); err != nil {
		return &fault{msg: err.Error(), hint: `the address that the check shows, without /start or /fail`}
	}
	s.schedule.Heartbeat = notify.NewURL(text)
	return nil
}

// setVariable never repeats the value: somebody may have put the secret there.
func setVariable(field *string, text, example string) *fault {
	valid := text != ""
	for i, c := range []byte(text) {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		valid = valid && (letter || i > 0 && c >= '0' && c <= '9')
	}
	if !valid {
		return &fault{msg: "this is no name of an environment variable", hint: "the name alone, such as " + example}
	}
	*field = text
	return nil
}
