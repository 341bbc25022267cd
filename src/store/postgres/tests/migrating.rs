//! How tables come to a newer format while others work with them, or want the same.

use futures_util::future;

use super::{
    super::{
        Durability, OpenError, PostgresStore, connect,
        migrations::{self, FORMATS, Format},
    },
    Database, server,
};
use crate::{
    clock::Clock,
    store::{Leases as _, Store as _, StoreError},
};

/// A step of a release that is to come.
fn later(usable_from: i64) -> Vec<Format> {
    let mut formats = FORMATS.to_vec();
    formats.push(Format {
        sql: "LOCK TABLE lease, meta IN ACCESS EXCLUSIVE MODE; ALTER TABLE meta ADD COLUMN later bigint; CREATE TABLE later (id bigint)",
        usable_from,
    });
    formats
}

fn up_to(newest: i64) -> Vec<i64> {
    (1..=newest).collect()
}

/// Takes the steps of a release on a connection of its own.
async fn take(database: &Database, formats: &[Format], tries: u32) -> Result<(), OpenError> {
    let pool = connect::fit(&database.address(), Durability::Required).await;
    let client = pool.unwrap().get().await.unwrap();
    migrations::take(&client, "gateway", formats, tries).await
}

/// The numbers of the formats that the tables were brought to.
async fn taken(database: &Database) -> Vec<i64> {
    let outside = server::client(&database.server.url(&database.name)).await;
    let sql = "SELECT number FROM quentli_gateway.format ORDER BY number";
    let rows = outside.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn of_replicas_that_start_at_once_on_an_older_format_one_takes_the_step() {
    let Some(database) = Database::new().await else {
        return;
    };
    take(&database, &FORMATS[..1], 1).await.unwrap();
    assert_eq!(taken(&database).await, [1]);
    let address = database.address();
    let open = || PostgresStore::open(&address, Durability::Required, Clock::system());
    for opened in future::join_all((0..4).map(|_| open())).await {
        let store = opened.unwrap();
        let lasts = std::time::Duration::from_mins(1);
        store
            .attend(&"a".parse().unwrap(), "1", lasts)
            .await
            .unwrap();
    }
    assert_eq!(taken(&database).await, up_to(migrations::newest()));
    let formats = later(1);
    let steps = (0..4).map(|_| take(&database, &formats, 1));
    for done in future::join_all(steps).await {
        done.unwrap();
    }
    assert_eq!(taken(&database).await, up_to(migrations::newest() + 1));
}

#[tokio::test]
async fn a_step_that_a_replica_could_not_go_on_after_is_taken_when_it_is_gone() {
    let Some(database) = Database::new().await else {
        return;
    };
    let store = database.open().await;
    let lasts = std::time::Duration::from_mins(1);
    let attend = async |lasts| store.attend(&"old".parse().unwrap(), "0.1", lasts).await;
    attend(lasts).await.unwrap();
    let refused = take(&database, &later(migrations::newest() + 1), 1)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("old (0.1); stop them first"),
        "{refused}"
    );
    assert_eq!(taken(&database).await, up_to(migrations::newest()));
    assert!(store.is_writable().is_ok());
    let formats = later(migrations::newest() + 1);
    let (done, departed) = tokio::join!(take(&database, &formats, 20), store.depart());
    departed.unwrap();
    done.unwrap();
}

#[tokio::test]
async fn a_store_whose_tables_are_no_longer_for_it_ends_and_says_why() {
    let Some(database) = Database::new().await else {
        return;
    };
    let store = database.open().await;
    // Nobody has said that this one is there.
    take(&database, &later(migrations::newest() + 1), 1)
        .await
        .unwrap();
    let ended = loop {
        match store.is_writable() {
            Ok(()) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&ended, StoreError::Closed { what } if what.contains("start the newer one")),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_store_whose_database_turns_out_to_lack_its_newest_step_ends_and_says_why() {
    let Some(database) = Database::new().await else {
        return;
    };
    let store = database.open().await;
    let outside = server::client(&database.server.url(&database.name)).await;
    let back = format!(
        "DELETE FROM quentli_gateway.format WHERE number = {}",
        migrations::newest()
    );
    outside.batch_execute(&back).await.unwrap();
    let ended = loop {
        match store.is_writable() {
            Ok(()) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&ended, StoreError::Closed { what } if what.contains("when it starts again")),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_step_that_waits_for_what_is_being_done_gives_up_and_comes_again() {
    let Some(database) = Database::new().await else {
        return;
    };
    let store = database.open().await;
    let mut busy = server::client(&database.server.url(&database.name)).await;
    let accepting = busy.transaction().await.unwrap();
    let sql = "SELECT 1 FROM quentli_gateway.meta FOR UPDATE";
    accepting.query(sql, &[]).await.unwrap();
    let refused = take(&database, &later(1), 1).await.unwrap_err();
    assert!(refused.to_string().contains("55P03"), "{refused}");
    let formats = later(1);
    let (done, ended) = tokio::join!(take(&database, &formats, 20), accepting.commit());
    ended.unwrap();
    done.unwrap();
    assert!(store.is_writable().is_ok());
}

#[tokio::test]
async fn who_watches_ends_with_the_store() {
    let Some(database) = Database::new().await else {
        return;
    };
    let mut store = database.open().await;
    store.close().await;
    let ended = store.watching.join_next().await;
    assert!(matches!(ended, Some(Ok(()))), "{ended:?}");
}
