//! Lists of events and deliveries for people: which index a list is read by, and where a page ends.
//!
//! A page is one snapshot, read in chunks that grow: a handful of statements, however many rows it takes to fill it.

mod causes;
mod events;
mod hours;
mod known;
mod streams;
mod walk;

use async_trait::async_trait;
use tokio_postgres::Row;

use super::{PostgresStore, fault::Fault, session::Session};
use crate::{
    event::{DedupKey, EventSeq, OrderBy, OrganisationName, SourceName},
    store::{
        Archive, ArchiveFilter, DeadCause, DeliveryPlace, KeptUpdate, ListedDelivery, ListedEvent,
        Order, Page, StoreError, decode,
    },
};

// A delivery is open or was observed, never both.
const KEPT_UPDATE: &str = "
    SELECT customer, patch, order_by FROM delivery WHERE event = $1 AND item = $2 AND number = $3
    UNION ALL
    SELECT customer, patch, order_by FROM observed WHERE source = $4 AND event = $1 AND item = $2 AND number = $3
    LIMIT 1";

const HOLDER: &str = "SELECT event FROM dedup WHERE key = $1";

/// Rows of the first chunk of a page, at least.
const FIRST: usize = 64;
/// Rows of a chunk, at most.
const LARGEST: usize = 1_000;

/// The size of the chunk behind one of this size.
fn next_chunk(chunk: usize) -> usize {
    chunk.saturating_mul(4).min(LARGEST)
}

#[async_trait]
impl Archive for PostgresStore {
    async fn events(
        &self,
        filter: ArchiveFilter,
        order: Order,
        after: Option<DeliveryPlace>,
        limit: u32,
    ) -> Result<Page<ListedEvent>, StoreError> {
        look!(self.people, |session| events::page(
            session, &filter, order, after, limit
        ))
    }

    async fn deliveries(
        &self,
        filter: ArchiveFilter,
        order: Order,
        after: Option<DeliveryPlace>,
        limit: u32,
    ) -> Result<Page<ListedDelivery>, StoreError> {
        look!(self.people, |session| walk::page(
            session, &filter, order, after, limit
        ))
    }

    async fn event(&self, seq: EventSeq) -> Result<Option<ListedEvent>, StoreError> {
        let mut listed = look!(self.people, |session| events::listed(session, &[seq.0]))?;
        Ok(listed.pop())
    }

    async fn kept_update(
        &self,
        source: &SourceName,
        place: DeliveryPlace,
    ) -> Result<Option<KeptUpdate>, StoreError> {
        read!(self.people, |session| kept_update(session, source, place))
    }

    async fn holder(&self, key: DedupKey) -> Result<Option<EventSeq>, StoreError> {
        read!(self.people, |session| holder(session, key))
    }

    async fn knows(&self, organisation: &OrganisationName) -> Result<bool, StoreError> {
        read!(self.people, |session| known::is_known(
            session,
            organisation
        ))
    }

    async fn dead_causes(&self) -> Result<Vec<DeadCause>, StoreError> {
        read!(self.people, |session| causes::all(session))
    }
}

/// Nothing where the mapping gave nothing to send.
async fn kept_update(
    session: &Session,
    source: &SourceName,
    place: DeliveryPlace,
) -> Result<Option<KeptUpdate>, Fault> {
    let (item, number) = (i64::from(place.item), i64::from(place.number));
    let row = session
        .query_opt(
            KEPT_UPDATE,
            &[&place.event.0, &item, &number, &source.as_str()],
        )
        .await?;
    let update = |row: Row| {
        let customer: Option<&str> = row.try_get(0)?;
        let Some((customer, patch)) = customer.zip(row.try_get(1)?) else {
            return Ok(None);
        };
        Ok(Some(KeptUpdate {
            customer: decode::json(customer, "customer")?,
            patch: decode::json(patch, "patch")?,
            order_by: row.try_get::<_, Option<i64>>(2)?.map(OrderBy),
        }))
    };
    row.map_or(Ok(None), update)
}

async fn holder(session: &Session, key: DedupKey) -> Result<Option<EventSeq>, Fault> {
    let row = session
        .query_opt(HOLDER, &[&key.as_bytes().as_slice()])
        .await?;
    row.map(|row| Ok(EventSeq(row.try_get(0)?))).transpose()
}

#[cfg(test)]
pub(super) fn planned() -> Vec<&'static str> {
    let orders = [Order::NewestFirst, Order::OldestFirst];
    let ordered = streams::PLANNED.into_iter().chain(events::PLANNED);
    ordered
        .flat_map(|statement| orders.map(|order| statement.get(order)))
        .chain(causes::PLANNED)
        .chain(events::PLANNED_ONE)
        .chain([walk::ORGANISATIONS, known::KNOWN, KEPT_UPDATE, HOLDER])
        .collect()
}
