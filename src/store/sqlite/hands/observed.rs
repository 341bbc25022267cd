//! What sources only observed: read as the deliveries that it would be, and put into lanes.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use crate::{
    customer::CustomerReference,
    event::{
        Delivery, DeliveryPos, DeliveryState, End, EventSeq, NewerData, OrderBy, Redelivery,
        SourceName,
    },
    store::{
        LaneHead,
        hands::sent_again,
        sqlite::{
            decode,
            fault::Fault,
            group::Group,
            rows::{json, millis},
        },
    },
};

/// About how many bytes one takes in the log.
pub(super) const ROW: u64 = 4096;

// CROSS JOIN keeps the order of the tables, and so that of the index.
pub(in crate::store::sqlite) const OBSERVED_PAGE: &str = "
    SELECT observed.pos, observed.event, observed.item, observed.number, event.organisation, event.received_at,
           observed.order_by, observed.customer, observed.patch, observed.place
    FROM observed INDEXED BY observed_pos CROSS JOIN event ON event.seq = observed.event
    WHERE observed.source = ?1 AND observed.pos > ?2 AND observed.pos <= ?3 ORDER BY observed.pos LIMIT ?4";

// Its history may be gone already, where that is kept for a shorter time than bodies.
const INSERT_DELIVERY: &str = "
    INSERT INTO delivery (pos, organisation, lane, state, next_attempt, event, item, number, source, accepted_at, order_by,
                          rule, warnings, fields, customer, patch, redelivered_at, overwrites, place)
    SELECT observed.pos, event.organisation, ?5, 'waiting', ?6, observed.event, observed.item, observed.number,
           observed.source, event.received_at, observed.order_by, history.rule, history.warnings, ?7, observed.customer,
           observed.patch, ?6, ?8, observed.place
    FROM observed JOIN event ON event.seq = observed.event
                  LEFT JOIN history ON history.event = observed.event AND history.item = observed.item
                                   AND history.number = observed.number
    WHERE observed.source = ?1 AND observed.event = ?2 AND observed.item = ?3 AND observed.number = ?4";

const DELETE_OBSERVED: &str =
    "DELETE FROM observed WHERE source = ?1 AND event = ?2 AND item = ?3 AND number = ?4";

const DELETE_HISTORY: &str = "DELETE FROM history WHERE event = ?1 AND item = ?2 AND number = ?3";

pub(super) fn page(
    connection: &Connection,
    source: &SourceName,
    after: DeliveryPos,
    up_to: DeliveryPos,
    limit: u32,
) -> Result<Vec<Delivery>, Fault> {
    let mut statement = connection.prepare_cached(OBSERVED_PAGE)?;
    let mut rows = statement.query(params![source.as_str(), after.0, up_to.0, limit])?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(delivery(row, source)?);
    }
    Ok(deliveries)
}

fn delivery(row: &Row<'_>, source: &SourceName) -> Result<Delivery, Fault> {
    let customer: CustomerReference = decode::json(row.get_ref(7)?.as_str()?, "customer")?;
    let lane = customer
        .lane()
        .ok_or_else(|| Fault::Call("an observed update of nobody".to_owned()))?;
    Ok(Delivery {
        pos: DeliveryPos(row.get(0)?),
        event: EventSeq(row.get(1)?),
        item: row.get(2)?,
        number: row.get(3)?,
        source: source.clone(),
        organisation: decode::text(row.get_ref(4)?.as_str()?, "organisation")?,
        lane,
        customer,
        patch: decode::json(row.get_ref(8)?.as_str()?, "patch")?,
        order_by: row.get::<_, Option<i64>>(6)?.map(OrderBy),
        accepted_at: decode::time(row.get(5)?)?,
        attempts: 0,
        earlier_attempts: 0,
        spent: Duration::ZERO,
        redelivery: None,
        revision: 0,
        counts_as_of: row.get::<_, Option<i64>>(9)?.map(DeliveryPos),
    })
}

impl Group<'_> {
    pub(super) fn send_observed(
        &mut self,
        source: &SourceName,
        pos: DeliveryPos,
        how: Redelivery,
    ) -> Result<Option<LaneHead>, Fault> {
        let before = DeliveryPos(pos.0.saturating_sub(1));
        let Some(observed) = page(self.connection, source, before, pos, 1)?.pop() else {
            return Ok(None);
        };
        let parts = observed.patch.parts();
        let fields: Vec<String> = parts.iter().map(|(part, _)| part.to_string()).collect();
        let fields =
            json(&fields).map_err(|_| Fault::Call("a list that cannot be written".to_owned()))?;
        let (event, item, number) = (observed.event.0, observed.item, observed.number);
        self.connection
            .prepare_cached(INSERT_DELIVERY)?
            .execute(params![
                source.as_str(),
                event,
                item,
                number,
                observed.lane.as_bytes(),
                millis(how.at),
                fields,
                how.newer == NewerData::Overwritten,
            ])?;
        self.connection
            .prepare_cached(DELETE_HISTORY)?
            .execute(params![event, item, number])?;
        self.connection
            .prepare_cached(DELETE_OBSERVED)?
            .execute(params![source.as_str(), event, item, number])?;
        let tally = self.sum.of_source(source.as_str());
        tally.reopens(End::Dropped);
        tally.enters(DeliveryState::Waiting);
        Ok(Some(sent_again(
            observed.organisation,
            observed.lane,
            pos,
            how,
        )))
    }
}
