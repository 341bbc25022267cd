//! A source that only observes: it receives, maps and shows, and sends nothing.

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
    // What was observed is known, and stays unsent.
    assert_eq!(send(&world, "1", changed("A")).await, "duplicate");
    assert_eq!(send(&world, "4", changed("C")).await, "accepted");
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["C"]);
    world.end().await;
}
