//! A person is erased through the command line, with a receipt, and does not come back.

use serde_json::{Value, json};

use quentli_gateway::sandbox::{Action, Fault};

use crate::{World, looking::Described, support::until};

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
    let removed = json!({"events": 1, "deliveries": 0, "history": 1, "attempts": 1, "observed": 0, "bodies": 1, "applied": 1, "refused": 0});
    assert_eq!(
        (&receipt["dry_run"], &receipt["removed"]),
        (&json!(true), &removed)
    );
    let (is_fine, receipt) = erase(&world, &[&who[..], &["--yes"]].concat());
    assert!(is_fine);
    let described = Described::of(&world.gateway).await;
    described.check("EraseReceipt", &receipt);
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
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    let acts = audit["audit"].as_array().unwrap();
    let erased = acts.last().unwrap();
    assert_eq!(
        (&erased["act"], &erased["by"], &erased["count"]),
        (&json!("erase"), &json!("Eva"), &json!(4)),
        "rows and bodies: {audit:#}"
    );
    let what = [
        ("organisation", "default"),
        ("customer", &world.customer),
        ("identifiers", "0"),
    ];
    let what = what.map(|(name, value)| json!({"name": name, "value": value}));
    assert_eq!(erased["what"], json!(what));
    world.end().await;
}

/// Both by the identifier, which nothing stored tells yet, and by the name in the event.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_on_its_way_leaves_nothing_of_an_erased_customer_behind() {
    for more in [&[][..], &["--username", "ana"]] {
        let world = World::new().await;
        let slow = Action::Slow { milliseconds: 1500 };
        world
            .sandbox
            .fault(Fault::always(slow).on_method("PATCH"))
            .unwrap();
        let url = world.gateway.url();
        let body =
            json!({"type": "contact.updated", "contact": {"username": "ana", "name": "Ana Luna"}});
        let sent = world.school.send(&url, "1", body.to_string()).await;
        assert_eq!(sent.unwrap().status, 200);
        until("the change to be on its way", async || {
            let sent = world.names_sent();
            if sent.is_empty() { Err(sent) } else { Ok(()) }
        })
        .await;
        let who = [&["--customer", world.customer.as_str()][..], more].concat();
        let (is_fine, receipt) = erase(&world, &[&who[..], &["--yes"]].concat());
        assert!(is_fine);
        assert_eq!(receipt["removed"]["deliveries"], more.len() / 2, "{more:?}");
        let totals = world.gateway.settled().await;
        until("the attempt to end", async || {
            let status = world.gateway.status().await;
            let in_flight = status["organisations"]["default"]["in_flight"].clone();
            if in_flight == 0 { Ok(()) } else { Err(status) }
        })
        .await;
        assert_eq!(
            (&totals["ended"]["erased"], &totals["ended"]["delivered"]),
            (&json!(1), &json!(0)),
            "{more:?}"
        );
        let id = ["--customer", world.customer.as_str()];
        let (_, receipt) = erase(&world, &id);
        let left = receipt["removed"].as_object().unwrap();
        assert!(left.values().all(|count| count == 0), "{more:?}: {left:?}");

        // News of the person is news.
        world.sandbox.lift_faults();
        let body =
            json!({"type": "contact.updated", "contact": {"username": "ana", "name": "Ana Sol"}});
        let sent = world.school.send(&url, "2", body.to_string()).await;
        assert_eq!(sent.unwrap().status, 200);
        assert_eq!(world.gateway.settled().await["ended"]["delivered"], 1);
        world.end().await;
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn that_an_identifier_is_too_short_for_bodies_is_told() {
    let world = World::new().await;
    let admin = world.gateway.admin_listen.to_string();
    for (name, is_told) in [("eva", true), ("evas", false)] {
        let output = world.setup.run(&[
            "erase",
            "--customer",
            "cus_1",
            "--username",
            name,
            "--admin-listen",
            &admin,
        ]);
        let messages = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            messages.contains("1 identifier has less than four characters"),
            is_told,
            "{messages}"
        );
    }
    world.end().await;
}
