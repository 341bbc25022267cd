//! What people do, through the operators' port.

mod again;

use std::collections::{BTreeSet, btree_map::Entry};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

pub(crate) use self::again::Again;
use super::Player;
use crate::{
    account::item_at,
    people::{Arrival, ORGANISATIONS},
    plan::{Form, Scope},
    sources::SOURCES,
};

/// A time during which nothing may leave, by the numbers of requests to each organisation.
pub(crate) struct Stop {
    pub(crate) scope: Scope,
    pub(crate) from: Vec<u64>,
    /// `None` while it lasts.
    pub(crate) to: Option<Vec<u64>>,
}

/// An open delivery.
struct Open {
    pos: i64,
    event: i64,
    item: usize,
}

impl Player {
    /// What is open in this state.
    async fn open(&mut self, state: &str) -> Vec<Open> {
        let mut open = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/api/v1/deliveries?state={state}&order=oldest-first{after}");
            let page = self.world.ask("GET", &path, None).await;
            for entry in page["deliveries"].as_array().unwrap() {
                // It may have ended since the list was made.
                let Some(pos) = entry["id"].as_i64() else {
                    continue;
                };
                let event = entry["event"].as_i64().unwrap();
                if let Entry::Vacant(body) = self.bodies.entry(event) {
                    let path = format!("/api/v1/events/{event}/body?reveal=true");
                    body.insert(self.world.ask("GET", &path, None).await);
                }
                let place = usize::try_from(entry["item"].as_u64().unwrap()).unwrap();
                let item = item_at(&self.bodies[&event], place);
                open.push(Open { pos, event, item });
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return open,
            }
        }
    }

    pub(super) async fn dead(&mut self) -> BTreeSet<usize> {
        let dead = self.open("dead").await;
        dead.into_iter().map(|dead| dead.item).collect()
    }

    /// Gives up some of what is open, one of each customer between two moments of rest at most, and only of those who have
    /// one key: with several the model would have to follow too many courses.
    pub(super) async fn discard(&mut self, lot: u64) {
        let mut lot = StdRng::seed_from_u64(lot);
        let mut open = Vec::new();
        for state in ["waiting", "looking", "dead"] {
            open.append(&mut self.open(state).await);
        }
        let mut ids = Vec::new();
        let mut items = Vec::new();
        for Open { pos, item, .. } in open {
            let person = self.plan.items[item].person;
            let of = &self.plan.people[person];
            let is_there = of.arrival == Arrival::There
                && of.keys.len() == 1
                && self.is_present[person]
                && !self.unmapped.contains(&item)
                && !self.remapped.contains(&item);
            if lot.random_ratio(1, 3) && is_there && self.given_up.insert(person) {
                ids.push(pos);
                items.push(item);
            }
        }
        if ids.is_empty() {
            return;
        }
        self.note(
            None,
            Some(items),
            "by hand: discarded, if still open".to_owned(),
        );
        let wished = json!({"which": {"ids": ids}, "why": "the torture test wants it"});
        self.world
            .ask("POST", "/api/v1/discard", Some(&wished))
            .await;
    }

    pub(super) async fn pause(&mut self, scope: Scope) {
        self.world
            .ask("POST", "/api/v1/pause", Some(&named(scope)))
            .await;
        self.note(None, None, format!("by hand: {} is paused", named(scope)));
        let is_new = self.paused.insert(scope);
        // What is on its way goes on; with the system's clock nobody knows for how long.
        if self.form == Form::Driven && is_new {
            self.world.rest().await;
            let from = self.numbers();
            let to = None;
            self.stops.push(Stop { scope, from, to });
        }
    }

    pub(super) async fn resume(&mut self, scope: Scope) {
        self.note(None, None, format!("by hand: {} goes on", named(scope)));
        self.paused.remove(&scope);
        let to = self.numbers();
        for stop in &mut self.stops {
            if stop.scope == scope && stop.to.is_none() {
                stop.to = Some(to.clone());
            }
        }
        self.world
            .ask("POST", "/api/v1/resume", Some(&named(scope)))
            .await;
    }

    pub(super) async fn resume_all(&mut self) {
        for scope in self.paused.clone() {
            self.resume(scope).await;
        }
    }
}

fn named(scope: Scope) -> Value {
    match scope {
        Scope::Organisation(organisation) => json!({"organisation": ORGANISATIONS[organisation]}),
        Scope::Source(source) => json!({"source": SOURCES[source].name}),
    }
}
