//! Files that are held, foreign, newer or damaged; settings; statements that must walk an index.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, StatementStatus};

use super::{open, options, outside, try_open};
use crate::{
    clock::Clock,
    event::{EventSeq, LaneKey, OrderBy},
    store::{
        KeptRequest, NewRefused, RefusedLimits, RefusedRequests, RequestFacts, Store,
        contract::samples::{accept, dropped, event, group, organisation, waiting},
        sqlite::{
            OpenError, SqliteOptions, SqliteStore, applied, audit, hands, left_out, migrations,
            observed, queue, refused, requests, upkeep,
        },
        upkeep::{Calendar, Prune, Retained, Upkeep},
    },
};

fn refusal(directory: &Path) -> OpenError {
    try_open(directory).unwrap_err()
}

/// A store with some events, closed.
async fn filled(directory: &Path, events: u64) {
    let store = open(directory);
    for number in 0..events {
        accept(
            &store,
            event(vec![group(number, vec![waiting(0, 0, "u1")])]),
        )
        .await;
    }
    store.close().await;
}

#[tokio::test]
async fn a_second_store_on_the_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    let refused = refusal(directory.path());
    assert!(matches!(refused, OpenError::Held { .. }), "{refused}");
    accept(&first, event(vec![group(1, vec![waiting(0, 0, "u1")])])).await;
    drop(first);
    open(directory.path());
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.db");
    let text = "this is a letter, not a database\n".repeat(400);
    fs::write(&file, &text).unwrap();
    let refused = refusal(directory.path());
    assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.db");
    Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE song (title TEXT)")
        .unwrap();
    let before = fs::read(&file).unwrap();
    let refused = refusal(directory.path());
    assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_a_newer_release_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 1).await;
    outside(directory.path())
        .pragma_update(None, "user_version", 999)
        .unwrap();
    let refused = refusal(directory.path());
    assert!(
        matches!(refused, OpenError::Newer { found: 999, .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("run that release"));
}

#[tokio::test]
async fn a_file_cut_short_is_noticed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 50).await;
    let file = directory.path().join("gateway.db");
    let length = fs::metadata(&file).unwrap().len();
    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(length / 2)
        .unwrap();
    let refused = refusal(directory.path());
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("restore a backup"));
}

#[tokio::test]
async fn a_damaged_page_is_noticed_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 50).await;
    let file = directory.path().join("gateway.db");
    let mut bytes = fs::read(&file).unwrap();
    let page = bytes.len() / 8192 / 2 * 8192;
    bytes[page..page + 512].fill(0xa5);
    fs::File::create(&file).unwrap().write_all(&bytes).unwrap();
    let refused = refusal(directory.path());
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn a_file_that_others_hold_for_too_long_is_refused_and_opens_later() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 1).await;
    // A new format would have to be written, and another program is in the middle of something.
    let other = outside(directory.path());
    other.pragma_update(None, "user_version", 0).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = refusal(directory.path());
    assert!(matches!(refused, OpenError::Busy { .. }), "{refused}");
    other.execute_batch("ROLLBACK").unwrap();
    other
        .pragma_update(None, "user_version", migrations::newest())
        .unwrap();
    drop(other);
    open(directory.path());
}

const TABLES: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'";

/// The texts that a statement gives.
fn names(file: &Connection, sql: &str) -> Vec<String> {
    let mut statement = file.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_file_of_the_first_format_is_brought_to_the_newest_and_keeps_what_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    // For the marks that every file bears.
    filled(directory.path(), 0).await;
    let file = outside(directory.path());
    for table in names(&file, TABLES) {
        file.execute_batch(&format!("DROP TABLE {table}")).unwrap();
    }
    file.execute_batch(include_str!("../migrations/0001_first.sql"))
        .unwrap();
    file.execute_batch(
        "INSERT INTO meta VALUES (1, 0, zeroblob(32), 2, 3);
         INSERT INTO event VALUES (1, 0, 'crm', 'default', zeroblob(16), zeroblob(16), NULL, NULL, zeroblob(32), zeroblob(4));
         INSERT INTO dedup VALUES (zeroblob(16), 1);
         INSERT INTO delivery (pos, organisation, lane, state, next_attempt, event, item, number, source, accepted_at,
                               fields, customer, patch)
         VALUES (2, 'default', zeroblob(16), 'waiting', 0, 1, 0, 1, 'crm', 0, '[\"name\"]',
                 '{\"id\":\"cus_1\",\"onMissing\":\"retry\"}', '{\"name\":\"Ana\"}');
         INSERT INTO history VALUES (1, 0, 0, 'crm', 'default', 'delivered', 0, 1, 'cus_1', NULL, NULL, NULL, NULL);
         INSERT INTO attempt VALUES (1, 0, 0, 1, 0, 5, 200, 'delivered', NULL, 'cus_1');
         INSERT INTO applied VALUES ('default', 'cus_1', 'name', zeroblob(16), 'crm', 7, 1000),
                                    ('default', 'cus_1', 'email', zeroblob(16), 'crm', NULL, 1000);
         INSERT INTO counter (source, accepted, created, waiting, delivered) VALUES ('crm', 1, 2, 1, 1);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(file);
    let store = open(directory.path());
    assert_eq!(store.totals().await.unwrap().accepted, 1);
    let lane = LaneKey::from_bytes([0; 16]);
    let waiting = store.take(&organisation(), lane, 9).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].patch.is_empty()), (1, false));
    let records = store.deliveries_of(EventSeq(1)).await.unwrap();
    assert_eq!(records.len(), 2);
    let customer = "cus_1".parse().unwrap();
    let applied = store.applied(&organisation(), &customer).await.unwrap();
    let crm = "crm".parse().unwrap();
    let versions: Vec<_> = applied
        .iter()
        .map(|applied| (applied.part.to_string(), applied.version_of(&crm)))
        .collect();
    assert_eq!(
        versions,
        [
            ("email".to_owned(), None),
            ("name".to_owned(), Some(OrderBy(7)))
        ]
    );
    assert!(applied.iter().all(|applied| !applied.is_in_doubt));
    assert!(store.learned_secrets().await.unwrap().is_empty());
    assert_eq!(store.refused_figures().await.unwrap(), []);
}

#[tokio::test]
async fn the_settings_are_in_force() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let settings = store
        .on_writer(|connection| {
            [
                "page_size",
                "auto_vacuum",
                "synchronous",
                "wal_autocheckpoint",
                "journal_size_limit",
                "user_version",
            ]
            .map(|name| {
                let sql = format!("PRAGMA {name}");
                connection
                    .query_row(&sql, [], |row| row.get::<_, i64>(0))
                    .unwrap()
            })
        })
        .await;
    let format = migrations::newest();
    assert_eq!(settings, [8192, 2, 2, 2000, 64 << 20, format]);
    for file in ["gateway.db", "gateway.db-wal", "gateway.db-shm"] {
        let about = fs::metadata(directory.path().join(file)).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600, "{file}");
    }
    store.close().await;
    assert!(!directory.path().join("gateway.db-wal").exists());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = refusal(&file.join("data"));
    assert!(matches!(refused, OpenError::Directory { .. }), "{refused}");
    assert!(refused.to_string().contains("file/data"), "{refused}");
}

/// How SQLite would run a statement.
pub(super) fn plan(connection: &Connection, sql: &str) -> String {
    let mut plan = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let parameters = plan.parameter_count();
    let values = (0..parameters).map(|_| 1);
    let lines = plan
        .query_map(rusqlite::params_from_iter(values), |row| {
            row.get::<_, String>(3)
        })
        .unwrap();
    lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn what_waits_is_read_by_index_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store
        .on_writer(|connection| queue::PLANNED.map(|sql| plan(connection, sql)))
        .await;
    for plan in plans {
        assert!(plan.starts_with("SEARCH delivery USING INDEX"), "{plan}");
        assert!(
            !plan.contains("TEMP B-TREE") && !plan.contains("SCAN"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn what_is_known_of_a_customer_is_read_by_its_key_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store.on_writer(|connection| applied::PLANNED.map(|sql| plan(connection, sql)));
    for plan in plans.await {
        assert!(
            !plan.contains("TEMP B-TREE") && !plan.contains("SCAN"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn what_people_decide_about_is_read_by_index_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store.on_writer(|connection| hands::PLANNED.map(|sql| plan(connection, sql)));
    for plan in plans.await {
        assert!(
            plan.starts_with("SEARCH delivery USING")
                && !plan.contains("TEMP B-TREE")
                && !plan.contains("SCAN"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn what_was_left_out_earlier_is_found_by_index() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store.on_writer(|connection| left_out::PLANNED.map(|sql| plan(connection, sql)));
    for plan in plans.await {
        assert!(!plan.contains("SCAN delivery"), "{plan}");
        assert!(!plan.contains("SCAN history"), "{plan}");
    }
}

#[tokio::test]
async fn refused_requests_are_read_and_trimmed_by_index_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store.on_writer(|connection| refused::PLANNED.map(|sql| plan(connection, sql)));
    for plan in plans.await {
        assert!(
            !plan.contains("TEMP B-TREE") && !plan.contains("SCAN refused"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn stored_requests_are_read_by_number_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store.on_writer(|connection| requests::PLANNED.map(|sql| plan(connection, sql)));
    for plan in plans.await {
        assert!(
            plan.starts_with("SEARCH event USING INTEGER PRIMARY KEY")
                && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn observed_updates_are_read_by_place_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store.on_writer(|connection| observed::PLANNED.map(|sql| plan(connection, sql)));
    for plan in plans.await {
        assert!(
            plan.starts_with("SEARCH observed USING PRIMARY KEY") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn what_was_observed_is_sent_in_the_order_of_its_index() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plan = store.on_writer(|connection| plan(connection, hands::OBSERVED_PAGE));
    let plan = plan.await;
    assert!(
        plan.starts_with("SEARCH observed USING INDEX observed_pos")
            && !plan.contains("TEMP B-TREE"),
        "{plan}"
    );
}

#[tokio::test]
async fn acts_are_read_and_removed_by_number_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store.on_writer(|connection| audit::PLANNED.map(|sql| plan(connection, sql)));
    for plan in plans.await {
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[tokio::test]
async fn what_is_old_is_found_by_index_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store.on_writer(|connection| upkeep::PLANNED.map(|sql| plan(connection, sql)));
    for plan in plans.await {
        assert!(
            !plan.contains("TEMP B-TREE")
                && !plan.contains("SCAN event")
                && !plan.contains("SCAN history"),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn the_lanes_cost_what_they_return_however_deep_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let steps = store
        .on_writer(|connection| {
            let fill = |lanes: i64, deep: i64| {
                connection
                    .execute_batch(&format!(
                        "BEGIN;
                         DELETE FROM delivery;
                         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {lanes} + {deep})
                         INSERT INTO delivery (pos, organisation, lane, state, next_attempt, event, item, number,
                                               source, accepted_at, customer, patch)
                         SELECT i, 'default', CAST(printf('%016d', min(i, {lanes})) AS BLOB), 'waiting', 0, i, 0, 0,
                                'crm', 0, '', '' FROM n;
                         COMMIT;"
                    ))
                    .unwrap();
                let mut statement = connection.prepare(queue::NEXT_LANE).unwrap();
                let mut after = Vec::new();
                let mut found = 0;
                loop {
                    let mut rows = statement.query(("default", &after)).unwrap();
                    let Some(row) = rows.next().unwrap() else { break };
                    after = LaneKey::from_bytes(row.get(0).unwrap()).as_bytes().to_vec();
                    found += 1;
                }
                assert_eq!(found, lanes);
                statement.get_status(StatementStatus::VmStep)
            };
            (fill(1000, 0), fill(1000, 20_000))
        })
        .await;
    assert_eq!(
        steps.0, steps.1,
        "steps with shallow lanes and with a deep one"
    );
    let lanes = store.lanes(&organisation(), None, 5000).await.unwrap();
    assert_eq!(lanes.len(), 1000);
}

#[tokio::test]
async fn a_store_dropped_inside_a_runtime_finishes_what_was_asked() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(
        directory.path(),
        SqliteOptions {
            disk_reserve: 0,
            ..options()
        },
        Clock::system(),
    );
    let store = store.unwrap();
    let asked = store.accept(event(vec![group(1, vec![waiting(0, 0, "u1")])]));
    // Polled once, so that it is on its way, and then abandoned.
    tokio::select! { biased; _ = asked => {}, () = std::future::ready(()) => {} }
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.totals().await.unwrap().accepted, 1);
}

pub(super) const NOWHERE: [PathBuf; 0] = [];

/// The files of a directory in which one of the texts stands.
pub(super) fn holding(directory: &Path, texts: &[&str]) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        texts.iter().any(|text| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        })
    };
    paths.filter(holds).collect()
}

pub(super) const NOTHING_REFUSED: RefusedLimits = RefusedLimits {
    rows: 0,
    kept: 0,
    kept_bytes: 0,
};

#[tokio::test]
async fn a_body_that_was_pruned_stands_in_no_file() {
    const MARKER: &str = "LUPE.RUIZ@example.mx";
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let start = Clock::system().now();
    let on = |days: i64| Calendar {
        date: start + SignedDuration::from_hours(24 * days),
        ahead: None,
    };
    store.set_calendar(on(0), Timestamp::MIN).await.unwrap();
    for number in 0..100_u64 {
        // From a part of a page to many pages.
        let mut event = event(vec![group(number, vec![dropped(0, 0)])]);
        event.body = MARKER.repeat(1 << (number % 14)).into();
        event.headers = vec![("x-who".to_owned(), MARKER.to_owned())];
        accept(&store, event).await;
    }
    assert_ne!(holding(directory.path(), &[MARKER]), NOWHERE);
    for day in [1, 15] {
        store.set_calendar(on(day), Timestamp::MIN).await.unwrap();
    }
    let mut bodies = 0;
    for _ in 0..100 {
        let prune = Prune {
            kind: Retained::Bodies,
            date: on(15).date,
            age: Duration::from_hours(14 * 24),
            rows: 20,
        };
        bodies += store.prune(prune).await.unwrap().bodies;
    }
    assert_eq!(bodies, 100);
    store.tidy_refused(start, NOTHING_REFUSED).await.unwrap();
    assert_eq!(
        holding(directory.path(), &[MARKER]),
        NOWHERE,
        "while it runs"
    );
    store.close().await;
    assert_eq!(
        holding(directory.path(), &[MARKER]),
        NOWHERE,
        "after its end"
    );
}

#[tokio::test]
async fn a_kept_request_that_was_dropped_stands_in_no_file() {
    const MARKER: &str = "ana.perez@example.mx";
    let directory = tempfile::tempdir().unwrap();
    let limits = RefusedLimits {
        rows: 1000,
        kept: 1000,
        kept_bytes: 1 << 30,
    };
    let start = Clock::system().now();
    let request = |number: u8| KeptRequest {
        received_at: start,
        method: "POST".into(),
        path_and_query: format!("/webhooks/crm?key={MARKER}"),
        headers: vec![("x-email".into(), MARKER.repeat(usize::from(number)).into())],
        // From a part of a page to many pages.
        body: MARKER.repeat(1 << (number % 14)).into(),
        client: [192, 0, 2, 1].into(),
        through_trusted_proxy: false,
    };
    let row = |number: u8, kept: bool| NewRefused {
        source: "crm".parse().unwrap(),
        mark: [number; 16],
        first_at: start,
        last_at: start,
        times: 1,
        reason: "no-match",
        status: 401,
        facts: RequestFacts::default(),
        kept: kept.then(|| (request(number), start + SignedDuration::from_hours(1))),
    };
    // As it is, and as headers are written.
    let holding = || {
        holding(
            directory.path(),
            &[MARKER, "YW5hLnBlcmV6QGV4YW1wbGUubXhhbmEu"],
        )
    };
    let store = open(directory.path());
    for number in 0..100 {
        let rows = vec![row(number, true), row(number + 100, false)];
        store.record_refused(rows, limits).await.unwrap();
    }
    assert_ne!(holding(), NOWHERE);
    let late = start + SignedDuration::from_hours(2);
    store.tidy_refused(late, limits).await.unwrap();
    assert_eq!(holding(), NOWHERE, "while it runs");
    store.close().await;
    assert_eq!(holding(), NOWHERE, "after its end");
}
