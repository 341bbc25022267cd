//! Stopping, starting again, and a store or a program that fails.

use std::sync::Arc;

use quentli_gateway::sandbox::{Action, Fault};
use serde_json::json;

use crate::support::{SECOND, Update, World};

#[tokio::test]
async fn a_soft_stop_finishes_what_is_on_its_way_and_begins_nothing() {
    let mut world = World::new().await;
    world.settings.concurrency = crate::support::number(1);
    for username in ["ana", "eva"] {
        world.add_customer(username);
    }
    world.deliver();
    world
        .sandbox
        .fault(Fault::once(Action::Slow { milliseconds: 1000 }))
        .unwrap();
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world
        .until("the change to leave", |world| world.changes().len() == 1)
        .await;
    let eva = world
        .accept(Update::by_id("eva", &json!({"name": "Eva"})))
        .await;
    world.delivering().soft.cancel();
    world.clock.advance(SECOND * 2);
    let ended = world.delivering().task.join_next().await.unwrap().unwrap();
    assert!(ended.is_ok());
    assert_eq!(world.standing(ana).await, "delivered");
    assert_eq!(world.standing(eva).await, "waiting");
    assert_eq!(world.changes().len(), 1);
}

#[tokio::test]
async fn a_soft_stop_does_not_wait_for_a_slow_pace() {
    let mut world = World::with_customers(&["ana"]).await;
    world.unplug_quentli().await;
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world.wait_for(ana, "waiting").await;
    world.delivering().soft.cancel();
    let ended = world.delivering().task.join_next().await.unwrap().unwrap();
    assert!(ended.is_ok());
}

#[tokio::test]
async fn what_was_confirmed_before_a_restart_is_not_sent_after_it() {
    let mut world = World::with_customers(&["ana"]).await;
    let update = Update::by_username("ana", &json!({"name": "Ana"}));
    let first = world.accept(update.clone()).await;
    world.wait_for(first, "delivered").await;
    world.kill_and_reopen().await;
    world.deliver();
    let again = world.accept(update).await;
    world.wait_for(again, "unchanged").await;
    assert_eq!(world.changes().len(), 1);
}

#[tokio::test]
async fn what_waited_at_the_start_was_possibly_sent_and_is_sent_again() {
    let mut world = World::with_customers(&["ana"]).await;
    let update = Update::by_id("ana", &json!({"name": "Ana"}));
    let first = world.accept(update.clone()).await;
    world.wait_for(first, "delivered").await;
    world.kill_and_reopen().await;
    let waiting = world.accept(update).await;
    world.deliver();
    world.wait_for(waiting, "delivered").await;
    assert_eq!(world.changes().len(), 2);
}

#[tokio::test]
async fn a_change_whose_answer_was_never_heard_is_sent_again_after_a_restart() {
    let mut world = World::with_customers(&["ana"]).await;
    let slow = Action::Slow {
        milliseconds: 60_000,
    };
    world.sandbox.fault(Fault::once(slow)).unwrap();
    let killed = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    let next = world
        .accept(Update::by_id("ana", &json!({"name": "Ana María"})))
        .await;
    world
        .until("the change to leave", |world| world.changes().len() == 1)
        .await;
    world.kill_and_reopen().await;
    world.deliver();
    world.wait_for(killed, "delivered").await;
    world.wait_for(next, "delivered").await;
    assert_eq!(world.changes().len(), 3);
    assert_eq!(world.at_quentli("ana", "name"), "Ana María");
}

#[tokio::test]
async fn a_panic_over_one_delivery_is_recorded_and_the_others_go_on() {
    let mut world = World::new().await;
    for username in ["ana", "eva"] {
        world.add_customer(username);
    }
    world.wrap = |store| Arc::new(crate::support::Trap::panics_over("cus-ana", store));
    world.deliver();
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    let eva = world
        .accept(Update::by_id("eva", &json!({"name": "Eva"})))
        .await;
    world.wait_for(eva, "delivered").await;
    world.drive_until_done(SECOND).await;
    assert_eq!(world.standing(ana).await, "dead bug");
    assert_eq!(world.attempts(ana).await.len(), 3);
}

#[tokio::test]
async fn while_the_store_cannot_write_nothing_is_sent_twice() {
    let mut world = World::new().await;
    for username in ["ana", "eva"] {
        world.add_customer(username);
    }
    world.wrap = |store| Arc::new(crate::support::Trap::cannot_finish(20, store));
    world.deliver();
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world.drive_until_done(SECOND).await;
    world.wait_for(ana, "delivered").await;
    assert_eq!(world.changes().len(), 1);
    assert_eq!(world.attempts(ana).await.len(), 1);
}

#[tokio::test]
async fn a_store_that_ended_ends_the_dispatcher() {
    let mut world = World::with_customers(&["ana"]).await;
    world
        .until("the start", |world| !world.handle().status().loading)
        .await;
    world.store.close().await;
    world.clock.advance(SECOND * 10);
    let ended = world.delivering().task.join_next().await.unwrap().unwrap();
    assert!(ended.is_err());
}
