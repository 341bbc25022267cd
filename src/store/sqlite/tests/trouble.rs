//! Full disks, other programs, damage met while running, and the end of threads.

use std::{fs, io::Write, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{open, options, outside};
use crate::{
    clock::Clock,
    event::{DeliveryPos, End},
    store::{
        Acceptance, NewEvent, Store, StoreError,
        contract::samples::{accept, event, finish, group, organisation, waiting},
        sqlite::{SqliteOptions, SqliteStore},
    },
};

fn one(number: u64) -> NewEvent {
    event(vec![group(number, vec![waiting(0, 0, "u1")])])
}

#[tokio::test]
async fn a_full_disk_refuses_and_space_lets_it_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    accept(&store, one(0)).await;
    let limit = |pages: &'static str| {
        store.on_writer(move |connection| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            connection.query_row(&sql, [], |_row| Ok(())).unwrap();
        })
    };
    limit("1").await; // SQLite takes the size that the file has.
    let mut number = 1;
    let refused = loop {
        match store.accept(one(number)).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
        assert!(number < 1000, "the file grew past its limit");
    };
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused}"
    );
    assert!(store.is_writable().is_err());
    let before = store.totals().await.unwrap();
    assert_eq!(before.accepted, number);

    limit("1000000").await;
    let again = store.accept(one(number)).await.unwrap();
    assert!(
        matches!(again, Acceptance::Accepted { .. }),
        "{again:?}: the refused one left a key"
    );
    assert!(store.is_writable().is_ok());
    let after = store.totals().await.unwrap();
    assert_eq!((after.accepted, after.waiting), (number + 1, number + 1));
    store.close().await;
    assert_eq!(open(directory.path()).totals().await.unwrap(), after);
}

#[tokio::test]
async fn below_the_reserve_nothing_is_accepted_and_ends_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    accept(&store, one(0)).await;
    drop(store);
    let options = SqliteOptions {
        disk_reserve: u64::MAX,
        ..options()
    };
    let store = SqliteStore::open(directory.path(), options, Clock::system()).unwrap();
    let refused = store.accept(one(1)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused}"
    );
    assert!(store.is_writable().is_err());
    let ended = finish(DeliveryPos(1), End::Delivered);
    assert!(store.finish(&organisation(), ended).await.unwrap());
}

#[tokio::test]
async fn a_file_locked_by_another_program_refuses_and_goes_on_later() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let first = accept(&store, one(0)).await;
    let other = outside(directory.path());
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let refused = store.accept(one(1)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused}"
    );
    assert!(store.is_writable().is_err());
    assert_eq!(
        store.deliveries_of(first).await.unwrap().len(),
        1,
        "reading goes on"
    );
    other.execute_batch("ROLLBACK").unwrap();
    accept(&store, one(1)).await;
    assert!(store.is_writable().is_ok());
}

#[tokio::test]
async fn calls_behind_a_full_queue_are_refused_and_ends_wait() {
    let directory = tempfile::tempdir().unwrap();
    let queue = NonZeroUsize::new(1).unwrap();
    let busy = Duration::from_mins(1);
    let options = SqliteOptions {
        queue,
        busy,
        ..options()
    };
    let store = SqliteStore::open(directory.path(), options, Clock::system()).unwrap();
    let store = Arc::new(store);
    accept(&*store, one(0)).await;
    // The writer waits for another program, and the queue fills.
    let other = outside(directory.path());
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut accepts = JoinSet::new();
    for number in 1..50 {
        let store = Arc::clone(&store);
        accepts.spawn(async move { store.accept(one(number)).await });
    }
    let ending = {
        let store = Arc::clone(&store);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let ended = finish(DeliveryPos(1), End::Delivered);
            store.finish(&organisation(), ended).await
        });
        tasks
    };
    let refused = accepts.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused}"
    );
    other.execute_batch("ROLLBACK").unwrap();
    let mut stored = 1;
    for answer in accepts.join_all().await {
        match answer {
            Ok(_) => stored += 1,
            Err(error) => assert!(matches!(error, StoreError::Unavailable { .. }), "{error}"),
        }
    }
    assert!(ending.join_all().await.remove(0).unwrap());
    let totals = store.totals().await.unwrap();
    assert_eq!(totals.accepted, stored);
    assert_eq!(totals.ended.iter().sum::<u64>(), 1);
}

/// Overwrites every page but the first, under the running store, and makes its writer read them anew.
async fn damage(store: &SqliteStore, directory: &std::path::Path) {
    store
        .on_writer(|connection| {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            connection.query_row(sql, [], |_row| Ok(())).unwrap();
            connection.execute_batch("PRAGMA shrink_memory").unwrap();
        })
        .await;
    let file = directory.join("gateway.db");
    let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
    let mut file = fs::File::options().write(true).open(&file).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(8192)).unwrap();
    file.write_all(&vec![0xa5; length - 8192]).unwrap();
}

#[tokio::test]
async fn damage_met_while_writing_ends_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    accept(&store, one(0)).await;
    damage(&store, directory.path()).await;
    let refused = store.accept(one(1)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::OutcomeUnknown { .. }),
        "{refused}"
    );
    for _ in 0..2 {
        let refused = store.accept(one(2)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Closed { .. }), "{refused}");
    }
    assert!(matches!(
        store.is_writable(),
        Err(StoreError::Closed { .. })
    ));
    store.close().await;
}

#[tokio::test]
async fn damage_met_while_reading_ends_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    accept(&store, one(0)).await;
    damage(&store, directory.path()).await;
    let refused = store.body_of(crate::event::EventSeq(1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Closed { .. }), "{refused}");
    assert!(matches!(
        store.is_writable(),
        Err(StoreError::Closed { .. })
    ));
}

#[tokio::test]
async fn a_writer_that_panics_leaves_a_closed_store_and_no_caller_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    accept(&store, one(0)).await;
    let (reply, gone) = tokio::sync::oneshot::channel::<()>();
    let panics = super::Job::Run(Box::new(move |_connection| {
        let _reply = reply;
        panic!("for the test");
    }));
    assert!(store.writes.send(panics).await.is_ok());
    gone.await.unwrap_err();
    let refused = store.accept(one(1)).await.unwrap_err();
    let expected = matches!(
        refused,
        StoreError::Closed { .. } | StoreError::OutcomeUnknown { .. }
    );
    assert!(expected, "{refused}");
    store.close().await;
    assert!(matches!(
        store.is_writable(),
        Err(StoreError::Closed { .. })
    ));
    drop(store);
    assert_eq!(open(directory.path()).totals().await.unwrap().accepted, 1);
}
