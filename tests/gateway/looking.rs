//! What operators see of events over HTTP: lists, one event whole, its body; masked unless somebody asks, and then
//! written down.

use jsonschema::Validator;
use quentli_gateway::sandbox::{Action, Fault};
use serde_json::{Value, json};

use crate::{World, support::executable::Gateway};

/// Compares answers with the schemas of the gateway's own document, closed: a member that is not described is a fault.
pub(crate) struct Described {
    document: Value,
}

impl Described {
    pub(crate) async fn of(gateway: &Gateway) -> Self {
        let (status, mut document) = gateway.admin("GET", "/api/v1/openapi.json").await;
        assert_eq!(status, 200);
        close(&mut document["components"]["schemas"]);
        Self { document }
    }

    pub(crate) fn check(&self, schema: &str, answer: &Value) {
        let whole = json!({
            "$ref": format!("#/components/schemas/{schema}"),
            "components": self.document["components"],
        });
        let validator: Validator = jsonschema::validator_for(&whole).unwrap();
        let problems: Vec<String> = validator
            .iter_errors(answer)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(problems.is_empty(), "{schema}: {problems:#?} in {answer:#}");
    }
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let has_properties = members.get("properties").is_some_and(Value::is_object);
            if has_properties && members.get("type") == Some(&json!("object")) {
                members.insert("additionalProperties".into(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(entries) => entries.iter_mut().for_each(close),
        _ => {}
    }
}

/// A world with six events: delivered with all fields, found by user name, refused by Quentli, unmappable, of somebody
/// unknown, not even JSON.
async fn world() -> World {
    let world = World::new().await;
    let customer = world.customer.clone();
    let send = async |id: &str, contact: Value| {
        let body = json!({"type": "contact.updated", "contact": contact}).to_string();
        let url = world.gateway.url();
        let answer = world.school.send(&url, id, body).await.unwrap();
        assert_eq!(answer.status, 200);
        world.gateway.settled().await;
    };
    send("1", json!({"quentliId": customer, "name": "Zacarias", "email": "zacarias@example.com", "phone": "5512349876"})).await;
    send("2", json!({"username": "ana", "name": "Zacarias Dos"})).await;
    let refuse = Action::Status {
        status: 400,
        retry_after: None,
        message: Some("zacarias@example.com is taken".to_owned()),
    };
    let fault = Fault::once(refuse).on_method("PATCH");
    world.sandbox.fault(fault).unwrap();
    send("3", json!({"quentliId": customer, "name": "Zacarias Tres"})).await;
    send("4", json!({"quentliId": customer, "phone": "zacarias"})).await;
    send("5", json!({"username": "zacarias-unknown", "name": "Z"})).await;
    let url = world.gateway.url();
    let broken = world.school.send(&url, "6", "zacarias: not JSON").await;
    assert_eq!(broken.unwrap().status, 200);
    world.gateway.settled().await;
    world
}

async fn get(gateway: &Gateway, path: &str) -> Value {
    let (status, answer) = gateway.admin("GET", path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn numbers(page: &Value, list: &str) -> Vec<i64> {
    let entries = page[list].as_array().unwrap().iter();
    entries
        .map(|entry| entry["event"].as_i64().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_deliveries_are_listed_by_what_became_of_them() {
    let world = world().await;
    let described = Described::of(&world.gateway).await;
    let ask = async |path: &str| get(&world.gateway, path).await;
    let newest = ask("/api/v1/events").await;
    described.check("EventPage", &newest);
    assert_eq!(numbers(&newest, "events"), [6, 5, 4, 3, 2, 1]);
    let customer = &world.customer;
    for (query, expected) in [
        ("order=oldest-first&limit=2", vec![1, 2]),
        (
            "order=oldest-first&limit=2&after=2.4294967295.4294967295",
            vec![3, 4],
        ),
        ("state=delivered", vec![2, 1]),
        ("state=dead", vec![6, 5, 4, 3]),
        ("reason=refused", vec![3]),
        ("source=school&state=dead&reason=mapping", vec![6, 4]),
        ("organisation=default&limit=1", vec![6]),
        (
            "since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00-06:00",
            vec![],
        ),
        ("since=2020-01-01T00:00:00Z&limit=1", vec![6]),
        (&format!("customer={customer}"), vec![3, 2, 1]),
        ("sender_id=3", vec![3]),
        ("sender_id=3&source=school", vec![3]),
        ("sender_id=33", vec![]),
    ] {
        let page = ask(&format!("/api/v1/events?{query}")).await;
        described.check("EventPage", &page);
        assert_eq!(numbers(&page, "events"), expected, "{query}");
    }
    let deliveries = ask("/api/v1/deliveries?limit=4").await;
    described.check("DeliveryPage", &deliveries);
    assert_eq!(numbers(&deliveries, "deliveries"), [6, 5, 4, 3]);
    let rest = deliveries["next"].as_str().unwrap();
    let rest = ask(&format!("/api/v1/deliveries?after={rest}")).await;
    described.check("DeliveryPage", &rest);
    assert_eq!(numbers(&rest, "deliveries"), [2, 1]);
    assert_eq!(rest["next"], Value::Null);
    let refused = &deliveries["deliveries"][3];
    assert_eq!(
        (&refused["state"], &refused["reason"], &refused["attempts"]),
        (&json!("dead"), &json!("refused"), &json!(1))
    );
    let status = ask("/api/v1/status").await;
    described.check("Status", &status);
    assert!(status["dead"][0]["id"].is_i64(), "{status:#}");
    let causes = status["dead_causes"].as_array().unwrap();
    let causes: Vec<_> = causes
        .iter()
        .map(|cause| {
            (
                cause["reason"].as_str().unwrap(),
                cause["count"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        causes,
        [("customer-not-found", 1), ("mapping", 2), ("refused", 1)]
    );
    described.check("AuditPage", &ask("/api/v1/audit").await);
    described.check("RejectedPage", &ask("/api/v1/rejected").await);
    let (_, reload) = world.gateway.reload().await;
    described.check("Reload", &reload);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_stopped_and_what_a_sender_numbers_badly_is_described() {
    let world = World::new().await;
    let described = Described::of(&world.gateway).await;
    let url = world.gateway.url();
    for (id, name) in [("1", "A"), ("1", "B")] {
        let sent = world.school.rename(&url, id, &world.customer, name).await;
        assert_eq!(sent.unwrap().status, 200);
    }
    let admin = world.gateway.admin_listen.to_string();
    for what in [
        ["--source", "school", "--by", "Eva"],
        ["--organisation", "default", "--why", "a test"],
    ] {
        let arguments = [&["pause", "--admin-listen", &admin][..], &what].concat();
        assert!(world.setup.run(&arguments).status.success(), "{what:?}");
    }
    let status = get(&world.gateway, "/api/v1/status").await;
    described.check("Status", &status);
    for (pointer, length) in [("/pauses", 2), ("/reused_ids", 1)] {
        let list = status.pointer(pointer).unwrap().as_array().unwrap();
        assert_eq!(list.len(), length, "{pointer} in {status:#}");
    }
    assert_eq!(status["sources"][0]["dedup"]["reused_ids"], 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_is_shown_unless_somebody_asks_and_that_is_written_down() {
    let world = world().await;
    let described = Described::of(&world.gateway).await;
    let ask = async |path: &str| get(&world.gateway, path).await;
    let mut masked = Vec::new();
    for event in 1..=6 {
        let shown = ask(&format!("/api/v1/events/{event}")).await;
        described.check("Event", &shown);
        assert_eq!(shown["revealed"], false);
        masked.push(shown);
    }
    for page in [
        "events",
        "deliveries",
        "status",
        "audit",
        "events?state=dead",
    ] {
        masked.push(ask(&format!("/api/v1/{page}")).await);
    }
    for page in &masked {
        let small = page.to_string().to_lowercase();
        for secret in ["zacarias", "5512349876", "taken"] {
            assert!(!small.contains(secret), "{secret} is shown: {page:#}");
        }
    }
    let update = json!([
        {"name": "name", "mask": "text of 8 characters"},
        {"name": "email", "mask": "e-mail address of 20 characters"},
        {"name": "phoneNumber", "mask": "phone number of 13 characters"},
    ]);
    // It is delivered, so its update is not kept any more; the mapping tells it.
    assert_eq!(masked[0]["shown"][0]["update"], update);
    let mapping = &masked[3]["shown"][0];
    assert_eq!(
        (&mapping["reason"], &mapping["about"]),
        (&json!("mapping"), &json!("phoneNumber"))
    );
    assert_eq!(ask("/api/v1/audit").await["audit"], json!([]));

    let revealed = ask("/api/v1/events/3?reveal=true").await;
    described.check("Event", &revealed);
    let story = &revealed["shown"][0];
    assert_eq!(story["update"][0]["value"], "Zacarias Tres");
    let message = story["attempts"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("zacarias@example.com is taken"),
        "{message}"
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = format!("http://{}/api/v1/events/6/body", world.gateway.admin_listen);
    let refused = client.get(&body).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    let mut given = client
        .get(format!("{body}?reveal=true"))
        .header("Gateway-Operator", "ana")
        .send()
        .await
        .unwrap();
    assert_eq!(given.headers()["content-type"], "application/octet-stream");
    assert_eq!(given.headers()["cache-control"], "no-store");
    let whole = format!("http://{}/api/v1/events/3", world.gateway.admin_listen);
    let whole = client.get(whole).send().await.unwrap();
    assert_eq!(whole.headers()["cache-control"], "no-store");
    let bytes = given.chunk().await.unwrap().unwrap();
    assert_eq!(&bytes[..], b"zacarias: not JSON");
    let audit = ask("/api/v1/audit").await;
    let acts: Vec<String> = audit["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| format!("{} {} {}", act["act"], act["by"], act["what"][0]["value"]))
        .collect();
    assert_eq!(acts, [r#""reveal" "ana" "6""#, r#""reveal" null "3""#]);

    let log = world.gateway.log().join("\n").to_lowercase();
    assert!(!log.contains("zacarias"), "{log}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrong_is_said_with_what_is_right() {
    let world = World::new().await;
    let described = Described::of(&world.gateway).await;
    for (path, status, part) in [
        ("events?state=deed", 400, "did you mean `dead`?"),
        (
            "events?reason=customer-not-fond",
            400,
            "did you mean `customer-not-found`?",
        ),
        (
            "deliveries?state=dead&reason=nope",
            400,
            "`retries-exhausted`",
        ),
        ("events?customer=", 400, "`customer` has no value"),
        ("events?source=schol", 400, "did you mean `school`?"),
        ("deliveries?source=nosuch", 400, "there are `school`"),
        (
            "events?sender_id=1&source=nosuch",
            400,
            "there are `school`",
        ),
        ("events?sorce=school", 400, "did you mean `source`?"),
        ("events?since=yesterday", 400, "2026-03-02T08:00:00Z"),
        ("events?limit=0", 400, "from 1 to 200"),
        ("events?limit=201", 400, "from 1 to 200"),
        ("events?after=7", 400, "`next`"),
        ("events?source=A", 400, "lower-case"),
        ("events?source=a&source=b", 400, "more than once"),
        ("events?sender_id=1&state=dead", 400, "`state`"),
        ("events?sender_id=1&sender_id=2", 400, "`dedup`"),
        ("deliveries?sender_id=1", 400, "`sender_id`"),
        ("events/7", 404, "`/api/v1/events`"),
        ("events/seven", 404, "no such event"),
        ("events/7/body?reveal=true", 404, "no such event"),
        ("events/7?reveal=yes", 400, "`true` or `false`"),
        ("evens", 404, "openapi.json"),
        ("discard", 405, "`Allow`"),
        ("events/7/body/", 404, "openapi.json"),
    ] {
        let (found, answer) = world.gateway.admin("GET", &format!("/api/v1/{path}")).await;
        described.check("Problem", &answer);
        let text = answer.to_string();
        assert_eq!(found, status, "{path}: {text}");
        assert!(text.contains(part), "{path}: {text}");
    }
    let audit = get(&world.gateway, "/api/v1/audit").await;
    assert_eq!(audit["audit"], json!([]), "nothing was revealed");
    world.end().await;
}
