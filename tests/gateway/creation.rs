//! A mapping that creates customers, from the signed event to Quentli.

use serde_json::{Value, json};

use crate::{World, support::school::SOURCE_FILE};

/// Guardians of a family, who are created where Quentli does not have them.
const RULES: &str = r#"otherwise: drop
rules:
  - name: guardians
    when: type == 'family.updated'
    each: guardians[]
    customer:
      find:
        - username: concat('tut-', id)
      on_missing: create
      create:
        skipTaxInvoice: true
        metadata: {origin: "'school'"}
    set:
      name: name
      phoneNumber: phone | phone
      replyWithAssistant: assistant | bool
tests:
  - name: a new guardian
    event: {type: family.updated, guardians: [{id: G-7, name: Ana, phone: "55 1234 5678", assistant: "no"}]}
    expect:
      - create:
          username: tut-G-7
          name: Ana
          phoneNumber: "+525512345678"
          skipTaxInvoice: true
          replyWithAssistant: false
          metadata: [{key: origin, value: school}]
  - name: a guardian who is there
    found: {username=tut-G-7: cus_7}
    event: {type: family.updated, guardians: [{id: G-7, name: Ana}]}
    expect: [{customer: cus_7, patch: {name: Ana}}]
"#;

async fn world() -> World {
    let (head, _) = SOURCE_FILE.split_once("otherwise:").unwrap();
    World::with(|setup| setup.source("school", &format!("{head}{RULES}"))).await
}

async fn send(world: &World, id: &str, guardians: &[Value]) {
    let body = json!({"type": "family.updated", "guardians": guardians}).to_string();
    let answer = world.school.send(&world.gateway.url(), id, body).await;
    assert_eq!(answer.unwrap().status, 200);
}

/// What was sent to change and create, in order.
fn sent(world: &World) -> Vec<(String, Value)> {
    let exchanges = world.sandbox.exchanges().into_iter();
    exchanges
        .filter(|exchange| exchange.method != "GET")
        .map(|exchange| {
            let body: Value = serde_json::from_slice(&exchange.request).unwrap();
            let input = body["input"].clone();
            let fields = input.get("data").unwrap_or(&input).clone();
            (exchange.method, fields)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_guardian_is_created_once_with_a_patch_for_what_creation_does_not_take() {
    let world = world().await;
    let ana = json!({"id": "G-7", "name": "Ana", "phone": "55 1234 5678", "assistant": "no"});
    let ana_again = json!({"id": "G-7", "name": "Ana María"});
    // Both stand in one request, so that the second waits while the first is created.
    send(&world, "1", &[ana, ana_again.clone()]).await;
    let totals = world.gateway.settled().await;
    assert_eq!(totals["ended"]["delivered"], 2, "{totals}");
    assert_eq!(
        sent(&world),
        [
            (
                "POST".to_owned(),
                json!({
                    "name": "Ana", "username": "tut-G-7", "phoneNumber": "+525512345678", "skipTaxInvoice": true,
                    "metadata": [{"key": "origin", "value": "school"}],
                })
            ),
            ("PATCH".to_owned(), json!({"replyWithAssistant": false})),
            ("PATCH".to_owned(), json!({"name": "Ana María"})),
        ]
    );
    // Another event finds who is there now.
    send(&world, "2", &[json!({"id": "G-7", "name": "Ana M."})]).await;
    world.gateway.settled().await;
    assert_eq!(world.sandbox.customer_count(), 2, "only Ana was added");
    let created = world.sandbox.customer_by_username("tut-G-7").unwrap();
    assert_eq!(created["name"], "Ana M.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_arrive_at_once_create_one_customer() {
    let world = world().await;
    let guardian = |name: &str| [json!({"id": "G-7", "name": name})];
    let (first, second) = (guardian("Ana"), guardian("Ana María"));
    tokio::join!(send(&world, "1", &first), send(&world, "2", &second));
    let totals = world.gateway.settled().await;
    assert_eq!(totals["ended"]["delivered"], 2, "{totals}");
    let methods: Vec<String> = sent(&world).into_iter().map(|(method, _)| method).collect();
    assert_eq!(methods, ["POST", "PATCH"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_created_without_a_name_and_a_later_event_with_one_goes_on() {
    let world = world().await;
    send(
        &world,
        "1",
        &[json!({"id": "G-7", "phone": "55 1234 5678"})],
    )
    .await;
    let totals = world.gateway.settled().await;
    assert_eq!(totals["dead"], 1, "{totals}");
    assert!(sent(&world).is_empty());
    send(&world, "2", &[json!({"id": "G-7", "name": "Ana"})]).await;
    let totals = world.gateway.settled().await;
    assert_eq!(
        (&totals["dead"], &totals["ended"]["delivered"]),
        (&json!(1), &json!(1)),
        "{totals}"
    );
    world.end().await;
}
