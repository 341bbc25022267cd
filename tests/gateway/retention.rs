//! What is removed for its age, on a clock that the test drives.

use std::time::Duration;

use serde_json::Value;

use crate::{
    driven::{DAY, Driven},
    support::{PATIENCE, school::SOURCE_FILE},
};

async fn upkeep(gateway: &Driven) -> Value {
    let status: Value = serde_json::from_str(&gateway.look("api/v1/status").await).unwrap();
    status["upkeep"].clone()
}

/// Lets days pass, and in each what takes a while.
async fn days(gateway: &Driven, days: u32) {
    for _ in 0..days {
        gateway.clock.advance(DAY);
        let now = gateway.clock.now();
        // A round that begins after this one tells that it has ended.
        let mut began = None;
        let round = async {
            loop {
                let upkeep = upkeep(gateway).await;
                let overdue = upkeep["overdue"].as_object().unwrap();
                let date = upkeep["date"].as_str();
                let date: Option<jiff::Timestamp> = date.map(|date| date.parse().unwrap());
                if let Some(date) = date.filter(|date| *date >= now) {
                    let first = *began.get_or_insert(date);
                    if date > first && overdue.values().all(|figure| figure == 0) {
                        return;
                    }
                }
                // A round that had not ended yet, or the rest between two pieces.
                gateway.clock.advance(Duration::from_secs(10));
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, round)
            .await
            .expect("a round of the upkeep");
    }
}

#[tokio::test]
async fn an_event_is_known_for_as_long_as_its_key_is_kept_and_forgotten_piece_by_piece() {
    let gateway = Driven::start(SOURCE_FILE).await;
    let send = async |id: &str| gateway.post(gateway.signed(id, 0)).await.1;
    assert_eq!(send("1").await, "accepted");
    days(&gateway, 29).await;
    assert_eq!(send("1").await, "duplicate");
    let removed = upkeep(&gateway).await["removed"].clone();
    assert_eq!(
        removed,
        serde_json::json!({"attempts": 0, "bodies": 1, "dedup_keys": 0, "events": 0, "history": 0})
    );
    days(&gateway, 3).await;
    assert_eq!(send("1").await, "accepted");
    days(&gateway, 61).await;
    let removed = upkeep(&gateway).await["removed"].clone();
    assert_eq!(
        removed,
        serde_json::json!({"attempts": 0, "bodies": 2, "dedup_keys": 2, "events": 1, "history": 1})
    );
    let metrics = gateway.look("metrics").await;
    for line in [
        "quentli_gateway_upkeep_removed_total{kind=\"dedup_keys\"} 2",
        "quentli_gateway_upkeep_overdue{kind=\"history\"} 0",
        "quentli_gateway_upkeep_waits_for_clock 0",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumps_years_ahead_removes_nothing_for_a_day_and_says_so() {
    let gateway = Driven::start(SOURCE_FILE).await;
    let send = async |id: &str| gateway.post(gateway.signed(id, 0)).await.1;
    assert_eq!(send("1").await, "accepted");
    days(&gateway, 1).await;
    let said = || {
        gateway
            .log
            .count("WARN", "nothing is removed for its age until then")
    };
    assert_eq!(said(), 0);
    gateway.clock.advance(DAY * 3650);
    let waits = async || upkeep(&gateway).await["waits_until"].is_string();
    tokio::time::timeout(PATIENCE, async {
        while !waits().await {
            // A round may have ended after the jump only.
            gateway.clock.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the jump is noticed");
    assert_eq!(said(), 1);
    assert!(
        gateway
            .look("metrics")
            .await
            .contains("quentli_gateway_upkeep_waits_for_clock 1")
    );
    assert_eq!(send("1").await, "duplicate");
    for _ in 0..23 {
        gateway.clock.advance(Duration::from_hours(1));
        assert_eq!(send("1").await, "duplicate");
        assert!(waits().await);
    }
    days(&gateway, 1).await;
    assert_eq!((said(), send("1").await.as_str()), (1, "accepted"));
    assert_eq!(gateway.log.count("WARN", "so it is believed"), 1);
    gateway.stop().await;
}
