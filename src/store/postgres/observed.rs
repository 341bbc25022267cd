//! Reads updates that are kept and not sent.

use async_trait::async_trait;
use tokio_postgres::Row;

use super::{PostgresStore, fault::Fault, session::Session};
use crate::{
    event::{EventSeq, OrderBy, SourceName},
    store::{ObservedPlace, ObservedUpdate, ObservedUpdates, StoreError, decode},
};

const OBSERVED_AFTER: &str = "
    SELECT event, item, number, order_by, customer, patch FROM observed
    WHERE source = $1 AND (event, item, number) > ($2, $3, $4) ORDER BY event, item, number LIMIT $5";

#[async_trait]
impl ObservedUpdates for PostgresStore {
    async fn observed(
        &self,
        source: &SourceName,
        after: Option<ObservedPlace>,
        limit: u32,
    ) -> Result<Vec<ObservedUpdate>, StoreError> {
        read!(self.people, |session| observed(
            session, source, after, limit
        ))
    }
}

async fn observed(
    session: &Session,
    source: &SourceName,
    after: Option<ObservedPlace>,
    limit: u32,
) -> Result<Vec<ObservedUpdate>, Fault> {
    let (event, item, number) = match after {
        Some(place) => (place.event.0, i64::from(place.item), place.number.into()),
        None => (0, 0, 0_i64),
    };
    let limit = i64::from(limit);
    let rows = session
        .query(
            OBSERVED_AFTER,
            &[&source.as_str(), &event, &item, &number, &limit],
        )
        .await?;
    rows.iter().map(update).collect()
}

fn update(row: &Row) -> Result<ObservedUpdate, Fault> {
    Ok(ObservedUpdate {
        place: ObservedPlace {
            event: EventSeq(row.try_get(0)?),
            item: decode::small(row.try_get(1)?)?,
            number: decode::small(row.try_get(2)?)?,
        },
        order_by: row.try_get::<_, Option<i64>>(3)?.map(OrderBy),
        customer: decode::json(row.try_get(4)?, "customer")?,
        patch: decode::json(row.try_get(5)?, "patch")?,
    })
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 1] = [OBSERVED_AFTER];
