-- Whether the store is on its way to another place, or went there. One row at most; nobody works with a file that has it.
CREATE TABLE moved (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  token    BLOB NOT NULL CHECK (length(token) = 16),   -- of this one move
  "to"     TEXT NOT NULL,      -- for people
  began_at INTEGER NOT NULL,
  ended_at INTEGER             -- NULL while it lasts
) STRICT;
