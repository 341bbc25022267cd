//! The refused requests of a store: what is asked of the writer and of the readers about them.

mod read;
mod write;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc;

pub(super) use self::read::request;
use super::{
    SqliteStore,
    rows::millis,
    writer::{Call, Job},
};
use crate::{
    event::{EventSeq, SourceName},
    store::{
        KeptRequest, NewRefused, RefusedFigures, RefusedFilter, RefusedId, RefusedLimits,
        RefusedRecord, RefusedRequests, StoreError, refused::rows::RefusedRow,
    },
};

/// A change of refused requests.
pub(super) enum RefusedChange {
    Record {
        rows: Vec<RefusedRow>,
        limits: RefusedLimits,
    },
    Accepted {
        id: RefusedId,
        event: EventSeq,
    },
    Again {
        id: RefusedId,
        reason: &'static str,
        status: u16,
    },
    Tidy {
        now: i64,
        limits: RefusedLimits,
    },
}

impl RefusedChange {
    /// Whether it removes whole requests when its outcome is `true`.
    pub(super) const fn drops_requests(&self) -> bool {
        !matches!(self, Self::Again { .. })
    }

    /// Whether it comes once in a while, by the clock.
    pub(super) const fn is_tidying(&self) -> bool {
        matches!(self, Self::Tidy { .. })
    }

    /// About how many bytes it takes on disk.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Record { rows, .. } => rows
                .iter()
                .map(RefusedRow::size)
                .fold(0, u64::saturating_add),
            Self::Accepted { .. } | Self::Again { .. } | Self::Tidy { .. } => 1024,
        }
    }
}

impl SqliteStore {
    /// Changes that a person or the clock asked for, which may wait for their turn.
    async fn change_refused(&self, change: RefusedChange) -> Result<bool, StoreError> {
        self.health.is_open()?;
        let (call, reply) = Call::new(change);
        if self.writes.send(Job::Refused(call)).await.is_err() {
            return Err(self.gone());
        }
        self.answer(reply).await
    }
}

#[async_trait]
impl RefusedRequests for SqliteStore {
    async fn record_refused(
        &self,
        batch: Vec<NewRefused>,
        limits: RefusedLimits,
    ) -> Result<(), StoreError> {
        self.health.is_writable()?;
        let rows: Result<Vec<_>, _> = batch.into_iter().map(RefusedRow::new).collect();
        let change = RefusedChange::Record {
            rows: rows?,
            limits,
        };
        self.disk.permit(change.size())?;
        // What is accepted comes first: it gets the whole second half of the queue.
        if self.writes.capacity() < self.writes.max_capacity() / 2 {
            return Err(StoreError::Unavailable {
                what: "too many writes are waiting".to_owned(),
            });
        }
        let (call, reply) = Call::new(change);
        match self.writes.try_send(Job::Refused(call)) {
            Ok(()) => self.answer(reply).await.map(drop),
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Unavailable {
                what: "too many writes are waiting".to_owned(),
            }),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.gone()),
        }
    }

    async fn refused(
        &self,
        filter: RefusedFilter,
        limit: u32,
    ) -> Result<Vec<RefusedRecord>, StoreError> {
        self.read(move |connection| read::list(connection, &filter, limit))
            .await
    }

    async fn refused_one(&self, id: RefusedId) -> Result<Option<RefusedRecord>, StoreError> {
        self.read(move |connection| read::one(connection, id)).await
    }

    async fn kept_request(&self, id: RefusedId) -> Result<Option<KeptRequest>, StoreError> {
        self.read(move |connection| read::kept_request(connection, id))
            .await
    }

    async fn kept_of(
        &self,
        source: &SourceName,
        after: RefusedId,
        limit: u32,
    ) -> Result<Vec<RefusedId>, StoreError> {
        let source = source.clone();
        self.read(move |connection| read::kept_of(connection, &source, after, limit))
            .await
    }

    async fn accepted_later(&self, id: RefusedId, event: EventSeq) -> Result<bool, StoreError> {
        self.change_refused(RefusedChange::Accepted { id, event })
            .await
    }

    async fn refused_again(
        &self,
        id: RefusedId,
        reason: &'static str,
        status: u16,
    ) -> Result<bool, StoreError> {
        self.change_refused(RefusedChange::Again { id, reason, status })
            .await
    }

    async fn tidy_refused(&self, now: Timestamp, limits: RefusedLimits) -> Result<(), StoreError> {
        let now = millis(now);
        self.change_refused(RefusedChange::Tidy { now, limits })
            .await
            .map(drop)
    }

    async fn refused_figures(&self) -> Result<Vec<(SourceName, RefusedFigures)>, StoreError> {
        self.read(read::figures).await
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 8] = [
    read::ALL,
    read::OF_SOURCE,
    read::OF_REASON,
    read::OF_BOTH,
    read::KEPT_OF,
    write::TRIM,
    write::SUM,
    write::EXPIRED,
];
