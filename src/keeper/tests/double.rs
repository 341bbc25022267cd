//! Leases of several processes in memory, by a driven clock; and work that notes what happens to it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    event::OrganisationName,
    keeper::{Tenure, Term, Work},
    store::{
        Changes, Claim, ErasedCustomer, Lease, LeaseName, Leases, ProcessId, Replica, ReplicaName,
        StoreError, Word,
    },
};

/// What all processes share.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    processes: i64,
    claims: u64,
    present: BTreeMap<ProcessId, (Replica, Duration)>,
    leases: BTreeMap<LeaseName, (Lease, Duration)>,
    epochs: BTreeMap<LeaseName, i64>,
    changes: Changes,
}

/// One process.
#[derive(Clone, Debug)]
pub(super) struct Member {
    cluster: Cluster,
    process: ProcessId,
    is_cut: Arc<AtomicBool>,
    /// How long a renewal takes.
    renews_in: Arc<Mutex<Duration>>,
}

impl Cluster {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    pub(super) fn member(&self) -> Member {
        let mut state = self.state.lock().unwrap();
        state.processes += 1;
        Member {
            cluster: self.clone(),
            process: ProcessId(state.processes),
            is_cut: Arc::default(),
            renews_in: Arc::default(),
        }
    }

    /// How many claims were given.
    pub(super) fn claims(&self) -> u64 {
        self.state.lock().unwrap().claims
    }
}

impl Member {
    /// The store does not answer this process, or does again.
    pub(super) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    /// Lets each renewal take so long.
    pub(super) fn slow_down(&self, renews_in: Duration) {
        *self.renews_in.lock().unwrap() = renews_in;
    }

    fn with<T>(&self, act: impl FnOnce(&mut State, Duration) -> T) -> Result<T, StoreError> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable {
                what: "it is cut off".to_owned(),
            });
        }
        let now = self.cluster.clock.elapsed();
        let mut state = self.cluster.state.lock().unwrap();
        state.present.retain(|_, (_, until)| *until > now);
        state.leases.retain(|_, (_, until)| *until > now);
        Ok(act(&mut state, now))
    }
}

fn number(state: &State, name: &LeaseName) -> u64 {
    let LeaseName::Organisation(organisation) = name else {
        return 0;
    };
    let numbers = &state.changes.organisations;
    numbers.get(organisation).copied().unwrap_or_default()
}

#[async_trait]
impl Leases for Member {
    fn is_shared(&self) -> bool {
        true
    }

    fn process(&self) -> ProcessId {
        self.process
    }

    async fn attend(
        &self,
        name: &ReplicaName,
        version: &str,
        lasts: Duration,
    ) -> Result<Vec<Replica>, StoreError> {
        let replica = Replica {
            process: self.process,
            name: name.clone(),
            version: version.to_owned(),
            since: self.cluster.clock.now(),
        };
        self.with(|state, now| {
            state.present.insert(self.process, (replica, now + lasts));
            let present = state.present.values();
            present.map(|(replica, _)| replica.clone()).collect()
        })
    }

    async fn depart(&self) -> Result<(), StoreError> {
        self.with(|state, _| drop(state.present.remove(&self.process)))
    }

    async fn claim(
        &self,
        name: &LeaseName,
        by: &ReplicaName,
        lasts: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let at = self.cluster.clock.now();
        self.with(|state, now| {
            let holder = state.leases.get(name).map(|(lease, _)| lease.process);
            if holder.is_some_and(|holder| holder != self.process) {
                return None;
            }
            state.claims += 1;
            let epoch = state.epochs.entry(name.clone()).or_default();
            *epoch += 1;
            let epoch = *epoch;
            let changes = number(state, name);
            let lease = Lease {
                name: name.clone(),
                process: self.process,
                replica: by.clone(),
                epoch,
                since: at,
                renewed: at,
                status: None,
                seen: changes,
            };
            state.leases.insert(name.clone(), (lease, now + lasts));
            Some(Claim { epoch, changes })
        })
    }

    async fn renew(
        &self,
        name: &LeaseName,
        lasts: Duration,
        word: Word,
    ) -> Result<u64, StoreError> {
        let takes = *self.renews_in.lock().unwrap();
        self.cluster.clock.sleep(takes).await;
        self.with(|state, now| {
            let changes = number(state, name);
            match state.leases.get_mut(name) {
                Some((lease, until)) if lease.process == self.process => {
                    *until = now + lasts;
                    lease.status = word.status;
                    lease.seen = word.seen;
                    Ok(changes)
                }
                _ => Err(StoreError::NotHeld {
                    lease: name.clone(),
                }),
            }
        })?
    }

    async fn release(&self, name: &LeaseName) -> Result<(), StoreError> {
        self.with(|state, _| {
            let leases = &mut state.leases;
            leases.retain(|other, (lease, _)| other != name || lease.process != self.process);
        })
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let mut leases: Vec<Lease> = self.with(|state, _| {
            let leases = state.leases.values();
            leases.map(|(lease, _)| lease.clone()).collect()
        })?;
        leases.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        Ok(leases)
    }

    async fn changes(&self) -> Result<Changes, StoreError> {
        self.with(|state, _| state.changes.clone())
    }

    async fn raise(&self, organisations: &[OrganisationName]) -> Result<(), StoreError> {
        self.with(|state, _| {
            for organisation in organisations {
                let numbers = &mut state.changes.organisations;
                *numbers.entry(organisation.clone()).or_default() += 1;
            }
        })
    }

    async fn note_erased(
        &self,
        _organisation: &OrganisationName,
        _erased: ErasedCustomer,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn erased(
        &self,
        _organisation: &OrganisationName,
    ) -> Result<Vec<ErasedCustomer>, StoreError> {
        Ok(Vec::new())
    }

    async fn ask_reload(&self) -> Result<u64, StoreError> {
        self.with(|state, _| {
            state.changes.reload += 1;
            state.changes.reload
        })
    }
}

/// Work that does nothing but note what happens to it.
#[derive(Debug)]
pub(super) struct Noted {
    clock: Clock,
    tenure: Mutex<Option<Tenure>>,
    acted: AtomicU64,
    /// Nobody answers what people did.
    is_deaf: AtomicBool,
    status: watch::Sender<&'static str>,
}

impl Noted {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            tenure: Mutex::default(),
            acted: AtomicU64::default(),
            is_deaf: AtomicBool::default(),
            status: watch::Sender::new("well"),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.tenure.lock().unwrap().is_some()
    }

    /// Whether something may be begun.
    pub(super) fn covers(&self) -> bool {
        let tenure = self.tenure.lock().unwrap();
        let now = self.clock.elapsed();
        tenure.as_ref().is_some_and(|tenure| tenure.covers(now))
    }

    pub(super) fn acted(&self) -> u64 {
        self.acted.load(Ordering::Relaxed)
    }

    /// Lets every look hang from now on.
    pub(super) fn deafen(&self) {
        self.is_deaf.store(true, Ordering::Relaxed);
    }

    pub(super) fn stir(&self, status: &'static str) {
        self.status.send_replace(status);
    }
}

/// However it ends, it does not run any more.
struct Ending<'a>(&'a Noted);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        *self.0.tenure.lock().unwrap() = None;
    }
}

#[async_trait]
impl Work for Noted {
    async fn run(&self, term: Term) -> Result<(), StoreError> {
        assert!(!self.is_running(), "one term after the other");
        *self.tenure.lock().unwrap() = Some(term.tenure);
        let _ending = Ending(self);
        tokio::select! {
            () = term.soft.cancelled() => {}
            () = term.hard.cancelled() => {}
        }
        Ok(())
    }

    async fn look(&self, acted: bool) -> Result<(), StoreError> {
        if self.is_deaf.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.acted.fetch_add(u64::from(acted), Ordering::Relaxed);
        Ok(())
    }

    fn status(&self) -> Option<String> {
        Some((*self.status.borrow()).to_owned())
    }

    async fn stirs(&self) {
        let mut status = self.status.subscribe();
        status.borrow_and_update();
        status.changed().await.unwrap();
    }
}
