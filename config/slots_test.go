package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"worqcron/scheduler"
)

const head = "flow_id = \"f825ab82-371f-40cb-9bed-b325531ead4a\"\n"

func TestSlotKeys(t *testing.T) {
	cleanEnvironment(t)
	c := mustParse(t, `
[calendars.holidays]
dates = ["2027-01-01", 2027-12-25]
[defaults]
timezone = "America/New_York"
exclude = ["holidays"]
[schedules.once]
at = 2099-01-31 09:00:00
jitter = "10m"
overlap = "queue"
paused = "until the flow is there"
blackout = ["2026-12-24T18:00/2026-12-27", "2026-12-28T00:00:00Z/2026-12-28T01:00Z"]
`+head+`
[schedules.every]
cron = "@every 7h"
start = "2027-03-14T02:30"
end = "2027-11-07 01:30"
exclude = []
paused = false
`+head)
	once, _ := c.Schedule("once")
	if next, ok := once.Spec.Next(time.Now()); !ok || !next.Equal(time.Date(2099, 1, 31, 14, 0, 0, 0, time.UTC)) || once.At != "2099-01-31 09:00:00" {
		t.Errorf("at: got %v %v, %q", next, ok, once.At)
	}
	if once.Jitter != 10*time.Minute || once.Overlap != scheduler.OverlapQueue || !once.Paused || once.PausedNote != "until the flow is there" {
		t.Errorf("got %+v", once)
	}
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := []scheduler.Exclusion{
		{Name: "calendar holidays", Dates: map[string]bool{"2027-01-01": true, "2027-12-25": true}},
		{Name: "blackout 2026-12-24T18:00/2026-12-27", From: at("2026-12-24T23:00:00Z"), Until: at("2026-12-27T05:00:00Z")},
		{Name: "blackout 2026-12-28T00:00:00Z/2026-12-28T01:00Z", From: at("2026-12-28T00:00:00Z"), Until: at("2026-12-28T01:00:00Z")},
	}
	if diff := cmp.Diff(want, once.Exclude); diff != "" {
		t.Errorf("exclude (-want +got):\n%s", diff)
	}
	every, _ := c.Schedule("every")
	// 02:30 does not exist on that day: the jump. 01:30 comes twice: the first.
	if first, _ := every.Spec.Next(at("2020-01-01T00:00:00Z")); !first.Equal(at("2027-03-14T07:00:00Z")) {
		t.Errorf("start: got %v", first)
	}
	if _, ok := every.Spec.Next(at("2027-11-07T05:29:59Z")); ok || every.Paused || every.Exclude != nil {
		t.Errorf("end: got a slot after it; %+v", every)
	}
	var warned []string
	for _, w := range c.Warnings {
		warned = append(warned, w.String())
	}
	if got := strings.Join(warned, "\n"); !strings.Contains(got, `:11:10: schedule "once" is paused: its slots do not run`) || len(warned) != 1 {
		t.Errorf("warnings: %s", got)
	}
}

func TestTimesThatHavePassedAreWarnedAbout(t *testing.T) {
	cleanEnvironment(t)
	c := mustParse(t, "[schedules.a]\nat = \"2020-01-31T09:00:00\"\n"+head+"[schedules.b]\ncron = \"@daily\"\nend = \"2020-01-01\"\n"+head)
	if len(c.Warnings) != 2 || !strings.Contains(c.Warnings[0].Message, "at has passed") || !strings.Contains(c.Warnings[1].Message, "end has passed") {
		t.Errorf("got %v", c.Warnings)
	}
}

func TestCalendarFile(t *testing.T) {
	cleanEnvironment(t)
	dir := t.TempDir()
	days := "\ufeff# holidays\r\n2027-01-01 # New Year\r\n\r\n\t2027-12-25"
	if err := os.WriteFile(filepath.Join(dir, "holidays.txt"), []byte(days), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "[calendars.holidays]\nfile = \"holidays.txt\"\n[schedules.a]\ncron = \"@daily\"\nexclude = [\"holidays\"]\n" + head
	c, err := Parse(filepath.Join(dir, "schedules.toml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"2027-01-01": true, "2027-12-25": true}
	if diff := cmp.Diff(want, c.Schedules[0].Exclude[0].Dates); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
