//! Lanes that wait for a scan of all customers.

use std::collections::{BTreeSet, HashMap};

use crate::{delivery::directory::ScanNumber, event::LaneKey};

/// Which lanes wait for which scan.
#[derive(Debug, Default)]
pub(super) struct Parked {
    until: HashMap<LaneKey, ScanNumber>,
    by_scan: BTreeSet<(ScanNumber, LaneKey)>,
}

impl Parked {
    pub(super) fn len(&self) -> usize {
        self.until.len()
    }

    /// A lane waits for this scan, or a later one.
    pub(super) fn insert(&mut self, lane: LaneKey, until: ScanNumber) {
        self.remove(lane);
        self.until.insert(lane, until);
        self.by_scan.insert((until, lane));
    }

    /// A lane waits no more; `false` where it did not.
    pub(super) fn remove(&mut self, lane: LaneKey) -> bool {
        let until = self.until.remove(&lane);
        until.is_some_and(|until| self.by_scan.remove(&(until, lane)))
    }

    /// All of them.
    pub(super) fn take_all(&mut self) -> Vec<LaneKey> {
        self.until.clear();
        let all = std::mem::take(&mut self.by_scan);
        all.into_iter().map(|(_, lane)| lane).collect()
    }

    /// Those that waited for this scan or an earlier one.
    pub(super) fn take_until(&mut self, scan: ScanNumber) -> Vec<LaneKey> {
        let mut lanes = Vec::new();
        while let Some((until, lane)) = self.by_scan.first().copied()
            && until <= scan
        {
            self.remove(lane);
            lanes.push(lane);
        }
        lanes
    }
}
