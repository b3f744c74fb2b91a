package main

import "github.com/spf13/cobra"

func newPlan(p *program) *cobra.Command {
	q := runRequest{PlanOnly: true}
	var at string
	c := &cobra.Command{
		Use:   "plan NAME",
		Short: "read and cut a schedule's source as a run would; sends nothing",
		Long: `plan takes the snapshot, reads, checks and cuts the whole source, and shows the
chunks that a run would send, exactly. It sends nothing. 'worqcron run NAME'
then sends this plan, or plans again if the source or the configuration changed.`,
		Example: `  worqcron plan orders
  worqcron plan orders --json`,
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			q.Schedule = args[0]
			return p.run(c.Context(), q, at)
		},
	}
	c.Flags().StringVar(&at, "at", "", "the plan of this slot: `TIME` in the schedule's zone or with an offset")
	c.Flags().BoolVar(&q.New, "new", false, "plan afresh although an earlier run could go on")
	return c
}
