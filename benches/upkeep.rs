//! What keeping and removing costs: the bytes that a dedup key takes on disk, and how long an accept waits while old events
//! are removed beside it.
//!
//! The first figure does not depend on the machine; `docs/OPERATIONS.md` publishes it. Of the second read the ratio. The
//! removal rests between its pieces as the gateway's does.
//!
//! ```text
//! cargo bench --bench upkeep              # 1,000,000 keys, 3 rounds
//! cargo bench --bench upkeep -- 100000 5  # keys, rounds
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measuring program: it stops at the first surprise and computes with figures for people"
)]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use quentli_gateway::{
    clock::Clock,
    event::{DedupKey, MappingHash, OrganisationName},
    store::{
        Fate, NewDelivery, NewEvent, NewGroup, Store,
        sqlite::{SqliteOptions, SqliteStore},
        upkeep::{Calendar, Prune, Retained, Upkeep},
    },
};
use rusqlite::Connection;

/// Accepts that wait at once.
const PRODUCERS: usize = 16;
const ACCEPTS: usize = 3_000;
const OLD: usize = 40_000;

#[tokio::main]
async fn main() {
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let (keys, rounds) = (
        arguments.first().copied().unwrap_or(1_000_000),
        arguments.get(1).copied().unwrap_or(3),
    );
    let folder = || {
        tempfile::Builder::new()
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap()
    };
    let place = folder();
    open(place.path()).close().await;
    println!(
        "{keys} dedup keys: {:.1} bytes a key on disk",
        bytes_a_key(place.path(), keys)
    );
    drop(place);
    println!("\naccept, {PRODUCERS} at once: p50 and p99 in ms, alone and beside removing");
    for round in 1..=rounds {
        let place = folder();
        let store = Arc::new(open(place.path()));
        let start = Clock::system().now();
        on(&store, start).await;
        fill(&store, OLD).await;
        let alone = accept_many(&store).await;
        let later = start + SignedDuration::from_hours(24);
        on(&store, later).await;
        on(&store, later + SignedDuration::from_hours(24 * 100)).await;
        let mut removing = tokio::task::JoinSet::new();
        removing.spawn({
            let store = Arc::clone(&store);
            async move { remove(&store, later).await }
        });
        let beside = accept_many(&store).await;
        let is_done = removing.try_join_next().is_some();
        removing.shutdown().await;
        println!(
            "round {round}: {:.2} {:.2} | {:.2} {:.2} | ratio {:.2} {:.2}{}",
            alone.0,
            alone.1,
            beside.0,
            beside.1,
            beside.0 / alone.0,
            beside.1 / alone.1,
            if is_done {
                " (removing ended before)"
            } else {
                ""
            }
        );
        store.close().await;
    }
}

fn open(place: &Path) -> SqliteStore {
    SqliteStore::open(place, SqliteOptions::default(), Clock::system()).unwrap()
}

/// Puts random keys into the real table, in groups as accepts do, and asks how many pages it has.
fn bytes_a_key(place: &Path, keys: usize) -> f64 {
    let connection = Connection::open(place.join("gateway.db")).unwrap();
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144;")
        .unwrap();
    let mut written = 0;
    while written < keys {
        connection.execute_batch("BEGIN").unwrap();
        let mut insert = connection
            .prepare_cached("INSERT INTO dedup (key, event) VALUES (?1, ?2)")
            .unwrap();
        for event in written..keys.min(written + 1000) {
            let key: [u8; 16] = rand::random();
            insert
                .execute((key, i64::try_from(event).unwrap()))
                .unwrap();
        }
        written += 1000;
        connection.execute_batch("COMMIT").unwrap();
    }
    let bytes: i64 = connection
        .query_row(
            "SELECT sum(pgsize) FROM dbstat WHERE name = 'dedup'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    bytes as f64 / keys as f64
}

async fn on(store: &SqliteStore, date: Timestamp) {
    let calendar = Calendar { date, ahead: None };
    store.set_calendar(calendar, Timestamp::MIN).await.unwrap();
}

/// An event of 2 KB that ended at once.
fn event() -> NewEvent {
    let delivery = NewDelivery {
        item: 0,
        number: 0,
        rule: None,
        warnings: Vec::new(),
        fate: Fate::Dropped {
            reason: "no rule".to_owned(),
        },
    };
    NewEvent {
        source: "bench".parse().unwrap(),
        organisation: OrganisationName::default_name(),
        received_at: Clock::system().now(),
        content_type: None,
        headers: Vec::new(),
        body: vec![b'x'; 2048].into(),
        mapping: MappingHash::of(b"bench"),
        groups: vec![NewGroup {
            key: DedupKey::from_bytes(rand::random()),
            deliveries: vec![delivery],
        }],
    }
}

async fn fill(store: &Arc<SqliteStore>, events: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for _ in 0..events / 64 {
                store.accept(event()).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
}

/// Milliseconds from call to answer: the median, and what one of a hundred takes longer than.
async fn accept_many(store: &Arc<SqliteStore>) -> (f64, f64) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..PRODUCERS {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut took = Vec::new();
            for _ in 0..ACCEPTS / PRODUCERS {
                let event = event();
                let started = Instant::now();
                store.accept(event).await.unwrap();
                took.push(started.elapsed());
            }
            took
        });
    }
    let mut took: Vec<Duration> = tasks.join_all().await.concat();
    took.sort_unstable();
    let at = |part: usize| took[took.len() * part / 100].as_secs_f64() * 1e3;
    (at(50), at(99))
}

/// Removes everything, with the rests of `quentli_gateway::upkeep`.
async fn remove(store: &SqliteStore, date: Timestamp) {
    let age = Duration::from_hours(24 * 14);
    let date = date + SignedDuration::from_hours(24 * 100);
    for kind in Retained::ALL {
        loop {
            let prune = Prune {
                kind,
                date,
                age,
                rows: 100,
            };
            let started = Instant::now();
            if !store.prune(prune).await.unwrap().more {
                break;
            }
            tokio::time::sleep(started.elapsed() * 4).await;
        }
    }
}
