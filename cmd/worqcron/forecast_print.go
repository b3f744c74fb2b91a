package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// printSlotForecast is the forecast for a person.
func (p *program) printSlotForecast(j *forecastJSON) {
	limit := "no limit"
	if j.Limit != nil {
		limit = fmt.Sprintf("the limit is %s/s", rateText(*j.Limit))
	}
	fmt.Fprintf(p.out, "%-25s  %-20s %9s  %-9s  %-25s  %s\n", "slot", "schedule", "triggers", "needs", "predicted finish", "")
	for i := range j.Slots {
		p.printForecastSlot(&j.Slots[i])
	}
	for _, k := range j.Peaks {
		fmt.Fprintf(p.out, "peak      %s–%s: %s need %s/s, %s: %s\n", j.clock(k.From), j.clock(k.Until),
			count(int64(len(k.Schedules)), "schedule"), rateText(k.Needed), limit, strings.Join(k.Schedules, ", "))
	}
	text := fmt.Sprintf("%s triggers, %s/s over the whole time, %s", humanize.Comma(j.Triggers), rateText(j.Needed), limit)
	if j.Limit != nil {
		text += fmt.Sprintf(" (%.3g %% of it)", j.Needed/(*j.Limit)*100)
	}
	fmt.Fprintf(p.out, "in all    %s\n", text)
	if len(j.Unknown) > 0 {
		fmt.Fprintf(p.out, "no run    counted as nothing, since no run tells how much they send: %s\n", strings.Join(j.Unknown, ", "))
	}
	if len(j.Timeless) > 0 {
		fmt.Fprintf(p.out, "no slot   in this time: %s\n", strings.Join(j.Timeless, ", "))
	}
}

func (p *program) printForecastSlot(s *forecastSlot) {
	needs, finish, chunks := "", "", ""
	if s.From != "" && s.Skipped == "" {
		chunks = humanize.Comma(s.Chunks)
	}
	if s.Needed != nil {
		needs = rateText(*s.Needed) + "/s"
	}
	if s.Finishes != nil && s.From != "" {
		if at, err := time.Parse(localLayout, s.Local); err == nil { // the slot's zone
			finish = s.Finishes.In(at.Location()).Format(localLayout)
		}
	}
	note := s.Reason
	if s.State != flies {
		note = s.State + ": " + note
	}
	fmt.Fprintf(p.out, "%s\n", strings.TrimRight(fmt.Sprintf("%-25s  %-20s %9s  %-9s  %-25s  %s", s.Local, s.Schedule, chunks, needs, finish, note), " "))
}

// clock is a time of a peak: with its day where that is not the forecast's first.
func (j *forecastJSON) clock(t time.Time) string {
	t = t.In(j.zone)
	if t.Format(time.DateOnly) == j.From.In(j.zone).Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

func rateText(rate float64) string { return fmt.Sprintf("%.2g", rate) }
