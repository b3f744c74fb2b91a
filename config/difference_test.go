package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// showDifference is a line a change, as tests read it.
func showDifference(old, now *Config) (lines []string) {
	general, schedules := Difference(old, now)
	for _, k := range general {
		lines = append(lines, k.Key+": "+k.Old+" -> "+k.New)
	}
	for _, c := range schedules {
		line := c.What + " " + c.Name()
		if c.What == Renamed {
			line += " from " + c.Old.Name
		}
		for _, k := range c.Keys {
			line += "; " + k.Key + ": " + k.Old + " -> " + k.New
		}
		lines = append(lines, line)
	}
	return lines
}

const compared = `
[worqhat]
rate = "50/min"
[calendars.holidays]
dates = ["2027-01-01"]
[defaults]
timezone = "Europe/Berlin"
delivery = { max_attempts = 3 }
[schedules.a]
cron = "0 9 * * *"
exclude = ["holidays"]
payload = { day = "${ strftime(scheduled_for, '%F') }", "odd.key\"" = ["x", { y = 1.5 }] }
source = { path = "in/*.csv", types = { n = "integer" } }
` + head + `
[schedules."eu.b"]
at = 2099-01-31T09:00:00
paused = "wait\tfor \\ it"
` + head

func TestDifference(t *testing.T) {
	cleanEnvironment(t)
	old := mustParse(t, compared)
	for _, tt := range []struct {
		name string
		edit []string // pairs: what is replaced by what
		want []string
	}{
		{"nothing", nil, nil},
		{"layout", []string{`"2027-01-01"`, "\"2027-01-01\", # new year\n", `rate = "50/min"`, `rate   =   '50/min'`}, nil},
		{"a key", []string{"0 9", "0 8"}, []string{`changed a; cron: "0 9 * * *" -> "0 8 * * *"`}},
		{"a key of all", []string{"50/min", "off"}, []string{`worqhat.rate: "50/min" -> "off"`}},
		{"a default", []string{"max_attempts = 3", "max_attempts = 4"}, []string{
			"changed a; delivery.max_attempts: 3 -> 4", "changed eu.b; delivery.max_attempts: 3 -> 4",
		}},
		{"a default goes", []string{`timezone = "Europe/Berlin"`, ""}, []string{
			`changed a; timezone: "Europe/Berlin" -> `, `changed eu.b; timezone: "Europe/Berlin" -> `,
		}},
		{"a member of the payload", []string{"y = 1.5", "y = 2"}, []string{
			`changed a; payload."odd.key\"": ["x", {y = 1.5}] -> ["x", {y = 2}]`,
		}},
		{"a calendar", []string{`["2027-01-01"]`, `["2027-05-01", "2027-01-01"]`}, []string{
			`changed a; calendars.holidays: ["2027-01-01"] -> ["2027-01-01", "2027-05-01"]`,
		}},
		{"another name", []string{"[schedules.a]", "[schedules.c]"}, []string{"removed a", "added c"}},
		{"renamed", []string{"[schedules.a]", "[schedules.c]\nrenamed_from = \"a\""}, []string{"renamed c from a"}},
		{"renamed and changed", []string{"[schedules.a]", "[schedules.c]\njitter = \"5m\"\nrenamed_from = \"a\""}, []string{
			`renamed c from a; jitter:  -> "5m"`,
		}},
		{"renamed from nothing", []string{"[schedules.a]", "[schedules.a]\nrenamed_from = \"z\""}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := mustParse(t, strings.NewReplacer(tt.edit...).Replace(compared))
			if diff := cmp.Diff(tt.want, showDifference(old, now)); diff != "" {
				t.Error(diff)
			}
			// The same against what the ledger keeps.
			stored, err := Restore("schedules.toml", old.Text())
			if err != nil {
				t.Fatalf("%v\n%s", err, old.Text())
			}
			if diff := cmp.Diff(tt.want, showDifference(stored, now)); diff != "" {
				t.Errorf("restored: %s", diff)
			}
		})
	}
}

func TestTextOfTheExample(t *testing.T) {
	cleanEnvironment(t)
	data, err := os.ReadFile(filepath.Join("..", "schedules.example.toml"))
	if err != nil {
		t.Fatal(err)
	}
	c := mustParse(t, string(data))
	again, err := Restore("schedules.toml", c.Text())
	if err != nil {
		t.Fatalf("%v\n%s", err, c.Text())
	}
	if lines := showDifference(again, c); len(lines) > 0 || again.Text() != c.Text() {
		t.Errorf("got %q\n%s", lines, again.Text())
	}
	for i, s := range again.Schedules {
		if got, want := s.Spec.Fingerprint(), c.Schedules[i].Spec.Fingerprint(); got != want {
			t.Errorf("%s: got %s, want %s", s.Name, got, want)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	const url = "https://hc.example/secret-uuid"
	with := func(url string, restored bool) *Config {
		s := &settings{config: &Config{}, schedule: &Schedule{}}
		s.schedule.Name = "a"
		s.record(section{name: "schedules.NAME.expect"}, &node{key: "heartbeat_url", kind: kindString, value: url})
		return &Config{Schedules: []Schedule{*s.schedule}, restored: restored}
	}
	if text := with(url, false).Text(); strings.Contains(text, "secret") || strings.Contains(text, "heartbeat") {
		t.Errorf("it is stored: %s", text)
	}
	if got := showDifference(with(url, false), with(url+"2", false)); !cmp.Equal(got, []string{"changed a; expect.heartbeat_url:  -> "}) {
		t.Errorf("got %q", got)
	}
	if got := showDifference(with(url, true), with(url+"2", false)); got != nil {
		t.Errorf("against what has none: got %q", got)
	}
}
