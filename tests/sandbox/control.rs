//! The sandbox as a program on its own: everything by HTTP.

use quentli_gateway::sandbox::{End, Settings};
use serde_json::{Value, json};

use crate::support::{KEY, World};

#[tokio::test]
async fn customers_are_added_and_shown_by_http() {
    let world = World::new().await;
    let body = json!([{"username": "A-1", "tags": ["x"]}, {"id": "cus_own", "name": "Own"}]);
    let (status, answer) = world
        .api("POST", "/sandbox/customers", &body.to_string())
        .await;
    assert_eq!((status, &answer["ids"][1]), (200, &json!("cus_own")));
    let (_, customers) = world
        .api("GET", "/sandbox/customers?skip=0&take=1", "")
        .await;
    assert_eq!(customers.as_array().unwrap().len(), 1);
    assert_eq!(customers[0]["tags"], json!(["x"]));
    for refused in [r#"{"username":"A-1"}"#, r#"{"usrname":"x"}"#, "7", "x"] {
        let (status, answer) = world.api("POST", "/sandbox/customers", refused).await;
        assert_eq!(status, 400, "{refused}");
        assert!(answer["error"]["message"].is_string(), "{answer}");
    }
    assert_eq!(world.sandbox.customer_count(), 2);
    assert!(world.sandbox.exchanges().is_empty(), "only /v1 is recorded");
}

#[tokio::test]
async fn faults_are_ordered_and_lifted_by_http() {
    let world = World::new().await;
    let id = world.customer("A-1");
    let order = r#"{"action":{"status":{"status":429,"retryAfter":{"seconds":2},"message":"slow down"}},"times":"untilLifted"}"#;
    let (status, orders) = world.api("POST", "/sandbox/faults", order).await;
    assert_eq!(status, 200);
    let written: Value = serde_json::from_str(order).unwrap();
    assert_eq!(orders[0]["action"], written["action"]);
    let error = world.client.get(&id).await.unwrap_err();
    assert_eq!(error.message.as_deref(), Some("slow down"));
    assert_eq!(
        world.request("DELETE", "/sandbox/faults", &[], "").await.0,
        204
    );
    world.client.get(&id).await.unwrap();
    for refused in [
        r#"{"action":{"status":{"status":200}}}"#,
        r#"{"action":"boom"}"#,
    ] {
        let (status, answer) = world.api("POST", "/sandbox/faults", refused).await;
        assert_eq!(status, 400, "{answer}");
    }
    assert_eq!(world.api("GET", "/sandbox/faults", "").await.1, json!([]));
}

#[tokio::test]
async fn requests_are_shown_by_http_without_the_key() {
    let world = World::new().await;
    let id = world.customer("A-1");
    world.client.get(&id).await.unwrap();
    world.client.probe().await.unwrap();
    let (_, requests) = world.api("GET", "/sandbox/requests?last=1", "").await;
    assert_eq!(requests.as_array().unwrap().len(), 1);
    assert_eq!(requests[0]["query"], "take=1");
    assert_eq!(requests[0]["response"][0]["id"], id.as_str());
    assert!(!requests.to_string().contains(KEY));
    assert_eq!(
        world
            .request("DELETE", "/sandbox/requests", &[], "")
            .await
            .0,
        204
    );
    assert!(world.sandbox.exchanges().is_empty());
}

#[tokio::test]
async fn the_page_shows_customers_and_requests_and_runs_no_script() {
    let world = World::new().await;
    world
        .sandbox
        .add(&json!({"username": "<b>A-1</b>", "name": "Ana"}))
        .unwrap();
    world.client.probe().await.unwrap();
    let (status, page) = world.request("GET", "/", &[], "").await;
    assert_eq!(status, 200);
    assert!(page.contains("&lt;b&gt;A-1&lt;/b&gt;") && page.contains("GET /v1/customers?take=1"));
    assert!(!page.contains("<b>") && !page.contains("<script") && !page.contains(KEY));
}

#[tokio::test]
async fn the_number_of_remembered_requests_is_bounded() {
    let world = World::with(Settings {
        max_exchanges: 3,
        ..Settings::default()
    })
    .await;
    for _ in 0..5 {
        world.client.probe().await.unwrap();
    }
    let exchanges = world.sandbox.exchanges();
    let numbers: Vec<u64> = exchanges.iter().map(|exchange| exchange.number).collect();
    assert_eq!(numbers, [2, 3, 4]);
    assert!(
        exchanges
            .iter()
            .all(|exchange| exchange.end == End::Answered(200))
    );
}
