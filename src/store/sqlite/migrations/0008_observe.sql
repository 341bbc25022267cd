-- What sources in the mode `observe` would have sent: to be seen, and to be sent once the source is live. The delivery itself
-- stands in `history` as dropped. Written at the end of its source.
CREATE TABLE observed (
  source   TEXT NOT NULL,
  event    INTEGER NOT NULL,
  item     INTEGER NOT NULL,
  number   INTEGER NOT NULL,
  order_by INTEGER,
  customer TEXT NOT NULL,
  patch    TEXT NOT NULL,
  PRIMARY KEY (source, event, item, number)
) STRICT, WITHOUT ROWID;
