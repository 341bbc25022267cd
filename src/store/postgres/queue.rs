//! Reads what waits, for the delivery of it. Each statement walks one index and touches little more than the rows it returns.

use tokio_postgres::Row;

use super::{fault::Fault, session::Session};
use crate::{
    event::{Delivery, DeliveryPos, EventSeq, LaneKey, OrderBy, OrganisationName},
    store::{
        LaneHead, MOST_OF_LANE, decode,
        progress::{Progress, ProgressColumns},
    },
};

const ARRIVED: &str = "
    SELECT lane, pos, state, next_attempt, redelivered_at IS NOT NULL, coalesce(next_attempt <= redelivered_at, false)
    FROM delivery
    WHERE organisation = $1 AND state = 'waiting' AND pos > $2 ORDER BY pos LIMIT $3";

// One seek for each lane, from the end of the one before: lanes with many deliveries cost no more than others.
pub(super) const LANES: &str = "
    WITH RECURSIVE head AS (
      (SELECT lane, pos, state, next_attempt, redelivered_at FROM delivery
       WHERE organisation = $1 AND lane > $2 AND state <> 'dead' ORDER BY lane, pos LIMIT 1)
      UNION ALL
      SELECT next.* FROM head, LATERAL (
        SELECT lane, pos, state, next_attempt, redelivered_at FROM delivery
        WHERE organisation = $1 AND lane > head.lane AND state <> 'dead' ORDER BY lane, pos LIMIT 1) AS next
    )
    SELECT lane, pos, state, next_attempt,
           redelivered_at IS NOT NULL
           AND (SELECT last.redelivered_at IS NOT NULL FROM delivery AS last
                WHERE last.organisation = $1 AND last.lane = head.lane AND last.state <> 'dead'
                ORDER BY last.pos DESC LIMIT 1)
           AND NOT EXISTS (SELECT 1 FROM (SELECT redelivered_at FROM delivery AS first
                                          WHERE first.organisation = $1 AND first.lane = head.lane AND first.state <> 'dead'
                                          ORDER BY first.pos LIMIT $4) AS first
                           WHERE first.redelivered_at IS NULL),
           coalesce(next_attempt <= redelivered_at, false)
    FROM head LIMIT $3";

/// The columns of a [`Delivery`].
macro_rules! deliveries {
    ($which:literal) => {
        concat!(
            "
    SELECT pos, event, item, number, source, customer, patch, order_by, accepted_at, attempts, spent,
           earlier_attempts, redelivered_at, overwrites, revision, place
    FROM delivery ",
            $which
        )
    };
}

const TAKE: &str =
    deliveries!("WHERE organisation = $1 AND lane = $2 AND state <> 'dead' ORDER BY pos LIMIT $3");

/// Without those behind a customer that is looked for: they cannot be sent, whatever is done.
const OLDEST_WAITING: &str = "
    SELECT accepted_at FROM delivery
    WHERE organisation = $1 AND state = 'waiting'
      AND NOT EXISTS (SELECT 1 FROM delivery AS ahead
                      WHERE ahead.organisation = delivery.organisation AND ahead.lane = delivery.lane
                        AND ahead.pos < delivery.pos AND ahead.state = 'looking')
    ORDER BY pos LIMIT 1";

pub(super) async fn arrived(
    session: &Session,
    organisation: &OrganisationName,
    after: DeliveryPos,
    limit: u32,
) -> Result<Vec<LaneHead>, Fault> {
    let limit = i64::from(limit);
    let rows = session
        .query(ARRIVED, &[&organisation.as_str(), &after.0, &limit])
        .await?;
    rows.iter().map(|row| head(organisation, row)).collect()
}

pub(super) async fn lanes(
    session: &Session,
    organisation: &OrganisationName,
    after: Option<LaneKey>,
    limit: u32,
) -> Result<Vec<LaneHead>, Fault> {
    // The empty text of bytes sorts before every lane.
    let after = after.map_or_else(Vec::new, |lane| lane.as_bytes().to_vec());
    let limit = i64::from(limit);
    let rows = session
        .query(
            LANES,
            &[
                &organisation.as_str(),
                &after,
                &limit,
                &i64::from(MOST_OF_LANE),
            ],
        )
        .await?;
    rows.iter().map(|row| head(organisation, row)).collect()
}

pub(super) async fn take(
    session: &Session,
    organisation: &OrganisationName,
    lane: LaneKey,
    limit: u32,
) -> Result<Vec<Delivery>, Fault> {
    let key = lane.as_bytes().as_slice();
    let rows = session
        .query(TAKE, &[&organisation.as_str(), &key, &i64::from(limit)])
        .await?;
    rows.iter()
        .map(|row| delivery(organisation, lane, row))
        .collect()
}

pub(super) async fn oldest_waiting(
    session: &Session,
    organisation: &OrganisationName,
) -> Result<Option<jiff::Timestamp>, Fault> {
    let row = session
        .query_opt(OLDEST_WAITING, &[&organisation.as_str()])
        .await?;
    row.map(|row| Ok(decode::time(row.try_get(0)?)?))
        .transpose()
}

pub(super) fn lane(bytes: &[u8]) -> Result<LaneKey, Fault> {
    Ok(LaneKey::from_bytes(decode::bytes(bytes, "lane")?))
}

fn head(organisation: &OrganisationName, row: &Row) -> Result<LaneHead, Fault> {
    Ok(LaneHead {
        organisation: organisation.clone(),
        lane: lane(row.try_get(0)?)?,
        pos: DeliveryPos(row.try_get(1)?),
        state: decode::state(row.try_get(2)?)?,
        next_attempt: decode::time(row.try_get(3)?)?,
        redelivered: row.try_get(4)?,
        is_untried_again: row.try_get(5)?,
    })
}

fn delivery(organisation: &OrganisationName, lane: LaneKey, row: &Row) -> Result<Delivery, Fault> {
    let progress = progress(row, 9)?;
    Ok(Delivery {
        organisation: organisation.clone(),
        lane,
        pos: DeliveryPos(row.try_get(0)?),
        event: EventSeq(row.try_get(1)?),
        item: decode::small(row.try_get(2)?)?,
        number: decode::small(row.try_get(3)?)?,
        source: decode::text(row.try_get(4)?, "source")?,
        customer: decode::json(row.try_get(5)?, "customer")?,
        patch: decode::json(row.try_get(6)?, "patch")?,
        order_by: row.try_get::<_, Option<i64>>(7)?.map(OrderBy),
        accepted_at: decode::time(row.try_get(8)?)?,
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
pub(super) fn progress(row: &Row, first: usize) -> Result<Progress, Fault> {
    let columns = ProgressColumns {
        attempts: decode::small(row.try_get(first)?)?,
        spent: row.try_get(first + 1)?,
        earlier_attempts: decode::small(row.try_get(first + 2)?)?,
        redelivered_at: row.try_get(first + 3)?,
        overwrites: row.try_get(first + 4)?,
        revision: decode::small(row.try_get(first + 5)?)?,
        place: row.try_get(first + 6)?,
    };
    Ok(columns.read()?)
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 4] = [ARRIVED, LANES, TAKE, OLDEST_WAITING];
