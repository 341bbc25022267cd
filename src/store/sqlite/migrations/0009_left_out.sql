-- Fields that Quentli did not take wait for a person, once for each customer: this finds the earlier ones. Only such rows are
-- in it, so it costs accepting nothing.
CREATE INDEX delivery_left_out ON delivery (organisation, lane) WHERE code = 'conflict';
