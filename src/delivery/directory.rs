//! Which customers have which values of metadata: the answer to `find: metadata.KEY`.
//!
//! Quentli documents no search by metadata, so the gateway reads the whole list of customers (`scan`, `walk`) and
//! keeps, for exactly the keys that mappings ask for, who has which value. Values are kept as hashes; of customers
//! only the identifier is a text. It is kept up to date by every record that Quentli shows us, and by our own changes.
//!
//! # What may be concluded from it
//!
//! - **Somebody has the value** when a whole scan for its key has been made: before that there may be a second one.
//!   Whoever is named was there lately, no more: ask Quentli before changing anybody.
//! - **Nobody has the value** only for a delivery that was accepted, or that a person had sent again, before the last
//!   whole scan began ([`Directory::look`] compares positions, not times, so that a clock that jumps does no harm).
//! - While neither can be said, [`Looked::Wait`] names the scan after which it can.
//!
//! It knows no time and asks nobody: `scan` says when, `page` asks, the dispatcher brings them together.
//!
//! Memory: at most 300 bytes for a customer who has a value, and some 50 more with each further key; a reading under way
//! takes some 40 for each customer of the list. It is bounded by `limit`, and what does not fit is no directory at all:
//! everything is forgotten, and all who need it wait.

mod holders;
mod row;
pub(super) mod scan;
mod walk;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use moka::sync::Cache;

use self::{holders::Holders, row::person_hash};
pub(super) use self::{
    row::{Keys, Row},
    walk::Page,
};
use super::bindings::AsOf;
use crate::{customer::CustomerId, event::LaneKey};

/// Holders of one value that are named at most.
const NAMED: usize = 4;
/// Lanes that wait for one value and are remembered.
const AWAITING: usize = 100;
const CAPACITY: u64 = 50_000;

/// The directory of one organisation. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub(super) struct SharedDirectory(Arc<Mutex<Directory>>);

/// Counts scans from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ScanNumber(pub(super) u32);

/// How many of our own changes had been made. What Quentli showed before a change of ours says nothing of what the
/// change set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark(u64);

#[derive(Debug)]
pub(super) struct Directory {
    /// Entries at most.
    limit: usize,
    /// A key keeps its place for ever, so that entries can name it by that.
    keys: Vec<Key>,
    people: HashMap<LaneKey, Person>,
    holders: Holders,
    last_scan: ScanNumber,
    running: Option<Begun>,
    complete: Option<Begun>,
    is_full: bool,
    is_asked_again: bool,
    mark: Mark,
    /// Our own latest changes of tracked values.
    changed: Cache<LaneKey, Mark>,
    /// Values that a customer no longer had when asked: only this scan or a later one can say that nobody has them.
    disproved: Cache<LaneKey, ScanNumber>,
    /// Lanes that wait for a value which is not their first key.
    awaited: Cache<LaneKey, Vec<LaneKey>>,
}

#[derive(Debug)]
struct Key {
    name: String,
    /// Loaded mappings ask for it.
    is_loaded: bool,
    /// A delivery asked for it, of a mapping that may be gone.
    is_needed: bool,
    /// Scans before this one did not look at it.
    first_scan: ScanNumber,
}

#[derive(Debug)]
struct Person {
    id: CustomerId,
    /// One at most for each key.
    values: Box<[(KeyPlace, LaneKey)]>,
    /// The latest scan in whose time we knew of it.
    seen: ScanNumber,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct KeyPlace(u32);

#[derive(Clone, Copy, Debug)]
struct Begun {
    number: ScanNumber,
    as_of: AsOf,
}

/// What a directory says of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// These had it lately; when there is more than one, perhaps more than are named.
    Held(Vec<CustomerId>),
    Nobody,
    /// It can be said after this scan.
    Wait(ScanNumber),
}

/// What can be told of a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) keys: usize,
    pub(super) entries: usize,
    pub(super) ambiguous: usize,
    pub(super) is_full: bool,
    /// A whole scan was made for every key.
    pub(super) is_complete: bool,
    pub(super) is_asked_again: bool,
}

impl SharedDirectory {
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Directory::new(limit))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Directory> {
        // Should a method of it panic half way, the next scan puts right what it left.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScanNumber {
    const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Directory {
    fn new(limit: usize) -> Self {
        fn cache<V: Clone + Send + Sync + 'static>(lives_for: Duration) -> Cache<LaneKey, V> {
            Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(lives_for)
                .build()
        }
        Self {
            limit,
            keys: Vec::new(),
            people: HashMap::new(),
            holders: Holders::default(),
            last_scan: ScanNumber::default(),
            running: None,
            complete: None,
            is_full: false,
            is_asked_again: false,
            mark: Mark::default(),
            // Longer than any request is on its way.
            changed: cache(Duration::from_hours(1)),
            disproved: cache(Duration::from_hours(2)),
            // Longer than between two looks for a customer who is missing.
            awaited: cache(Duration::from_hours(2)),
        }
    }

    /// The keys that loaded mappings ask for, all of them.
    pub(super) fn load_keys<'k>(&mut self, names: impl IntoIterator<Item = &'k str>) {
        let mut names: BTreeSet<&str> = names.into_iter().collect();
        let next = self.last_scan.next();
        for key in &mut self.keys {
            let was_asked_for = key.is_asked_for();
            key.is_loaded = names.remove(key.name.as_str());
            // What still waits asks again.
            key.is_needed = false;
            if !was_asked_for {
                key.first_scan = next;
            }
        }
        for name in names {
            if let Some(place) = self.place_of(name)
                && let Some(key) = self.key_mut(place)
            {
                key.is_loaded = true;
            }
        }
        let gone: BTreeSet<KeyPlace> = self
            .numbered_keys()
            .filter(|(_, key)| !key.is_asked_for())
            .map(|(place, _)| place)
            .collect();
        let people: Vec<(LaneKey, CustomerId, Vec<_>)> = self
            .people
            .iter()
            .filter(|(_, person)| person.values.iter().any(|(key, _)| gone.contains(key)))
            .map(|(hash, person)| {
                let none = gone.iter().map(|key| (*key, None)).collect();
                (*hash, person.id.clone(), none)
            })
            .collect();
        for (person, id, values) in people {
            self.put(Row { id, person, values });
        }
    }

    /// The keys of today.
    pub(super) fn keys(&self) -> Keys {
        let asked = self.numbered_keys().filter(|(_, key)| key.is_asked_for());
        Keys::new(
            asked
                .map(|(place, key)| (place, key.name.clone()))
                .collect(),
        )
    }

    /// Who has a value, as far as can be said to a delivery that asks since then.
    pub(super) fn look(&mut self, key: &str, value: LaneKey, since: AsOf) -> Looked {
        let Some(place) = self.place_of(key) else {
            return Looked::Wait(self.last_scan.next());
        };
        let Some(key) = self.key_mut(place) else {
            return Looked::Wait(self.last_scan.next());
        };
        key.is_needed = true;
        let first = key.first_scan;
        let Some(complete) = self.complete.filter(|complete| complete.number >= first) else {
            return Looked::Wait(self.scan_from(first, None));
        };
        let held: Vec<CustomerId> = self
            .holders
            .of(value)
            .filter_map(|person| Some(self.people.get(&person)?.id.clone()))
            .take(NAMED)
            .collect();
        if !held.is_empty() {
            return Looked::Held(held);
        }
        let needed = self.disproved.get(&value).unwrap_or_default();
        if complete.as_of.covers(since) && complete.number >= needed {
            Looked::Nobody
        } else {
            Looked::Wait(self.scan_from(needed, Some(since)))
        }
    }

    /// Whoever was named for this value does not have it any more.
    pub(super) fn disprove(&mut self, value: LaneKey) {
        // Not later each time: a list that goes on naming somebody who is not there must not be waited for for ever.
        if !self.disproved.contains_key(&value) {
            self.disproved.insert(value, self.last_scan.next());
        }
    }

    /// A delivery of this lane waits for somebody who has the value.
    pub(super) fn wait_for(&mut self, value: LaneKey, lane: LaneKey) {
        if value == lane {
            return;
        }
        let mut lanes = self.awaited.get(&value).unwrap_or_default();
        if !lanes.contains(&lane) && lanes.len() < AWAITING {
            lanes.push(lane);
        }
        // Also where nothing is new, so that it lives on.
        self.awaited.insert(value, lanes);
    }

    /// Somebody is looked for again, so another scan would be of use.
    pub(super) fn ask_again(&mut self) {
        self.is_asked_again = true;
    }

    /// To be kept when a request leaves, for what it brings.
    pub(super) const fn mark(&self) -> Mark {
        self.mark
    }

    /// What Quentli showed in answer to a request that left at `mark`. Gives the lanes for which this is news.
    pub(super) fn learn(&mut self, row: Row, mark: Mark) -> Vec<LaneKey> {
        if self.changed.get(&row.person).is_some_and(|at| at > mark) {
            let seen = self.last_scan;
            if let Some(person) = self.people.get_mut(&row.person) {
                person.seen = seen;
            }
            return Vec::new();
        }
        self.put_and_tell(row)
    }

    /// What we changed and Quentli confirmed. Gives the lanes for which this is news.
    pub(super) fn change(&mut self, row: Row) -> Vec<LaneKey> {
        self.mark = Mark(self.mark.0.saturating_add(1));
        self.changed.insert(row.person, self.mark);
        self.put_and_tell(row)
    }

    /// Quentli does not know the customer any more.
    pub(super) fn forget(&mut self, id: &CustomerId) {
        self.forget_hash(person_hash(id));
    }

    /// The same for a customer of whom only the hash of the identifier is known.
    pub(super) fn forget_hash(&mut self, hash: LaneKey) {
        if let Some(person) = self.people.remove(&hash) {
            for (_, value) in person.values {
                self.holders.remove(value, hash);
            }
        }
    }

    /// A scan begins.
    pub(super) fn begin_scan(&mut self, as_of: AsOf) {
        self.last_scan = self.last_scan.next();
        self.is_asked_again = false;
        self.running = Some(Begun {
            number: self.last_scan,
            as_of,
        });
    }

    /// The scan has read everybody: whom it did not see is gone. Gives its number; `None` where it was called off.
    pub(super) fn complete_scan(&mut self) -> Option<ScanNumber> {
        let begun = self.running.take()?;
        let unseen: Vec<CustomerId> = self
            .people
            .values()
            .filter(|person| person.seen < begun.number)
            .map(|person| person.id.clone())
            .collect();
        for id in unseen {
            self.forget(&id);
        }
        self.complete = Some(begun);
        self.is_full = false;
        Some(begun.number)
    }

    /// Whether this scan or a later one has read everybody.
    pub(super) fn is_through(&self, scan: ScanNumber) -> bool {
        self.complete
            .is_some_and(|complete| complete.number >= scan)
    }

    /// Whether a scan is under way; one that filled the directory up is not.
    pub(super) const fn is_scanning(&self) -> bool {
        self.running.is_some()
    }

    /// The scan came to nothing.
    pub(super) fn call_off_scan(&mut self) {
        self.running = None;
    }

    pub(super) fn figures(&self) -> Figures {
        let asked = || self.keys.iter().filter(|key| key.is_asked_for());
        Figures {
            keys: asked().count(),
            entries: self.holders.len(),
            ambiguous: self.holders.ambiguous(),
            is_full: self.is_full,
            is_complete: asked().all(|key| {
                self.complete
                    .is_some_and(|complete| complete.number >= key.first_scan)
            }),
            is_asked_again: self.is_asked_again,
        }
    }

    /// Entries at most.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// The first scan from `number` on that is of use; for a delivery that asks `since` then, one that
    /// begins after it.
    fn scan_from(&self, number: ScanNumber, since: Option<AsOf>) -> ScanNumber {
        let is_of_use = |running: &Begun| {
            running.number >= number && since.is_none_or(|since| running.as_of.covers(since))
        };
        self.running
            .filter(is_of_use)
            .map_or(self.last_scan.next(), |running| running.number)
    }

    fn numbered_keys(&self) -> impl Iterator<Item = (KeyPlace, &Key)> {
        (0..).map(KeyPlace).zip(&self.keys)
    }

    fn key_mut(&mut self, place: KeyPlace) -> Option<&mut Key> {
        self.keys.get_mut(usize::try_from(place.0).ok()?)
    }

    /// The place of a key, which is made where there is none. `None` where there are more than anybody can have.
    fn place_of(&mut self, name: &str) -> Option<KeyPlace> {
        let known = self.keys.iter().position(|key| key.name == name);
        let place = known.unwrap_or(self.keys.len());
        let number = KeyPlace(u32::try_from(place).ok()?);
        let first_scan = self.last_scan.next();
        match self.keys.get_mut(place) {
            Some(key) if key.is_asked_for() => {}
            // Nobody asked for it meanwhile, so nobody kept its values.
            Some(key) => key.first_scan = first_scan,
            None => self.keys.push(Key {
                name: name.to_owned(),
                is_loaded: false,
                is_needed: false,
                first_scan,
            }),
        }
        Some(number)
    }

    fn put_and_tell(&mut self, row: Row) -> Vec<LaneKey> {
        let appeared = self.put(row);
        let mut lanes = Vec::new();
        if self.complete.is_none() {
            // Whoever waits can be told nothing before the first scan is through.
            return lanes;
        }
        for value in appeared {
            lanes.push(value);
            lanes.extend(self.awaited.remove(&value).unwrap_or_default());
        }
        lanes
    }

    /// Puts a row in the place of what was known; gives the values that are new for this customer.
    fn put(&mut self, row: Row) -> Vec<LaneKey> {
        let Row { id, person, values } = row;
        let before = self.people.remove(&person);
        let mut all: Vec<(KeyPlace, LaneKey)> = before
            .map(|person| person.values.into_vec())
            .unwrap_or_default();
        let mut appeared = Vec::new();
        for (key, value) in values {
            let old = all.iter().position(|(known, _)| *known == key);
            let old = old.map(|place| all.swap_remove(place).1);
            if let Some(old) = old
                && value != Some(old)
            {
                self.holders.remove(old, person);
            }
            if let Some(value) = value {
                all.push((key, value));
                if old != Some(value) {
                    self.holders.add(value, person);
                    appeared.push(value);
                }
            }
        }
        if !all.is_empty() {
            let person_now = Person {
                id,
                values: all.into_boxed_slice(),
                seen: self.last_scan,
            };
            self.people.insert(person, person_now);
        }
        if self.holders.len() > self.limit {
            self.overflow();
            appeared.clear();
        }
        appeared
    }

    fn overflow(&mut self) {
        self.people = HashMap::new();
        self.holders = Holders::default();
        self.running = None;
        self.complete = None;
        self.is_full = true;
    }
}

impl Key {
    const fn is_asked_for(&self) -> bool {
        self.is_loaded || self.is_needed
    }
}

#[cfg(test)]
mod tests;
