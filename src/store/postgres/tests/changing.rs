//! What changes at a server while a gateway runs.

use super::{
    super::{Durability, OpenError, PostgresAddress, PostgresStore},
    Database,
    server::{Server, client},
};
use crate::{
    clock::Clock,
    store::{
        Store,
        contract::samples::{accept, event, group, waiting},
    },
};

/// Waits until the store takes an event, or refuses it with such words.
async fn until_it_says(store: &PostgresStore, number: u64, wanted: Option<&str>) {
    let give_up = Clock::system();
    loop {
        let sent = event(vec![group(number, vec![waiting(0, 0, "u1")])]);
        let said = store
            .accept(sent)
            .await
            .err()
            .map(|error| error.to_string());
        let is_said = match (&said, wanted) {
            (None, None) => true,
            (Some(said), Some(wanted)) => said.contains(wanted),
            _ => false,
        };
        if is_said {
            return;
        }
        assert!(give_up.elapsed().as_secs() < 60, "{wanted:?}: {said:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Ends all connections to a database.
async fn cut(database: &Database) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let outside = client(&database.server.url(&database.name)).await;
    outside.batch_execute(sql).await.unwrap();
}

/// Waits until it is as ready as it should be.
async fn until_ready(store: &PostgresStore, ready: bool) {
    let give_up = Clock::system();
    while store.is_writable().is_ok() != ready {
        assert!(
            give_up.elapsed().as_secs() < 60,
            "{:?}",
            store.is_writable()
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn nothing_is_accepted_while_a_setting_is_off_without_which_commits_are_lost() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let address = PostgresAddress::parse(&server.url("postgres")).unwrap();
    let open = async |durability| {
        let opened = PostgresStore::open(&address, durability, Clock::system()).await;
        opened.unwrap()
    };
    let store = open(Durability::Required).await;
    let careless = open(Durability::LossAccepted).await;
    accept(&store, event(vec![group(1, vec![waiting(0, 0, "u1")])])).await;
    let mut number = 10;
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        server
            .run(&format!("ALTER SYSTEM SET {setting} = off"))
            .await;
        server.run("SELECT pg_reload_conf()").await;
        let said = format!("`{setting}` off");
        until_it_says(&store, number, Some(&said)).await;
        // Also while nobody sends anything.
        until_ready(&store, false).await;
        let refused = store.is_writable().unwrap_err().to_string();
        assert!(refused.contains("accept_data_loss"), "{refused}");
        accept(
            &careless,
            event(vec![group(number + 1, vec![waiting(0, 0, "u1")])]),
        )
        .await;

        server.run(&format!("ALTER SYSTEM RESET {setting}")).await;
        server.run("SELECT pg_reload_conf()").await;
        until_it_says(&store, number + 2, None).await;
        until_ready(&store, true).await;
        number += 10;
    }
}

#[tokio::test]
async fn a_setting_that_comes_with_the_connection_is_seen_on_the_next_one() {
    let Some(database) = Database::new().await else {
        return;
    };
    let store = database.open().await;
    accept(&store, event(vec![group(1, vec![waiting(0, 0, "u1")])])).await;
    let name = &database.name;
    let off = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    database.server.run(&off).await;
    cut(&database).await;
    until_it_says(&store, 2, Some("`synchronous_commit` off")).await;
    until_ready(&store, false).await;
    let on = format!("ALTER DATABASE {name} RESET synchronous_commit");
    database.server.run(&on).await;
    // By looking alone, since a gateway that is not ready is sent nothing.
    until_ready(&store, true).await;
    until_it_says(&store, 3, None).await;
}

#[tokio::test]
async fn a_server_that_was_made_read_only_is_not_used_until_it_can_be_written_to() {
    let Some(database) = Database::new().await else {
        return;
    };
    let store = database.open().await;
    accept(&store, event(vec![group(1, vec![waiting(0, 0, "u1")])])).await;
    let name = &database.name;
    let made =
        |value: &str| format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    database.server.run(&made("on")).await;
    cut(&database).await;
    until_it_says(&store, 2, Some("it is a standby, or read-only")).await;
    until_ready(&store, false).await;
    let address = database.address();
    let opened = PostgresStore::open(&address, Durability::Required, Clock::system()).await;
    let refused = opened.unwrap_err();
    assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused}");
    assert!(refused.to_string().contains("promote it"), "{refused}");

    database.server.run(&made("off")).await;
    until_ready(&store, true).await;
    until_it_says(&store, 3, None).await;
}
