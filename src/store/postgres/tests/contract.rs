//! The contract suite, on databases.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Database, server};
use crate::{
    event::EventSeq,
    store::{
        AuditLog, Hands, Leases, ObservedUpdates, RefusedRequests, Store, StoredRequests,
        contract::{Archived, Erasing, Home, contract_suite},
        upkeep::Upkeep,
    },
};

#[async_trait]
impl Home for Database {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(self.holder().await)
    }

    async fn open_refused(&self) -> Box<dyn RefusedRequests> {
        Box::new(Self::open(self).await)
    }

    async fn open_requests(&self) -> Box<dyn StoredRequests> {
        Box::new(Self::open(self).await)
    }

    async fn open_observed(&self) -> Box<dyn ObservedUpdates> {
        Box::new(Self::open(self).await)
    }

    async fn open_audit(&self) -> Box<dyn AuditLog> {
        Box::new(Self::open(self).await)
    }

    async fn open_erasure(&self) -> (Arc<dyn Store>, Arc<dyn Erasing>) {
        let store = Arc::new(self.holder().await);
        (store.clone(), store)
    }

    async fn open_upkeep(&self) -> (Arc<dyn Store>, Arc<dyn Upkeep>) {
        let store = Arc::new(self.holder().await);
        (store.clone(), store)
    }

    async fn open_leases(&self) -> (Arc<dyn Store>, Arc<dyn Leases>) {
        let store = Arc::new(Self::open(self).await);
        (store.clone(), store)
    }

    async fn open_archive(&self) -> Box<dyn Archived> {
        Box::new(self.holder().await)
    }

    async fn open_hands(&self) -> (Arc<dyn Store>, Arc<dyn Hands>) {
        let store = Arc::new(self.holder().await);
        (store.clone(), store)
    }

    async fn prune(&self, event: EventSeq) {
        let client = server::client(&self.server.url(&self.name)).await;
        for table in [
            "event WHERE seq",
            "dedup WHERE event",
            "delivery WHERE event",
        ] {
            let sql = format!("DELETE FROM quentli_gateway.{table} = $1");
            client.execute(&sql, &[&event.0]).await.unwrap();
        }
    }
}

contract_suite!(Database::new);
contract_suite!(several: Database::new);
