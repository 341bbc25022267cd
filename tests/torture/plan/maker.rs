//! Makes a plan from a seed.

mod by_hand;
mod unheard;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::SignedDuration;
use quentli_gateway::sandbox::{Action, Fault, RetryAfter};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{Form, Item, MARKS, Mark, Plan, Request, Scope, Step};
use crate::{
    people::{Arrival, Key, ORGANISATIONS, Part, Person},
    sources::SOURCES,
};

/// The plan of a seed.
pub(super) fn make(seed: u64, form: Form) -> Plan {
    let mut maker = Maker {
        random: StdRng::seed_from_u64(seed),
        form,
        plan: Plan {
            people: Vec::new(),
            items: Vec::new(),
            requests: Vec::new(),
            observing: BTreeSet::new(),
            steps: Vec::new(),
        },
        stage: Vec::new(),
        sent: Vec::new(),
        has_endless_failures: false,
        watched: BTreeSet::new(),
        mended: BTreeSet::new(),
        paused: Vec::new(),
    };
    maker.make();
    maker.plan
}

/// Where somebody stands while the plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Events name them, whether or not Quentli has them.
    Named,
    /// Nobody has created them yet.
    Unborn,
    /// No events any more, or not yet.
    Out,
}

struct Maker {
    random: StdRng,
    form: Form,
    plan: Plan,
    /// For each of the people.
    stage: Vec<Stage>,
    /// Requests that were sent already.
    sent: Vec<usize>,
    /// Whether some changes meet a 500 for hours, until they are given up.
    has_endless_failures: bool,
    /// Sources of which something may be observed that was not sent.
    watched: BTreeSet<usize>,
    /// Sources whose file was mended.
    mended: BTreeSet<usize>,
    paused: Vec<Scope>,
}

impl Maker {
    fn make(&mut self) {
        // With the system's clock they would take as long as they take.
        self.has_endless_failures = self.form == Form::Driven && self.random.random_ratio(1, 2);
        for organisation in 0..ORGANISATIONS.len() {
            for number in 0..self.random.random_range(4..7) {
                let person = self.person(organisation, number);
                self.stage.push(match person.arrival {
                    Arrival::Created => Stage::Unborn,
                    _ => Stage::Named,
                });
                self.plan.people.push(person);
            }
        }
        self.observe();
        let segments = self.random.random_range(1..4);
        for _ in 0..segments {
            for _ in 0..self.random.random_range(8..24) {
                self.act();
            }
            self.rest();
            self.there_and_back();
            self.erase_somebody();
            self.between_segments();
            self.sent_again_at_rest();
        }
        self.sent_again_at_last();
    }

    fn person(&mut self, organisation: usize, number: usize) -> Person {
        let arrival = match (self.random.random_range(0..10), self.form) {
            (0..6, _) | (6 | 7, Form::Process) => Arrival::There,
            (6, Form::Driven) => Arrival::Never,
            (7, Form::Driven) => Arrival::Late,
            _ => Arrival::Created,
        };
        let mut keys = match (arrival, self.form) {
            (Arrival::There, _) => vec![Key::Id, Key::Username, Key::Email, Key::Matricula],
            (Arrival::Created, Form::Process) => vec![Key::Username],
            _ => vec![Key::Username, Key::Email, Key::Matricula],
        };
        let wanted = if self.random.random_ratio(2, 3) { 1 } else { 3 };
        while keys.len() > wanted {
            keys.remove(self.random.random_range(0..keys.len()));
        }
        // Only a username or an address can be given to somebody who is created.
        if arrival == Arrival::Created && !keys.iter().any(|key| is_given(*key)) {
            keys.push(Key::Username);
        }
        Person {
            organisation,
            number,
            arrival,
            keys,
        }
    }

    /// All that anybody stopped goes on, and everything comes to rest.
    fn rest(&mut self) {
        self.paused.clear();
        self.no_one_is_left_unborn();
        self.plan.steps.push(Step::Quiet);
    }

    fn act(&mut self) {
        let organisation = self.random.random_range(0..ORGANISATIONS.len());
        if self.random.random_ratio(1, 5) && self.by_hand() {
            return;
        }
        let step = match self.random.random_range(0..100) {
            0..46 => Step::Send(self.requests()),
            46..56 if !self.sent.is_empty() => {
                let again = self.random.random_range(0..self.sent.len());
                Step::Send(vec![self.sent[again]])
            }
            46..70 => Step::Trouble(organisation, self.trouble(organisation)),
            70..74 => Step::SendAndKill(self.requests()),
            74..78 => Step::Kill,
            78..80 => Step::Lift(organisation),
            80..83 => Step::RefuseKey(organisation),
            83..86 => Step::TakeKey(organisation),
            86..88 if self.form == Form::Driven => Step::SetClock(SignedDuration::from_secs(
                self.random.random_range(-3000..3000),
            )),
            86..92 => match self.late() {
                Some(late) => Step::Appear(late),
                None => Step::Wait(self.wait()),
            },
            _ => Step::Wait(self.wait()),
        };
        self.plan.steps.push(step);
    }

    /// Somebody who is to come to Quentli later.
    fn late(&mut self) -> Option<usize> {
        let came: Vec<usize> = self
            .plan
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Appear(person) => Some(*person),
                _ => None,
            })
            .collect();
        (0..self.plan.people.len()).find(|person| {
            self.plan.people[*person].arrival == Arrival::Late && !came.contains(person)
        })
    }

    fn wait(&mut self) -> Duration {
        match self.form {
            Form::Driven => Duration::from_millis(self.random.random_range(500..600_000)),
            Form::Process => Duration::from_millis(self.random.random_range(5..80)),
        }
    }

    /// After everything came to rest.
    fn between_segments(&mut self) {
        self.born();
        // What was observed of whom somebody else replaced would be sent to the other.
        let may_replace = self.form == Form::Driven && self.watched.is_empty();
        if may_replace && self.random.random_ratio(1, 2) {
            let replaced = self.pick(|person, stage| {
                person.arrival == Arrival::There
                    && stage == Stage::Named
                    && !person.keys.contains(&Key::Id)
            });
            if let Some(old) = replaced {
                let heir = Person {
                    arrival: Arrival::Heir,
                    ..self.plan.people[old].clone()
                };
                self.stage[old] = Stage::Out;
                self.stage.push(Stage::Named);
                self.plan.people.push(heir);
                self.plan
                    .steps
                    .push(Step::Replace(old, self.plan.people.len() - 1));
                // What was found out of the keys before is believed for ten minutes.
                self.plan.steps.push(Step::Wait(Duration::from_mins(11)));
            }
        }
    }

    /// Those about whom a creating source has sent something exist now.
    fn born(&mut self) {
        for item in &self.plan.items {
            let is_unborn = self.stage[item.person] == Stage::Unborn;
            if is_unborn && item.creates() && !item.is_note() {
                self.stage[item.person] = Stage::Named;
            }
        }
    }

    fn pick(&mut self, is_meant: impl Fn(&Person, Stage) -> bool) -> Option<usize> {
        let meant: Vec<usize> = (0..self.plan.people.len())
            .filter(|person| is_meant(&self.plan.people[*person], self.stage[*person]))
            .collect();
        if meant.is_empty() {
            return None;
        }
        Some(meant[self.random.random_range(0..meant.len())])
    }

    fn requests(&mut self) -> Vec<usize> {
        let many = self.random.random_range(1..4);
        (0..many).map(|_| self.request()).collect()
    }

    fn request(&mut self) -> usize {
        let source = self.random.random_range(0..SOURCES.len());
        let mut items: Vec<usize> = (0..self.random.random_range(1..5))
            .map(|_| self.item(source))
            .collect();
        if SOURCES[source].knows_items() && self.random.random_ratio(1, 4) {
            let known: Vec<usize> = (0..self.plan.items.len())
                .filter(|item| self.plan.items[*item].source == source && !items.contains(item))
                .collect();
            if !known.is_empty() {
                let place = self.random.random_range(0..=items.len());
                items.insert(place, known[self.random.random_range(0..known.len())]);
            }
        }
        self.plan.requests.push(Request { source, items });
        let number = self.plan.requests.len() - 1;
        self.sent.push(number);
        number
    }

    fn item(&mut self, source: usize) -> usize {
        let number = self.plan.items.len();
        let sending = &SOURCES[source];
        let person = self.pick(|person, stage| {
            person.organisation == sending.organisation
                && match stage {
                    Stage::Named => {
                        !sending.creates
                            || !matches!(person.arrival, Arrival::Never | Arrival::Late)
                    }
                    Stage::Unborn => true,
                    Stage::Out => false,
                }
        });
        let is_note = self.random.random_ratio(1, 12);
        let person = person.filter(|_| !is_note);
        let item = match person {
            None => Item {
                source,
                person: 0,
                key: Key::Id,
                version: None,
                change: BTreeMap::new(),
                is_unforeseen: false,
            },
            Some(person) => {
                let is_unborn = self.stage[person] == Stage::Unborn;
                let keys: Vec<Key> = self.plan.people[person]
                    .keys
                    .iter()
                    .copied()
                    .filter(|key| !sending.creates || is_given(*key) || !is_unborn)
                    .collect();
                let key = keys[self.random.random_range(0..keys.len())];
                return self.item_of(source, person, key);
            }
        };
        self.plan.items.push(item);
        number
    }

    /// A change of this person.
    fn item_of(&mut self, source: usize, person: usize, key: Key) -> usize {
        let number = self.plan.items.len();
        let item = Item {
            source,
            person,
            key,
            version: self.version(source, number),
            change: self.change(number, person),
            is_unforeseen: self.may_wait(person) && self.random.random_ratio(1, 10),
        };
        self.plan.items.push(item);
        number
    }

    /// Mostly the number of the item, sometimes an earlier one.
    fn version(&mut self, source: usize, number: usize) -> Option<i64> {
        if !SOURCES[source].has_versions || self.random.random_ratio(1, 10) {
            return None;
        }
        let number = i64::try_from(number).unwrap();
        let back = if self.random.random_ratio(1, 3) {
            self.random.random_range(1..30)
        } else {
            0
        };
        Some(number - back)
    }

    fn change(&mut self, number: usize, person: usize) -> BTreeMap<Part, Option<String>> {
        let mut change = BTreeMap::new();
        while change.is_empty() {
            for part in Part::ALL {
                if self.random.random_ratio(1, 3) {
                    change.insert(part, self.value(part, number));
                }
            }
        }
        if self.may_wait(person) && self.random.random_ratio(1, 20) {
            let marks = if self.has_endless_failures { 4 } else { 2 };
            let (mark, what) = MARKS[self.random.random_range(0..marks)];
            change.insert(Part::Name, Some(format!("n{number} {mark}")));
            if what == Mark::Unanswered {
                // Another update soon has the value again that was there before.
                change.insert(Part::Grado, self.value(Part::Grado, number));
            }
        }
        change
    }

    /// Whether what is sent of somebody may be dead for a while: not where it is to create them.
    fn may_wait(&self, person: usize) -> bool {
        let arrival = self.plan.people[person].arrival;
        matches!(arrival, Arrival::There | Arrival::Late)
    }

    fn value(&mut self, part: Part, number: usize) -> Option<String> {
        let is_cleared = self.random.random_ratio(1, 4);
        match part {
            Part::Phone | Part::Grado | Part::Beca if is_cleared => None,
            Part::Name => Some(format!("n{number}")),
            Part::Phone => Some(format!("+5255{:08}", 10_000_000 + number)),
            Part::Tags => Some(["a", "a,b", "b,c"][self.random.random_range(0..3)].to_owned()),
            Part::Grado => Some(self.random.random_range(1..4).to_string()),
            Part::Grupo => Some(format!("g{number}")),
            Part::Beca => Some("si".to_owned()),
        }
    }

    fn trouble(&mut self, organisation: usize) -> Fault {
        let seconds = self.random.random_range(1..40);
        let (seconds, wait, too_long) = match self.form {
            Form::Driven => (seconds, 100..5_000, 12_000..60_000),
            Form::Process => (1, 1..60, 1_200..1_500),
        };
        let status = |status, retry_after| Action::Status {
            status,
            retry_after,
            message: None,
        };
        let action = match self.random.random_range(0..16) {
            0 => status(429, Some(RetryAfter::Seconds(seconds))),
            1 => status(429, Some(RetryAfter::DateIn(seconds))),
            2 => status(429, None),
            3 => status(500, None),
            4 => status(503, Some(RetryAfter::Seconds(seconds))),
            5 => status(408, None),
            6 => status(425, None),
            7 => Action::Slow {
                milliseconds: self.random.random_range(wait),
            },
            8 => Action::Slow {
                milliseconds: self.random.random_range(too_long),
            },
            9 => Action::CutBefore,
            10..13 => Action::CutAfter,
            13 => Action::Html,
            14 => [Action::WithoutCustomer, Action::OtherCustomer][self.random.random_range(0..2)]
                .clone(),
            _ => [Action::Redirect, Action::Null][self.random.random_range(0..2)].clone(),
        };
        let is_odd = matches!(
            action,
            Action::Html
                | Action::WithoutCustomer
                | Action::OtherCustomer
                | Action::Redirect
                | Action::Null
        );
        let is_down = action == Action::CutBefore && self.random.random_ratio(1, 2);
        if is_down {
            return Fault::always(action);
        }
        let mut fault = Fault::times(self.random.random_range(1..4), action);
        if is_odd || self.random.random_ratio(1, 2) {
            fault = fault.on_method("PATCH");
        } else if self.random.random_ratio(1, 4) {
            fault = fault.on_method("POST");
        }
        if self.random.random_ratio(1, 3)
            && let Some(person) = self.pick(|person, _| person.organisation == organisation)
        {
            fault = fault.on_customer(&self.plan.people[person].username());
        }
        fault
    }
}

/// Whether a new customer gets this key.
fn is_given(key: Key) -> bool {
    matches!(key, Key::Username | Key::Email)
}
