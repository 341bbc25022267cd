//! What happened to one customer, in an order that a person can follow.

use std::fmt::Write as _;

use quentli_gateway::sandbox::Exchange;

use crate::{
    judge::{fields, source_name},
    people::{Arrival, Person},
    play::Played,
};

/// The story of one of the people: what was accepted of them and what became of it, and then, in order, what was sent,
/// the troubles, and what left for Quentli.
pub(crate) fn story(played: &Played, person: usize) -> String {
    let who = &played.plan.people[person];
    let mut text = format!("{who:?}\naccepted:\n");
    for accepted in &played.account.accepted {
        let item = &played.plan.items[accepted.item];
        if item.person != person || item.is_note() {
            continue;
        }
        writeln!(
            text,
            "  event {:3}  item {:3} of {}, by {:?}, version {:?}: {:?} -> {} ({} attempts)",
            accepted.event,
            accepted.item,
            source_name(played, accepted.item),
            item.key,
            item.version,
            item.change,
            accepted.word,
            accepted.attempts,
        )
        .unwrap();
    }
    text.push_str("what happened:\n");
    let sandbox = played.world.sandbox(who.organisation);
    let created = sandbox
        .customer_by_username(&who.username())
        .filter(|_| who.arrival == Arrival::Created)
        .and_then(|record| Some(record["id"].as_str()?.to_owned()));
    let id = created.unwrap_or_else(|| who.id());
    let mut exchanges = sandbox
        .exchanges()
        .into_iter()
        .filter(|exchange| is_about(exchange, who, &id))
        .peekable();
    let mut teller = Teller::default();
    for entry in &played.journal {
        if entry
            .organisation
            .is_some_and(|organisation| organisation != who.organisation)
        {
            continue;
        }
        let before = entry.before[who.organisation];
        while let Some(exchange) = exchanges.next_if(|exchange| exchange.number < before) {
            teller.tell(&mut text, &exchange);
        }
        teller.pause(&mut text);
        let of_person: Option<Vec<usize>> = entry.items.as_ref().map(|items| {
            let is_theirs = |item: &&usize| {
                let item = &played.plan.items[**item];
                item.person == person && !item.is_note()
            };
            items.iter().filter(is_theirs).copied().collect()
        });
        match of_person {
            Some(items) if items.is_empty() => {}
            Some(items) => {
                writeln!(text, "  {:9.1?} {}: items {items:?}", entry.at, entry.text).unwrap();
            }
            None => writeln!(text, "  {:9.1?} {}", entry.at, entry.text).unwrap(),
        }
    }
    for exchange in exchanges {
        teller.tell(&mut text, &exchange);
    }
    teller.pause(&mut text);
    text
}

fn is_about(exchange: &Exchange, who: &Person, id: &str) -> bool {
    exchange.customer.as_deref() == Some(id)
        || (exchange.method == "POST" && fields(exchange)["username"] == who.username())
        || exchange.query.contains(&who.username())
}

/// Tells of requests; what is repeated again and again is told once.
#[derive(Default)]
struct Teller {
    last: Vec<String>,
    repeated: usize,
}

impl Teller {
    fn tell(&mut self, text: &mut String, exchange: &Exchange) {
        let body = if exchange.method == "GET" {
            exchange.query.clone()
        } else {
            fields(exchange).to_string()
        };
        let applied = if exchange.applied { ", applied" } else { "" };
        let same = format!("{} {:?}{applied}: {body}", exchange.method, exchange.end);
        if self.last.contains(&same) {
            self.repeated += 1;
            return;
        }
        self.pause(text);
        // A change and the look-up before it.
        self.last.push(same);
        if self.last.len() > 2 {
            self.last.remove(0);
        }
        writeln!(text, "            -> {exchange:?}{applied}: {body}").unwrap();
    }

    fn pause(&mut self, text: &mut String) {
        if self.repeated > 0 {
            writeln!(
                text,
                "            -> ... the same {} times more",
                self.repeated
            )
            .unwrap();
        }
        self.repeated = 0;
    }
}
