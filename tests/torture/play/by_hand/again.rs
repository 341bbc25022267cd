//! Has it sent again: what is dead, what waits already, what was only observed, and what is mapped anew.

use std::collections::{BTreeMap, BTreeSet};

use quentli_gateway::source::Mode;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use super::{Open, Player};
use crate::{account::item_at, people::Arrival, plan::Wish, sources::SOURCES};

/// Items that a person had sent again, or sent at last.
#[derive(Default)]
pub(crate) struct Again {
    /// Those of which nothing was under way: dead when everything last came to rest, not mapped before, or observed.
    pub(crate) items: BTreeSet<usize>,
    /// Those that waited or were looked for.
    pub(crate) hurried: BTreeSet<usize>,
    /// Whether they were mapped anew.
    pub(crate) is_remapped: bool,
    /// How often everything had come to rest before.
    pub(crate) quiets: usize,
    /// Whether nothing was sent since then, so that it goes before whatever comes.
    pub(crate) is_at_rest: bool,
    pub(crate) overwrites: bool,
    /// In each organisation, the number of the first request that may have come of it.
    pub(crate) from: Vec<u64>,
}

impl Again {
    pub(crate) fn len(&self) -> usize {
        self.items.len() + self.hurried.len()
    }

    /// Whether it has to do with an item.
    pub(crate) fn has(&self, item: usize) -> bool {
        self.items.contains(&item) || self.hurried.contains(&item)
    }
}

impl Player {
    fn is_replaced(&self, person: usize) -> bool {
        let was_there = matches!(
            self.plan.people[person].arrival,
            Arrival::There | Arrival::Heir
        );
        was_there && !self.is_present[person]
    }

    /// Asks for something to be sent again.
    async fn ask_again(&self, wished: &Value) -> Value {
        let answer = self.world.ask("POST", "/api/v1/redeliver", Some(wished));
        answer.await
    }

    /// Has some sent again of what was dead at the last rest and is dead still. Whoever was replaced has nothing to get any
    /// more: the same keys would lead to somebody else.
    pub(in crate::play) async fn redeliver(&mut self, wish: Wish) {
        let mut lot = StdRng::seed_from_u64(wish.lot);
        let dead = self.open("dead").await;
        let chosen: Vec<Open> = dead
            .into_iter()
            .filter(|dead| {
                let is_drawn = lot.random_ratio(1, 2);
                let was_dead = self.dead_at_rest.contains(&dead.item);
                let is_mapped = !self.unmapped.contains(&dead.item);
                let person = self.plan.items[dead.item].person;
                is_drawn && was_dead && is_mapped && !self.is_replaced(person)
            })
            .collect();
        if chosen.is_empty() {
            return;
        }
        let again = Again {
            items: chosen.iter().map(|dead| dead.item).collect(),
            ..self.beginning(wish)
        };
        let ids: Vec<i64> = chosen.iter().map(|dead| dead.pos).collect();
        let wished = json!({"which": {"ids": ids}, "overwrite": wish.overwrites});
        let answer = self.ask_again(&wished).await;
        assert_eq!(answer["redelivered"], ids.len(), "{answer}");
        self.sent_again(again, "sent again");
    }

    /// Has some sent at once of what waits or is looked for, one by one, since some of it may end before it comes to that.
    pub(in crate::play) async fn hurry(&mut self, wish: Wish) {
        let mut lot = StdRng::seed_from_u64(wish.lot);
        let mut open = self.open("waiting").await;
        open.append(&mut self.open("looking").await);
        let mut again = self.beginning(wish);
        for Open { pos, item, .. } in open {
            let is_drawn = lot.random_ratio(2, 3);
            if !is_drawn || !self.may_hurry(item, wish) {
                continue;
            }
            let wished = json!({"which": {"ids": [pos]}, "overwrite": wish.overwrites});
            let answer = self.ask_again(&wished).await;
            if answer["redelivered"] == 1 {
                again.hurried.insert(item);
            } else {
                assert_eq!(answer["cannot"], json!({"not-open": 1}), "{answer}");
            }
        }
        self.sent_again(again, "sent again, though it waits");
    }

    /// Whoever wanted it sent over what is newer does not take that back: the attempt under way may do so still.
    fn may_hurry(&self, item: usize, wish: Wish) -> bool {
        let person = self.plan.items[item].person;
        let takes_back = self.overwriting.contains(&item) && !wish.overwrites;
        !takes_back && !self.is_replaced(person)
    }

    pub(in crate::play) async fn mend(&mut self, source: usize) {
        let name = SOURCES[source].name;
        self.note(None, None, format!("the file of {name} is mended"));
        let mode = if self.observing.contains(&source) {
            Mode::Observe
        } else {
            Mode::Live
        };
        self.world.change_file(source, mode, true).await;
        self.mended.insert(source);
    }

    /// Has some events mapped again of which something is open: all of that takes what the mended file gives.
    pub(in crate::play) async fn remap(&mut self, wish: Wish) {
        let mut lot = StdRng::seed_from_u64(wish.lot);
        let mut open: BTreeMap<i64, Open> = BTreeMap::new();
        for state in ["dead", "waiting", "looking"] {
            let of_state = self.open(state).await;
            open.extend(of_state.into_iter().map(|open| (open.event, open)));
        }
        let mut again = Again {
            is_remapped: true,
            ..self.beginning(wish)
        };
        for (event, Open { pos, item, .. }) in open {
            let source = self.plan.items[item].source;
            let is_ready = self.mended.contains(&source) && !self.observing.contains(&source);
            let items = self.items_of(event);
            let may_all = items.iter().all(|item| self.may_hurry(*item, wish));
            if !lot.random_ratio(2, 3) || !is_ready || !may_all {
                continue;
            }
            let wished = json!({
                "which": {"ids": [pos]}, "remap": true, "overwrite": wish.overwrites,
            });
            let answer = self.ask_again(&wished).await;
            // What was erased of its body meanwhile cannot be mapped; and what is not open any more need not be.
            for step in answer["remapped"]["steps"].as_array().unwrap() {
                assert_eq!(step["result"], "waits", "{answer}");
                assert_eq!(step["new"], false, "{answer}");
                let item = items[usize::try_from(step["item"].as_u64().unwrap()).unwrap()];
                let was_through = self.unmapped.remove(&item) || self.dead_at_rest.contains(&item);
                if was_through {
                    again.items.insert(item);
                } else {
                    again.hurried.insert(item);
                }
            }
        }
        self.remapped.extend(again.items.union(&again.hurried));
        self.sent_again(again, "mapped again and sent");
    }

    /// The items of an event, by their places in its body.
    fn items_of(&self, event: i64) -> Vec<usize> {
        let body = &self.bodies[&event];
        let places = 0..body["events"].as_array().unwrap().len();
        places.map(|place| item_at(body, place)).collect()
    }

    /// What is sent again from here on: nothing yet.
    fn beginning(&self, wish: Wish) -> Again {
        Again {
            quiets: self.quiets.len(),
            is_at_rest: self.is_at_rest,
            overwrites: wish.overwrites,
            from: self.numbers(),
            ..Again::default()
        }
    }

    /// Notes that these are on their way again, and no dead ones any more.
    fn sent_again(&mut self, again: Again, how: &str) {
        let items: BTreeSet<usize> = again.items.union(&again.hurried).copied().collect();
        if items.is_empty() {
            return;
        }
        let over = if again.overwrites {
            ", also over what is newer"
        } else {
            ""
        };
        let listed = items.iter().copied().collect();
        self.note(None, Some(listed), format!("by hand: {how}{over}"));
        for item in &items {
            self.dead_at_rest.remove(item);
            if again.overwrites {
                self.overwriting.insert(*item);
            } else {
                self.overwriting.remove(item);
            }
        }
        self.agains.push(again);
        self.is_at_rest = false;
    }

    pub(in crate::play) async fn go_live(&mut self, source: usize) {
        let name = SOURCES[source].name;
        self.note(None, None, format!("{name} goes live"));
        let is_mended = self.mended.contains(&source);
        self.world.change_file(source, Mode::Live, is_mended).await;
        self.observing.remove(&source);
    }

    /// Has all sent that a source observed, a few at a time.
    pub(in crate::play) async fn send_observed(&mut self, source: usize, wish: Wish) {
        let of_source = |item: &usize| self.plan.items[*item].source == source;
        let items: BTreeSet<usize> = self.observed.iter().copied().filter(of_source).collect();
        let again = Again {
            items: items.clone(),
            ..self.beginning(wish)
        };
        let mut sent = 0;
        let mut after = 0;
        loop {
            let wished = json!({
                "which": {"source": SOURCES[source].name}, "observed": true, "overwrite": wish.overwrites,
                "stretch": {"after": after, "limit": 100},
            });
            let answer = self.ask_again(&wished).await;
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
        self.sent_again(again, "what was observed is sent");
    }
}
