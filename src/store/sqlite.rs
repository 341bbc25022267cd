//! The store in one file of the data directory, by SQLite.
//!
//! One thread writes (`writer`: group commit), three read (`reader`), each with a connection of its own; callers
//! are tasks that send a message and wait for its answer. A call whose future is dropped may still take place.
//!
//! The directory belongs to one process: a lock is held as long as the store is open. Other programs may read the
//! file meanwhile, for a short time each. A failed sync is never tried again, since the kernel may have thrown the
//! pages away: the store then ends ([`StoreError::OutcomeUnknown`]), and the next start finds out what is there.
//!
//! What is old enough to be pruned is told from outside ([`super::upkeep`]).

mod accept;
mod applied;
mod archive;
mod audit;
mod directory;
mod disk;
mod ends;
mod erase;
mod fault;
mod group;
mod hands;
mod known;
mod leases;
mod left_out;
mod look;
mod migrations;
mod observed;
mod open;
pub(super) mod origin;
mod queue;
mod reader;
mod refused;
mod requests;
mod secrets;
mod tally;
mod upkeep;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::Connection;
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot, watch};

use self::{
    directory::DataDirectory,
    disk::DiskSpace,
    ends::{Change, What},
    fault::Fault,
    leases::Board,
    reader::Look,
    rows::EventRows,
    writer::{Call, GroupLimit, Job, Reply, Writer},
};
use super::{
    Acceptance, AppliedPart, Bury, DeliveryRecord, Finish, KnownRequest, LaneHead, Learned,
    NewEvent, Retry, ReusedId, Store, StoreError, Totals, decode, health::Health, rows,
};
use crate::{
    clock::Clock,
    customer::{CustomerId, PartKey},
    event::{Attempt, Delivery, DeliveryPos, EventSeq, LaneKey, OrganisationName, SourceName},
};

pub use self::open::OpenError;

const READERS: [&str; 2] = ["store-reader-1", "store-reader-2"];
/// Reads lists for people, so that what they ask never keeps a delivery waiting.
const PEOPLES_READER: &str = "store-reader-people";
const WRITER: &str = "store-writer";
/// Reads that may wait; more are refused.
const READ_QUEUE: usize = 1024;
/// The same of people.
const PEOPLES_QUEUE: usize = 64;

/// What can be set of the store.
#[derive(Clone, Copy, Debug)]
pub struct SqliteOptions {
    /// Bytes that must stay free on the disk: with less, accepting stops while ends can still be written.
    pub disk_reserve: u64,
    /// Calls that may wait for the writer; further accepts are refused, other writes wait.
    pub queue: NonZeroUsize,
    /// Most calls in one transaction.
    pub group: NonZeroUsize,
    /// A transaction that has reached so many bytes takes no more calls.
    pub group_bytes: u64,
    /// How long another program may hold the file before a write gives up.
    pub busy: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            disk_reserve: 256 << 20,
            queue: NonZeroUsize::new(4096).expect("it is not zero"),
            group: NonZeroUsize::new(512).expect("it is not zero"),
            group_bytes: 8 << 20,
            busy: Duration::from_secs(5),
        }
    }
}

/// See the module. Dropping it waits, like [`Store::close`], until what was asked before is written; it needs no
/// runtime for that.
pub struct SqliteStore {
    writes: mpsc::Sender<Job>,
    reads: mpsc::Sender<Look>,
    peoples_reads: mpsc::Sender<Look>,
    threads: tokio::sync::Mutex<Option<Threads>>,
    arrivals: watch::Receiver<DeliveryPos>,
    value_key: [u8; 32],
    board: Board,
    warnings: Vec<String>,
    health: Arc<Health>,
    disk: DiskSpace,
}

/// The threads, and the directory that is theirs until they have ended.
struct Threads {
    readers: Vec<JoinHandle<()>>,
    writer: JoinHandle<()>,
    directory: DataDirectory,
}

impl SqliteStore {
    /// Opens the store of a directory, making both where they are missing. Blocks, for some tenths of a second where
    /// a check or an upgrade has work to do.
    ///
    /// # Errors
    /// The text says what to do about it. Nothing is changed in a file that is not ours, damaged, or newer.
    pub fn open(directory: &Path, options: SqliteOptions, clock: Clock) -> Result<Self, OpenError> {
        let directory = DataDirectory::take(directory)?;
        let path = directory.database();
        let damaged = |what: String| OpenError::Damaged {
            path: path.clone(),
            what,
        };
        let connection = open::writer(&path, options.busy, &clock)?;
        let value_key = connection
            .query_row("SELECT value_key FROM meta", [], |row| row.get(0))
            .map_err(|error| damaged(error.to_string()))?;
        let health = Arc::new(Health::new(clock.clone()));
        let limit = GroupLimit {
            calls: options.group.get(),
            bytes: options.group_bytes,
        };
        let writer = Writer::new(connection, limit, Arc::clone(&health))
            .map_err(|fault| damaged(format!("{fault:?}")))?;
        let arrivals = writer.arrivals();

        let (reads, looks) = mpsc::channel(READ_QUEUE);
        let looks = Arc::new(Mutex::new(looks));
        let (peoples_reads, peoples_looks) = mpsc::channel(PEOPLES_QUEUE);
        let mut queues = vec![(PEOPLES_READER, Arc::new(Mutex::new(peoples_looks)))];
        queues.extend(READERS.map(|name| (name, Arc::clone(&looks))));
        let mut readers = Vec::new();
        for (name, looks) in queues {
            let connection = open::reader(&path, options.busy)?;
            readers.push(spawn(name, move || reader::run(connection, looks))?);
        }
        let (sender, jobs) = mpsc::channel(options.queue.get());
        let writer = spawn(WRITER, move || writer.run(jobs))?;
        Ok(Self {
            writes: sender,
            reads,
            peoples_reads,
            arrivals,
            value_key,
            board: Board::new(clock.clone()),
            warnings: directory.warnings(),
            disk: DiskSpace::new(directory.path().to_owned(), options.disk_reserve, clock),
            threads: tokio::sync::Mutex::new(Some(Threads {
                readers,
                writer,
                directory,
            })),
            health,
        })
    }

    /// What the operator should be told of where the data lies; whole sentences, none when all is well.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    async fn change(
        &self,
        organisation: &OrganisationName,
        what: What,
    ) -> Result<bool, StoreError> {
        self.health.is_open()?;
        let (call, reply) = Call::new(Change {
            organisation: organisation.clone(),
            what,
        });
        // These wait for a place: there are no more of them than deliveries in flight, and losing one means that a
        // customer is updated again.
        if self.writes.send(Job::Change(call)).await.is_err() {
            return Err(self.gone());
        }
        self.answer(reply).await
    }

    async fn answer<T>(&self, reply: Reply<T>) -> Result<T, StoreError> {
        match reply.await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::OutcomeUnknown {
                what: "its writer stopped".to_owned(),
            }),
        }
    }

    /// Why nobody takes calls any more.
    fn gone(&self) -> StoreError {
        let closing = StoreError::Closed {
            what: "it is being closed".to_owned(),
        };
        self.health.is_open().err().unwrap_or(closing)
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read_by(&self.reads, look).await
    }

    async fn read_for_people<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read_by(&self.peoples_reads, look).await
    }

    async fn read_by<T: Send + 'static>(
        &self,
        reads: &mpsc::Sender<Look>,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.health.is_open()?;
        let (reply, answer) = oneshot::channel();
        let run = move |connection: Result<&Connection, Fault>| {
            // Nobody waits any more when the caller was dropped.
            drop(reply.send(connection.and_then(look)));
        };
        match reads.try_send(Look::Run(Box::new(run))) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Err(StoreError::Unavailable {
                    what: "too many reads are waiting".to_owned(),
                });
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(self.gone()),
        }
        match answer.await {
            Ok(read) => reader::answer(read, &self.health),
            Err(_) => Err(StoreError::Closed {
                what: "its readers stopped".to_owned(),
            }),
        }
    }
}

fn spawn(
    name: &'static str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|source| OpenError::Thread { name, source })
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(&self, event: NewEvent) -> Result<Acceptance, StoreError> {
        self.health.is_open()?;
        let rows = EventRows::new(event)?;
        self.disk.permit(rows.size())?;
        let (call, reply) = Call::new(rows);
        match self.writes.try_send(Job::Accept(call)) {
            Ok(()) => self.answer(reply).await,
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Unavailable {
                what: "too many writes are waiting".to_owned(),
            }),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.gone()),
        }
    }

    async fn known(&self, request: KnownRequest) -> Result<Option<Acceptance>, StoreError> {
        self.health.is_open()?;
        let (call, reply) = Call::new(request);
        match self.writes.try_send(Job::Known(call)) {
            Ok(()) => self.answer(reply).await,
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Unavailable {
                what: "too many writes are waiting".to_owned(),
            }),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.gone()),
        }
    }

    async fn reused_ids(&self, limit: u32) -> Result<Vec<ReusedId>, StoreError> {
        self.read(move |connection| known::reused_ids(connection, limit))
            .await
    }

    fn arrivals(&self) -> watch::Receiver<DeliveryPos> {
        self.arrivals.clone()
    }

    async fn arrived(
        &self,
        organisation: &OrganisationName,
        after: DeliveryPos,
        limit: u32,
    ) -> Result<Vec<LaneHead>, StoreError> {
        let organisation = organisation.clone();
        self.read(move |connection| queue::arrived(connection, &organisation, after, limit))
            .await
    }

    async fn lanes(
        &self,
        organisation: &OrganisationName,
        after: Option<LaneKey>,
        limit: u32,
    ) -> Result<Vec<LaneHead>, StoreError> {
        let organisation = organisation.clone();
        self.read(move |connection| queue::lanes(connection, &organisation, after, limit))
            .await
    }

    async fn take(
        &self,
        organisation: &OrganisationName,
        lane: LaneKey,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let organisation = organisation.clone();
        self.read(move |connection| queue::take(connection, &organisation, lane, limit))
            .await
    }

    async fn finish(
        &self,
        organisation: &OrganisationName,
        finish: Finish,
    ) -> Result<bool, StoreError> {
        self.change(organisation, What::Finish(finish)).await
    }

    async fn retry(
        &self,
        organisation: &OrganisationName,
        retry: Retry,
    ) -> Result<bool, StoreError> {
        self.change(organisation, What::Retry(retry)).await
    }

    async fn bury(&self, organisation: &OrganisationName, bury: Bury) -> Result<bool, StoreError> {
        self.change(organisation, What::Bury(bury)).await
    }

    async fn doubt(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
        parts: Vec<PartKey>,
    ) -> Result<(), StoreError> {
        let doubt = What::Doubt(customer.clone(), parts);
        self.change(organisation, doubt).await.map(drop)
    }

    async fn applied(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
    ) -> Result<Vec<AppliedPart>, StoreError> {
        let (organisation, customer) = (organisation.clone(), customer.clone());
        self.read(move |connection| applied::applied(connection, &organisation, &customer))
            .await
    }

    fn value_key(&self) -> &[u8; 32] {
        &self.value_key
    }

    async fn deliveries_of(&self, event: EventSeq) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.read(move |connection| look::deliveries_of(connection, event))
            .await
    }

    async fn dead(
        &self,
        source: Option<&SourceName>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let source = source.cloned();
        self.read(move |connection| look::dead(connection, source.as_ref(), limit))
            .await
    }

    async fn attempts_of(
        &self,
        event: EventSeq,
        item: u32,
        number: u32,
    ) -> Result<Vec<Attempt>, StoreError> {
        self.read(move |connection| look::attempts_of(connection, event, item, number))
            .await
    }

    async fn body_of(&self, event: EventSeq) -> Result<Option<Bytes>, StoreError> {
        self.read(move |connection| look::body_of(connection, event))
            .await
    }

    async fn learn_secret(
        &self,
        source: &SourceName,
        secret: SecretString,
        at: Timestamp,
    ) -> Result<Learned, StoreError> {
        secrets::learn(self, source, secret, at).await
    }

    async fn forget_secret(&self, source: &SourceName) -> Result<bool, StoreError> {
        secrets::forget(self, source).await
    }

    async fn learned_secrets(&self) -> Result<Vec<(SourceName, SecretString)>, StoreError> {
        self.read(secrets::all).await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        let sources = self.totals_by_source().await?;
        Ok(sources
            .iter()
            .fold(Totals::default(), |sum, (_source, totals)| sum.plus(totals)))
    }

    async fn totals_by_source(&self) -> Result<Vec<(SourceName, Totals)>, StoreError> {
        self.read(|connection| {
            tally::by_source(connection)?
                .into_iter()
                .map(|(source, totals)| Ok((decode::text(&source, "source")?, totals)))
                .collect()
        })
        .await
    }

    async fn oldest_waiting(
        &self,
        organisation: &OrganisationName,
    ) -> Result<Option<Timestamp>, StoreError> {
        let organisation = organisation.clone();
        self.read(move |connection| queue::oldest_waiting(connection, &organisation))
            .await
    }

    fn is_writable(&self) -> Result<(), StoreError> {
        self.health.is_writable()?;
        self.disk.permit(0)
    }

    async fn close(&self) {
        let mut threads = self.threads.lock().await;
        let Some(mut ending) = threads.take() else {
            return;
        };
        // A send fails only when the thread has ended already. The writer comes last: connections that close at the same
        // moment each take the other for one that stays, and none empties the write-ahead log.
        drop(self.reads.send(Look::Close).await);
        drop(self.peoples_reads.send(Look::Close).await);
        let readers_ended = tokio::task::spawn_blocking(move || {
            ending.join_readers();
            ending
        })
        .await;
        drop(self.writes.send(Job::Close).await);
        let ended = match readers_ended {
            Ok(ending) => tokio::task::spawn_blocking(move || ending.join()).await,
            Err(error) => Err(error),
        };
        if ended.is_err() {
            tracing::error!("the store's threads could not be waited for");
        }
    }
}

impl Threads {
    fn join_readers(&mut self) {
        self.readers.drain(..).for_each(wait_for);
    }

    /// Waits for them, and then frees the directory.
    fn join(mut self) {
        self.join_readers();
        wait_for(self.writer);
        drop(self.directory);
    }
}

fn wait_for(thread: std::thread::JoinHandle<()>) {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    if thread.join().is_err() {
        tracing::error!(thread = name, "a thread of the store had panicked");
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.get_mut().take() {
            // With their senders gone the threads finish what waits and end, without help of a runtime.
            self.reads = mpsc::channel(1).0;
            self.peoples_reads = mpsc::channel(1).0;
            self.writes = mpsc::channel(1).0;
            threads.join();
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("writable", &self.is_writable())
            .finish_non_exhaustive()
    }
}
