-- What was only observed can be sent once its source is live: where each would have its place among the deliveries, and, of
-- one that a remap made, as of which position it counts. Written at its end, by sources that observe and no others.
ALTER TABLE observed ADD COLUMN pos   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE observed ADD COLUMN place INTEGER;
CREATE INDEX observed_pos ON observed (source, pos);

-- What was given up after it was perhaps sent, to a customer whom nobody knows: of nobody is this part known that was
-- confirmed by deliveries before this position. A row for each part.
CREATE TABLE doubted_part (
  organisation TEXT NOT NULL,
  part         TEXT NOT NULL,
  pos          INTEGER NOT NULL,
  PRIMARY KEY (organisation, part)
) STRICT, WITHOUT ROWID;
