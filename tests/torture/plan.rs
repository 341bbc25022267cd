//! What happens in a run, made from a seed before it begins: events, and troubles between them.

mod maker;

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use quentli_gateway::sandbox::Fault;
use serde_json::{Value, json};

use crate::people::Person;

pub(crate) use crate::item::Item;

/// How a run is played, which decides what may happen in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Inside the test, with a clock that the test drives.
    Driven,
    /// As a process of its own, with the system's clock: waits are short, and nobody is missing for hours.
    Process,
}

/// A run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) people: Vec<Person>,
    pub(crate) items: Vec<Item>,
    pub(crate) requests: Vec<Request>,
    /// Sources that only observe until a step has them go live.
    pub(crate) observing: BTreeSet<usize>,
    pub(crate) steps: Vec<Step>,
}

/// A request: some items from one source. Sent again it is the same, byte by byte.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) source: usize,
    pub(crate) items: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// These requests, at once, each until it is acknowledged.
    Send(Vec<usize>),
    /// The same, and the gateway dies meanwhile. What was not acknowledged is sent to the next one.
    SendAndKill(Vec<usize>),
    Kill,
    Trouble(usize, Fault),
    /// The troubles end, except those that certain values meet.
    Lift(usize),
    RefuseKey(usize),
    TakeKey(usize),
    Wait(Duration),
    /// The time of day is set.
    SetClock(SignedDuration),
    /// A person adds somebody to Quentli.
    Appear(usize),
    /// A person removes the first from Quentli, and the second has their keys from then on.
    Replace(usize, usize),
    /// All troubles end, and it is waited until nothing moves any more.
    Quiet,
    /// From here on Quentli takes whatever it never took.
    Forgive,
    /// A person has some of what was dead when everything last came to rest sent again.
    Redeliver(Wish),
    /// A person has some sent at once of what waits or is looked for.
    Hurry(Wish),
    /// A source gets a file that knows what it did not know, and writes a value in another way.
    Mend(usize),
    /// A person has events of mended sources mapped again of which something is open.
    Remap(Wish),
    /// A person has everything erased that is known of somebody, where everything has come to rest.
    Erase {
        lot: u64,
    },
    /// A person gives up some of what is open, of those who are in Quentli.
    Discard {
        lot: u64,
    },
    /// A person stops what is sent. It goes on at the latest when everything comes to rest.
    Pause(Scope),
    Resume(Scope),
    /// A source observes no more.
    GoLive(usize),
    /// A person has all sent that a source only observed.
    SendObserved(usize, Wish),
}

/// How something is sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Decides which.
    pub(crate) lot: u64,
    /// Also over what is newer.
    pub(crate) overwrites: bool,
}

/// What a person stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Organisation(usize),
    Source(usize),
}

/// Marks in a value: what Quentli always does with a change that has it. The last two take as long as a delivery is
/// tried.
pub(crate) const MARKS: [(&str, Mark); 4] = [
    ("(400)", Mark::Refused(400)),
    ("(403)", Mark::Refused(403)),
    ("(500)", Mark::Refused(500)),
    ("(cut)", Mark::Unanswered),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is answered with this status, and not applied.
    Refused(u16),
    /// It is applied, and the answer never comes.
    Unanswered,
}

impl Plan {
    /// The body of a request.
    pub(crate) fn body(&self, number: usize) -> String {
        let request = &self.requests[number];
        let events = request.items.iter().map(|number| {
            let item = &self.items[*number];
            item.event(*number, &self.people[item.person])
        });
        let events: Vec<Value> = events.collect();
        json!({"request": number, "events": events}).to_string()
    }

    pub(crate) fn from_seed(seed: u64, form: Form) -> Self {
        maker::make(seed, form)
    }
}
