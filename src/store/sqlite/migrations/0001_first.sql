-- Times are milliseconds since 1970 (UTC), durations milliseconds. Names of states and ends are the program's words.
-- Lists and nested values are JSON text. Only `dedup`, the lane index and `history_customer` are written in random
-- order; everything else grows at its end, which is what keeps a commit small.

-- One row: what must outlive every other row.
CREATE TABLE meta (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  created_at    INTEGER NOT NULL,
  value_key     BLOB NOT NULL CHECK (length(value_key) = 32),
  next_event    INTEGER NOT NULL,
  next_delivery INTEGER NOT NULL
) STRICT;

-- A request that was accepted.
CREATE TABLE event (
  seq          INTEGER PRIMARY KEY,
  received_at  INTEGER NOT NULL,
  source       TEXT NOT NULL,
  organisation TEXT NOT NULL,
  mapping      BLOB NOT NULL,
  dedup_keys   BLOB NOT NULL,   -- those of its new groups, 16 bytes each: to prune `dedup` without a second index
  content_type TEXT,
  headers      TEXT,
  body_hash    BLOB NOT NULL,   -- SHA-256
  body         BLOB             -- NULL once its retention is over; last, so that the others are read without it
) STRICT;

-- What must be accepted only once.
CREATE TABLE dedup (
  key   BLOB PRIMARY KEY,
  event INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Deliveries that have not ended. A row leaves for `history` when its delivery ends.
CREATE TABLE delivery (
  pos          INTEGER PRIMARY KEY,
  organisation TEXT NOT NULL,
  lane         BLOB,            -- NULL only where the customer is not known by anything
  state        TEXT NOT NULL CHECK (state IN ('waiting', 'looking', 'dead')),
  next_attempt INTEGER NOT NULL,
  event        INTEGER NOT NULL,
  item         INTEGER NOT NULL,
  number       INTEGER NOT NULL,
  source       TEXT NOT NULL,
  accepted_at  INTEGER NOT NULL,
  attempts     INTEGER NOT NULL DEFAULT 0,
  spent        INTEGER NOT NULL DEFAULT 0,
  order_by     INTEGER,
  rule         TEXT,
  code         TEXT,            -- why it is dead, from a closed set
  trouble      TEXT,            -- why it is dead, or its last failed attempt, in words
  warnings     TEXT,
  fields       TEXT,            -- names of the parts of the patch
  customer     TEXT,
  patch        TEXT,
  CHECK (state = 'dead' OR (lane IS NOT NULL AND customer IS NOT NULL AND patch IS NOT NULL))
) STRICT;

-- Every index of this table ends with `pos`, its row number.
CREATE INDEX delivery_lane ON delivery (organisation, lane) WHERE state <> 'dead';
CREATE INDEX delivery_waiting ON delivery (organisation) WHERE state = 'waiting';
CREATE UNIQUE INDEX delivery_event ON delivery (event, item, number);
CREATE INDEX delivery_dead ON delivery (pos) WHERE state = 'dead';
CREATE INDEX delivery_dead_source ON delivery (source) WHERE state = 'dead';

-- Deliveries that have ended.
CREATE TABLE history (
  event        INTEGER NOT NULL,
  item         INTEGER NOT NULL,
  number       INTEGER NOT NULL,
  source       TEXT NOT NULL,
  organisation TEXT NOT NULL,
  "end"        TEXT NOT NULL,
  at           INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  customer     TEXT,
  rule         TEXT,
  reason       TEXT,
  fields       TEXT,
  warnings     TEXT,
  PRIMARY KEY (event, item, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX history_customer ON history (organisation, customer, event) WHERE customer IS NOT NULL;

-- Attempts of deliveries, also of those that have ended.
CREATE TABLE attempt (
  event    INTEGER NOT NULL,
  item     INTEGER NOT NULL,
  number   INTEGER NOT NULL,
  attempt  INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  took     INTEGER NOT NULL,
  status   INTEGER,
  outcome  TEXT NOT NULL,
  message  TEXT,
  customer TEXT,
  PRIMARY KEY (event, item, number, attempt)
) STRICT, WITHOUT ROWID;

-- What Quentli confirmed of a customer, part by part.
CREATE TABLE applied (
  organisation TEXT NOT NULL,
  customer     TEXT NOT NULL,
  part         TEXT NOT NULL,
  value        BLOB NOT NULL,   -- a keyed hash
  source       TEXT NOT NULL,
  order_by     INTEGER,
  at           INTEGER NOT NULL,
  PRIMARY KEY (organisation, customer, part)
) STRICT, WITHOUT ROWID;

-- Figures that move with the rows they count; for each source, created = waiting + looking + dead + all ends.
CREATE TABLE counter (
  source       TEXT PRIMARY KEY,
  accepted     INTEGER NOT NULL DEFAULT 0,
  duplicate    INTEGER NOT NULL DEFAULT 0,
  known_groups INTEGER NOT NULL DEFAULT 0,
  created      INTEGER NOT NULL DEFAULT 0,
  waiting      INTEGER NOT NULL DEFAULT 0,
  looking      INTEGER NOT NULL DEFAULT 0,
  dead         INTEGER NOT NULL DEFAULT 0,
  delivered    INTEGER NOT NULL DEFAULT 0,
  unchanged    INTEGER NOT NULL DEFAULT 0,
  stale        INTEGER NOT NULL DEFAULT 0,
  superseded   INTEGER NOT NULL DEFAULT 0,
  dropped      INTEGER NOT NULL DEFAULT 0,
  discarded    INTEGER NOT NULL DEFAULT 0,
  erased       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
