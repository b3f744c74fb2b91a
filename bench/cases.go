package main

import (
	"fmt"
	"io"
	"path/filepath"

	"worqcron/sample"
)

const (
	maxBodyBytes = 9_500_000 // of a body, worqcron's default
	benchKey     = "wh_bench"
	benchFlow    = "f825ab82-371f-40cb-9bed-b325531ead4a"
)

// source is a file to be sent, and how.
type source struct {
	label     string
	format    string // csv or ndjson, for the yardstick; "": there is no yardstick
	path      string
	orders    func(w io.Writer, size int64, seed uint64) (int64, error)
	wrap      func(io.Writer) io.WriteCloser // what the text goes through on its way into the file; nil: nothing
	bytes     int64                          // of the orders as plain UTF-8
	records   int64
	perRecord bool // one trigger a record
	inFlight  int
	keys      string // more lines of [schedules.bench.source]
	chunkKeys string // more lines of [schedules.bench.chunk]
}

// cases are all sources, their files not written yet: first those with a
// yardstick, then the slow paths, of which those that differ in keys share a
// file.
func cases(o options) []source {
	const (
		types = "types = { quantity = \"integer\", unit_price = \"number\" }\n"
		where = "where = \"status != 'open'\"\n"
		set   = "set = { line = \"sku + '/' + country\" }\n"
	)
	list := []source{
		{label: "CSV", format: "csv", path: "fast.csv", orders: sample.CSV, bytes: o.size},
		{label: "NDJSON", format: "ndjson", path: "fast.ndjson", orders: sample.NDJSON, bytes: o.size},
		{
			label: "one trigger a record", format: "ndjson", path: "small.ndjson", orders: sample.NDJSON, bytes: int64(o.triggers) * 350,
			perRecord: true, inFlight: 64,
		},
		{label: "CSV, types", path: "slow.csv", orders: sample.CSV, keys: types},
		{label: "CSV, where", path: "slow.csv", orders: sample.CSV, keys: where},
		{label: "CSV, set", path: "slow.csv", orders: sample.CSV, keys: set},
		{label: "CSV, types where set", path: "slow.csv", orders: sample.CSV, keys: types + where + set},
		{label: "CSV, as columns", path: "slow.csv", orders: sample.CSV, chunkKeys: "records_as = \"columns\"\n"},
		{label: "CSV, gzip", path: "slow.csv.gz", orders: sample.CSV, wrap: gzipped},
		{label: "CSV, UTF-16", path: "slow-utf16.csv", orders: sample.CSV, wrap: utf16},
		{label: "NDJSON, zstd", path: "slow.ndjson.zst", orders: sample.NDJSON, wrap: zstandard},
		{label: "JSON array", path: "slow.json", orders: sample.NDJSON, wrap: jsonArray},
	}
	for i := range list {
		s := &list[i]
		s.path = filepath.Join(o.dir, s.path)
		if s.inFlight == 0 {
			s.inFlight = 4
		}
		if s.bytes == 0 {
			s.bytes = o.slowSize
		}
	}
	return list
}

// config is the configuration with one schedule that sends the source.
func (s *source) config(baseURL string) string {
	mode := "chunks"
	if s.perRecord {
		mode = "records"
	}
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
%s
[schedules.bench.chunk]
mode = %q
%s
[schedules.bench.delivery]
max_in_flight = %d
`, baseURL, s.inFlight, benchFlow, s.path, s.keys, mode, s.chunkKeys, s.inFlight)
}
