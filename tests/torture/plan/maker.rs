//! Makes a plan from a seed.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use quentli_gateway::sandbox::{Action, Fault, RetryAfter};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{Form, Item, MARKS, Mark, Plan, Request, Step};
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
            steps: Vec::new(),
        },
        stage: Vec::new(),
        sent: Vec::new(),
        has_endless_failures: false,
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

/// Why Quentli's answer to a change that it applied is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unheard {
    /// The connection was cut; what comes next goes in one request with it.
    Cut,
    /// The gateway died.
    Killed,
    /// The same, and what comes next names the customer by another key.
    KilledUnderOtherKey,
    /// It never comes, and the delivery is dead.
    GivenUp,
}

impl Unheard {
    const ALL: [Self; 4] = [
        Self::Cut,
        Self::Killed,
        Self::KilledUnderOtherKey,
        Self::GivenUp,
    ];
    const PASSING: [Self; 3] = [Self::Cut, Self::Killed, Self::KilledUnderOtherKey];
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
        let segments = self.random.random_range(1..4);
        for _ in 0..segments {
            for _ in 0..self.random.random_range(8..24) {
                self.act();
            }
            self.plan.steps.push(Step::Quiet);
            self.there_and_back();
            self.between_segments();
        }
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

    fn act(&mut self) {
        let organisation = self.random.random_range(0..ORGANISATIONS.len());
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

    /// Whoever had a value that Quentli confirmed gets another one, of which Quentli's answer is never heard, and the first
    /// once more. Whether what is not confirmed is ever taken for confirmed shows here, and hardly anywhere else: as a rule
    /// such a change is sent again and confirmed before the first value comes back. It begins and ends at rest.
    fn there_and_back(&mut self) {
        let by_two_keys = |person: &Person| person.keys.len() > 1 && person.keys.contains(&Key::Id);
        let ways: &[Unheard] = match self.form {
            Form::Driven if self.has_endless_failures => &Unheard::ALL,
            Form::Driven | Form::Process => &Unheard::PASSING,
        };
        let way = ways[self.random.random_range(0..ways.len())];
        let who = self.pick(|person, stage| {
            person.arrival == Arrival::There
                && stage == Stage::Named
                && (way != Unheard::KilledUnderOtherKey || by_two_keys(person))
        });
        let Some(who) = who else { return };
        let person = self.plan.people[who].clone();
        let back = match way {
            Unheard::KilledUnderOtherKey => Key::Id,
            _ => person.keys[0],
        };
        let out = match way {
            Unheard::KilledUnderOtherKey => person.keys.iter().copied().find(|key| *key != Key::Id),
            _ => None,
        };
        let trouble = |action| {
            let fault = Fault::once(action).on_method("PATCH");
            Step::Trouble(person.organisation, fault.on_customer(&person.username()))
        };
        let moment = match self.form {
            Form::Driven => Duration::from_secs(2),
            Form::Process => Duration::from_millis(80),
        };
        let answered_late = Action::Slow {
            milliseconds: match self.form {
                Form::Driven => 30_000,
                Form::Process => 1_500,
            },
        };
        let first = self.grado(who, back, "8", None);
        let unheard = self.grado(
            who,
            out.unwrap_or(back),
            "9",
            (way == Unheard::GivenUp).then_some("(cut)"),
        );
        let again = self.grado(who, back, "8", None);
        let steps = match way {
            Unheard::Cut => vec![
                trouble(Action::CutAfter),
                // It waits, and what comes next goes with it. This says that nothing was applied.
                trouble(Action::Status {
                    status: 429,
                    retry_after: Some(RetryAfter::Seconds(1)),
                    message: None,
                }),
                unheard,
                Step::Wait(moment),
                again,
            ],
            Unheard::Killed => vec![
                trouble(answered_late),
                unheard,
                Step::Wait(moment),
                again,
                Step::Kill,
            ],
            Unheard::KilledUnderOtherKey => vec![
                trouble(answered_late),
                unheard,
                Step::Wait(moment),
                // It cannot be told for a moment whose the first one is.
                Step::Trouble(
                    person.organisation,
                    Fault::times(
                        2,
                        Action::Status {
                            status: 503,
                            retry_after: None,
                            message: None,
                        },
                    )
                    .on_method("GET"),
                ),
                Step::Kill,
                again,
            ],
            Unheard::GivenUp => vec![unheard, Step::Quiet, again],
        };
        self.plan.steps.push(first);
        self.plan.steps.push(Step::Wait(moment));
        self.plan.steps.extend(steps);
        self.plan.steps.push(Step::Wait(moment));
        self.plan.steps.push(Step::Quiet);
    }

    /// Sends a value of `Grado`, by a source whose order is that of acceptance.
    fn grado(&mut self, person: usize, key: Key, value: &str, mark: Option<&str>) -> Step {
        let organisation = self.plan.people[person].organisation;
        let source = SOURCES.iter().position(|source| {
            source.organisation == organisation && !source.has_versions && !source.creates
        });
        let source = source.unwrap();
        let number = self.plan.items.len();
        let mut change = BTreeMap::from([(Part::Grado, Some(value.to_owned()))]);
        if let Some(mark) = mark {
            change.insert(Part::Name, Some(format!("n{number} {mark}")));
        }
        self.plan.items.push(Item {
            source,
            person,
            key,
            version: None,
            change,
        });
        self.plan.requests.push(Request {
            source,
            items: vec![number],
        });
        let request = self.plan.requests.len() - 1;
        self.sent.push(request);
        Step::Send(vec![request])
    }

    /// After everything came to rest.
    fn between_segments(&mut self) {
        self.born();
        if self.form == Form::Driven && self.random.random_ratio(1, 2) {
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
        // Whoever is not born yet is named by creating sources, or by keys that no creating source uses: an update that
        // waits for its customer is overtaken by the one that creates it, which the model does not know.
        let person = self.pick(|person, stage| {
            person.organisation == sending.organisation
                && match stage {
                    Stage::Named => {
                        !sending.creates
                            || !matches!(person.arrival, Arrival::Never | Arrival::Late)
                    }
                    Stage::Unborn => sending.creates || person.keys.contains(&Key::Matricula),
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
            },
            Some(person) => {
                let is_unborn = self.stage[person] == Stage::Unborn;
                let keys: Vec<Key> = self.plan.people[person]
                    .keys
                    .iter()
                    .copied()
                    .filter(|key| !sending.creates || is_given(*key) || !is_unborn)
                    .filter(|key| sending.creates || !is_given(*key) || !is_unborn)
                    .collect();
                let key = keys[self.random.random_range(0..keys.len())];
                Item {
                    source,
                    person,
                    key,
                    version: self.version(source, number),
                    change: self.change(number, person),
                }
            }
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
        let may_fail = matches!(
            self.plan.people[person].arrival,
            Arrival::There | Arrival::Late
        );
        if may_fail && self.random.random_ratio(1, 20) {
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
