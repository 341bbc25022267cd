//! Answers of servers that are not Quentli: too long, too slow, broken off, misleading.

use std::time::Duration;

use quentli_gateway::quentli::{CallErrorKind as Kind, Client, ClientSettings, Search};
use serde_json::json;

use crate::support::{Foreign, KEY, Then, World, client, failure, hasty_client, patch, settings};

const CHANGE: &str = r#"{"name":"changed"}"#;

fn id() -> quentli_gateway::customer::CustomerId {
    "cus_1".parse().unwrap()
}

#[tokio::test]
async fn an_answer_longer_than_the_cap_is_not_quentlis() {
    let padding = "x".repeat(1024 * 1024);
    let body = json!({"customer": {"id": "cus_1", "name": padding}}).to_string();
    let server = Foreign::answering("200 OK", "", &body).await;
    let update = client(&server.url).update(&id(), &patch(CHANGE)).await;
    assert_eq!(failure(update), (Kind::NotQuentli, Some(200)));

    let body = json!({"customer": {"id": "cus_1", "name": "x".repeat(1000 * 1000)}}).to_string();
    let server = Foreign::answering("200 OK", "", &body).await;
    let update = client(&server.url).update(&id(), &patch(CHANGE)).await;
    assert!(update.is_ok(), "below the cap: {update:?}");
}

#[tokio::test]
async fn an_endless_answer_ends_at_the_cap() {
    // Chunked and without an end, but more than the cap.
    let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..200 {
        answer.extend_from_slice(b"4000\r\n");
        answer.extend_from_slice(&[b' '; 0x4000]);
        answer.extend_from_slice(b"\r\n");
    }
    let server = Foreign::new(Then::SendAndHold(answer)).await;
    let update = client(&server.url).update(&id(), &patch(CHANGE)).await;
    assert_eq!(failure(update), (Kind::NotQuentli, Some(200)));
}

#[tokio::test]
async fn an_answer_that_stops_or_is_broken_off_may_have_been_applied() {
    let part = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"customer\":".to_vec();
    let broken = Foreign::new(Then::Send(part.clone())).await;
    let update = client(&broken.url).update(&id(), &patch(CHANGE)).await;
    assert_eq!(failure(update), (Kind::Interrupted, Some(200)));
    for (bytes, status) in [
        (part, Some(200)),
        (b"HTTP/1.1 200 OK\r\ncontent-le".to_vec(), None),
        (Vec::new(), None),
    ] {
        let stopped = Foreign::new(Then::SendAndHold(bytes)).await;
        let update = hasty_client(&stopped.url)
            .update(&id(), &patch(CHANGE))
            .await;
        assert_eq!(failure(update), (Kind::Interrupted, status));
    }
}

#[tokio::test]
async fn what_does_not_speak_http_may_have_done_anything() {
    let server = Foreign::new(Then::Send(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())).await;
    let update = client(&server.url).update(&id(), &patch(CHANGE)).await;
    assert_eq!(failure(update), (Kind::Interrupted, None));
}

#[tokio::test]
async fn a_status_counts_even_when_its_body_is_unusable() {
    for (status, kind) in [
        ("400 Bad Request", Kind::Refused),
        ("401 Unauthorized", Kind::Unauthorized),
        ("429 Too Many Requests", Kind::Throttled),
        ("502 Bad Gateway", Kind::Unavailable),
    ] {
        let page = "<html>".repeat(20_000);
        let server = Foreign::answering(status, "retry-after: 3\r\n", &page).await;
        let update = client(&server.url).update(&id(), &patch(CHANGE)).await;
        let error = update.unwrap_err();
        assert_eq!((error.kind, error.message), (kind, None), "{status}");
        assert_eq!(error.retry_after, Some(Duration::from_secs(3)));
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 9\r\n\r\n{{");
        let server = Foreign::new(Then::Send(head.into_bytes())).await;
        let update = client(&server.url).update(&id(), &patch(CHANGE)).await;
        assert_eq!(failure(update).0, kind, "{status}, broken off");
    }
}

#[tokio::test]
async fn only_quentlis_own_404_says_that_a_customer_is_missing() {
    for (body, kind) in [
        (
            r#"{"error":{"message":"Customer not found"}}"#,
            Kind::NotFound,
        ),
        (r#"{"error":{}}"#, Kind::NotFound),
        (
            "<pre>Cannot PATCH /api/v1/customers/cus_1</pre>",
            Kind::NotQuentli,
        ),
        (
            r#"{"message":"no Route matched with those values"}"#,
            Kind::NotQuentli,
        ),
        ("", Kind::NotQuentli),
    ] {
        let server = Foreign::answering("404 Not Found", "", body).await;
        let client = client(&server.url);
        let update = client.update(&id(), &patch(CHANGE)).await;
        assert_eq!(failure(update).0, kind, "{body}");
        assert_eq!(failure(client.get(&id()).await).0, kind, "{body}");
    }
}

#[tokio::test]
async fn a_success_without_the_customers_identifier_is_none() {
    for (status, body) in [
        ("204 No Content", ""),
        ("200 OK", ""),
        ("200 OK", r#"{"customer":null}"#),
        ("200 OK", r#"{"customer":{"name":"x"}}"#),
        ("200 OK", r#"{"customer":{"id":"cus_10"}}"#),
        ("200 OK", r#"{"customer":{"id":"CUS_1"}}"#),
        ("202 Accepted", r#"{"id":"cus_1"}"#),
        ("200 OK", r#"{"customer":{"id":"cus_1"}} trailing"#),
    ] {
        let server = Foreign::answering(status, "", body).await;
        let update = client(&server.url).update(&id(), &patch(CHANGE)).await;
        assert_eq!(failure(update).0, Kind::NotQuentli, "{status} {body}");
    }
    let server = Foreign::answering("201 Created", "", r#"{"customer":{"id":"cus_1"}}"#).await;
    let update = client(&server.url).update(&id(), &patch(CHANGE)).await;
    assert_eq!(update.unwrap().id, id());
}

#[tokio::test]
async fn a_redirect_to_elsewhere_does_not_take_the_key_along() {
    let target = Foreign::answering("200 OK", "", r#"{"customer":{"id":"cus_1"}}"#).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "308 Permanent Redirect",
    ] {
        let location = format!("location: {}/v1/customers/cus_1\r\n", target.url);
        let server = Foreign::answering(status, &location, "").await;
        let update = client(&server.url).update(&id(), &patch(CHANGE)).await;
        assert_eq!(failure(update).0, Kind::NotQuentli, "{status}");
    }
}

#[tokio::test]
async fn errors_hold_neither_the_key_nor_what_was_searched_for() {
    let echo = json!({"error": {"message": format!("bad key {KEY}\nin\u{1b}[0m header")}});
    let server = Foreign::answering("401 Unauthorized", "", &echo.to_string()).await;
    let error = client(&server.url).probe().await.unwrap_err();
    assert_eq!(error.message.as_deref(), Some("bad key [key] in[0m header"));

    let closed = Foreign::new(Then::Send(Vec::new())).await;
    let refused = "http://127.0.0.1:1";
    for url in [closed.url.as_str(), refused] {
        let search = Search::Email("ana.secreta@example.mx");
        let error = client(url).find(search).await.unwrap_err();
        let shown = format!("{error} {error:?} {search:?}");
        assert!(!shown.contains("secreta"), "{shown}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn running_out_of_time_while_connecting_is_no_connection() {
    // A queue of one that is full and never emptied: the kernel leaves further connections unanswered.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let full = loop {
        let connect = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(Duration::from_millis(200), connect).await {
            Ok(stream) => waiting.push(stream.unwrap()),
            Err(_) => break true,
        }
        if waiting.len() > 100 {
            break false;
        }
    };
    assert!(full, "the queue never fills");
    let client = Client::new(ClientSettings {
        timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_mins(1),
        ..settings(&format!("http://{address}"))
    })
    .unwrap();
    let update = client.update(&id(), &patch(CHANGE)).await;
    assert_eq!(failure(update), (Kind::Connect, None));
}

#[tokio::test]
async fn a_failed_handshake_is_no_connection() {
    // The sandbox speaks no TLS.
    let world = World::new().await;
    let url = world.running.url().replace("http://", "https://");
    let update = client(&url).update(&id(), &patch(CHANGE)).await;
    assert_eq!(failure(update).0, Kind::Connect);
}
