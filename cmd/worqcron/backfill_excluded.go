package main

import (
	"fmt"
	"time"

	"worqcron/config"
)

// excludedSlotJSON is a slot that a backfill does not take because of a calendar or
// blackout, for programs.
type excludedSlotJSON struct {
	ScheduledFor time.Time `json:"scheduled_for"`
	Local        string    `json:"local"`
	Reason       string    `json:"reason"`
}

func excludedJSON(s config.Schedule, excluded []pastSlot) []excludedSlotJSON {
	list := []excludedSlotJSON{}
	for _, slot := range excluded {
		list = append(list, excludedSlotJSON{slot.at, localTime(slot.at, zoneOf(s).String()), slot.excluded()})
	}
	return list
}

// sayExcluded tells somebody who starts a backfill what is left out of it.
func (p *program) sayExcluded(s config.Schedule, excluded []pastSlot) {
	if len(excluded) == 0 {
		return
	}
	fmt.Fprintf(p.err, "%s of %s not taken (%s): --dry-run lists them\n",
		count(int64(len(excluded)), "slot"), s.Name, excluded[0].excluded())
}
