package config

import (
	"time"

	"worqcron/batch"
	"worqcron/source"
)

func sourceKeys() section {
	var keys []key
	for _, part := range [][]key{fileKeys(), textKeys(), csvKeys(), mappingKeys(), policyKeys()} {
		keys = append(keys, part...)
	}
	return section{
		name:  sourceSection,
		doc:   "Where the records come from, and what becomes of them on the way. Without this table a run is one trigger with the payload alone.",
		later: []string{"sheet", "records", "key", "remember"},
		keys:  keys,
	}
}

// dialect is where most keys of a source go.
func dialect(s *settings) *source.Dialect { return &s.schedule.Job.Source.Dialect }

// fileKeys say which files, when they count, and what becomes of them.
func fileKeys() []key {
	files := func(s *settings) *batch.FilePolicy { return &s.schedule.Job.Files }
	return []key{
		{
			name: "path", required: true, own: true,
			kind: textKind("path", `"inbox/orders-*.csv"`, setSourcePath),
			doc:  "A file, or a glob with `*`, `?`, `[a-z]`, `{a,b}` and `**` (any depth). A relative path starts at the configuration file's folder. `\"-\"` is the standard input of `worqcron run` and `worqcron plan`; it needs `format`. It may hold [expressions](#expressions), such as `\"exports/${ strftime(scheduled_for, '%Y-%m-%d') }.csv\"`: they give plain text, which is no glob, and never lead out of the folder before the first of them.",
		},
		{
			name: "order", standard: `"name"`,
			kind: choiceKind(func(s *settings) *string { return &s.schedule.Job.Source.Order }, "name", "mtime"),
			doc:  "In which order a glob's files are read: by name, or by the time of their last change, oldest first.",
		},
		{
			name: "settle", standard: `"0s"`,
			kind: durationKind(func(s *settings) *time.Duration { return &files(s).Settle }, 0, day),
			doc:  "A run reads a file only when its size and time have not changed for so long, and waits for those that lie there when it begins. A file that comes meanwhile is taken along if it has settled too, else it is left to the next run. With `on_arrival` it is 10s unless it is set here or in [defaults]. 0s does not wait; a file that grows while it is read fails the run anyway, before anything is sent.",
		},
		{
			name: "settle_timeout", standard: `"1h"`,
			kind: durationKind(func(s *settings) *time.Duration { return &files(s).SettleTimeout }, time.Second, 7*day),
			doc:  "How long a run waits for `settle`; then it fails and names the file.",
		},
		{
			name: "when_done", standard: `"keep"`,
			kind: whenDoneKind(files),
			doc:  "What becomes of a file of which each record was accepted, filtered or unchanged, when its run has ended: it stays, is deleted, or is moved into a folder (relative to the configuration file's), where it overwrites nothing. A file with a dead, failed or undecided record stays, and so do a file without records and a symbolic link; what `resolve` decides counts with the next run.",
		},
	}
}

// textKeys say how bytes become text and records.
func textKeys() []key {
	return []key{
		{
			name: "format", words: "by the file's name",
			kind: choiceKind(func(s *settings) *string { return &dialect(s).Format }, "csv", "ndjson", "json"),
			doc:  "What is in the files. By name: `.csv` and `.tsv`; `.ndjson` and `.jsonl`; `.json`; each also before `.gz`, `.zst` or `.zip`. The name of the file in a `.zip` counts as well.",
		},
		{
			name: "compression", words: "by the file's name",
			kind: choiceKind(func(s *settings) *string { return &dialect(s).Compression }, "none", "gzip", "zstd", "zip"),
			doc:  "How the files are compressed. By name: `.gz`, `.zst`, `.zip`, else not. A zip must hold one file.",
		},
		{
			name: "encoding", words: "UTF-8, or UTF-16 by its byte order mark",
			kind: textKind("encoding", `"windows-1252"`, setEncoding),
			doc:  "The text's encoding: `utf-8`, `utf-16`, `utf-16le`, `utf-16be`, `windows-1252`, `iso-8859-15` or another name of the [WHATWG list](https://encoding.spec.whatwg.org/#names-and-labels).",
		},
		{
			name: "invalid_utf8", standard: `"bad"`,
			kind: firstIsEmptyKind(func(s *settings) *string { return &dialect(s).InvalidUTF8 }, "bad", "replace"),
			doc:  "A record with bytes that are no text in its encoding is bad, or these bytes become U+FFFD and are counted.",
		},
		{
			name: "pointer", words: "the document itself",
			kind: textKind("JSON pointer", `"/data/items"`, setPointer),
			doc:  "Where the list of records lies in a JSON document, such as `\"/data/items\"` ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)). Without it the document is one list, or objects one after the other. Only for JSON.",
		},
	}
}

// csvKeys say how a CSV file is written.
func csvKeys() []key {
	return []key{
		{
			name: "delimiter", words: "`\",\"`, in `.tsv` files a tab",
			kind: delimiterKind(func(s *settings) *string { return &dialect(s).Delimiter }),
			doc:  "What separates the fields of a CSV record; `\"\\t\"` is a tab. A first line such as `sep=;`, which Excel writes, wins over it and is no record.",
		},
		{
			name: "quote", standard: `'"'`,
			kind: quoteKind(func(s *settings) *string { return &dialect(s).Quote }),
			doc:  "What encloses a CSV field; twice within it is one. `\"none\"`: no character does, and a field holds neither delimiters nor line ends.",
		},
		{
			name: "header", standard: `"first"`,
			kind: headerKind(dialect),
			doc:  "Where the column names come from: a CSV file's first line; nowhere (`column_1`, `column_2`, …); or this list of names, for files without a header line.",
		},
		{
			name: "skip_lines", standard: "0",
			kind: countKind(func(s *settings) *int { return &dialect(s).SkipLines }, 0, 1_000_000),
			doc:  "Lines before the header (or before the first record, if there is no header) that are not looked at. They are the file's lines, whatever is in them; a `sep=` line is one of them.",
		},
		{
			name: "comment", words: "none",
			kind: textKind("string", `"#"`, setComment),
			doc:  "A line of a CSV file that begins with this is no record, and no header.",
		},
		{
			name: "ragged", standard: `"bad"`,
			kind: firstIsEmptyKind(func(s *settings) *string { return &dialect(s).Ragged }, "bad", "pad"),
			doc:  "A CSV record with fewer fields than the header is bad, or its missing fields are empty. One with more is always bad.",
		},
		{
			name: "header_duplicates", standard: `"error"`,
			kind: firstIsEmptyKind(func(s *settings) *string { return &dialect(s).HeaderDuplicates }, "error", "suffix"),
			doc:  "Columns with equal names, or without one, fail the run; or they get names: the second and third `name` become `name_2` and `name_3`, and a fourth column without a name `column_4`.",
		},
		{
			name: "null_values", words: "none",
			kind: listKind(`["", "NULL"]`, func(s *settings, texts []string) { dialect(s).NullValues = texts }),
			doc:  "CSV fields that are exactly one of these, as it stands in the file with its quotes, become `null`: `\"\"` is an empty field, `'\"\"'` an empty one in quotes.",
		},
	}
}

// mappingKeys say what becomes of a record's members, in the order in which it
// happens.
func mappingKeys() []key {
	return []key{
		{
			name: "types", words: "none",
			kind: typesKind(dialect),
			doc:  "By column: `\"string\"`, `\"integer\"`, `\"number\"`, `\"boolean\"` or `\"json\"` (the field's text is the JSON value). CSV fields are strings without it. Columns have the names that they have in the file. A value that does not convert exactly makes its record bad: `007` and `1.0` are no integers, `1,5` is no number, and an empty field is neither; [sources.md](sources.md#types-and-what-is-bad) says what is.",
		},
		{
			name: "rename", words: "none",
			kind: renameKind(dialect),
			doc:  "Other names for columns, old = new: `{ \"Invoice No.\" = \"invoice\" }`.",
		},
		{
			name: "keep", words: "all columns",
			kind: namesKind(func(s *settings) *[]string { return &dialect(s).Keep }),
			doc:  "The columns that go out, in this order, by their names after `rename`.",
		},
		{
			name: "drop", words: "none",
			kind: namesKind(func(s *settings) *[]string { return &dialect(s).Drop }),
			doc:  "The columns that do not go out, by their names after `rename`. Not together with `keep`.",
		},
		{
			name: "where", words: "all records",
			kind: textKind("expression", `"status == 'open'"`, setWhere),
			doc:  "An [expression](#expressions) over the record; one for which it is false is *filtered*: counted, not sent.",
		},
		{
			name: "set", words: "none",
			kind: setKind(dialect),
			doc:  "Members to add, in this order, or to overwrite, each with an [expression](#expressions). All of them see the record as it was before `set`.",
		},
	}
}

// policyKeys say what a run does about records that are bad, absent or known.
func policyKeys() []key {
	records := func(s *settings) *batch.RecordPolicy { return &s.schedule.Job.Records }
	return []key{
		{
			name: "on_bad_record", standard: `"quarantine"`,
			kind: choiceKind(func(s *settings) *string { return &records(s).OnBad }, "quarantine", "fail"),
			doc:  "A record that cannot be read or sent is put aside with line, column and reason (it is *dead*) and the others go out; or it fails the run before anything is sent.",
		},
		{
			name: "max_bad", standard: `"1%"`,
			kind: shareKind(func(s *settings) *batch.Share { return &records(s).MaxBad }),
			doc:  "More bad records than this, as a share of all or as a count (`100`), fail the run before anything is sent.",
		},
		{
			name: "empty", words: "`\"skip\"` for a glob, `\"fail\"` for a single file",
			kind: choiceKind(func(s *settings) *string { return &records(s).Empty }, "skip", "fail"),
			doc:  "What a run does that finds no file or no record: it is *skipped*, or fails.",
		},
		{
			name: "unchanged", standard: `"skip"`,
			kind: choiceKind(func(s *settings) *string { return &records(s).Unchanged }, "skip", "send"),
			doc:  "A file that this schedule delivered whole before, with the same content in the same shape, is left out or sent again.",
		},
	}
}
