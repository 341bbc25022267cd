//! Updates that are kept and not sent.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{
    SqliteStore, decode,
    fault::Fault,
    group::Group,
    rows::{DeliveryRow, EventRows, UpdateColumns},
};
use crate::{
    event::{End, EventSeq, OBSERVED, OrderBy, SourceName},
    store::{ObservedPlace, ObservedUpdate, ObservedUpdates, StoreError},
};

const INSERT_HISTORY: &str = "
    INSERT INTO history (event, item, number, source, organisation, \"end\", at, attempts, customer, rule, reason, fields, warnings)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11, ?12)";

const INSERT_OBSERVED: &str = "
    INSERT INTO observed (source, event, item, number, order_by, customer, patch, pos, place)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const OBSERVED_AFTER: &str = "
    SELECT event, item, number, order_by, customer, patch FROM observed
    WHERE source = ?1 AND (event, item, number) > (?2, ?3, ?4) ORDER BY event, item, number LIMIT ?5";

impl Group<'_> {
    /// Writes a delivery that ends at once because its source observes. It keeps a position of its own, for when it is
    /// sent after all; `place` as [`Delivery::counts_as_of`](crate::event::Delivery::counts_as_of).
    pub(super) fn observe(
        &mut self,
        seq: i64,
        event: &EventRows,
        delivery: &DeliveryRow,
        update: &UpdateColumns,
        order_by: Option<i64>,
        place: Option<i64>,
    ) -> Result<(), Fault> {
        let pos = self.sum.numbers.delivery;
        self.sum.numbers.delivery += 1;
        let (source, item, number) = (event.source.as_str(), delivery.item, delivery.number);
        self.connection
            .prepare_cached(INSERT_HISTORY)?
            .execute(params![
                seq,
                item,
                number,
                source,
                event.organisation.as_str(),
                End::Dropped.as_str(),
                event.received_at,
                update.id,
                delivery.rule,
                OBSERVED,
                update.fields,
                delivery.warnings,
            ])?;
        self.connection
            .prepare_cached(INSERT_OBSERVED)?
            .execute(params![
                source,
                seq,
                item,
                number,
                order_by,
                update.customer,
                update.patch,
                pos,
                place,
            ])?;
        Ok(())
    }
}

#[async_trait]
impl ObservedUpdates for SqliteStore {
    async fn observed(
        &self,
        source: &SourceName,
        after: Option<ObservedPlace>,
        limit: u32,
    ) -> Result<Vec<ObservedUpdate>, StoreError> {
        let source = source.clone();
        self.read(move |connection| observed(connection, &source, after, limit))
            .await
    }
}

fn observed(
    connection: &Connection,
    source: &SourceName,
    after: Option<ObservedPlace>,
    limit: u32,
) -> Result<Vec<ObservedUpdate>, Fault> {
    let (event, item, number) = match after {
        Some(place) => (place.event.0, place.item, place.number),
        None => (0, 0, 0),
    };
    let mut statement = connection.prepare_cached(OBSERVED_AFTER)?;
    let mut rows = statement.query(params![source.as_str(), event, item, number, limit])?;
    let mut updates = Vec::new();
    while let Some(row) = rows.next()? {
        updates.push(ObservedUpdate {
            place: ObservedPlace {
                event: EventSeq(row.get(0)?),
                item: row.get(1)?,
                number: row.get(2)?,
            },
            order_by: row.get::<_, Option<i64>>(3)?.map(OrderBy),
            customer: decode::json(row.get_ref(4)?.as_str()?, "customer")?,
            patch: decode::json(row.get_ref(5)?.as_str()?, "patch")?,
        });
    }
    Ok(updates)
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 1] = [OBSERVED_AFTER];
