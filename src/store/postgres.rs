//! The store in a PostgreSQL database that several replicas share.
//!
//! One task of each replica accepts (`writer`: group commit), with a connection of its own; everything else is short
//! transactions on a few more ([`connect`]), apart for delivery, for people and for leases, so that none waits for another kind.
//! There is no clustering beside the database: whatever replicas must agree on is a row.
//!
//! - **Order over replicas.** Whoever gives new numbers holds the lock of `meta` until its transaction is committed, so numbers
//!   are seen in their order and a reader that remembers the last one misses none.
//! - **A stopped process holds nothing for long.** Sessions end transactions that are idle for seconds, and statements that wait.
//! - **An unknown outcome.** Where a connection breaks while a change is being committed, the call says
//!   [`StoreError::Unavailable`], and the change has been made or not, as a whole. Asking again is safe: accepting is protected by
//!   its keys, ends by the delivery that they end.
//! - **Time** is the callers', as for any store, but for leases, which go by the database's clock alone.

/// Runs a read on a connection of this pool.
macro_rules! read {
    ($store:ident.$pool:ident, |$session:ident| $work:expr) => {{
        let read = async {
            let borrowed =
                $crate::store::postgres::session::Session::new($store.pools.$pool.get().await?);
            let $session = &borrowed;
            $work.await
        };
        $store.answer_to(read).await
    }};
}

/// Runs several reads that see one state of everything, on a connection of this pool.
macro_rules! look {
    ($store:ident.$pool:ident, |$session:ident| $work:expr) => {{
        let read = async {
            let client = $store.pools.$pool.get().await?;
            let snapshot = $crate::store::postgres::session::Snapshot::begin(client).await?;
            let $session = snapshot.session();
            let found = $work.await?;
            snapshot.end().await?;
            Ok(found)
        };
        $store.answer_to(read).await
    }};
}

/// Runs a change in a transaction on a connection of this pool, and commits it.
macro_rules! change {
    ($store:ident.$pool:ident, |$step:ident| $work:expr) => {{
        let change = async {
            let client = $store.pools.$pool.get().await?;
            let mut begun = $crate::store::postgres::session::Step::begin(client).await?;
            let done = {
                let $step = &mut begun;
                $work.await?
            };
            begun.commit().await?;
            Ok(done)
        };
        $store.answer_to(change).await
    }};
}

/// Runs a change that only who holds the lease of the organisation may make.
macro_rules! leased {
    ($store:ident, $organisation:ident, |$step:ident| $work:expr) => {{
        // As it is in the moment of the call.
        let holding = $store.held.of($organisation);
        change!($store.delivering, |$step| async {
            $step.fence($store.process, &holding).await?;
            $work.await
        })
    }};
}

mod accept;
mod address;
mod applied;
mod archive;
mod audit;
mod connect;
mod durable;
mod ends;
mod erase;
mod fault;
mod hands;
mod hosts;
mod insert;
mod leases;
mod left_out;
mod lineage;
mod look;
mod migrations;
mod observed;
mod queue;
mod refused;
mod requests;
mod secrets;
mod session;
mod tally;
pub(super) mod target;
mod upkeep;
mod watcher;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::task::TaskTracker;

use self::{
    connect::{Lender, Pools},
    durable::Trust,
    fault::Fault,
    leases::Held,
    session::Session,
    watcher::Watcher,
    writer::{Call, Job, Reply, Writer},
};
use super::{
    Acceptance, AppliedPart, Bury, DeliveryRecord, Finish, KnownRequest, LaneHead, Learned,
    NewEvent, ProcessId, Retry, ReusedId, Store, StoreError, Totals, decode, health::Health,
    rows::EventRows,
};
use crate::{
    clock::Clock,
    customer::{CustomerId, PartKey},
    event::{Attempt, Delivery, DeliveryPos, EventSeq, LaneKey, OrganisationName, SourceName},
};

pub use self::{
    address::{AddressError, PostgresAddress, Tls},
    connect::OpenError,
    durable::Durability,
};

/// Requests that may wait for the writer; more are refused.
const QUEUE: usize = 4096;

/// Rows of counters for each source: the first is that of accepting, which one replica does at a time; changes take one of the others
/// by chance, so that they seldom wait for each other.
const SLOTS: i16 = 16;
const ACCEPTING: i16 = 0;

const NEWEST: &str = "SELECT next_delivery - 1 FROM meta";

/// See the module.
pub struct PostgresStore {
    pools: Pools,
    process: ProcessId,
    held: Arc<Held>,
    writes: Mutex<Option<mpsc::Sender<Job>>>,
    arrivals: Arc<watch::Sender<DeliveryPos>>,
    value_key: [u8; 32],
    health: Arc<Health>,
    /// The writer, which ends when nobody can ask it any more.
    writing: TaskTracker,
    /// The watcher, which ends with the store.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held to be dropped"))]
    watching: JoinSet<()>,
}

impl PostgresStore {
    /// Opens the store of a database, making its tables where they are missing.
    ///
    /// # Errors
    /// The text says what to do about it. Nothing is changed in tables that are newer.
    pub async fn open(
        address: &PostgresAddress,
        durability: Durability,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let pools = Pools::new(address)?;
        connect::prepare(&pools, address, durability).await?;
        let broken = |fault: Fault| OpenError::Migration {
            what: fault.error().to_string(),
        };
        let (value_key, newest) = facts(&pools.people).await.map_err(broken)?;
        let health = Arc::new(Health::new(clock.clone()));
        let arrivals = Arc::new(watch::Sender::new(newest));
        let trust = Arc::new(Trust::new(durability));
        let (sender, jobs) = mpsc::channel(QUEUE);
        let writer = Writer {
            pool: pools.accepting.clone(),
            slot: ACCEPTING,
            arrivals: Arc::clone(&arrivals),
            health: Arc::clone(&health),
            trust: Arc::clone(&trust),
        };
        let held = Arc::new(Held::new(clock.clone()));
        let watcher = Watcher {
            pool: pools.watching.clone(),
            known: Arc::clone(&pools.known),
            arrivals: Arc::clone(&arrivals),
            health: Arc::clone(&health),
            held: Arc::clone(&held),
            trust,
            clock,
        };
        let writing = TaskTracker::new();
        writing.spawn(writer.run(jobs));
        writing.close();
        let mut watching = JoinSet::new();
        watching.spawn(watcher.run());
        Ok(Self {
            writing,
            watching,
            pools,
            process: ProcessId(rand::random()),
            held,
            writes: Mutex::new(Some(sender)),
            arrivals,
            value_key,
            health,
        })
    }

    /// Asks the writer; refused where too many wait.
    async fn ask<I, O>(
        &self,
        input: I,
        job: impl FnOnce(Call<I, O>) -> Job,
    ) -> Result<O, StoreError> {
        self.health.is_open()?;
        let (call, reply) = Call::new(input);
        let sent = match &*self.writes.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(writes) => writes.try_send(job(call)),
            None => return Err(self.gone()),
        };
        match sent {
            Ok(()) => self.answer(reply).await,
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Unavailable {
                what: "too many writes are waiting".to_owned(),
            }),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.gone()),
        }
    }

    /// Does something with the database, while the store is open.
    async fn answer_to<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, StoreError> {
        self.health.is_open()?;
        work.await.map_err(Fault::error)
    }

    /// Refuses what can wait while requests do: what is accepted comes first.
    fn has_time(&self) -> Result<(), StoreError> {
        self.health.is_writable()?;
        match &*self.writes.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(writes) if writes.capacity() < writes.max_capacity() / 2 => {
                Err(StoreError::Unavailable {
                    what: "too many writes are waiting".to_owned(),
                })
            }
            Some(_) => Ok(()),
            None => Err(self.gone()),
        }
    }

    async fn answer<T>(&self, reply: Reply<T>) -> Result<T, StoreError> {
        reply.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Why nobody takes calls any more.
    fn gone(&self) -> StoreError {
        let closing = StoreError::Closed {
            what: "it is being closed".to_owned(),
        };
        self.health.is_open().err().unwrap_or(closing)
    }
}

/// The key for values, and the greatest position so far.
async fn facts(pool: &Lender) -> Result<([u8; 32], DeliveryPos), Fault> {
    let session = Session::new(pool.get().await?);
    let sql = "SELECT value_key, next_delivery - 1 FROM meta";
    let row = session
        .query_opt(sql, &[])
        .await?
        .ok_or_else(|| Fault::Call("the row of `meta` is missing".to_owned()))?;
    let value_key: &[u8] = row.try_get(0)?;
    Ok((
        decode::bytes(value_key, "value key")?,
        DeliveryPos(row.try_get(1)?),
    ))
}

#[async_trait]
impl Store for PostgresStore {
    async fn accept(&self, event: NewEvent) -> Result<Acceptance, StoreError> {
        self.ask(EventRows::new(event)?, Job::Accept).await
    }

    async fn known(&self, request: KnownRequest) -> Result<Option<Acceptance>, StoreError> {
        self.ask(request, Job::Known).await
    }

    async fn reused_ids(&self, limit: u32) -> Result<Vec<ReusedId>, StoreError> {
        read!(self.people, |session| look::reused_ids(session, limit))
    }

    fn arrivals(&self) -> watch::Receiver<DeliveryPos> {
        self.arrivals.subscribe()
    }

    async fn arrived(
        &self,
        organisation: &OrganisationName,
        after: DeliveryPos,
        limit: u32,
    ) -> Result<Vec<LaneHead>, StoreError> {
        read!(self.delivering, |session| queue::arrived(
            session,
            organisation,
            after,
            limit
        ))
    }

    async fn lanes(
        &self,
        organisation: &OrganisationName,
        after: Option<LaneKey>,
        limit: u32,
    ) -> Result<Vec<LaneHead>, StoreError> {
        read!(self.delivering, |session| queue::lanes(
            session,
            organisation,
            after,
            limit
        ))
    }

    async fn take(
        &self,
        organisation: &OrganisationName,
        lane: LaneKey,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        read!(self.delivering, |session| queue::take(
            session,
            organisation,
            lane,
            limit
        ))
    }

    async fn finish(
        &self,
        organisation: &OrganisationName,
        finish: Finish,
    ) -> Result<bool, StoreError> {
        leased!(self, organisation, |step| step
            .finish(organisation, &finish))
    }

    async fn retry(
        &self,
        organisation: &OrganisationName,
        retry: Retry,
    ) -> Result<bool, StoreError> {
        leased!(self, organisation, |step| step.retry(organisation, &retry))
    }

    async fn bury(&self, organisation: &OrganisationName, bury: Bury) -> Result<bool, StoreError> {
        leased!(self, organisation, |step| step.bury(organisation, &bury))
    }

    async fn doubt(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
        parts: Vec<PartKey>,
    ) -> Result<(), StoreError> {
        leased!(self, organisation, |step| step.doubt(
            organisation,
            customer,
            &parts
        ))
    }

    async fn applied(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
    ) -> Result<Vec<AppliedPart>, StoreError> {
        read!(self.delivering, |session| applied::applied(
            session,
            organisation,
            customer
        ))
    }

    fn value_key(&self) -> &[u8; 32] {
        &self.value_key
    }

    async fn deliveries_of(&self, event: EventSeq) -> Result<Vec<DeliveryRecord>, StoreError> {
        read!(self.people, |session| look::deliveries_of(session, event))
    }

    async fn dead(
        &self,
        source: Option<&SourceName>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        read!(self.people, |session| look::dead(session, source, limit))
    }

    async fn attempts_of(
        &self,
        event: EventSeq,
        item: u32,
        number: u32,
    ) -> Result<Vec<Attempt>, StoreError> {
        read!(self.people, |session| look::attempts_of(
            session, event, item, number
        ))
    }

    async fn body_of(&self, event: EventSeq) -> Result<Option<Bytes>, StoreError> {
        read!(self.people, |session| look::body_of(session, event))
    }

    async fn learn_secret(
        &self,
        source: &SourceName,
        secret: SecretString,
        at: Timestamp,
    ) -> Result<Learned, StoreError> {
        change!(self.people, |step| step.learn_secret(source, &secret, at))
    }

    async fn forget_secret(&self, source: &SourceName) -> Result<bool, StoreError> {
        change!(self.people, |step| step.forget_secret(source))
    }

    async fn learned_secrets(&self) -> Result<Vec<(SourceName, SecretString)>, StoreError> {
        read!(self.people, |session| secrets::all(session))
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        let sources = self.totals_by_source().await?;
        Ok(sources
            .iter()
            .fold(Totals::default(), |sum, (_source, totals)| sum.plus(totals)))
    }

    async fn totals_by_source(&self) -> Result<Vec<(SourceName, Totals)>, StoreError> {
        read!(self.people, |session| tally::by_source(session))
    }

    async fn oldest_waiting(
        &self,
        organisation: &OrganisationName,
    ) -> Result<Option<Timestamp>, StoreError> {
        read!(self.people, |session| queue::oldest_waiting(
            session,
            organisation
        ))
    }

    fn is_writable(&self) -> Result<(), StoreError> {
        self.health.is_writable()
    }

    async fn close(&self) {
        let writes = self
            .writes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(writes);
        self.writing.wait().await;
        self.health.end("it was closed");
        self.pools.close();
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("writable", &self.is_writable())
            .finish_non_exhaustive()
    }
}
