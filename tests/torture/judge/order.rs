//! In which order changes left, and that one leaves at a time.

use std::collections::BTreeMap;

use quentli_gateway::sandbox::{End, Exchange};
use serde_json::Value;

use super::course::updates_of;
use crate::{
    model::Update,
    people::{Arrival, Key, Part},
    play::{Again, Played},
};

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
pub(super) fn one_change_at_a_time(played: &Played, person: usize) -> Option<String> {
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

/// The values that come to Quentli follow the order of acceptance: each is that of an update that is not before the one
/// whose value came last.
pub(super) fn nothing_older_after_something_newer(
    played: &Played,
    person: usize,
) -> Option<String> {
    let updates = updates_of(played, person);
    let changes = changes_of(played, person);
    let organisation = played.plan.people[person].organisation;
    for part in Part::ALL {
        if !has_one_lane(played, person) && !part.has_unique_values() {
            continue;
        }
        // How far each lane has come.
        let mut reached: BTreeMap<Key, usize> = BTreeMap::new();
        let is_it = |update: &Update, sent: &Option<String>| {
            let value = update.change.get(&part);
            value.is_some_and(|value| part.is_of_same(value.as_deref(), sent.as_deref()))
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
                is_it(update, &sent)
                    && reached
                        .get(&update.lane.key)
                        .is_none_or(|reached| reached <= place)
            });
            // What is sent again comes after what was sent before; whether it may is the model's to say.
            let is_sent_again = updates.iter().any(|(_, update)| {
                is_it(update, &sent) && comes_again(played, update, exchange.number)
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

/// Whether a request may be of an update that was sent again and may come after later ones: since it was dead or was not
/// sent before, or might have been dead; or it is to go over what is newer. What only waited keeps its place.
fn comes_again(played: &Played, update: &Update, request: u64) -> bool {
    let organisation = played.plan.people[played.plan.items[update.item].person].organisation;
    let may_come = |again: &Again| {
        let is_hurried =
            again.hurried.contains(&update.item) && (again.overwrites || update.marked.is_some());
        (is_hurried || again.items.contains(&update.item)) && request >= again.from[organisation]
    };
    played.agains.iter().any(may_come)
}
