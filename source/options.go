package source

// Options says which files a source reads and how. It comes from a schedule's
// [source] table; zero values are the defaults.
type Options struct {
	// Path is a file or a glob ("inbox/orders-*.csv", "**" allowed), absolute.
	Path string
	// Format is "csv" or "ndjson"; "" decides by the file's name
	// (.csv; .ndjson, .jsonl, each also before .gz or .zst).
	Format string
	// Compression is "none", "gzip" or "zstd"; "" decides by the file's name.
	Compression string
	// Delimiter separates the fields of a CSV record; 0 means ','.
	Delimiter byte
	// MaxRecordBytes bounds one record as it lies in the file, without its line
	// feed; a longer one is bad. 0 means DefaultMaxRecordBytes.
	MaxRecordBytes int
}

// DefaultMaxRecordBytes bounds a record where no request limit does.
const DefaultMaxRecordBytes = 10_000_000
