//! The contract on a real server, and what only this engine promises.

mod changing;
mod contract;
mod migrating;
mod opening;
mod plans;
mod removing;
mod server;
mod target;

use std::time::Duration;

use super::*;
use crate::store::{LeaseName, Leases as _};

/// Databases that tests have done with.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A database of its own.
struct Database {
    server: &'static server::Server,
    name: String,
}

impl Database {
    /// `None` where there is no server.
    async fn new() -> Option<Self> {
        let server = server::shared()?;
        // Making one takes longer than most tests.
        let done_with = FREE.lock().unwrap().pop();
        let name = match done_with {
            Some(name) => {
                server.clear_database(&name).await;
                name
            }
            None => server.create_database().await,
        };
        Some(Self { server, name })
    }

    fn address(&self) -> PostgresAddress {
        PostgresAddress::parse(&self.server.url(&self.name)).unwrap()
    }

    async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.address(), Durability::Required, Clock::system())
            .await
            .unwrap()
    }

    /// A store that may deliver for every organisation of the samples.
    async fn holder(&self) -> PostgresStore {
        let store = self.open().await;
        // Of one that the same test opened before.
        let outside = server::client(&self.server.url(&self.name)).await;
        let sql = "DELETE FROM quentli_gateway.lease";
        outside.batch_execute(sql).await.unwrap();
        for name in ["default", "other", "norte", "north"] {
            let name = LeaseName::Organisation(name.parse().unwrap());
            let by = "test".parse().unwrap();
            let claimed = store.claim(&name, &by, Duration::from_mins(10)).await;
            claimed.unwrap();
        }
        store
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        FREE.lock().unwrap().push(std::mem::take(&mut self.name));
    }
}
