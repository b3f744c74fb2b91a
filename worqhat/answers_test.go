package worqhat

import (
	"testing"
	"time"
)

// TestKnownAnswers has the bodies of all shapes that WorqHat documents or its staff
// published, and those that a flow's author or a gateway can make of them.
func TestKnownAnswers(t *testing.T) {
	const id = "6f8c0a4e-3d0b-4f5e-9d8e-1b2c3d4e5f60"
	for _, c := range []struct {
		name    string
		status  int
		body    string
		outcome Outcome
		reason  Reason
		id      string
		stop    Stop
		wait    time.Duration
	}{
		// The JSON trigger.
		{
			"documented", 200,
			`{"success":true,"message":"Workflow triggered successfully","analytics_id":"` + id + `","timestamp":"2025-07-23T12:34:56.789Z","data":{"workflow_status":"started"}}`,
			Accepted, ReasonAnalyticsID, id, "", 0,
		},
		{
			"an opaque id", 200,
			`{"success":true,"message":"ok","analytics_id":"wf_01H8XYZ","timestamp":"2025-07-23T12:34:56Z","data":{"workflow_status":"started"}}`,
			Accepted, ReasonAnalyticsID, "wf_01H8XYZ", "", 0,
		},
		{
			"the flow's own output", 200,
			`{"success":true,"message":"Workflow completed","timestamp":"2025-07-23T12:34:56Z","data":{"success":true,"statusCode":"200","data":{"rows":5000}}}`,
			AcceptedNoID, ReasonNoID, "", "", 0,
		},
		{
			"the flow's own output, with an id", 200,
			`{"success":true,"analytics_id":"` + id + `","data":{"success":true,"statusCode":200,"data":[1,2]}}`,
			Accepted, ReasonAnalyticsID, id, "", 0,
		},
		{
			"a flow that ran and returned 500", 200,
			`{"success":true,"message":"Workflow completed","timestamp":"2025-07-23T12:34:56Z","data":{"success":true,"statusCode":"500","data":{"error":"no such table"}}}`,
			FlowFailed, ReasonNestedStatus, "", "", 0,
		},
		{
			"a flow that ran and returned 400, as a number", 200,
			`{"success":true,"analytics_id":"` + id + `","data":{"statusCode":400}}`,
			FlowFailed, ReasonNestedStatus, id, "", 0,
		},
		{"a flow that failed", 200, `{"success":false,"message":"Workflow failed","error_code":"WORKFLOW_FAILED"}`, FlowFailed, ReasonSuccessFalse, "", "", 0},

		// The file trigger.
		{"file", 200, `{"success":true,"statusCode":"200","data":{},"message":"File processed"}`, AcceptedNoID, ReasonNoID, "", "", 0},
		{"file that failed", 200, `{"success":true,"statusCode":"422","data":{},"message":"File cannot be read"}`, FlowFailed, ReasonNestedStatus, "", "", 0},

		// Errors, in the two documented shapes.
		{"400", 400, `{"success":false,"message":"Invalid request body","error_code":"INVALID_PAYLOAD","details":{"field":"x"}}`, Refused, "http_400", "", "", 0},
		{"400, the other shape", 400, `{"error":"Bad Request","message":"Invalid JSON","code":"BAD_REQUEST","details":null}`, Refused, "http_400", "", "", 0},
		{"401", 401, `{"success":false,"message":"Invalid API key","error_code":"UNAUTHORIZED"}`, Refused, "http_401", "", StopKey, 0},
		{"401, the other shape", 401, `{"error":"Unauthorized","message":"Missing token","code":"UNAUTHORIZED","details":{}}`, Refused, "http_401", "", StopKey, 0},
		{"402", 402, `{"success":false,"message":"Plan limit reached","error_code":"PAYMENT_REQUIRED"}`, Refused, "http_402", "", StopKey, 0},
		{"403", 403, `{"success":false,"message":"No access","error_code":"FORBIDDEN"}`, Refused, "http_403", "", StopKey, 0},
		{"404", 404, `{"success":false,"message":"Workflow not found","error_code":"WORKFLOW_NOT_FOUND"}`, Refused, "http_404", "", StopFlow, 0},
		{"413", 413, `{"success":false,"message":"Payload too large","error_code":"PAYLOAD_TOO_LARGE"}`, Refused, ReasonTooLarge, "", "", 0},
		{"413 of a gateway", 413, `<html><head><title>413 Request Entity Too Large</title></head></html>`, Refused, ReasonTooLarge, "", "", 0},
		{"415", 415, `{"error":"Unsupported Media Type","message":"Content-Type must be application/json","code":"UNSUPPORTED","details":{}}`, Refused, "http_415", "", "", 0},
		{"429", 429, `{"success":false,"message":"Rate limit exceeded","error_code":"RATE_LIMIT_EXCEEDED","retry_after":60}`, Throttled, "http_429", "", "", time.Minute},
		{"429, as a string", 429, `{"success":false,"message":"Rate limit exceeded","retry_after":"90"}`, Throttled, "http_429", "", "", 90 * time.Second},
		{"500", 500, `{"success":false,"message":"Internal server error","error_code":"INTERNAL_ERROR"}`, Unknown, "http_500", "", "", 0},
		{"500 of a flow that ran", 500, `{"success":false,"message":"x","analytics_id":"` + id + `","data":{"statusCode":"500"}}`, Unknown, "http_500", id, "", 0},
		{"400 of a flow that ran", 400, `{"success":true,"data":{"success":false,"statusCode":"400"}}`, Refused, "http_400", "", "", 0},

		// No JSON at all.
		{"502 of a gateway", 502, `<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>`, Unknown, "http_502", "", "", 0},
		{"504 in words", 504, `upstream request timeout`, Unknown, "http_504", "", "", 0},
		{"524", 524, `error code: 524`, Unknown, "http_524", "", "", 0},
		{"a page with 200", 200, `<!DOCTYPE html><html><title>Just a moment...</title></html>`, Unknown, ReasonAnswerHTML, "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Decide(answered(c.status, c.body))
			if v.Outcome != c.outcome || v.Reason != c.reason || v.AnalyticsID != c.id || v.Stop != c.stop || v.RetryAfter != c.wait {
				t.Errorf("Decide = %+v", v)
			}
		})
	}
}
