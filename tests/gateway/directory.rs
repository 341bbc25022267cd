//! Customers found by metadata, from the source file to Quentli and the operators' port.

use serde_json::json;

use crate::{World, support::school::SOURCE_FILE};

fn by_folio() -> String {
    SOURCE_FILE
        .replace(
            "find: [{username: contact.username}]",
            "find: [{metadata.Folio de beca: contact.folio}]",
        )
        .replace(
            "quentliId: cus_1, username: u,",
            "quentliId: cus_1, folio: F-1,",
        )
}

async fn send(world: &World, id: &str, folio: &str, name: &str) {
    let contact = json!({"folio": folio, "name": name});
    let body = json!({"type": "contact.updated", "contact": contact}).to_string();
    let answer = world.school.send(&world.gateway.url(), id, body).await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_loaded_while_the_gateway_runs_has_the_list_read_and_its_customers_found() {
    let world = World::new().await;
    let folio = json!([{"key": "Folio de beca", "value": "012442024"}]);
    let eva = json!({"username": "eva", "metadata": folio});
    let eva = world.sandbox.add(&eva).unwrap();
    let before = world.gateway.status().await;
    let organisation = &before["organisations"]["default"];
    assert_eq!(organisation.get("directory"), None, "{organisation}");

    let file = world.setup.source_path("school");
    std::fs::write(file, by_folio()).unwrap();
    let (status, report) = world.gateway.reload().await;
    assert_eq!(status, 200, "{report}");
    send(&world, "1", "012442024", "Eva").await;
    let totals = world.gateway.settled().await;
    assert_eq!(totals["ended"]["delivered"], 1, "{totals}");
    assert_eq!(world.sandbox.customer(&eva).unwrap()["name"], "Eva");

    let status = world.gateway.status().await;
    let directory = &status["organisations"]["default"]["directory"];
    let figures = json!([
        directory["state"],
        directory["keys"],
        directory["entries"],
        directory["ambiguous"],
        directory["waiting"]
    ]);
    assert_eq!(figures, json!(["ready", 1, 1, 0, 0]), "{directory}");
    assert!(directory["complete"].is_string(), "{directory}");
    let metrics = world.gateway.metrics().await;
    for line in [
        r#"directory_state{organisation="default",state="ready"} 1"#,
        r#"directory_entries{organisation="default"} 1"#,
        r#"directory_customers_read_total{organisation="default"} 2"#,
    ] {
        assert!(metrics.contains(line), "{line}:\n{metrics}");
    }
    let log = world.gateway.log().join("\n");
    assert!(log.contains("the list of customers was read"), "{log}");
    assert!(!log.contains("012442024"), "{log}");
    world.end().await;
}
