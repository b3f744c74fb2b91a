package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"time"
)

func form(t *testing.T, fields map[string]string, fileName, content string) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	if content != "" {
		part, err := w.CreateFormFile("file", fileName)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, w.FormDataContentType()
}

func TestFileTrigger(t *testing.T) {
	s := start(t, Options{})
	const batch = `{"key":"k2","chunk":1,"records":9}`
	tests := []struct {
		name          string
		fields        map[string]string
		file, content string
		status        int
	}{
		{"file", map[string]string{"_batch": batch, "report": "x"}, "a.csv", "a,b\n1,2\n", 200},
		{"url", map[string]string{"url": "https://example.com/a.csv"}, "", "", 200},
		{"neither", map[string]string{"a": "b"}, "", "", 400},
		{"both", map[string]string{"url": "https://example.com"}, "a.csv", "x", 400},
		{"no file name", nil, "", "x", 400},
		{"too large", nil, "a.csv", strings.Repeat("x", maxFileBytes+1), 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, contentType := form(t, tt.fields, tt.file, tt.content)
			status, answer := call(t, newRequest(t, "POST", s.URL()+"/flows/file/"+flow, body, "Content-Type", contentType))
			if status != tt.status {
				t.Errorf("answer %d %s; want %d", status, answer, tt.status)
			}
			if status == 200 && (!strings.Contains(answer, `"statusCode":"200"`) || strings.Contains(answer, "analytics_id")) {
				t.Errorf("answer %s", answer)
			}
		})
	}
	sum := sha256.Sum256([]byte("a,b\n1,2\n"))
	if r := s.Requests()[0]; r.Key != "k2" || r.Records != 9 || r.Bytes != 8 || r.SHA256 != hex.EncodeToString(sum[:]) || !r.Accepted {
		t.Errorf("request %+v", r)
	}
	status, _ := call(t, newRequest(t, "POST", s.URL()+"/flows/file/"+flow, strings.NewReader("{}"), "Content-Type", "application/json"))
	if status != 415 {
		t.Errorf("JSON to the file trigger: %d, want 415", status)
	}
}

func TestMetrics(t *testing.T) {
	faults, err := ParseFaults("failed-later=0.5")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{Faults: faults, Seed: 3})
	failed := 0
	for range 20 {
		trigger(t, s, `{"a":1}`)
	}
	for _, r := range s.Requests() {
		if r.Outcome == "failed-later" {
			failed++
		}
	}
	if failed == 0 || failed == 20 {
		t.Fatalf("%d of 20 failed", failed)
	}
	today := time.Now().UTC().Format(time.DateOnly)
	for query, want := range map[string]int{
		"": 20, "?status=failed": failed, "?status=completed": 20 - failed, "?status=in_progress": 0,
		"?start_date=2000-01-01&end_date=2000-01-02": 0, "?start_date=" + today[:4] + "-01-01&end_date=2999-01-01": 20,
		"?user_id=somebody": 0, "?status=odd": -1, "?start_date=yesterday": -1, "?end_date=2026-13-01": -1,
	} {
		status, answer := call(t, newRequest(t, "GET", s.URL()+"/flows/metrics"+query, nil))
		if want < 0 {
			if status != 400 {
				t.Errorf("%s: %d %s, want 400", query, status, answer)
			}
			continue
		}
		var got struct {
			Metrics struct {
				Total string `json:"total_workflows"`
			} `json:"metrics"`
			Workflows []map[string]any `json:"workflows"`
		}
		if err := json.Unmarshal([]byte(answer), &got); err != nil {
			t.Fatalf("%s: %v: %s", query, err, answer)
		}
		if len(got.Workflows) != want || got.Metrics.Total == "" {
			t.Errorf("%s: %d workflows, want %d: %s", query, len(got.Workflows), want, answer)
		}
		if query == "" {
			first := got.Workflows[0]
			if first["id"] != s.Requests()[0].AnalyticsID || first["workflow_id"] != flow || first["start_timestamp"] == "" || got.Metrics.Total != "20" {
				t.Errorf("metrics %s", answer)
			}
		}
	}
	if status, _ := call(t, newRequest(t, "GET", s.URL()+"/flows/metrics", nil, "Authorization", "x")); status != 401 {
		t.Errorf("metrics without a key: %d", status)
	}
	status, answer := call(t, newRequest(t, "GET", s.URL()+"/health", nil))
	if status != 200 || !strings.Contains(answer, `"status":"ok"`) || !strings.Contains(answer, `"uptime":`) {
		t.Errorf("health %d %s", status, answer)
	}
}
