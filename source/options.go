package source

import "worqcron/expression"

// Options says which files a source reads and how. It comes from a schedule's
// [source] table; zero values are the defaults.
type Options struct {
	// Path is a file or a glob ("inbox/orders-*.csv", "**" allowed), absolute, or
	// Stdin. It may hold ${expressions}, until Rendered puts their values in.
	Path string
	// Base and Below are the same for a path that was rendered: the folder that it
	// must not leave, and what of the glob lies below it. Both "": there were no
	// expressions.
	Base, Below string
	// Order is the order of the files: "name" (also ""), or "mtime", oldest first.
	Order string
	// MaxRecordBytes bounds one record as it lies in the file, unpacked and as
	// UTF-8, without its line feed; a longer one is bad. 0 means DefaultMaxRecordBytes.
	MaxRecordBytes int
	// Moment is what expressions know of the run, beside the record's columns.
	Moment expression.Moment
	Dialect
}

// Stdin as a path is the standard input.
const Stdin = "-"

// DefaultMaxRecordBytes bounds a record where no request limit does.
const DefaultMaxRecordBytes = 10_000_000

// Dialect is how records are written in the files, and what JSON becomes of
// them. It is stored with a run, as JSON, so that the same bytes can be made
// again; zero values are the defaults.
type Dialect struct {
	// Format is FormatCSV, FormatNDJSON or FormatJSON; "" decides by the file's
	// name (.csv, .tsv, .ndjson, .jsonl, .json; each also before .gz, .zst or .zip).
	Format string `json:"format,omitempty"`
	// Compression is "none", "gzip", "zstd" or "zip"; "" decides by the file's name.
	Compression string `json:"compression,omitempty"`
	// Encoding is the text's, by its WHATWG name: "utf-8", "utf-16le",
	// "windows-1252" (which "latin1" means as well), "iso-8859-15"; see
	// EncodingName. "" is UTF-8, or UTF-16 by its byte order mark.
	Encoding string `json:"encoding,omitempty"`
	// InvalidUTF8 is "" (the record is bad) or "replace" (by U+FFFD).
	InvalidUTF8 string `json:"invalid_utf8,omitempty"`

	// Delimiter separates the fields of a CSV record: one ASCII character; ""
	// means a comma, in a .tsv file a tab.
	Delimiter string `json:"delimiter,omitempty"`
	// Quote encloses a CSV field: one ASCII character, "" means '"'; QuoteNone: a
	// quote is a character like others.
	Quote string `json:"quote,omitempty"`
	// Header says where a CSV file's column names come from: "" or "first" (its
	// first line), or "none" (column_1, column_2, …, or Columns).
	Header string `json:"header,omitempty"`
	// Columns are the names of a CSV file without a header line.
	Columns []string `json:"columns,omitempty"`
	// SkipLines is how many physical lines stand before the header or, without
	// one, before the first record.
	SkipLines int `json:"skip_lines,omitempty"`
	// Comment begins a line of a CSV file that is no record.
	Comment string `json:"comment,omitempty"`
	// Ragged is "" (a CSV record with fewer fields than the header is bad) or
	// "pad" (its missing fields are empty). One with more is always bad.
	Ragged string `json:"ragged,omitempty"`
	// HeaderDuplicates is "" (equal or empty names are an error) or "suffix"
	// (name, name_2, name_3; an empty name is column_N).
	HeaderDuplicates string `json:"header_duplicates,omitempty"`
	// Pointer is where in a JSON document the array of records is (RFC 6901);
	// "" means the document itself, or documents one after the other.
	Pointer string `json:"pointer,omitempty"`

	Mapping
	// RecordsAs is "" (an object each), "string" (that object's text as it stands
	// inside a JSON string) or "columns" (an array of the values, in the order of
	// File.Columns).
	RecordsAs string `json:"records_as,omitempty"`
}

// Values of Dialect.RecordsAs beside "".
const (
	RecordsAsString  = "string"
	RecordsAsColumns = "columns"
)

// QuoteNone as Dialect.Quote says that a CSV file has no quotes.
const QuoteNone = "none"

// Mapping is what becomes of a record's members, in this order: null values and
// types, rename, keep or drop, then where, then set. Its zero value leaves
// records as they are.
type Mapping struct {
	// NullValues are texts that become null where a CSV field is one of them, as
	// it stands in the file, quotes included.
	NullValues []string `json:"null_values,omitempty"`
	// Types by column: "string", "integer", "number", "boolean" or "json".
	Types map[string]string `json:"types,omitempty"`
	// Rename gives columns other names, old to new.
	Rename map[string]string `json:"rename,omitempty"`
	// Keep names the columns that go out, in this order; empty: all. Drop names
	// those that don't.
	Keep []string `json:"keep,omitempty"`
	Drop []string `json:"drop,omitempty"`
	// Where is an expression; a record for which it is false is filtered.
	Where string `json:"where,omitempty"`
	// Set adds members, or gives them other values.
	Set []Assignment `json:"set,omitempty"`
}

// Assignment sets one member to an expression's value.
type Assignment struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
