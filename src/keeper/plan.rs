//! Who takes and gives what: decided from what every replica sees alike, without asking each other.
//!
//! - The *fair share* of a replica is the number of organisations over the number of replicas, rounded up.
//! - What is free is taken by whoever has least; after a moment, by whoever has less than its share; and what stays free for
//!   some seconds, by anybody: a replica that counts may not know the organisation, or not be able to work.
//! - Whoever has more than its share, or two more than another, gives one away: one replica at a time, the one that has most.
//!   What nobody has yet goes first.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::store::{Lease, LeaseName, ProcessId};

/// How long something is free before not only those take it who have least.
const COURTESY: Duration = Duration::from_secs(2);
/// How long something is free before share does not matter any more.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a replica sees. Times are [`Clock::elapsed`](crate::clock::Clock::elapsed).
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) me: ProcessId,
    pub(super) now: Duration,
    /// All replicas that take leases.
    pub(super) present: BTreeSet<ProcessId>,
    /// Those that are held.
    pub(super) leases: &'a [Lease],
    /// What this replica can do.
    pub(super) duties: BTreeSet<&'a LeaseName>,
    /// What it does.
    pub(super) running: BTreeSet<&'a LeaseName>,
    /// Whether one of these is on its way out.
    pub(super) is_giving: bool,
    pub(super) free_since: &'a BTreeMap<LeaseName, Duration>,
    /// What it gave away and leaves alone until then.
    pub(super) resting: &'a BTreeMap<LeaseName, Duration>,
}

/// What a replica does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Claim(LeaseName),
    GiveAway(LeaseName),
}

/// Decides.
pub(super) fn plan(view: &View<'_>) -> Vec<Step> {
    let held = view.held();
    let free: Vec<&LeaseName> = view
        .duties
        .iter()
        .copied()
        .filter(|name| !view.running.contains(*name) && view.is_free(name))
        .collect();
    let mut steps: Vec<Step> = free
        .iter()
        .filter(|name| !is_organisation(name))
        .map(|name| Step::Claim((*name).clone()))
        .collect();
    let share = view.share();
    // Each begins at another place, so that several who start together do not want the same ones.
    let organisations: Vec<&LeaseName> = free
        .into_iter()
        .filter(|name| is_organisation(name))
        .collect();
    let start = view.place_of_first(organisations.len());
    let mut mine = view.mine();
    let others = held.iter().filter(|(process, _)| **process != view.me);
    let least = others.map(|(_, count)| *count).min().unwrap_or(usize::MAX);
    let (before, from) = organisations.split_at(start);
    for name in from.iter().chain(before) {
        let free_for = view.free_for(name);
        let is_my_turn = mine <= least || free_for >= COURTESY;
        let is_resting = view.resting.contains_key(*name);
        if (mine < share && is_my_turn && !is_resting) || free_for >= PATIENCE {
            steps.push(Step::Claim((*name).clone()));
            mine += 1;
        }
    }
    if organisations.is_empty() && !view.is_giving {
        steps.extend(view.surplus(&held, share).map(Step::GiveAway));
    }
    steps
}

fn is_organisation(name: &LeaseName) -> bool {
    matches!(name, LeaseName::Organisation(_))
}

impl View<'_> {
    fn is_free(&self, name: &LeaseName) -> bool {
        !self.leases.iter().any(|lease| lease.name == *name)
    }

    fn free_for(&self, name: &LeaseName) -> Duration {
        let since = self.free_since.get(name).copied();
        self.now.saturating_sub(since.unwrap_or(self.now))
    }

    /// How many organisations each replica that is there has.
    fn held(&self) -> BTreeMap<ProcessId, usize> {
        let mut held: BTreeMap<ProcessId, usize> =
            self.present.iter().map(|process| (*process, 0)).collect();
        for lease in self.leases {
            if is_organisation(&lease.name)
                && let Some(count) = held.get_mut(&lease.process)
            {
                *count += 1;
            }
        }
        held
    }

    /// How many organisations this replica has, those included that it is about to give back.
    fn mine(&self) -> usize {
        let running = self.running.iter();
        running.filter(|name| is_organisation(name)).count()
    }

    fn share(&self) -> usize {
        let held = self.leases.iter().map(|lease| &lease.name);
        let all: BTreeSet<&LeaseName> = self
            .duties
            .iter()
            .copied()
            .chain(held)
            .filter(|name| is_organisation(name))
            .collect();
        all.len().div_ceil(self.present.len().max(1))
    }

    /// Where among `count` free ones this replica begins.
    fn place_of_first(&self, count: usize) -> usize {
        let place = self.present.iter().position(|other| *other == self.me);
        let replicas = self.present.len().max(1);
        let start = place.unwrap_or_default().saturating_mul(count) / replicas;
        start.min(count)
    }

    /// What this replica gives away now.
    fn surplus(&self, held: &BTreeMap<ProcessId, usize>, share: usize) -> Option<LeaseName> {
        let mine = held.get(&self.me).copied().unwrap_or_default();
        let least = held.values().min().copied().unwrap_or_default();
        let most = held
            .iter()
            .max_by_key(|(process, count)| (**count, **process));
        let is_first = most.is_some_and(|(process, _)| *process == self.me);
        let is_too_many = (mine > share && least < share) || mine >= least.saturating_add(2);
        if !is_first || !is_too_many {
            return None;
        }
        let mut mine = self.running.iter().copied();
        mine.rfind(|name| is_organisation(name)).cloned()
    }
}
