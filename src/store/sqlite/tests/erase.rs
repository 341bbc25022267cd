//! Erasing, seen in the file itself: every table, every byte of every file, and the plans of its statements.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, types::Value};

use super::{
    file::{NOTHING_REFUSED, NOWHERE, holding, plan},
    open, outside,
};
use crate::{
    customer::{CustomerReference, Field, FindBy, OnConflict, OnMissing, PartKey},
    event::{AttemptOutcome, DeadReason, End, EventSeq, OrderBy},
    store::{
        AppliedPart, Fate, LeftOut, NewDelivery, RefusedFilter, RefusedLimits,
        RefusedRequests as _, Store,
        contract::samples::{
            SECRET, accept, attempt, customer, delivery, event, finish, group, organisation, patch,
            pos_of, refused_and_kept, source, time, waiting,
        },
        erase::{EraseAfter, ErasePage, Erased, Erasure as _, Person},
        sqlite::{SqliteStore, erase},
    },
};

const ID: &str = "cus_1";
const NAME: &str = "ana-person";

/// What erasing does with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Removes rows or columns of the person.
    Removes,
    /// Nothing of a person is in it, and why.
    Nothing(&'static str),
    /// Leaves it, and why.
    Leaves(&'static str),
}

/// Every table. A new one needs a word here, and perhaps some work in `erase`.
const TABLES: [(&str, Does); 21] = [
    ("applied", Does::Removes),
    ("applied_version", Does::Removes),
    ("attempt", Does::Removes),
    (
        "audit",
        Does::Leaves("says who was erased, by the identifier"),
    ),
    ("counter", Does::Nothing("figures of sources")),
    ("dedup", Does::Nothing("hashes of what came")),
    ("delivery", Does::Removes),
    ("event", Does::Removes),
    ("event_hour", Does::Nothing("hours")),
    ("history", Does::Removes),
    ("learned_secret", Does::Nothing("of senders")),
    ("meta", Does::Nothing("numbers and a key")),
    ("moved", Does::Nothing("where the store went")),
    ("observed", Does::Removes),
    ("pause", Does::Nothing("what operators stopped, and why")),
    (
        "refused",
        Does::Leaves("facts about requests, by reason and size"),
    ),
    ("refused_request", Does::Removes),
    ("reused_id", Does::Nothing("numbers of events")),
    ("upkeep", Does::Nothing("dates and numbers of events")),
    ("upkeep_later", Does::Nothing("dates and numbers of events")),
    ("upkeep_mark", Does::Nothing("dates and numbers of events")),
];

/// The tables in which one of the texts stands, by name.
fn tables_with(connection: &Connection, texts: &[&str]) -> BTreeMap<String, bool> {
    let mut names = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut found = BTreeMap::new();
    for name in names.map(Result::unwrap) {
        let mut rows = connection
            .prepare(&format!("SELECT * FROM {name}"))
            .unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        let mut is_there = false;
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                let bytes = match row.get(column).unwrap() {
                    Value::Text(text) => text.into_bytes(),
                    Value::Blob(bytes) => bytes,
                    Value::Null | Value::Integer(_) | Value::Real(_) => continue,
                };
                let text = String::from_utf8_lossy(&bytes).into_owned();
                is_there |= texts.iter().any(|marker| text.contains(marker));
            }
        }
        found.insert(name, is_there);
    }
    found
}

fn person() -> Person {
    Person {
        organisation: organisation(),
        id: Some(customer(ID)),
        find: vec![FindBy::Username(NAME.into())],
    }
}

async fn add(store: &SqliteStore, number: u64, one: NewDelivery) -> EventSeq {
    let mut sent = event(vec![group(number, vec![one])]);
    // It names the person by what nobody tells when erasing, so the event is found by what became of it.
    sent.body = format!("{{\"email\":\"{SECRET}\"}}").repeat(400).into();
    accept(store, sent).await
}

fn observed() -> NewDelivery {
    let fate = Fate::Observed {
        customer: CustomerReference {
            id: None,
            find: vec![FindBy::Username(NAME.into())],
            on_missing: OnMissing::Retry,
            on_conflict: OnConflict::Fail,
        },
        patch: patch(),
        order_by: Some(OrderBy(7)),
    };
    delivery(0, 0, fate)
}

const SOME_REFUSED: RefusedLimits = RefusedLimits {
    rows: 100,
    kept: 100,
    kept_bytes: 1 << 20,
};

/// The person in every table that can hold one: waiting, dead with fields that Quentli left out, ended, observed, refused.
async fn fill(store: &SqliteStore) {
    let body = format!("{{\"user\":\"{NAME}\"}}");
    let refused = vec![refused_and_kept(
        1,
        "crm",
        "/webhooks/crm",
        &[],
        body.as_bytes(),
    )];
    store.record_refused(refused, SOME_REFUSED).await.unwrap();
    add(store, 1, waiting(0, 0, NAME)).await;
    add(store, 2, observed()).await;
    for number in 3..=4 {
        // Found by a name that nobody tells when erasing.
        let seq = add(store, number, waiting(0, 0, "another-name")).await;
        let pos = pos_of(&store.deliveries_of(seq).await.unwrap()[0]);
        let mut finish = finish(pos, End::Delivered);
        finish.attempt = Some(attempt(1, AttemptOutcome::Delivered));
        finish.confirmed = vec![AppliedPart {
            part: PartKey::Field(Field::Email),
            value: [1; 16],
            is_in_doubt: false,
            source: source("crm"),
            at: time(1),
            pos,
            versions: vec![(source("crm"), OrderBy(7))],
        }];
        finish.left_out = (number == 4).then(|| LeftOut {
            patch: patch().take_out(&[Field::Email]),
            reason: DeadReason {
                code: "conflict",
                message: format!("`{SECRET}` is taken"),
            },
            warning: "sent without email".into(),
        });
        assert!(store.finish(&organisation(), finish).await.unwrap());
    }
}

async fn erase_all(store: &SqliteStore) -> Erased {
    let mut page = ErasePage {
        person: person(),
        sources: vec![source("crm")],
        after: EraseAfter::NOTHING,
        dry_run: false,
        at: time(100),
    };
    let mut erased = Erased::default();
    loop {
        let done = store.erase(page.clone()).await.unwrap();
        erased = erased.plus(&done.erased);
        let Some(next) = done.next else { return erased };
        page.after = next;
    }
}

fn look(directory: &Path) -> BTreeMap<String, bool> {
    tables_with(&outside(directory), &[ID, NAME, SECRET, "another-name"])
}

#[tokio::test]
async fn of_every_table_it_is_said_what_erasing_does_with_it_and_so_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store).await;
    let before = look(directory.path());
    let known: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
    let there: Vec<&str> = before.keys().map(String::as_str).collect();
    assert_eq!(
        there, known,
        "say in TABLES what erasing does with each table"
    );
    erase_all(&store).await;
    let after = look(directory.path());
    for (name, does) in TABLES {
        match does {
            Does::Removes => assert!(before[name], "{name} was to be filled with the person"),
            Does::Nothing(_) | Does::Leaves(_) => assert!(!before[name], "{name}: {does:?}"),
        }
        assert!(!after[name], "{name} still tells of the person");
    }
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (totals.waiting, totals.dead, totals.ended[6]),
        (0, 0, 2),
        "one waited, one was left out"
    );
    let ended: u64 = totals.ended.iter().sum();
    assert_eq!(totals.created, ended);
}

#[tokio::test]
async fn refused_requests_that_tell_of_the_person_are_not_kept_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut elsewhere = event(vec![group(1, vec![waiting(0, 0, "luis")])]);
    elsewhere.source = source("south");
    elsewhere.organisation = "south".parse().unwrap();
    accept(&store, elsewhere).await;
    let wide: Vec<u8> = NAME.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = [("Content-Type", "text/plain; charset=utf-16le")];
    let json = [("content-type", "application/json")];
    let in_query = format!("/webhooks/crm?user={NAME}");
    let requests = vec![
        refused_and_kept(1, "crm", "/webhooks/crm", &utf16, &wide),
        refused_and_kept(2, "crm", &in_query, &json, b"{}"),
        refused_and_kept(3, "crm", "/webhooks/crm", &[("x-user", NAME)], b"{}"),
        refused_and_kept(4, "crm", "/webhooks/crm", &json, b"{\"user\":\"luis\"}"),
        // The same name is somebody else there.
        refused_and_kept(5, "south", "/webhooks/south", &json, NAME.as_bytes()),
    ];
    store.record_refused(requests, SOME_REFUSED).await.unwrap();
    assert_eq!(erase_all(&store).await.refused, 3);
    let listed = store.refused(RefusedFilter::default(), 9).await.unwrap();
    let kept: Vec<(i64, bool)> = listed
        .iter()
        .map(|refused| (refused.id.0, refused.kept_until.is_some()))
        .collect();
    let expected = [(5, true), (4, true), (3, false), (2, false), (1, false)];
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn an_erased_person_stands_in_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store).await;
    let markers = [ID, NAME, SECRET, "another-name"];
    assert_ne!(holding(directory.path(), &markers), NOWHERE);
    let erased = erase_all(&store).await;
    assert_eq!((erased.bodies, erased.deliveries), (4, 2));
    store
        .tidy_refused(time(200), NOTHING_REFUSED)
        .await
        .unwrap();
    assert_eq!(
        holding(directory.path(), &markers),
        NOWHERE,
        "while it runs"
    );
    store.close().await;
    assert_eq!(
        holding(directory.path(), &markers),
        NOWHERE,
        "after its end"
    );
}

#[tokio::test]
async fn what_is_erased_is_found_by_index_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store.on_writer(|connection| {
        let plans = erase::PLANNED.map(|sql| plan(connection, sql));
        erase::PLANNED.into_iter().zip(plans).collect::<Vec<_>>()
    });
    for (sql, plan) in plans.await {
        let scanned = ["event", "delivery", "history", "attempt", "observed"]
            .iter()
            .any(|table| plan.contains(&format!("SCAN {table}")));
        assert!(!plan.contains("TEMP B-TREE") && !scanned, "{sql}: {plan}");
    }
}
