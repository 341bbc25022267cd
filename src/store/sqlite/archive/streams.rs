//! Deliveries in the order of acceptance, from several indexes at once, and only as far as somebody reads.
//!
//! Every statement walks one index in the order of event, item and number; what they give is merged. None sorts, so
//! each row that is taken costs one step of one of them.

use rusqlite::{CachedStatement, Connection, Params, Row, Rows, params};

use crate::{
    event::EventSeq,
    store::{
        DeliveryPlace, Order,
        archive::walk::{Candidate, Stretch, standing},
        sqlite::fault::Fault,
    },
};

/// A statement in both orders: `?1` to `?3` are the place behind which it begins, `?4` is the last event.
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

macro_rules! ordered {
    ($select:literal) => {
        Ordered {
            newest_first: concat!(
                $select,
                " (event, item, number) < (?1, ?2, ?3) AND event >= ?4
                ORDER BY event DESC, item DESC, number DESC"
            ),
            oldest_first: concat!(
                $select,
                " (event, item, number) > (?1, ?2, ?3) AND event <= ?4
                ORDER BY event, item, number"
            ),
        }
    };
}

/// All open deliveries.
pub(super) const OPEN: Ordered = ordered!(
    "SELECT event, item, number, source, organisation, state, code, NULL
     FROM delivery INDEXED BY delivery_event WHERE"
);
pub(super) const LOOKING: Ordered = ordered!(
    "SELECT event, item, number, source, organisation, state, code, NULL
     FROM delivery INDEXED BY delivery_looking WHERE state = 'looking' AND"
);
/// Those that are dead for one cause: `?5` is the source, `?6` the code.
pub(super) const DEAD: Ordered = ordered!(
    "SELECT event, item, number, source, organisation, state, code, NULL
     FROM delivery INDEXED BY delivery_dead_cause WHERE state = 'dead' AND source = ?5 AND code = ?6 AND"
);
/// All that have ended.
pub(super) const ENDED: Ordered = ordered!(
    "SELECT event, item, number, source, organisation, \"end\", reason, customer FROM history WHERE"
);
/// Those of a customer, `?6`, of the organisation `?5`.
pub(super) const ENDED_OF_CUSTOMER: Ordered = ordered!(
    "SELECT event, item, number, source, organisation, \"end\", reason, customer
     FROM history INDEXED BY history_customer WHERE organisation = ?5 AND customer = ?6 AND"
);

fn candidate(row: &Row<'_>) -> Result<Candidate, Fault> {
    let word = row.get_ref(5)?;
    Ok(Candidate {
        place: DeliveryPlace {
            event: EventSeq(row.get(0)?),
            item: row.get(1)?,
            number: row.get(2)?,
        },
        source: row.get(3)?,
        organisation: row.get(4)?,
        standing: standing(word.as_str()?)?,
        reason: row.get(6)?,
        customer: row.get(7)?,
    })
}

/// Statements that are being read, each with what it needs to know.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    stretch: Stretch,
    prepared: Vec<(CachedStatement<'c>, Vec<String>)>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection, stretch: Stretch) -> Self {
        Self {
            connection,
            stretch,
            prepared: Vec::new(),
        }
    }

    /// `more` stands behind the four parameters that all have.
    pub(super) fn add(&mut self, statement: Ordered, more: &[&str]) -> Result<(), Fault> {
        let sql = statement.get(self.stretch.order);
        let more = more.iter().map(|&text| text.to_owned()).collect();
        self.prepared
            .push((self.connection.prepare_cached(sql)?, more));
        Ok(())
    }

    /// Begins to read all of them.
    pub(super) fn merged(&mut self) -> Result<Merged<'_>, Fault> {
        let order = self.stretch.order;
        let mut streams = Vec::with_capacity(self.prepared.len());
        for (statement, more) in &mut self.prepared {
            let rows = begin(statement, self.stretch, more)?;
            let mut stream = Stream { rows, head: None };
            stream.advance()?;
            streams.push(stream);
        }
        Ok(Merged { order, streams })
    }
}

fn begin<'s>(
    statement: &'s mut CachedStatement<'_>,
    stretch: Stretch,
    more: &[String],
) -> Result<Rows<'s>, Fault> {
    let (event, item, number) = stretch.after;
    let last = stretch.last;
    let rows = match more {
        [] => query(statement, params![event, item, number, last])?,
        [one] => query(statement, params![event, item, number, last, one])?,
        [one, two, ..] => query(statement, params![event, item, number, last, one, two])?,
    };
    Ok(rows)
}

fn query<'s>(
    statement: &'s mut CachedStatement<'_>,
    parameters: impl Params,
) -> rusqlite::Result<Rows<'s>> {
    statement.query(parameters)
}

struct Stream<'s> {
    rows: Rows<'s>,
    head: Option<Candidate>,
}

impl Stream<'_> {
    fn advance(&mut self) -> Result<Option<Candidate>, Fault> {
        let next = self.rows.next()?.map(candidate).transpose()?;
        Ok(std::mem::replace(&mut self.head, next))
    }
}

/// What several statements give, in one order.
pub(super) struct Merged<'s> {
    order: Order,
    streams: Vec<Stream<'s>>,
}

impl Merged<'_> {
    pub(super) fn has_more(&self) -> bool {
        self.streams.iter().any(|stream| stream.head.is_some())
    }

    pub(super) fn next(&mut self) -> Result<Option<Candidate>, Fault> {
        let place = |stream: &Stream<'_>| stream.head.as_ref().map(|head| head.place);
        let with_head = self
            .streams
            .iter_mut()
            .filter(|stream| stream.head.is_some());
        let first = match self.order {
            Order::NewestFirst => with_head.max_by_key(|stream| place(stream)),
            Order::OldestFirst => with_head.min_by_key(|stream| place(stream)),
        };
        first.map_or(Ok(None), Stream::advance)
    }
}

#[cfg(test)]
pub(super) const PLANNED: [Ordered; 5] = [OPEN, LOOKING, DEAD, ENDED, ENDED_OF_CUSTOMER];
