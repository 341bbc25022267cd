//! What changes at a server while a gateway runs.

use std::time::Duration;

use jiff::SignedDuration;

use super::{
    super::{Durability, OpenError, PostgresAddress, PostgresStore, applied, session::Session},
    Database,
    server::{Server, client},
};
use crate::{
    clock::Clock,
    customer::PartKey,
    event::End,
    store::{
        AppliedPart, LeaseName, Leases as _, Store, StoreError, Word,
        contract::samples::{
            accept, accept_one, customer, event, finish, group, organisation, source, time, waiting,
        },
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
async fn nothing_is_claimed_after_a_failover_while_a_request_may_be_on_its_way() {
    let Some(database) = Database::new().await else {
        return;
    };
    let clock = Clock::manual(time(0));
    let store = PostgresStore::open(&database.address(), Durability::Required, clock.clone())
        .await
        .unwrap();
    let lasts = Duration::from_secs(30);
    let name = LeaseName::Organisation(organisation());
    let claim = async || {
        let by = "test".parse().unwrap();
        store.claim(&name, &by, lasts).await.unwrap()
    };
    assert_eq!(claim().await.map(|claim| claim.epoch), Some(1));
    store.held.lose();
    let renewed = store.renew(&name, lasts, Word::default()).await;
    assert!(
        matches!(renewed, Err(StoreError::NotHeld { .. })),
        "{renewed:?}"
    );
    clock.advance(Duration::from_millis(14_999));
    assert_eq!(claim().await, None);
    clock.advance(Duration::from_millis(1));
    assert_eq!(claim().await.map(|claim| claim.epoch), Some(2));
}

#[tokio::test]
async fn what_was_confirmed_before_a_failover_is_in_doubt_and_what_is_confirmed_later_is_not() {
    let Some(database) = Database::new().await else {
        return;
    };
    let store = database.holder().await;
    let name = PartKey::Metadata("grade".into());
    let confirm = async |number, at| {
        let accepted = accept_one(&store, number, "u1").await;
        let mut finish = finish(accepted, End::Delivered);
        finish.customer = Some(customer("cus_1"));
        finish.confirmed = vec![AppliedPart {
            part: name.clone(),
            value: [7; 16],
            is_in_doubt: false,
            source: source("crm"),
            at,
            pos: accepted,
            versions: Vec::new(),
        }];
        assert!(store.finish(&organisation(), finish).await.unwrap());
    };
    let doubted = async || {
        let known = store.applied(&organisation(), &customer("cus_1")).await;
        known.unwrap().first().map(|part| part.is_in_doubt)
    };
    let now = Clock::system().now();
    confirm(1, now).await;
    assert_eq!(doubted().await, Some(false));
    let later = now + SignedDuration::from_hours(1);
    let session = Session::new(store.pools.watching.get().await.unwrap());
    applied::disbelieve(&session, later).await.unwrap();
    drop(session);
    assert_eq!(doubted().await, Some(true));
    confirm(2, later).await;
    assert_eq!(doubted().await, Some(false));
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
