-- What was only observed can be sent once its source is live: where each would have its place among the deliveries, and, of
-- one that a remap made, as of which position it counts. Written at its end, by sources that observe and no others.
ALTER TABLE observed ADD COLUMN pos   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE observed ADD COLUMN place INTEGER;
CREATE INDEX observed_pos ON observed (source, pos);
