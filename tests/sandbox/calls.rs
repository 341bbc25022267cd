//! Every call of the client, and every endpoint of the sandbox, when nothing goes wrong but what is asked for.

use quentli_gateway::{
    customer::FindBy,
    quentli::{CallErrorKind as Kind, Creation, Found, Search},
    sandbox::{Filters, Keys, Missing},
};
use serde_json::{Value, json};

use crate::support::{KEY, World, client, failure, patch};

#[tokio::test]
async fn an_update_sets_clears_and_merges() {
    let world = World::new().await;
    let id = world.customer("A-1");
    let changes = [
        r#"{"name":"Ana Ñúñez","email":"ana@example.mx","phoneNumber":"+525512345678","tags":["x"],"skipTaxInvoice":true,
            "metadata":[{"key":"Grado","value":"5"},{"key":"Beca","value":"sí"}]}"#,
        r#"{"email":null,"tags":["y"],"metadata":[{"key":"Beca","value":null}]}"#,
    ];
    for change in changes {
        let customer = world.client.update(&id, &patch(change)).await.unwrap();
        assert_eq!(customer.id, id);
    }
    let stored = world.sandbox.customer(id.as_str()).unwrap();
    assert_eq!(stored["name"], "Ana Ñúñez");
    assert_eq!(stored["email"], Value::Null);
    assert_eq!(stored["phoneNumber"], "+525512345678");
    assert_eq!(stored["tags"], json!(["y"]));
    assert_eq!(stored["skipTaxInvoice"], true);
    assert_eq!(stored["meta"], json!({"Grado": "5"}));

    let exchanges = world.sandbox.exchanges();
    let sent: Value = serde_json::from_slice(&exchanges[0].request).unwrap();
    let data: Value = serde_json::from_str(changes[0]).unwrap();
    assert_eq!(sent, json!({"input": {"data": data}}));
    assert!(exchanges.iter().all(|exchange| exchange.applied));
    world.check_schema();
}

#[tokio::test]
async fn a_customer_is_read_with_metadata() {
    let world = World::new().await;
    let id = world
        .sandbox
        .add(&json!({"username": "A-1", "email": "a@x.mx", "meta": {"Folio": "012"}}))
        .unwrap();
    let customer = world.client.get(&id.parse().unwrap()).await.unwrap();
    assert_eq!(customer.id.as_str(), id);
    assert_eq!(customer.username.as_deref(), Some("A-1"));
    assert_eq!(customer.email.as_deref(), Some("a@x.mx"));
    assert_eq!(customer.metadata.unwrap()["Folio"], "012");
    world.check_schema();
}

#[tokio::test]
async fn both_forms_of_not_found_are_not_found() {
    let world = World::new().await;
    let id = "cus_nobody".parse().unwrap();
    for (missing, status) in [(Missing::NotFound, 404), (Missing::Null, 200)] {
        world.sandbox.set_missing(missing);
        let read = failure(world.client.get(&id).await);
        assert_eq!(read, (Kind::NotFound, Some(status)));
    }
    let update = world.client.update(&id, &patch(r#"{"name":"x"}"#)).await;
    let error = update.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert_eq!(
        error.to_string(),
        "Quentli has no such customer (HTTP 404): Customer not found"
    );
    world.check_schema();
}

#[tokio::test]
async fn a_taken_value_is_refused_with_quentlis_message_and_nothing_is_applied() {
    let world = World::new().await;
    world
        .sandbox
        .add(&json!({"username": "A-1", "email": "ana@x.mx"}))
        .unwrap();
    let id = world.customer("A-2");
    let change = patch(r#"{"name":"New","email":"ANA@x.mx"}"#);
    let error = world.client.update(&id, &change).await.unwrap_err();
    assert_eq!((error.kind, error.status), (Kind::Refused, Some(400)));
    assert_eq!(
        error.message.as_deref(),
        Some("A customer with this email already exists")
    );
    assert_eq!(world.sandbox.customer(id.as_str()).unwrap()["name"], "A-2");
    world.check_schema();
}

#[tokio::test]
async fn creation_sends_what_it_may_and_leaves_the_rest() {
    let world = World::new().await;
    let creation = Creation::of(&patch(
        r#"{"name":"Ana","username":"A-1","email":null,"replyWithAssistant":false,
            "metadata":[{"key":"Grado","value":"5"},{"key":"Beca","value":null}]}"#,
    ));
    let customer = world.client.create(&creation).await.unwrap();
    assert_eq!(customer.username.as_deref(), Some("A-1"));
    world
        .client
        .update(&customer.id, creation.rest())
        .await
        .unwrap();
    let stored = world.sandbox.customer_by_username("A-1").unwrap();
    assert_eq!(stored["id"], customer.id.as_str());
    assert_eq!(stored["replyWithAssistant"], false);
    assert_eq!(stored["meta"], json!({"Grado": "5"}));

    let again = failure(world.client.create(&creation).await);
    assert_eq!(again, (Kind::Refused, Some(400)));
    let numbered = Creation::of(&patch(r#"{"name":"Without a number"}"#));
    let numbered = world.client.create(&numbered).await.unwrap();
    assert!(numbered.username.is_some());
    world.check_schema();
}

#[tokio::test]
async fn a_search_finds_the_exact_customer_and_nobody_else() {
    let world = World::new().await;
    world.customer("0123");
    let exact = world.customer("123");
    world.customer("1234");
    let mail = world
        .sandbox
        .add(&json!({"username": "m", "email": "José+uno@Example.MX"}))
        .unwrap();

    let found = world.client.find(Search::Username("123")).await.unwrap();
    assert!(
        matches!(&found, Found::One(customer) if customer.id == exact),
        "{found:?}"
    );
    let found = world
        .client
        .find(Search::Email("josé+uno@example.mx"))
        .await
        .unwrap();
    assert!(
        matches!(&found, Found::One(customer) if customer.id.as_str() == mail),
        "{found:?}"
    );
    for nobody in ["12", "123 ", "A&take=1", "é+%26#", ""] {
        let found = world.client.find(Search::Username(nobody)).await.unwrap();
        assert_eq!(found, Found::None, "{nobody:?}");
    }
    assert_eq!(
        world.sandbox.exchanges()[0].query,
        "take=100&filter%5Busername%5D%5Bequals%5D=123"
    );
    world.check_schema();
}

#[tokio::test]
async fn an_ignored_filter_never_gives_the_wrong_customer_nor_a_wrong_none() {
    let world = World::new().await;
    world.sandbox.set_filters(Filters::Ignored);
    let first = world.customer("u0");
    for number in 1..99 {
        world.customer(&format!("u{number}"));
    }
    // The page shows everybody, so that what is not there does not exist.
    let absent = Search::Username("absent");
    assert_eq!(world.client.find(absent).await.unwrap(), Found::None);
    // From here on the page is full.
    world.customer("u99");
    world.customer("u100");
    let error = world.client.find(absent).await.unwrap_err();
    assert_eq!((error.kind, error.status), (Kind::NotQuentli, Some(200)));
    let beyond = failure(world.client.find(Search::Username("u100")).await);
    assert_eq!(beyond, (Kind::NotQuentli, Some(200)));
    let found = world.client.find(Search::Username("u0")).await.unwrap();
    assert!(matches!(&found, Found::One(customer) if customer.id == first));
}

#[tokio::test]
async fn two_customers_with_the_same_value_are_several() {
    // Quentli keeps e-mail addresses unique; whether it does so without regard to case is not published.
    let page = json!([
        {"id": "cus_1", "email": "ana@x.mx"},
        {"id": "cus_2", "email": "Ana@x.mx"},
    ]);
    let server = crate::support::Foreign::answering("200 OK", "", &page.to_string()).await;
    let found = client(&server.url)
        .find(Search::Email("ana@x.mx"))
        .await
        .unwrap();
    assert_eq!(found, Found::Several);
}

#[test]
fn metadata_cannot_be_searched() {
    let line = FindBy::Metadata {
        key: "Folio".into(),
        value: "012".into(),
    };
    assert_eq!(Search::of(&line), None);
    let line = FindBy::Username("A-1".into());
    assert_eq!(Search::of(&line), Some(Search::Username("A-1")));
}

#[tokio::test]
async fn a_scan_page_by_page_sees_everybody_once() {
    let world = World::new().await;
    let expected: Vec<String> = (0..25)
        .map(|number| world.customer(&format!("u{number}")).to_string())
        .collect();
    let mut seen = Vec::new();
    loop {
        let skip = u64::try_from(seen.len()).unwrap();
        let page = world.client.list(skip, 10).await.unwrap();
        let last = page.len() < 10;
        seen.extend(page.into_iter().map(|customer| customer.id.to_string()));
        if last {
            break;
        }
    }
    assert_eq!(seen, expected);
    let wrong = failure(world.client.list(0, 101).await);
    assert_eq!(wrong, (Kind::Refused, Some(400)));
    world.check_schema();
}

#[tokio::test]
async fn strange_identifiers_stay_one_segment_of_the_path() {
    let world = World::new().await;
    for (place, id) in [
        "a/b",
        "../customers",
        "a?take=1",
        "a#b",
        "100%",
        "%2e%2e",
        "%2F",
        "ñandú",
        "a+b&c=d",
        "cus\\x",
        "...",
        "<'\">",
    ]
    .into_iter()
    .enumerate()
    {
        world
            .sandbox
            .add(&json!({"id": id, "username": place.to_string()}))
            .unwrap();
        let id = id.parse().unwrap();
        assert_eq!(world.client.get(&id).await.unwrap().id, id);
        let change = patch(r#"{"name":"changed"}"#);
        assert_eq!(world.client.update(&id, &change).await.unwrap().id, id);
        let stored = world.sandbox.customer(id.as_str()).unwrap();
        assert_eq!(stored["name"], "changed", "{id}");
    }
    world.check_schema();
}

#[tokio::test]
async fn keys_are_told_apart_and_can_be_changed_while_running() {
    let world = World::new().await;
    let clone = world.client.clone();
    world.client.probe().await.unwrap();
    assert_eq!(world.only_exchange().query, "take=1");
    world.sandbox.set_keys(Keys::Only {
        accepted: vec!["sk_new".into()],
        forbidden: vec!["sk_weak".into()],
    });
    let error = clone.probe().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Quentli does not accept the key (HTTP 401): You are not authenticated"
    );
    world.client.set_key(&"sk_weak".into()).unwrap();
    assert_eq!(
        failure(clone.probe().await),
        (Kind::Forbidden, Some(403)),
        "clones share the key"
    );
    world.client.set_key(&"sk_new".into()).unwrap();
    clone.probe().await.unwrap();
    world.check_schema();
}

#[tokio::test]
async fn requests_that_quentli_does_not_document_are_refused() {
    let world = World::new().await;
    let id = world.customer("A-1");
    let one = format!("/v1/customers/{id}");
    for (method, path, body) in [
        ("PATCH", one.as_str(), "not json"),
        ("PATCH", &one, "[]"),
        ("PATCH", &one, "{}"),
        ("PATCH", &one, r#"{"input":{}}"#),
        ("PATCH", &one, r#"{"input":{"name":"x"}}"#),
        ("PATCH", &one, r#"{"input":{"data":[]}}"#),
        ("PATCH", &one, r#"{"input":{"data":{"name":null}}}"#),
        ("PATCH", &one, r#"{"input":{"data":{},"otp":5}}"#),
        ("POST", "/v1/customers", r#"{"input":{}}"#),
        (
            "POST",
            "/v1/customers",
            r#"{"input":{"name":"x"},"more":1}"#,
        ),
        ("GET", "/v1/customers?take=0", ""),
    ] {
        let (status, answer) = world.api(method, path, body).await;
        assert_eq!(status, 400, "{method} {path} {body}: {answer}");
        assert!(answer["error"]["message"].is_string(), "{answer}");
        assert_eq!(answer["error"]["issues"].is_array(), method == "GET");
    }
    for headers in [
        &[][..],
        &[("authorization", "Bearer ")],
        &[("authorization", "Basic eDp5")],
    ] {
        let (status, body) = world.request("GET", &one, headers, "").await;
        assert_eq!(status, 401, "{headers:?}: {body}");
    }
    let long = format!(
        r#"{{"input":{{"data":{{"name":"{}"}}}}}}"#,
        "x".repeat(1 << 20)
    );
    assert_eq!(world.api("PATCH", &one, &long).await.0, 413);
    let key = format!("Bearer {KEY}");
    for (method, path) in [
        ("DELETE", one.as_str()),
        ("PATCH", "/v1/customers"),
        ("GET", "/v1/customers/"),
        ("GET", "/v2/customers"),
    ] {
        let headers = [("authorization", key.as_str())];
        let (status, _) = world.request(method, path, &headers, "").await;
        assert_eq!(status, 404, "{method} {path}");
    }
    assert!(
        world
            .sandbox
            .exchanges()
            .iter()
            .all(|exchange| !exchange.applied)
    );
}

#[tokio::test]
async fn unknown_fields_and_parameters_are_ignored_but_recorded() {
    let world = World::new().await;
    let id = world.customer("A-1");
    let body = r#"{"input":{"data":{"phoneNumbr":"x","name":"Ana"}}}"#;
    let (status, answer) = world
        .api("PATCH", &format!("/v1/customers/{id}"), body)
        .await;
    assert_eq!((status, &answer["customer"]["name"]), (200, &json!("Ana")));
    let (status, list) = world
        .api("GET", "/v1/customers?limit=0&filter[age]=5", "")
        .await;
    assert_eq!((status, list.as_array().unwrap().len()), (200, 1));
    let exchanges = world.sandbox.exchanges();
    assert_eq!(exchanges[0].unknown_fields, ["phoneNumbr"]);
    let problems = crate::schema::Checker::new().problems(&exchanges);
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("phoneNumbr")),
        "{problems:?}"
    );
}
