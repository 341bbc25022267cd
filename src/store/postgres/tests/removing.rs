//! What is removed by age or for a person, beside what is accepted and beside another process that removes the same.

use jiff::{SignedDuration, Timestamp};

use super::{Database, PostgresStore, Store as _, server};
use crate::{
    customer::FindBy,
    event::OrganisationName,
    store::{
        Act, AuditLog as _, NewAuditEntry, RefusedLimits, RefusedRequests as _,
        contract::samples::*,
        erase::{EraseAfter, ErasePage, Erasure as _, Person},
        upkeep::{Calendar, Prune, Pruned, Retained, Upkeep as _},
    },
};

const EVENTS: u64 = 120;

fn day(days: i64) -> Timestamp {
    time(0) + SignedDuration::from_hours(24 * days)
}

async fn on(store: &PostgresStore, days: i64) {
    let date = day(days);
    let calendar = Calendar { date, ahead: None };
    store.set_calendar(calendar, Timestamp::MIN).await.unwrap();
}

/// Events that are old enough on the 40th day to lose all but what belongs to their deliveries.
async fn fill(store: &PostgresStore) {
    on(store, 0).await;
    for number in 1..=EVENTS {
        let outcomes = vec![dropped(0, 0)];
        accept(store, event(vec![group(number, outcomes)])).await;
    }
    on(store, 1).await;
}

async fn prune(store: &PostgresStore, kind: Retained, rows: u32) -> Pruned {
    let piece = Prune {
        kind,
        date: day(40),
        age: std::time::Duration::from_hours(24 * 30),
        rows,
    };
    let mut sum = Pruned::default();
    loop {
        let pruned = store.prune(piece).await.unwrap();
        sum = sum.plus(&pruned);
        if !pruned.more {
            return Pruned { more: false, ..sum };
        }
    }
}

async fn prune_all(store: &PostgresStore, rows: u32) -> Pruned {
    let mut sum = Pruned::default();
    for kind in Retained::ALL {
        sum = sum.plus(&prune(store, kind, rows).await);
    }
    sum
}

fn page() -> ErasePage {
    ErasePage {
        person: Person {
            organisation: OrganisationName::default_name(),
            id: Some(customer("cus_1")),
            find: vec![FindBy::Username("ana".into())],
        },
        sources: Vec::new(),
        after: EraseAfter::NOTHING,
        dry_run: false,
        at: time(100),
    }
}

#[tokio::test]
async fn nothing_that_removes_waits_for_whoever_gives_numbers() {
    let Some(database) = Database::new().await else {
        return;
    };
    let store = database.holder().await;
    fill(&store).await;
    let outside = server::client(&database.server.url(&database.name)).await;
    let sql = "BEGIN; SELECT 1 FROM quentli_gateway.meta FOR UPDATE";
    outside.batch_execute(sql).await.unwrap();
    on(&store, 40).await;
    let pruned = prune_all(&store, 50).await;
    assert_eq!((pruned.bodies, pruned.events), (EVENTS, EVENTS));
    let mut erasing = page();
    while let Some(next) = store.erase(erasing.clone()).await.unwrap().next {
        erasing.after = next;
    }
    let limits = RefusedLimits {
        rows: 1,
        kept: 1,
        kept_bytes: 1,
    };
    store.tidy_refused(time(1), limits).await.unwrap();
    let act = NewAuditEntry {
        at: time(0),
        act: Act::Erase,
        by: None,
        what: Vec::new(),
        count: 1,
    };
    store.record_act(act).await.unwrap();
    outside.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn what_two_remove_at_a_time_goes_once_while_it_comes_again() {
    let Some(database) = Database::new().await else {
        return;
    };
    let (one, other) = (database.open().await, database.open().await);
    fill(&one).await;
    on(&one, 40).await;
    let repeat = async {
        for number in (1..=EVENTS).rev() {
            let again = event(vec![group(number, vec![dropped(0, 0)])]);
            other.accept(again).await.unwrap();
        }
    };
    let erase = async {
        let mut page = page();
        while let Some(next) = one.erase(page.clone()).await.unwrap().next {
            page.after = next;
        }
    };
    let (first, second, (), ()) =
        tokio::join!(prune_all(&one, 7), prune_all(&other, 11), repeat, erase);
    let both = first.plus(&second);
    let expected = Pruned {
        bodies: EVENTS,
        dedup_keys: EVENTS,
        history: EVENTS,
        attempts: 0,
        events: EVENTS,
        more: false,
    };
    assert_eq!(both, expected);
}
