//! Lists for people stay cheap: by the plans of their statements, and by the steps that SQLite takes, which do not grow
//! with what is stored.
//!
//! `ARCHIVE_EVENTS=1000000 cargo test --release --lib pages_cost` fills a store with so many; the usual run has fewer.

use rusqlite::{Connection, StatementStatus};

use super::{file::plan, open, outside};
use crate::{
    event::{DeliveryState, End},
    store::{
        Archive, ArchiveFilter, DeliveryPlace, MOST_LOOKED_AT, Order, StandingFilter,
        contract::samples::{reference, source, time},
        sqlite::archive,
    },
};

#[tokio::test]
async fn what_people_read_is_read_by_index_and_never_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let plans = store
        .on_writer(|connection| {
            let planned = archive::planned().into_iter();
            planned
                .map(|sql| (sql, plan(connection, sql)))
                .collect::<Vec<_>>()
        })
        .await;
    assert!(plans.len() > 20);
    for (sql, plan) in plans {
        assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        // The hours are few, and a count is of a bounded number of rows.
        let is_small = ["SCAN event_hour", "SCAN (subquery-1)", "SCAN CONSTANT ROW"];
        let other = is_small
            .iter()
            .fold(plan, |plan, small| plan.replace(small, ""));
        assert!(!other.contains("SCAN"), "{sql}: {other}");
    }
}

/// Fills a store with events of three sources, of which one has next to none, 3,600 events each hour; some
/// deliveries are open, some dead, nearly all have ended.
fn fill(connection: &Connection, events: i64) {
    let start = time(0).as_millisecond();
    let customer = serde_json::to_string(&reference("u1")).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = OFF;
             BEGIN;
             CREATE TEMP TABLE n AS
               WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {events}) SELECT i FROM n;
             CREATE TEMP VIEW e AS
               SELECT i, {start} + i * 1000 AS at,
                      CASE WHEN i % 50000 = 17 THEN 'sis' WHEN i % 3 = 0 THEN 'erp' ELSE 'crm' END AS source FROM n;
             INSERT INTO event (seq, received_at, source, organisation, mapping, dedup_keys, body_hash, body)
               SELECT i, at, source, 'default', zeroblob(16), zeroblob(16), zeroblob(32), zeroblob(100) FROM e;
             INSERT INTO event_hour SELECT min(i), at / 3600000 FROM e GROUP BY at / 3600000;
             INSERT INTO history (event, item, number, source, organisation, \"end\", at, attempts, customer)
               SELECT i, 0, 0, source, 'default', iif(i % 20000 = 1, 'discarded', 'delivered'), at, 1,
                      'cus_' || (i % 500) FROM e WHERE i % 100 > 1;
             INSERT INTO delivery (pos, organisation, lane, state, next_attempt, event, item, number, source,
                                   accepted_at, code, customer, patch)
               SELECT i, 'default', zeroblob(16), CASE i % 500 WHEN 0 THEN 'looking' WHEN 1 THEN 'dead' ELSE 'waiting' END,
                      0, i, 0, 0, source, at, iif(i % 7 = 0, 'refused', 'mapping'), '{customer}', '{{}}'
               FROM e WHERE i % 100 <= 1;
             DROP TABLE n;
             DROP VIEW e;
             COMMIT;"
        ))
        .unwrap();
}

/// The rows looked at for a page in the middle of the list, and whether it was full.
async fn cost(
    store: &dyn Archive,
    filter: &ArchiveFilter,
    order: Order,
    middle: i64,
) -> (u64, usize) {
    let after = DeliveryPlace::end_of(crate::event::EventSeq(middle), order);
    let page = store
        .deliveries(filter.clone(), order, Some(after), 50)
        .await
        .unwrap();
    let events = store
        .events(filter.clone(), order, Some(after), 50)
        .await
        .unwrap();
    (
        page.looked_at.max(events.looked_at),
        page.entries.len().min(events.entries.len()),
    )
}

/// How many events the large store has.
#[expect(clippy::disallowed_methods, reason = "a test may be run longer")]
fn events() -> i64 {
    std::env::var("ARCHIVE_EVENTS").map_or(120_000, |text| text.parse().unwrap())
}

#[tokio::test]
async fn pages_cost_the_same_however_much_is_stored() {
    let most = events();
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    fill(&outside(directory.path()), most);
    let store = open(directory.path());
    let any = ArchiveFilter::default;
    let standing = |standing| ArchiveFilter {
        standing: Some(standing),
        ..any()
    };
    // With the number of rows that a full page may cost at most; those without end at the bound of a walk.
    let served = [
        (any(), 350),
        (
            ArchiveFilter {
                source: Some(source("erp")),
                ..any()
            },
            400,
        ),
        (standing(StandingFilter::Open(DeliveryState::Dead)), 350),
        (standing(StandingFilter::Open(DeliveryState::Looking)), 350),
        (standing(StandingFilter::Open(DeliveryState::Waiting)), 450),
        (standing(StandingFilter::Ended(End::Delivered)), 350),
        (
            ArchiveFilter {
                since: Some(time(most / 4)),
                until: Some(time(most / 4 * 3)),
                ..any()
            },
            400,
        ),
    ];
    for (filter, most_rows) in served {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let (looked_at, found) = cost(&store, &filter, order, most / 2).await;
            assert_eq!(found, 50, "{filter:?}, {order:?}");
            assert!(looked_at <= most_rows, "{looked_at}: {filter:?}, {order:?}");
        }
    }
    let walked = [
        standing(StandingFilter::Ended(End::Stale)),
        ArchiveFilter {
            organisation: Some("north".parse().unwrap()),
            ..any()
        },
        ArchiveFilter {
            source: Some(source("erp")),
            ..standing(StandingFilter::Ended(End::Discarded))
        },
    ];
    for filter in walked {
        let page = store.deliveries(filter.clone(), Order::NewestFirst, None, 50);
        let page = page.await.unwrap();
        let bound = MOST_LOOKED_AT + 10;
        assert!(page.looked_at <= bound, "{}: {filter:?}", page.looked_at);
        assert!(
            page.next.is_some(),
            "it says that there is more: {filter:?}"
        );
    }
    // A source with next to nothing is found by its index, not by a walk.
    let rare = ArchiveFilter {
        source: Some(source("sis")),
        ..any()
    };
    let page = store
        .events(rare, Order::NewestFirst, None, 50)
        .await
        .unwrap();
    let there = usize::try_from((most + 50_000 - 17) / 50_000).unwrap();
    assert_eq!((page.entries.len(), page.next), (there.min(50), None));
    let causes = store.dead_causes().await.unwrap();
    assert!(causes.len() >= 4, "{causes:?}");
}

#[tokio::test]
async fn statements_take_steps_for_the_rows_they_give_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let steps = |events: i64| {
        store.on_writer(move |connection| {
            connection
                .execute_batch(
                    "DELETE FROM event; DELETE FROM event_hour; DELETE FROM delivery; DELETE FROM history;",
                )
                .unwrap();
            fill(connection, events);
            let planned = archive::planned().into_iter();
            // Those that walk in the order of acceptance; others read one row, or are counted up to a bound.
            let walks = planned.filter(|sql| sql.contains("> (?1, ?2, ?3)") || sql.contains("< (?1, ?2, ?3)") || sql.contains("ORDER BY seq"));
            let mut all = Vec::new();
            for sql in walks {
                let mut statement = connection.prepare(sql).unwrap();
                let is_newest_first = sql.contains("DESC");
                let (begin, end) = if is_newest_first { (events / 2, 0) } else { (events / 2, events) };
                let others = match statement.parameter_count() {
                    3 => ["crm", ""],
                    _ if sql.contains("history_customer") => ["default", "cus_7"],
                    _ => ["crm", "mapping"],
                };
                let names = if sql.contains("seq") {
                    vec![begin.to_string(), end.to_string()]
                } else {
                    vec![begin.to_string(), "0".into(), "0".into(), end.to_string()]
                };
                let count = statement.parameter_count();
                for (index, value) in (1..).zip(names.iter().map(String::as_str).chain(others)).take(count) {
                    match value.parse::<i64>() {
                        Ok(number) => statement.raw_bind_parameter(index, number).unwrap(),
                        Err(_) => statement.raw_bind_parameter(index, value).unwrap(),
                    }
                }
                let mut given = 0;
                {
                    let mut rows = statement.raw_query();
                    while given < 20 && rows.next().unwrap().is_some() {
                        given += 1;
                    }
                }
                all.push((sql, given, statement.get_status(StatementStatus::VmStep)));
            }
            all
        })
    };
    let (few, many) = (steps(40_000).await, steps(120_000).await);
    assert!(few.len() >= 12);
    for ((sql, given, few), (_, other, many)) in few.into_iter().zip(many) {
        assert_eq!((given, other), (20, 20), "{sql}");
        assert!(many <= few + few / 10, "{few} steps, then {many}: {sql}");
    }
}
