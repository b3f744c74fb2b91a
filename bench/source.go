package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"worqcron/sample"
)

const (
	maxBodyBytes = 9_500_000 // of a body, worqcron's default
	benchKey     = "wh_bench"
	benchFlow    = "f825ab82-371f-40cb-9bed-b325531ead4a"
)

// source is a file to be sent.
type source struct {
	format     string // csv or ndjson
	label      string
	path       string
	bytes      int64
	records    int64
	maxRecords int // of a body; 0: as many as fit
	inFlight   int
}

// makeSources writes the files. They stay in the page cache, where the measured
// programs find them.
func makeSources(o options) ([]source, error) {
	var list []source
	for _, s := range []source{
		{format: "csv", label: "CSV", bytes: o.size, inFlight: 4},
		{format: "ndjson", label: "NDJSON", bytes: o.size, inFlight: 4},
		{format: "ndjson", label: "one record a trigger", bytes: int64(o.triggers) * 350, maxRecords: 1, inFlight: 16},
	} {
		s.path = filepath.Join(o.dir, fmt.Sprintf("source-%d.%s", len(list), s.format))
		if err := s.write(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.path, err)
		}
		list = append(list, s)
	}
	return list, nil
}

func (s *source) write() error {
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	orders := sample.CSV
	if s.format == "ndjson" {
		orders = sample.NDJSON
	}
	records, err := orders(io.Writer(file), s.bytes, 1)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	s.records, s.bytes = records, info.Size()
	return nil
}

// config is the configuration with one schedule that sends the source.
func (s *source) config(baseURL string) string {
	return fmt.Sprintf(`[worqhat]
base_url = %q
rate = "off"
max_in_flight = %d

[ledger]
path = "worqcron.db"

[schedules.bench]
cron = "0 0 1 1 *"
flow_id = %q

[schedules.bench.source]
path = %q

[schedules.bench.chunk]
max_records = %d

[schedules.bench.delivery]
max_in_flight = %d
`, baseURL, s.inFlight, benchFlow, s.path, s.maxRecords, s.inFlight)
}
