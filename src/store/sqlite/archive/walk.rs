//! A page of deliveries: candidates from the index that fits the filter best, conditions, and the end of a page.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _};

use super::{
    causes, events, hours,
    streams::{self, Merged, Statements},
};
use crate::{
    customer::CustomerId,
    event::EventSeq,
    store::{
        ArchiveFilter, DeliveryPlace, ListedDelivery, MOST_LOOKED_AT, Order, Page, StandingFilter,
        archive::walk::{Candidate, Drive, FETCH, Stretch, Walked, is_within},
        sqlite::{fault::Fault, look},
    },
};

/// The organisations that have customers with a history, one seek for each.
pub(super) const NEXT_ORGANISATION: &str = "
    SELECT organisation FROM history INDEXED BY history_customer
    WHERE customer IS NOT NULL AND organisation > ?1 ORDER BY organisation LIMIT 1";

/// A page of deliveries.
pub(super) fn page(
    connection: &Connection,
    filter: &ArchiveFilter,
    order: Order,
    after: Option<DeliveryPlace>,
    limit: u32,
) -> Result<Page<ListedDelivery>, Fault> {
    let mut entries = Vec::new();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let walked = walk(connection, filter, order, after, &mut |found| {
        entries.push(found);
        entries.len() >= most
    })?;
    Ok(Page {
        entries,
        next: walked.next,
        looked_at: walked.looked_at,
    })
}

/// Gives what passes the filter to `take`, until that says it is enough, all is seen, or enough was looked at.
pub(super) fn walk(
    connection: &Connection,
    filter: &ArchiveFilter,
    order: Order,
    after: Option<DeliveryPlace>,
    take: &mut dyn FnMut(ListedDelivery) -> bool,
) -> Result<Walked, Fault> {
    let Some(range) = numbers(connection, filter)? else {
        return Ok(Walked {
            next: None,
            looked_at: 0,
        });
    };
    let stretch = Stretch::new(order, range, after);
    let mut looking = Looking {
        connection,
        filter,
        looked_at: 0,
        last: None,
    };
    let stop = match Drive::of(filter) {
        Drive::EventsOfSource => looking.by_events(stretch, take)?,
        drive => {
            let mut statements = Statements::new(connection, stretch);
            prepare(drive, connection, filter, &mut statements)?;
            looking.through(&mut statements.merged()?, take)?
        }
    };
    let is_end = matches!(stop, Stop::End | Stop::Enough { is_end: true });
    Ok(Walked {
        next: looking.last.filter(|_| !is_end),
        looked_at: looking.looked_at,
    })
}

/// The first and last number of the events that can pass. `None`: there is none.
pub(super) fn numbers(
    connection: &Connection,
    filter: &ArchiveFilter,
) -> Result<Option<(i64, i64)>, Fault> {
    if let Some(event) = filter.event {
        return Ok(Some((event.0, event.0)));
    }
    if filter.since.is_none() && filter.until.is_none() {
        return Ok(Some((i64::MIN, i64::MAX)));
    }
    hours::range(connection, filter.since, filter.until)
}

fn prepare(
    drive: Drive,
    connection: &Connection,
    filter: &ArchiveFilter,
    statements: &mut Statements<'_>,
) -> Result<(), Fault> {
    if matches!(drive, Drive::All | Drive::Open | Drive::Customer) {
        statements.add(streams::OPEN, &[])?;
    }
    if matches!(drive, Drive::All | Drive::Ended) {
        statements.add(streams::ENDED, &[])?;
    }
    match (drive, &filter.customer) {
        (Drive::Looking, _) => statements.add(streams::LOOKING, &[])?,
        (Drive::Dead, _) => {
            for cause in causes::of(connection, filter)? {
                statements.add(streams::DEAD, &[&cause.source, &cause.code])?;
            }
        }
        (Drive::Customer, Some(customer)) => {
            let named = filter.organisation.as_ref();
            let organisations = match named {
                Some(name) => vec![name.to_string()],
                None => organisations(connection)?,
            };
            for organisation in organisations {
                let key = [organisation.as_str(), customer.as_str()];
                statements.add(streams::ENDED_OF_CUSTOMER, &key)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn organisations(connection: &Connection) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(NEXT_ORGANISATION)?;
    let mut names: Vec<String> = Vec::new();
    loop {
        let last = names.last().map_or("", String::as_str);
        let next = statement.query_row([last], |row| row.get(0)).optional()?;
        match next {
            Some(name) => names.push(name),
            None => return Ok(names),
        }
    }
}

/// Why a walk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// All was seen.
    End,
    /// Nobody wants more.
    Enough { is_end: bool },
    /// Enough was looked at for a page.
    Tired,
}

/// A walk under way.
struct Looking<'a> {
    connection: &'a Connection,
    filter: &'a ArchiveFilter,
    looked_at: u64,
    /// The last place that was looked at.
    last: Option<DeliveryPlace>,
}

impl Looking<'_> {
    fn through(
        &mut self,
        merged: &mut Merged<'_>,
        take: &mut dyn FnMut(ListedDelivery) -> bool,
    ) -> Result<Stop, Fault> {
        while let Some(candidate) = merged.next()? {
            if self.looked_at >= MOST_LOOKED_AT {
                return Ok(Stop::Tired);
            }
            self.looked_at += 1;
            self.last = Some(candidate.place);
            if let Some(found) = self.judged(&candidate)?
                && take(found)
            {
                let is_end = !merged.has_more();
                return Ok(Stop::Enough { is_end });
            }
        }
        Ok(Stop::End)
    }

    /// As [`Looking::through`], one event of the source after the other.
    fn by_events(
        &mut self,
        stretch: Stretch,
        take: &mut dyn FnMut(ListedDelivery) -> bool,
    ) -> Result<Stop, Fault> {
        let Some(source) = &self.filter.source else {
            return Ok(Stop::End);
        };
        let sql = events::OF_SOURCE.get(stretch.order);
        let mut statement: CachedStatement<'_> = self.connection.prepare_cached(sql)?;
        // From the event of the place on, since some of its deliveries may be behind it.
        let mut rows = statement.query((stretch.first_event(), stretch.last, source.as_str()))?;
        while let Some(row) = rows.next()? {
            if self.looked_at >= MOST_LOOKED_AT {
                return Ok(Stop::Tired);
            }
            self.looked_at += 1;
            let event = row.get(0)?;
            let mut statements = Statements::new(self.connection, stretch.within(event));
            if !matches!(self.filter.standing, Some(StandingFilter::Ended(_))) {
                statements.add(streams::OPEN, &[])?;
            }
            statements.add(streams::ENDED, &[])?;
            match self.through(&mut statements.merged()?, take)? {
                Stop::End => {
                    self.last = Some(DeliveryPlace::end_of(EventSeq(event), stretch.order));
                }
                Stop::Enough { is_end } => {
                    let is_end = is_end && rows.next()?.is_none();
                    return Ok(Stop::Enough { is_end });
                }
                Stop::Tired => return Ok(Stop::Tired),
            }
        }
        Ok(Stop::End)
    }

    /// The whole delivery, where it passes the filter.
    fn judged(&mut self, candidate: &Candidate) -> Result<Option<ListedDelivery>, Fault> {
        let filter = self.filter;
        if !candidate.passes(filter) {
            return Ok(None);
        }
        let customer = filter.customer.as_ref().map(CustomerId::as_str);
        self.looked_at += FETCH;
        let received_at = events::received_at(self.connection, candidate.place.event)?;
        if !is_within(filter, received_at) {
            return Ok(None);
        }
        let Some(record) = look::delivery(self.connection, candidate.place, candidate.is_open())?
        else {
            return Ok(None);
        };
        if customer.is_some() && record.customer.as_ref().map(CustomerId::as_str) != customer {
            return Ok(None);
        }
        Ok(Some(ListedDelivery {
            record,
            received_at,
        }))
    }
}
