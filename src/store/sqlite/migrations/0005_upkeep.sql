-- Where the removal of what is old stands. One row. `date` never goes back; the others are event numbers: everything up to
-- them was looked at.
CREATE TABLE upkeep (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  date        INTEGER,          -- NULL before the first
  ahead_since INTEGER,          -- the clock is too far ahead of the date
  ahead_seen  INTEGER,
  bodies      INTEGER NOT NULL,
  dedup_keys  INTEGER NOT NULL,
  history     INTEGER NOT NULL
) STRICT;

INSERT INTO upkeep (id, bodies, dedup_keys, history) VALUES (1, 0, 0, 0);

-- Events with smaller numbers were accepted by then. Some thousand rows at most.
CREATE TABLE upkeep_mark (
  at    INTEGER PRIMARY KEY,
  event INTEGER NOT NULL
) STRICT;

-- Events that were old enough when they were looked at, but still needed: when to look again.
CREATE TABLE upkeep_later (
  kind  TEXT NOT NULL,
  due   INTEGER NOT NULL,
  event INTEGER NOT NULL,
  PRIMARY KEY (kind, due, event)
) STRICT, WITHOUT ROWID;

-- Events whose id came again with another body; goes with the event's dedup keys.
CREATE TABLE reused_id (
  event    INTEGER PRIMARY KEY,
  source   TEXT NOT NULL,
  times    INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL
) STRICT;
