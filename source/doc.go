// Package source reads records out of files: CSV, NDJSON and JSON documents,
// plain or compressed, in UTF-8 or another encoding, one file, a glob or the
// standard input.
//
// It decides which bytes of a file are a record, which are a bad record and
// why, and what JSON object a record becomes. It does not decide what happens
// to a bad record, how records are packed into requests, or what was sent
// before; it knows no schedule, no ledger and no network.
//
// The model in five sentences. A Snapshot holds the files of one run open, with
// the length and time they had when it was taken. Scan goes through one file
// once and hands over blocks: about a mebibyte of file with its records, each
// with its place in the block and the exact length of its JSON. A RangeReader
// later turns any run of neighbouring records back into JSON, without looking at
// the rest of the file. Bad records are told with line, column and reason, and
// reading goes on after them. What makes the whole file useless, such as a
// truncated gzip or a header with two equal names, is an *Error and ends the
// Scan.
//
// A Mapping stands between what a file has and what goes out, as a parser around
// another one: types, names, a filter, new values. It sees a record's object, never
// its neighbours, and what it makes depends on the record, the mapping and the
// run's Moment alone, so it is the same when a Range is read again.
//
// Invariants, held by fuzz tests:
//   - Each byte of a file belongs to exactly one good record, bad record, filtered
//     record, blank line or comment, or to what stands at its start: the byte order
//     mark, skipped lines, the header; in a JSON document also to what stands around
//     its elements.
//   - What is found does not depend on the number of workers nor on where blocks
//     happen to be cut.
//   - Record.Size is the length of what encoding that record writes, and that is
//     valid JSON.
//   - Memory does not grow with the file, whatever it contains.
//
// # What is read as a stream
//
// Plain UTF-8 in CSV or NDJSON is Seekable: it is cut for several workers, and its
// ranges can be read again. All else goes once, in order, through a chain of
// readers: the disk (or the standard input) and its hash, the decompressor, the
// decoder to UTF-8. A goroutine of its own runs that chain ahead of the one that
// parses. Offsets are then those of the decoded text; the caller keeps the JSON of
// the records. A JSON document is cut into elements by brackets and strings alone,
// so that a damaged element is a bad record and not the end of the file; where the
// brackets do not balance there is no such next element, and the Scan ends.
//
// # What is right, and what is fast
//
// One plain function alone defines each format: csvParser.exact CSV, judgeJSON and
// jsontext JSON. Before it stand fast loops, which take only what they know to be
// ordinary and leave the rest to it: over masks of 64 bytes for CSV, over the names
// of the record before for NDJSON. Their inner parts are written twice, in Go and,
// for amd64 with AVX2, in assembly (kernel_amd64.s). Tests hold the loops against
// the plain function, and the assembly against Go.
//
// # How CSV is cut for several workers
//
// A line end inside quotes ends no record. The reader counts the quotes since
// the last cut: where the count is even, a line end is a record's end, if the
// file keeps the quoting rules. So a cut is only a guess. The worker that parses
// the block knows for sure; where it finds that the block's end is not a
// record's end, all blocks read ahead are dropped and reading starts again at
// the place it names. A file that is wrong in each block costs a small constant
// factor, because after a wrong guess the reader runs ahead by one block only,
// and by one more for each guess that was right.
package source
