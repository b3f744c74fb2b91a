-- +goose Up

-- Times are milliseconds since 1970 in UTC. `run` in other tables is runs.id;
-- people and programs see runs.run_id. `file` is snapshots.file of the same run.

CREATE TABLE slots (
    schedule      TEXT    NOT NULL,           -- the schedule's name
    scheduled_for INTEGER NOT NULL,           -- the due time
    state         TEXT    NOT NULL CHECK (state IN ('ran', 'skipped', 'missed', 'waiting')), -- what became of it; 'waiting': it runs when nothing is in its way
    reason        TEXT    NOT NULL,           -- why it did not run, or waits; '' when it ran by itself
    decided_at    INTEGER NOT NULL,           -- when this row got its state
    PRIMARY KEY (schedule, scheduled_for)
) STRICT, WITHOUT ROWID;
CREATE INDEX slots_waiting ON slots (schedule, scheduled_for) WHERE state = 'waiting';

CREATE TABLE schedule_state (
    schedule   TEXT    PRIMARY KEY,           -- the schedule's name
    decided_to INTEGER NOT NULL,              -- slots up to and including this instant are decided
    spec       TEXT    NOT NULL,              -- the timetable that decided them
    updated_at INTEGER NOT NULL,              -- when the row was last written
    waiting_for   INTEGER,                    -- a slot up to decided_to that its jitter holds back; NULL: none
    waiting_until INTEGER,                    -- when that one starts
    CHECK ((waiting_for IS NULL) = (waiting_until IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id                INTEGER PRIMARY KEY,       -- what other tables call `run`
    run_id            TEXT    NOT NULL UNIQUE,   -- UUIDv7
    schedule          TEXT    NOT NULL,          -- the schedule's name
    scheduled_for     INTEGER NOT NULL,          -- the slot; a run by hand: its start
    interval_start    INTEGER NOT NULL,          -- the slot before it; without one the same as scheduled_for
    number            INTEGER NOT NULL CHECK (number >= 1),     -- nth run with this schedule and scheduled_for
    generation        INTEGER NOT NULL CHECK (generation >= 0), -- raised by --force, part of each chunk's key
    origin            TEXT    NOT NULL CHECK (origin IN ('slot', 'manual', 'catch-up', 'backfill', 'arrival', 'redrive')), -- what asked for it
    state             TEXT    NOT NULL CHECK (state IN ('planning', 'delivering', 'succeeded', 'partial', 'held', 'failed', 'stopped', 'skipped')), -- docs/states.md
    reason            TEXT    NOT NULL,          -- why it is in this state; '' when that needs no words
    zone              TEXT    NOT NULL,          -- the schedule's time zone, for showing times
    flow_id           TEXT    NOT NULL,          -- the flow that its chunks trigger
    base_url          TEXT    NOT NULL,          -- the API that they are sent to
    shape             TEXT    NOT NULL,          -- hash of what decides a body and its destination
    job               TEXT    NOT NULL,          -- JSON: the options that shape bodies, as planned
    payload           TEXT    NOT NULL,          -- rendered members of the body
    source_path       TEXT    NOT NULL,          -- the source's path, its expressions rendered, or the file that arrived; '' where it is as configured
    started_at        INTEGER NOT NULL,          -- when this row was written
    planned_at        INTEGER,                   -- NULL until all chunks are committed
    finished_at       INTEGER,                   -- NULL while planning or delivering
    records_read      INTEGER NOT NULL,          -- counted by the plan as it read, good and bad
    records_filtered  INTEGER NOT NULL,          -- left out by the user's own rule
    records_unchanged INTEGER NOT NULL,          -- accepted in an earlier run of the same content
    records_elsewhere INTEGER NOT NULL,          -- unknown or still planned in an earlier run of the same content
    bytes_read        INTEGER NOT NULL,          -- bytes of the files read
    receipt           TEXT,                      -- JSON: the balance as computed when the run last ended; NULL: count it
    removing          INTEGER,                   -- when retention began to remove it, in pieces; NULL: it is there
    remote            TEXT,                      -- JSON: how its accepted triggers' executions stand, as last looked up; NULL: never
    redrive_of        TEXT,                      -- run_id of the run of which it sends something again; NULL: it is no redrive
    redrive_what      TEXT,                      -- JSON: what of that run was asked for; NULL: it is no redrive
    called            TEXT    NOT NULL DEFAULT '', -- the schedule's name when it began: its bodies and keys have that one; '': the same
    CHECK ((redrive_of IS NULL) = (redrive_what IS NULL))
) STRICT;
CREATE INDEX runs_by_redrive ON runs (redrive_of) WHERE redrive_of IS NOT NULL;
CREATE INDEX runs_by_schedule ON runs (schedule, scheduled_for, number);
CREATE INDEX runs_newest ON runs (schedule, id);
CREATE INDEX runs_open ON runs (state) WHERE state IN ('planning', 'delivering');
CREATE INDEX runs_stopped ON runs (reason) WHERE state = 'stopped';
CREATE INDEX runs_by_end ON runs (finished_at) WHERE removing IS NULL;
CREATE INDEX runs_removing ON runs (id) WHERE removing IS NOT NULL;
CREATE INDEX runs_held ON runs (id) WHERE state = 'held';
CREATE INDEX runs_followed ON runs (schedule, finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE snapshots (
    run             INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE, -- whose list of files
    file            INTEGER NOT NULL,         -- place in the run's list of files, from 0
    path            TEXT    NOT NULL,         -- as the source's glob gave it
    size            INTEGER NOT NULL,         -- bytes on disk when opened
    mtime_ns        INTEGER NOT NULL,         -- nanoseconds since 1970
    inode           INTEGER NOT NULL,         -- its number in the file system, to know it again
    format          TEXT    NOT NULL,         -- 'csv', 'ndjson', …
    compression     TEXT    NOT NULL,         -- 'none', 'gzip', …
    header          TEXT    NOT NULL,         -- JSON list of field names; '' without one
    columns         TEXT    NOT NULL,         -- JSON list of names that its bodies carry; '' where they carry none
    content_hash    TEXT    NOT NULL,         -- of the bytes on disk; '' until read whole
    unchanged_since TEXT    NOT NULL,         -- run_id that delivered this content before; '' if it was read now
    records         INTEGER NOT NULL,         -- records read from it, good and bad
    gone            TEXT    NOT NULL DEFAULT '', -- the path that when_done moved it to, 'deleted' or 'away'; '' while it lies at path
    PRIMARY KEY (run, file)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshots_by_content ON snapshots (size, content_hash);

CREATE TABLE notes (
    run    INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE, -- what it is about
    number INTEGER NOT NULL CHECK (number >= 1), -- order in the run
    stage  TEXT    NOT NULL CHECK (stage IN ('plan', 'deliver', 'done', 'expect')), -- what found it out: the plan, the delivery, what follows the end of the run, or what was expected of it
    text   TEXT    NOT NULL,                  -- one line for a person
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunks (
    run          INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE, -- whose plan
    chunk        INTEGER NOT NULL CHECK (chunk >= 1), -- number in the run
    state        TEXT    NOT NULL CHECK (state IN ('planned', 'sending', 'accepted', 'failed', 'unknown', 'split')), -- docs/states.md
    reason       TEXT    NOT NULL,            -- why it failed, is unknown, or was accepted without an answer
    records      INTEGER NOT NULL CHECK (records >= 0),   -- in its body; 0: a run without a source
    body_bytes   INTEGER NOT NULL CHECK (body_bytes > 0), -- exact length of its body
    source_hash  TEXT    NOT NULL,            -- of the source bytes of its ranges; '' without a source
    key          TEXT    NOT NULL,            -- the chunk's key, as in its body; '': it is one record, and all else about it is in its segment
    not_before   INTEGER NOT NULL,            -- no try before this instant
    spool_start  INTEGER,                     -- where its records lie in the run's spool; NULL: in the files themselves
    spool_end    INTEGER,                     -- first byte after them
    spool_line   INTEGER NOT NULL DEFAULT 0 CHECK (spool_line >= 0), -- which line there is its record, from 1; 0: all are its records
    parent       INTEGER CHECK (parent < chunk), -- the chunk of the same run that was split into this one and another; NULL: as planned
    redrive_of   INTEGER,                     -- number of the chunk of runs.redrive_of that it sends again; NULL: none
    PRIMARY KEY (run, chunk),
    CHECK ((spool_start IS NULL) = (spool_end IS NULL) AND coalesce(spool_end > spool_start, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX chunks_by_key ON chunks (key) WHERE key <> '';
CREATE INDEX chunks_by_redrive ON chunks (run, redrive_of) WHERE redrive_of IS NOT NULL;
CREATE INDEX chunks_by_state ON chunks (run, state, chunk, records); -- records: a receipt reads nothing else
CREATE INDEX chunks_by_parent ON chunks (run, parent) WHERE parent IS NOT NULL;
CREATE INDEX chunks_assumed ON chunks (run, reason) WHERE state = 'accepted' AND reason <> '';

CREATE TABLE chunk_ranges (
    run        INTEGER NOT NULL,              -- with chunk: whose range it is
    chunk      INTEGER NOT NULL,              -- number in the run
    part       INTEGER NOT NULL,              -- order within the chunk, from 0
    file       INTEGER NOT NULL,              -- the file that it lies in
    byte_start INTEGER NOT NULL,              -- of the decompressed file
    byte_end   INTEGER NOT NULL CHECK (byte_end > byte_start), -- first byte after it
    first_line INTEGER NOT NULL,              -- physical lines, from 1
    last_line  INTEGER NOT NULL,              -- its last one, inclusive
    records    INTEGER NOT NULL CHECK (records > 0), -- whole records in it
    PRIMARY KEY (run, chunk, part),
    FOREIGN KEY (run, chunk) REFERENCES chunks (run, chunk) ON DELETE CASCADE,
    FOREIGN KEY (run, file) REFERENCES snapshots (run, file)
) STRICT, WITHOUT ROWID;
CREATE INDEX chunk_ranges_by_file ON chunk_ranges (run, file, first_line, last_line, byte_start); -- the order of the file; trace reads nothing else

-- With chunk.mode = 'records' each record is a chunk. The plan then stores runs
-- of records here, and a chunk's own row appears with its first outcome. Until
-- then a chunk is what its segment says.
CREATE TABLE segments (
    run         INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE, -- whose plan
    segment     INTEGER NOT NULL CHECK (segment >= 1), -- number in the run
    state       TEXT    NOT NULL CHECK (state IN ('planned', 'accepted', 'failed', 'unknown')), -- of its chunks that have no row
    reason      TEXT    NOT NULL,             -- why those are not planned
    first_chunk INTEGER NOT NULL CHECK (first_chunk >= 1), -- number of its first record's chunk; the others follow
    records     INTEGER NOT NULL CHECK (records > 0),      -- so many records, and chunks
    begun       INTEGER NOT NULL CHECK (begun BETWEEN 0 AND records), -- how many of its chunks have a row
    source_hash TEXT    NOT NULL,             -- of the source bytes of its ranges
    key_prefix  TEXT    NOT NULL,             -- first 24 characters of its chunks' keys; the chunk's number in hex follows
    spool_start INTEGER,                      -- where its records lie in the run's spool; NULL: in the file itself
    spool_end   INTEGER,                      -- first byte after them
    PRIMARY KEY (run, segment),
    CHECK ((spool_start IS NULL) = (spool_end IS NULL) AND coalesce(spool_end > spool_start, 1))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX segments_by_chunk ON segments (run, first_chunk);
CREATE INDEX segments_by_key ON segments (key_prefix);

CREATE TABLE segment_places (
    run     INTEGER NOT NULL,                 -- with segment: whose records
    segment INTEGER NOT NULL,                 -- number in the run
    places  BLOB    NOT NULL,                 -- where each record lies, packed as store/places.go says
    PRIMARY KEY (run, segment),
    FOREIGN KEY (run, segment) REFERENCES segments (run, segment) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE segment_ranges (
    run        INTEGER NOT NULL,              -- with segment: whose range it is
    segment    INTEGER NOT NULL,              -- number in the run
    part       INTEGER NOT NULL,              -- order within the segment, from 0
    file       INTEGER NOT NULL,              -- the file that it lies in, the same for all of a segment
    byte_start INTEGER NOT NULL,              -- of the decompressed file
    byte_end   INTEGER NOT NULL CHECK (byte_end > byte_start), -- first byte after it
    first_line INTEGER NOT NULL,              -- physical lines, from 1
    last_line  INTEGER NOT NULL,              -- its last one, inclusive
    records    INTEGER NOT NULL CHECK (records > 0), -- whole records in it
    PRIMARY KEY (run, segment, part),
    FOREIGN KEY (run, segment) REFERENCES segments (run, segment) ON DELETE CASCADE,
    FOREIGN KEY (run, file) REFERENCES snapshots (run, file)
) STRICT, WITHOUT ROWID;
CREATE INDEX segment_ranges_by_file ON segment_ranges (run, file, byte_start);

-- An attempt names its chunk, but outlives it: when a run of which everything was
-- refused is planned anew, its chunks are replaced, and what WorqHat received
-- stays known. A database trigger below wants the chunk at the beginning.
CREATE TABLE attempts (
    attempt_id   INTEGER PRIMARY KEY AUTOINCREMENT, -- grows with time, never used twice
    run          INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE, -- whose chunk
    chunk        INTEGER NOT NULL,            -- number in the run
    number       INTEGER NOT NULL CHECK (number >= 1), -- nth attempt of the chunk
    body_hash    TEXT    NOT NULL,            -- of the exact body
    body_bytes   INTEGER NOT NULL,            -- length of the exact body
    started_at   INTEGER NOT NULL,            -- when the intent was committed
    finished_at  INTEGER,                     -- when its outcome was; NULL: open
    outcome      TEXT    CHECK (outcome IN ('accepted', 'accepted_no_id', 'flow_failed', 'throttled', 'refused', 'not_sent', 'unknown')), -- NULL: open
    reason       TEXT    NOT NULL,            -- fixed word that names the rule that decided
    detail       TEXT    NOT NULL,            -- the same for a person
    status_code  INTEGER NOT NULL,            -- 0 without an answer
    analytics_id TEXT,                        -- WorqHat's id; NULL without one
    answer       BLOB,                        -- what the server said, its first 64 KiB
    over         INTEGER NOT NULL DEFAULT 0,  -- 1: another attempt may follow; 0: it is open or accepted
    CHECK ((outcome IS NULL) = (finished_at IS NULL)),
    CHECK (over = (outcome IS NOT NULL AND outcome NOT IN ('accepted', 'accepted_no_id')))
) STRICT;
-- Each trigger pays for these. None but the second has to move when an attempt
-- is accepted, and new entries lie side by side: ids are random, so they are
-- sorted within every 1,024 attempts only, and found by a look into each of those.
CREATE INDEX attempts_by_chunk ON attempts (run, chunk, number);
CREATE INDEX attempts_open ON attempts (attempt_id) WHERE outcome IS NULL;
CREATE INDEX attempts_by_id ON attempts (attempt_id >> 10, substr(analytics_id, -10)) WHERE analytics_id IS NOT NULL;
CREATE UNIQUE INDEX attempts_one_live ON attempts (run, chunk) WHERE over = 0;

-- What the attempts of a run add up to, kept with each of them: to count a
-- million would take longer than a person waits for a receipt.
CREATE TABLE attempt_sums (
    run        INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE, -- whose attempts
    attempts   INTEGER NOT NULL,              -- so many, open ones too
    bytes_sent INTEGER NOT NULL               -- of the bodies of all that are open or may have arrived
) STRICT;

CREATE TABLE dead_letters (
    run        INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE, -- whose plan gave it up
    number     INTEGER NOT NULL,              -- order in the run, from 1
    file       INTEGER NOT NULL,              -- the file that it lies in
    line       INTEGER NOT NULL,              -- physical line, from 1
    column     INTEGER NOT NULL,              -- in bytes, from 1
    byte_start INTEGER NOT NULL,              -- of the record, in the decompressed file
    byte_end   INTEGER NOT NULL,              -- first byte after it
    reason     TEXT    NOT NULL,              -- fixed word
    detail     TEXT    NOT NULL,              -- the same for a person
    PRIMARY KEY (run, number),
    FOREIGN KEY (run, file) REFERENCES snapshots (run, file)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivered_files (
    schedule     TEXT    NOT NULL,            -- the schedule's name
    content_hash TEXT    NOT NULL,            -- cryptographic: an equal hash means that nothing is sent
    shape        TEXT    NOT NULL,            -- as in runs
    run_id       TEXT    NOT NULL,            -- the run that delivered it whole
    path         TEXT    NOT NULL,            -- where it lay then
    dead         INTEGER NOT NULL,            -- records of it that are dead letters of that run
    delivered_at INTEGER NOT NULL,            -- when that run ended
    size         INTEGER NOT NULL,            -- bytes on disk, as in snapshots
    PRIMARY KEY (schedule, content_hash, shape)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivered_files_by_size ON delivered_files (schedule, shape, size);

CREATE TABLE requests (
    request_id  INTEGER PRIMARY KEY AUTOINCREMENT, -- order in which they are served
    kind        TEXT    NOT NULL CHECK (kind IN ('run', 'resolve', 'cancel', 'redrive', 'reconcile', 'pause', 'resume', 'backfill')), -- the command that asks
    body        TEXT    NOT NULL,             -- JSON: what was asked for
    created_at  INTEGER NOT NULL,             -- when it was asked
    finished_at INTEGER,                      -- NULL: not answered yet
    run_id      TEXT    NOT NULL,             -- the run that serves it; '' while there is none
    exit_code   INTEGER,                      -- what the asking command should exit with
    message     TEXT    NOT NULL              -- why it was refused; '' when it was not
) STRICT;
CREATE INDEX requests_open ON requests (request_id) WHERE finished_at IS NULL;

CREATE TABLE audit (
    audit_id INTEGER PRIMARY KEY AUTOINCREMENT, -- order of the decisions
    at       INTEGER NOT NULL,                -- when it was decided
    action   TEXT    NOT NULL,                -- 'resolve accepted', 'force', …
    run_id   TEXT    NOT NULL,                -- as in runs; kept when that run is gone
    chunk    INTEGER,                         -- NULL: the whole run
    actor    TEXT    NOT NULL,                -- the operating system's user
    reason   TEXT    NOT NULL                 -- in the person's own words
) STRICT;

-- What WorqHat's metrics say about attempts, as last looked up. It decides
-- nothing: an attempt's outcome stays what it was.
CREATE TABLE remote_status (
    attempt_id   INTEGER PRIMARY KEY REFERENCES attempts (attempt_id) ON DELETE CASCADE, -- the trigger
    status       TEXT    NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'not listed')), -- of its execution
    execution_id TEXT,                        -- found for a trigger that was accepted without an id; NULL: its analytics_id is it
    started_at   INTEGER,                     -- of the execution, as WorqHat says
    ended_at     INTEGER,                     -- the same; NULL: not ended, or not said
    looked_up_at INTEGER NOT NULL             -- when WorqHat said so
) STRICT;
CREATE INDEX remote_status_by_id ON remote_status (execution_id) WHERE execution_id IS NOT NULL;

-- Executions that a doubtful attempt may have started: of its flow, begun while
-- it was under way, and claimed by no other row.
CREATE TABLE remote_hints (
    attempt_id   INTEGER NOT NULL REFERENCES attempts (attempt_id) ON DELETE CASCADE, -- unknown, or accepted without an id
    execution_id TEXT    NOT NULL,            -- WorqHat's id of the execution
    status       TEXT    NOT NULL CHECK (status IN ('running', 'completed', 'failed')), -- of the execution
    started_at   INTEGER NOT NULL,            -- of the execution, as WorqHat says
    looked_up_at INTEGER NOT NULL,            -- when WorqHat said so
    PRIMARY KEY (attempt_id, execution_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX remote_hints_by_id ON remote_hints (execution_id);

-- What the key was told to wait. Its rate needs no row: the attempts say what was sent.
CREATE TABLE budget (
    id           INTEGER PRIMARY KEY CHECK (id = 1), -- one row: one key a ledger
    paused_until INTEGER NOT NULL,            -- nothing is sent before
    reason       TEXT    NOT NULL,            -- what the server said, for a person
    updated_at   INTEGER NOT NULL             -- when it said so
) STRICT;

CREATE TABLE flow_limits (
    flow_id   TEXT    NOT NULL,               -- the flow that refused a body as too large
    base_url  TEXT    NOT NULL,               -- the API that it is called at
    max_bytes INTEGER NOT NULL CHECK (max_bytes > 0), -- bodies sent to it have so many bytes at most
    learnt_at INTEGER NOT NULL,               -- when it was learnt; it holds for seven days
    PRIMARY KEY (flow_id, base_url)
) STRICT, WITHOUT ROWID;

-- What a later run needs to know of a file that was delivered in part by a run
-- that is gone: which of its bytes were accepted. Neighbours are one range.
CREATE TABLE delivered_ranges (
    schedule     TEXT    NOT NULL,            -- the schedule's name
    shape        TEXT    NOT NULL,            -- as in runs
    size         INTEGER NOT NULL,            -- bytes on disk, as in snapshots
    content_hash TEXT    NOT NULL,            -- cryptographic, as in snapshots
    run_id       TEXT    NOT NULL,            -- the run that is gone
    byte_start   INTEGER NOT NULL,            -- of the decompressed file
    byte_end     INTEGER NOT NULL CHECK (byte_end > byte_start), -- first byte after it
    records      INTEGER NOT NULL,            -- whole records in it
    PRIMARY KEY (schedule, shape, size, content_hash, byte_start, run_id)
) STRICT, WITHOUT ROWID;

-- One row: which ledger this is.
CREATE TABLE identity (
    one       INTEGER PRIMARY KEY CHECK (one = 1), -- so that there is one row
    ledger_id TEXT    NOT NULL                -- random, made with the file; also in the file that guards against an older copy
) STRICT;
INSERT INTO identity VALUES (1, lower(hex(randomblob(16))));

-- Where dead letters of an earlier run lie now that a person mended them in their
-- file, with nothing else in it changed. Everything behind one lies as much
-- further on as it got longer.
CREATE TABLE mended (
    run        INTEGER NOT NULL,              -- the redrive that found it out
    file       INTEGER NOT NULL,              -- the file as that run read it
    number     INTEGER NOT NULL,              -- of the dead letter in runs.redrive_of
    old_file   INTEGER NOT NULL,              -- the file as that earlier run read it
    old_start  INTEGER NOT NULL,              -- of the dead letter there
    old_end    INTEGER NOT NULL,              -- first byte after it there
    byte_start INTEGER NOT NULL,              -- of what stands in its place now
    byte_end   INTEGER NOT NULL CHECK (byte_end >= byte_start), -- first byte after it
    PRIMARY KEY (run, file, number),
    FOREIGN KEY (run, file) REFERENCES snapshots (run, file) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- When schedules were paused. What was due in [paused_at, resumed_at) never runs
-- by itself.
CREATE TABLE pauses (
    pause_id   INTEGER PRIMARY KEY,           -- grows with time
    schedule   TEXT    NOT NULL,              -- the schedule's name
    source     TEXT    NOT NULL CHECK (source IN ('command', 'file')), -- who paused it: 'pause', or the configuration
    paused_at  INTEGER NOT NULL,              -- since when
    resumed_at INTEGER,                       -- NULL: it is paused now
    reason     TEXT    NOT NULL,              -- in the person's own words
    paused_by  TEXT    NOT NULL,              -- the operating system's user; '' for the file
    resumed_by TEXT    NOT NULL               -- the same; '' while it is paused
) STRICT;
CREATE UNIQUE INDEX pauses_open ON pauses (schedule, source) WHERE resumed_at IS NULL;
CREATE INDEX pauses_by_end ON pauses (schedule, resumed_at);
CREATE INDEX pauses_ended ON pauses (resumed_at) WHERE resumed_at IS NOT NULL;

-- What schedules were called before (renamed_from), so that a run is found by the
-- name that it once had.
CREATE TABLE former_names (
    name       TEXT    PRIMARY KEY,           -- what the schedule was called
    schedule   TEXT    NOT NULL,              -- what it is called now
    renamed_at INTEGER NOT NULL               -- when the ledger took it over
) STRICT, WITHOUT ROWID;

-- One row: the configuration that the daemon loaded last, to compare a file with.
CREATE TABLE loaded_config (
    one       INTEGER PRIMARY KEY CHECK (one = 1), -- so that there is one row
    text      TEXT    NOT NULL,               -- TOML: what it says, calendars' days included
    loaded_at INTEGER NOT NULL                -- when
) STRICT;

-- Files that arrived, each with the slot that it made.
CREATE TABLE arrivals (
    schedule      TEXT    NOT NULL,           -- the schedule's name
    scheduled_for INTEGER NOT NULL,           -- its slot: when it was detected, never a whole second
    path          TEXT    NOT NULL,           -- where it lay
    size          INTEGER NOT NULL,           -- bytes on disk
    mtime_ns      INTEGER NOT NULL,           -- nanoseconds since 1970, as last seen
    changed_ns    INTEGER NOT NULL,           -- the same of its inode's last change; 0: not known
    inode         INTEGER NOT NULL,           -- its number in the file system, as last seen
    content_hash  TEXT    NOT NULL,           -- cryptographic, of the bytes on disk
    lies_there    INTEGER NOT NULL CHECK (lies_there IN (0, 1)), -- 0: it went, was replaced, or its slot was given up
    PRIMARY KEY (schedule, scheduled_for)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX arrivals_lying ON arrivals (schedule, path) WHERE lies_there;
CREATE INDEX arrivals_by_path ON arrivals (schedule, path, scheduled_for);

-- How each schedule stands, and what was said of it. run_id is as in runs, and
-- stays when that run is gone.
CREATE TABLE alerts (
    schedule    TEXT    PRIMARY KEY,          -- the schedule's name
    state       TEXT    NOT NULL CHECK (state IN ('ok', 'late', 'failed', 'held')), -- docs/states.md
    since       INTEGER NOT NULL,             -- when it came into this state
    run_id      TEXT    NOT NULL,             -- the run that brought it there; '' if none did
    reason      TEXT    NOT NULL,             -- why, in words; '' while nothing ever was
    told        INTEGER NOT NULL CHECK (told IN (0, 1)), -- 1: this state was to be told to somebody
    judged_run  TEXT    NOT NULL,             -- run_id of the run that was looked at last; '' if none was
    judged_end  INTEGER NOT NULL,             -- the finished_at that it had then: one that ends anew is looked at again; 0: none
    spec        TEXT    NOT NULL,             -- the timetable whose slots are looked at
    started_to  INTEGER,                      -- slots up to here were looked at for start_within; NULL: it is not set
    finished_to INTEGER                       -- the same for finish_within
) STRICT, WITHOUT ROWID;

-- What is to be told, one row a message and service. It goes out at least once, or
-- is given up.
CREATE TABLE notifications (
    notification_id INTEGER PRIMARY KEY AUTOINCREMENT, -- order in which they came up
    service     TEXT    NOT NULL,             -- 'slack', 'slack#2', …: never its URL
    schedule    TEXT    NOT NULL,             -- whose alert it is
    kind        TEXT    NOT NULL CHECK (kind IN ('late', 'failed', 'held', 'recovered')), -- what is told
    text        TEXT    NOT NULL,             -- the message
    created_at  INTEGER NOT NULL,             -- when the state changed
    not_before  INTEGER NOT NULL,             -- no try before this instant
    attempts    INTEGER NOT NULL,             -- tries so far
    error       TEXT    NOT NULL,             -- what the last try came to, without secrets; '' if none failed
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'given up')), -- what became of it
    finished_at INTEGER,                      -- when it was sent or given up
    CHECK ((state = 'waiting') = (finished_at IS NULL))
) STRICT;
CREATE INDEX notifications_waiting ON notifications (notification_id) WHERE state = 'waiting';
CREATE INDEX notifications_by_end ON notifications (finished_at) WHERE finished_at IS NOT NULL;

-- Schedules that are due after another one.
CREATE TABLE followers (
    schedule TEXT    PRIMARY KEY,             -- the schedule's name
    other    TEXT    NOT NULL,                -- the schedule whose runs make it due
    any_end  INTEGER NOT NULL CHECK (any_end IN (0, 1)), -- 1: runs that were partial, held or skipped make it due too
    since    INTEGER NOT NULL                 -- runs of the other one that ended before make it due no more
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER chunks_keep_accepted BEFORE UPDATE OF state ON chunks
WHEN OLD.state = 'accepted' AND NEW.state <> 'accepted'
BEGIN
    SELECT RAISE(ABORT, 'a chunk that was accepted stays accepted');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER attempts_keep_outcome BEFORE UPDATE OF outcome ON attempts
WHEN OLD.outcome IS NOT NULL AND OLD.outcome IS NOT NEW.outcome
BEGIN
    SELECT RAISE(ABORT, 'the outcome of an attempt is decided once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER attempts_of_a_chunk BEFORE INSERT ON attempts
WHEN coalesce((SELECT state <> 'sending' FROM chunks WHERE run = NEW.run AND chunk = NEW.chunk),
    (SELECT state <> 'planned' OR first_chunk + records <= NEW.chunk FROM segments
        WHERE run = NEW.run AND first_chunk <= NEW.chunk ORDER BY first_chunk DESC LIMIT 1), 1)
BEGIN
    SELECT RAISE(ABORT, 'an attempt needs a chunk that is being sent, or a record of a planned segment');
END;
-- +goose StatementEnd

-- A delivery moves chunks to 'sending' and away from it while its run is under
-- way. Whatever else becomes of a chunk, or of a segment, makes the receipt of a
-- run that ended a thing of the past.

-- +goose StatementBegin
CREATE TRIGGER chunks_outdate_receipt AFTER UPDATE OF state ON chunks
WHEN OLD.state <> 'sending' AND NEW.state <> 'sending'
BEGIN
    UPDATE runs SET receipt = NULL WHERE id = NEW.run AND receipt IS NOT NULL;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER segments_outdate_receipt AFTER UPDATE OF state ON segments
BEGIN
    UPDATE runs SET receipt = NULL WHERE id = NEW.run AND receipt IS NOT NULL;
END;
-- +goose StatementEnd

-- The next two let rows go with their whole run (its row is gone by then, or
-- marked by retention), and not otherwise.

-- +goose StatementBegin
CREATE TRIGGER chunks_stay BEFORE DELETE ON chunks
WHEN OLD.state <> 'planned' AND EXISTS (SELECT 1 FROM runs WHERE id = OLD.run AND removing IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'a chunk that was tried goes only with its run');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER attempts_stay BEFORE DELETE ON attempts
WHEN EXISTS (SELECT 1 FROM runs WHERE id = OLD.run AND removing IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'an attempt goes only with its run');
END;
-- +goose StatementEnd
