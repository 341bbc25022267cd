//! What is refused, how, and that nothing of it is stored.

use quentli_gateway::{clock::Clock, sender::sign};
use serde_json::{Value, json};

use crate::World;

struct Refusal {
    status: u16,
    kind: String,
    retry_after: bool,
    body: String,
}

async fn send(request: reqwest::RequestBuilder) -> Refusal {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let retry_after = answer.headers().contains_key("retry-after");
    let content_type = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(content_type, "application/problem+json");
    let mut answer = answer;
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.unwrap() {
        body.extend_from_slice(&piece);
    }
    let body = String::from_utf8(body).unwrap();
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(problem["status"], status);
    assert!(problem["request_id"].is_string() && problem["title"].is_string());
    Refusal {
        status,
        kind: problem["type"].as_str().unwrap().to_owned(),
        retry_after,
        body,
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_with_its_page_and_stores_nothing() {
    let world = World::with(|setup| setup.source("broken", "mapping: 1\nsource: broken\n")).await;
    let base = world.gateway.url();
    let at = |path: &str| format!("{base}{path}");
    let big = vec![b'x'; (1 << 20) + 1];
    let cases = [
        (
            client().post(at("webhooks/nobody")),
            404,
            "unknown-source",
            false,
        ),
        (
            client().post(at("webhooks/NOT%2Fa name")),
            404,
            "unknown-source",
            false,
        ),
        (
            client().post(at("webhooks/%ff")),
            404,
            "unknown-source",
            false,
        ),
        (client().get(at("problems/%ff")), 404, "not-found", false),
        (
            client().get(at("webhooks/school")),
            405,
            "method-not-allowed",
            false,
        ),
        (
            client().post(at("webhooks/broken")),
            503,
            "source-unavailable",
            true,
        ),
        (
            client().post(at("webhooks/school")),
            401,
            "not-verified",
            false,
        ),
        (
            client().post(at("webhooks/school")).body(big),
            413,
            "body-too-large",
            false,
        ),
        (client().get(at("elsewhere")), 404, "not-found", false),
        (client().post(at("ready")), 405, "method-not-allowed", false),
    ];
    for (request, status, name, retry_after) in cases {
        let refusal = send(request).await;
        assert_eq!(
            (refusal.status, refusal.kind.as_str()),
            (status, format!("/problems/{name}").as_str())
        );
        assert_eq!(refusal.retry_after, retry_after, "{name}");
        let page = client()
            .get(at(refusal.kind.trim_start_matches('/')))
            .send()
            .await
            .unwrap();
        assert_eq!(page.status(), 200, "{name}");
    }
    let totals = world.gateway.status().await["store"]["totals"].clone();
    assert_eq!(
        (&totals["accepted"], &totals["created"]),
        (&json!(0), &json!(0))
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_for_every_cause_and_the_cause_in_log_and_metric() {
    let world = World::new().await;
    let url = world.gateway.url();
    let now = Clock::system().now();
    let event = quentli_gateway::sender::TestEvent::new("1", "application/json", "{}");
    let good = sign(world.school.source(), &event, &url, now).unwrap();
    let old = sign(
        world.school.source(),
        &event,
        &url,
        now - jiff::SignedDuration::from_mins(6),
    )
    .unwrap();
    let new = sign(
        world.school.source(),
        &event,
        &url,
        now + jiff::SignedDuration::from_mins(6),
    )
    .unwrap();
    let post = |signed: quentli_gateway::verify::Outgoing| {
        client()
            .post(signed.url)
            .headers(signed.headers)
            .body(signed.body)
    };
    let mut without = good.clone();
    without.headers.remove("x-school-signature");
    let mut twice = good.clone();
    twice.headers.append(
        "x-school-signature",
        good.headers["x-school-signature"].clone(),
    );
    let mut changed = good.clone();
    changed.body = "{ }".into();
    let mut answers = std::collections::BTreeSet::new();
    for (signed, reason) in [
        (without, "missing-signature"),
        (twice, "ambiguous-header"),
        (changed, "no-match"),
        (old, "timestamp-too-old"),
        (new, "timestamp-too-new"),
    ] {
        let refusal = send(post(signed)).await;
        assert_eq!(refusal.status, 401, "{reason}");
        let mut body: Value = serde_json::from_str(&refusal.body).unwrap();
        body["request_id"] = Value::Null;
        answers.insert(body.to_string());
        let metrics = world.gateway.metrics().await;
        let line = format!("result=\"refused\",reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&line), "{line} is missing in:\n{metrics}");
        world
            .gateway
            .logged(&format!("\"reason\":\"{reason}\""))
            .await;
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(
        post(good).send().await.unwrap().status(),
        200,
        "and the good one is taken"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_even_be_verified_is_a_bad_request_or_an_unsupported_type() {
    let file = "\nmapping: 1\nsource: inside\nreceive:\n  verify: {type: token, token_source: 'json:token'}\n  secrets: [{env: SCHOOL_SECRET}]\notherwise: drop\nrules:\n  - {name: all, drop: nothing to do}\ntests:\n  - {name: all, event: {a: 1}, expect: [{drop: nothing to do}]}\n";
    let world = World::with(|setup| setup.source("inside", file)).await;
    let post = |kind: &str, body: &str| {
        let request = client().post(format!("{}webhooks/inside", world.gateway.url()));
        request.header("content-type", kind).body(body.to_owned())
    };
    let cases = [
        ("application/json", "{\"token\":", 400, "unreadable"),
        (
            "application/x-www-form-urlencoded",
            "token=x",
            415,
            "unsupported-media-type",
        ),
        (
            "application/json",
            "{\"token\":\"wrong\"}",
            401,
            "not-verified",
        ),
    ];
    for (kind, body, status, name) in cases {
        let refusal = send(post(kind, body)).await;
        assert_eq!(
            (refusal.status, refusal.kind),
            (status, format!("/problems/{name}"))
        );
    }
    world.end().await;
}
