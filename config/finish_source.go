package config

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/uuid"

	"worqcron/batch"
	"worqcron/expression"
	"worqcron/source"
)

// finishSource checks what several keys of a source decide together. table is
// the schedule's own source table.
func (r *reader) finishSource(table *node, s *settings) {
	o := s.schedule.Job.Source
	if o.Path == "" {
		return // reported
	}
	r.finishPath(table, s)
	r.finishStdin(table, s)
	r.finishFormat(table, o)
	r.finishCSV(table, o)
	r.finishMapping(table, o)
	r.finishSettle(table, s)
	r.finishDone(table, s)
}

// finishPath renders a path with expressions as for a run that is due now: what is
// wrong with it then is wrong at each time.
func (r *reader) finishPath(table *node, s *settings) {
	o := *s.schedule.Job.Source
	if !o.HasExpressions() {
		return
	}
	zone := s.schedule.Job.Zone
	if zone == nil {
		zone = time.UTC // reported
	}
	now := time.Now().In(zone).Truncate(time.Second)
	o.Moment = expression.Moment{Schedule: s.schedule.Name, RunID: uuid.Nil.String(), ScheduledFor: now, IntervalStart: now.Add(-day), Origin: "slot"}
	_, err := o.Rendered()
	var wrong *expression.Error
	if errors.As(err, &wrong) {
		r.blame(table.child("path"), &fault{msg: wrong.Msg, hint: wrong.Hint})
	}
}

// finishStdin looks at a source that has no file.
func (r *reader) finishStdin(table *node, s *settings) {
	if s.schedule.Job.Source.Path != source.Stdin {
		return
	}
	r.warn(table.child("path").offset, `path: cron cannot run this schedule: "-" is the standard input, which only 'worqcron run' has`,
		"run it by hand, or name a file")
	for _, key := range []string{"order", "settle", "settle_timeout", "when_done"} {
		if n := table.child(key); n != nil {
			r.blame(n, &fault{msg: "the standard input is no file", hint: "leave it out"})
		}
	}
	// What [defaults] says about files is not meant for this one.
	s.schedule.Job.Files = batch.FilePolicy{WhenDone: batch.DoneKeep}
}

// ending is the end of the names of all files that a path matches, in lower
// case, without what says how they are compressed. known is false where they
// may differ.
func ending(o *source.Options) (bare string, known bool) {
	name := strings.ToLower(path.Base(source.PathPattern(o.Path)))
	end := name[strings.LastIndexAny(name, `*?]}\`)+1:]
	if end != name && !strings.Contains(end, ".") {
		return "", false // a glob that may match any ending
	}
	bare = end
	for _, packed := range []string{".gz", ".zst", ".zip"} {
		bare = strings.TrimSuffix(bare, packed)
	}
	return bare, bare != ""
}

// formatOf is the format that is known without a look at the files: by the key,
// or by the name's end; "" if none is.
func formatOf(o *source.Options) string {
	if o.Format != "" {
		return o.Format
	}
	bare, _ := ending(o)
	return source.ByName(bare).Format
}

// onlyFor names the formats that a key makes sense for, where that is not all.
var onlyFor = map[string]string{
	"delimiter": "csv", "quote": "csv", "header": "csv", "skip_lines": "csv", "comment": "csv",
	"ragged": "csv", "header_duplicates": "csv", "pointer": "json",
}

// finishFormat asks for a format where the name cannot tell one, and refuses
// keys of another one. Those of [defaults] are for the schedules that they suit.
func (r *reader) finishFormat(table *node, o *source.Options) {
	format := formatOf(o)
	if _, known := ending(o); format == "" && known && source.ByName(o.Path).Compression != source.CompressionZip { // whose member may tell
		name := fmt.Sprintf("the name %q does not tell the format", shorten(path.Base(source.PathPattern(o.Path))))
		if o.Path == source.Stdin {
			name = "the standard input has no name to tell the format"
		}
		r.blame(table.child("path"), &fault{msg: name, hint: `add format = "csv", format = "ndjson" or format = "json"`})
		return
	}
	for _, n := range table.children {
		only := onlyFor[n.key]
		if only == "" || format == "" || only == format {
			continue
		}
		hint := "leave it out"
		if only == "json" && format == "ndjson" {
			hint = `leave it out; for whole documents add format = "json"`
		}
		r.reject(n.keyOffset, fmt.Sprintf("%s is for %s, and these files are %s", n.key, strings.ToUpper(only), strings.ToUpper(format)), hint)
	}
}

// finishCSV looks at the characters of a CSV file, which must differ, and
// leaves out a delimiter that is the default.
func (r *reader) finishCSV(table *node, o *source.Options) {
	bare, known := ending(o)
	standard := ","
	if strings.HasSuffix(bare, ".tsv") {
		standard = "\t"
	}
	delimiter, quote := o.Delimiter, o.Quote
	switch {
	case delimiter == "":
		delimiter = standard
	case known && delimiter == standard:
		o.Delimiter = ""
	}
	if quote == "" {
		quote = `"`
	}
	if quote == delimiter {
		r.reject(firstOf(table.child("quote"), table.child("delimiter"), table.child("path")).offset,
			fmt.Sprintf("quote and delimiter are both %q", quote), "fields need one character around them and another between them")
	}
	comment := firstOf(table.child("comment"), table.child("quote"), table.child("delimiter"), table.child("path")).offset
	switch {
	case o.Comment == "":
	case quote != source.QuoteNone && strings.HasPrefix(o.Comment, quote):
		r.reject(comment, "comment begins with the quote, as a record may", `for example "#"`)
	case strings.HasPrefix(o.Comment, delimiter):
		r.reject(comment, "comment begins with the delimiter, as a record with an empty first field does", `for example "#"`)
	}
}

// finishMapping refuses what contradicts itself. All else is known of the
// dialect by now, so what where and set say is looked at here.
func (r *reader) finishMapping(table *node, o *source.Options) {
	if n := table.child("header_duplicates"); n != nil && o.Header == "none" && o.HeaderDuplicates != "" {
		r.reject(n.keyOffset, "header_duplicates is for files with a header line", "leave it out")
	}
	r.blameMapping(table, o.CheckMapping())
}

// blameMapping blames the keys of a source for what is wrong with the mapping of
// its records.
func (r *reader) blameMapping(table *node, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			r.blameMapping(table, each)
		}
		return
	}
	var wrong *source.MappingError
	if !errors.As(err, &wrong) {
		return
	}
	n := table.below(wrong.Steps)
	if n == nil { // it stands in [defaults]
		r.reject(firstOf(table.child("path")).keyOffset, wrong.Error(), "")
		return
	}
	f := &fault{msg: wrong.Msg, hint: wrong.Hint, inside: n.kind == kindString, at: wrong.Offset}
	r.reject(r.placeOf(n, f), strings.TrimPrefix(expression.Path("", wrong.Steps), ".")+": "+f.msg, f.hint)
}

func (r *reader) finishSettle(table *node, s *settings) {
	files := s.schedule.Job.Files
	if files.SettleTimeout < files.Settle {
		r.reject(firstOf(table.child("settle"), table.child("settle_timeout"), table.child("path")).offset,
			fmt.Sprintf("settle is %s, but a run waits %s at most", showDuration(files.Settle), showDuration(files.SettleTimeout)), "raise settle_timeout")
	}
}

// finishDone refuses a folder for delivered files where the source would find
// them again.
func (r *reader) finishDone(table *node, s *settings) {
	files, glob := s.schedule.Job.Files, source.PathPattern(s.schedule.Job.Source.Path)
	if files.WhenDone != "" && files.WhenDone != batch.DoneKeep && s.schedule.Job.Source.WhereReadsRun() {
		r.warn(firstOf(table.child("when_done"), table.child("path")).offset,
			"when_done: a file goes after its first run, although where may choose other records of it in the next", "leave when_done out, or let where not depend on the run")
	}
	if files.WhenDone != batch.DoneMove || files.Folder == "" || !findsAgain(glob, files.Folder) {
		return
	}
	r.reject(firstOf(table.child("when_done"), table.child("path")).offset,
		"when_done: path would find the files again in this folder", "name a folder that path does not match")
}

// findsAgain says whether a glob may match a file in a folder whose name is that
// of a file which it matches.
func findsAgain(glob, folder string) bool {
	base, pattern := doublestar.SplitPattern(glob)
	if bracesHoldSlash(pattern) { // the parts cannot be told apart: nothing below is safe
		return folder == base || strings.HasPrefix(folder, base+"/")
	}
	where := path.Dir(glob)
	if path.Base(glob) == "**" {
		where = glob
	}
	matches, err := doublestar.Match(where, filepath.ToSlash(folder))
	return err != nil || matches
}

func bracesHoldSlash(pattern string) bool {
	open := strings.IndexByte(pattern, '{')
	return open >= 0 && strings.Contains(pattern[open:strings.LastIndexByte(pattern, '}')+1], "/")
}
