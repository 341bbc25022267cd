//! What people do: short transactions on connections of their own.
//!
//! What several may change at once is locked first, in the order of positions, and read after that: what is read is what the
//! last one left, and nobody waits in a circle.

mod observed;
mod read;
mod remap;
mod write;

use async_trait::async_trait;
use jiff::Timestamp;

use super::PostgresStore;
use crate::{
    event::{Delivery, DeliveryPos, EventSeq, Redelivery, SourceName},
    store::{
        Hands, LaneHead, OpenDelivery, OpenFilter, OpenPage, Pause, PauseScope, Remapped,
        Remapping, StoreError, StoredEvent,
        hands::{Remap, bounded},
    },
};

#[async_trait]
impl Hands for PostgresStore {
    async fn open_deliveries(
        &self,
        filter: OpenFilter,
        after: DeliveryPos,
        limit: u32,
    ) -> Result<OpenPage, StoreError> {
        look!(self.people, |session| read::page(
            session, &filter, after, limit
        ))
    }

    async fn newest(&self) -> Result<DeliveryPos, StoreError> {
        read!(self.people, |session| read::newest(session))
    }

    async fn open_delivery(&self, pos: DeliveryPos) -> Result<Option<OpenDelivery>, StoreError> {
        let mut open = read!(self.people, |session| read::opened(session, &[pos.0]))?;
        Ok(open.pop())
    }

    async fn redeliver(
        &self,
        positions: Vec<DeliveryPos>,
        how: Redelivery,
    ) -> Result<Vec<LaneHead>, StoreError> {
        bounded(&positions)?;
        change!(self.people, |step| step.redeliver(&positions, how))
    }

    async fn observed_deliveries(
        &self,
        source: SourceName,
        after: DeliveryPos,
        up_to: DeliveryPos,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        read!(self.people, |session| observed::page(
            session, &source, after, up_to, limit
        ))
    }

    async fn send_observed(
        &self,
        source: SourceName,
        positions: Vec<DeliveryPos>,
        how: Redelivery,
    ) -> Result<Vec<LaneHead>, StoreError> {
        bounded(&positions)?;
        change!(self.people, |step| step
            .send_observed(&source, &positions, how))
    }

    async fn discard(
        &self,
        positions: Vec<DeliveryPos>,
        reason: Option<String>,
        at: Timestamp,
    ) -> Result<Vec<DeliveryPos>, StoreError> {
        bounded(&positions)?;
        change!(self.people, |step| step.discard(
            &positions,
            reason.as_deref(),
            at
        ))
    }

    async fn stored_event(&self, event: EventSeq) -> Result<Option<StoredEvent>, StoreError> {
        read!(self.people, |session| read::stored_event(session, event))
    }

    async fn would_remap(&self, remapping: Remapping) -> Result<Remapped, StoreError> {
        let remap = Remap::new(remapping)?;
        look!(self.people, |session| remap::foreseen(session, &remap))
    }

    async fn remap(&self, remapping: Remapping) -> Result<Remapped, StoreError> {
        let remap = Remap::new(remapping)?;
        let (remapped, arrived) = change!(self.people, |step| step.remap(&remap))?;
        super::watcher::announce(&self.arrivals, arrived);
        Ok(remapped)
    }

    async fn pause(&self, pause: Pause) -> Result<bool, StoreError> {
        change!(self.people, |step| step.pause(&pause))
    }

    async fn resume(&self, scope: PauseScope, at: Timestamp) -> Result<bool, StoreError> {
        change!(self.people, |step| step.resume(&scope, at))
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        read!(self.people, |session| read::pauses(session))
    }
}

#[cfg(test)]
pub(super) fn planned() -> Vec<&'static str> {
    let all = read::PLANNED.into_iter().chain(write::PLANNED);
    all.chain(observed::PLANNED).chain(remap::PLANNED).collect()
}
