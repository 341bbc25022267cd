//! What a request says in its headers only.

use http::{HeaderMap, HeaderValue};
use quentli_gateway::{
    event::ItemOutcome,
    mapping::{Input, Mapping},
    sender::{Answer, Sender, TestEvent},
    source::{SourceFile, UnreadableSamples},
};

use crate::World;

const SHOP: &str = r"
mapping: 1
source: shop
receive:
  verify: {type: token, token_source: 'header:X-Token'}
  secrets: [{env: SHOP_TOKEN}]
  dedup: {header: X-Event-Id}
otherwise: drop
rules:
  - name: customer changed
    when: header('X-Shopify-Topic') == 'customers/update'
    customer: {id: id}
    set: {name: name}
tests:
  - name: changed
    event: {id: cus_1, name: Ana}
    headers: {X-Shopify-Topic: customers/update}
    expect: [{customer: cus_1, patch: {name: Ana}}]
";

/// What is stored of the only event.
struct Stored {
    content_type: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn stored(world: &World) -> Stored {
    let path = world.setup.data().join("gateway.db");
    let connection = rusqlite::Connection::open(path).unwrap();
    let read = |row: &rusqlite::Row<'_>| {
        let headers: String = row.get("headers")?;
        Ok(Stored {
            content_type: row.get("content_type")?,
            headers: serde_json::from_str(&headers).unwrap(),
            body: row.get("body")?,
        })
    };
    let query = "SELECT content_type, headers, body FROM event";
    connection.query_row(query, [], read).unwrap()
}

/// How many updates a stored event gives when it is mapped again.
fn updates(mapping: &Mapping, stored: &Stored) -> usize {
    let mapped = mapping.map(&Input {
        body: &stored.body,
        content_type: Some(&stored.content_type),
        headers: &stored.headers,
        now: "2026-11-25T10:00:00Z".parse().unwrap(),
    });
    let outcomes = mapped.items.iter().flat_map(|item| &item.outcomes);
    outcomes
        .filter(|outcome| matches!(outcome, ItemOutcome::Update(_)))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_mapped_by_its_headers_and_keeps_those_that_a_rule_reads() {
    let world = World::with(|setup| {
        setup
            .source("shop", SHOP)
            .variable("SHOP_TOKEN", "the-shop-and-the-gateway-know-this")
    })
    .await;
    let body = serde_json::json!({"id": world.customer, "name": "Lucía"}).to_string();
    std::fs::write(world.setup.folder().join("event.json"), body).unwrap();
    let gateway = world.gateway.url();
    let sent = world.setup.run(&[
        "send",
        "--source",
        "shop",
        "--file",
        "event.json",
        "--url",
        gateway.as_str(),
        "--header",
        "X-Shopify-Topic: customers/update",
        "--header",
        "X-Other: nobody reads it",
    ]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["Lucía"]);

    let stored = stored(&world);
    assert_eq!(stored.content_type, "application/json");
    let topic = ("x-shopify-topic".to_owned(), "customers/update".to_owned());
    assert_eq!(stored.headers, [topic]);
    let no_samples = |_: &str| Err(std::io::Error::other("no samples"));
    let file = SourceFile::check(
        "shop.yaml",
        "shop",
        SHOP.to_owned(),
        &no_samples,
        UnreadableSamples::Refuse,
    );
    assert_eq!(updates(file.checked.unwrap().mapping(), &stored), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_event_in_binary_mode_keeps_its_attributes() {
    let events = "mapping: 1\nsource: events\nreceive: {verify: none, dedup: [source, id]}\notherwise: drop\nrules:\n  - name: changed\n    when: type == 'mx.escuela.cambio'\n    customer: {id: data.id}\n    set: {name: subject}\ntests:\n  - name: changed\n    event: {id: '1', source: /sis, type: mx.escuela.cambio, subject: Ana, data: {id: cus_1}}\n    expect: [{customer: cus_1, patch: {name: Ana}}]\n";
    let world = World::with(|setup| setup.source("events", events)).await;
    let body = serde_json::json!({"id": world.customer}).to_string();
    let mut event = TestEvent::new("1", "application/json", body);
    let attributes = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/sis"),
        ("ce-type", "mx.escuela.cambio"),
        ("ce-subject", "Luc%C3%ADa"),
        ("x-other", "nobody reads it"),
    ];
    event.headers.extend(attributes.map(|(name, value)| {
        let name: http::HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_static(value))
    }));
    let sent = post(&world, "events", &event).await;
    assert_eq!(sent, 200);
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["Lucía"]);
    let names: Vec<String> = stored(&world)
        .headers
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "ce-id",
            "ce-source",
            "ce-specversion",
            "ce-subject",
            "ce-type"
        ]
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_body_under_another_header_that_a_rule_reads_is_another_event() {
    let contacts = "mapping: 1\nsource: contacts\nreceive: {verify: none, dedup: body}\notherwise: fail\nrules:\n  - name: deleted\n    when: header('X-Topic') == 'contact.deleted'\n    customer: {id: id}\n    set: {name: {value: Gone}}\n  - name: changed\n    customer: {id: id}\n    set: {name: name}\ntests:\n  - {name: t, event: {id: cus_1, name: Ana}, headers: {X-Topic: contact.updated}, expect: [{customer: cus_1, patch: {name: Ana}}]}\n";
    let world = World::with(|setup| setup.source("contacts", contacts)).await;
    let body = serde_json::json!({"id": world.customer, "name": "Ana"}).to_string();
    let sent = async |topic: &'static str, trace: &'static str| {
        let event = with_headers(&body, &[("x-topic", topic), ("x-trace", trace)]);
        stored_as(&world, "contacts", &event).await
    };
    assert_eq!(sent("contact.updated", "1").await, "accepted");
    assert_eq!(sent("contact.deleted", "2").await, "accepted");
    assert_eq!(sent("contact.updated", "3").await, "duplicate");
    world.gateway.settled().await;
    assert_eq!(world.names_sent(), ["Ana", "Gone"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_event_is_known_by_its_source_id_and_type_and_not_by_its_body_alone() {
    let events = "mapping: 1\nsource: events\nreceive: {verify: none}\notherwise: drop\nrules:\n  - name: changed\n    customer: {id: data.id}\n    set: {name: type}\ntests:\n  - name: changed\n    event: {id: '1', source: /sis, type: t1, data: {id: cus_1}}\n    expect: [{customer: cus_1, patch: {name: t1}}]\n";
    let world = World::with(|setup| setup.source("events", events)).await;
    let body = serde_json::json!({"id": world.customer}).to_string();
    let sent = async |id, source, kind, time| {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", id),
            ("ce-source", source),
            ("ce-type", kind),
            ("ce-time", time),
        ];
        stored_as(&world, "events", &with_headers(&body, &headers)).await
    };
    let (first, later) = ("2026-11-25T10:00:00Z", "2026-11-25T10:00:09Z");
    assert_eq!(sent("1", "/sis", "t1", first).await, "accepted");
    assert_eq!(sent("2", "/sis", "t2", first).await, "accepted");
    assert_eq!(sent("2", "/crm", "t2", first).await, "accepted");
    assert_eq!(sent("2", "/crm", "t2", later).await, "duplicate");
    world.gateway.settled().await;
    world.end().await;
}

fn with_headers(body: &str, headers: &[(&'static str, &'static str)]) -> TestEvent {
    let mut event = TestEvent::new("1", "application/json", body.to_owned());
    event.headers.extend(headers.iter().map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    }));
    event
}

/// What the gateway says of a request that it took.
async fn stored_as(world: &World, source: &str, event: &TestEvent) -> String {
    answer(world, source, event).await.stored().unwrap().status
}

async fn post(world: &World, source: &str, event: &TestEvent) -> u16 {
    answer(world, source, event).await.status
}

async fn answer(world: &World, source: &str, event: &TestEvent) -> Answer {
    let outgoing = quentli_gateway::verify::Outgoing {
        method: http::Method::POST,
        url: format!("http://events.example/webhooks/{source}"),
        headers: HeaderMap::clone(&event.headers),
        body: event.body.clone(),
    };
    let sender = Sender::new().unwrap();
    let answer = sender.post(outgoing, &world.gateway.url()).await;
    answer.unwrap()
}
