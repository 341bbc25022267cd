//! Lanes whose head is of a source that a person paused.

use std::collections::{HashMap, HashSet};

use crate::event::{LaneKey, SourceName};

/// Which lanes wait for which source.
#[derive(Debug, Default)]
pub(super) struct Stopped {
    of_lane: HashMap<LaneKey, SourceName>,
    by_source: HashMap<SourceName, HashSet<LaneKey>>,
}

impl Stopped {
    pub(super) fn len(&self) -> usize {
        self.of_lane.len()
    }

    /// A lane waits for this source and no other.
    pub(super) fn insert(&mut self, lane: LaneKey, source: SourceName) {
        self.remove(lane);
        self.by_source
            .entry(source.clone())
            .or_default()
            .insert(lane);
        self.of_lane.insert(lane, source);
    }

    /// A lane waits no more.
    pub(super) fn remove(&mut self, lane: LaneKey) {
        let Some(source) = self.of_lane.remove(&lane) else {
            return;
        };
        if let Some(lanes) = self.by_source.get_mut(&source) {
            lanes.remove(&lane);
            if lanes.is_empty() {
                self.by_source.remove(&source);
            }
        }
    }

    /// All that waited for this source.
    pub(super) fn take(&mut self, source: &SourceName) -> Vec<LaneKey> {
        let lanes: Vec<_> = self
            .by_source
            .remove(source)
            .into_iter()
            .flatten()
            .collect();
        for lane in &lanes {
            self.of_lane.remove(lane);
        }
        lanes
    }
}
