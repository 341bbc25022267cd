//! The contract suite, on files.

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::{open, outside};
use crate::{
    event::EventSeq,
    store::{
        AuditLog, Hands, Leases, ObservedUpdates, RefusedRequests, Store, StoredRequests,
        contract::{Archived, Erasing, Home, contract_suite},
        upkeep::Upkeep,
    },
};

struct Directory(TempDir);

#[expect(clippy::unused_async, reason = "the suite awaits every engine")]
async fn directory() -> Option<Directory> {
    Some(Directory(tempfile::tempdir().unwrap()))
}

#[async_trait]
impl Home for Directory {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(open(self.0.path()))
    }

    async fn open_refused(&self) -> Box<dyn RefusedRequests> {
        Box::new(open(self.0.path()))
    }

    async fn open_requests(&self) -> Box<dyn StoredRequests> {
        Box::new(open(self.0.path()))
    }

    async fn open_observed(&self) -> Box<dyn ObservedUpdates> {
        Box::new(open(self.0.path()))
    }

    async fn open_audit(&self) -> Box<dyn AuditLog> {
        Box::new(open(self.0.path()))
    }

    async fn open_erasure(&self) -> (Arc<dyn Store>, Arc<dyn Erasing>) {
        let store = Arc::new(open(self.0.path()));
        (store.clone(), store)
    }

    async fn open_upkeep(&self) -> (Arc<dyn Store>, Arc<dyn Upkeep>) {
        let store = Arc::new(open(self.0.path()));
        (store.clone(), store)
    }

    async fn open_leases(&self) -> (Arc<dyn Store>, Arc<dyn Leases>) {
        let store = Arc::new(open(self.0.path()));
        (store.clone(), store)
    }

    async fn open_archive(&self) -> Box<dyn Archived> {
        Box::new(open(self.0.path()))
    }

    async fn open_hands(&self) -> (Arc<dyn Store>, Arc<dyn Hands>) {
        let store = Arc::new(open(self.0.path()));
        (store.clone(), store)
    }

    async fn prune(&self, event: EventSeq) {
        let connection = outside(self.0.path());
        for table in [
            "event WHERE seq",
            "dedup WHERE event",
            "delivery WHERE event",
        ] {
            connection
                .execute(&format!("DELETE FROM {table} = ?1"), [event.0])
                .unwrap();
        }
    }
}

contract_suite!(directory);
