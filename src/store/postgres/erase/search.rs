//! Finds the events in which a person stands: by the references of their deliveries, and by [words](Words) in their bodies.
//! After the last of them come the refused requests that were kept whole and tell of the person.

use std::collections::HashSet;

use super::{EraseAfter, ErasePage, Erasing};
use crate::{
    customer::{CustomerId, CustomerReference},
    event::{EventSeq, SourceName},
    store::{
        RefusedId, decode,
        erase::{Person, Words},
        postgres::{fault::Fault, refused, session::Session},
    },
};

/// Most events of a page, and after how many bytes of bodies it ends.
const EVENTS: i64 = 200;
const BYTES: i64 = 4 << 20;
/// The same for refused requests.
const REFUSED: i64 = 200;
const REFUSED_BYTES: i64 = 2 << 20;

/// An event in which the person stands.
pub(super) struct Found {
    pub(super) event: i64,
    /// Whether it has one delivery, of the first item, and a body that tells of the person, so that what cannot be mapped is the
    /// person's. Where a later item has the only one, the others are known from another event, and the person may be in those.
    pub(super) is_single: bool,
}

// Lengths are known without reading the bodies, and only those of the page and of the organisation are read.
pub(super) const PAGE: &str = "
    SELECT seq, bytes, is_of, CASE WHEN is_of THEN headers END, CASE WHEN is_of THEN body END, content_type FROM
      (SELECT *, sum(bytes) OVER (ORDER BY seq) - bytes AS before FROM
         (SELECT seq, headers, body, content_type, organisation = $2 AS is_of,
                 CASE WHEN organisation = $2 THEN coalesce(length(body), 0) ELSE 0 END::bigint AS bytes
          FROM event WHERE seq > $1 ORDER BY seq LIMIT $3) AS first) AS page
    WHERE before < $4::bigint ORDER BY seq";

// In the same way.
pub(super) const KEPT: &str = "
    SELECT id, bytes, received_at, method, target, client, by_proxy, headers, body FROM
      (SELECT *, sum(bytes) OVER (ORDER BY id) - bytes AS before FROM
         (SELECT * FROM refused_request
          WHERE id > $1
            AND (source = ANY($2)
                 OR (SELECT organisation FROM event WHERE event.source = refused_request.source ORDER BY seq DESC LIMIT 1) = $3)
          ORDER BY id LIMIT $4) AS first) AS page
    WHERE before < $5::bigint ORDER BY id";

pub(super) const IN_HISTORY: &str = "
    SELECT event FROM history WHERE organisation = $3 AND customer = $2 AND event = ANY($1)
    UNION SELECT event FROM attempt WHERE event = ANY($1) AND customer = $2";

pub(super) const REFERENCES: &str = "
    SELECT event, customer FROM delivery WHERE event = ANY($1) AND customer IS NOT NULL
    UNION ALL
    SELECT observed.event, customer
    FROM event JOIN observed ON observed.source = event.source AND observed.event = event.seq WHERE event.seq = ANY($1)";

/// Those that have one delivery, which is the first item's.
pub(super) const DELIVERIES: &str = "
    SELECT event FROM unnest($1::bigint[]) AS given (event)
    WHERE (SELECT coalesce(sum(item::bigint + 1), 0) FROM (SELECT item FROM delivery WHERE delivery.event = given.event LIMIT 2) AS open)
        + (SELECT coalesce(sum(item::bigint + 1), 0) FROM (SELECT item FROM history WHERE history.event = given.event LIMIT 2) AS ended) = 1";

/// Reads a page and finds in it what is to be erased.
pub(super) async fn page(session: &Session, page: ErasePage) -> Result<Erasing, Fault> {
    match page.after {
        EraseAfter::Event(after) => events(session, page, after).await,
        EraseAfter::Refused(after) => refused_ones(session, page, after).await,
    }
}

async fn events(session: &Session, page: ErasePage, after: EventSeq) -> Result<Erasing, Fault> {
    let person = &page.person;
    let words = Words::of(person);
    let organisation = person.organisation.as_str();
    let rows = session
        .query(PAGE, &[&after.0, &organisation, &EVENTS, &BYTES])
        .await?;
    let (mut told, mut others) = (Vec::new(), Vec::new());
    let (mut last, mut bytes) = (None, 0_i64);
    for row in &rows {
        let event: i64 = row.try_get(0)?;
        last = Some(event);
        bytes = bytes.saturating_add(row.try_get(1)?);
        if !row.try_get::<_, bool>(2)? {
            continue;
        }
        let headers: Option<&str> = row.try_get(3)?;
        let body: Option<&[u8]> = row.try_get(4)?;
        let content_type: Option<&str> = row.try_get(5)?;
        let is_told = words.stand_in(body.unwrap_or_default(), content_type)
            || words.stand_in(headers.unwrap_or_default().as_bytes(), None);
        if is_told {
            told.push(event);
        } else {
            others.push(event);
        }
    }
    let is_full = i64::try_from(rows.len()).unwrap_or(i64::MAX) == EVENTS || bytes >= BYTES;
    let next = last
        .filter(|_| is_full)
        .map_or(EraseAfter::EVENTS, |event| {
            EraseAfter::Event(EventSeq(event))
        });
    drop(rows);
    let single = single(session, &told).await?;
    let mut events: Vec<Found> = told
        .into_iter()
        .map(|event| Found {
            event,
            is_single: single.contains(&event),
        })
        .collect();
    for event in delivered(session, &others, person).await? {
        events.push(Found {
            event,
            is_single: false,
        });
    }
    events.sort_unstable_by_key(|found| found.event);
    Ok(Erasing {
        page,
        events,
        refused: Vec::new(),
        next: Some(next),
    })
}

/// The refused requests that tell of the person, of sources that are the organisation's or whose latest event was of it.
async fn refused_ones(
    session: &Session,
    page: ErasePage,
    after: RefusedId,
) -> Result<Erasing, Fault> {
    let words = Words::of(&page.person);
    let sources: Vec<&str> = page.sources.iter().map(SourceName::as_str).collect();
    let organisation = page.person.organisation.as_str();
    let rows = session
        .query(
            KEPT,
            &[&after.0, &sources, &organisation, &REFUSED, &REFUSED_BYTES],
        )
        .await?;
    let (mut told, mut last, mut bytes) = (Vec::new(), None, 0_i64);
    for row in &rows {
        let id: i64 = row.try_get("id")?;
        last = Some(id);
        bytes = bytes.saturating_add(row.try_get("bytes")?);
        if words.stand_in_request(&refused::request(row)?) {
            told.push(id);
        }
    }
    let is_full =
        i64::try_from(rows.len()).unwrap_or(i64::MAX) == REFUSED || bytes >= REFUSED_BYTES;
    let next = last.filter(|_| is_full);
    Ok(Erasing {
        page,
        events: Vec::new(),
        refused: told,
        next: next.map(|id| EraseAfter::Refused(RefusedId(id))),
    })
}

async fn single(session: &Session, events: &[i64]) -> Result<HashSet<i64>, Fault> {
    if events.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = session.query(DELIVERIES, &[&events]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Those of which a delivery was or is for the person.
async fn delivered(
    session: &Session,
    events: &[i64],
    person: &Person,
) -> Result<HashSet<i64>, Fault> {
    let mut delivered = HashSet::new();
    if events.is_empty() {
        return Ok(delivered);
    }
    if let Some(id) = person.id.as_ref().map(CustomerId::as_str) {
        let organisation = person.organisation.as_str();
        let rows = session
            .query(IN_HISTORY, &[&events, &id, &organisation])
            .await?;
        for row in &rows {
            delivered.insert(row.try_get(0)?);
        }
    }
    for row in &session.query(REFERENCES, &[&events]).await? {
        let event: i64 = row.try_get(0)?;
        let reference: CustomerReference = decode::json(row.try_get(1)?, "customer")?;
        if person.is_meant_by(&reference) {
            delivered.insert(event);
        }
    }
    Ok(delivered)
}
