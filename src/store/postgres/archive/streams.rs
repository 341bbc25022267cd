//! Deliveries in the order of acceptance, from several indexes at once, a chunk at a time.
//!
//! Every part of a statement walks one index in the order of event, item and number, up to the rows of a chunk; the server
//! merges what they give.

use tokio_postgres::{Row, types::ToSql};

use crate::{
    event::EventSeq,
    store::{
        DeliveryPlace, Order,
        archive::walk::{Candidate, Stretch, standing},
        decode,
        postgres::{fault::Fault, session::Session},
    },
};

/// A statement in both orders.
#[derive(Clone, Copy)]
pub(super) struct Ordered {
    newest_first: &'static str,
    oldest_first: &'static str,
}

impl Ordered {
    pub(super) const fn new(newest_first: &'static str, oldest_first: &'static str) -> Self {
        Self {
            newest_first,
            oldest_first,
        }
    }

    pub(super) const fn get(self, order: Order) -> &'static str {
        match order {
            Order::NewestFirst => self.newest_first,
            Order::OldestFirst => self.oldest_first,
        }
    }
}

/// A statement that a macro writes, from how to compare with the place behind which it begins, `$1` to `$3`, and with the last
/// event, `$4`, and from its order; `$5` is the number of rows.
macro_rules! ordered {
    ($statement:ident) => {
        Ordered::new(
            $statement!(
                "<",
                ">=",
                "ORDER BY event DESC, item DESC, number DESC LIMIT $5"
            ),
            $statement!(">", "<=", "ORDER BY event, item, number LIMIT $5"),
        )
    };
}

/// The part of a statement that walks one index.
macro_rules! part {
    ($select:literal, $behind:literal, $until:literal, $order:literal) => {
        concat!(
            "(",
            $select,
            " (event, item, number) ",
            $behind,
            " ($1, $2, $3) AND event ",
            $until,
            " $4 ",
            $order,
            ")"
        )
    };
}

macro_rules! open {
    ($behind:literal, $until:literal, $order:literal) => {
        part!(
            "SELECT event, item, number, source, organisation, state AS word, code AS reason, NULL::text AS customer
             FROM delivery WHERE",
            $behind,
            $until,
            $order
        )
    };
}

macro_rules! ended {
    ($behind:literal, $until:literal, $order:literal) => {
        part!(
            "SELECT event, item, number, source, organisation, \"end\" AS word, reason, customer FROM history WHERE",
            $behind,
            $until,
            $order
        )
    };
}

macro_rules! looking {
    ($behind:literal, $until:literal, $order:literal) => {
        part!(
            "SELECT event, item, number, source, organisation, state, code, NULL::text FROM delivery WHERE state = 'looking' AND",
            $behind,
            $until,
            $order
        )
    };
}

macro_rules! all {
    ($behind:literal, $until:literal, $order:literal) => {
        concat!(
            open!($behind, $until, $order),
            " UNION ALL ",
            ended!($behind, $until, $order),
            " ",
            $order
        )
    };
}

macro_rules! dead {
    ($behind:literal, $until:literal, $order:literal) => {
        concat!(
            "SELECT found.* FROM unnest($6::text[], $7::text[]) AS cause (source, code), LATERAL ",
            part!(
                "SELECT event, item, number, delivery.source, organisation, state, delivery.code, NULL::text FROM delivery
                 WHERE state = 'dead' AND delivery.source = cause.source AND delivery.code = cause.code AND",
                $behind,
                $until,
                $order
            ),
            " AS found ",
            $order
        )
    };
}

macro_rules! of_customer {
    ($behind:literal, $until:literal, $order:literal) => {
        concat!(
            open!($behind, $until, $order),
            " UNION ALL (SELECT found.* FROM unnest($6::text[]) AS name (organisation), LATERAL ",
            part!(
                "SELECT event, item, number, source, history.organisation, \"end\", reason, customer FROM history
                 WHERE history.organisation = name.organisation AND customer = $7 AND",
                $behind,
                $until,
                $order
            ),
            " AS found ",
            $order,
            ") ",
            $order
        )
    };
}

/// From the event of the place on, since some of its deliveries may be behind it. The events are found as in a list of events,
/// and put in their order once more, so that the server need not read the deliveries of those that are not reached.
macro_rules! of_events {
    ($behind:literal, $until:literal, $order:literal, $from:literal, $found:literal, $listed:literal) => {
        concat!(
            "SELECT listed.event, item, number, source, organisation, word, reason, customer
             FROM (SELECT event FROM (
                     SELECT seq AS event FROM event WHERE (source, seq) ",
            $from,
            " ($6, $1) AND (source, seq) ",
            $until,
            " ($6, $4) ",
            $found,
            ") AS of_source ",
            $listed,
            ") AS listed LEFT JOIN LATERAL (",
            part!(
                "SELECT event, item, number, source, organisation, state AS word, code AS reason, NULL::text AS customer
                 FROM delivery WHERE event = listed.event AND",
                $behind,
                $until,
                $order
            ),
            " UNION ALL ",
            part!(
                "SELECT event, item, number, source, organisation, \"end\", reason, customer
                 FROM history WHERE event = listed.event AND",
                $behind,
                $until,
                $order
            ),
            " ",
            $order,
            ") AS found ON true ",
            $order
        )
    };
}

/// All open deliveries.
const OPEN: Ordered = ordered!(open);
const LOOKING: Ordered = ordered!(looking);
/// Those that are dead for some causes: `$6` are the sources, `$7` the codes.
const DEAD: Ordered = ordered!(dead);
/// All that have ended.
const ENDED: Ordered = ordered!(ended);
const ALL: Ordered = ordered!(all);
/// All open ones, and those that ended of a customer, `$7`, of the organisations `$6`.
const OF_CUSTOMER: Ordered = ordered!(of_customer);
/// Those of the events of a source, `$6`, and a row for each event that has none.
const OF_SOURCE: Ordered = Ordered::new(
    of_events!(
        "<",
        ">=",
        "ORDER BY event DESC, item DESC, number DESC LIMIT $5",
        "<=",
        "ORDER BY source DESC, seq DESC LIMIT $5",
        "ORDER BY event DESC"
    ),
    of_events!(
        ">",
        "<=",
        "ORDER BY event, item, number LIMIT $5",
        ">=",
        "ORDER BY source, seq LIMIT $5",
        "ORDER BY event"
    ),
);

/// A row that was looked at.
pub(super) struct Seen {
    pub(super) place: DeliveryPlace,
    /// Nothing of an event without deliveries.
    pub(super) candidate: Option<Candidate>,
}

impl Seen {
    fn read(row: &Row, order: Order) -> Result<Self, Fault> {
        let event = EventSeq(row.try_get(0)?);
        let Some(item) = row.try_get::<_, Option<i64>>(1)? else {
            return Ok(Self {
                place: DeliveryPlace::end_of(event, order),
                candidate: None,
            });
        };
        let place = DeliveryPlace {
            event,
            item: decode::small(item)?,
            number: decode::small(row.try_get(2)?)?,
        };
        let candidate = Candidate {
            place,
            source: row.try_get(3)?,
            organisation: row.try_get(4)?,
            standing: standing(row.try_get(5)?)?,
            reason: row.try_get(6)?,
            customer: row.try_get(7)?,
        };
        Ok(Self {
            place,
            candidate: Some(candidate),
        })
    }
}

/// What is walked along.
pub(super) enum Stream {
    All,
    Open,
    Looking,
    Ended,
    /// Each source with its code.
    Dead(Vec<String>, Vec<String>),
    /// The customer, and the organisations that may have it.
    OfCustomer(String, Vec<String>),
    OfSource(String),
}

impl Stream {
    /// The first rows of a stretch.
    pub(super) async fn chunk(
        &self,
        session: &Session,
        stretch: Stretch,
        rows: usize,
    ) -> Result<Vec<Seen>, Fault> {
        let (event, item, number) = stretch.after;
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let mut parameters: Vec<&(dyn ToSql + Sync)> =
            vec![&event, &item, &number, &stretch.last, &rows];
        let statement = match self {
            Self::All => ALL,
            Self::Open => OPEN,
            Self::Looking => LOOKING,
            Self::Ended => ENDED,
            Self::Dead(sources, codes) => {
                parameters.push(sources);
                parameters.push(codes);
                DEAD
            }
            Self::OfCustomer(customer, organisations) => {
                parameters.push(organisations);
                parameters.push(customer);
                OF_CUSTOMER
            }
            Self::OfSource(source) => {
                parameters.push(source);
                OF_SOURCE
            }
        };
        let rows = session.query(statement.get(stretch.order), &parameters);
        let rows = rows.await?;
        rows.iter()
            .map(|row| Seen::read(row, stretch.order))
            .collect()
    }
}

#[cfg(test)]
pub(super) const PLANNED: [Ordered; 7] = [OPEN, LOOKING, DEAD, ENDED, ALL, OF_CUSTOMER, OF_SOURCE];
