//! The contract on a real server, and what only this engine promises.

mod contract;
mod server;

use super::*;

/// A database of its own.
struct Database {
    server: &'static server::Server,
    name: String,
}

impl Database {
    /// `None` where there is no server.
    async fn new() -> Option<Self> {
        let server = server::shared()?;
        let name = server.create_database().await;
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
}
