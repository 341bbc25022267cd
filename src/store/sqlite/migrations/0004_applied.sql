-- Doubt does not take the row of a part away any more: what is in it besides the value must stay.
ALTER TABLE applied ADD COLUMN in_doubt INTEGER NOT NULL DEFAULT 0 CHECK (in_doubt IN (0, 1));
-- The greatest position of a delivery that was applied to the part.
ALTER TABLE applied ADD COLUMN pos INTEGER NOT NULL DEFAULT 0;

-- The greatest version that each source had applied to a part, which stays when another source writes it.
CREATE TABLE applied_version (
  organisation TEXT NOT NULL,
  customer     TEXT NOT NULL,
  part         TEXT NOT NULL,
  source       TEXT NOT NULL,
  order_by     INTEGER NOT NULL,
  PRIMARY KEY (organisation, customer, part, source)
) STRICT, WITHOUT ROWID;

INSERT INTO applied_version
SELECT organisation, customer, part, source, order_by FROM applied WHERE order_by IS NOT NULL;

ALTER TABLE applied DROP COLUMN order_by;
