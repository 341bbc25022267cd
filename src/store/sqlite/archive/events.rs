//! Pages of events: by their numbers where conditions are about events alone, else those of a walk over deliveries.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use super::{streams::Ordered, walk};
use crate::{
    event::{EventSeq, MappingHash, SourceName},
    store::{
        ArchiveFilter, DeliveryCounts, DeliveryPlace, EventFacts, ListedEvent, MOST_COUNTED,
        MOST_LOOKED_AT, Order, Page,
        archive::walk::{Events, Stretch, is_within, standing},
        sqlite::{decode, fault::Fault},
    },
};

/// From `?1` to `?2`.
const ALL: Ordered = Ordered::new(
    "SELECT seq FROM event WHERE seq <= ?1 AND seq >= ?2 ORDER BY seq DESC",
    "SELECT seq FROM event WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq",
);
/// The same of the source `?3`.
pub(super) const OF_SOURCE: Ordered = Ordered::new(
    "SELECT seq FROM event INDEXED BY event_source WHERE source = ?3 AND seq <= ?1 AND seq >= ?2 ORDER BY seq DESC",
    "SELECT seq FROM event INDEXED BY event_source WHERE source = ?3 AND seq >= ?1 AND seq <= ?2 ORDER BY seq",
);

// The length of a body is known without reading it.
const FACTS: &str = "
    SELECT seq, received_at, source, organisation, mapping, content_type, headers, body_hash, length(body)
    FROM event WHERE seq = ?1";
const RECEIVED_AT: &str = "SELECT received_at FROM event WHERE seq = ?1";
const OPEN_STANDINGS: &str = "SELECT state FROM delivery WHERE event = ?1 LIMIT ?2";
const ENDED_STANDINGS: &str = "SELECT \"end\" FROM history WHERE event = ?1 LIMIT ?2";

pub(super) fn one(connection: &Connection, seq: EventSeq) -> Result<Option<ListedEvent>, Fault> {
    let facts = facts_of(connection, seq.0)?;
    facts.map(|facts| listed(connection, facts)).transpose()
}

pub(super) fn received_at(
    connection: &Connection,
    event: EventSeq,
) -> Result<Option<Timestamp>, Fault> {
    let mut statement = connection.prepare_cached(RECEIVED_AT)?;
    let at = statement
        .query_row([event.0], |row| row.get(0))
        .optional()?;
    Ok(at.map(decode::time).transpose()?)
}

pub(super) fn page(
    connection: &Connection,
    filter: &ArchiveFilter,
    order: Order,
    after: Option<DeliveryPlace>,
    limit: u32,
) -> Result<Page<ListedEvent>, Fault> {
    if filter.is_about_deliveries() {
        of_deliveries(connection, filter, order, after, limit)
    } else {
        by_number(connection, filter, order, after, limit)
    }
}

/// The events of the deliveries that pass the filter, each once.
fn of_deliveries(
    connection: &Connection,
    filter: &ArchiveFilter,
    order: Order,
    after: Option<DeliveryPlace>,
    limit: u32,
) -> Result<Page<ListedEvent>, Fault> {
    let mut events = Events::up_to(limit);
    let walked = walk::walk(connection, filter, order, after, &mut |delivery| {
        events.take(delivery.record.event)
    })?;
    let mut entries = Vec::with_capacity(events.found.len());
    for event in &events.found {
        entries.extend(one(connection, *event)?);
    }
    let next = walked.next_event(&events.found, events.has_more, order);
    Ok(Page {
        entries,
        next,
        looked_at: walked.looked_at,
    })
}

fn by_number(
    connection: &Connection,
    filter: &ArchiveFilter,
    order: Order,
    after: Option<DeliveryPlace>,
    limit: u32,
) -> Result<Page<ListedEvent>, Fault> {
    let mut page = Page {
        entries: Vec::new(),
        next: None,
        looked_at: 0,
    };
    let Some(range) = walk::numbers(connection, filter)? else {
        return Ok(page);
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let stretch = Stretch::new(order, range, after);
    let source = filter.source.as_ref().map(SourceName::as_str);
    let sql = if source.is_some() { OF_SOURCE } else { ALL };
    let mut statement: CachedStatement<'_> = connection.prepare_cached(sql.get(order))?;
    let begin = stretch.first_listed(after);
    let mut rows = match source {
        Some(source) => statement.query(params![begin, stretch.last, source])?,
        None => statement.query([begin, stretch.last])?,
    };
    let mut last = None;
    while let Some(row) = rows.next()? {
        if page.entries.len() >= most || page.looked_at >= MOST_LOOKED_AT {
            page.next = last.map(|last| DeliveryPlace::end_of(EventSeq(last), order));
            break;
        }
        page.looked_at += 1;
        let seq: i64 = row.get(0)?;
        last = Some(seq);
        let Some(facts) = facts_of(connection, seq)? else {
            continue;
        };
        let organisation = filter.organisation.as_ref();
        let is_wanted = organisation.is_none_or(|wanted| *wanted == facts.organisation)
            && source.is_none_or(|wanted| wanted == facts.source.as_str())
            && is_within(filter, Some(facts.received_at));
        if is_wanted {
            page.entries.push(listed(connection, facts)?);
        }
    }
    Ok(page)
}

fn facts_of(connection: &Connection, seq: i64) -> Result<Option<EventFacts>, Fault> {
    let mut statement = connection.prepare_cached(FACTS)?;
    let mut rows = statement.query([seq])?;
    rows.next()?.map(facts).transpose()
}

fn facts(row: &Row<'_>) -> Result<EventFacts, Fault> {
    let headers: Option<String> = row.get(6)?;
    Ok(EventFacts {
        seq: EventSeq(row.get(0)?),
        received_at: decode::time(row.get(1)?)?,
        source: decode::text(row.get_ref(2)?.as_str()?, "source")?,
        organisation: decode::text(row.get_ref(3)?.as_str()?, "organisation")?,
        mapping: MappingHash::from_bytes(row.get(4)?),
        content_type: row.get(5)?,
        headers: headers.map_or(Ok(Vec::new()), |text| decode::json(&text, "header"))?,
        body_hash: row.get(7)?,
        body_bytes: row.get::<_, Option<i64>>(8)?.map(i64::unsigned_abs),
    })
}

fn listed(connection: &Connection, facts: EventFacts) -> Result<ListedEvent, Fault> {
    let mut found = Vec::new();
    for sql in [OPEN_STANDINGS, ENDED_STANDINGS] {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![facts.seq.0, MOST_COUNTED + 1])?;
        while let Some(row) = rows.next()? {
            found.push((standing(row.get_ref(0)?.as_str()?)?, 1));
        }
    }
    Ok(ListedEvent {
        facts,
        deliveries: DeliveryCounts::of(found),
    })
}

#[cfg(test)]
pub(super) const PLANNED: [Ordered; 2] = [ALL, OF_SOURCE];
#[cfg(test)]
pub(super) const PLANNED_ONE: [&str; 4] = [FACTS, RECEIVED_AT, OPEN_STANDINGS, ENDED_STANDINGS];
