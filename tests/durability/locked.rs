//! A database that another program holds.

use crate::{
    database, setup, stored_names,
    support::{school::School, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn while_another_program_holds_the_database_events_are_refused_not_lost() {
    let setup = setup();
    let school = School::new();
    let gateway = setup.start();
    let send = async |name: &str| {
        school
            .rename(&gateway.url(), name, "cus_1", name)
            .await
            .unwrap()
    };
    assert_eq!(send("before").await.status, 200);

    let other = rusqlite::Connection::open(database(setup.data())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = send("during").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(
        answer.body.contains("/problems/store-unavailable"),
        "{answer:?}"
    );
    other.execute_batch("COMMIT").unwrap();

    until("the gateway to store again", async || {
        let answer = send("during").await;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(answer)
        }
    })
    .await;
    gateway.kill();
    let stored = stored_names(setup.data());
    assert!(
        stored.contains("before") && stored.contains("during"),
        "{stored:?}"
    );
}
