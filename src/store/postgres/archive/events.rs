//! Pages of events: by their numbers where conditions are about events alone, else those of a walk over deliveries.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{FIRST, LARGEST, next_chunk, streams::Ordered, walk};
use crate::{
    event::{EventSeq, MappingHash, SourceName},
    store::{
        ArchiveFilter, DeliveryCounts, DeliveryPlace, EventFacts, ListedDelivery, ListedEvent,
        MOST_COUNTED, MOST_LOOKED_AT, Order, Page, StandingFilter,
        archive::walk::{Candidate, Events, Stretch, is_within, standing},
        decode,
        postgres::{fault::Fault, session::Session},
    },
};

/// From `$1` to `$2`.
const ALL: Ordered = Ordered::new(
    "SELECT seq, received_at, organisation FROM event WHERE seq <= $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3",
    "SELECT seq, received_at, organisation FROM event WHERE seq >= $1 AND seq <= $2 ORDER BY seq LIMIT $3",
);
/// The same of the source `$4`; said so that only the index of sources can serve it, also for a source of few events.
const OF_SOURCE: Ordered = Ordered::new(
    "SELECT seq, received_at, organisation FROM event
     WHERE (source, seq) <= ($4, $1) AND (source, seq) >= ($4, $2) ORDER BY source DESC, seq DESC LIMIT $3",
    "SELECT seq, received_at, organisation FROM event
     WHERE (source, seq) >= ($4, $1) AND (source, seq) <= ($4, $2) ORDER BY source, seq LIMIT $3",
);

// The length of a body is known without reading it.
const FACTS: &str = "
    SELECT seq, received_at, source, organisation, mapping, content_type, headers, body_hash, length(body)::bigint
    FROM event WHERE seq = ANY($1)";

const RECEIVED_AT: &str = "SELECT seq, received_at FROM event WHERE seq = ANY($1)";

const STANDINGS: &str = r#"
    SELECT listed.seq, found.word, count(*)
    FROM unnest($1::bigint[]) AS listed (seq), LATERAL (
      (SELECT state AS word FROM delivery WHERE event = listed.seq LIMIT $2)
      UNION ALL
      (SELECT "end" FROM history WHERE event = listed.seq LIMIT $2)) AS found
    GROUP BY listed.seq, found.word"#;

/// When the events of some candidates were received, as far as they are kept.
pub(super) async fn received_at(
    session: &Session,
    candidates: &[Candidate],
) -> Result<BTreeMap<EventSeq, Timestamp>, Fault> {
    let events = candidates.iter().map(|candidate| candidate.place.event.0);
    let events: Vec<i64> = events.collect();
    let rows = session.query(RECEIVED_AT, &[&events]).await?;
    let times = rows
        .iter()
        .map(|row| Ok((EventSeq(row.try_get(0)?), decode::time(row.try_get(1)?)?)));
    times.collect()
}

pub(super) async fn page(
    session: &Session,
    filter: &ArchiveFilter,
    order: Order,
    after: Option<DeliveryPlace>,
    limit: u32,
) -> Result<Page<ListedEvent>, Fault> {
    if filter.is_about_deliveries() {
        of_deliveries(session, filter, order, after, limit).await
    } else {
        by_number(session, filter, order, after, limit).await
    }
}

/// The events of the deliveries that pass the filter, each once.
async fn of_deliveries(
    session: &Session,
    filter: &ArchiveFilter,
    order: Order,
    after: Option<DeliveryPlace>,
    limit: u32,
) -> Result<Page<ListedEvent>, Fault> {
    let mut events = Events::up_to(limit);
    let likely = limit.saturating_add(1);
    let mut take = |delivery: ListedDelivery| events.take(delivery.record.event);
    let walked = walk::walk(session, filter, order, after, likely, &mut take).await?;
    let found: Vec<i64> = events.found.iter().map(|event| event.0).collect();
    Ok(Page {
        entries: listed(session, &found).await?,
        next: walked.next_event(&events.found, events.has_more, order),
        looked_at: walked.looked_at,
    })
}

async fn by_number(
    session: &Session,
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
    let Some(range) = walk::numbers(session, filter).await? else {
        return Ok(page);
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let stretch = Stretch::new(order, range, after);
    let organisation = filter.organisation.as_ref();
    let mut found: Vec<i64> = Vec::new();
    let mut chunk = most.saturating_add(1).clamp(FIRST, LARGEST);
    let mut begin = stretch.first_listed(after);
    let mut last = None;
    'page: loop {
        let rows = chunk_of(session, filter, stretch, begin, chunk).await?;
        for row in &rows {
            let seq: i64 = row.try_get(0)?;
            if found.len() >= most || page.looked_at >= MOST_LOOKED_AT {
                page.next = last.map(|last| DeliveryPlace::end_of(EventSeq(last), order));
                break 'page;
            }
            page.looked_at += 1;
            last = Some(seq);
            let received_at = decode::time(row.try_get(1)?)?;
            let is_wanted = organisation.map_or(Ok(true), |wanted| {
                let name: &str = row.try_get(2)?;
                Ok::<_, Fault>(name == wanted.as_str())
            })? && is_within(filter, Some(received_at));
            if is_wanted {
                found.push(seq);
            }
        }
        let Some(last) = last.filter(|_| rows.len() == chunk) else {
            break;
        };
        begin = match order {
            Order::NewestFirst => last.saturating_sub(1),
            Order::OldestFirst => last.saturating_add(1),
        };
        chunk = next_chunk(chunk);
    }
    page.entries = listed(session, &found).await?;
    Ok(page)
}

/// The events from this one on.
async fn chunk_of(
    session: &Session,
    filter: &ArchiveFilter,
    stretch: Stretch,
    begin: i64,
    chunk: usize,
) -> Result<Vec<Row>, Fault> {
    let rows = i64::try_from(chunk).unwrap_or(i64::MAX);
    if let Some(source) = filter.source.as_ref().map(SourceName::as_str) {
        let sql = OF_SOURCE.get(stretch.order);
        return session
            .query(sql, &[&begin, &stretch.last, &rows, &source])
            .await;
    }
    let sql = ALL.get(stretch.order);
    session.query(sql, &[&begin, &stretch.last, &rows]).await
}

/// Whole events, in the order in which they are asked for; without those that are not there.
pub(super) async fn listed(session: &Session, events: &[i64]) -> Result<Vec<ListedEvent>, Fault> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let most = i64::from(MOST_COUNTED) + 1;
    let answers = session
        .query_each(&[(FACTS, &[&events]), (STANDINGS, &[&events, &most])])
        .await?;
    let [facts, standings] = answers.as_slice() else {
        return Err(Fault::Call("a read gave no answer".to_owned()));
    };
    let mut found: BTreeMap<i64, Vec<(StandingFilter, u32)>> = BTreeMap::new();
    for row in standings {
        let count = decode::small(row.try_get(2)?)?;
        let standing = standing(row.try_get(1)?)?;
        found
            .entry(row.try_get(0)?)
            .or_default()
            .push((standing, count));
    }
    let mut all = BTreeMap::new();
    for row in facts {
        let facts = read(row)?;
        let mut standings = found.remove(&facts.seq.0).unwrap_or_default();
        // Those that are open first.
        standings.sort_by_key(|(standing, _)| matches!(standing, StandingFilter::Ended(_)));
        let event = ListedEvent {
            deliveries: DeliveryCounts::of(standings),
            facts,
        };
        all.insert(event.facts.seq.0, event);
    }
    Ok(events.iter().filter_map(|seq| all.remove(seq)).collect())
}

fn read(row: &Row) -> Result<EventFacts, Fault> {
    let headers: Option<&str> = row.try_get(6)?;
    let mapping: &[u8] = row.try_get(4)?;
    let body_hash: &[u8] = row.try_get(7)?;
    Ok(EventFacts {
        seq: EventSeq(row.try_get(0)?),
        received_at: decode::time(row.try_get(1)?)?,
        source: decode::text(row.try_get(2)?, "source")?,
        organisation: decode::text(row.try_get(3)?, "organisation")?,
        mapping: MappingHash::from_bytes(decode::bytes(mapping, "mapping")?),
        content_type: row.try_get(5)?,
        headers: headers.map_or(Ok(Vec::new()), |text| decode::json(text, "header"))?,
        body_hash: decode::bytes(body_hash, "body hash")?,
        body_bytes: row.try_get::<_, Option<i64>>(8)?.map(i64::unsigned_abs),
    })
}

#[cfg(test)]
pub(super) const PLANNED: [Ordered; 2] = [ALL, OF_SOURCE];
#[cfg(test)]
pub(super) const PLANNED_ONE: [&str; 3] = [FACTS, RECEIVED_AT, STANDINGS];
