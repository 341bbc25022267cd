//! What is right, said as plainly as possible: what a customer's record must be once all accepted updates are through.
//!
//! The updates of a customer are applied one after the other, in the order in which they were accepted. A part of an
//! update is left out where something newer was applied to it already: of two versions (`order_by`) of one source the
//! greater is newer; else what was accepted later. An update that Quentli refuses changes nothing. What a person has sent
//! again comes once more at its own place in that order, and may overwrite what is newer where the person wants that. That
//! is all, with four exceptions, where more than one course is right.
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
//!
//! **Sent again while others are on their way.** What was dead and a person sends again goes before what waits, but not before
//! what has left already. So it may come in any order with the updates that are under way with it. What waits already, or is
//! looked for, keeps its place, also where it is mapped anew and has other values from then on; but where it is to overwrite
//! what is newer, it does so to what was sent together with it, too.
//!
//! **Given up.** An update that a person discards may have left already, all of it, or merged with others, so that these
//! bring a part of it or bring it after theirs.
//!
//! Beyond that, what creates its customer goes ahead of those that wait for the same customer.

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
    pub(crate) lane: Lane,
    pub(crate) version: Option<i64>,
    pub(crate) change: BTreeMap<Part, Option<String>>,
    /// What a new customer gets where the update has nothing, if the update makes a new customer.
    pub(crate) creates_with: Option<BTreeMap<Part, String>>,
    /// The part whose value Quentli never takes, or takes without ever saying so.
    pub(crate) marked: Option<(Part, Mark)>,
    /// A person had it sent also over what is newer.
    pub(crate) overwrites: bool,
    /// A person gave it up, then or after it was dead.
    pub(crate) is_given_up: bool,
}

/// Updates that come in their order: those with one key; those that a person sent again at once while others were under
/// way are by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) key: Key,
    /// By hand, and the how manieth time.
    pub(crate) again: Option<usize>,
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
    /// A person gave it up.
    GivenUp,
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
        if update.overwrites {
            return false;
        }
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
        let given_up = if update.is_given_up && self.exists {
            self.given_up(update)
        } else {
            Vec::new()
        };
        let after = self.applied(update).into_iter().chain(merged);
        after.chain(given_up).collect()
    }

    /// The customer after an update that a person gave up: it never left, or it did, with any of its parts, and was written
    /// down as one that others brought, or not at all.
    fn given_up(&self, update: &Update) -> Vec<Self> {
        let mut left = vec![BTreeMap::new()];
        for (part, value) in &update.change {
            let more: Vec<_> = left
                .iter()
                .cloned()
                .map(|mut change: BTreeMap<Part, Option<String>>| {
                    change.insert(*part, value.clone());
                    change
                })
                .collect();
            left.extend(more);
        }
        let mut after = Vec::new();
        for change in left {
            let of_it = Update {
                change,
                marked: None,
                ..update.clone()
            };
            let mut unknown = self.clone();
            unknown.set(&of_it, &BTreeSet::new());
            after.push(unknown);
            after.extend(self.applied(&of_it));
        }
        for state in &mut after {
            state.fates.insert(update.item, Fate::GivenUp);
        }
        after
    }

    /// Nothing is known of the customer any more; what Quentli has stays.
    pub(crate) fn forgotten(mut self) -> Self {
        self.versions.clear();
        self.last.clear();
        self
    }

    /// One that is sent again has no fate yet.
    pub(crate) fn anew(mut self, updates: &[Update]) -> Self {
        for update in updates {
            self.fates.remove(&update.item);
        }
        self
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
                    let known = next
                        .versions
                        .entry((update.source, *part))
                        .or_insert(version);
                    *known = version.max(*known);
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
    let mut by_lane: BTreeMap<Lane, Vec<&Update>> = BTreeMap::new();
    for update in updates {
        by_lane.entry(update.lane).or_default().push(update);
    }
    let lanes: Vec<Vec<&Update>> = by_lane.into_values().collect();
    let mut starts = BTreeSet::from([start.clone()]);
    let creators = lanes.iter().filter_map(|lane| creator(lane));
    starts.extend(creators.filter_map(|creator| start.created_by(creator)));
    // By how many of each lane are through: all that the customer may be then.
    let mut reached = BTreeMap::from([(vec![0; lanes.len()], starts)]);
    for _ in updates {
        let mut next: BTreeMap<Vec<usize>, BTreeSet<State>> = BTreeMap::new();
        for (through, states) in &reached {
            let states = with_those_ahead(states, through, &lanes, updates);
            for (place, lane) in lanes.iter().enumerate() {
                let Some(update) = lane.get(through[place]) else {
                    continue;
                };
                let mut further = through.clone();
                further[place] += 1;
                let after = states.iter().flat_map(|state| {
                    if state.fates.contains_key(&update.item) {
                        // It went ahead.
                        return vec![state.clone()];
                    }
                    state.after(update, updates)
                });
                next.entry(further).or_default().extend(after);
            }
        }
        reached = next;
    }
    reached.into_values().flatten().collect()
}

/// The first that can create the customer.
fn creator<'a>(lane: &[&'a Update]) -> Option<&'a Update> {
    let mut creating = lane.iter().filter(|update| update.creates_with.is_some());
    creating.next().copied()
}

/// These, and what they are when the first that can create a customer who is not there has gone ahead of its lane.
fn with_those_ahead(
    states: &BTreeSet<State>,
    through: &[usize],
    lanes: &[Vec<&Update>],
    updates: &[Update],
) -> BTreeSet<State> {
    let missing = states.iter().filter(|state| !state.exists);
    let ahead = missing.flat_map(|state| {
        let waiting = lanes.iter().zip(through);
        let creators = waiting.filter_map(|(lane, through)| creator(&lane[*through..]));
        creators.flat_map(|creator| state.after(creator, updates))
    });
    let ahead: Vec<State> = ahead.collect();
    states.iter().cloned().chain(ahead).collect()
}
