//! Finds the events in which a person stands: by the references of their deliveries, and by [words](Words) in their bodies.
//! And, once the last of them is read, the refused requests that were kept whole and tell of the person.

use rusqlite::{Connection, params};

use super::{ErasePage, Erasing};
use crate::{
    customer::{CustomerId, CustomerReference},
    event::EventSeq,
    store::{
        erase::{Person, Words},
        sqlite::{decode, fault::Fault, refused},
    },
};

/// Most events of a page, and after how many bytes of bodies it ends.
const EVENTS: u32 = 200;
const BYTES: usize = 4 << 20;

/// An event in which the person stands.
pub(super) struct Found {
    pub(super) event: i64,
    /// Whether it has one delivery and a body that tells of the person, so that what cannot be mapped is the person's.
    pub(super) is_single: bool,
}

pub(super) const PAGE: &str = "
    SELECT seq, organisation, headers, content_type, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2";
pub(super) const KEPT: &str = "
    SELECT id, received_at, method, target, client, by_proxy, headers, body FROM refused_request
    WHERE coalesce((SELECT organisation FROM event WHERE event.source = refused_request.source ORDER BY seq DESC LIMIT 1), ?1) = ?1
    ORDER BY id";
pub(super) const IN_HISTORY: &str = "
    SELECT EXISTS (SELECT 1 FROM history WHERE event = ?1 AND customer = ?2)
        OR EXISTS (SELECT 1 FROM attempt WHERE event = ?1 AND customer = ?2)";
pub(super) const REFERENCES: &str = "
    SELECT customer FROM delivery WHERE event = ?1 AND customer IS NOT NULL
    UNION ALL
    SELECT customer FROM observed WHERE source = (SELECT source FROM event WHERE seq = ?1) AND event = ?1";
pub(super) const DELIVERIES: &str = "
    SELECT (SELECT count(*) FROM delivery WHERE event = ?1) + (SELECT count(*) FROM history WHERE event = ?1)";

/// Reads a page and finds in it what is to be erased.
pub(super) fn page(connection: &Connection, page: ErasePage) -> Result<Erasing, Fault> {
    let person = &page.person;
    let words = Words::of(person);
    let mut statement = connection.prepare_cached(PAGE)?;
    let mut rows = statement.query(params![page.after.0, EVENTS])?;
    let (mut events, mut next, mut bytes, mut read) = (Vec::new(), None, 0_usize, 0_u32);
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
                let deliveries: i64 = connection
                    .prepare_cached(DELIVERIES)?
                    .query_row([event], |row| row.get(0))?;
                events.push(Found {
                    event,
                    is_single: is_told && deliveries == 1,
                });
            }
        }
        if read == EVENTS || bytes >= BYTES {
            next = Some(EventSeq(event));
            break;
        }
    }
    drop(rows);
    drop(statement);
    let refused = match next {
        Some(_) => Vec::new(),
        None => refused_ones(connection, person, &words)?,
    };
    Ok(Erasing {
        page,
        events,
        refused,
        next,
    })
}

/// The refused requests that tell of the person. Which organisation a source belongs to is told by its latest event; where
/// there is none, nobody else's request can be meant.
fn refused_ones(
    connection: &Connection,
    person: &Person,
    words: &Words,
) -> Result<Vec<i64>, Fault> {
    let mut statement = connection.prepare_cached(KEPT)?;
    let mut rows = statement.query([person.organisation.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let request = refused::request(row)?;
        if words.stand_in_request(&request) {
            found.push(row.get("id")?);
        }
    }
    Ok(found)
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
