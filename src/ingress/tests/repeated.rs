//! What comes again: told by the cache in front of the store, by the body in the place of a number, and with another body.

use super::*;
use crate::event::{DedupKey, DedupKeyBuilder};

fn key_of(id: &str) -> DedupKey {
    let mut key = DedupKeyBuilder::composite(&school());
    key.part(Some(b"x-event-id"));
    key.part(Some(id.as_bytes()));
    key.finish()
}

#[tokio::test]
async fn a_cache_that_lies_loses_nothing() {
    let world = World::new();
    assert_eq!(world.post("1", "{}", SECRET).await, 200);
    let keys = [key_of("1"), key_of("2")];
    world.ingress.recent.insert(&keys);
    assert!(world.ingress.recent.know_all(&keys));
    for (id, accepted, duplicate) in [("2", 2, 0), ("2", 2, 1), ("1", 2, 2), ("3", 3, 2)] {
        assert_eq!(world.post(id, "{}", SECRET).await, 200);
        let totals = world.totals().await;
        assert_eq!(
            (totals.accepted, totals.duplicate, totals.known_groups),
            (accepted, duplicate, duplicate),
            "after {id}"
        );
    }
}

#[tokio::test]
async fn items_that_the_cache_knows_are_confirmed_by_the_store_one_and_all() {
    let by_items = FILE
        .replace("{header: X-Event-Id}", "[id]")
        .replace("otherwise:", "items: $[]\notherwise:")
        .replace("{a: 1}", "[{a: 1}]");
    let world = World::with(&by_items, 1000);
    let first = r#"[{"id": 1}, {"id": 2}]"#;
    let more = r#"[{"id": 2}, {"id": 3}]"#;
    for (body, accepted, duplicate, known) in [
        (first, 1, 0, 0),
        (first, 1, 1, 2),
        (more, 2, 1, 3),
        (more, 2, 2, 5),
    ] {
        assert_eq!(world.post("", body, SECRET).await, 200);
        let totals = world.totals().await;
        assert_eq!(
            (totals.accepted, totals.duplicate, totals.known_groups),
            (accepted, duplicate, known),
            "after {body}"
        );
    }
    assert_eq!(
        world.metric("quentli_gateway_items_total{source=\"school\",result=\"new\"}"),
        3
    );
    assert_eq!(
        world.metric("quentli_gateway_items_total{source=\"school\",result=\"known\"}"),
        5
    );
}

#[tokio::test]
async fn without_a_number_the_body_stands_in_and_that_is_counted() {
    let world = World::new();
    for (body, accepted) in [("{}", 1), ("{}", 1), (r#"{"a":1}"#, 2)] {
        assert_eq!(world.post("", body, SECRET).await, 200);
        assert_eq!(world.totals().await.accepted, accepted);
    }
    assert_eq!(world.post("1", "{}", SECRET).await, 200);
    assert_eq!(world.metric("quentli_gateway_dedup_by_body_total"), 3);
    let figures = world.ingress.numbering(&school());
    assert_eq!(
        (figures.by_body, figures.by_body_at),
        (3, Some(world.clock.now()))
    );
}

#[tokio::test]
async fn a_number_with_another_body_is_a_duplicate_that_can_be_seen() {
    let world = World::new();
    assert_eq!(world.post("1", "{}", SECRET).await, 200);
    assert_eq!(world.post("1", "{}", SECRET).await, 200);
    assert_eq!(world.store.file.reused_ids(9).await.unwrap(), []);
    let first = world.clock.now();
    assert_eq!(world.post("1", r#"{"a":1}"#, SECRET).await, 200);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.post("1", r#"{"a":2}"#, SECRET).await, 200);
    let totals = world.totals().await;
    assert_eq!((totals.accepted, totals.duplicate), (1, 3));
    assert_eq!(world.metric("quentli_gateway_dedup_reused_ids_total"), 2);
    assert_eq!(world.ingress.numbering(&school()).reused, 2);
    let reused = world.store.file.reused_ids(9).await.unwrap();
    assert_eq!(reused.len(), 1);
    assert_eq!(
        (
            reused[0].event,
            reused[0].times,
            reused[0].first_at,
            reused[0].last_at
        ),
        (EventSeq(1), 2, first, world.clock.now())
    );
}
