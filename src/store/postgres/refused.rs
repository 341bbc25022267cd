//! The refused requests of a store.
//!
//! One change of them at a time, over all replicas: each touches rows in an order of its own, and they are too little worth to
//! let two wait for each other in a circle.

mod read;
mod write;

use async_trait::async_trait;
use jiff::Timestamp;

pub(super) use self::read::request;
use self::write::{MOST_EXPIRED, Merged};
use super::PostgresStore;
use crate::{
    event::{EventSeq, SourceName},
    store::{
        KeptRequest, NewRefused, RefusedFigures, RefusedFilter, RefusedId, RefusedLimits,
        RefusedRecord, RefusedRequests, StoreError, refused::rows::RefusedRow, rows::millis,
    },
};

#[async_trait]
impl RefusedRequests for PostgresStore {
    async fn record_refused(
        &self,
        batch: Vec<NewRefused>,
        limits: RefusedLimits,
    ) -> Result<(), StoreError> {
        self.has_time()?;
        let rows: Result<Vec<_>, _> = batch.into_iter().map(RefusedRow::new).collect();
        let merged = Merged::new(rows?);
        change!(self.people, |step| step.record_refused(&merged, &limits))
    }

    async fn refused(
        &self,
        filter: RefusedFilter,
        limit: u32,
    ) -> Result<Vec<RefusedRecord>, StoreError> {
        read!(self.people, |session| read::list(session, &filter, limit))
    }

    async fn refused_one(&self, id: RefusedId) -> Result<Option<RefusedRecord>, StoreError> {
        read!(self.people, |session| read::one(session, id))
    }

    async fn kept_request(&self, id: RefusedId) -> Result<Option<KeptRequest>, StoreError> {
        read!(self.people, |session| read::kept_request(session, id))
    }

    async fn kept_of(
        &self,
        source: &SourceName,
        after: RefusedId,
        limit: u32,
    ) -> Result<Vec<RefusedId>, StoreError> {
        read!(self.people, |session| read::kept_of(
            session, source, after, limit
        ))
    }

    async fn accepted_later(&self, id: RefusedId, event: EventSeq) -> Result<bool, StoreError> {
        change!(self.people, |step| step.accepted_later(id, event))
    }

    async fn refused_again(
        &self,
        id: RefusedId,
        reason: &'static str,
        status: u16,
    ) -> Result<bool, StoreError> {
        change!(self.people, |step| step.refused_again(id, reason, status))
    }

    async fn tidy_refused(&self, now: Timestamp, limits: RefusedLimits) -> Result<(), StoreError> {
        let now = millis(now);
        // Each piece is a transaction: whole requests can be many and large.
        while change!(self.people, |step| step.drop_expired(now))? == MOST_EXPIRED {}
        change!(self.people, |step| step.trim_all_refused(&limits))
    }

    async fn refused_figures(&self) -> Result<Vec<(SourceName, RefusedFigures)>, StoreError> {
        read!(self.people, |session| read::figures(session))
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 8] = [
    read::ALL,
    read::OF_SOURCE,
    read::OF_REASON,
    read::OF_BOTH,
    read::KEPT_OF,
    write::TOO_MUCH,
    write::TRIM,
    write::EXPIRED,
];
