package main

import (
	"context"
	"encoding/json"
	"fmt"

	"worqcron/batch"
	"worqcron/store"
)

// requestRedrive begins a redrive that another command asks for. It goes out in
// its schedule's turn, as any run.
func (d *daemon) requestRedrive(ctx context.Context, q store.Request) error {
	var ask redriveRequest
	if err := json.Unmarshal([]byte(q.Body), &ask); err != nil {
		return err
	}
	old, err := d.ledger.FindRun(ctx, ask.Run)
	if err != nil {
		return err
	}
	defer d.turn(old.Schedule)() // first: a reload may rename it
	s, ok := d.schedule(old.Schedule)
	if !ok {
		return usageError{fmt.Errorf("the daemon's configuration has no schedule %q: reload it", old.Schedule)}
	}
	if b := d.busyWith(old.Schedule); b != nil {
		return fmt.Errorf("run %s of the schedule is under way: ask again when it came to rest", b.run.Name())
	}
	run, err := d.runner.StartRedrive(ctx, &s.Job, old, ask.Redrive, ask.Actor)
	if err != nil {
		return err
	}
	return d.follow(ctx, q, d.begin(ctx, s, run, batch.Order{Origin: "redrive", Actor: ask.Actor}), runRequest{})
}
