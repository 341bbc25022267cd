//! A value that is set, changed without anybody hearing of it, and set back.

use std::{collections::BTreeMap, time::Duration};

use quentli_gateway::sandbox::{Action, Fault, RetryAfter};
use rand::RngExt as _;

use super::{Maker, Stage};
use crate::{
    people::{Arrival, Key, Part, Person},
    plan::{Form, Item, Request, Step},
    sources::SOURCES,
};

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

impl Maker {
    /// Whoever had a value that Quentli confirmed gets another one, of which Quentli's answer is never heard, and the first
    /// once more. Whether what is not confirmed is ever taken for confirmed shows here, and hardly anywhere else: as a rule
    /// such a change is sent again and confirmed before the first value comes back. It begins and ends at rest.
    pub(super) fn there_and_back(&mut self) {
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
            is_unforeseen: false,
        });
        self.plan.requests.push(Request {
            source,
            items: vec![number],
        });
        let request = self.plan.requests.len() - 1;
        self.sent.push(request);
        Step::Send(vec![request])
    }
}
