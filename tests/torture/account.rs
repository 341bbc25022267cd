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

pub(crate) struct Account {
    /// The accepted items in the order of acceptance.
    pub(crate) accepted: Vec<Accepted>,
    /// The event that a request was stored as.
    pub(crate) event_of_request: BTreeMap<usize, i64>,
    pub(crate) totals: Totals,
    /// What does not add up.
    pub(crate) problems: Vec<String>,
}

/// An item that was accepted.
pub(crate) struct Accepted {
    pub(crate) event: i64,
    pub(crate) item: usize,
    pub(crate) standing: Standing,
    pub(crate) attempts: u32,
}

impl Accepted {
    /// How it stands, in a word or two.
    pub(crate) fn word(&self) -> String {
        match &self.standing {
            Standing::Open { state, reason, .. } => {
                let reason = reason.as_deref().unwrap_or_default();
                format!("{} {reason}", state.as_str()).trim().to_owned()
            }
            Standing::Ended { end, .. } => end.as_str().to_owned(),
        }
    }
}

impl Account {
    pub(crate) async fn read(data: &Path, clock: &Clock) -> Self {
        let store = SqliteStore::open(data, SqliteOptions::default(), clock.clone()).unwrap();
        let account = Self::of(&store).await;
        store.close().await;
        account
    }

    /// What a store has, to which nothing comes any more.
    pub(crate) async fn of(store: &dyn Store) -> Self {
        let totals = store.totals().await.unwrap();
        let mut account = Self {
            accepted: Vec::new(),
            event_of_request: BTreeMap::new(),
            totals,
            problems: Vec::new(),
        };
        let mut found = 0;
        let mut event = 0;
        // Numbers may be left out, but not many.
        while found < account.totals.accepted && event < 100_000 {
            event += 1;
            let Some(body) = store.body_of(EventSeq(event)).await.unwrap() else {
                continue;
            };
            found += 1;
            let records = store.deliveries_of(EventSeq(event)).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
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
                let id = body["events"][place]["id"].as_str().unwrap_or_default();
                let item = id.strip_prefix('i').and_then(|number| number.parse().ok());
                account.accepted.push(Accepted {
                    event,
                    item: item.unwrap(),
                    standing: record.standing,
                    attempts: record.attempts,
                });
            }
        }
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
            match &accepted.standing {
                Standing::Open { state, .. } => match state.as_str() {
                    "waiting" => counted.waiting += 1,
                    "looking" => counted.looking += 1,
                    _ => counted.dead += 1,
                },
                Standing::Ended { end, .. } => {
                    let place = End::ALL.iter().position(|other| other == end).unwrap();
                    counted.ended[place] += 1;
                }
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
