//! Who may call, from where, and how often.

use http::{HeaderName, HeaderValue};
use quentli_gateway::{
    clock::Clock,
    sender::{Answer, Sender, TestEvent, sign},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    World,
    support::school::{SOURCE_FILE, School},
};

/// The school's file with more lines under `receive`.
fn school_with(lines: &str) -> String {
    let dedup = "  dedup: {header: X-Event-Id}\n";
    assert!(SOURCE_FILE.contains(dedup));
    SOURCE_FILE.replace(dedup, &format!("{dedup}{lines}"))
}

async fn world(settings: &str, lines: &str) -> World {
    let file = school_with(lines);
    World::with(|setup| setup.settings(settings).source("school", &file)).await
}

/// Posts a signed event with more headers, as a proxy hands it on.
async fn post(world: &World, school: &School, id: &str, headers: &[(&str, &str)]) -> Answer {
    let url = world.gateway.url();
    let body =
        json!({"type": "contact.updated", "contact": {"quentliId": world.customer, "name": id}});
    let event = TestEvent::new(id, "application/json", body.to_string());
    let mut signed = sign(school.source(), &event, &url, Clock::system().now()).unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        signed
            .headers
            .append(name, HeaderValue::from_str(value).unwrap());
    }
    Sender::new().unwrap().post(signed, &url).await.unwrap()
}

async fn post_for(world: &World, id: &str, forwarded_for: &[&str]) -> u16 {
    let headers: Vec<_> = forwarded_for
        .iter()
        .map(|value| ("x-forwarded-for", *value))
        .collect();
    post(world, &world.school, id, &headers).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allow_list_compares_the_address_behind_trusted_proxies() {
    let world = world(
        "trusted_proxies: [127.0.0.1, 10.0.0.0/8]\n",
        "  allow_from: [192.0.2.0/24, \"2001:db8::/32\"]\n",
    )
    .await;
    for (id, forwarded_for, status) in [
        ("1", &["192.0.2.5"][..], 200),
        ("2", &["[2001:db8::1]:52114"], 200),
        ("3", &["192.0.2.5, 10.0.0.7"], 200),
        ("4", &["203.0.113.9"], 403),
        // Forged entries stand before what the proxy adds.
        ("5", &["192.0.2.5, 203.0.113.9"], 403),
        ("6", &["192.0.2.5", "203.0.113.9"], 403),
        ("7", &["192.0.2.5, unknown"], 403),
        // The proxy itself is not on the list.
        ("8", &[], 403),
    ] {
        assert_eq!(
            post_for(&world, id, forwarded_for).await,
            status,
            "{forwarded_for:?}"
        );
    }
    let metrics = world.gateway.metrics().await;
    assert!(
        metrics.contains("result=\"refused\",reason=\"not-allowed\"} 5"),
        "{metrics}"
    );
    let log = world
        .gateway
        .logged("\"client.address\":\"203.0.113.9\"")
        .await
        .join("\n");
    // Addresses of those who are let in are not written down.
    assert!(
        !log.contains("192.0.2.5") && !log.contains("2001:db8"),
        "{log}"
    );
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_call_is_told_before_the_body_comes() {
    let world = world("", "  allow_from: [192.0.2.0/24]\n").await;
    let mut stream = TcpStream::connect(world.gateway.listen).await.unwrap();
    let head = "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = [0; 2048];
    let count = stream.read(&mut said).await.unwrap();
    let said = String::from_utf8_lossy(&said[..count]);
    assert!(
        said.starts_with("HTTP/1.1 403") && said.contains("/problems/not-allowed"),
        "{said}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_missing_among_the_trusted_ones_is_named_once() {
    let world = world("", "  allow_from: [192.0.2.0/24]\n").await;
    let hint = "`trusted_proxies` in gateway.yaml";
    assert_eq!(post_for(&world, "1", &[]).await, 403);
    world.gateway.logged("\"reason\":\"not-allowed\"").await;
    assert!(!world.gateway.log().join("\n").contains(hint));
    for id in ["2", "3"] {
        assert_eq!(
            post_for(&world, id, &["192.0.2.5"]).await,
            403,
            "nobody believes that header"
        );
    }
    let log = world.gateway.logged(hint).await;
    let hints: Vec<_> = log.iter().filter(|line| line.contains(hint)).collect();
    assert_eq!(hints.len(), 1, "{hints:?}");
    assert!(
        hints[0].contains("requests come from 127.0.0.1"),
        "{hints:?}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_counts_genuine_requests_of_its_source_alone_and_survives_reloads() {
    let limited = school_with("  rate_limit: {per_minute: 1, burst: 2}\n");
    let other = limited.replace("source: school", "source: other");
    let world = World::with(|setup| setup.source("school", &limited).source("other", &other)).await;
    let status = async |id: &str| post(&world, &world.school, id, &[]).await.status;
    let stranger = School::with_secret("somebody else's");
    for id in ["a", "b", "c"] {
        assert_eq!(post(&world, &stranger, id, &[]).await.status, 401);
    }
    assert_eq!((status("1").await, status("2").await), (200, 200));

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let refused = client.post(world.gateway.url().join("webhooks/school").unwrap());
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    assert_eq!(status("3").await, 429);
    let metrics = world.gateway.metrics().await;
    assert!(
        metrics.contains("reason=\"too-many-requests\"} 2"),
        "{metrics}"
    );

    let url = world.gateway.url().join("webhooks/other").unwrap();
    assert_eq!(
        client.post(url).send().await.unwrap().status(),
        401,
        "another source has its own"
    );

    let path = world.setup.source_path("school");
    std::fs::write(&path, format!("# another comment\n{limited}")).unwrap();
    assert_eq!(world.gateway.reload().await.0, 200);
    assert_eq!(status("3").await, 429, "the same numbers, the same count");
    std::fs::write(&path, limited.replace("burst: 2", "burst: 1")).unwrap();
    assert_eq!(world.gateway.reload().await.0, 200);
    assert_eq!(status("3").await, 200);
    assert_eq!(status("4").await, 429);
    world.gateway.settled().await;
    world.end().await;
}

/// The fingerprint of nothing, which is as good as any.
const FINGERPRINT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn certified() -> String {
    let (before, rest) = SOURCE_FILE.split_once("  verify:\n").unwrap();
    let (_, after) = rest.split_once("  dedup:").unwrap();
    format!(
        "{before}  verify: {{type: client-certificate, header: X-Client-Hash, format: xfcc, allowed: {FINGERPRINT}}}\n  dedup:{after}"
    )
}

async fn show_certificate(world: &World, id: &str, shown: Option<&str>) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body =
        json!({"type": "contact.updated", "contact": {"quentliId": world.customer, "name": id}});
    let url = world.gateway.url().join("webhooks/school").unwrap();
    let request = client
        .post(url)
        .header("x-event-id", id)
        .header("content-type", "application/json");
    let request = match shown {
        Some(shown) => request.header("x-client-hash", shown),
        None => request,
    };
    request
        .body(body.to_string())
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_counts_where_a_trusted_proxy_hands_it_on() {
    let certificate = format!("Hash={FINGERPRINT};Subject=\"CN=crm\"");
    let world = World::with(|setup| {
        let settings = "trusted_proxies: [127.0.0.1]\n";
        setup.settings(settings).source("school", &certified())
    })
    .await;
    assert_eq!(show_certificate(&world, "1", Some(&certificate)).await, 200);
    assert_eq!(show_certificate(&world, "2", Some("Hash=00")).await, 401);
    assert_eq!(show_certificate(&world, "3", None).await, 401);
    let metrics = world.gateway.metrics().await;
    for line in [
        "verified_total{source=\"school\",secret=\"sha256:e3b0c44298fc1c14\"} 1",
        "reason=\"malformed-certificate\"} 1",
        "reason=\"missing-certificate\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    world.gateway.settled().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_from_anybody_else_is_refused_and_without_proxies_the_source_does_not_load()
 {
    let certificate = format!("Hash={FINGERPRINT}");
    let elsewhere = "trusted_proxies: [10.0.0.0/8]\n";
    let world = World::with(|setup| setup.settings(elsewhere).source("school", &certified())).await;
    assert_eq!(show_certificate(&world, "1", Some(&certificate)).await, 401);
    world.gateway.logged("\"reason\":\"untrusted-proxy\"").await;
    world.end().await;

    let world = World::with(|setup| setup.source("school", &certified())).await;
    assert_eq!(show_certificate(&world, "1", Some(&certificate)).await, 503);
    let trouble = world.gateway.status().await["sources"][0]["trouble"].to_string();
    assert!(
        trouble.contains("set `trusted_proxies` in gateway.yaml"),
        "{trouble}"
    );
    world.end().await;
}
