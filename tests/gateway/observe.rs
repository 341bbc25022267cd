//! A source that only observes: it receives, maps and shows, and sends nothing.

use quentli_gateway::sandbox::{Action, Fault};
use serde_json::json;

use crate::{World, support::school::SOURCE_FILE};

fn observing() -> String {
    SOURCE_FILE.replace("otherwise: drop", "mode: observe\notherwise: drop")
}

async fn send(world: &World, id: &str, body: serde_json::Value) -> String {
    let url = world.gateway.url();
    let answer = world.school.send(&url, id, body.to_string()).await.unwrap();
    assert_eq!(answer.status, 200);
    answer.stored().unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_observes_sends_nothing_and_a_reload_makes_it_live() {
    let world = World::with(|setup| setup.source("school", &observing())).await;
    let contact = |name: &str| json!({"quentliId": world.customer, "name": name});
    let changed = |name: &str| json!({"type": "contact.updated", "contact": contact(name)});
    assert_eq!(send(&world, "1", changed("A")).await, "accepted");
    assert_eq!(send(&world, "1", changed("A")).await, "duplicate");
    assert_eq!(
        send(&world, "2", json!({"type": "other"})).await,
        "accepted"
    );
    let nobody = json!({"type": "contact.updated", "contact": {"name": "B"}});
    assert_eq!(send(&world, "3", nobody).await, "accepted");

    let status = world.gateway.status().await;
    let totals = &status["store"]["totals"];
    assert_eq!(totals["ended"]["dropped"], 2, "{totals}");
    assert_eq!(
        (&totals["waiting"], &totals["dead"]),
        (&json!(0), &json!(1)),
        "{totals}"
    );
    assert_eq!(status["sources"][0]["mode"], "observe");
    let warnings = status["reload"]["sources"]["warnings"].to_string();
    assert!(warnings.contains("only observes"), "{warnings}");
    world.gateway.logged("only observes").await;
    let metric = "quentli_gateway_source_observes{source=\"school\"} 1";
    assert!(world.gateway.metrics().await.contains(metric));

    std::fs::write(world.setup.source_path("school"), SOURCE_FILE).unwrap();
    assert_eq!(world.gateway.reload().await.0, 200);
    assert_eq!(world.gateway.status().await["sources"][0]["mode"], "live");
    assert!(!world.gateway.metrics().await.contains("source_observes{"));
    // What would have been sent is still shown, although the file is another one now.
    let (_, event) = world.gateway.admin("GET", "/api/v1/events/1").await;
    let shown = &event["shown"][0];
    assert_eq!(shown["reason"], "observed", "{event}");
    assert_eq!(shown["update"][0]["mask"], "text of 1 character");
    // What was observed is known, and stays unsent until somebody wants it sent.
    assert_eq!(send(&world, "1", changed("A")).await, "duplicate");
    assert_eq!(send(&world, "4", changed("C")).await, "accepted");
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["C"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dead_is_not_sent_again_while_its_source_observes() {
    let world = World::with(|setup| setup.source("school", SOURCE_FILE)).await;
    let refuse = Action::Status {
        status: 422,
        retry_after: None,
        message: None,
    };
    let once = Fault::once(refuse).on_method("PATCH");
    world.sandbox.fault(once).unwrap();
    let contact = json!({"quentliId": world.customer, "name": "A"});
    let changed = json!({"type": "contact.updated", "contact": contact});
    assert_eq!(send(&world, "1", changed).await, "accepted");
    world.gateway.settled().await;
    std::fs::write(world.setup.source_path("school"), observing()).unwrap();
    assert_eq!(world.gateway.reload().await.0, 200);
    let admin = world.gateway.admin_listen.to_string();
    let again = |more: &[&str]| {
        let first = ["redeliver", "--admin-listen", &admin, "--source", "school"];
        let output = world.setup.run(&[&first[..], more].concat());
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).into_owned()
    };
    for more in [&["--dry-run"][..], &["--yes"]] {
        let shown = again(more);
        assert!(shown.contains("their source only observes"), "{shown}");
    }
    assert_eq!(world.gateway.status().await["store"]["totals"]["dead"], 1);
    assert_eq!(world.names_sent(), ["A"], "once, and refused");
    std::fs::write(world.setup.source_path("school"), SOURCE_FILE).unwrap();
    assert_eq!(world.gateway.reload().await.0, 200);
    again(&["--yes"]);
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["A", "A"]);
    world.end().await;
}

fn redeliver(world: &World, more: &[&str]) -> (Option<i32>, String, String) {
    let admin = world.gateway.admin_listen.to_string();
    let first = ["redeliver", "--admin-listen", &admin, "--observed"];
    let output = world.setup.run(&[&first[..], more].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_observed_is_sent_when_somebody_wants_it_and_never_over_newer_data() {
    let world = World::with(|setup| setup.source("school", &observing())).await;
    let other = world.sandbox.add(&json!({"username": "eva"})).unwrap();
    let named = |customer: &str, name: &str| json!({"type": "contact.updated", "contact": {"quentliId": customer, "name": name}});
    send(&world, "1", named(&world.customer, "A")).await;
    send(&world, "2", named(&other, "B")).await;
    let by_name = json!({"type": "contact.updated", "contact": {"username": "eva", "name": "C"}});
    send(&world, "3", by_name).await;
    let all = ["--source", "school"];
    let (code, _, messages) = redeliver(&world, &all);
    assert_eq!(code, Some(1));
    assert!(messages.contains("take `mode: observe` out"), "{messages}");

    std::fs::write(world.setup.source_path("school"), SOURCE_FILE).unwrap();
    assert_eq!(world.gateway.reload().await.0, 200);
    send(&world, "4", named(&world.customer, "D")).await;
    world.gateway.settled().await;
    let (code, counts, _) = redeliver(&world, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(counts, @"
    3  found
          2  to be sent
          1  with nothing left to send, since something newer was applied; `--overwrite` sends them all the same
    ");
    assert_eq!(world.names_sent(), ["D"], "nothing was changed");
    let (code, done, messages) = redeliver(&world, &all);
    assert_eq!(
        (code, &*done),
        (Some(0), "3 put on their way"),
        "{messages}"
    );
    let totals = world.gateway.settled().await;
    let ended = &totals["ended"];
    assert_eq!(
        (&ended["dropped"], &ended["stale"], &totals["created"]),
        (&json!(0), &json!(1), &json!(4)),
        "{totals}"
    );
    assert_eq!(world.sandbox.customer(&other).unwrap()["name"], "C");
    assert_eq!(
        world.sandbox.customer(&world.customer).unwrap()["name"],
        "D"
    );
    let (code, _, messages) = redeliver(&world, &all);
    assert_eq!(code, Some(0));
    assert!(messages.contains("nothing is left"), "{messages}");
    for more in [&[][..], &["--source", "school", "--remap"], &["7"]] {
        assert_eq!(redeliver(&world, more).0, Some(64), "{more:?}");
    }
    let (_, log) = world
        .gateway
        .admin("GET", "/api/v1/audit?act=redeliver")
        .await;
    assert_eq!(log["audit"][0]["what"][1]["name"], "observed", "{log}");
    world.end().await;
}
