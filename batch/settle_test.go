package batch

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"worqcron/store"
)

// A log is as loud as a person is needed: not for what somebody asked for.
func TestLoudnessOfAReceipt(t *testing.T) {
	for _, c := range []struct {
		status store.RunState
		reason string
		chunks store.ChunkBalance
		want   string
	}{
		{store.Succeeded, "", store.ChunkBalance{}, "INFO"},
		{store.Stopped, ReasonInterrupted, store.ChunkBalance{Pending: 3}, "INFO"},
		{store.Stopped, "401 Unauthorized", store.ChunkBalance{Pending: 3}, "ERROR"},
		{store.Failed, "cancelled: by hand; nothing was accepted", store.ChunkBalance{Failed: 3}, "INFO"},
		{store.Partial, "cancelled: by hand; 3 chunks failed", store.ChunkBalance{Failed: 3}, "INFO"},
		{store.Held, "cancelled: by hand; 1 chunk may", store.ChunkBalance{Failed: 3, Unknown: 1}, "ERROR"},
		{store.Stopped, "cancelled: by hand; 401 Unauthorized", store.ChunkBalance{Failed: 3, Pending: 1}, "ERROR"},
		{store.Partial, "3 chunks failed", store.ChunkBalance{Failed: 3}, "WARN"},
	} {
		var text bytes.Buffer
		logReceipt(slog.New(slog.NewTextHandler(&text, nil)), &store.Receipt{Status: c.status, Reason: c.reason, Chunks: c.chunks}, 0, false)
		if !strings.Contains(text.String(), "level="+c.want+" ") {
			t.Errorf("%s (%s): %s, want %s", c.status, c.reason, text.String(), c.want)
		}
	}
}
