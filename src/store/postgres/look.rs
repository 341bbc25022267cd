//! Reads for people: what an event became, what needs them, what was tried.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio_postgres::Row;

use super::{fault::Fault, session::Session};
use crate::{
    customer::{CustomerId, CustomerReference},
    event::{Attempt, DeliveryPos, EventSeq, SourceName},
    store::{DeliveryPlace, DeliveryRecord, ReusedId, Standing, decode},
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

const OPEN_OF: &str = open_records!("WHERE event = $1");
const OPEN_AT: &str = open_records!(
    "WHERE (event, item, number) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]))"
);
const DEAD: &str = open_records!("WHERE state = 'dead' ORDER BY pos DESC LIMIT $1");
const DEAD_OF_SOURCE: &str =
    open_records!("WHERE source = $2 AND state = 'dead' ORDER BY pos DESC LIMIT $1");

const ENDED_OF: &str = r#"
    SELECT event, item, number, source, organisation, rule, attempts, fields, warnings, "end", reason, at, customer
    FROM history WHERE event = $1"#;

const ENDED_AT: &str = r#"
    SELECT event, item, number, source, organisation, rule, attempts, fields, warnings, "end", reason, at, customer
    FROM history WHERE (event, item, number) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]))"#;

const ATTEMPTS: &str = "
    SELECT attempt, at, took, status, outcome, message, customer FROM attempt
    WHERE event = $1 AND item = $2 AND number = $3 ORDER BY attempt";

const REUSED_IDS: &str = "
    SELECT event, source, times, first_at, last_at FROM reused_id ORDER BY event DESC LIMIT $1";

pub(super) async fn deliveries_of(
    session: &Session,
    event: EventSeq,
) -> Result<Vec<DeliveryRecord>, Fault> {
    let mut records = Vec::new();
    for row in &session.query(OPEN_OF, &[&event.0]).await? {
        records.push(open_record(row)?);
    }
    for row in &session.query(ENDED_OF, &[&event.0]).await? {
        records.push(ended_record(row)?);
    }
    records.sort_by_key(|record| (record.item, record.number));
    Ok(records)
}

/// Deliveries of which it is known where they are open and where they have ended.
pub(super) async fn at_places(
    session: &Session,
    open: &[DeliveryPlace],
    ended: &[DeliveryPlace],
) -> Result<BTreeMap<DeliveryPlace, DeliveryRecord>, Fault> {
    let columns = |places: &[DeliveryPlace]| -> [Vec<i64>; 3] {
        [
            places.iter().map(|place| place.event.0).collect(),
            places.iter().map(|place| place.item.into()).collect(),
            places.iter().map(|place| place.number.into()).collect(),
        ]
    };
    let [open_events, open_items, open_numbers] = columns(open);
    let [ended_events, ended_items, ended_numbers] = columns(ended);
    let answers = session
        .query_each(&[
            (OPEN_AT, &[&open_events, &open_items, &open_numbers]),
            (ENDED_AT, &[&ended_events, &ended_items, &ended_numbers]),
        ])
        .await?;
    let [open, ended] = answers.as_slice() else {
        return Err(Fault::Call("a read gave no answer".to_owned()));
    };
    let open = open.iter().map(open_record);
    let all = open.chain(ended.iter().map(ended_record));
    let mut records = BTreeMap::new();
    for record in all {
        let record = record?;
        let place = DeliveryPlace {
            event: record.event,
            item: record.item,
            number: record.number,
        };
        records.insert(place, record);
    }
    Ok(records)
}

pub(super) async fn dead(
    session: &Session,
    source: Option<&SourceName>,
    limit: u32,
) -> Result<Vec<DeliveryRecord>, Fault> {
    let limit = i64::from(limit);
    let rows = match source {
        Some(source) => {
            session
                .query(DEAD_OF_SOURCE, &[&limit, &source.as_str()])
                .await?
        }
        None => session.query(DEAD, &[&limit]).await?,
    };
    rows.iter().map(open_record).collect()
}

pub(super) async fn attempts_of(
    session: &Session,
    event: EventSeq,
    item: u32,
    number: u32,
) -> Result<Vec<Attempt>, Fault> {
    let (item, number) = (i64::from(item), i64::from(number));
    let rows = session.query(ATTEMPTS, &[&event.0, &item, &number]).await?;
    let attempt = |row: &Row| {
        let status: Option<i64> = row.try_get(3)?;
        Ok(Attempt {
            number: decode::small(row.try_get(0)?)?,
            at: decode::time(row.try_get(1)?)?,
            took: decode::duration(row.try_get(2)?)?,
            status: status.map(decode::status).transpose()?,
            outcome: decode::outcome(row.try_get(4)?)?,
            message: row.try_get(5)?,
            customer: customer_id(row.try_get(6)?)?,
        })
    };
    rows.iter().map(attempt).collect()
}

pub(super) async fn body_of(session: &Session, event: EventSeq) -> Result<Option<Bytes>, Fault> {
    let row = session
        .query_opt("SELECT body FROM event WHERE seq = $1", &[&event.0])
        .await?;
    let body: Option<Option<Vec<u8>>> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(body.flatten().map(Bytes::from))
}

/// The latest events whose id came again with another body, newest first.
pub(super) async fn reused_ids(session: &Session, limit: u32) -> Result<Vec<ReusedId>, Fault> {
    let rows = session.query(REUSED_IDS, &[&i64::from(limit)]).await?;
    let reused = |row: &Row| {
        Ok(ReusedId {
            event: EventSeq(row.try_get(0)?),
            source: decode::text(row.try_get(1)?, "source")?,
            times: u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or_default(),
            first_at: decode::time(row.try_get(3)?)?,
            last_at: decode::time(row.try_get(4)?)?,
        })
    };
    rows.iter().map(reused).collect()
}

fn open_record(row: &Row) -> Result<DeliveryRecord, Fault> {
    let code: Option<String> = row.try_get(12)?;
    let trouble: Option<String> = row.try_get(13)?;
    let reason = match (code, trouble) {
        (Some(code), Some(trouble)) => Some(format!("{code}: {trouble}")),
        (code, trouble) => code.or(trouble),
    };
    // The one that an attempt found, or else the one that the mapping named.
    let customer = match customer_id(row.try_get(15)?)? {
        Some(found) => Some(found),
        None => row
            .try_get::<_, Option<&str>>(14)?
            .map(|text| decode::json::<CustomerReference>(text, "customer"))
            .transpose()?
            .and_then(|reference| reference.id),
    };
    let standing = Standing::Open {
        pos: DeliveryPos(row.try_get(9)?),
        state: decode::state(row.try_get(10)?)?,
        next_attempt: decode::time(row.try_get(11)?)?,
        reason,
    };
    record(row, standing, customer)
}

fn ended_record(row: &Row) -> Result<DeliveryRecord, Fault> {
    let standing = Standing::Ended {
        end: decode::end(row.try_get(9)?)?,
        reason: row.try_get(10)?,
        at: decode::time(row.try_get(11)?)?,
    };
    let customer = customer_id(row.try_get(12)?)?;
    record(row, standing, customer)
}

/// The columns that all records share: the first nine.
fn record(
    row: &Row,
    standing: Standing,
    customer: Option<CustomerId>,
) -> Result<DeliveryRecord, Fault> {
    Ok(DeliveryRecord {
        event: EventSeq(row.try_get(0)?),
        item: decode::small(row.try_get(1)?)?,
        number: decode::small(row.try_get(2)?)?,
        source: decode::text(row.try_get(3)?, "source")?,
        organisation: decode::text(row.try_get(4)?, "organisation")?,
        rule: row.try_get(5)?,
        attempts: decode::small(row.try_get(6)?)?,
        fields: decode::list(row.try_get(7)?, "fields")?,
        warnings: decode::list(row.try_get(8)?, "warnings")?,
        standing,
        customer,
    })
}

pub(super) fn customer_id(text: Option<String>) -> Result<Option<CustomerId>, Fault> {
    Ok(text
        .map(|text| decode::text(&text, "customer"))
        .transpose()?)
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 8] = [
    OPEN_OF,
    OPEN_AT,
    DEAD,
    DEAD_OF_SOURCE,
    ENDED_OF,
    ENDED_AT,
    ATTEMPTS,
    REUSED_IDS,
];
