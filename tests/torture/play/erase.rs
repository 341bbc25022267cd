//! Has somebody erased, and looks whether all of them is gone, and nothing of others.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use super::Player;
use crate::{
    account::{Accepted, item_at},
    people::{Arrival, ORGANISATIONS},
    rows::{Row, Rows, stand_in},
};

/// Somebody of whom nothing was to be known any more.
pub(crate) struct Erasure {
    pub(crate) person: usize,
    /// How often everything had come to rest before.
    pub(crate) quiets: usize,
    /// What was open of them.
    pub(crate) open: BTreeSet<usize>,
}

/// Columns of a delivery that change when its customer is looked for.
const LOOKED_FOR: &[&str] = &["state", "next_attempt", "attempts", "spent", "trouble"];

/// What is to be gone from a store.
struct Gone {
    organisation: usize,
    /// None: nothing.
    person: Option<usize>,
    /// All that names the person.
    words: Vec<String>,
    /// Events in whose bodies the person stands.
    events: BTreeSet<i64>,
    /// Events with nothing but what cannot be mapped, or never got to a customer, of their first item. Nothing tells that it is
    /// another one's, where further items of the body are known from other events.
    single: BTreeSet<i64>,
}

impl Player {
    /// Has somebody erased, where everything has come to rest: with traffic, what is on its way may leave before or after.
    pub(super) async fn erase(&mut self, lot: u64) {
        let mut lot = StdRng::seed_from_u64(lot);
        let may: Vec<usize> = (0..self.plan.people.len())
            .filter(|person| self.has_own_keys(*person))
            .collect();
        if !self.is_at_rest || may.is_empty() {
            return;
        }
        let person = may[lot.random_range(0..may.len())];
        let who = self.plan.people[person].clone();
        let id = match who.arrival {
            Arrival::Created => {
                let sandbox = self.world.sandbox(who.organisation);
                let record = sandbox.customer_by_username(&who.username());
                record.map(|record| record["id"].as_str().unwrap().to_owned())
            }
            _ => Some(who.id()),
        };
        let text = format!("by hand: {} is erased", who.username());
        self.note(Some(who.organisation), None, text);
        let wish = json!({
            "organisation": ORGANISATIONS[who.organisation], "customer": id, "usernames": [who.username()],
            "emails": [who.email()], "metadata": [{"key": "Matricula", "value": who.matricula()}],
        });
        let words: Vec<String> = id
            .into_iter()
            .chain([who.username(), who.email(), who.matricula()])
            .collect();
        self.world.rest().await;
        let before = Rows::read(&self.world.data());
        self.bodies.extend(before.bodies());
        let naming = self.bodies.iter();
        let naming = naming.filter(|(_, body)| stand_in(&words, &body.to_string()));
        let gone = Gone {
            organisation: who.organisation,
            person: Some(person),
            events: naming.map(|(event, _)| *event).collect(),
            single: single(&before),
            words,
        };
        let nothing = Gone {
            organisation: who.organisation,
            person: None,
            words: Vec::new(),
            events: BTreeSet::new(),
            single: BTreeSet::new(),
        };
        let counted = self.ask_erase(wish.clone(), true).await;
        let meanwhile = Rows::read(&self.world.data());
        let removed = self.ask_erase(wish, false).await;
        let after = Rows::read(&self.world.data());
        let mut problems = Vec::new();
        if counted != removed {
            problems.push(format!("{counted} was to be removed, and {removed} was"));
        }
        problems.extend(self.are_others_there(&before, &meanwhile, &nothing));
        problems.extend(self.is_gone(&after, &gone));
        problems.extend(self.are_others_there(&before, &after, &gone));
        let name = who.username();
        let told = problems.into_iter();
        self.problems
            .extend(told.map(|problem| format!("{name} is erased: {problem}")));
        self.take_note_of_erased(&before, &after, person);
    }

    /// Whether nobody else ever has the same keys in the same organisation.
    fn has_own_keys(&self, person: usize) -> bool {
        let who = &self.plan.people[person];
        let same =
            self.plan.people.iter().filter(|other| {
                other.organisation == who.organisation && other.number == who.number
            });
        same.count() == 1
    }

    /// What was removed, or would be.
    async fn ask_erase(&self, mut wish: Value, dry_run: bool) -> Value {
        wish["dry_run"] = json!(dry_run);
        let mut sum: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            let answer = self.world.ask("POST", "/api/v1/erase", Some(&wish)).await;
            let receipt = &answer["receipt"];
            for (what, number) in receipt["removed"].as_object().unwrap() {
                *sum.entry(what.clone()).or_default() += number.as_u64().unwrap();
            }
            if receipt["next"].is_null() {
                return json!(sum);
            }
            wish["after"] = receipt["next"].clone();
        }
    }

    /// The item that a row is about.
    fn item_of(&self, row: &Row) -> Option<usize> {
        let body = self.bodies.get(&row.number("event")?)?;
        let place = row.number("item")?;
        Some(item_at(body, usize::try_from(place).unwrap()))
    }

    fn is_of(&self, row: &Row, person: usize) -> bool {
        let item = self.item_of(row).map(|item| &self.plan.items[item]);
        item.is_some_and(|item| item.person == person && !item.is_note())
    }

    /// Nothing of the person stands anywhere in the store but who did what.
    fn is_gone(&self, after: &Rows, gone: &Gone) -> Vec<String> {
        let is_left = |row: &&Row| {
            let organisation = after.organisation(row);
            let is_elsewhere = organisation.is_some_and(|its| its != gone.organisation);
            let has_update = ["delivery", "observed"].contains(&&*row.table)
                && row.text("patch").is_some()
                && gone.person.is_some_and(|person| self.is_of(row, person));
            !is_elsewhere && row.table != "audit" && (row.names(&gone.words) || has_update)
        };
        let left = after.0.iter().filter(is_left);
        left.map(|row| format!("{row:?} is left")).collect()
    }

    /// All that is not the person's is there as it was, but for bodies in which the person stood, and what quoted them.
    fn are_others_there(&self, before: &Rows, after: &Rows, gone: &Gone) -> Vec<String> {
        let others = |rows: &Rows| -> Vec<Row> {
            let others = rows.0.iter();
            others
                .filter_map(|row| self.of_others(rows, row, gone))
                .collect()
        };
        let (before, after) = (others(before), others(after));
        let lost = before.iter().filter(|row| !after.contains(row));
        let lost = lost.map(|row| format!("{row:?} is another one's, and is not there as before"));
        // Whoever is looked for may be looked for meanwhile.
        let is_new = |row: &&Row| row.table != "attempt" && !before.contains(row);
        let new = after.iter().filter(is_new);
        let new = new.map(|row| format!("{row:?} is new"));
        lost.chain(new).collect()
    }

    /// What must stay of a row; nothing where it is the person's, or of a table in which others may write.
    fn of_others(&self, rows: &Rows, row: &Row, gone: &Gone) -> Option<Row> {
        let is_meant = rows.organisation(row) == Some(gone.organisation);
        let event = row.number("event").or_else(|| row.number("seq"));
        let is_named = is_meant && event.is_some_and(|event| gone.events.contains(&event));
        let mut row = row.clone();
        let is_theirs = match &*row.table {
            "event" => false,
            "applied" | "applied_version" => is_meant && row.names(&gone.words),
            "delivery" | "history" | "attempt"
                if is_named && event.is_some_and(|event| gone.single.contains(&event)) =>
            {
                true
            }
            "delivery" | "history" | "attempt" | "observed" => {
                gone.person.is_some_and(|person| self.is_of(&row, person))
            }
            _ => return None,
        };
        let changes: &[&str] = match &*row.table {
            "event" if is_named => &["body", "headers"],
            "delivery" if is_named && row.text("patch").is_none() => &["trouble"],
            "delivery" if row.text("state") != Some("dead") => LOOKED_FOR,
            _ => &[],
        };
        for column in changes {
            row.columns.remove(*column);
        }
        (!is_theirs).then_some(row)
    }

    /// Remembers what there was, for the account at the end.
    fn take_note_of_erased(&mut self, before: &Rows, after: &Rows, person: usize) {
        let key = |row: &Row| ["event", "item", "number"].map(|column| row.number(column));
        let ended: BTreeSet<_> = after.of("history").map(key).collect();
        let gone = before
            .of("history")
            .filter(|row| !ended.contains(&key(row)))
            .filter_map(|row| {
                Some(Accepted {
                    event: row.number("event")?,
                    place: usize::try_from(row.number("item")?).unwrap(),
                    item: self.item_of(row)?,
                    word: row.text("end")?.to_owned(),
                    attempts: u32::try_from(row.number("attempts")?).unwrap(),
                })
            });
        let gone: Vec<Accepted> = gone.collect();
        self.removed.records.extend(gone);
        let still: BTreeSet<_> = after.of("delivery").map(key).collect();
        let open = before.of("delivery");
        let open = open.filter(|row| !still.contains(&key(row)));
        let open: BTreeSet<usize> = open.filter_map(|row| self.item_of(row)).collect();
        self.dead_at_rest.retain(|item| !open.contains(item));
        self.unmapped.retain(|item| !open.contains(item));
        let items = &self.plan.items;
        self.observed.retain(|item| items[*item].person != person);
        self.erasures.push(Erasure {
            person,
            quiets: self.quiets.len(),
            open,
        });
    }
}

/// Events of which there is one delivery, the first item's, and no customer of it.
fn single(rows: &Rows) -> BTreeSet<i64> {
    let mut by_event: BTreeMap<Option<i64>, Vec<&Row>> = BTreeMap::new();
    for row in rows.of("delivery").chain(rows.of("history")) {
        by_event.entry(row.number("event")).or_default().push(row);
    }
    let is_single = |rows: &[&Row]| match rows {
        [only] => only.number("item") == Some(0) && only.text("customer").is_none(),
        _ => false,
    };
    let single = by_event.into_iter().filter(|(_, rows)| is_single(rows));
    single.filter_map(|(event, _)| event).collect()
}
