//! Lists of events and deliveries for people: which index a list is read by, and where a page ends.

mod causes;
mod events;
mod hours;
mod known;
mod streams;
mod walk;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{SqliteStore, decode, fault::Fault};
use crate::{
    event::{DedupKey, EventSeq, OrderBy, OrganisationName, SourceName},
    store::{
        Archive, ArchiveFilter, DeadCause, DeliveryPlace, KeptUpdate, ListedDelivery, ListedEvent,
        Order, Page, StoreError,
    },
};

pub(super) use self::hours::last as last_hour;

const OPEN_UPDATE: &str = "
    SELECT customer, patch, order_by FROM delivery WHERE event = ?1 AND item = ?2 AND number = ?3";

const OBSERVED_UPDATE: &str = "
    SELECT customer, patch, order_by FROM observed WHERE source = ?4 AND event = ?1 AND item = ?2 AND number = ?3";

const HOLDER: &str = "SELECT event FROM dedup WHERE key = ?1";

#[async_trait]
impl Archive for SqliteStore {
    async fn events(
        &self,
        filter: ArchiveFilter,
        order: Order,
        after: Option<DeliveryPlace>,
        limit: u32,
    ) -> Result<Page<ListedEvent>, StoreError> {
        self.read_for_people(move |connection| {
            events::page(connection, &filter, order, after, limit)
        })
        .await
    }

    async fn deliveries(
        &self,
        filter: ArchiveFilter,
        order: Order,
        after: Option<DeliveryPlace>,
        limit: u32,
    ) -> Result<Page<ListedDelivery>, StoreError> {
        self.read_for_people(move |connection| walk::page(connection, &filter, order, after, limit))
            .await
    }

    async fn event(&self, seq: EventSeq) -> Result<Option<ListedEvent>, StoreError> {
        self.read_for_people(move |connection| events::one(connection, seq))
            .await
    }

    async fn kept_update(
        &self,
        source: &SourceName,
        place: DeliveryPlace,
    ) -> Result<Option<KeptUpdate>, StoreError> {
        let source = source.clone();
        self.read_for_people(move |connection| kept_update(connection, &source, place))
            .await
    }

    async fn holder(&self, key: DedupKey) -> Result<Option<EventSeq>, StoreError> {
        self.read_for_people(move |connection| {
            let mut statement = connection.prepare_cached(HOLDER)?;
            let holder = statement.query_row([key.as_bytes()], |row| row.get(0));
            Ok(holder.optional()?.map(EventSeq))
        })
        .await
    }

    async fn knows(&self, organisation: &OrganisationName) -> Result<bool, StoreError> {
        let organisation = organisation.clone();
        self.read_for_people(move |connection| known::is_known(connection, &organisation))
            .await
    }

    async fn dead_causes(&self) -> Result<Vec<DeadCause>, StoreError> {
        self.read_for_people(causes::all).await
    }
}

fn kept_update(
    connection: &Connection,
    source: &SourceName,
    place: DeliveryPlace,
) -> Result<Option<KeptUpdate>, Fault> {
    let (event, item, number) = (place.event.0, place.item, place.number);
    let mut open = connection.prepare_cached(OPEN_UPDATE)?;
    let mut rows = open.query(params![event, item, number])?;
    if let Some(row) = rows.next()? {
        return update(row);
    }
    let mut observed = connection.prepare_cached(OBSERVED_UPDATE)?;
    let mut rows = observed.query(params![event, item, number, source.as_str()])?;
    rows.next()?.map_or(Ok(None), update)
}

/// Nothing where the mapping gave nothing to send.
fn update(row: &Row<'_>) -> Result<Option<KeptUpdate>, Fault> {
    let (customer, patch): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
    let (Some(customer), Some(patch)) = (customer, patch) else {
        return Ok(None);
    };
    Ok(Some(KeptUpdate {
        customer: decode::json(&customer, "customer")?,
        patch: decode::json(&patch, "patch")?,
        order_by: row.get::<_, Option<i64>>(2)?.map(OrderBy),
    }))
}

#[cfg(test)]
pub(super) fn planned() -> Vec<&'static str> {
    let orders = [Order::NewestFirst, Order::OldestFirst];
    let ordered = streams::PLANNED
        .into_iter()
        .chain(events::PLANNED)
        .flat_map(|statement| orders.map(|order| statement.get(order)));
    ordered
        .chain(hours::PLANNED)
        .chain(causes::PLANNED)
        .chain(events::PLANNED_ONE)
        .chain([
            walk::NEXT_ORGANISATION,
            known::KNOWN,
            OPEN_UPDATE,
            OBSERVED_UPDATE,
            HOLDER,
        ])
        .collect()
}
