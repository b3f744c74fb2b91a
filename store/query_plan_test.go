package store

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// readsAll are those whose plan has a scan of what the query made itself.
var readsAll = []string{"StartsSince", "PlannedParts", "files delivered again", "root of a redrive", "FinishAttempt accepted", "SameIDs", "ByAnalyticsID", "Claimants", "MeanAnswer", "FollowUps", "AcceptRestore follow-ups", "sent again", "mended by redrives", "ClaimSlots numbers"}

// The queries that run for each chunk, or over a history of years, must find
// their rows by an index.
func TestQueriesUseIndexes(t *testing.T) {
	l := open(t)
	for _, c := range []struct {
		name, query string
		args        int
		uses        []string
	}{
		{"PlannedChunks", plannedChunks, 3, []string{"chunks_by_state (run=? AND state=? AND chunk>?)"}},
		{"ChunksInState", chunksInState, 4, []string{"chunks_by_state (run=? AND state=? AND chunk>?)"}},
		{"Chunks", allChunks, 3, []string{"chunks USING PRIMARY KEY (run=? AND chunk>?)"}},
		{"ranges of a chunk", rangesOfChunk, 2, []string{"chunk_ranges USING PRIMARY KEY (run=? AND chunk=?)"}},
		{"ranges of a page of chunks", rangesOfChunks, 3, []string{"chunk_ranges USING PRIMARY KEY (run=? AND chunk>? AND chunk<?)"}},
		{"Sent", sentOfChunks, 3, []string{"attempts_by_chunk (run=? AND chunk>? AND chunk<?)"}},
		{"BeginAttempt claim", claimChunk, 2, []string{"chunks USING PRIMARY KEY (run=? AND chunk=?)"}},
		{"BeginAttempt number", insertAttempts + attemptRow, 7, []string{"attempts_by_chunk (run=? AND chunk=?)"}},
		{"FinishAttempt", finishAttempt, 8, []string{"attempts USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"FinishAttempt accepted", acceptAttempts + acceptRow + acceptedWhere, 8, []string{"attempts USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"FinishAttempt chunk", moveChunk, 5, []string{"chunks USING PRIMARY KEY (run=? AND chunk=?)"}},
		{"FinishAttempt after a crash", openAttemptOf, 1, []string{"a USING INTEGER PRIMARY KEY (rowid=?)", "c USING PRIMARY KEY (run=? AND chunk=?)", "segments_by_chunk (run=? AND first_chunk<?)"}},
		{"FinishAttempt segment", countBegun, 3, []string{"segments USING PRIMARY KEY (run=? AND segment=?)"}},
		{"CountUnknown", countUnknown, 2, []string{"attempts_by_chunk (run=? AND chunk=?)"}},
		{"PlannedParts", plannedParts, 1, []string{"chunks_by_state (run=? AND state=?)", "chunks_by_parent (run=? AND parent=?)", "c USING PRIMARY KEY (run=? AND chunk=?)"}},
		{"Children", childrenOf, 2, []string{"chunks_by_parent (run=? AND parent=?)"}},
		{"LastChunk", lastChunk, 1, []string{"chunks USING PRIMARY KEY (run=?)"}},
		{"FlowLimit", selectLimit, 3, []string{"flow_limits USING PRIMARY KEY (flow_id=? AND base_url=?)"}},
		{"SameIDs", sameIDs, 4, []string{"attempts USING INTEGER PRIMARY KEY (rowid>?)", "a USING INTEGER PRIMARY KEY (rowid=?)", "b USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"CancelRun", cancelChunks, 2, []string{"chunks USING PRIMARY KEY (run=?)"}},
		{"OpenAttempts", openAttempts, 0, []string{"attempts_open"}},
		{"Receipt chunks", countChunkStates, 1, []string{"COVERING INDEX chunks_by_state (run=?)"}},
		{"Receipt assumed", countAssumed, 2, []string{"COVERING INDEX chunks_assumed (run=? AND reason=?)"}},
		{"Receipt attempts", countAttempts, 1, []string{"attempt_sums USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"Receipt dead", countDead, 1, []string{"dead_letters USING PRIMARY KEY (run=?)"}},
		{"delivered files", insertDelivered, 2, []string{"s USING PRIMARY KEY (run=?)", "chunks_by_state (run=? AND state=?)", "g USING PRIMARY KEY (run=? AND chunk=?)", "g USING PRIMARY KEY (run=? AND segment=?)", "chunks_by_state (run=? AND state=? AND chunk>? AND chunk<?)"}},
		{"ByAnalyticsID", placesByAnalyticsID, 3, []string{"attempts_by_id (<expr>=? AND <expr>=?)", "remote_status_by_id (execution_id=?)", "remote_hints_by_id (execution_id=?)", "attempts USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"Claimants", claimants, 3, []string{"attempts_by_id (<expr>=? AND <expr>=?)", "remote_status_by_id (execution_id=?)"}},
		{"Remote", countRemote, 1, []string{"COVERING INDEX attempts_one_live (run=?)", "s USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"MarkNotListed", markNotListed, 4, []string{"attempts_by_chunk (run=? AND chunk>? AND chunk<?)"}},
		{"ByKey", placesByKey, 3, []string{"chunks_by_key (key=?)", "segments_by_key (key_prefix=?)"}},
		{"ByLine chunks", rangesUpToLine, 3, []string{"COVERING INDEX chunk_ranges_by_file (run=? AND file=? AND first_line<?)"}},
		{"ByLine segments", segmentsAtLine, 4, []string{"segment_ranges_by_file (run=? AND file=?)"}},
		{"LyingArrivals", lyingArrivals, 1, []string{"arrivals_lying (schedule=?)"}},
		{"lying at a path", lyingAt, 2, []string{"arrivals_lying (schedule=? AND path=?)"}},
		{"NoteArrivals", latestArrival, 2, []string{"arrivals_by_path (schedule=? AND path=?)", "s USING PRIMARY KEY (schedule=? AND scheduled_for=?)"}},
		{"Arrival", arrivalOfSlot, 2, []string{"arrivals USING PRIMARY KEY (schedule=? AND scheduled_for=?)"}},
		{"ArrivalsAround", arrivalsAround, 3, []string{"arrivals USING PRIMARY KEY (schedule=? AND scheduled_for<?)", "arrivals USING PRIMARY KEY (schedule=? AND scheduled_for>?)"}},
		{"ReadBefore", readBefore, 7, []string{"a USING INDEX arrivals_by_path (schedule=? AND path=? AND scheduled_for<?)", "r USING INDEX runs_by_schedule (schedule=? AND scheduled_for=?)", "snapshots_by_content (size=? AND content_hash=? AND run=?)"}},
		{"WaitingArrivals", waitingArrivals, 1, []string{"slots_waiting (schedule=?)"}},
		{"FirstWaiting", firstWaiting, 1, []string{"slots_waiting (schedule=?)"}},
		{"Unfinished", runUnfinished, 1, []string{"runs_newest (schedule=?)", "chunks_by_state (run=? AND state=?)"}},
		{"EarlierRanges", earlierRanges, 5, []string{"snapshots_by_content (size=? AND content_hash=?)", "chunk_ranges_by_file (run=? AND file=?)", "c USING PRIMARY KEY (run=? AND chunk=?)", "delivered_ranges USING PRIMARY KEY (schedule=? AND shape=? AND size=? AND content_hash=?)"}},
		{"KnowsSize", knowsSize, 3, []string{"snapshots_by_content (size=?", "delivered_files_by_size (schedule=? AND shape=? AND size=?)", "delivered_ranges USING PRIMARY KEY (schedule=? AND shape=? AND size=?)"}},
		{"DeliveredBy", deliveredBy, 3, []string{"delivered_files USING PRIMARY KEY (schedule=? AND content_hash=? AND shape=?)"}},
		{"Receipt stored", selectReceipt, 1, []string{"runs USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"Runs of a schedule", runsNewestOf, 2, []string{"runs_newest (schedule=?)"}},
		{"Interrupted", runsInterrupted, 2, []string{"runs_stopped (reason=?)"}},
		{"OpenRuns", runsOpen, 0, []string{"runs_open"}},
		{"HalfResolved", runsHalfResolved, 0, []string{"runs_held", "chunks_by_state (run=? AND state=?)"}},
		{"ClaimSlots numbers", runsBesides, 1, []string{"runs_by_schedule (schedule=? AND scheduled_for=?)"}},
		{"BeginRun number", nextNumber, 2, []string{"runs_by_schedule (schedule=? AND scheduled_for=?)"}},
		{"LatestOfSlot", runsOfSlot, 2, []string{"runs_by_schedule (schedule=? AND scheduled_for=?)"}},
		{"FindRun by name", runsByMinute, 3, []string{"runs_by_schedule (schedule=? AND scheduled_for>? AND scheduled_for<?)"}},
		{"FindRun by id", runByID, 1, []string{"(run_id=?)"}},
		{"OpenRequests", newRequests, 1, []string{"requests"}},
		{"DoneFiles", doneFiles, 1, []string{"s USING PRIMARY KEY (run=?)", "d EXISTS USING PRIMARY KEY (schedule=? AND content_hash=? AND shape=?)"}},
		{"MarkGone", markGone, 5, []string{"snapshots USING INDEX snapshots_by_content (size=? AND content_hash=?)"}},
		{"notes of a run", notesOfRun, 1, []string{"notes USING PRIMARY KEY (run=?)"}},
		{"notes added", insertNote, 4, []string{"notes USING PRIMARY KEY (run=?)"}},
		{"LastWithHeader", lastWithHeader, 2, []string{"runs_by_schedule (schedule=?)", "snapshots EXISTS USING PRIMARY KEY (run=?)"}},
		{"OpenSegments", openSegments, 3, []string{"segments USING PRIMARY KEY (run=? AND segment>?)"}},
		{"SegmentOf", segmentOfChunk, 2, []string{"segments_by_chunk (run=? AND first_chunk<?)"}},
		{"ranges of a segment", rangesOfSegment, 2, []string{"segment_ranges USING PRIMARY KEY (run=? AND segment=?)"}},
		{"BegunChunks", begunChunks, 3, []string{"chunks USING PRIMARY KEY (run=? AND chunk>? AND chunk<?)", "COVERING INDEX attempts_one_live (run=? AND chunk>? AND chunk<?)"}},
		{"Segments", allSegments, 3, []string{"segments USING PRIMARY KEY (run=? AND segment>?)"}},
		{"EarlierSegments", earlierSegments, 6, []string{"snapshots_by_content (size=? AND content_hash=?)", "segment_ranges_by_file (run=? AND file=?)"}},
		{"EarlierRanges of records", segmentsOfContent, 5, []string{"snapshots_by_content (size=? AND content_hash=?)", "segment_ranges_by_file (run=? AND file=?)"}},
		{"EarlierRanges of a segment", recordsTried, 3, []string{"chunks USING PRIMARY KEY (run=? AND chunk>? AND chunk<?)", "COVERING INDEX attempts_one_live (run=? AND chunk>? AND chunk<?)"}},
		{"places of a segment", placesOfSegment, 2, []string{"segment_places USING PRIMARY KEY (run=? AND segment=?)"}},
		{"Receipt segments", countSegments, 1, []string{"segments USING PRIMARY KEY (run=?)"}},
		{"StartsSince", lastStarts, 1, []string{"SCAN a", "r USING INTEGER PRIMARY KEY (rowid=?)"}}, // back from the last row, as far as it is read
		{"OwnedRanges", ownedRanges, 1, []string{"chunk_ranges_by_file (run=?)", "c USING PRIMARY KEY (run=? AND chunk=?)", "attempts_by_chunk (run=? AND chunk=?)"}},
		{"OwnedSegments", ownedSegments, 1, []string{"segment_ranges_by_file (run=?)", "s USING PRIMARY KEY (run=? AND segment=?)"}},
		{"RecordChunks", recordChunks, 1, []string{"c USING PRIMARY KEY (run=?)"}},
		{"RangelessChunks", rangelessChunks, 1, []string{"c USING PRIMARY KEY (run=?)"}},
		{"ChunkKeys", chunkKeys, 1, []string{"chunks USING PRIMARY KEY (run=?)", "segments_by_chunk (run=?)"}},
		{"accepted once", acceptedOnce, 1, []string{"chunks_by_state (run=? AND state=?)", "attempts_by_chunk (run=? AND chunk=?)"}},
		{"attempts agree", attemptsAgree, 1, []string{"attempts_by_chunk (run=?)", "c USING PRIMARY KEY (run=? AND chunk=?)"}},
		{"stray attempts", strayAttempts, 1, []string{"attempts_by_chunk (run=?)"}},
		{"same bytes", sameBytes, 1, []string{"attempts_by_chunk (run=?)"}},
		{"ids unique", idsUnique, 1, []string{"(run=?)"}},
		{"keys unique", keysUnique, 1, []string{"chunks_by_key (key=? AND run=? AND chunk>?)"}},
		{"segments count", segmentsCount, 1, []string{"c USING PRIMARY KEY (run=? AND chunk>? AND chunk<?)"}},
		{"Removable", removableRuns, 4, []string{"runs_by_end (finished_at>? AND finished_at<?)", "chunks_by_state (run=? AND state=?)", "segments USING PRIMARY KEY (run=?)", "l USING COVERING INDEX runs_newest (schedule=?)"}},
		{"Left", leftOfRun, 1, []string{"COVERING INDEX chunks_by_state (run=? AND state=?)", "segments USING PRIMARY KEY (run=?)"}},
		{"CountLeft", countLeft, 1, []string{"COVERING INDEX chunks_by_state (run=? AND state=?)", "segments USING PRIMARY KEY (run=?)"}},
		{"InterruptRun", interruptRun, 3, []string{"COVERING INDEX chunks_by_state (run=? AND state=?)", "segments USING PRIMARY KEY (run=?)"}},
		{"Removing", removingRuns, 0, []string{"runs_removing"}},
		{"AcceptedRanges", acceptedRanges, 2, []string{"chunk_ranges_by_file (run=? AND file=?)", "chunks_by_state (run=? AND state=? AND chunk=?)"}},
		{"AcceptedRanges of records", segmentsOfFile, 2, []string{"segment_ranges_by_file (run=? AND file=?)"}},
		{"AcceptedRanges segments", acceptedSegments, 2, []string{"segment_ranges_by_file (run=? AND file=?)"}},
		{"BeginRemoval", markRemoving, 2, []string{"chunks_by_state (run=? AND state=?)", "segments USING PRIMARY KEY (run=?)"}},
		{"RemoveRows attempts", removeRows[0], 2, []string{"attempts USING INTEGER PRIMARY KEY (rowid=?)", "attempts_by_chunk (run=?)"}},
		{"RemoveRows ranges", removeRows[1], 2, []string{"chunk_ranges USING PRIMARY KEY (run=? AND chunk=? AND part=?)", "(run=?)"}},
		{"RemoveRows chunks", removeRows[2], 2, []string{"chunks USING PRIMARY KEY (run=? AND chunk=?)", "(run=?)"}},
		{"RemoveRows dead letters", removeRows[6], 2, []string{"dead_letters USING PRIMARY KEY (run=? AND number=?)", "dead_letters USING PRIMARY KEY (run=?)"}},
		{"RemoveSlots", removeSlots, 3, []string{"s USING PRIMARY KEY (schedule=? AND scheduled_for<?)", "r USING COVERING INDEX runs_by_schedule (schedule=? AND scheduled_for=?)"}},
		{"RemoveSlots schedule", nextSlotSchedule, 1, []string{"slots USING PRIMARY KEY (schedule>?)"}},
		{"RemovePauses", removePauses, 2, []string{"pauses_ended (resumed_at<?)", "s USING PRIMARY KEY (schedule=?)"}},
		{"HasSchedule", hasName, 1, []string{"runs_newest (schedule=?)", "slots USING PRIMARY KEY (schedule=?)", "pauses_by_end (schedule=?)"}},
		{"MeanAnswer", meanAnswer, 1, []string{"attempts_by_chunk (run=?)"}},
		{"NameNow", selectNameNow, 1, []string{"former_names USING PRIMARY KEY (name=?)"}},
		{"Redrives", redrivesOf, 1, []string{"runs_by_redrive (redrive_of=?)"}},
		{"Links", linksOfRun, 1, []string{"chunks_by_redrive (run=? AND redrive_of>?)"}},
		{"SentAgain", chunkAgain, 2, []string{"chunks_by_redrive (run=? AND redrive_of=?)"}},
		{"LastAttempts", lastAttempts, 3, []string{"attempts_by_chunk (run=? AND chunk>? AND chunk<?)"}},
		{"FailedRemotely", failedRemotely, 3, []string{"attempts_by_chunk (run=? AND chunk>?)", "s USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"LookedUp", lookedUp, 1, []string{"attempts_by_chunk (run=?)", "s USING INTEGER PRIMARY KEY (rowid=?)"}},
		{"root of a redrive", rootOfRedrive, 1, []string{"(run_id=?)", "chunks_by_redrive (run=? AND redrive_of>?)"}},
		{"files delivered again", insertDeliveredAgain, 3, []string{"runs_by_redrive (redrive_of=?)", "chunks_by_redrive (run=? AND redrive_of>?)", "chunks_by_redrive (run=? AND redrive_of=?)", "chunks_by_state (run=? AND state=?)"}},
		{"Mendings", mendings, 2, []string{"runs_by_redrive (redrive_of>?)", "sqlite_autoindex_runs_1 (run_id=?)", "m USING PRIMARY KEY (run=?)", "mended USING PRIMARY KEY (run=? AND file=?)"}},
		{"MendedFiles", mendedFiles, 1, []string{"mended USING PRIMARY KEY (run=?)"}},
		{"MendedPlaces", mendedPlaces, 2, []string{"mended USING PRIMARY KEY (run=? AND file=?)"}},
		{"FollowUps", followUps, 3, []string{"runs_followed (schedule=? AND finished_at>?)", "slots USING PRIMARY KEY (schedule=? AND scheduled_for=?)"}},
		{"AcceptRestore follow-ups", missFollowUps, 2, []string{"runs_followed (schedule=? AND finished_at>?)"}},
		{"sent again", countSentAgain, 2, []string{"runs_by_redrive (redrive_of=?)", "chunks_by_redrive (run=? AND redrive_of>?)", "chunks_by_redrive (run=? AND redrive_of=?)"}},
		{"mended by redrives", countMended, 1, []string{"mended USING PRIMARY KEY (run=?)"}},
		{"ReplanRun", replanRun, 3, []string{"attempts_by_chunk (run=?)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := explain(t, l, c.query, c.args)
			for _, want := range c.uses {
				if !strings.Contains(got, want) {
					t.Errorf("got\n%s want %q", got, want)
				}
			}
			for _, line := range strings.Split(got, "\n") {
				if strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "USING") && !strings.Contains(line, "CONSTANT") && !slices.Contains(readsAll, c.name) {
					t.Errorf("reads a whole table: %s", line)
				}
			}
		})
	}
}

func explain(t *testing.T, l *Ledger, query string, args int) string {
	t.Helper()
	values := make([]any, args)
	for i := range values {
		values[i] = 1
	}
	rows, err := l.rw.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+query, values...)
	must(t, err)
	defer rows.Close()
	var text strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		must(t, rows.Scan(&id, &parent, &unused, &detail))
		text.WriteString(detail + "\n")
	}
	must(t, rows.Err())
	return text.String()
}
