package main

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"

	"worqcron/batch"
)

// showProgress draws a run's progress on a terminal until the returned function
// is called; elsewhere it does nothing. waits says what its triggers wait for, ""
// if they need not.
func (p *program) showProgress(from *batch.Progress, waits func() string) (hide func()) {
	return p.draw(&drawing{from: from, waits: waits, reading: "plan"})
}

// showReading does it for a command that only reads a run's files again.
func (p *program) showReading(from *batch.Progress) (hide func()) {
	return p.draw(&drawing{from: from, waits: func() string { return "" }, reading: "read"})
}

func (p *program) draw(d *drawing) (hide func()) {
	if !isTerminal(p.err) {
		return func() {}
	}
	w := progress.NewWriter()
	w.SetOutputWriter(p.err)
	w.SetAutoStop(false)
	w.SetTrackerLength(20)
	w.SetMessageLength(58)
	w.SetTrackerPosition(progress.PositionRight)
	w.SetUpdateFrequency(200 * time.Millisecond)
	w.SetStyle(progress.StyleBlocks)
	w.Style().Visibility = progress.StyleVisibility{Percentage: true, Time: true, Tracker: true, Value: true, ETA: true}
	w.Style().Colors.Message = text.Colors{}
	d.began, d.writer = time.Now(), w
	stop, stopped := make(chan struct{}), make(chan struct{})
	go w.Render()
	go func() {
		defer close(stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			d.update()
			select {
			case <-tick.C:
			case <-stop:
				d.update()
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
		d.end()
		w.Stop()
		for w.IsRenderInProgress() {
			time.Sleep(5 * time.Millisecond) // the library offers no channel to wait on
		}
	}
}

// drawing is the two bars of one run.
type drawing struct {
	from    *batch.Progress
	waits   func() string
	reading string // what reading files is called
	began   time.Time
	sending time.Time
	writer  progress.Writer
	waiting string // for what, as it is shown
	plan    *progress.Tracker
	deliver *progress.Tracker
}

func (d *drawing) update() {
	now := d.from.Now()
	d.showWaiting(now)
	if d.plan == nil && now.BytesTotal > 0 {
		d.plan = &progress.Tracker{Message: d.reading, Total: now.BytesTotal, Units: progress.UnitsBytes}
		d.writer.AppendTracker(d.plan)
	}
	if d.plan != nil && !d.plan.IsDone() {
		d.plan.UpdateTotal(max(now.BytesTotal, now.BytesRead))
		d.plan.SetValue(now.BytesRead)
		d.plan.UpdateMessage(fmt.Sprintf("%s     %s records · %s/s", d.reading, humanize.Comma(now.RecordsRead), perSecond(now.BytesRead, d.began)))
	}
	if !now.Delivering {
		return
	}
	if d.deliver == nil {
		if d.plan != nil {
			d.plan.MarkAsDone()
		}
		d.sending = time.Now()
		d.deliver = &progress.Tracker{Message: "deliver", Total: max(now.ChunksTotal, 1)}
		d.writer.AppendTracker(d.deliver)
	}
	d.deliver.UpdateTotal(max(now.ChunksTotal, 1))
	d.deliver.SetValue(now.ChunksDone)
	rate := float64(now.Triggers) / max(time.Since(d.sending).Seconds(), 0.001)
	d.deliver.UpdateMessage(fmt.Sprintf("deliver  %s records · %s/s · %.1f triggers/s",
		humanize.Comma(now.RecordsDone), perSecond(now.BytesSent, d.sending), rate))
}

// showWaiting says what the run waits for: before it reads, a file; then what its
// triggers do.
func (d *drawing) showWaiting(now batch.ProgressNow) {
	text := ""
	switch {
	case now.Waiting != "":
		text = "waiting until " + now.Waiting + " has settled"
	case now.Delivering:
		text = d.waits()
	}
	if text == d.waiting {
		return
	}
	d.waiting = text
	if text == "" {
		d.writer.SetPinnedMessages()
		return
	}
	d.writer.SetPinnedMessages(text)
}

func (d *drawing) end() {
	for _, t := range []*progress.Tracker{d.plan, d.deliver} {
		if t != nil && !t.IsDone() {
			t.MarkAsDone()
		}
	}
}

func perSecond(bytes int64, since time.Time) string {
	return humanize.Bytes(uint64(float64(bytes) / max(time.Since(since).Seconds(), 0.001)))
}
