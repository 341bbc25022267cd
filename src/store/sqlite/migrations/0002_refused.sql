-- Requests of known sources that were refused, the newest of each source.
CREATE TABLE refused (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,   -- a number that somebody noted must not come to mean another request
  source   TEXT NOT NULL,
  mark     BLOB NOT NULL,       -- a keyed hash of what equal requests have in common
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  times    INTEGER NOT NULL,
  reason   TEXT NOT NULL,
  status   INTEGER NOT NULL,
  kept     INTEGER NOT NULL CHECK (kept IN (0, 1)),   -- whether the whole request stands in `refused_request`
  accepted INTEGER,             -- the event that it became later
  facts    TEXT NOT NULL
) STRICT;

-- Every index of this table ends with `id`, its row number.
CREATE UNIQUE INDEX refused_mark ON refused (source, mark);
CREATE INDEX refused_source ON refused (source);
CREATE INDEX refused_reason ON refused (reason);
CREATE INDEX refused_bare ON refused (source) WHERE kept = 0;

-- Whole requests: personal and secret data, for a time.
CREATE TABLE refused_request (
  id          INTEGER PRIMARY KEY,
  source      TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  bytes       INTEGER NOT NULL,
  method      TEXT NOT NULL,
  target      TEXT NOT NULL,
  client      TEXT NOT NULL,    -- an IP address
  by_proxy    INTEGER NOT NULL CHECK (by_proxy IN (0, 1)),   -- whether a trusted proxy handed it on
  headers     TEXT NOT NULL,    -- values in base64, since any byte may stand in them
  body        BLOB NOT NULL     -- last, so that the others are read without it
) STRICT;

CREATE INDEX refused_request_source ON refused_request (source, id, bytes);
CREATE INDEX refused_request_expiry ON refused_request (expires_at);
