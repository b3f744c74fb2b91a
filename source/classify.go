package source

import "strings"

// formatEndings and packings are what the ends of a file's name say.
var (
	formatEndings = []struct{ ending, format string }{
		{".csv", FormatCSV}, {".tsv", FormatCSV}, {".ndjson", FormatNDJSON}, {".jsonl", FormatNDJSON}, {".json", FormatJSON},
	}
	packings = []struct{ ending, compression string }{
		{".gz", CompressionGzip}, {".zst", CompressionZstd}, {".zip", CompressionZip},
	}
)

// Named says what a file's name tells of its content.
type Named struct {
	Format      string // "" if the name does not tell
	Compression string // CompressionNone if it tells of none
	tabs        bool   // fields are separated by tabs
}

// ByName reads a file's name: orders.csv, orders.ndjson.gz, orders.zip. Capitals
// do not matter.
func ByName(name string) Named {
	name = strings.ToLower(name)
	n := Named{Compression: CompressionNone}
	for _, p := range packings {
		if bare, ok := strings.CutSuffix(name, p.ending); ok {
			name, n.Compression = bare, p.compression
			break
		}
	}
	for _, f := range formatEndings {
		if strings.HasSuffix(name, f.ending) {
			n.Format, n.tabs = f.format, f.ending == ".tsv"
		}
	}
	return n
}

// classify decides format, compression and delimiter by the options or else by
// the name; of a zip whose own name does not tell the format, by its member's.
func (f *File) classify(o Options) error {
	n := ByName(f.Path)
	if f.Compression = o.Compression; f.Compression == "" {
		f.Compression = n.Compression
	}
	if f.Compression == CompressionZip {
		if err := f.openZip(); err != nil {
			return err
		}
		if n.Format == "" {
			n = ByName(f.member.Name)
		}
	}
	if f.Format = o.Format; f.Format == "" {
		f.Format = n.Format
	}
	if n.tabs && o.Delimiter == "" {
		f.delimiter = '\t'
	}
	if f.Format != "" {
		return nil
	}
	e := &Error{
		Path: f.Path, Msg: "the name does not tell the format (.csv, .tsv, .ndjson, .jsonl or .json, each also before .gz, .zst or .zip)",
		Hint: `set format = "csv", "ndjson" or "json" in [source]`,
	}
	if f.member != nil {
		e.Msg = "neither its name nor that of the file in it, " + f.member.Name + ", tells the format"
	}
	return e
}
