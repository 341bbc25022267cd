//! Reads for people: what an event became, what needs them, what was tried.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{decode, fault::Fault};
use crate::{
    customer::{CustomerId, CustomerReference},
    event::{Attempt, DeliveryPos, EventSeq, SourceName},
    store::{DeliveryPlace, DeliveryRecord, Standing},
};

/// A statement for open deliveries, with the columns in the order of `open_record`. A customer that only an attempt
/// found is that of the latest.
macro_rules! open_records {
    ($which:literal) => {
        concat!(
            "
    SELECT event, item, number, source, organisation, rule, attempts, fields, warnings,
           pos, state, next_attempt, code, trouble, customer,
           (SELECT customer FROM attempt
            WHERE attempt.event = delivery.event AND attempt.item = delivery.item
              AND attempt.number = delivery.number AND attempt.customer IS NOT NULL
            ORDER BY attempt.attempt DESC LIMIT 1)
    FROM delivery ",
            $which
        )
    };
}

const OPEN_OF: &str = open_records!("WHERE event = ?1");
const OPEN_ONE: &str = open_records!("WHERE event = ?1 AND item = ?2 AND number = ?3");
const DEAD: &str =
    open_records!("INDEXED BY delivery_dead WHERE state = 'dead' ORDER BY pos DESC LIMIT ?1");
const DEAD_OF_SOURCE: &str = open_records!(
    "INDEXED BY delivery_dead_source WHERE source = ?2 AND state = 'dead' ORDER BY pos DESC LIMIT ?1"
);

const ENDED_OF: &str = "
    SELECT event, item, number, source, organisation, rule, attempts, fields, warnings, \"end\", reason, at, customer
    FROM history WHERE event = ?1";

const ENDED_ONE: &str = "
    SELECT event, item, number, source, organisation, rule, attempts, fields, warnings, \"end\", reason, at, customer
    FROM history WHERE event = ?1 AND item = ?2 AND number = ?3";

const ATTEMPTS: &str = "
    SELECT attempt, at, took, status, outcome, message, customer FROM attempt
    WHERE event = ?1 AND item = ?2 AND number = ?3 ORDER BY attempt";

pub(super) fn deliveries_of(
    connection: &Connection,
    event: EventSeq,
) -> Result<Vec<DeliveryRecord>, Fault> {
    let mut records = Vec::new();
    let mut open = connection.prepare_cached(OPEN_OF)?;
    let mut rows = open.query([event.0])?;
    while let Some(row) = rows.next()? {
        records.push(open_record(row)?);
    }
    let mut ended = connection.prepare_cached(ENDED_OF)?;
    let mut rows = ended.query([event.0])?;
    while let Some(row) = rows.next()? {
        records.push(ended_record(row)?);
    }
    records.sort_by_key(|record| (record.item, record.number));
    Ok(records)
}

/// One delivery, which is open or has ended.
pub(super) fn delivery(
    connection: &Connection,
    place: DeliveryPlace,
    is_open: bool,
) -> Result<Option<DeliveryRecord>, Fault> {
    let sql = if is_open { OPEN_ONE } else { ENDED_ONE };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![place.event.0, place.item, place.number])?;
    let read = if is_open { open_record } else { ended_record };
    rows.next()?.map(read).transpose()
}

pub(super) fn dead(
    connection: &Connection,
    source: Option<&SourceName>,
    limit: u32,
) -> Result<Vec<DeliveryRecord>, Fault> {
    let mut statement = connection.prepare_cached(match source {
        Some(_) => DEAD_OF_SOURCE,
        None => DEAD,
    })?;
    let mut rows = match source {
        Some(source) => statement.query(params![limit, source.as_str()])?,
        None => statement.query([limit])?,
    };
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(open_record(row)?);
    }
    Ok(records)
}

pub(super) fn attempts_of(
    connection: &Connection,
    event: EventSeq,
    item: u32,
    number: u32,
) -> Result<Vec<Attempt>, Fault> {
    let mut statement = connection.prepare_cached(ATTEMPTS)?;
    let mut rows = statement.query(params![event.0, item, number])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(Attempt {
            number: row.get(0)?,
            at: decode::time(row.get(1)?)?,
            took: decode::duration(row.get(2)?)?,
            status: row.get(3)?,
            outcome: decode::outcome(row.get_ref(4)?.as_str()?)?,
            message: row.get(5)?,
            customer: customer_id(row.get(6)?)?,
        });
    }
    Ok(attempts)
}

pub(super) fn body_of(connection: &Connection, event: EventSeq) -> Result<Option<Bytes>, Fault> {
    let body: Option<Option<Vec<u8>>> = connection
        .prepare_cached("SELECT body FROM event WHERE seq = ?1")?
        .query_row([event.0], |row| row.get(0))
        .optional()?;
    Ok(body.flatten().map(Bytes::from))
}

fn open_record(row: &Row<'_>) -> Result<DeliveryRecord, Fault> {
    let code: Option<String> = row.get(12)?;
    let trouble: Option<String> = row.get(13)?;
    let reason = match (code, trouble) {
        (Some(code), Some(trouble)) => Some(format!("{code}: {trouble}")),
        (code, trouble) => code.or(trouble),
    };
    // The one that an attempt found, or else the one that the mapping named.
    let customer = match customer_id(row.get(15)?)? {
        Some(found) => Some(found),
        None => row
            .get::<_, Option<String>>(14)?
            .map(|text| decode::json::<CustomerReference>(&text, "customer"))
            .transpose()?
            .and_then(|reference| reference.id),
    };
    let standing = Standing::Open {
        pos: DeliveryPos(row.get(9)?),
        state: decode::state(row.get_ref(10)?.as_str()?)?,
        next_attempt: decode::time(row.get(11)?)?,
        reason,
    };
    record(row, standing, customer)
}

fn ended_record(row: &Row<'_>) -> Result<DeliveryRecord, Fault> {
    let standing = Standing::Ended {
        end: decode::end(row.get_ref(9)?.as_str()?)?,
        reason: row.get(10)?,
        at: decode::time(row.get(11)?)?,
    };
    let customer = customer_id(row.get(12)?)?;
    record(row, standing, customer)
}

/// The columns that all records share: the first nine.
fn record(
    row: &Row<'_>,
    standing: Standing,
    customer: Option<CustomerId>,
) -> Result<DeliveryRecord, Fault> {
    Ok(DeliveryRecord {
        event: EventSeq(row.get(0)?),
        item: row.get(1)?,
        number: row.get(2)?,
        source: decode::text(row.get_ref(3)?.as_str()?, "source")?,
        organisation: decode::text(row.get_ref(4)?.as_str()?, "organisation")?,
        rule: row.get(5)?,
        attempts: row.get(6)?,
        fields: decode::list(row.get(7)?, "fields")?,
        warnings: decode::list(row.get(8)?, "warnings")?,
        standing,
        customer,
    })
}

fn customer_id(text: Option<String>) -> Result<Option<CustomerId>, Fault> {
    Ok(text
        .map(|text| decode::text(&text, "customer"))
        .transpose()?)
}
