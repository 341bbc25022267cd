//! Compares what happened with what should have.

use std::collections::{BTreeMap, BTreeSet};

use quentli_gateway::sandbox::{End, Exchange};
use serde_json::Value;

use crate::{
    account::Accepted,
    model::{Fate, Lane, State, Update, outcomes},
    people::{Arrival, Key, ORGANISATIONS, Part},
    plan::{MARKS, Scope},
    play::{Again, Played, Stop},
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
        if item.is_note() && accepted.word() != "dropped" {
            problems.push(format!("note {}: {}", accepted.item, accepted.word()));
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

/// The updates of somebody that were accepted, in that order, with the event of each.
fn updates_of(played: &Played, person: usize) -> Vec<(i64, Update)> {
    let mut updates = Vec::new();
    for (place, accepted) in played.account.accepted.iter().enumerate() {
        let item = &played.plan.items[accepted.item];
        if item.person != person || item.is_note() {
            continue;
        }
        let newcomer = BTreeMap::from([(Part::Name, played.plan.people[person].first_name())]);
        let name = item
            .change
            .get(&Part::Name)
            .cloned()
            .flatten()
            .unwrap_or_default();
        let mark = MARKS.iter().find(|(text, _)| name.contains(text));
        let update = Update {
            item: accepted.item,
            place,
            source: item.source,
            lane: Lane {
                key: item.key,
                again: None,
            },
            version: item.version,
            change: item.change.clone(),
            creates_with: item.creates().then_some(newcomer),
            marked: mark.map(|(_, mark)| (Part::Name, *mark)),
            overwrites: false,
            is_given_up: accepted.word() == "discarded",
        };
        updates.push((accepted.event, update));
    }
    updates
}

/// At each moment of rest, and at the end, the record is one that the model allows, and so is the end of each update.
fn ends_as_the_model_says(played: &Played, person: usize) -> Result<(), String> {
    let updates = updates_of(played, person);
    let mut states = BTreeSet::from([State::default()]);
    let mut behind: Vec<Update> = Vec::new();
    let mut from = 0;
    for (place, quiet) in played.quiets.iter().enumerate() {
        // What was accepted later comes later; a request of known items only has no event of its own.
        let last = played.sends[..quiet.sends]
            .iter()
            .filter_map(|send| played.account.event_of_request.get(&send.request))
            .max();
        let last = last.copied().unwrap_or(0);
        let is_new = |event: i64| event > from && event <= last;
        let new = updates
            .iter()
            .filter(|(event, update)| is_new(*event) && !played.observed.contains(&update.item));
        behind.extend(new.map(|(_, update)| update.clone()));
        from = last;
        let again = sent_again(played, place, &updates);
        states = states.into_iter().map(|state| state.anew(&again)).collect();
        behind.extend(again);
        behind.sort_by_key(|update| update.place);
        let is_forgiven = played.forgiven.is_some_and(|forgiven| forgiven <= place);
        for update in behind.iter_mut().filter(|_| is_forgiven) {
            update.marked = None;
        }
        let Some(observed) = quiet.records.get(&person) else {
            // Whoever is not there: their updates wait. Or they are gone, and were looked at before.
            let must_exist = behind.iter().any(|update| update.creates_with.is_some());
            if must_exist {
                return Err(format!("at rest {place}: nobody was created"));
            }
            behind.retain(|update| !quiet.dead.contains(&update.item));
            continue;
        };
        let starts = come(&states, played, person);
        let possible: BTreeSet<State> = starts
            .iter()
            .flat_map(|state| outcomes(state, &behind))
            .collect();
        behind.clear();
        states = possible
            .iter()
            .filter(|state| state.exists && state.values == *observed)
            .cloned()
            .collect();
        if states.is_empty() {
            let expected: BTreeSet<_> = possible.iter().map(|state| &state.values).collect();
            return Err(format!(
                "at rest {place} Quentli has\n    {observed:?}\nand should have{}\n    {expected:?}",
                if expected.len() > 1 { " one of" } else { "" }
            ));
        }
    }
    ends_fit(played, &updates, &states)
}

/// What was sent again between the rest before this one and this one.
fn sent_again(played: &Played, quiet: usize, updates: &[(i64, Update)]) -> Vec<Update> {
    let mut found = Vec::new();
    let agains = played.agains.iter().enumerate();
    for (number, again) in agains.filter(|(_, again)| again.quiets == quiet) {
        let Again {
            items,
            is_at_rest,
            overwrites,
            ..
        } = again;
        let of_person = updates.iter().map(|(_, update)| update);
        let of_person = of_person.filter(|update| items.contains(&update.item));
        found.extend(of_person.map(|update| Update {
            lane: Lane {
                again: (!is_at_rest).then_some(number),
                ..update.lane
            },
            overwrites: *overwrites,
            ..update.clone()
        }));
    }
    found
}

/// Those who are added by a person are there before their first update is applied.
fn come(states: &BTreeSet<State>, played: &Played, person: usize) -> BTreeSet<State> {
    let who = &played.plan.people[person];
    if who.arrival == Arrival::Created {
        return states.clone();
    }
    let first = BTreeMap::from([(Part::Name, who.first_name())]);
    states
        .iter()
        .map(|state| {
            if state.exists {
                state.clone()
            } else {
                State::existing(first.clone())
            }
        })
        .collect()
}

/// The ends that are recorded are those of one of the possible courses.
fn ends_fit(
    played: &Played,
    updates: &[(i64, Update)],
    states: &BTreeSet<State>,
) -> Result<(), String> {
    let accepted: BTreeMap<usize, &Accepted> = played
        .account
        .accepted
        .iter()
        .map(|accepted| (accepted.item, accepted))
        .collect();
    let mut mismatches = BTreeSet::new();
    for state in states {
        let misfit = updates.iter().find_map(|(_, update)| {
            let word = accepted[&update.item].word();
            let fate = state.fates.get(&update.item);
            let is_right = if is_unsent(played, update.item) {
                word == "dropped"
            } else {
                fits(fate, &word, is_replaced(update, updates))
            };
            (!is_right).then(|| {
                format!(
                    "item {} ended as `{word}`, by the model {fate:?}",
                    update.item
                )
            })
        });
        match misfit {
            None => return Ok(()),
            Some(misfit) => mismatches.insert(misfit),
        };
    }
    Err(mismatches.into_iter().collect::<Vec<_>>().join("\n"))
}

/// Whether later updates set all of it anew: of a batch that met trouble the last may go first, and leave nothing of it.
fn is_replaced(update: &Update, updates: &[(i64, Update)]) -> bool {
    let mut later: BTreeSet<Part> = BTreeSet::new();
    for (_, other) in updates {
        if other.place > update.place {
            later.extend(other.change.keys().copied());
        }
    }
    update.change.keys().all(|part| later.contains(part))
}

/// Whether a source only observed it, and nobody had it sent.
fn is_unsent(played: &Played, item: usize) -> bool {
    let is_sent = |again: &Again| again.items.contains(&item);
    played.observed.contains(&item) && !played.agains.iter().any(is_sent)
}

fn fits(fate: Option<&Fate>, word: &str, is_replaced: bool) -> bool {
    // It was dead when a person gave it up.
    if word == "discarded" {
        return matches!(
            fate,
            None | Some(Fate::GivenUp | Fate::Refused | Fate::Unanswered)
        );
    }
    match fate {
        Some(Fate::GivenUp) => false,
        // Nobody ever came, or came too late.
        None => word.starts_with("dead customer-not-found"),
        Some(Fate::Refused) => ["dead refused", "dead forbidden", "dead retries-exhausted"]
            .iter()
            .any(|dead| word.starts_with(dead)),
        Some(Fate::Unanswered) => word.starts_with("dead retries-exhausted"),
        Some(Fate::Merged) => matches!(word, "superseded" | "stale" | "unchanged"),
        Some(Fate::Stale) => matches!(word, "stale" | "superseded"),
        Some(Fate::Applied { stale }) if stale.is_empty() => {
            matches!(word, "delivered" | "unchanged" | "superseded")
                || (word == "stale" && is_replaced)
        }
        // What is left may be there already.
        Some(Fate::Applied { .. }) => matches!(word, "delivered" | "stale" | "superseded"),
    }
}

/// The changes and creations that left for somebody, in the order of arrival.
fn changes_of(played: &Played, person: usize) -> Vec<Exchange> {
    let who = &played.plan.people[person];
    let sandbox = played.world.sandbox(who.organisation);
    let created = (who.arrival == Arrival::Created)
        .then(|| sandbox.customer_by_username(&who.username()))
        .flatten();
    let id = match &created {
        Some(record) => record["id"].as_str().unwrap().to_owned(),
        None => who.id(),
    };
    let is_meant = |exchange: &Exchange| match exchange.method.as_str() {
        "PATCH" => exchange.customer.as_deref() == Some(&id),
        "POST" => created.is_some() && fields(exchange)["username"] == who.username(),
        _ => false,
    };
    sandbox.exchanges().into_iter().filter(is_meant).collect()
}

/// What a change or a creation carries.
pub(crate) fn fields(exchange: &Exchange) -> Value {
    let body: Value = serde_json::from_slice(&exchange.request).unwrap_or_default();
    let input = &body["input"];
    input.get("data").unwrap_or(input).clone()
}

/// No change is on its way while another is, except where the other's caller had gone away: given up, or killed.
fn one_change_at_a_time(played: &Played, person: usize) -> Option<String> {
    let changes = changes_of(played, person);
    changes.iter().enumerate().find_map(|(place, earlier)| {
        let later = changes[place + 1..].iter().find(|later| {
            earlier.method == later.method
                && earlier.ended_before.is_none_or(|end| end > later.number)
        })?;
        let is_alive = earlier.end != End::Abandoned && has_one_lane(played, person);
        let is_change = earlier.method == "PATCH" && earlier.end != End::Abandoned;
        (is_alive || is_change).then(|| format!("two requests at once: {earlier:?} and {later:?}"))
    })
}

fn has_one_lane(played: &Played, person: usize) -> bool {
    played.plan.people[person].keys.len() == 1
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
                    && part.of(&sent).as_ref() == Some(value)
            })
    })
}

/// The values that come to Quentli follow the order of acceptance: each is that of an update that is not before the one
/// whose value came last.
fn nothing_older_after_something_newer(played: &Played, person: usize) -> Option<String> {
    let updates = updates_of(played, person);
    let changes = changes_of(played, person);
    let organisation = played.plan.people[person].organisation;
    for part in Part::ALL {
        if !has_one_lane(played, person) && !part.has_unique_values() {
            continue;
        }
        // How far each lane has come.
        let mut reached: BTreeMap<Key, usize> = BTreeMap::new();
        let is_again = |item| {
            let mut agains = played.agains.iter();
            agains.any(|again| again.items.contains(&item))
        };
        // What Quentli did not apply brought nothing.
        let mut applied = changes
            .iter()
            .filter(|exchange| exchange.applied)
            .peekable();
        while let Some(exchange) = applied.next() {
            let Some(sent) = part.of(&fields(exchange)) else {
                continue;
            };
            let is_first_name = part == Part::Name
                && sent.as_deref() == Some(&played.plan.people[person].first_name());
            if is_first_name || (!has_one_lane(played, person) && sent.is_none()) {
                continue;
            }
            let found = updates.iter().enumerate().find(|(place, (_, update))| {
                update.change.get(&part) == Some(&sent)
                    && reached
                        .get(&update.lane.key)
                        .is_none_or(|reached| reached <= place)
            });
            // What is sent again comes after what was sent before; whether it may is the model's to say.
            let is_sent_again = updates.iter().any(|(_, update)| {
                update.change.get(&part) == Some(&sent) && is_again(update.item)
            });
            if is_sent_again {
                continue;
            }
            let Some((place, (_, update))) = found else {
                return Some(format!(
                    "{exchange:?} brought {part:?} {sent:?}, which is older than what was sent before, or nobody's"
                ));
            };
            // A request that carried several updates and was never answered, or of whose answer nothing was written down, may
            // be followed by these one by one. So may a creation be by those that waited for the new customer under other keys.
            let is_first_of_several = exchange.method == "POST" && !has_one_lane(played, person);
            let next = applied.peek().map_or(u64::MAX, |next| next.number);
            let mut deaths = played.kills.iter().map(|kill| kill[organisation]);
            let is_forgotten = deaths.any(|death| exchange.number < death && death <= next);
            if exchange.status().is_some() && !is_first_of_several && !is_forgotten {
                reached.insert(update.lane.key, place);
            }
        }
    }
    None
}

/// The name of the source of an item.
pub(crate) fn source_name(played: &Played, item: usize) -> &'static str {
    SOURCES[played.plan.items[item].source].name
}
