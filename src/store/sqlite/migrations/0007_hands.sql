-- What people do with deliveries, and with delivering. No index: dead ones have theirs, and pauses are few.

ALTER TABLE delivery ADD COLUMN redelivered_at   INTEGER;   -- when a person last had it sent again
ALTER TABLE delivery ADD COLUMN overwrites       INTEGER NOT NULL DEFAULT 0 CHECK (overwrites IN (0, 1));
ALTER TABLE delivery ADD COLUMN earlier_attempts INTEGER NOT NULL DEFAULT 0;   -- of `attempts`, those before that
ALTER TABLE delivery ADD COLUMN revision         INTEGER NOT NULL DEFAULT 0;   -- grows when a person changes it
ALTER TABLE delivery ADD COLUMN place INTEGER;   -- of one that a remap made: the position as of which it counts

-- What a person stopped, the last time. Only a person starts it again.
CREATE TABLE pause (
  kind     TEXT NOT NULL CHECK (kind IN ('organisation', 'source')),
  name     TEXT NOT NULL,
  at       INTEGER NOT NULL,
  ended_at INTEGER,             -- NULL while it lasts; waiting counts against nothing up to here
  by       TEXT,                -- who, as they said
  reason   TEXT,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
