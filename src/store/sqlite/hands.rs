//! What people do: asked of the writer and of the readers.

mod observed;
mod read;
mod remap;
mod write;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    SqliteStore,
    writer::{Call, Job},
};
use crate::{
    event::{Delivery, DeliveryPos, EventSeq, Redelivery, SourceName},
    store::{
        Hands, LaneHead, OpenDelivery, OpenFilter, OpenPage, Pause, PauseScope, Remapped,
        Remapping, StoreError, StoredEvent,
        hands::{Remap, bounded},
    },
};

/// A change that a person asked for.
pub(super) enum HandsChange {
    Redeliver {
        positions: Vec<DeliveryPos>,
        how: Redelivery,
    },
    SendObserved {
        source: SourceName,
        positions: Vec<DeliveryPos>,
        how: Redelivery,
    },
    Discard {
        positions: Vec<DeliveryPos>,
        reason: Option<String>,
        at: Timestamp,
    },
    Remap(Remap),
    Pause(Pause),
    Resume(PauseScope, Timestamp),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum HandsOutcome {
    Revived(Vec<LaneHead>),
    Discarded(Vec<DeliveryPos>),
    Remapped(Remapped),
    Done(bool),
}

impl SqliteStore {
    /// Changes that a person asked for may wait for their turn.
    async fn by_hand(&self, change: HandsChange) -> Result<HandsOutcome, StoreError> {
        self.health.is_open()?;
        let (call, reply) = Call::new(change);
        if self.writes.send(Job::Hands(call)).await.is_err() {
            return Err(self.gone());
        }
        self.answer(reply).await
    }
}

fn other_answer(outcome: &HandsOutcome) -> StoreError {
    let what = format!("a call got the answer of another: {outcome:?}");
    StoreError::Broken { what }
}

#[async_trait]
impl Hands for SqliteStore {
    async fn open_deliveries(
        &self,
        filter: OpenFilter,
        after: DeliveryPos,
        limit: u32,
    ) -> Result<OpenPage, StoreError> {
        self.read(move |connection| read::page(connection, &filter, after, limit))
            .await
    }

    async fn newest(&self) -> Result<DeliveryPos, StoreError> {
        self.read(read::newest).await
    }

    async fn open_delivery(&self, pos: DeliveryPos) -> Result<Option<OpenDelivery>, StoreError> {
        self.read(move |connection| read::one(connection, pos))
            .await
    }

    async fn redeliver(
        &self,
        positions: Vec<DeliveryPos>,
        how: Redelivery,
    ) -> Result<Vec<LaneHead>, StoreError> {
        bounded(&positions)?;
        match self
            .by_hand(HandsChange::Redeliver { positions, how })
            .await?
        {
            HandsOutcome::Revived(heads) => Ok(heads),
            other => Err(other_answer(&other)),
        }
    }

    async fn observed_deliveries(
        &self,
        source: SourceName,
        after: DeliveryPos,
        up_to: DeliveryPos,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read(move |connection| observed::page(connection, &source, after, up_to, limit))
            .await
    }

    async fn send_observed(
        &self,
        source: SourceName,
        positions: Vec<DeliveryPos>,
        how: Redelivery,
    ) -> Result<Vec<LaneHead>, StoreError> {
        bounded(&positions)?;
        let rows = u64::try_from(positions.len()).unwrap_or(u64::MAX);
        self.disk.permit(rows.saturating_mul(observed::ROW))?;
        let change = HandsChange::SendObserved {
            source,
            positions,
            how,
        };
        match self.by_hand(change).await? {
            HandsOutcome::Revived(heads) => Ok(heads),
            other => Err(other_answer(&other)),
        }
    }

    async fn discard(
        &self,
        positions: Vec<DeliveryPos>,
        reason: Option<String>,
        at: Timestamp,
    ) -> Result<Vec<DeliveryPos>, StoreError> {
        bounded(&positions)?;
        let change = HandsChange::Discard {
            positions,
            reason,
            at,
        };
        match self.by_hand(change).await? {
            HandsOutcome::Discarded(positions) => Ok(positions),
            other => Err(other_answer(&other)),
        }
    }

    async fn stored_event(&self, event: EventSeq) -> Result<Option<StoredEvent>, StoreError> {
        self.read(move |connection| read::stored_event(connection, event))
            .await
    }

    async fn would_remap(&self, remapping: Remapping) -> Result<Remapped, StoreError> {
        let remap = Remap::new(remapping)?;
        self.read(move |connection| remap::foreseen(connection, &remap))
            .await
    }

    async fn remap(&self, remapping: Remapping) -> Result<Remapped, StoreError> {
        let remap = Remap::new(remapping)?;
        self.disk.permit(remap.rows.size())?;
        match self.by_hand(HandsChange::Remap(remap)).await? {
            HandsOutcome::Remapped(remapped) => Ok(remapped),
            other => Err(other_answer(&other)),
        }
    }

    async fn pause(&self, pause: Pause) -> Result<bool, StoreError> {
        match self.by_hand(HandsChange::Pause(pause)).await? {
            HandsOutcome::Done(done) => Ok(done),
            other => Err(other_answer(&other)),
        }
    }

    async fn resume(&self, scope: PauseScope, at: Timestamp) -> Result<bool, StoreError> {
        match self.by_hand(HandsChange::Resume(scope, at)).await? {
            HandsOutcome::Done(done) => Ok(done),
            other => Err(other_answer(&other)),
        }
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        self.read(read::pauses).await
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 6] = [
    remap::OPEN_PLACES,
    read::OPEN,
    read::DEAD,
    read::DEAD_OF_SOURCE,
    read::OF_EVENT,
    read::ONE,
];

#[cfg(test)]
pub(super) use observed::OBSERVED_PAGE;
