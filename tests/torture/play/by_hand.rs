//! What people do, through the operators' port.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use super::Player;
use crate::{
    people::{Arrival, ORGANISATIONS},
    plan::{Form, Scope, Wish},
    sources::SOURCES,
};

/// Items that a person had sent again, or sent at last.
pub(crate) struct Again {
    pub(crate) items: BTreeSet<usize>,
    /// How often everything had come to rest before.
    pub(crate) quiets: usize,
    /// Whether nothing was sent since then, so that it goes before whatever comes.
    pub(crate) is_at_rest: bool,
    pub(crate) overwrites: bool,
}

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
    item: usize,
}

impl Player {
    /// What is open in this state.
    async fn open(&self, state: &str) -> Vec<Open> {
        let mut bodies: BTreeMap<i64, Value> = BTreeMap::new();
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
                if let Entry::Vacant(body) = bodies.entry(event) {
                    let path = format!("/api/v1/events/{event}/body?reveal=true");
                    body.insert(self.world.ask("GET", &path, None).await);
                }
                let place = usize::try_from(entry["item"].as_u64().unwrap()).unwrap();
                let id = bodies[&event]["events"][place]["id"].as_str().unwrap();
                let item = id.strip_prefix('i').unwrap().parse().unwrap();
                open.push(Open { pos, item });
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return open,
            }
        }
    }

    pub(super) async fn dead(&self) -> BTreeSet<usize> {
        let dead = self.open("dead").await;
        dead.into_iter().map(|dead| dead.item).collect()
    }

    fn is_replaced(&self, person: usize) -> bool {
        let was_there = matches!(
            self.plan.people[person].arrival,
            Arrival::There | Arrival::Heir
        );
        was_there && !self.is_present[person]
    }

    /// Has some sent again of what was dead at the last rest and is dead still. Whoever was replaced has nothing to get any
    /// more: the same keys would lead to somebody else.
    pub(super) async fn redeliver(&mut self, wish: Wish) {
        let mut lot = StdRng::seed_from_u64(wish.lot);
        let dead = self.open("dead").await;
        let chosen: Vec<Open> = dead
            .into_iter()
            .filter(|dead| {
                let is_drawn = lot.random_ratio(1, 2);
                let was_dead = self.dead_at_rest.contains(&dead.item);
                let person = self.plan.items[dead.item].person;
                is_drawn && was_dead && !self.is_replaced(person)
            })
            .collect();
        if chosen.is_empty() {
            return;
        }
        let items: BTreeSet<usize> = chosen.iter().map(|dead| dead.item).collect();
        let ids: Vec<i64> = chosen.iter().map(|dead| dead.pos).collect();
        let wished = json!({"which": {"ids": ids}, "overwrite": wish.overwrites});
        let answer = self.world.ask("POST", "/api/v1/redeliver", Some(&wished));
        let answer = answer.await;
        assert_eq!(answer["redelivered"], ids.len(), "{answer}");
        self.sent_again(items, wish, "sent again");
    }

    /// Notes that these are on their way again, and no dead ones any more.
    fn sent_again(&mut self, items: BTreeSet<usize>, wish: Wish, how: &str) {
        let over = if wish.overwrites {
            ", also over what is newer"
        } else {
            ""
        };
        let listed = items.iter().copied().collect();
        self.note(None, Some(listed), format!("by hand: {how}{over}"));
        for item in &items {
            self.dead_at_rest.remove(item);
        }
        self.agains.push(Again {
            items,
            quiets: self.quiets.len(),
            is_at_rest: self.is_at_rest,
            overwrites: wish.overwrites,
        });
        self.is_at_rest = false;
    }

    pub(super) async fn go_live(&mut self, source: usize) {
        let name = SOURCES[source].name;
        self.note(None, None, format!("{name} goes live"));
        self.world.go_live(source).await;
        self.observing.remove(&source);
    }

    /// Has all sent that a source observed, a few at a time.
    pub(super) async fn send_observed(&mut self, source: usize, wish: Wish) {
        let of_source = |item: &usize| self.plan.items[*item].source == source;
        let items: BTreeSet<usize> = self.observed.iter().copied().filter(of_source).collect();
        let mut sent = 0;
        let mut after = 0;
        loop {
            let wished = json!({
                "which": {"source": SOURCES[source].name}, "observed": true, "overwrite": wish.overwrites,
                "stretch": {"after": after, "limit": 100},
            });
            let answer = self.world.ask("POST", "/api/v1/redeliver", Some(&wished));
            let answer = answer.await;
            sent += answer["redelivered"].as_u64().unwrap();
            match answer["next"].as_i64() {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!(
            sent,
            u64::try_from(items.len()).unwrap(),
            "what {} observed",
            SOURCES[source].name
        );
        for item in &items {
            self.observed.remove(item);
        }
        if !items.is_empty() {
            self.sent_again(items, wish, "what was observed is sent");
        }
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
        for Open { pos, item } in open {
            let person = self.plan.items[item].person;
            let of = &self.plan.people[person];
            let is_there = of.arrival == Arrival::There
                && of.keys.len() == 1
                && self.is_present[person]
                && !self.plan.items[item].is_note();
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
