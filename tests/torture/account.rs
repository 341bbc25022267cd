//! What gateways left in their store: what it accepted, in which order, and what became of it.

use std::{collections::BTreeMap, path::Path};

use quentli_gateway::{
    clock::Clock,
    event::{End, EventSeq},
    store::{
        Standing, Store, Totals,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use serde_json::Value;

#[derive(Default)]
pub(crate) struct Account {
    /// The accepted items in the order of acceptance.
    pub(crate) accepted: Vec<Accepted>,
    /// The event that a request was stored as.
    pub(crate) event_of_request: BTreeMap<usize, i64>,
    pub(crate) totals: Totals,
    /// What does not add up.
    pub(crate) problems: Vec<String>,
}

/// What was there before somebody was erased, and is not any more.
#[derive(Default)]
pub(crate) struct Removed {
    /// The bodies of events, by their numbers.
    pub(crate) bodies: BTreeMap<i64, Value>,
    pub(crate) records: Vec<Accepted>,
}

/// An item that was accepted.
pub(crate) struct Accepted {
    pub(crate) event: i64,
    /// In the body of the event.
    pub(crate) place: usize,
    pub(crate) item: usize,
    /// How it stands, in a word or two.
    pub(crate) word: String,
    pub(crate) attempts: u32,
}

fn word(standing: &Standing) -> String {
    match standing {
        Standing::Open { state, reason, .. } => {
            let reason = reason.as_deref().unwrap_or_default();
            format!("{} {reason}", state.as_str()).trim().to_owned()
        }
        Standing::Ended { end, .. } => end.as_str().to_owned(),
    }
}

/// The number of an item in a body, by its place there.
pub(crate) fn item_at(body: &Value, place: usize) -> usize {
    let id = body["events"][place]["id"].as_str().unwrap_or_default();
    let number = id.strip_prefix('i').and_then(|number| number.parse().ok());
    number.unwrap()
}

impl Account {
    pub(crate) async fn read(data: &Path, clock: &Clock, removed: Removed) -> Self {
        let store = SqliteStore::open(data, SqliteOptions::default(), clock.clone()).unwrap();
        let account = Self::of(&store, removed).await;
        store.close().await;
        account
    }

    /// What a store has, to which nothing comes any more, and what was removed from it.
    pub(crate) async fn of(store: &dyn Store, removed: Removed) -> Self {
        let mut account = Self {
            accepted: removed.records,
            totals: store.totals().await.unwrap(),
            ..Self::default()
        };
        let mut found = 0;
        let mut event = 0;
        // Numbers may be left out, but not many.
        while found < account.totals.accepted && event < 100_000 {
            event += 1;
            let body = store.body_of(EventSeq(event)).await.unwrap();
            let body = body.map(|body| serde_json::from_slice(&body).unwrap());
            let Some(body): Option<Value> = body.or_else(|| removed.bodies.get(&event).cloned())
            else {
                continue;
            };
            found += 1;
            let records = store.deliveries_of(EventSeq(event)).await.unwrap();
            let request = usize::try_from(body["request"].as_u64().unwrap()).unwrap();
            if account.event_of_request.insert(request, event).is_some() {
                account.problem(format!("request {request} was stored twice"));
            }
            let mut last = None;
            for record in records {
                if last == Some((record.item, record.number)) {
                    account.problem(format!("event {event}, item {}: two records", record.item));
                }
                last = Some((record.item, record.number));
                let place = usize::try_from(record.item).unwrap();
                account.accepted.push(Accepted {
                    event,
                    place,
                    item: item_at(&body, place),
                    word: word(&record.standing),
                    attempts: record.attempts,
                });
            }
        }
        let order = |accepted: &Accepted| (accepted.event, accepted.place);
        account.accepted.sort_by_key(order);
        account.add_up();
        account
    }

    fn problem(&mut self, what: String) {
        self.problems.push(what);
    }

    /// The counters say what the records say.
    fn add_up(&mut self) {
        let mut counted = Totals {
            accepted: u64::try_from(self.event_of_request.len()).unwrap(),
            duplicate: self.totals.duplicate,
            known_groups: self.totals.known_groups,
            created: u64::try_from(self.accepted.len()).unwrap(),
            ..Totals::default()
        };
        for accepted in &self.accepted {
            let mut ends = End::ALL.iter();
            match ends.position(|end| end.as_str() == accepted.word) {
                Some(end) => counted.ended[end] += 1,
                None if accepted.word.starts_with("waiting") => counted.waiting += 1,
                None if accepted.word.starts_with("looking") => counted.looking += 1,
                None => counted.dead += 1,
            }
        }
        let ends: u64 = counted.ended.iter().sum();
        if counted != self.totals
            || counted.created != counted.waiting + counted.looking + counted.dead + ends
        {
            let totals = self.totals.clone();
            self.problem(format!(
                "the counters say {totals:?}, and the records {counted:?}"
            ));
        }
        if counted.waiting + counted.looking > 0 {
            self.problem(format!("something is still under way: {counted:?}"));
        }
    }
}
