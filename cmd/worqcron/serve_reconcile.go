package main

import (
	"context"
	"encoding/json"

	"worqcron/store"
)

// requestReconcile looks executions up in the background: a list can be long, and
// WorqHat can ask for a wait.
func (d *daemon) requestReconcile(ctx context.Context, q store.Request) error {
	var ask reconcileRequest
	if err := json.Unmarshal([]byte(q.Body), &ask); err != nil {
		return err
	}
	runs, err := ask.runs(ctx, &d.ledger.Reader)
	if err != nil {
		return err
	}
	d.runs.Go(func() {
		code, message := exitDone, ""
		if err := d.runner.Reconcile(ctx, runs); err != nil {
			code, message = exitFailed, err.Error()
		}
		d.answer(q, code, message)
	})
	return nil
}
