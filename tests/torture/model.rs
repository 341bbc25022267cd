//! What is right, said as plainly as possible: what a customer's record must be once all accepted updates are through.
//!
//! The updates of a customer are applied one after the other, in the order in which they were accepted. A part of an
//! update is left out where something newer was applied to it already: of two versions (`order_by`) of one source the
//! greater is newer; else what was accepted later. An update that Quentli refuses changes nothing. That is all, with one
//! two exceptions, where more than one course is right.
//!
//! **Two keys.** Updates that name a customer by different keys, say one by username and one by id, wait in
//! different lanes until a look-up has shown that both mean the same customer. Of updates that are under way at the
//! same time, those of different keys may therefore come in any order that keeps the order of each key. The model allows
//! for exactly these orders, all of them, and a run must have ended as one of them would. They seldom differ in what
//! the record is in the end, since what is overtaken is left out. Between two updates of the same key, and between an
//! update and all that had come to rest before it was sent, there is no choice.
//!
//! **Merging.** What waits for one customer at the same time may leave in one request, with the later value of each part.
//! That changes nothing in what the record is in the end, but for one thing: where the value that Quentli would refuse
//! is replaced by that of a later update, nobody ever sees it, and the rest of its update is applied.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    people::{Key, Part},
    plan::Mark,
};

/// An update, as it was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) item: usize,
    /// Its place in the order of acceptance.
    pub(crate) place: usize,
    pub(crate) source: usize,
    pub(crate) key: Key,
    pub(crate) version: Option<i64>,
    pub(crate) change: BTreeMap<Part, Option<String>>,
    /// What a new customer gets where the update has nothing, if the update makes a new customer.
    pub(crate) creates_with: Option<BTreeMap<Part, String>>,
    /// The part whose value Quentli never takes, or takes without ever saying so.
    pub(crate) marked: Option<(Part, Mark)>,
}

/// What became of an update.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Without these parts, which were older than what was there.
    Applied { stale: BTreeSet<Part> },
    /// All of it was older.
    Stale,
    /// It changed nothing.
    Refused,
    /// It was applied, and nobody knows.
    Unanswered,
    /// The value that Quentli would not have taken never left.
    Merged,
}

/// A customer, and all that decides on what happens to it next.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    pub(crate) exists: bool,
    pub(crate) values: BTreeMap<Part, String>,
    /// The greatest version that a source has applied to a part.
    versions: BTreeMap<(usize, Part), i64>,
    /// The source that was the last to be applied to a part, and the latest place in the order of acceptance of all that
    /// were.
    last: BTreeMap<Part, (usize, usize)>,
    pub(crate) fates: BTreeMap<usize, Fate>,
}

impl State {
    pub(crate) fn existing(values: BTreeMap<Part, String>) -> Self {
        Self {
            exists: true,
            values,
            ..Self::default()
        }
    }

    /// The values alone.
    fn set(&mut self, update: &Update, stale: &BTreeSet<Part>) {
        for (part, value) in update
            .change
            .iter()
            .filter(|(part, _)| !stale.contains(part))
        {
            match value {
                Some(value) => self.values.insert(*part, value.clone()),
                None => self.values.remove(part),
            };
        }
    }

    /// Whether something newer was applied to a part.
    fn is_overtaken(&self, update: &Update, part: Part) -> bool {
        let Some((source, latest)) = self.last.get(&part) else {
            return false;
        };
        let applied = self.versions.get(&(update.source, part));
        match applied.zip(update.version) {
            Some((applied, version)) if version < *applied => true,
            Some((applied, version)) if version > *applied && *source == update.source => false,
            _ => *latest > update.place,
        }
    }

    /// The customer that an update creates. Where others turn out to come before it, since they named the new customer
    /// by other keys and waited for it, the update is applied once more when it is its turn.
    fn created_by(&self, update: &Update) -> Option<Self> {
        let newcomer = update.creates_with.as_ref().filter(|_| !self.exists)?;
        let mut created = Self::existing(newcomer.clone());
        let set = |(part, value): (&Part, &Option<String>)| Some((*part, value.clone()?));
        created.values.extend(update.change.iter().filter_map(set));
        Some(created)
    }

    /// What the customer may be after an update, which was under way together with `others`; nothing where the update
    /// waits for somebody to come to Quentli.
    fn after(&self, update: &Update, others: &[Update]) -> Vec<Self> {
        let replaces = |other: &Update, part| {
            other.place > update.place && other.marked.is_none() && other.change.contains_key(&part)
        };
        let marked = update.marked.map(|(part, _)| part);
        let merged = marked.filter(|part| {
            let is_replaced = others.iter().any(|other| replaces(other, *part));
            is_replaced && !self.is_overtaken(update, *part)
        });
        let merged = merged.and_then(|part| {
            let mut rest = update.clone();
            rest.change.remove(&part);
            rest.marked = None;
            let mut after = if rest.change.is_empty() {
                self.clone()
            } else {
                self.applied(&rest)?
            };
            after.fates.insert(update.item, Fate::Merged);
            Some(after)
        });
        self.applied(update).into_iter().chain(merged).collect()
    }

    /// The customer after an update that comes by itself.
    fn applied(&self, update: &Update) -> Option<Self> {
        let mut next = self.clone();
        let stale: BTreeSet<Part> = update
            .change
            .keys()
            .copied()
            .filter(|part| self.is_overtaken(update, *part))
            .collect();
        if !self.exists {
            next = self.created_by(update)?;
        }
        let fate = if stale.len() == update.change.len() {
            Fate::Stale
        } else if let Some((_, mark)) = update.marked.filter(|(part, _)| !stale.contains(part)) {
            next = self.clone();
            match mark {
                Mark::Refused(_) => Fate::Refused,
                Mark::Unanswered => {
                    next.set(update, &stale);
                    Fate::Unanswered
                }
            }
        } else {
            next.set(update, &stale);
            for part in update.change.keys().filter(|part| !stale.contains(part)) {
                if let Some(version) = update.version {
                    next.versions.insert((update.source, *part), version);
                }
                let latest = next.last.get(part).map_or(0, |(_, place)| *place);
                let latest = latest.max(update.place);
                next.last.insert(*part, (update.source, latest));
            }
            Fate::Applied { stale }
        };
        next.fates.insert(update.item, fate);
        Some(next)
    }
}

/// All that a customer may be after these updates, which are given in the order of acceptance.
pub(crate) fn outcomes(start: &State, updates: &[Update]) -> BTreeSet<State> {
    let mut by_key: BTreeMap<Key, Vec<&Update>> = BTreeMap::new();
    for update in updates {
        by_key.entry(update.key).or_default().push(update);
    }
    let lanes: Vec<Vec<&Update>> = by_key.into_values().collect();
    let mut starts = BTreeSet::from([start.clone()]);
    starts.extend(lanes.iter().filter_map(|lane| start.created_by(lane[0])));
    // By how many of each lane are through: all that the customer may be then.
    let mut reached = BTreeMap::from([(vec![0; lanes.len()], starts)]);
    for _ in updates {
        let mut next: BTreeMap<Vec<usize>, BTreeSet<State>> = BTreeMap::new();
        for (through, states) in &reached {
            for (place, lane) in lanes.iter().enumerate() {
                let Some(update) = lane.get(through[place]) else {
                    continue;
                };
                let mut further = through.clone();
                further[place] += 1;
                let after = states.iter().flat_map(|state| state.after(update, updates));
                next.entry(further).or_default().extend(after);
            }
        }
        reached = next;
    }
    reached.into_values().flatten().collect()
}
