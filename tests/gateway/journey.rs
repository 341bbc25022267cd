//! From an accepted event to its end.

use quentli_gateway::sandbox::{Action, Fault, Keys, RetryAfter};
use serde_json::json;

use crate::{
    World,
    support::{school::event_of, until},
};

/// Deliveries that Quentli has, by themselves or merged into a later one.
fn through(totals: &serde_json::Value) -> u64 {
    let ended = |end: &str| totals["ended"][end].as_u64().unwrap();
    ended("delivered") + ended("superseded")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_event_becomes_a_patch_and_its_repetition_nothing_also_after_a_restart() {
    let world = World::new().await;
    let body = json!({"type": "contact.updated", "contact": {
        "username": "ana", "name": "Ana Luna", "email": " Ana@Example.MX ", "phone": "55 1234 5678"}});
    let url = world.gateway.url();
    let first = world
        .school
        .send(&url, "1", body.to_string())
        .await
        .unwrap();
    assert_eq!(
        (first.status, first.stored().unwrap().status.as_str()),
        (200, "accepted")
    );
    world.gateway.settled().await;
    let customer = world.sandbox.customer(&world.customer).unwrap();
    assert_eq!(customer["name"], "Ana Luna");
    assert_eq!(customer["email"], "Ana@example.mx".to_lowercase());
    assert_eq!(customer["phoneNumber"], "+525512345678");

    let world = world.restart();
    let again = world
        .school
        .send(&world.gateway.url(), "1", body.to_string())
        .await
        .unwrap();
    assert_eq!(
        (again.status, again.stored().unwrap().status.as_str()),
        (200, "duplicate")
    );
    assert_eq!(
        event_of(&again),
        event_of(&first),
        "the answer names the first one"
    );
    let totals = world.gateway.settled().await;
    assert_eq!(
        (&totals["duplicate"], &totals["ended"]["delivered"]),
        (&json!(1), &json!(1)),
        "{totals}"
    );
    assert_eq!(world.names_sent(), ["Ana Luna"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_values_under_another_number_are_not_sent_again_also_after_a_restart() {
    let world = World::new().await;
    let rename = async |world: &World, id: &str, name: &str| {
        let answer = world
            .school
            .rename(&world.gateway.url(), id, &world.customer, name)
            .await
            .unwrap();
        assert_eq!(answer.status, 200);
        world.gateway.settled().await
    };
    rename(&world, "1", "A").await;
    let totals = rename(&world, "2", "A").await;
    assert_eq!(
        (&totals["ended"]["delivered"], &totals["ended"]["unchanged"]),
        (&json!(1), &json!(1))
    );
    let world = world.restart();
    let totals = rename(&world, "3", "A").await;
    assert_eq!(totals["ended"]["unchanged"], 2, "{totals}");
    // A, B, A is three changes, not a repetition.
    rename(&world, "4", "B").await;
    rename(&world, "5", "A").await;
    assert_eq!(world.names_sent(), ["A", "B", "A"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_applied_is_never_taken_for_unchanged() {
    let world = World::new().await;
    let rename = async |id: &str, name: &str| {
        let answer = world
            .school
            .rename(&world.gateway.url(), id, &world.customer, name)
            .await
            .unwrap();
        assert_eq!(answer.status, 200);
    };
    rename("1", "A").await;
    world.gateway.settled().await;
    // B is applied, but nobody is told; then it is refused for good. Quentli holds B, so A must be sent.
    world
        .sandbox
        .fault(Fault::once(Action::CutAfter).on_method("PATCH"))
        .unwrap();
    let refuse = Action::Status {
        status: 400,
        retry_after: None,
        message: None,
    };
    world
        .sandbox
        .fault(Fault::once(refuse).on_method("PATCH"))
        .unwrap();
    rename("2", "B").await;
    let totals = world.gateway.settled().await;
    assert_eq!(totals["dead"], 1, "{totals}");
    rename("3", "A").await;
    world.gateway.settled().await;
    assert_eq!(
        world.sandbox.customer(&world.customer).unwrap()["name"],
        "A"
    );
    assert_eq!(world.names_sent(), ["A", "B", "B", "A"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_that_passes_is_retried_in_order_and_retry_after_is_kept() {
    let world = World::new().await;
    let slow_down = Action::Status {
        status: 429,
        retry_after: Some(RetryAfter::Seconds(2)),
        message: None,
    };
    world
        .sandbox
        .fault(Fault::once(slow_down).on_method("PATCH"))
        .unwrap();
    world
        .sandbox
        .fault(Fault::once(Action::CutBefore).on_method("PATCH"))
        .unwrap();
    for number in 1..=3 {
        let number = number.to_string();
        let url = world.gateway.url();
        let sent = world
            .school
            .rename(&url, &number, &world.customer, &number)
            .await;
        assert_eq!(sent.unwrap().status, 200);
    }
    let totals = world.gateway.settled().await;
    assert_eq!(through(&totals), 3, "{totals}");
    let sent = world.names_sent();
    assert!(sent.len() > 2 && sent.is_sorted(), "{sent:?}");
    assert_eq!(sent.last().unwrap(), "3");
    let exchanges = world.sandbox.exchanges();
    let changes: Vec<_> = exchanges
        .iter()
        .filter(|exchange| exchange.method == "PATCH")
        .collect();
    let waited = changes[1].at.duration_since(changes[0].at).as_secs_f64();
    assert!(waited >= 2.0, "the second attempt came after {waited} s");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_keeps_everything_and_a_good_one_lets_it_go() {
    let world = World::new().await;
    world.sandbox.set_keys(Keys::Only {
        accepted: vec!["sk_another".to_owned()],
        forbidden: Vec::new(),
    });
    for number in 1..=3 {
        let number = number.to_string();
        let url = world.gateway.url();
        let sent = world
            .school
            .rename(&url, &number, &world.customer, &number)
            .await;
        assert_eq!(sent.unwrap().status, 200);
    }
    until("the organisation to be paused", async || {
        let organisation = world.gateway.status().await["organisations"]["default"].clone();
        let paused = organisation["state"] == "paused" && organisation["reason"] == "key-refused";
        if paused { Ok(()) } else { Err(organisation) }
    })
    .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = client
        .get(format!("{}ready", world.gateway.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(
        ready.status(),
        200,
        "Quentli's trouble does not take the gateway out of a balancer"
    );
    let loud = world.gateway.logged("ERROR").await;
    assert_eq!(loud.len(), 1, "said once: {loud:#?}");

    world.sandbox.set_keys(Keys::Any);
    let world = world.restart();
    let totals = world.gateway.settled().await;
    assert_eq!(
        (through(&totals), &totals["dead"]),
        (3, &json!(0)),
        "{totals}"
    );
    assert_eq!(
        world.sandbox.customer(&world.customer).unwrap()["name"],
        "3"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_request_is_stored_and_acknowledged_whatever_it_says() {
    let world = World::new().await;
    let url = world.gateway.url();
    let bodies: [&[u8]; 6] = [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"{\"type\":\"contact.updated\",\"contact\":{\"quentliId\":\"cus_1\",\"phone\":\"none\"}}",
        b"{\"type\":\"contact.updated\",\"contact\":{\"name\":\"nobody\"}}",
        b"[[[[[[[[[[",
    ];
    for (number, body) in bodies.iter().enumerate() {
        let answer = world
            .school
            .send(&url, &number.to_string(), body.to_vec())
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{body:?}: {answer:?}");
    }
    let totals = world.gateway.settled().await;
    assert_eq!(
        (&totals["accepted"], &totals["dead"]),
        (&json!(6), &json!(6)),
        "{totals}"
    );
    assert!(world.sandbox.exchanges().is_empty(), "nothing was sent");
    let metrics = world.gateway.metrics().await;
    let line = "quentli_gateway_deliveries_buried_total{source=\"school\",reason=\"mapping\"} 6";
    assert!(metrics.contains(line), "{metrics}");
    let dead = world.gateway.status().await["dead"].clone();
    let reasons: Vec<_> = dead
        .as_array()
        .unwrap()
        .iter()
        .map(|dead| dead["reason"].clone())
        .collect();
    let unmapped = json!("mapping");
    assert_eq!(reasons.len(), 6, "{dead}");
    assert_eq!(
        reasons.iter().filter(|reason| **reason == unmapped).count(),
        5,
        "{dead}"
    );
    assert!(reasons.contains(&json!("no-customer-reference")), "{dead}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_customers_trouble_does_not_hold_another() {
    let world = World::new().await;
    let other = world
        .sandbox
        .add(&json!({"name": "0", "username": "other"}))
        .unwrap();
    let broken = Action::Status {
        status: 500,
        retry_after: None,
        message: None,
    };
    world
        .sandbox
        .fault(Fault::always(broken).on_customer(&world.customer))
        .unwrap();
    let url = world.gateway.url();
    for number in 1..=3 {
        let id = format!("a{number}");
        world
            .school
            .rename(&url, &id, &world.customer, &id)
            .await
            .unwrap();
    }
    for number in 1..=3 {
        let id = format!("b{number}");
        world.school.rename(&url, &id, &other, &id).await.unwrap();
    }
    until("the other customer to be through", async || {
        let name = world.sandbox.customer(&other).unwrap()["name"].clone();
        if name == "b3" { Ok(()) } else { Err(name) }
    })
    .await;
    let totals = world.gateway.status().await["store"]["totals"].clone();
    assert_eq!(
        (&totals["waiting"], through(&totals)),
        (&json!(3), 3),
        "{totals}"
    );
    world.sandbox.lift_faults();
    world.gateway.settled().await;
    assert_eq!(
        world.sandbox.customer(&world.customer).unwrap()["name"],
        "a3"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_senders_at_once_make_one_delivery_of_each_event() {
    let world = World::new().await;
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (school, url, customer) = (
            world.school.clone(),
            world.gateway.url(),
            world.customer.clone(),
        );
        senders.spawn(async move {
            for number in 0..20 {
                let id = format!("n{number}");
                let answer = school.rename(&url, &id, &customer, &id).await.unwrap();
                assert_eq!(answer.status, 200);
            }
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended.unwrap();
    }
    let totals = world.gateway.settled().await;
    assert_eq!(
        (&totals["accepted"], &totals["duplicate"]),
        (&json!(20), &json!(140)),
        "{totals}"
    );
    assert_eq!(totals["created"], 20, "{totals}");
    world.end().await;
}
