//! Lists of events and deliveries for people: which index a list is read by, and where a page ends.

mod causes;
mod events;
mod hours;
mod streams;
mod walk;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{SqliteStore, decode, fault::Fault};
use crate::{
    event::{DedupKey, EventSeq, OrderBy},
    store::{
        Archive, ArchiveFilter, DeadCause, DeliveryPlace, ListedDelivery, ListedEvent, OpenUpdate,
        Order, Page, StoreError,
    },
};

pub(super) use self::hours::last as last_hour;

const OPEN_UPDATE: &str = "
    SELECT customer, patch, order_by FROM delivery WHERE event = ?1 AND item = ?2 AND number = ?3";

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

    async fn open_update(&self, place: DeliveryPlace) -> Result<Option<OpenUpdate>, StoreError> {
        self.read_for_people(move |connection| open_update(connection, place))
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

    async fn dead_causes(&self) -> Result<Vec<DeadCause>, StoreError> {
        self.read_for_people(causes::all).await
    }
}

fn open_update(connection: &Connection, place: DeliveryPlace) -> Result<Option<OpenUpdate>, Fault> {
    let mut statement = connection.prepare_cached(OPEN_UPDATE)?;
    let mut rows = statement.query(params![place.event.0, place.item, place.number])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let (customer, patch): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
    let (Some(customer), Some(patch)) = (customer, patch) else {
        return Ok(None);
    };
    Ok(Some(OpenUpdate {
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
        .chain([walk::NEXT_ORGANISATION, OPEN_UPDATE, HOLDER])
        .collect()
}
