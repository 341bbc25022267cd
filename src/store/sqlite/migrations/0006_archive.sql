-- What people did: looked at personal data, changed what becomes of deliveries. Nobody takes a row away but time.
CREATE TABLE audit (
  id    INTEGER PRIMARY KEY AUTOINCREMENT,   -- a number that somebody noted must not come to mean another act
  at    INTEGER NOT NULL,
  act   TEXT NOT NULL,
  by    TEXT,                   -- who, as they said it
  what  TEXT NOT NULL,          -- names and identifiers, as JSON
  count INTEGER NOT NULL
) STRICT;

-- Events of one source in the order of acceptance. The only index here that every accept writes to.
CREATE INDEX event_source ON event (source);

-- When events were accepted: `first` begins a run of events whose `received_at` lies in the same hour, counted from
-- 1970. A row an hour, so that a time leads to numbers of events without an index over all of them, and however the
-- clock jumps.
CREATE TABLE event_hour (
  first INTEGER PRIMARY KEY,    -- the number of an event
  hour  INTEGER NOT NULL
) STRICT;

INSERT INTO event_hour
SELECT seq, hour FROM
  (SELECT seq, received_at / 3600000 AS hour, lag(received_at / 3600000) OVER (ORDER BY seq) AS before FROM event)
WHERE before IS NULL OR before <> hour;

-- What is looked for and what is dead, for people: nothing that is only waiting is written here.
CREATE INDEX delivery_looking ON delivery (event, item, number) WHERE state = 'looking';
CREATE INDEX delivery_dead_cause ON delivery (source, code, event, item, number) WHERE state = 'dead';
