package store

import (
	"context"
	"database/sql"
)

// LedgerCheck is a rule that the rows of a run must keep, and what breaks it.
type LedgerCheck struct {
	Name     string
	Rule     string   // in words
	Broken   int64    // rows
	Examples []string // the first of them in words
}

// maxExamples is how many broken rows a check names.
const maxExamples = 5

// ledgerRules give a row of text for each breach. An attempt from before the plan
// was of an earlier plan's chunk.
var ledgerRules = []struct{ name, rule, query string }{
	{"accepted once", "each accepted chunk has one accepted attempt, or none where it was decided without an answer", acceptedOnce},
	{"attempts", "the outcomes of each chunk's attempts agree with its state", attemptsAgree},
	{"no stray attempts", "each attempt since the plan has its chunk", strayAttempts},
	{"same bytes", "all attempts of a chunk had one body, of the planned length", sameBytes},
	{"ids unique", "no analytics_id was given to two attempts of the run", idsUnique},
	{"keys unique", "no key stands for two chunks", keysUnique},
	{"segments", "each segment counts its chunks that have a row", segmentsCount},
	{"sums", "the sums of the run's attempts are what its attempts add up to", sumsAdd},
}

const acceptedOnce = `
SELECT 'chunk ' || c.chunk || ' has ' || (SELECT count(*) FROM attempts a WHERE a.run = c.run AND a.chunk = c.chunk AND a.outcome IN ('accepted', 'accepted_no_id'))
    || ' accepted attempts'
FROM chunks c INDEXED BY chunks_by_state WHERE c.run = ?1 AND c.state = 'accepted'
  AND (SELECT count(*) FROM attempts a WHERE a.run = c.run AND a.chunk = c.chunk AND a.outcome IN ('accepted', 'accepted_no_id')) <> (c.reason = '')`

const attemptsAgree = `
SELECT 'chunk ' || c.chunk || ' is ' || c.state || ', and an attempt of it ' || CASE WHEN a.outcome IS NULL THEN 'is open' ELSE 'was ' || a.outcome END
FROM attempts a INDEXED BY attempts_by_chunk CROSS JOIN chunks c ON c.run = a.run AND c.chunk = a.chunk
WHERE a.run = ?1 AND (a.outcome IS NULL AND c.state <> 'sending' OR a.outcome IN ('accepted', 'accepted_no_id') AND c.state <> 'accepted')
UNION ALL
SELECT 'chunk ' || c.chunk || ' is sending, and no attempt of it is open' FROM chunks c INDEXED BY chunks_by_state
WHERE c.run = ?1 AND c.state = 'sending' AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.run = c.run AND a.chunk = c.chunk AND a.outcome IS NULL)`

const strayAttempts = `
SELECT 'attempt ' || a.attempt_id || ' is of chunk ' || a.chunk || ', which the run does not have'
FROM runs r CROSS JOIN attempts a ON a.run = r.id
WHERE r.id = ?1 AND a.started_at >= r.planned_at AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.run = a.run AND c.chunk = a.chunk)
  AND NOT (a.outcome IS NULL AND EXISTS (SELECT 1 FROM segments s WHERE s.run = a.run AND a.chunk BETWEEN s.first_chunk AND s.first_chunk + s.records - 1))`

const sameBytes = `
SELECT 'chunk ' || a.chunk || ' went out in ' || count(DISTINCT a.body_hash) || ' forms of ' || min(a.body_bytes) || ' to ' || max(a.body_bytes)
    || ' bytes, planned are ' || c.body_bytes
FROM runs r CROSS JOIN attempts a ON a.run = r.id CROSS JOIN chunks c ON c.run = a.run AND c.chunk = a.chunk
WHERE r.id = ?1 AND a.started_at >= r.planned_at
GROUP BY a.chunk HAVING count(DISTINCT a.body_hash) > 1 OR min(a.body_bytes) <> c.body_bytes OR max(a.body_bytes) <> c.body_bytes`

// Sorted, not looked up: no matter how often an id comes.
const idsUnique = `
SELECT count(*) || ' attempts have the id ' || analytics_id || ', the first is of chunk ' || min(chunk) || ', the last of chunk ' || max(chunk)
FROM attempts WHERE run = ?1 AND analytics_id IS NOT NULL GROUP BY analytics_id HAVING count(*) > 1`

const keysUnique = `
SELECT 'chunks ' || c.chunk || ' and ' || d.chunk || ' have the key ' || c.key
FROM chunks c CROSS JOIN chunks d INDEXED BY chunks_by_key ON d.key = c.key AND d.key <> '' AND d.run = c.run AND d.chunk > c.chunk
WHERE c.run = ?1 AND c.key <> ''`

const segmentsCount = `
SELECT 'segment ' || s.segment || ' counts ' || s.begun || ' chunks with a row' FROM segments s
WHERE s.run = ?1 AND s.begun <> (SELECT count(*) FROM chunks c WHERE c.run = s.run AND c.chunk BETWEEN s.first_chunk AND s.first_chunk + s.records - 1)`

const sumsAdd = `
SELECT 'its attempts are ' || s.attempts || ' with ' || s.bytes || ' bytes, kept are ' || k.attempts || ' with ' || k.bytes
FROM (SELECT count(*) AS attempts, coalesce(sum(CASE WHEN outcome = 'not_sent' THEN 0 ELSE body_bytes END), 0) AS bytes FROM attempts WHERE run = ?1) s,
     (SELECT coalesce(sum(attempts), 0) AS attempts, coalesce(sum(bytes_sent), 0) AS bytes FROM attempt_sums WHERE run = ?1) k
WHERE s.attempts <> k.attempts OR s.bytes <> k.bytes`

// CheckLedger holds the rows of a run against the rules.
func (v *View) CheckLedger(ctx context.Context, run int64) (list []LedgerCheck, err error) {
	for _, r := range ledgerRules {
		c := LedgerCheck{Name: r.name, Rule: r.rule}
		rows, err := v.tx.QueryContext(ctx, r.query, run)
		if err != nil {
			return nil, err
		}
		if err := c.read(rows); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func (c *LedgerCheck) read(rows *sql.Rows) error {
	defer rows.Close()
	for ; rows.Next(); c.Broken++ {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if len(c.Examples) < maxExamples {
			c.Examples = append(c.Examples, text)
		}
	}
	return rows.Err()
}

// ChunkKey is a chunk's key and the hash that it is made of. Of a segment it is
// the first chunk's: the keys of the others differ in the number alone.
type ChunkKey struct {
	Chunk     int64
	Chunks    int64 // of the segment; 1: it stands for itself
	Key, Hash string
}

const chunkKeys = `
SELECT chunk, 1, key, source_hash FROM chunks WHERE run = ?1 AND key <> ''
UNION ALL
SELECT first_chunk, records, key_prefix || printf('%08x', first_chunk), source_hash FROM segments WHERE run = ?1
ORDER BY 1`

// ChunkKeys goes over the keys of a run's chunks.
func (v *View) ChunkKeys(ctx context.Context, run int64) (*Cursor[ChunkKey], error) {
	return openCursor(ctx, v.tx, func(rows *sql.Rows, k *ChunkKey) error {
		return rows.Scan(&k.Chunk, &k.Chunks, &k.Key, &k.Hash)
	}, chunkKeys, run)
}

const receiptText = `SELECT coalesce(receipt, '') FROM runs WHERE id = ?`

// StoredReceipt is the receipt as it was computed when the run last ended, as
// JSON; "" if it never did.
func (v *View) StoredReceipt(ctx context.Context, run int64) (text string, err error) {
	err = v.tx.QueryRowContext(ctx, receiptText, run).Scan(&text)
	return text, err
}
