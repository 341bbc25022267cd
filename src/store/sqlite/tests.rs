//! The contract, and what only this engine promises: how it meets damage, full disks, other programs and the end of
//! its own threads, and that its statements walk indexes.

mod archive;
mod contract;
mod erase;
mod file;
mod origin;
mod trouble;

use std::{path::Path, time::Duration};

use rusqlite::Connection;

use super::*;

fn options() -> SqliteOptions {
    SqliteOptions {
        disk_reserve: 0,
        busy: Duration::from_millis(50),
        ..SqliteOptions::default()
    }
}

fn try_open(directory: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(directory, options(), Clock::system())
}

fn open(directory: &Path) -> SqliteStore {
    try_open(directory).unwrap()
}

/// A connection of another program.
fn outside(directory: &Path) -> Connection {
    let connection = Connection::open(directory.join("gateway.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

impl SqliteStore {
    /// Runs on the writer's connection, outside of any transaction.
    async fn on_writer<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = oneshot::channel();
        let job = Job::Run(Box::new(move |connection| {
            drop(reply.send(run(connection)));
        }));
        assert!(self.writes.send(job).await.is_ok());
        answer.await.unwrap()
    }
}
