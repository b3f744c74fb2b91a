package source

// Block is a run of whole records of one file. It and all it points to are
// valid only until the function it was handed to returns.
type Block struct {
	// Start and End delimit the block in the decompressed file.
	Start, End int64
	// FirstLine is the physical line, from 1, of the byte at Start.
	FirstLine int64
	// Raw is the bytes of [Start, End); nil where the block is but the end of a
	// bad record that is longer than a block.
	Raw []byte
	// Records are the good records, in file order.
	Records []Record
	// Bad are the bad ones, in file order. One that is longer than a block may
	// have begun in an earlier block.
	Bad []Bad
	// BlankLines is how many empty lines and comments were skipped.
	BlankLines int64
	// Filtered is how many good records Mapping.Where left out. They lie between
	// the Records and may lie within a Range.
	Filtered int64
	// Left are the places of those, in file order, without a Size; filled only
	// with ScanOptions.Left.
	Left []Record
	// Replaced is how many records had bytes replaced by U+FFFD.
	Replaced int64
	// JSON is the records as JSON, each followed by a newline; filled only with
	// ScanOptions.Encode.
	JSON []byte
}

// Record is the place of one good record.
type Record struct {
	// Start and End lie within Block.Raw; the line terminator is included.
	Start, End uint32
	// Size is the length of the record's JSON.
	Size uint32
	// Line and LastLine are the physical lines of its first and last byte,
	// counted from 0 at Block.FirstLine.
	Line, LastLine uint32
}

// Bad is a piece of the file that is no record, and why.
type Bad struct {
	// Start and End are offsets in the decompressed file; the line terminator is
	// included.
	Start, End int64
	// Line and Column say where the fault is, both from 1, the column in bytes.
	Line, Column int64
	// Reason is one of the Reason constants.
	Reason string
	// Detail is a sentence for a person.
	Detail string
}

// Reasons for a bad record. They are stored and shown, so they never change.
const (
	ReasonRagged         = "ragged"           // more or fewer fields than the header
	ReasonBareQuote      = "bare_quote"       // a quote inside an unquoted field
	ReasonTextAfterQuote = "text_after_quote" // text after a closing quote
	ReasonUnclosedQuote  = "unclosed_quote"   // no closing quote in bounds
	ReasonMixedNewlines  = "mixed_newlines"   // a line feed in a file whose lines end in CR
	ReasonTooLarge       = "too_large"        // longer than Options.MaxRecordBytes
	ReasonInvalidUTF8    = "invalid_utf8"
	ReasonNulByte        = "nul_byte"
	ReasonInvalidJSON    = "invalid_json"
	ReasonNotAnObject    = "not_an_object" // a scalar, null or array as a line
	ReasonDuplicateKey   = "duplicate_key"
	ReasonTooDeep        = "too_deep"      // nested over 200 levels
	ReasonTrailingData   = "trailing_data" // something after the object
	ReasonWrongType      = "wrong_type"    // a value that is not exactly of its column's type
	ReasonExpression     = "expression"    // where or set failed on it
)
