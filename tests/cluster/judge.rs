//! What must be true at the end, whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use quentli_gateway::sandbox::{End, Exchange};
use serde_json::Value;

use crate::{
    account::{Accepted, Account},
    cluster::Cluster,
    people::{Part, Person, values_of},
    traffic::{Book, Traffic},
};

/// All that is wrong.
pub(crate) fn problems(cluster: &Cluster, traffic: &Traffic, account: &Account) -> Vec<String> {
    let book = traffic.book.lock().unwrap();
    let mut problems = account.problems.clone();
    problems.extend(acknowledged_is_accepted_once(&book, account));
    problems.extend(accepted_in_the_order_of_acknowledgement(&book, account));
    problems.extend(ends(&book, account));
    for (number, person) in traffic.people.iter().enumerate() {
        let changes = changes_of(cluster, person);
        problems.extend(one_change_at_a_time(&changes));
        let accepted = account.accepted.iter().map(|accepted| accepted.item);
        let updates: Vec<usize> = accepted
            .filter(|item| book.items[*item].person == number && !book.items[*item].is_note())
            .collect();
        problems.extend(nothing_older_after_something_newer(
            &book, &updates, &changes,
        ));
        problems.extend(ends_as_the_model_says(cluster, &book, &updates, person));
    }
    problems
}

/// Whatever was acknowledged is there, once.
fn acknowledged_is_accepted_once(book: &Book, account: &Account) -> Vec<String> {
    let mut problems = Vec::new();
    let mut accepted = BTreeSet::new();
    for item in account.accepted.iter().map(|accepted| accepted.item) {
        if !accepted.insert(item) {
            problems.push(format!("item {item} was accepted twice"));
        }
    }
    for (number, request) in book.requests.iter().enumerate() {
        if request.acknowledged.is_none() {
            problems.push(format!("request {number} was never acknowledged"));
        }
        for item in request.items.iter().filter(|item| !accepted.contains(item)) {
            problems.push(format!("item {item} was acknowledged and is missing"));
        }
    }
    problems
}

/// Of two requests, one acknowledged before the other was sent, the first comes first, whichever replicas took them.
fn accepted_in_the_order_of_acknowledgement(book: &Book, account: &Account) -> Vec<String> {
    let mut moments = BTreeMap::new();
    for (number, request) in book.requests.iter().enumerate() {
        // One of known items only has no event.
        let Some(event) = account.event_of_request.get(&number) else {
            continue;
        };
        moments.insert(request.begun, (number, *event, true));
        if let Some(acknowledged) = request.acknowledged {
            moments.insert(acknowledged, (number, *event, false));
        }
    }
    let mut problems = Vec::new();
    let mut newest = (0, 0);
    for (number, event, is_begun) in moments.into_values() {
        if !is_begun {
            newest = newest.max((event, number));
        } else if event <= newest.0 {
            problems.push(format!(
                "request {} was acknowledged as event {} before {number} was sent, which is event {event}",
                newest.1, newest.0
            ));
        }
    }
    problems
}

/// From this many attempts of its head on, the last of a batch goes first.
const MOST_TRIES: u32 = 8;

/// Whether others of the customer may have gone ahead: something that was accepted no later had failed again and again.
fn was_left_behind(book: &Book, account: &Account, left: &Accepted) -> bool {
    let person = book.items[left.item].person;
    account.accepted.iter().any(|other| {
        other.attempts >= MOST_TRIES
            && book.items[other.item].person == person
            && (other.event, other.place) <= (left.event, left.place)
    })
}

fn ends(book: &Book, account: &Account) -> Vec<String> {
    let mut problems = Vec::new();
    for accepted in &account.accepted {
        let word = &accepted.word;
        let is_right = if book.items[accepted.item].is_note() {
            word == "dropped"
        } else {
            matches!(&**word, "delivered" | "unchanged" | "superseded")
                || (word == "stale" && was_left_behind(book, account, accepted))
        };
        if !is_right {
            problems.push(format!("item {} ended as {word}", accepted.item));
        }
    }
    problems
}

/// The changes of somebody that came to Quentli, in the order of arrival.
fn changes_of(cluster: &Cluster, person: &Person) -> Vec<Exchange> {
    let exchanges = cluster.sandbox(person.organisation).exchanges();
    let is_meant = |exchange: &Exchange| {
        exchange.method == "PATCH" && exchange.customer.as_deref() == Some(&person.id())
    };
    exchanges.into_iter().filter(is_meant).collect()
}

/// No change is on its way while another is, except where the other's caller had gone away: given up, or killed.
fn one_change_at_a_time(changes: &[Exchange]) -> Option<String> {
    changes.windows(2).find_map(|pair| {
        let [earlier, later] = pair else { return None };
        let is_at_once = earlier.ended_before.is_none_or(|end| end > later.number);
        (is_at_once && earlier.end != End::Abandoned)
            .then(|| format!("two requests at once: {earlier:?} and {later:?}"))
    })
}

/// The values that come to Quentli follow the order of acceptance.
fn nothing_older_after_something_newer(
    book: &Book,
    updates: &[usize],
    changes: &[Exchange],
) -> Vec<String> {
    let mut problems = Vec::new();
    for part in Part::ALL
        .into_iter()
        .filter(|part| part.has_unique_values())
    {
        let place_of: BTreeMap<&String, usize> = updates
            .iter()
            .enumerate()
            .filter_map(|(place, item)| {
                Some((book.items[*item].change.get(&part)?.as_ref()?, place))
            })
            .collect();
        let mut last = 0;
        for exchange in changes.iter().filter(|exchange| exchange.applied) {
            let body: Value = serde_json::from_slice(&exchange.request).unwrap_or_default();
            let Some(Some(sent)) = part.of(&body["input"]) else {
                continue;
            };
            match place_of.get(&sent) {
                Some(place) if *place >= last => last = *place,
                _ => problems.push(format!(
                    "{exchange:?} at {} brought {part:?} {sent:?}, which is older than what was sent before, or nobody's",
                    exchange.at
                )),
            }
        }
    }
    problems
}

/// Each part is as the last update said that named it.
fn ends_as_the_model_says(
    cluster: &Cluster,
    book: &Book,
    updates: &[usize],
    person: &Person,
) -> Option<String> {
    let mut expected = values_of(&person.record());
    for (part, value) in updates.iter().flat_map(|item| &book.items[*item].change) {
        match value {
            Some(value) => expected.insert(*part, value.clone()),
            None => expected.remove(part),
        };
    }
    let record = cluster
        .sandbox(person.organisation)
        .customer(&person.id())
        .unwrap();
    let found = values_of(&record);
    (found != expected).then(|| {
        format!(
            "{}: Quentli has\n    {found:?}\nand should have\n    {expected:?}",
            person.id()
        )
    })
}
