package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"worqcron/config"
	"worqcron/store"
)

func newPlan(p *program) *cobra.Command {
	q := runRequest{PlanOnly: true}
	var at string
	var times [2]string
	c := &cobra.Command{
		Use:   "plan NAME | plan [NAME...] --until TIME",
		Short: "read and cut a schedule's source as a run would; sends nothing",
		Long: `plan takes the snapshot, reads, checks and cuts the whole source, and shows the
chunks that a run would send, exactly. It sends nothing. 'worqcron run NAME'
then sends this plan, or plans again if the source or the configuration changed.

With --until it reads nothing, and tells of all schedules (or those named) what
their slots in [--from, --until) will be like: as many triggers as the last run
had, the rate that each needs to be done before its next slot, when it will be
done if all share the rate, which slots will find the run before them under way,
and when schedules want more than the limit. Times are in the zone that the
schedules share, else in UTC.`,
		Example: `  worqcron plan orders
  worqcron plan orders --json
  worqcron plan --until 2026-12-01
  worqcron plan orders invoices --from 2026-12-24 --until 2026-12-27 --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if times != [2]string{} {
				if at != "" || q.New {
					return usageError{errors.New("plan: --at and --new are about one plan, --from and --until about slots to come")}
				}
				return p.forecast(c.Context(), args, times)
			}
			if err := exactly("NAME")(c, args); err != nil {
				return err
			}
			q.Schedule = args[0]
			return p.run(c.Context(), q, at, false)
		},
	}
	c.Flags().StringVar(&at, "at", "", "the plan of this slot: `TIME` in the schedule's zone or with an offset")
	c.Flags().StringVar(&times[0], "from", "", "with --until: slots from this `TIME` on (default now)")
	c.Flags().StringVar(&times[1], "until", "", "predict the slots before this `TIME` instead of reading a source")
	c.Flags().BoolVar(&q.New, "new", false, "plan afresh although an earlier run could go on")
	return c
}

// printForecast says what sending a plan will take at the configured rate.
func (p *program) printForecast(cfg *config.Config, c *store.Receipt, q runRequest) {
	if !q.PlanOnly || p.json || c == nil || c.Chunks.Pending == 0 {
		return
	}
	s, _ := cfg.Schedule(c.Schedule) // gone meanwhile: the key's rate still says something
	text := "as fast as WorqHat answers: there is no rate limit"
	if takes, rate := shortest(c.Chunks.Pending, cfg, s); rate > 0 {
		text = fmt.Sprintf("at least %s at %.4g triggers a second, if nothing else is sent", takes.Round(time.Second), rate)
	}
	fmt.Fprintf(p.out, "\nsending   %s, %s\n", count(c.Chunks.Pending, "trigger"), text)
	if text := windowText(s, time.Now()); text != "" {
		fmt.Fprintf(p.out, "window    %s\n", text)
	}
	fmt.Fprintf(p.out, "          worqcron show %s --chunk 1 --body\n          worqcron run %s\n", c.Name, q.Schedule)
}

// shortest is how long so many triggers take at least, and at which rate: the
// key's or the schedule's own, whichever is slower; zero if there is none.
func shortest(triggers int64, cfg *config.Config, s config.Schedule) (takes time.Duration, rate float64) {
	for _, limit := range []struct {
		rate  float64
		burst int
	}{{cfg.WorqHat.Rate, cfg.WorqHat.Burst}, {s.Job.Delivery.Rate, 1}} {
		if limit.rate <= 0 {
			continue
		}
		later := float64(max(0, triggers-int64(limit.burst)))
		if t := time.Duration(later / limit.rate * float64(time.Second)); rate == 0 || t > takes {
			takes, rate = t, limit.rate
		}
	}
	return takes, rate
}
