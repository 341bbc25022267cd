//! A borrowed connection to read with, and a transaction to change with.
//!
//! A connection on which anything went wrong is thrown away, never given back: what was open on it ends with it.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use deadpool_postgres::Object;
use futures_util::future;
use tokio_postgres::{Row, types::ToSql};

use super::{ACCEPTING, SLOTS, fault::Fault, insert::Insert, tally};
use crate::store::tally::{Tallies, Tally};

/// Parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How long one statement may take before its connection counts as lost. The server gives up earlier (`connect`), so this is
/// for networks that swallow what is sent.
const PATIENCE: Duration = Duration::from_secs(12);

/// A connection, as long as it is borrowed.
pub(super) struct Session {
    /// Always there but in `drop`.
    client: Option<Object>,
    is_broken: AtomicBool,
}

impl Session {
    pub(super) fn new(client: Object) -> Self {
        Self {
            client: Some(client),
            is_broken: AtomicBool::new(false),
        }
    }

    pub(super) fn client(&self) -> Result<&Object, Fault> {
        let gone = || Fault::Call("a connection was used after its end".to_owned());
        self.client.as_ref().ok_or_else(gone)
    }

    /// Runs a statement that is prepared once for each connection.
    pub(super) async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        let client = self.client()?;
        self.timely(async {
            let statement = client.prepare_cached(sql).await?;
            Ok(client.query(&statement, params).await?)
        })
        .await
    }

    /// At most one row.
    pub(super) async fn query_opt(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Option<Row>, Fault> {
        let client = self.client()?;
        self.timely(async {
            let statement = client.prepare_cached(sql).await?;
            Ok(client.query_opt(&statement, params).await?)
        })
        .await
    }

    /// How many rows were changed.
    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Fault> {
        let client = self.client()?;
        self.timely(async {
            let statement = client.prepare_cached(sql).await?;
            Ok(client.execute(&statement, params).await?)
        })
        .await
    }

    /// Several reads, sent at once; their rows in the same order.
    pub(super) async fn query_each(
        &self,
        asked: &[(&str, Params<'_>)],
    ) -> Result<Vec<Vec<Row>>, Fault> {
        let client = self.client()?;
        self.timely(async {
            let mut flight = Vec::with_capacity(asked.len());
            for (sql, params) in asked {
                flight.push((client.prepare_cached(sql).await?, params));
            }
            let sent = flight
                .iter()
                .map(|(statement, params)| client.query(statement, params));
            let answers = future::join_all(sent).await.into_iter();
            Ok(answers.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Runs a statement and commits, in one flight: what it locks is held for no round trip.
    async fn execute_and_commit(&self, last: &Insert<'_>) -> Result<(), Fault> {
        let client = self.client()?;
        self.timely(async {
            let statement = client.prepare_cached(last.sql).await?;
            // Sent in this order, since each is polled in it for the first time.
            let (executed, committed) = future::join(
                client.execute(&statement, &last.columns),
                client.batch_execute("COMMIT"),
            )
            .await;
            executed?;
            Ok(committed?)
        })
        .await
    }

    /// Statements without parameters, one after the other.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Fault> {
        let client = self.client()?;
        self.timely(async { Ok(client.batch_execute(sql).await?) })
            .await
    }

    /// Does something with [`Session::client`], within the time for one statement.
    pub(super) async fn timely<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        // A future that is dropped half way leaves the connection in a state that nobody knows.
        self.is_broken.store(true, Ordering::Relaxed);
        let done = tokio::time::timeout(PATIENCE, work)
            .await
            .unwrap_or_else(|_| Err(Fault::too_late()))?;
        self.is_broken.store(false, Ordering::Relaxed);
        Ok(done)
    }

    pub(super) fn mark_broken(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_broken.load(Ordering::Relaxed)
            && let Some(client) = self.client.take()
        {
            drop(Object::take(client));
        }
    }
}

/// A connection whose reads all see the same, as of the first.
pub(super) struct Snapshot {
    session: Session,
    is_over: bool,
}

impl Snapshot {
    pub(super) async fn begin(client: Object) -> Result<Self, Fault> {
        let session = Session::new(client);
        session
            .run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        Ok(Self {
            session,
            is_over: false,
        })
    }

    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    pub(super) async fn end(mut self) -> Result<(), Fault> {
        self.session.run("COMMIT").await?;
        self.is_over = true;
        Ok(())
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.mark_broken();
        }
    }
}

/// A transaction, and what its changes add up to. Dropped before [`Step::commit`], it leaves nothing behind.
pub(super) struct Step {
    session: Session,
    slot: i16,
    tallies: Tallies,
    is_over: bool,
}

impl Step {
    pub(super) async fn begin(client: Object) -> Result<Self, Fault> {
        let session = Session::new(client);
        session.run("BEGIN").await?;
        Ok(Self {
            session,
            slot: rand::random_range(ACCEPTING + 1..SLOTS),
            tallies: Tallies::default(),
            is_over: false,
        })
    }

    /// To read with what a read without a transaction uses, too.
    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn of_source(&mut self, source: &str) -> &mut Tally {
        self.tallies.of_source(source)
    }

    pub(super) const fn tallies(&mut self) -> &mut Tallies {
        &mut self.tallies
    }

    pub(super) async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        self.session.query(sql, params).await
    }

    pub(super) async fn query_opt(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Option<Row>, Fault> {
        self.session.query_opt(sql, params).await
    }

    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Fault> {
        self.session.execute(sql, params).await
    }

    /// Writes the counters, last, so that their rows are held for a moment only.
    pub(super) async fn commit(mut self) -> Result<(), Fault> {
        let columns = tally::Columns::new(self.slot, &self.tallies);
        match columns.statement() {
            None => self.session.run("COMMIT").await?,
            Some(counted) => self.session.execute_and_commit(&counted).await?,
        }
        self.is_over = true;
        Ok(())
    }

    /// Takes everything back, and keeps the connection.
    pub(super) async fn undo(mut self) -> Result<(), Fault> {
        self.session.run("ROLLBACK").await?;
        self.is_over = true;
        Ok(())
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.mark_broken();
        }
    }
}
