//! Compares what happened with what should have.

mod course;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use quentli_gateway::sandbox::Exchange;

pub(crate) use self::order::fields;
use self::{
    course::ends_as_the_model_says,
    order::{nothing_older_after_something_newer, one_change_at_a_time},
};
use crate::{
    people::ORGANISATIONS,
    plan::Scope,
    play::{Played, Stop},
    sources::SOURCES,
};

/// Something that is not as it should be; where it concerns one of the people, who.
pub(crate) struct Problem {
    pub(crate) person: Option<usize>,
    pub(crate) what: String,
}

/// All that is wrong with a run.
pub(crate) fn problems(played: &Played) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut general = |found: Vec<String>| {
        problems.extend(found.into_iter().map(|what| Problem { person: None, what }));
    };
    general(played.account.problems.clone());
    general(played.problems.clone());
    general(acknowledged_is_accepted_once(played));
    general(accepted_in_the_order_of_acknowledgement(played));
    general(nobody_is_created_twice(played));
    for stop in &played.stops {
        general(nothing_leaves_while_stopped(played, stop));
    }
    for organisation in 0..ORGANISATIONS.len() {
        let exchanges = played.world.sandbox(organisation).exchanges();
        general(crate::schema::Checker::new().problems(&exchanges));
    }
    for person in 0..played.plan.people.len() {
        let mut of_person = Vec::new();
        of_person.extend(ends_as_the_model_says(played, person).err());
        of_person.extend(one_change_at_a_time(played, person));
        of_person.extend(nothing_older_after_something_newer(played, person));
        problems.extend(of_person.into_iter().map(|what| Problem {
            person: Some(person),
            what,
        }));
    }
    problems
}

/// Whatever was acknowledged is there, once; and nothing else is.
fn acknowledged_is_accepted_once(played: &Played) -> Vec<String> {
    let mut problems = Vec::new();
    let mut accepted = BTreeSet::new();
    for item in played.account.accepted.iter().map(|accepted| accepted.item) {
        if !accepted.insert(item) {
            problems.push(format!("item {item} was accepted twice"));
        }
    }
    for send in &played.sends {
        for item in &played.plan.requests[send.request].items {
            if !accepted.contains(item) {
                problems.push(format!("item {item} was acknowledged and is missing"));
            }
        }
    }
    for accepted in &played.account.accepted {
        let item = &played.plan.items[accepted.item];
        if item.is_note() && accepted.word != "dropped" {
            problems.push(format!("note {}: {}", accepted.item, accepted.word));
        }
    }
    problems
}

/// Of two requests, one acknowledged before the other was sent, the first comes first.
fn accepted_in_the_order_of_acknowledgement(played: &Played) -> Vec<String> {
    let mut problems = Vec::new();
    let event_of = &played.account.event_of_request;
    let mut first_begun: BTreeMap<usize, u64> = BTreeMap::new();
    for send in &played.sends {
        let begun = first_begun.entry(send.request).or_insert(send.begun);
        *begun = (*begun).min(send.begun);
    }
    for earlier in &played.sends {
        for (later, begun) in &first_begun {
            let (Some(first), Some(second)) = (event_of.get(&earlier.request), event_of.get(later))
            else {
                continue;
            };
            if earlier.acknowledged < *begun && first >= second {
                problems.push(format!(
                    "request {} was acknowledged before {later} was sent, and is event {first} after {second}",
                    earlier.request
                ));
            }
        }
    }
    problems
}

fn nobody_is_created_twice(played: &Played) -> Vec<String> {
    let last = played.quiets.last().unwrap();
    let mut problems = Vec::new();
    for (organisation, name) in ORGANISATIONS.iter().enumerate() {
        let expected = last
            .records
            .keys()
            .filter(|person| played.plan.people[**person].organisation == organisation)
            .count();
        let there = played.world.sandbox(organisation).customer_count();
        if there != expected {
            problems.push(format!("{name}: {there} customers, and not {expected}"));
        }
    }
    problems
}

/// While a person has stopped an organisation nothing is changed there, and nothing of a source while it is stopped.
fn nothing_leaves_while_stopped(played: &Played, stop: &Stop) -> Vec<String> {
    let mut problems = Vec::new();
    for organisation in 0..ORGANISATIONS.len() {
        let is_during = |exchange: &Exchange| {
            let end = stop.to.as_ref().map(|to| to[organisation]);
            exchange.method != "GET"
                && exchange.number >= stop.from[organisation]
                && end.is_none_or(|end| exchange.number < end)
        };
        let exchanges = played.world.sandbox(organisation).exchanges();
        for exchange in exchanges.into_iter().filter(is_during) {
            let is_meant = match stop.scope {
                Scope::Organisation(stopped) => stopped == organisation,
                Scope::Source(source) => is_of(played, source, organisation, &exchange),
            };
            if is_meant {
                problems.push(format!("{:?} is stopped, and yet {exchange:?}", stop.scope));
            }
        }
    }
    problems
}

/// Whether a change has a value that only an item of this source has.
fn is_of(played: &Played, source: usize, organisation: usize, exchange: &Exchange) -> bool {
    let sent = fields(exchange);
    let mut items = played.plan.items.iter();
    items.any(|item| {
        item.source == source
            && SOURCES[source].organisation == organisation
            && item.change.iter().any(|(part, value)| {
                part.has_unique_values()
                    && value.is_some()
                    && (part.of(&sent))
                        .is_some_and(|sent| part.is_of_same(sent.as_deref(), value.as_deref()))
            })
    })
}

/// The name of the source of an item.
pub(crate) fn source_name(played: &Played, item: usize) -> &'static str {
    SOURCES[played.plan.items[item].source].name
}
