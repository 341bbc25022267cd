//! Who has which value, and which values more than one has.

use std::collections::BTreeSet;

use crate::event::LaneKey;

/// Pairs of value and person, so that those who have a value stand together.
#[derive(Debug, Default)]
pub(super) struct Holders {
    pairs: BTreeSet<(LaneKey, LaneKey)>,
    ambiguous: usize,
}

impl Holders {
    /// Pairs.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Values that more than one has.
    pub(super) const fn ambiguous(&self) -> usize {
        self.ambiguous
    }

    /// Those who have a value.
    pub(super) fn of(&self, value: LaneKey) -> impl Iterator<Item = LaneKey> {
        let first = LaneKey::from_bytes([0; 16]);
        let last = LaneKey::from_bytes([u8::MAX; 16]);
        let range = self.pairs.range((value, first)..=(value, last));
        range.map(|(_, person)| *person)
    }

    pub(super) fn add(&mut self, value: LaneKey, person: LaneKey) {
        let before = self.of(value).take(2).count();
        if self.pairs.insert((value, person)) && before == 1 {
            self.ambiguous = self.ambiguous.saturating_add(1);
        }
    }

    pub(super) fn remove(&mut self, value: LaneKey, person: LaneKey) {
        if self.pairs.remove(&(value, person)) && self.of(value).take(2).count() == 1 {
            self.ambiguous = self.ambiguous.saturating_sub(1);
        }
    }
}
