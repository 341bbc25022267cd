//! Systems that send back what we wrote: a loop ends by itself, and is seen in the count of its source.

use std::time::Duration;

use quentli_gateway::{
    event::End,
    sandbox::{Action, Fault},
};
use serde_json::{Value, json};

use crate::support::{MINUTE, SECOND, Update, World, ended};

fn record(name: &str) -> Value {
    json!({
        "name": name, "tags": ["a", "b"],
        "metadata": [{"key": "Grado", "value": "5"}, {"key": "Grupo", "value": "B"}],
    })
}

#[tokio::test]
async fn an_echo_of_what_was_sent_is_unchanged_whoever_sends_it() {
    let mut world = World::with_customers(&["ana"]).await;
    let ours = Update::by_username("ana", &record("Ana"));
    let ours = world.accept(ours.order_by(5)).await;
    world.wait_for(ours, "delivered").await;
    let reordered = json!({
        "metadata": [{"key": "Grupo", "value": "B"}, {"key": "Grado", "value": "5"}],
        "tags": ["b", "a"], "name": "Ana",
    });
    for (echo, update) in [
        (
            "of the same source",
            Update::by_username("ana", &record("Ana")),
        ),
        (
            "of another source",
            Update::by_username("ana", &record("Ana")).of_source("crm"),
        ),
        ("by another key", Update::by_email("ana", &record("Ana"))),
        (
            "by its identifier",
            Update::by_id("ana", &record("Ana")).of_source("crm"),
        ),
        ("in another order", Update::by_email("ana", &reordered)),
        (
            "of a part of it",
            Update::by_id("ana", &json!({"name": "Ana"})),
        ),
        (
            "as a newer version",
            Update::by_id("ana", &record("Ana")).order_by(6),
        ),
    ] {
        let event = world.accept(update).await;
        world.wait_for(event, "unchanged").await;
        assert_eq!(world.changes().len(), 1, "an echo {echo} was sent");
    }
}

#[tokio::test]
async fn an_echo_that_comes_before_our_own_answer_is_unchanged() {
    let mut world = World::with_customers(&["ana"]).await;
    let slow = Fault::once(Action::Slow { milliseconds: 500 }).on_method("PATCH");
    world.sandbox.fault(slow).unwrap();
    let ours = world
        .accept(Update::by_username("ana", &record("Ana")))
        .await;
    world
        .until("our change", |world| world.changes().len() == 1)
        .await;
    let echoes = [
        Update::by_username("ana", &record("Ana")).of_source("crm"),
        Update::by_email("ana", &record("Ana")).of_source("crm"),
    ];
    let mut events = Vec::new();
    for echo in echoes {
        events.push(world.accept(echo).await);
    }
    world.drive_until_done(SECOND / 20).await;
    assert_eq!(world.standing(ours).await, "delivered");
    for event in events {
        assert_eq!(world.standing(event).await, "unchanged");
    }
    assert_eq!(world.changes().len(), 1);
}

#[tokio::test]
async fn echoes_are_recognised_for_a_time_that_they_do_not_prolong() {
    let mut world = World::new().await;
    world.add_customer("ana");
    world.settings.unchanged_for = Duration::from_hours(1);
    world.deliver();
    let echo = Update::by_id("ana", &record("Ana"));
    let ours = world.accept(echo.clone()).await;
    world.wait_for(ours, "delivered").await;
    for (minutes, expected, sent) in [
        (40, "unchanged", 1),
        (19, "unchanged", 1),
        (2, "delivered", 2),
    ] {
        world.clock.advance(MINUTE * minutes);
        let event = world.accept(echo.clone()).await;
        world.wait_for(event, expected).await;
        assert_eq!(world.changes().len(), sent);
    }
}

#[tokio::test]
async fn what_was_sent_before_the_last_value_is_a_change_like_any_other() {
    let mut world = World::with_customers(&["ana"]).await;
    for (name, expected) in [
        ("One", "delivered"),
        ("Two", "delivered"),
        // Somebody may have set it back.
        ("One", "delivered"),
        ("One", "unchanged"),
    ] {
        let event = world
            .accept(Update::by_id("ana", &json!({"name": name})))
            .await;
        world.wait_for(event, expected).await;
    }
    assert_eq!(world.at_quentli("ana", "name"), "One");
}

#[tokio::test]
async fn of_an_echo_with_something_new_only_that_is_sent() {
    let mut world = World::with_customers(&["ana"]).await;
    let ours = world.accept(Update::by_id("ana", &record("Ana"))).await;
    world.wait_for(ours, "delivered").await;
    let echo = world.accept(Update::by_id("ana", &record("Ana M."))).await;
    world.wait_for(echo, "delivered").await;
    let changes = world.changes();
    assert_eq!(crate::support::data(&changes[1]), json!({"name": "Ana M."}));
}

#[tokio::test]
async fn a_loop_is_counted_for_the_source_that_sends_back() {
    let mut world = World::with_customers(&["ana"]).await;
    let ours = world.accept(Update::by_id("ana", &record("Ana"))).await;
    world.wait_for(ours, "delivered").await;
    for _ in 0..10 {
        let echo = Update::by_email("ana", &record("Ana")).of_source("crm");
        let event = world.accept(echo).await;
        world.wait_for(event, "unchanged").await;
    }
    let by_source = world.store.totals_by_source().await.unwrap();
    let unchanged: Vec<_> = by_source
        .iter()
        .map(|(source, totals)| (source.as_str(), ended(totals, End::Unchanged)))
        .collect();
    assert_eq!(unchanged, [("crm", 10), ("sis", 0)]);
}
