package sandbox

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	sandboxUser = "sandbox-user"
	sandboxOrg  = "sandbox-org"
)

// workflow is one execution in the documented shape.
type workflow struct {
	ID         string  `json:"id"` // the analytics_id
	WorkflowID string  `json:"workflow_id"`
	UserID     string  `json:"user_id"`
	OrgID      string  `json:"org_id"`
	Start      string  `json:"start_timestamp"`
	End        *string `json:"end_timestamp"`
	Status     string  `json:"status"`
}

// handleMetrics is GET /flows/metrics. Totals are strings, as WorqHat sends them
// for total_workflows; the list has one row an execution and no pages.
func (s *Server) handleMetrics(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	matches, err := metricsFilter(r.URL.Query())
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error(), "INVALID_QUERY")
		return
	}
	s.record.mu.Lock()
	executions := s.record.executions.ordered()
	s.record.mu.Unlock()
	executions = slices.DeleteFunc(executions, func(e execution) bool { return !matches(e) })

	out := bufio.NewWriterSize(w, 64<<10)
	defer func() { _ = out.Flush() }() // that the client is gone is no fault of the sandbox
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	totals, err := json.Marshal(metricsTotals(executions))
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error(), "INTERNAL")
		return
	}
	fmt.Fprintf(out, `{"metrics":%s,"workflows":[`, totals)
	for i, e := range executions {
		row, err := json.Marshal(e.row())
		if err != nil {
			panic(http.ErrAbortHandler) // half a list must not look like a whole one
		}
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_, _ = out.Write(row)
	}
	_, _ = out.WriteString("]}")
}

func metricsTotals(executions []execution) map[string]any {
	count := map[string]int{}
	for _, e := range executions {
		count[e.status]++
	}
	totals := map[string]any{
		"total_workflows":       strconv.Itoa(len(executions)),
		"completed_workflows":   strconv.Itoa(count["completed"]),
		"failed_workflows":      strconv.Itoa(count["failed"]),
		"in_progress_workflows": strconv.Itoa(count["in_progress"]),
		"avg_duration_ms":       0,
		"metrics_by_user":       map[string]any{},
	}
	if len(executions) > 0 {
		totals["metrics_by_user"] = map[string]any{sandboxUser: map[string]any{"total_workflows": strconv.Itoa(len(executions))}}
	}
	return totals
}

// row is an execution as the list has it; one that is over ended as it began.
func (e execution) row() workflow {
	start := e.start.UTC().Format("2006-01-02T15:04:05.000Z")
	w := workflow{ID: e.id, WorkflowID: e.flowID, UserID: sandboxUser, OrgID: sandboxOrg, Start: start, Status: e.status}
	if e.status != "in_progress" {
		w.End = &start
	}
	return w
}

// metricsFilter reads the query. Days are UTC and both ends belong to it.
func metricsFilter(query url.Values) (func(execution) bool, error) {
	day := func(name string) (time.Time, error) {
		text := query.Get(name)
		if text == "" {
			return time.Time{}, nil
		}
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return time.Time{}, fmt.Errorf("%s must be YYYY-MM-DD, not %q", name, text)
		}
		return t, nil
	}
	from, err := day("start_date")
	if err != nil {
		return nil, err
	}
	until, err := day("end_date")
	if err != nil {
		return nil, err
	}
	status, user := query.Get("status"), query.Get("user_id")
	if !slices.Contains([]string{"", "completed", "failed", "in_progress"}, status) {
		return nil, fmt.Errorf("status must be completed, failed or in_progress, not %q", status)
	}
	return func(e execution) bool {
		return (from.IsZero() || !e.start.Before(from)) &&
			(until.IsZero() || e.start.Before(until.AddDate(0, 0, 1))) &&
			(status == "" || status == e.status) &&
			(user == "" || user == sandboxUser)
	}, nil
}
