//! Sees to it that what one process at a time may do is done by one: takes leases, does the work while they last, renews
//! them, hands them over.
//!
//! The unit is a [`Duty`]: a lease of the store with the [`Work`] that goes with it. One task, the [`Keeper`], looks every
//! second at who is there and who holds what, and decides by rules that every replica follows alike ([`plan`]): each takes
//! its fair share of the organisations, and whoever has more gives one away. Beside it each lease that is held has a task
//! of its own (`tenancy`), which renews it after a third of its time and passes on what people did meanwhile.
//!
//! # Promises
//!
//! - **Never two.** Work ends, dropped where it is, before its lease does: the [`Tenure`] tells it until when it may begin
//!   what takes a while, counted by this process's own monotonic clock from before the lease was asked for. A process that
//!   was stopped and goes on finds its tenure over before it sends anything.
//! - **Never none for long.** What is free is taken within a second or so by a replica that has room, and after some seconds
//!   by any. Whoever ends in order gives its leases back at once.
//! - **Alone it costs nothing.** Where the store belongs to one process, each duty begins at once and lasts as long as the
//!   process, and nothing looks.
//!
//! It knows neither what the work is nor how the store keeps leases.

mod plan;
mod tenancy;
mod tenure;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{
    plan::{Step, View, plan},
    tenancy::Tenancy,
};
use crate::{
    clock::Clock,
    store::{Changes, Lease, LeaseName, Leases, Replica, ReplicaName, StoreError},
};

pub use self::tenure::Tenure;

/// How often it is looked who holds what, and what people did.
const LOOK: Duration = Duration::from_secs(1);
/// How often this process says that it is there, and how long that holds.
const ATTEND: Duration = Duration::from_secs(5);
const PRESENT_FOR: Duration = Duration::from_secs(15);
/// How long this process leaves a lease alone that it gave away.
const REST: Duration = Duration::from_secs(10);
/// How long an end waits for the store to take a lease back. One that it does not take ends by itself.
const LETTING_GO: Duration = Duration::from_secs(3);

/// What this process may do under a lease, from the claim on.
#[derive(Debug)]
pub struct Term {
    pub tenure: Tenure,
    /// Begin nothing more, finish what is under way, and return.
    pub soft: CancellationToken,
    /// Drop everything and return at once.
    pub hard: CancellationToken,
}

/// What is done while a lease is held.
#[async_trait]
pub trait Work: Send + Sync + fmt::Debug {
    /// Does it for one term, from a state that knows nothing of earlier ones.
    ///
    /// # Errors
    /// What kept it from going on: [`StoreError::NotHeld`] where the lease turned out to be lost; anything else ends the
    /// process.
    async fn run(&self, term: Term) -> Result<(), StoreError>;

    /// Looks what people wanted, while it runs. `acted`: they did something, asking another replica. Otherwise it is time to
    /// look anyway.
    ///
    /// # Errors
    /// It could not be looked; it is asked again soon.
    async fn look(&self, acted: bool) -> Result<(), StoreError>;

    /// How it stands, for other replicas to show.
    fn status(&self) -> Option<String>;

    /// Waits until others should know that it stands differently. Cancel-safe.
    async fn stirs(&self);
}

/// Work that goes with a lease.
#[derive(Clone, Debug)]
pub struct Duty {
    pub lease: LeaseName,
    /// How long the lease lasts from each claim and renewal.
    pub lasts: Duration,
    /// How long what is begun may take: nothing is begun so late that it could outlive the lease. Less than `lasts`.
    pub reserve: Duration,
    pub work: Arc<dyn Work>,
}

/// The task. See the module.
#[derive(Debug)]
pub struct Keeper {
    leases: Arc<dyn Leases>,
    clock: Clock,
    replica: ReplicaName,
    duties: BTreeMap<LeaseName, Duty>,
    changes: watch::Sender<Changes>,
    held: BTreeMap<LeaseName, Held>,
    tenancies: JoinSet<(LeaseName, Result<(), StoreError>)>,
    present: Vec<Replica>,
    attended_at: Option<Duration>,
    /// Since when leases of ours are held by nobody.
    free_since: BTreeMap<LeaseName, Duration>,
    /// Until when leases are left alone that were given away.
    resting: BTreeMap<LeaseName, Duration>,
    is_store_away: bool,
}

/// A lease whose tenancy runs.
#[derive(Debug)]
struct Held {
    /// Ends it in order.
    soft: CancellationToken,
    is_given_away: bool,
}

impl Keeper {
    pub fn new(
        leases: Arc<dyn Leases>,
        clock: Clock,
        replica: ReplicaName,
        duties: impl IntoIterator<Item = Duty>,
    ) -> Self {
        let duties = duties.into_iter();
        Self {
            leases,
            clock,
            replica,
            duties: duties.map(|duty| (duty.lease.clone(), duty)).collect(),
            changes: watch::Sender::default(),
            held: BTreeMap::new(),
            tenancies: JoinSet::new(),
            present: Vec::new(),
            attended_at: None,
            free_since: BTreeMap::new(),
            resting: BTreeMap::new(),
            is_store_away: false,
        }
    }

    /// What all processes tell each other by numbers, as it was seen last.
    pub fn changes(&self) -> watch::Receiver<Changes> {
        self.changes.subscribe()
    }

    /// Keeps its duties until told to stop. From `retire` on it takes no further ones; from `soft` on it ends them in order,
    /// gives their leases back, and returns; `hard` drops everything at once.
    ///
    /// # Errors
    /// Work ended for a reason that ends the process.
    pub async fn run(
        mut self,
        retire: CancellationToken,
        soft: CancellationToken,
        hard: CancellationToken,
    ) -> Result<(), StoreError> {
        if !self.leases.is_shared() {
            self.take_all(&soft, &hard).await?;
        }
        let mut next_look = self.clock.elapsed();
        let mut is_retired = !self.leases.is_shared();
        loop {
            if soft.is_cancelled() && self.held.is_empty() {
                if !is_retired {
                    self.retire(&hard).await;
                }
                return Ok(());
            }
            let nap = next_look.saturating_sub(self.clock.elapsed());
            tokio::select! {
                biased;
                () = hard.cancelled() => return Ok(()),
                Some(ended) = self.tenancies.join_next() => self.ended(ended)?,
                // It is told to each tenancy by a token of its own; here it only wakes.
                () = soft.cancelled(), if self.held.is_empty() => {}
                () = retire.cancelled(), if !is_retired => {
                    is_retired = true;
                    self.retire(&hard).await;
                }
                () = self.clock.sleep(nap), if self.leases.is_shared() => {
                    let takes = !is_retired && !soft.is_cancelled();
                    tokio::select! {
                        biased;
                        () = hard.cancelled() => return Ok(()),
                        looked = self.look(takes, &soft, &hard) => self.note(looked),
                    }
                    next_look = self.clock.elapsed().saturating_add(LOOK);
                }
            }
        }
    }

    /// Begins every duty for good.
    async fn take_all(
        &mut self,
        soft: &CancellationToken,
        hard: &CancellationToken,
    ) -> Result<(), StoreError> {
        for name in self.duties.keys().cloned().collect::<Vec<_>>() {
            self.claim(&name, soft, hard).await?;
        }
        Ok(())
    }

    /// Takes no leases any more.
    async fn retire(&self, hard: &CancellationToken) {
        tokio::select! {
            departed = self.leases.depart() => if let Err(error) = departed {
                tracing::debug!(error.chain = %error, "the others were not told that this replica takes no more leases");
            },
            () = self.clock.sleep(LETTING_GO) => {}
            () = hard.cancelled() => {}
        }
    }

    /// Looks once, and does what follows.
    async fn look(
        &mut self,
        takes: bool,
        soft: &CancellationToken,
        hard: &CancellationToken,
    ) -> Result<(), StoreError> {
        let changes = self.leases.changes().await?;
        self.changes.send_if_modified(|known| {
            let is_news = *known != changes;
            *known = changes;
            is_news
        });
        if !takes {
            return Ok(());
        }
        let mut leases = self.leases.leases().await?;
        // A claim whose answer was lost is nobody's until this replica claims once more.
        let me = self.leases.process();
        leases.retain(|lease| lease.process != me || self.held.contains_key(&lease.name));
        let now = self.clock.elapsed();
        self.free(&leases, now);
        // Who else is there matters most when there is something to take.
        let is_due = self
            .attended_at
            .is_none_or(|at| now.saturating_sub(at) >= ATTEND);
        if is_due || !self.free_since.is_empty() {
            let version = env!("CARGO_PKG_VERSION");
            self.present = self
                .leases
                .attend(&self.replica, version, PRESENT_FOR)
                .await?;
            self.attended_at = Some(now);
        }
        let view = View {
            me,
            now,
            present: self.present.iter().map(|replica| replica.process).collect(),
            leases: &leases,
            duties: self.duties.keys().collect(),
            running: self.held.keys().collect(),
            is_giving: self.held.values().any(|held| held.is_given_away),
            free_since: &self.free_since,
            resting: &self.resting,
        };
        for step in plan(&view) {
            match step {
                Step::Claim(name) => self.claim(&name, soft, hard).await?,
                Step::GiveAway(name) => self.give_away(&name),
            }
        }
        Ok(())
    }

    /// Notes which duties nobody has, and since when.
    fn free(&mut self, leases: &[Lease], now: Duration) {
        let taken: BTreeSet<&LeaseName> = leases.iter().map(|lease| &lease.name).collect();
        self.free_since.retain(|name, _| !taken.contains(name));
        for name in self.duties.keys() {
            if !taken.contains(name) {
                self.free_since.entry(name.clone()).or_insert(now);
            }
        }
        self.resting.retain(|_, until| *until > now);
    }

    async fn claim(
        &mut self,
        name: &LeaseName,
        soft: &CancellationToken,
        hard: &CancellationToken,
    ) -> Result<(), StoreError> {
        let Some(duty) = self.duties.get(name) else {
            return Ok(());
        };
        // What the store counts from is later than this.
        let sent = self.clock.elapsed();
        let claim = self.leases.claim(name, &self.replica, duty.lasts).await?;
        let Some(claim) = claim else {
            return Ok(());
        };
        if self.leases.is_shared() {
            tracing::info!(lease = %name, epoch = claim.epoch, "this replica has the lease now");
        }
        let soft = soft.child_token();
        let tenancy = Tenancy {
            leases: Arc::clone(&self.leases),
            clock: self.clock.clone(),
            duty: duty.clone(),
            changes: self.changes.subscribe(),
            claim,
            sent,
            soft: soft.clone(),
            hard: hard.child_token(),
        };
        let name = name.clone();
        self.held.insert(
            name.clone(),
            Held {
                soft,
                is_given_away: false,
            },
        );
        self.tenancies
            .spawn(async move { (name, tenancy.run().await) });
        Ok(())
    }

    fn give_away(&mut self, name: &LeaseName) {
        if let Some(held) = self.held.get_mut(name) {
            tracing::info!(lease = %name, "this replica has more than its share, and gives the lease away");
            held.is_given_away = true;
            held.soft.cancel();
        }
    }

    fn ended(
        &mut self,
        ended: Result<(LeaseName, Result<(), StoreError>), tokio::task::JoinError>,
    ) -> Result<(), StoreError> {
        let (name, ended) = ended.map_err(|error| StoreError::Broken {
            what: format!("a task that held a lease ended: {error}"),
        })?;
        let held = self.held.remove(&name);
        if held.is_some_and(|held| held.is_given_away) {
            let until = self.clock.elapsed().saturating_add(REST);
            self.resting.insert(name.clone(), until);
        }
        match ended {
            Ok(()) => Ok(()),
            Err(StoreError::NotHeld { .. }) => {
                tracing::warn!(lease = %name, "the lease was lost; what was under way is done again by whoever has it next");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Says once that the store cannot be asked, and once that it can.
    fn note(&mut self, looked: Result<(), StoreError>) {
        match looked {
            Ok(()) if self.is_store_away => {
                tracing::info!("the store answers again: leases are taken and renewed");
                self.is_store_away = false;
            }
            Ok(()) => {}
            Err(error) if self.is_store_away => {
                tracing::debug!(error.chain = %error, "the store cannot be asked who does what");
            }
            Err(error) => {
                tracing::warn!(error.chain = %error, "the store cannot be asked who does what; trying until it can");
                self.is_store_away = true;
            }
        }
    }
}
