//! A flood of forged requests, beside an honest sender.

use std::time::{Duration, Instant};

use quentli_gateway::clock::Clock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    World,
    support::{number, until},
};

/// Requests that a connection sends before it reads the answers.
const AT_ONCE: u64 = 50;

/// Sends forged requests over one connection, each with another body; all must be refused.
async fn forge(address: std::net::SocketAddr, connection: u64, many: u64) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let seconds = Clock::system().now().as_second();
    let signature = "ab".repeat(32);
    let (mut sent, mut refused, mut said) = (0, 0, Vec::new());
    while sent < many {
        let mut requests = String::new();
        for _ in 0..AT_ONCE.min(many - sent) {
            let body = format!("{{\"forged\":{connection},\"number\":{sent}}}");
            let request = format!(
                "POST /webhooks/school HTTP/1.1\r\nHost: x\r\nX-School-Timestamp: {seconds}\r\n\
                 X-School-Signature: sha256={signature}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            requests.push_str(&request);
            sent += 1;
        }
        stream.write_all(requests.as_bytes()).await.unwrap();
        while refused < sent {
            let mut piece = [0; 16 << 10];
            let length = stream.read(&mut piece).await.unwrap();
            assert!(length > 0, "the connection was closed");
            said.extend_from_slice(&piece[..length]);
            // What is counted goes; what may be the start of another answer stays.
            let mark = b"HTTP/1.1 401";
            let mut last = 0;
            for at in 0..said.len().saturating_sub(mark.len() - 1) {
                if said[at..].starts_with(mark) {
                    refused += 1;
                    last = at + mark.len();
                }
            }
            let keep = said.len().saturating_sub(mark.len() - 1).max(last);
            said.drain(..keep);
        }
    }
}

/// The figure of a line of the metrics.
fn figure(metrics: &str, line: &str) -> u64 {
    let found = metrics.lines().find(|each| each.starts_with(line));
    let figure = found.and_then(|found| found.rsplit_once(' '));
    figure.map_or(0, |(_, figure)| figure.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forged_requests_writes_little_and_honest_senders_are_served() {
    let world = World::with(|setup| {
        setup.settings(concat!(
            "quentli: {default: {key: {env: QUENTLI_API_KEY}, rate: 5000, concurrency: 16}}\n",
            "limits: {rejected: 50}\n"
        ))
    })
    .await;
    let (connections, each) = (4, number("FORGED", 20_000) / 4);
    let started = Instant::now();
    let address = world.gateway.listen;
    let mut flood = JoinSet::new();
    for connection in 0..connections {
        flood.spawn(forge(address, connection, each));
    }
    let mut honest = 0;
    while !flood.is_empty() {
        if let Some(done) = flood.try_join_next() {
            done.unwrap();
            continue;
        }
        let id = format!("honest-{honest}");
        let sent = Instant::now();
        let answer = world
            .school
            .rename(&world.gateway.url(), &id, &world.customer, &id)
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(sent.elapsed() < Duration::from_secs(10), "{honest}");
        honest += 1;
    }
    assert!(honest > 0);
    let seconds = started.elapsed().as_secs();

    let forged = connections * each;
    let metrics = until(
        "every forged request to be written or counted",
        async || {
            let metrics = world.gateway.metrics().await;
            let written = figure(
                &metrics,
                "quentli_gateway_rejected_written_total{source=\"school\"",
            );
            let flood = "quentli_gateway_rejected_left_out_total{source=\"school\",cause=\"flood\"";
            let left_out = figure(&metrics, flood);
            if written + left_out == forged {
                Ok(metrics)
            } else {
                Err((written, left_out))
            }
        },
    )
    .await;
    let written = figure(
        &metrics,
        "quentli_gateway_rejected_written_total{source=\"school\"",
    );
    assert!(
        written <= 50 * (seconds + 2),
        "{written} rows were written in {seconds} s"
    );
    assert!(figure(&metrics, "quentli_gateway_rejected{source=\"school\"}") <= 50);
    let totals = world.gateway.settled().await;
    assert_eq!(totals["accepted"], honest);
    world.end().await;
}
