package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
)

// yardstickRole is the argument that makes this program the yardstick.
const yardstickRole = "yardstick"

// yardstick is the careful sequential program: one goroutine, one buffer, one
// POST at a time, nothing remembered.
type yardstick struct {
	url      string
	maxBytes int

	client  *http.Client
	body    []byte // of the trigger that is being filled
	filled  int    // records in it
	summary summary
}

// summary is what a measured program says it did.
type summary struct {
	Records  int64 `json:"records"`
	Triggers int64 `json:"triggers"`
	Sent     int64 `json:"sent"` // bytes of bodies
}

const (
	opening = `{"records":[`
	closing = `]}`
)

func runYardstick(ctx context.Context, args []string, out io.Writer) error {
	y := &yardstick{client: &http.Client{}}
	f := flag.NewFlagSet(yardstickRole, flag.ContinueOnError)
	format := f.String("format", "csv", "csv or ndjson")
	f.StringVar(&y.url, "url", "", "where to POST")
	f.IntVar(&y.maxBytes, "max-bytes", maxBodyBytes, "of a body")
	if err := f.Parse(args); err != nil {
		return err
	}
	file, err := os.Open(f.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	y.body = append(make([]byte, 0, y.maxBytes), opening...)
	if *format == "csv" {
		err = y.readCSV(ctx, file)
	} else {
		err = y.readNDJSON(ctx, file)
	}
	if err == nil && y.filled > 0 {
		err = y.post(ctx)
	}
	if err != nil {
		return fmt.Errorf("yardstick: %w", err)
	}
	return json.NewEncoder(out).Encode(y.summary)
}

func (y *yardstick) readCSV(ctx context.Context, file io.Reader) error {
	r := csv.NewReader(bufio.NewReaderSize(file, 1<<20))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return err
	}
	names := make([][]byte, len(header))
	for i, name := range header {
		names[i] = append(appendString(nil, name), ':')
	}
	var record []byte
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		record = append(record[:0], '{')
		for i, field := range fields {
			if i > 0 {
				record = append(record, ',')
			}
			record = appendString(append(record, names[i]...), field)
		}
		if err := y.add(ctx, append(record, '}')); err != nil {
			return err
		}
	}
}

func (y *yardstick) readNDJSON(ctx context.Context, file io.Reader) error {
	lines := bufio.NewScanner(bufio.NewReaderSize(file, 1<<20))
	lines.Buffer(make([]byte, 64<<10), y.maxBytes)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if line[0] != '{' || !json.Valid(line) {
			return fmt.Errorf("record %d is no JSON object", y.summary.Records+1)
		}
		if err := y.add(ctx, line); err != nil {
			return err
		}
	}
	return lines.Err()
}

// add puts a record into the body, after posting what was in it if it is full.
func (y *yardstick) add(ctx context.Context, record []byte) error {
	full := len(y.body)+1+len(record)+len(closing) >= y.maxBytes
	if full && y.filled > 0 {
		if err := y.post(ctx); err != nil {
			return err
		}
	}
	if y.filled > 0 {
		y.body = append(y.body, ',')
	}
	y.body = append(y.body, record...)
	y.filled++
	return nil
}

// post sends the body and empties it.
func (y *yardstick) post(ctx context.Context) error {
	y.body = append(y.body, closing...)
	if err := post(ctx, y.client, y.url, y.body); err != nil {
		return err
	}
	y.summary.Records += int64(y.filled)
	y.summary.Triggers++
	y.summary.Sent += int64(len(y.body))
	y.body, y.filled = append(y.body[:0], opening...), 0
	return nil
}

// post sends a body and checks the answer as worqcron does in the good case.
func post(ctx context.Context, client *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+benchKey)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	var accepted struct {
		Success     bool   `json:"success"`
		AnalyticsID string `json:"analytics_id"`
	}
	if err := json.Unmarshal(answer, &accepted); err != nil || !accepted.Success || accepted.AnalyticsID == "" {
		return fmt.Errorf("not accepted: %s: %s", resp.Status, answer)
	}
	return nil
}

// appendString appends a JSON string; runs of bytes that need no escape are
// copied whole.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}
