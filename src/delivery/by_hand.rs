//! What people change while delivery goes on: left here by the handle, taken up by the dispatcher.
//!
//! Nothing here is the truth about it. What was sent again stands in the store and is found by the next sweep; what is
//! paused stands there, too, and is told at the start.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use crate::{event::SourceName, store::LaneHead};

/// Heads that wait to be taken up; where there are more, all lanes are read again.
const MOST_REVIVED: usize = 10_000;

/// Shared by the handle, the dispatcher and its attempts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct ByHand(Arc<Mutex<Changes>>);

#[derive(Debug, Default)]
struct Changes {
    revived: Revived,
    paused: HashSet<SourceName>,
    /// Not paused any more, and not yet told to the lanes.
    started: Vec<SourceName>,
    /// When time began to count again, after the last pause of the whole organisation and of each source.
    resumed: Option<Timestamp>,
    resumed_sources: HashMap<SourceName, Timestamp>,
}

/// What was sent again and is not yet in the index of lanes.
#[derive(Debug, Default)]
pub(super) struct Revived {
    pub(super) heads: Vec<LaneHead>,
    /// They were too many: whatever the index lacks must be read.
    pub(super) too_many: bool,
}

impl ByHand {
    pub(super) fn revive(&self, heads: Vec<LaneHead>) {
        let mut changes = self.lock();
        if changes.revived.heads.len() + heads.len() > MOST_REVIVED {
            changes.revived.too_many = true;
        } else {
            changes.revived.heads.extend(heads);
        }
    }

    pub(super) fn pause(&self, source: &SourceName) {
        self.lock().paused.insert(source.clone());
    }

    pub(super) fn resume(&self, source: &SourceName, at: Timestamp) {
        let mut changes = self.lock();
        changes.resumed_sources.insert(source.clone(), at);
        if changes.paused.remove(source) {
            changes.started.push(source.clone());
        }
    }

    /// The whole organisation is not paused any more.
    pub(super) fn resumed(&self, at: Timestamp) {
        self.lock().resumed = Some(at);
    }

    pub(super) fn take_revived(&self) -> Revived {
        std::mem::take(&mut self.lock().revived)
    }

    pub(super) fn take_started(&self) -> Vec<SourceName> {
        std::mem::take(&mut self.lock().started)
    }

    pub(super) fn is_paused(&self, source: &SourceName) -> bool {
        self.lock().paused.contains(source)
    }

    /// Since when time counts for a delivery of a source that began to wait at `began`.
    pub(super) fn counts_from(&self, source: &SourceName, began: Timestamp) -> Timestamp {
        let changes = self.lock();
        let of_source = changes.resumed_sources.get(source).copied();
        [changes.resumed, of_source]
            .into_iter()
            .flatten()
            .fold(began, Timestamp::max)
    }

    fn lock(&self) -> MutexGuard<'_, Changes> {
        // Each method leaves it in order.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
