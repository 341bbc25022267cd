//! Reads what waits, for the delivery of it. Each statement walks one index and touches only the rows it returns.

use rusqlite::{Connection, Row, params};

use super::{decode, fault::Fault};
use crate::{
    event::{Delivery, DeliveryPos, EventSeq, LaneKey, OrderBy, OrganisationName},
    store::{
        LaneHead, MOST_OF_LANE,
        progress::{Progress, ProgressColumns},
    },
};

const ARRIVED: &str = "
    SELECT lane, pos, state, next_attempt, redelivered_at IS NOT NULL, coalesce(next_attempt <= redelivered_at, 0)
    FROM delivery INDEXED BY delivery_waiting
    WHERE organisation = ?1 AND state = 'waiting' AND pos > ?2 ORDER BY pos LIMIT ?3";

// One seek for each lane, from the end of the one before: lanes with many deliveries cost no more than others.
pub(super) const NEXT_LANE: &str = "
    SELECT lane, pos, state, next_attempt,
           redelivered_at IS NOT NULL
           AND (SELECT last.redelivered_at IS NOT NULL FROM delivery AS last INDEXED BY delivery_lane
                WHERE last.organisation = delivery.organisation AND last.lane = delivery.lane AND last.state <> 'dead'
                ORDER BY last.pos DESC LIMIT 1),
           coalesce(next_attempt <= redelivered_at, 0)
    FROM delivery INDEXED BY delivery_lane
    WHERE organisation = ?1 AND lane > ?2 AND state <> 'dead' ORDER BY lane, pos LIMIT 1";

const LAST_OF_LANE: &str = "
    SELECT redelivered_at IS NOT NULL FROM delivery INDEXED BY delivery_lane
    WHERE organisation = ?1 AND lane = ?2 AND state <> 'dead' ORDER BY pos DESC LIMIT 1";

const FIRST_OF_LANE: &str = "
    SELECT redelivered_at IS NOT NULL FROM delivery INDEXED BY delivery_lane
    WHERE organisation = ?1 AND lane = ?2 AND state <> 'dead' ORDER BY pos LIMIT ?3";

const TAKE: &str = "
    SELECT pos, event, item, number, source, customer, patch, order_by, accepted_at, attempts, spent,
           earlier_attempts, redelivered_at, overwrites, revision, place
    FROM delivery INDEXED BY delivery_lane
    WHERE organisation = ?1 AND lane = ?2 AND state <> 'dead' ORDER BY pos LIMIT ?3";

/// Without those behind a customer that is looked for: they cannot be sent, whatever is done.
const OLDEST_WAITING: &str = "
    SELECT accepted_at FROM delivery INDEXED BY delivery_waiting
    WHERE organisation = ?1 AND state = 'waiting'
      AND NOT EXISTS (SELECT 1 FROM delivery AS ahead INDEXED BY delivery_lane
                      WHERE ahead.organisation = delivery.organisation AND ahead.lane = delivery.lane
                        AND ahead.pos < delivery.pos AND ahead.state <> 'dead' AND ahead.state = 'looking')
    ORDER BY pos LIMIT 1";

pub(super) fn arrived(
    connection: &Connection,
    organisation: &OrganisationName,
    after: DeliveryPos,
    limit: u32,
) -> Result<Vec<LaneHead>, Fault> {
    let mut statement = connection.prepare_cached(ARRIVED)?;
    let mut rows = statement.query(params![organisation.as_str(), after.0, limit])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        heads.push(head(organisation, row)?);
    }
    Ok(heads)
}

pub(super) fn lanes(
    connection: &Connection,
    organisation: &OrganisationName,
    after: Option<LaneKey>,
    limit: u32,
) -> Result<Vec<LaneHead>, Fault> {
    let mut statement = connection.prepare_cached(NEXT_LANE)?;
    // The empty blob sorts before every lane.
    let mut after = after.map_or_else(Vec::new, |lane| lane.as_bytes().to_vec());
    let mut heads = Vec::new();
    for _ in 0..limit {
        let mut rows = statement.query(params![organisation.as_str(), after])?;
        let Some(row) = rows.next()? else { break };
        let mut head = head(organisation, row)?;
        head.redelivered =
            head.redelivered && are_first_redelivered(connection, organisation, head.lane)?;
        after = head.lane.as_bytes().to_vec();
        heads.push(head);
    }
    Ok(heads)
}

/// Whether nothing new waits in a lane, as far as is looked; see [`LaneHead::redelivered`].
pub(super) fn is_redelivered(
    connection: &Connection,
    organisation: &OrganisationName,
    lane: LaneKey,
) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(LAST_OF_LANE)?;
    let mut rows = statement.query(params![organisation.as_str(), lane.as_bytes()])?;
    let is_last = rows.next()?.map_or(Ok(false), |row| row.get(0))?;
    Ok(is_last && are_first_redelivered(connection, organisation, lane)?)
}

fn are_first_redelivered(
    connection: &Connection,
    organisation: &OrganisationName,
    lane: LaneKey,
) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(FIRST_OF_LANE)?;
    let mut rows = statement.query(params![
        organisation.as_str(),
        lane.as_bytes(),
        MOST_OF_LANE
    ])?;
    while let Some(row) = rows.next()? {
        if !row.get::<_, bool>(0)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn take(
    connection: &Connection,
    organisation: &OrganisationName,
    lane: LaneKey,
    limit: u32,
) -> Result<Vec<Delivery>, Fault> {
    let mut statement = connection.prepare_cached(TAKE)?;
    let mut rows = statement.query(params![organisation.as_str(), lane.as_bytes(), limit])?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(delivery(organisation, lane, row)?);
    }
    Ok(deliveries)
}

pub(super) fn oldest_waiting(
    connection: &Connection,
    organisation: &OrganisationName,
) -> Result<Option<jiff::Timestamp>, Fault> {
    let mut statement = connection.prepare_cached(OLDEST_WAITING)?;
    let mut rows = statement.query([organisation.as_str()])?;
    rows.next()?
        .map(|row| Ok(decode::time(row.get(0)?)?))
        .transpose()
}

fn head(organisation: &OrganisationName, row: &Row<'_>) -> Result<LaneHead, Fault> {
    Ok(LaneHead {
        organisation: organisation.clone(),
        lane: LaneKey::from_bytes(row.get(0)?),
        pos: DeliveryPos(row.get(1)?),
        state: decode::state(row.get_ref(2)?.as_str()?)?,
        next_attempt: decode::time(row.get(3)?)?,
        redelivered: row.get(4)?,
        is_untried_again: row.get(5)?,
    })
}

fn delivery(
    organisation: &OrganisationName,
    lane: LaneKey,
    row: &Row<'_>,
) -> Result<Delivery, Fault> {
    let progress = progress(row, 9)?;
    Ok(Delivery {
        organisation: organisation.clone(),
        lane,
        pos: DeliveryPos(row.get(0)?),
        event: EventSeq(row.get(1)?),
        item: row.get(2)?,
        number: row.get(3)?,
        source: decode::text(row.get_ref(4)?.as_str()?, "source")?,
        customer: decode::json(row.get_ref(5)?.as_str()?, "customer")?,
        patch: decode::json(row.get_ref(6)?.as_str()?, "patch")?,
        order_by: row.get::<_, Option<i64>>(7)?.map(OrderBy),
        accepted_at: decode::time(row.get(8)?)?,
        attempts: progress.attempts,
        earlier_attempts: progress.earlier_attempts,
        spent: progress.spent,
        redelivery: progress.redelivery,
        revision: progress.revision,
        counts_as_of: progress.counts_as_of,
    })
}

/// How far a delivery has come, from the columns `attempts`, `spent`, `earlier_attempts`, `redelivered_at`, `overwrites`,
/// `revision` and `place`, of which this is the first.
pub(super) fn progress(row: &Row<'_>, first: usize) -> Result<Progress, Fault> {
    let columns = ProgressColumns {
        attempts: row.get(first)?,
        spent: row.get(first + 1)?,
        earlier_attempts: row.get(first + 2)?,
        redelivered_at: row.get(first + 3)?,
        overwrites: row.get(first + 4)?,
        revision: row.get(first + 5)?,
        place: row.get(first + 6)?,
    };
    Ok(columns.read()?)
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 6] = [
    ARRIVED,
    NEXT_LANE,
    LAST_OF_LANE,
    FIRST_OF_LANE,
    TAKE,
    OLDEST_WAITING,
];
