//! Leases of a store that one process has to itself: always given, never lost. Nothing of it is written down.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;

use super::SqliteStore;
use crate::{
    clock::Clock,
    event::OrganisationName,
    store::{
        Changes, Claim, ErasedCustomer, Lease, LeaseName, Leases, MOST_ERASED, MOST_STATUS_BYTES,
        ProcessId, Replica, ReplicaName, StoreError, Word,
    },
};

/// What is remembered as long as the store is open.
#[derive(Debug)]
pub(super) struct Board {
    clock: Clock,
    process: ProcessId,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    present: Option<Replica>,
    leases: BTreeMap<LeaseName, Held>,
    changes: Changes,
    erased: HashMap<OrganisationName, VecDeque<ErasedCustomer>>,
}

#[derive(Debug)]
struct Held {
    replica: ReplicaName,
    since: Timestamp,
    renewed: Timestamp,
    status: Option<String>,
    seen: u64,
}

impl Board {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            process: ProcessId(rand::random()),
            notes: Mutex::default(),
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        // Each method leaves it in order.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn changes_of(&self, name: &LeaseName) -> u64 {
        let LeaseName::Organisation(organisation) = name else {
            return 0;
        };
        let number = self.changes.organisations.get(organisation);
        number.copied().unwrap_or_default()
    }
}

#[async_trait]
impl Leases for SqliteStore {
    fn is_shared(&self) -> bool {
        false
    }

    fn process(&self) -> ProcessId {
        self.board.process
    }

    async fn attend(
        &self,
        name: &ReplicaName,
        version: &str,
        _lasts: Duration,
    ) -> Result<Vec<Replica>, StoreError> {
        let mut notes = self.board.notes();
        let since = notes.present.as_ref().map(|replica| replica.since);
        let replica = Replica {
            process: self.board.process,
            name: name.clone(),
            version: version.to_owned(),
            since: since.unwrap_or_else(|| self.board.clock.now()),
        };
        notes.present = Some(replica.clone());
        Ok(vec![replica])
    }

    async fn depart(&self) -> Result<(), StoreError> {
        self.board.notes().present = None;
        Ok(())
    }

    async fn claim(
        &self,
        name: &LeaseName,
        by: &ReplicaName,
        _lasts: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let now = self.board.clock.now();
        let mut notes = self.board.notes();
        let changes = notes.changes_of(name);
        let held = Held {
            replica: by.clone(),
            since: now,
            renewed: now,
            status: None,
            seen: changes,
        };
        notes.leases.insert(name.clone(), held);
        Ok(Some(Claim { epoch: 1, changes }))
    }

    async fn renew(
        &self,
        name: &LeaseName,
        _lasts: Duration,
        word: Word,
    ) -> Result<u64, StoreError> {
        let now = self.board.clock.now();
        let mut notes = self.board.notes();
        let changes = notes.changes_of(name);
        let Some(held) = notes.leases.get_mut(name) else {
            return Err(StoreError::NotHeld {
                lease: name.clone(),
            });
        };
        held.renewed = now;
        held.status = word
            .status
            .filter(|status| status.len() <= MOST_STATUS_BYTES);
        held.seen = word.seen;
        Ok(changes)
    }

    async fn release(&self, name: &LeaseName) -> Result<(), StoreError> {
        self.board.notes().leases.remove(name);
        Ok(())
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let notes = self.board.notes();
        let mut leases: Vec<Lease> = notes
            .leases
            .iter()
            .map(|(name, held)| Lease {
                name: name.clone(),
                process: self.board.process,
                replica: held.replica.clone(),
                epoch: 1,
                since: held.since,
                renewed: held.renewed,
                status: held.status.clone(),
                seen: held.seen,
            })
            .collect();
        leases.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        Ok(leases)
    }

    async fn changes(&self) -> Result<Changes, StoreError> {
        Ok(self.board.notes().changes.clone())
    }

    async fn raise(&self, organisations: &[OrganisationName]) -> Result<(), StoreError> {
        let mut notes = self.board.notes();
        for organisation in organisations {
            let numbers = &mut notes.changes.organisations;
            *numbers.entry(organisation.clone()).or_default() += 1;
        }
        Ok(())
    }

    async fn note_erased(
        &self,
        organisation: &OrganisationName,
        erased: ErasedCustomer,
    ) -> Result<(), StoreError> {
        let mut notes = self.board.notes();
        let known = notes.erased.entry(organisation.clone()).or_default();
        let same = known
            .iter()
            .position(|other| other.customer == erased.customer);
        let before = same.and_then(|place| known.remove(place));
        known.push_back(ErasedCustomer {
            up_to: before.map_or(erased.up_to, |before| before.up_to.max(erased.up_to)),
            ..erased
        });
        if known.len() > MOST_ERASED {
            known.pop_front();
        }
        Ok(())
    }

    async fn erased(
        &self,
        organisation: &OrganisationName,
    ) -> Result<Vec<ErasedCustomer>, StoreError> {
        let notes = self.board.notes();
        let erased = notes.erased.get(organisation);
        Ok(erased
            .map(|erased| erased.iter().copied().collect())
            .unwrap_or_default())
    }

    async fn ask_reload(&self) -> Result<u64, StoreError> {
        let mut notes = self.board.notes();
        notes.changes.reload += 1;
        Ok(notes.changes.reload)
    }
}
