//! Finds the events in which a person stands: by the references of their deliveries, and by [words](Words) in their bodies.
//! After the last of them come the refused requests that were kept whole and tell of the person.

use rusqlite::{Connection, params};

use super::{EraseAfter, ErasePage, Erasing};
use crate::{
    customer::{CustomerId, CustomerReference},
    event::{EventSeq, SourceName},
    store::{
        RefusedId,
        erase::{Person, Words},
        sqlite::{decode, fault::Fault, refused},
    },
};

/// Most events of a page, and after how many bytes of bodies it ends.
const EVENTS: u32 = 200;
const BYTES: usize = 4 << 20;
/// The same for refused requests.
const REFUSED: u32 = 200;
const REFUSED_BYTES: u64 = 2 << 20;

/// An event in which the person stands.
pub(super) struct Found {
    pub(super) event: i64,
    /// Whether it has one delivery, of the first item, and a body that tells of the person, so that what cannot be mapped is the
    /// person's. Where a later item has the only one, the others are known from another event, and the person may be in those.
    pub(super) is_single: bool,
    /// Of the body and the headers.
    pub(super) bytes: u64,
}

/// A refused request that was kept whole and tells of the person.
pub(super) struct Kept {
    pub(super) id: i64,
    pub(super) bytes: u64,
}

pub(super) const PAGE: &str = "
    SELECT seq, organisation, headers, content_type, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2";
pub(super) const KEPT: &str = "
    SELECT id, received_at, method, target, client, by_proxy, headers, body FROM refused_request
    WHERE id > ?1
      AND (source IN (SELECT value FROM json_each(?2))
           OR (SELECT organisation FROM event WHERE event.source = refused_request.source ORDER BY seq DESC LIMIT 1) = ?3)
    ORDER BY id LIMIT ?4";
pub(super) const IN_HISTORY: &str = "
    SELECT EXISTS (SELECT 1 FROM history WHERE event = ?1 AND customer = ?2)
        OR EXISTS (SELECT 1 FROM attempt WHERE event = ?1 AND customer = ?2)";
pub(super) const REFERENCES: &str = "
    SELECT customer FROM delivery WHERE event = ?1 AND customer IS NOT NULL
    UNION ALL
    SELECT customer FROM observed WHERE source = (SELECT source FROM event WHERE seq = ?1) AND event = ?1";
/// Whether it has one delivery, which is the first item's.
pub(super) const DELIVERIES: &str = "
    SELECT (SELECT coalesce(sum(item + 1), 0) FROM delivery WHERE event = ?1)
         + (SELECT coalesce(sum(item + 1), 0) FROM history WHERE event = ?1) = 1";

/// Reads a page and finds in it what is to be erased.
pub(super) fn page(connection: &Connection, page: ErasePage) -> Result<Erasing, Fault> {
    match page.after {
        EraseAfter::Event(after) => events(connection, page, after),
        EraseAfter::Refused(after) => refused_ones(connection, page, after),
    }
}

fn events(connection: &Connection, page: ErasePage, after: EventSeq) -> Result<Erasing, Fault> {
    let person = &page.person;
    let words = Words::of(person);
    let mut statement = connection.prepare_cached(PAGE)?;
    let mut rows = statement.query(params![after.0, EVENTS])?;
    let (mut events, mut next) = (Vec::new(), EraseAfter::EVENTS);
    let (mut bytes, mut read) = (0_usize, 0_u32);
    while let Some(row) = rows.next()? {
        let event: i64 = row.get(0)?;
        read += 1;
        if row.get_ref(1)?.as_str()? == person.organisation.as_str() {
            let headers = row.get_ref(2)?.as_bytes_or_null()?.unwrap_or_default();
            let content_type = row.get_ref(3)?.as_str_or_null()?;
            let body = row.get_ref(4)?.as_bytes_or_null()?.unwrap_or_default();
            bytes = bytes.saturating_add(body.len());
            let is_told = words.stand_in(body, content_type) || words.stand_in(headers, None);
            if is_told || is_delivered(connection, event, person)? {
                let is_single: bool = connection
                    .prepare_cached(DELIVERIES)?
                    .query_row([event], |row| row.get(0))?;
                events.push(Found {
                    event,
                    is_single: is_told && is_single,
                    bytes: u64::try_from(body.len() + headers.len()).unwrap_or(u64::MAX),
                });
            }
        }
        if read == EVENTS || bytes >= BYTES {
            next = EraseAfter::Event(EventSeq(event));
            break;
        }
    }
    drop(rows);
    drop(statement);
    Ok(Erasing {
        page,
        events,
        refused: Vec::new(),
        next: Some(next),
    })
}

/// The refused requests that tell of the person, of sources that are the organisation's or whose latest event was of it.
fn refused_ones(
    connection: &Connection,
    page: ErasePage,
    after: RefusedId,
) -> Result<Erasing, Fault> {
    let words = Words::of(&page.person);
    let sources: Vec<&str> = page.sources.iter().map(SourceName::as_str).collect();
    let sources = serde_json::Value::from(sources).to_string();
    let organisation = page.person.organisation.as_str();
    let mut statement = connection.prepare_cached(KEPT)?;
    let mut rows = statement.query(params![after.0, sources, organisation, REFUSED])?;
    let (mut told, mut next, mut bytes, mut read) = (Vec::new(), None, 0_u64, 0_u32);
    while let Some(row) = rows.next()? {
        let id: i64 = row.get("id")?;
        let request = refused::request(row)?;
        read += 1;
        bytes = bytes.saturating_add(request.size());
        if words.stand_in_request(&request) {
            told.push(Kept {
                id,
                bytes: request.size(),
            });
        }
        if read == REFUSED || bytes >= REFUSED_BYTES {
            next = Some(EraseAfter::Refused(RefusedId(id)));
            break;
        }
    }
    drop(rows);
    drop(statement);
    Ok(Erasing {
        page,
        events: Vec::new(),
        refused: told,
        next,
    })
}

/// Whether a delivery of the event was or is for the person.
fn is_delivered(connection: &Connection, event: i64, person: &Person) -> Result<bool, Fault> {
    if let Some(id) = person.id.as_ref().map(CustomerId::as_str) {
        let is_there: bool = connection
            .prepare_cached(IN_HISTORY)?
            .query_row(params![event, id], |row| row.get(0))?;
        if is_there {
            return Ok(true);
        }
    }
    let mut statement = connection.prepare_cached(REFERENCES)?;
    let mut rows = statement.query([event])?;
    while let Some(row) = rows.next()? {
        let reference: CustomerReference = decode::json(row.get_ref(0)?.as_str()?, "customer")?;
        if person.is_meant_by(&reference) {
            return Ok(true);
        }
    }
    Ok(false)
}
