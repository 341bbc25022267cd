//! What sources only observed: read as the deliveries that it would be, and put into lanes.

use std::{collections::BTreeMap, time::Duration};

use tokio_postgres::Row;

use crate::{
    customer::CustomerReference,
    event::{
        Delivery, DeliveryPos, DeliveryState, End, EventSeq, NewerData, OrderBy, Redelivery,
        SourceName,
    },
    store::{
        LaneHead, decode,
        hands::sent_again,
        postgres::{
            fault::Fault,
            session::{Session, Step},
        },
        rows::{json, millis},
    },
};

/// A statement for what a source, `$1`, observed, with the columns of `delivery`.
macro_rules! observed {
    ($which:literal) => {
        concat!(
            "
    SELECT observed.pos, observed.event, observed.item, observed.number, event.organisation, event.received_at,
           observed.order_by, observed.customer, observed.patch, observed.place
    FROM observed JOIN event ON event.seq = observed.event
    WHERE observed.source = $1 ",
            $which
        )
    };
}

const PAGE: &str =
    observed!("AND observed.pos > $2 AND observed.pos <= $3 ORDER BY observed.pos LIMIT $4");
const HOLD: &str =
    observed!("AND observed.pos = ANY($2) ORDER BY observed.pos FOR UPDATE OF observed");

// Its history may be gone already, where that is kept for a shorter time than bodies.
/// Against upkeep and erasing, in their order.
const HOLD_EVENTS: &str = "
    SELECT event.seq FROM observed JOIN event ON event.seq = observed.event
    WHERE observed.source = $1 AND observed.pos = ANY($2) ORDER BY event.seq FOR UPDATE OF event";

const INSERT_DELIVERIES: &str = "
    INSERT INTO delivery (pos, organisation, lane, state, next_attempt, event, item, number, source, accepted_at, order_by,
                          rule, warnings, fields, customer, patch, redelivered_at, overwrites, place)
    SELECT observed.pos, event.organisation, given.lane, 'waiting', $5::bigint, observed.event, observed.item, observed.number,
           observed.source, event.received_at, observed.order_by, history.rule, history.warnings, given.fields,
           observed.customer, observed.patch, $5::bigint, $6::boolean, observed.place
    FROM unnest($2::bigint[], $3::bytea[], $4::text[]) AS given (pos, lane, fields)
         JOIN observed ON observed.source = $1 AND observed.pos = given.pos
         JOIN event ON event.seq = observed.event
         LEFT JOIN history ON history.event = observed.event AND history.item = observed.item
                          AND history.number = observed.number";

const DELETE_HISTORY: &str = "
    DELETE FROM history USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS given (event, item, number)
    WHERE history.event = given.event AND history.item = given.item AND history.number = given.number";

const DELETE_OBSERVED: &str = "DELETE FROM observed WHERE source = $1 AND pos = ANY($2)";

pub(super) async fn page(
    session: &Session,
    source: &SourceName,
    after: DeliveryPos,
    up_to: DeliveryPos,
    limit: u32,
) -> Result<Vec<Delivery>, Fault> {
    let rows = session
        .query(
            PAGE,
            &[&source.as_str(), &after.0, &up_to.0, &i64::from(limit)],
        )
        .await?;
    rows.iter().map(|row| delivery(row, source)).collect()
}

fn delivery(row: &Row, source: &SourceName) -> Result<Delivery, Fault> {
    let customer: CustomerReference = decode::json(row.try_get(7)?, "customer")?;
    let lane = customer
        .lane()
        .ok_or_else(|| Fault::Call("an observed update of nobody".to_owned()))?;
    Ok(Delivery {
        pos: DeliveryPos(row.try_get(0)?),
        event: EventSeq(row.try_get(1)?),
        item: decode::small(row.try_get(2)?)?,
        number: decode::small(row.try_get(3)?)?,
        source: source.clone(),
        organisation: decode::text(row.try_get(4)?, "organisation")?,
        lane,
        customer,
        patch: decode::json(row.try_get(8)?, "patch")?,
        order_by: row.try_get::<_, Option<i64>>(6)?.map(OrderBy),
        accepted_at: decode::time(row.try_get(5)?)?,
        attempts: 0,
        earlier_attempts: 0,
        spent: Duration::ZERO,
        redelivery: None,
        revision: 0,
        counts_as_of: row.try_get::<_, Option<i64>>(9)?.map(DeliveryPos),
    })
}

impl Step {
    /// Gives those that were put into lanes in the order in which they were asked for.
    pub(super) async fn send_observed(
        &mut self,
        source: &SourceName,
        positions: &[DeliveryPos],
        how: Redelivery,
    ) -> Result<Vec<LaneHead>, Fault> {
        let name = source.as_str();
        let asked: Vec<i64> = positions.iter().map(|pos| pos.0).collect();
        self.query(HOLD_EVENTS, &[&name, &asked]).await?;
        let rows = self.query(HOLD, &[&name, &asked]).await?;
        let found = rows.iter().map(|row| delivery(row, source));
        let found: Vec<Delivery> = found.collect::<Result<_, Fault>>()?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        self.open_observed(name, &found, how).await?;
        let mut heads = BTreeMap::new();
        for observed in found {
            let tally = self.of_source(name);
            tally.reopens(End::Dropped);
            tally.enters(DeliveryState::Waiting);
            let head = sent_again(observed.organisation, observed.lane, observed.pos, how);
            heads.insert(observed.pos, head);
        }
        let heads = positions.iter().filter_map(|pos| heads.remove(pos));
        self.look_for_new(heads.collect()).await
    }

    /// Turns what was observed into open deliveries.
    async fn open_observed(
        &self,
        source: &str,
        observed: &[Delivery],
        how: Redelivery,
    ) -> Result<(), Fault> {
        let positions: Vec<i64> = observed.iter().map(|each| each.pos.0).collect();
        let lanes: Vec<&[u8]> = observed
            .iter()
            .map(|each| each.lane.as_bytes().as_slice())
            .collect();
        let fields = observed.iter().map(|each| {
            let parts = each.patch.parts();
            let fields: Vec<String> = parts.iter().map(|(part, _)| part.to_string()).collect();
            json(&fields).map_err(|_| Fault::Call("a list that cannot be written".to_owned()))
        });
        let fields: Vec<String> = fields.collect::<Result<_, Fault>>()?;
        let overwrites = how.newer == NewerData::Overwritten;
        self.execute(
            INSERT_DELIVERIES,
            &[
                &source,
                &positions,
                &lanes,
                &fields,
                &millis(how.at),
                &overwrites,
            ],
        )
        .await?;
        let events: Vec<i64> = observed.iter().map(|each| each.event.0).collect();
        let items: Vec<i64> = observed.iter().map(|each| each.item.into()).collect();
        let numbers: Vec<i64> = observed.iter().map(|each| each.number.into()).collect();
        self.execute(DELETE_HISTORY, &[&events, &items, &numbers])
            .await?;
        self.execute(DELETE_OBSERVED, &[&source, &positions])
            .await?;
        Ok(())
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 6] = [
    PAGE,
    HOLD_EVENTS,
    HOLD,
    INSERT_DELIVERIES,
    DELETE_HISTORY,
    DELETE_OBSERVED,
];
