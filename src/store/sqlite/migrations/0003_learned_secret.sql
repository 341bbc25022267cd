-- Signing secrets that senders named when they registered an address. Only a person takes one away.
CREATE TABLE learned_secret (
  source TEXT PRIMARY KEY,
  secret TEXT NOT NULL,
  at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
