-- Times are milliseconds since 1970 (UTC), durations milliseconds, but for leases, which are in the database's own time. Names
-- of states and ends are the program's words. Lists and nested values are JSON text, kept as it was written.
-- What is looked up by a name has the collation "C": its order is that of bytes, on every server.

-- One row: what must outlive every other row. Whoever gives new numbers holds its lock to the end of the transaction, so
-- numbers grow in the order of commits, over all replicas.
CREATE TABLE meta (
  id            smallint PRIMARY KEY CHECK (id = 1),
  created_at    bigint NOT NULL,
  value_key     bytea NOT NULL CHECK (length(value_key) = 32),
  next_event    bigint NOT NULL,
  next_delivery bigint NOT NULL
) WITH (fillfactor = 10);

-- A request that was accepted.
CREATE TABLE event (
  seq          bigint PRIMARY KEY,
  received_at  bigint NOT NULL,
  source       text COLLATE "C" NOT NULL,
  organisation text COLLATE "C" NOT NULL,
  mapping      bytea NOT NULL,
  dedup_keys   bytea NOT NULL,   -- those of its new groups, 16 bytes each: to prune `dedup` without a second index
  content_type text,
  headers      text,
  body_hash    bytea NOT NULL,   -- SHA-256
  body         bytea             -- NULL once its retention is over
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);

CREATE INDEX event_source ON event (source, seq);

-- When events were accepted: `first` begins a run of events whose `received_at` lies in the same hour, counted from 1970.
CREATE TABLE event_hour (
  first bigint PRIMARY KEY,
  hour  bigint NOT NULL
);

-- What must be accepted only once.
CREATE TABLE dedup (
  key   bytea PRIMARY KEY,
  event bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- Events whose id came again with another body; goes with the event's dedup keys.
CREATE TABLE reused_id (
  event    bigint PRIMARY KEY,
  source   text COLLATE "C" NOT NULL,
  times    bigint NOT NULL,
  first_at bigint NOT NULL,
  last_at  bigint NOT NULL
);

-- Deliveries that have not ended. A row leaves for `history` when its delivery ends, so the table stays small however many
-- there were; it is vacuumed often, since every row of it dies.
CREATE TABLE delivery (
  pos              bigint PRIMARY KEY,
  organisation     text COLLATE "C" NOT NULL,
  lane             bytea,        -- NULL only where the customer is not known by anything
  state            text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'looking', 'dead')),
  next_attempt     bigint NOT NULL,
  event            bigint NOT NULL,
  item             bigint NOT NULL,
  number           bigint NOT NULL,
  source           text COLLATE "C" NOT NULL,
  accepted_at      bigint NOT NULL,
  attempts         bigint NOT NULL DEFAULT 0,
  spent            bigint NOT NULL DEFAULT 0,
  order_by         bigint,
  rule             text,
  code             text COLLATE "C",   -- why it is dead, from a closed set
  trouble          text,         -- why it is dead, or its last failed attempt, in words
  warnings         text,
  fields           text,         -- names of the parts of the patch
  customer         text,
  patch            text,
  redelivered_at   bigint,       -- when a person last had it sent again
  overwrites       boolean NOT NULL DEFAULT false,
  earlier_attempts bigint NOT NULL DEFAULT 0,   -- of `attempts`, those before that
  revision         bigint NOT NULL DEFAULT 0,   -- grows when a person changes it
  place            bigint,       -- of one that a remap made: the position as of which it counts
  CHECK (state = 'dead' OR (lane IS NOT NULL AND customer IS NOT NULL AND patch IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

CREATE INDEX delivery_lane ON delivery (organisation, lane, pos) WHERE state <> 'dead';
CREATE INDEX delivery_waiting ON delivery (organisation, pos) WHERE state = 'waiting';
CREATE UNIQUE INDEX delivery_event ON delivery (event, item, number);
CREATE INDEX delivery_dead ON delivery (pos) WHERE state = 'dead';
CREATE INDEX delivery_dead_source ON delivery (source, pos) WHERE state = 'dead';
CREATE INDEX delivery_looking ON delivery (event, item, number) WHERE state = 'looking';
CREATE INDEX delivery_dead_cause ON delivery (source, code, event, item, number) WHERE state = 'dead';
-- Fields that Quentli did not take wait for a person, once for each customer: this finds the earlier ones.
CREATE INDEX delivery_left_out ON delivery (organisation, lane, pos) WHERE code = 'conflict';

-- Deliveries that have ended.
CREATE TABLE history (
  event        bigint NOT NULL,
  item         bigint NOT NULL,
  number       bigint NOT NULL,
  source       text COLLATE "C" NOT NULL,
  organisation text COLLATE "C" NOT NULL,
  "end"        text COLLATE "C" NOT NULL,
  at           bigint NOT NULL,
  attempts     bigint NOT NULL,
  customer     text COLLATE "C",
  rule         text,
  reason       text,
  fields       text,
  warnings     text,
  PRIMARY KEY (event, item, number)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX history_customer ON history (organisation, customer, event) WHERE customer IS NOT NULL;

-- Attempts of deliveries, also of those that have ended.
CREATE TABLE attempt (
  event    bigint NOT NULL,
  item     bigint NOT NULL,
  number   bigint NOT NULL,
  attempt  bigint NOT NULL,
  at       bigint NOT NULL,
  took     bigint NOT NULL,
  status   bigint,
  outcome  text COLLATE "C" NOT NULL,
  message  text,
  customer text COLLATE "C",
  PRIMARY KEY (event, item, number, attempt)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- What Quentli confirmed of a customer, part by part.
CREATE TABLE applied (
  organisation text COLLATE "C" NOT NULL,
  customer     text COLLATE "C" NOT NULL,
  part         text COLLATE "C" NOT NULL,
  value        bytea NOT NULL,   -- a keyed hash
  source       text COLLATE "C" NOT NULL,
  at           bigint NOT NULL,
  in_doubt     boolean NOT NULL,
  pos          bigint NOT NULL,  -- the greatest position of a delivery that was applied to the part
  PRIMARY KEY (organisation, customer, part)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

-- The greatest version that each source had applied to a part, which stays when another source writes it.
CREATE TABLE applied_version (
  organisation text COLLATE "C" NOT NULL,
  customer     text COLLATE "C" NOT NULL,
  part         text COLLATE "C" NOT NULL,
  source       text COLLATE "C" NOT NULL,
  order_by     bigint NOT NULL,
  PRIMARY KEY (organisation, customer, part, source)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

-- Figures that move with the rows they count; for each source, created = waiting + looking + dead + all ends. What counts is
-- the sum over the slots of a source: several writers do not wait for one row.
CREATE TABLE counter (
  source       text COLLATE "C" NOT NULL,
  slot         smallint NOT NULL,
  accepted     bigint NOT NULL DEFAULT 0,
  duplicate    bigint NOT NULL DEFAULT 0,
  known_groups bigint NOT NULL DEFAULT 0,
  created      bigint NOT NULL DEFAULT 0,
  waiting      bigint NOT NULL DEFAULT 0,
  looking      bigint NOT NULL DEFAULT 0,
  dead         bigint NOT NULL DEFAULT 0,
  delivered    bigint NOT NULL DEFAULT 0,
  unchanged    bigint NOT NULL DEFAULT 0,
  stale        bigint NOT NULL DEFAULT 0,
  superseded   bigint NOT NULL DEFAULT 0,
  dropped      bigint NOT NULL DEFAULT 0,
  discarded    bigint NOT NULL DEFAULT 0,
  erased       bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (source, slot)
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0);

-- Requests of known sources that were refused, the newest of each source.
CREATE TABLE refused (
  id       bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  source   text COLLATE "C" NOT NULL,
  mark     bytea NOT NULL,      -- a keyed hash of what equal requests have in common
  first_at bigint NOT NULL,
  last_at  bigint NOT NULL,
  times    bigint NOT NULL,
  reason   text COLLATE "C" NOT NULL,
  status   bigint NOT NULL,
  kept     boolean NOT NULL,    -- whether the whole request stands in `refused_request`
  accepted bigint,              -- the event that it became later
  facts    text NOT NULL
);

CREATE UNIQUE INDEX refused_mark ON refused (source, mark);
CREATE INDEX refused_source ON refused (source, id);
CREATE INDEX refused_reason ON refused (reason, id);
CREATE INDEX refused_bare ON refused (source, id) WHERE NOT kept;

-- Whole requests: personal and secret data, for a time.
CREATE TABLE refused_request (
  id          bigint PRIMARY KEY,
  source      text COLLATE "C" NOT NULL,
  received_at bigint NOT NULL,
  expires_at  bigint NOT NULL,
  bytes       bigint NOT NULL,
  method      text NOT NULL,
  target      text NOT NULL,
  client      text NOT NULL,    -- an IP address
  by_proxy    boolean NOT NULL, -- whether a trusted proxy handed it on
  headers     text NOT NULL,    -- values in base64, since any byte may stand in them
  body        bytea NOT NULL
);

CREATE INDEX refused_request_source ON refused_request (source, id, bytes);
CREATE INDEX refused_request_expiry ON refused_request (expires_at);

-- Signing secrets that senders named when they registered an address. Only a person takes one away.
CREATE TABLE learned_secret (
  source text COLLATE "C" PRIMARY KEY,
  secret text NOT NULL,
  at     bigint NOT NULL
);

-- Where the removal of what is old stands. One row. `date` never goes back; the others are event numbers: everything up to
-- them was looked at.
CREATE TABLE upkeep (
  id          smallint PRIMARY KEY CHECK (id = 1),
  date        bigint,           -- NULL before the first
  ahead_since bigint,           -- the clock is too far ahead of the date
  ahead_seen  bigint,
  bodies      bigint NOT NULL,
  dedup_keys  bigint NOT NULL,
  history     bigint NOT NULL
);

INSERT INTO upkeep (id, bodies, dedup_keys, history) VALUES (1, 0, 0, 0);

-- Events with smaller numbers were accepted by then. Some thousand rows at most.
CREATE TABLE upkeep_mark (
  at    bigint PRIMARY KEY,
  event bigint NOT NULL
);

-- Events that were old enough when they were looked at, but still needed: when to look again.
CREATE TABLE upkeep_later (
  kind  text COLLATE "C" NOT NULL,
  due   bigint NOT NULL,
  event bigint NOT NULL,
  PRIMARY KEY (kind, due, event)
);

-- What people did: looked at personal data, changed what becomes of deliveries. Nobody takes a row away but time.
CREATE TABLE audit (
  id    bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  at    bigint NOT NULL,
  act   text COLLATE "C" NOT NULL,
  by    text,                   -- who, as they said it
  what  text NOT NULL,          -- names and identifiers, as JSON
  count bigint NOT NULL
);

-- What a person stopped, the last time. Only a person starts it again.
CREATE TABLE pause (
  kind     text COLLATE "C" NOT NULL CHECK (kind IN ('organisation', 'source')),
  name     text COLLATE "C" NOT NULL,
  at       bigint NOT NULL,
  ended_at bigint,              -- NULL while it lasts; waiting counts against nothing up to here
  by       text,                -- who, as they said
  reason   text,
  PRIMARY KEY (kind, name)
);

-- What sources in the mode `observe` would have sent: to be seen, and to be sent once the source is live. The delivery itself
-- stands in `history` as dropped.
CREATE TABLE observed (
  source   text COLLATE "C" NOT NULL,
  event    bigint NOT NULL,
  item     bigint NOT NULL,
  number   bigint NOT NULL,
  order_by bigint,
  customer text NOT NULL,
  patch    text NOT NULL,
  pos      bigint NOT NULL,     -- where it would have its place among the deliveries
  place    bigint,
  PRIMARY KEY (source, event, item, number)
);

CREATE INDEX observed_pos ON observed (source, pos);

-- Who delivers for an organisation, and who does the upkeep (`@upkeep`). Times are the database's own.
CREATE TABLE lease (
  name       text COLLATE "C" PRIMARY KEY,
  process    bigint NOT NULL,
  replica    text NOT NULL,
  epoch      bigint NOT NULL,   -- grows with each claim: what was begun under an earlier one is refused
  since      timestamptz NOT NULL,
  renewed    timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  status     text,              -- what its holder last said of itself
  seen       bigint NOT NULL    -- the number of changes that its holder had done
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 200);

-- Processes that can take leases.
CREATE TABLE replica (
  process    bigint PRIMARY KEY,
  name       text NOT NULL,
  version    text NOT NULL,
  since      timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Numbers that grow when there is something to look at: for an organisation, when people did something; `@reload`, when every
-- process is to read its files again.
CREATE TABLE change (
  name   text COLLATE "C" PRIMARY KEY,
  number bigint NOT NULL
) WITH (fillfactor = 50);

-- Customers that were erased lately, as a hash, for what is on its way.
CREATE TABLE erased (
  organisation text COLLATE "C" NOT NULL,
  customer     bytea NOT NULL,  -- empty where only other identifiers were known
  up_to        bigint NOT NULL,
  at           timestamptz NOT NULL,
  PRIMARY KEY (organisation, customer)
);

-- A store that is being moved here, or was. One row at most; no gateway works with the tables while `finished_at` is NULL.
CREATE TABLE moving (
  id          smallint PRIMARY KEY CHECK (id = 1),
  store       bytea NOT NULL,       -- which store it is, over all moves
  token       bytea NOT NULL,       -- of this one move
  release     text NOT NULL,
  part        text NOT NULL,        -- the table it is at; empty after the last
  after       text,                 -- the key of the last row of it that is here
  rows        bigint NOT NULL,
  began_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz
);
