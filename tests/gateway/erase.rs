//! A person is erased through the command line, with a receipt, and does not come back.

use serde_json::{Value, json};

use crate::World;

fn erase(world: &World, more: &[&str]) -> (bool, Value) {
    let admin = world.gateway.admin_listen.to_string();
    let mut arguments = vec![
        "erase",
        "--admin-listen",
        &admin,
        "--by",
        "Eva",
        "--format",
        "json",
    ];
    arguments.extend_from_slice(more);
    let output = world.setup.run(&arguments);
    let receipt = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.success(), receipt)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_counted_erased_and_written_down_and_does_not_come_back() {
    let world = World::new().await;
    let url = world.gateway.url();
    let first = world
        .school
        .rename(&url, "1", &world.customer, "Ana Luna")
        .await
        .unwrap();
    assert_eq!(first.status, 200);
    let other = world
        .school
        .rename(&url, "2", "cus_of_somebody_else", "Luis Sol")
        .await
        .unwrap();
    assert_eq!(other.status, 200);
    world.gateway.settled().await;

    let who = ["--customer", world.customer.as_str()];
    let (is_fine, receipt) = erase(&world, &who);
    assert!(is_fine);
    let removed = json!({"events": 1, "deliveries": 0, "history": 1, "attempts": 1, "observed": 0, "bodies": 1, "applied": 1});
    assert_eq!(
        (&receipt["dry_run"], &receipt["removed"]),
        (&json!(true), &removed)
    );
    let (is_fine, receipt) = erase(&world, &[&who[..], &["--yes"]].concat());
    assert!(is_fine);
    assert_eq!(
        (&receipt["dry_run"], &receipt["removed"]),
        (&json!(false), &removed)
    );
    assert_eq!(
        (&receipt["customer"], &receipt["by"]),
        (&json!(world.customer), &json!("Eva"))
    );
    let (_, receipt) = erase(&world, &[&who[..], &["--yes"]].concat());
    assert_eq!(receipt["removed"]["events"], 0);

    let again = world
        .school
        .rename(&url, "1", &world.customer, "Ana Luna")
        .await
        .unwrap();
    assert_eq!(again.stored().unwrap().status, "duplicate");
    let audit = world.setup.run(&[
        "audit",
        "--admin-listen",
        &world.gateway.admin_listen.to_string(),
        "--format",
        "json",
    ]);
    let audit = String::from_utf8(audit.stdout).unwrap();
    assert!(
        audit.contains("\"erase\"") && audit.contains("Eva"),
        "{audit}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_erased_by_nothing_and_an_unknown_organisation_is_told() {
    let world = World::new().await;
    for (more, expected) in [
        (&[][..], Some(64)),
        (&["--customer", "a b"], Some(1)),
        (&["--username", " "], Some(1)),
        (
            &["--customer", "cus_1", "--organisation", "nowhere"],
            Some(1),
        ),
    ] {
        let admin = world.gateway.admin_listen.to_string();
        let arguments = [&["erase", "--yes", "--admin-listen", &admin][..], more].concat();
        let output = world.setup.run(&arguments);
        assert_eq!(output.status.code(), expected, "{more:?}: {output:?}");
    }
    world.end().await;
}
