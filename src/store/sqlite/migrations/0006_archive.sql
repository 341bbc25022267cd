-- What people did: looked at personal data, changed what becomes of deliveries. Nobody takes a row away but time.
CREATE TABLE audit (
  id    INTEGER PRIMARY KEY AUTOINCREMENT,   -- a number that somebody noted must not come to mean another act
  at    INTEGER NOT NULL,
  act   TEXT NOT NULL,
  by    TEXT,                   -- who, as they said it
  what  TEXT NOT NULL,          -- names and identifiers, as JSON
  count INTEGER NOT NULL
) STRICT;
