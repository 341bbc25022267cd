//! Figures of one source that change together; summed up over the calls of a transaction and written once.

use std::collections::BTreeMap;

use super::{
    Totals,
    decode::{self, Unreadable},
};
use crate::event::{DeliveryState, End};

/// Changes of the counters of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) accepted: i64,
    pub(super) duplicate: i64,
    pub(super) known_groups: i64,
    pub(super) created: i64,
    waiting: i64,
    looking: i64,
    dead: i64,
    ended: [i64; 7],
}

impl Tally {
    /// A delivery enters a state.
    pub(super) fn enters(&mut self, state: DeliveryState) {
        *self.standing(state) += 1;
    }

    /// A delivery leaves a state.
    pub(super) fn leaves(&mut self, state: DeliveryState) {
        *self.standing(state) -= 1;
    }

    pub(super) fn ends(&mut self, end: End) {
        for (figure, each) in self.ended.iter_mut().zip(End::ALL) {
            if each == end {
                *figure += 1;
            }
        }
    }

    /// A delivery is open again after all.
    pub(super) fn reopens(&mut self, end: End) {
        for (figure, each) in self.ended.iter_mut().zip(End::ALL) {
            if each == end {
                *figure -= 1;
            }
        }
    }

    fn standing(&mut self, state: DeliveryState) -> &mut i64 {
        match state {
            DeliveryState::Waiting => &mut self.waiting,
            DeliveryState::Looking => &mut self.looking,
            DeliveryState::Dead => &mut self.dead,
        }
    }

    /// What is added to the counters, in the order of their columns: those above, and one for each of [`End::ALL`].
    pub(super) fn figures(&self) -> [i64; 14] {
        let [
            delivered,
            unchanged,
            stale,
            superseded,
            dropped,
            discarded,
            erased,
        ] = self.ended;
        [
            self.accepted,
            self.duplicate,
            self.known_groups,
            self.created,
            self.waiting,
            self.looking,
            self.dead,
            delivered,
            unchanged,
            stale,
            superseded,
            dropped,
            discarded,
            erased,
        ]
    }
}

/// The changes of the counters of all sources that a transaction touches.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies(BTreeMap<String, Tally>);

impl Tallies {
    pub(super) fn of_source(&mut self, source: &str) -> &mut Tally {
        // A lookup that finds, which is nearly every one, must not copy the name.
        if !self.0.contains_key(source) {
            self.0.insert(source.to_owned(), Tally::default());
        }
        self.0.get_mut(source).expect("it was just put there")
    }

    /// Those that change something, by the name of the source.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&str, &Tally)> {
        let sources = self
            .0
            .iter()
            .map(|(source, tally)| (source.as_str(), tally));
        sources.filter(|(_, tally)| **tally != Tally::default())
    }
}

/// The counters of a source, from columns in the order of [`Tally::figures`].
pub(super) fn totals(figures: [i64; 14]) -> Result<Totals, Unreadable> {
    let [
        accepted,
        duplicate,
        known_groups,
        created,
        waiting,
        looking,
        dead,
        ended @ ..,
    ] = figures;
    let mut sum = Totals {
        accepted: decode::count(accepted)?,
        duplicate: decode::count(duplicate)?,
        known_groups: decode::count(known_groups)?,
        created: decode::count(created)?,
        waiting: decode::count(waiting)?,
        looking: decode::count(looking)?,
        dead: decode::count(dead)?,
        ended: [0; 7],
    };
    for (end, figure) in sum.ended.iter_mut().zip(ended) {
        *end = decode::count(figure)?;
    }
    Ok(sum)
}
