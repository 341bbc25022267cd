//! Before it stops, a gateway says so for a while and goes on serving: balancers send elsewhere, and no sender notices.

use std::time::Duration;

use crate::{
    driven::Driven,
    support::{school::SOURCE_FILE, until},
};

/// Nearly all of `shutdown.drain`, and the rest.
const NEARLY: Duration = Duration::from_millis(9_999);
const REST: Duration = Duration::from_millis(1);

/// What `/ready` answers, and whether the connection is kept for the next question; nothing where the port is closed.
async fn ready(gateway: &Driven) -> Option<(u16, bool)> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(std::iter::empty())
        .build()
        .unwrap();
    let address = gateway.url().join("ready").unwrap();
    let answer = client.get(address).send().await.ok()?;
    let is_kept = !answer.headers().contains_key("connection");
    Some((answer.status().as_u16(), is_kept))
}

#[tokio::test]
async fn readiness_ends_first_and_the_port_closes_only_when_the_drain_time_is_over() {
    let gateway = Driven::start_with(SOURCE_FILE, "shutdown: {drain: 10s}\n").await;
    assert_eq!(ready(&gateway).await, Some((200, true)));

    gateway.begin_to_stop();
    until("readiness to end", async || match ready(&gateway).await {
        Some((503, false)) => Ok(()),
        other => Err(other),
    })
    .await;
    gateway.clock.advance(NEARLY);
    // As long as the clock stands there, it may take as long as it likes: events are taken.
    for id in ["1", "2", "3"] {
        let taken = gateway.post(gateway.signed(id, 0)).await;
        assert_eq!(taken, (200, "accepted".to_owned()), "{id}");
        assert_eq!(ready(&gateway).await, Some((503, false)), "{id}");
    }

    gateway.clock.advance(REST);
    until("the port to close", async || match ready(&gateway).await {
        None => Ok(()),
        other => Err(other),
    })
    .await;
    gateway.ended().await;
}
