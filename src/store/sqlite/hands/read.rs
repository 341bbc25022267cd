//! Reads open deliveries for a person to decide about, and what is paused.

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use crate::{
    customer::{CustomerId, CustomerReference},
    event::{
        Delivery, DeliveryPos, DeliveryState, EventSeq, LaneKey, OrderBy, OrganisationName,
        SourceName,
    },
    store::{
        OpenDelivery, OpenFilter, OpenPage, Pause, PauseScope, StoredEvent,
        sqlite::{decode, fault::Fault, group::Numbers, queue::progress},
    },
};

/// Rows that one call looks at.
const LOOKED_AT: u32 = 4096;

/// A statement for open deliveries, with the columns in the order of `seen` and `delivery`. What the filter asks for
/// comes first; the rest is only read of those that match.
macro_rules! open {
    ($which:literal) => {
        concat!(
            "
    SELECT pos, state, source, organisation, code, accepted_at, event, item, number,
           (SELECT customer FROM attempt
            WHERE attempt.event = delivery.event AND attempt.item = delivery.item
              AND attempt.number = delivery.number AND attempt.customer IS NOT NULL
            ORDER BY attempt.attempt DESC LIMIT 1),
           customer, lane, patch, order_by, attempts, spent, earlier_attempts, redelivered_at, overwrites, revision, place
    FROM delivery ",
            $which
        )
    };
}

pub(super) const OPEN: &str = open!("WHERE pos > ?1 ORDER BY pos LIMIT ?2");
pub(super) const DEAD: &str =
    open!("INDEXED BY delivery_dead WHERE pos > ?1 AND state = 'dead' ORDER BY pos LIMIT ?2");
pub(super) const DEAD_OF_SOURCE: &str = open!(
    "INDEXED BY delivery_dead_source WHERE pos > ?1 AND source = ?3 AND state = 'dead' ORDER BY pos LIMIT ?2"
);
// Within an event, positions grow with item and number.
pub(super) const OF_EVENT: &str =
    open!("INDEXED BY delivery_event WHERE pos > ?1 AND event = ?3 ORDER BY item, number LIMIT ?2");
pub(super) const ONE: &str = open!("WHERE pos = ?1");

const STORED_EVENT: &str = "
    SELECT source, organisation, received_at, content_type, headers, body FROM event WHERE seq = ?1";

pub(super) fn page(
    connection: &Connection,
    filter: &OpenFilter,
    after: DeliveryPos,
    limit: u32,
) -> Result<OpenPage, Fault> {
    let only_dead = filter.code.is_some() || filter.states == [DeliveryState::Dead];
    let source = filter.source.as_ref().map(SourceName::as_str);
    let mut statement = connection.prepare_cached(match (filter.event, source) {
        (Some(_), _) => OF_EVENT,
        (None, Some(_)) if only_dead => DEAD_OF_SOURCE,
        (None, _) if only_dead => DEAD,
        (None, _) => OPEN,
    })?;
    let mut rows = match (filter.event, source) {
        (Some(event), _) => statement.query(params![after.0, LOOKED_AT, event.0])?,
        (None, Some(source)) if only_dead => {
            statement.query(params![after.0, LOOKED_AT, source])?
        }
        (None, _) => statement.query(params![after.0, LOOKED_AT])?,
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut deliveries, mut looked, mut last) = (Vec::new(), 0, after);
    while let Some(row) = rows.next()? {
        looked += 1;
        last = DeliveryPos(row.get(0)?);
        if filter.up_to.is_some_and(|up_to| up_to < last) {
            return Ok(OpenPage {
                deliveries,
                next: None,
            });
        }
        if let Some(open) = seen(row, filter)? {
            deliveries.push(open);
        }
        if deliveries.len() >= limit {
            break;
        }
    }
    let is_through = looked < LOOKED_AT && deliveries.len() < limit;
    Ok(OpenPage {
        deliveries,
        next: (!is_through).then_some(last),
    })
}

pub(super) fn newest(connection: &Connection) -> Result<DeliveryPos, Fault> {
    let numbers = Numbers::read(connection)?;
    Ok(DeliveryPos(numbers.delivery - 1))
}

pub(super) fn one(
    connection: &Connection,
    pos: DeliveryPos,
) -> Result<Option<OpenDelivery>, Fault> {
    let mut statement = connection.prepare_cached(ONE)?;
    let mut rows = statement.query([pos.0])?;
    match rows.next()? {
        Some(row) => seen(row, &OpenFilter::default()),
        None => Ok(None),
    }
}

/// The delivery, where the filter takes it.
fn seen(row: &Row<'_>, filter: &OpenFilter) -> Result<Option<OpenDelivery>, Fault> {
    let state = decode::state(row.get_ref(1)?.as_str()?)?;
    let source: SourceName = decode::text(row.get_ref(2)?.as_str()?, "source")?;
    let organisation: OrganisationName = decode::text(row.get_ref(3)?.as_str()?, "organisation")?;
    let code: Option<String> = row.get(4)?;
    let accepted_at = decode::time(row.get(5)?)?;
    if !filter.takes(state, &source, &organisation, code.as_deref(), accepted_at) {
        return Ok(None);
    }
    let reference: Option<String> = row.get(10)?;
    let reference = reference
        .map(|text| decode::json::<CustomerReference>(&text, "customer"))
        .transpose()?;
    let found: Option<String> = row.get(9)?;
    let customer: Option<CustomerId> = match found {
        Some(found) => Some(decode::text(&found, "customer")?),
        None => reference
            .as_ref()
            .and_then(|reference| reference.id.clone()),
    };
    if filter.customer.is_some() && filter.customer != customer {
        return Ok(None);
    }
    let pos = DeliveryPos(row.get(0)?);
    let (event, item, number) = (EventSeq(row.get(6)?), row.get(7)?, row.get(8)?);
    let lane: Option<[u8; 16]> = row.get(11)?;
    let patch: Option<String> = row.get(12)?;
    let delivery = match (reference, lane, patch) {
        (Some(customer), Some(lane), Some(patch)) => {
            let progress = progress(row, 14)?;
            Some(Delivery {
                pos,
                event,
                item,
                number,
                source: source.clone(),
                organisation: organisation.clone(),
                lane: LaneKey::from_bytes(lane),
                customer,
                patch: decode::json(&patch, "patch")?,
                order_by: row.get::<_, Option<i64>>(13)?.map(OrderBy),
                accepted_at,
                attempts: progress.attempts,
                earlier_attempts: progress.earlier_attempts,
                spent: progress.spent,
                redelivery: progress.redelivery,
                revision: progress.revision,
                counts_as_of: progress.counts_as_of,
            })
        }
        _ => None,
    };
    Ok(Some(OpenDelivery {
        pos,
        event,
        item,
        number,
        source,
        organisation,
        state,
        code,
        customer,
        delivery,
    }))
}

pub(super) fn stored_event(
    connection: &Connection,
    event: EventSeq,
) -> Result<Option<StoredEvent>, Fault> {
    let mut statement = connection.prepare_cached(STORED_EVENT)?;
    let mut rows = statement.query([event.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let headers: Option<String> = row.get(4)?;
    let headers = headers.map(|headers| decode::json(&headers, "headers"));
    Ok(Some(StoredEvent {
        event,
        source: decode::text(row.get_ref(0)?.as_str()?, "source")?,
        organisation: decode::text(row.get_ref(1)?.as_str()?, "organisation")?,
        received_at: decode::time(row.get(2)?)?,
        content_type: row.get(3)?,
        headers: headers.transpose()?.unwrap_or_default(),
        body: row.get::<_, Option<Vec<u8>>>(5)?.map(Bytes::from),
    }))
}

pub(super) fn pauses(connection: &Connection) -> Result<Vec<Pause>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, name, at, by, reason, ended_at FROM pause ORDER BY kind, name",
    )?;
    let mut rows = statement.query([])?;
    let mut pauses = Vec::new();
    while let Some(row) = rows.next()? {
        let name = row.get_ref(1)?.as_str()?;
        let scope = match row.get_ref(0)?.as_str()? {
            "organisation" => PauseScope::Organisation(decode::text(name, "organisation")?),
            _ => PauseScope::Source(decode::text(name, "source")?),
        };
        pauses.push(Pause {
            scope,
            at: decode::time(row.get(2)?)?,
            ended_at: row
                .get::<_, Option<i64>>(5)?
                .map(decode::time)
                .transpose()?,
            by: row.get(3)?,
            reason: row.get(4)?,
        });
    }
    Ok(pauses)
}
