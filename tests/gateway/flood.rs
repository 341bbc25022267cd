//! The same events from many connections at once.
//!
//! `FLOOD=n` sends so many events, in place of ten thousand with a release executable and fewer with another.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::task::JoinSet;

use crate::{World, support::number};

const CONNECTIONS: usize = 64;
const TIMES: usize = 3;
const CUSTOMERS: usize = 200;
/// Events whose repetitions come right after them, so that the same event is on its way on several connections.
const CLOSE: usize = 20;

/// Which event is sent at a place: twenty, the same twenty, the same twenty again, and so on.
const fn event_at(place: usize) -> usize {
    place / (CLOSE * TIMES) * CLOSE + place % CLOSE
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_events_from_64_connections_three_times_over_are_delivered_once() {
    let is_release = std::env::var_os("QUENTLI_GATEWAY_RELEASE").is_some();
    let events = number("FLOOD", if is_release { 10_000 } else { 2_000 });
    let events = usize::try_from(events).unwrap() / CLOSE * CLOSE;
    let world = World::new().await;
    let customers: Vec<String> = (0..CUSTOMERS)
        .map(|n| {
            let customer = json!({"name": "0", "username": format!("u{n}")});
            world.sandbox.add(&customer).unwrap()
        })
        .collect();
    let (customers, place) = (
        std::sync::Arc::new(customers),
        std::sync::Arc::new(AtomicUsize::new(0)),
    );
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        // Each has connections of its own.
        let school = crate::School::new();
        let (customers, place) = (customers.clone(), place.clone());
        let url = world.gateway.url();
        connections.spawn(async move {
            loop {
                let place = place.fetch_add(1, Ordering::Relaxed);
                if place >= events * TIMES {
                    return;
                }
                let event = event_at(place);
                let (id, customer) = (event.to_string(), &customers[event % CUSTOMERS]);
                let name = format!("name {event}");
                let answer = school.rename(&url, &id, customer, &name).await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended.unwrap();
    }
    let totals = world.gateway.settled().await;
    let repeated = events * (TIMES - 1);
    assert_eq!(
        [
            &totals["accepted"],
            &totals["duplicate"],
            &totals["created"],
            &totals["dead"]
        ],
        [events, repeated, events, 0]
            .map(|count| json!(count))
            .each_ref(),
        "{totals}"
    );
    world.end().await;
}
