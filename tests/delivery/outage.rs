//! Quentli out of reach, the key refused, a person's pause.

use quentli_gateway::{
    delivery::{PauseReason, State},
    sandbox::{Action, Fault, Keys},
};
use serde_json::json;

use crate::support::{MINUTE, SECOND, Update, World};

fn is_open(world: &World) -> bool {
    matches!(world.handle().status().state, State::BreakerOpen { .. })
}

fn is_paused(world: &World, by: PauseReason) -> bool {
    matches!(world.handle().status().state, State::Paused { reason, .. } if reason == by)
}

#[tokio::test]
async fn an_outage_stops_everything_and_work_resumes_soon_after_it() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    world.unplug_quentli().await;
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world.until("the breaker to open", is_open).await;
    let eva = world
        .accept(Update::by_id("eva", &json!({"name": "Eva"})))
        .await;
    let began = world.clock.elapsed();
    world
        .drive_until("ten seconds", SECOND / 10, |world| {
            world.clock.elapsed() >= began + SECOND * 10
        })
        .await;
    assert!(
        world.attempts(eva).await.is_empty(),
        "it was tried while the breaker was open"
    );
    world.plug_quentli_in().await;
    let back = world.clock.elapsed();
    world
        .drive_until("work", SECOND / 100, |world| !is_open(world))
        .await;
    let late = world.clock.elapsed().saturating_sub(back);
    assert!(late <= SECOND * 3, "work resumed {late:?} after the outage");
    world.drive_until_done(SECOND / 10).await;
    world.wait_for(ana, "delivered").await;
    world.wait_for(eva, "delivered").await;
    assert_eq!(
        world.attempts(eva).await.len(),
        1,
        "waiting for the breaker is no attempt"
    );
}

#[tokio::test]
async fn one_customers_trouble_opens_no_breaker() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    let fault = Fault::always(Action::CutBefore).on_customer("cus-ana");
    world.sandbox.fault(fault).unwrap();
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    let tries = |world: &World| {
        let changes = world.changes();
        changes
            .iter()
            .filter(|change| change.customer.as_deref() == Some("cus-ana"))
            .count()
    };
    world
        .drive_until("many tries", SECOND, |world| {
            assert_eq!(world.handle().status().state, State::Delivering);
            tries(world) >= 6
        })
        .await;
    let eva = world
        .accept(Update::by_id("eva", &json!({"name": "Eva"})))
        .await;
    world.wait_for(eva, "delivered").await;
    world.sandbox.lift_faults();
    world.drive_until_done(SECOND).await;
    world.wait_for(ana, "delivered").await;
}

#[tokio::test]
async fn failures_of_three_customers_open_the_breaker_and_a_probe_closes_it() {
    let mut world = World::with_customers(&["a", "b", "c", "d"]).await;
    let broken = Action::Status {
        status: 502,
        retry_after: None,
        message: None,
    };
    world.sandbox.fault(Fault::always(broken)).unwrap();
    for username in ["a", "b", "c"] {
        world
            .accept(Update::by_id(username, &json!({"name": "Name"})))
            .await;
    }
    world
        .drive_until("the breaker to open", SECOND, is_open)
        .await;
    world
        .until("quiet", |world| world.handle().status().in_flight == 0)
        .await;
    let changes = world.changes().len();
    world
        .accept(Update::by_id("d", &json!({"name": "Name"})))
        .await;
    world
        .drive_until("some probes", SECOND, |world| world.looks().len() > 3)
        .await;
    assert_eq!(
        world.changes().len(),
        changes,
        "something was sent while the breaker was open"
    );
    world.sandbox.lift_faults();
    world.drive_until_done(SECOND).await;
    assert_eq!(world.handle().status().state, State::Delivering);
}

#[tokio::test]
async fn a_refused_key_pauses_everything_and_costs_no_delivery_anything() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    world.sandbox.set_keys(Keys::Only {
        accepted: Vec::new(),
        forbidden: Vec::new(),
    });
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    let eva = world
        .accept(Update::by_username("eva", &json!({"name": "Eva"})))
        .await;
    world
        .until("the pause", |world| {
            is_paused(world, PauseReason::KeyRefused)
        })
        .await;
    world
        .until("quiet", |world| world.handle().status().in_flight == 0)
        .await;
    let before = world.sandbox.exchanges().len();
    let three_probes = |world: &World| world.sandbox.exchanges().len() == before + 3;
    world
        .drive_until("three probes", SECOND * 10, three_probes)
        .await;
    let waited = world.clock.elapsed();
    assert!(
        waited >= SECOND * (30 + 60 + 120),
        "the probes came within {waited:?}"
    );
    world.wait_for(ana, "waiting").await;
    world.wait_for(eva, "waiting").await;
    world.sandbox.set_keys(Keys::Any);
    world.drive_until_done(SECOND * 10).await;
    for event in [ana, eva] {
        world.wait_for(event, "delivered").await;
        assert_eq!(
            world.attempts(event).await.len(),
            1,
            "the refusals were counted"
        );
    }
}

#[tokio::test]
async fn a_refusal_that_is_over_when_the_key_is_probed_costs_no_delivery_its_life() {
    for (method, code) in [("PATCH", 401), ("PATCH", 403), ("GET", 401)] {
        let mut world = World::with_customers(&["ana"]).await;
        let refusal = Action::Status {
            status: code,
            retry_after: None,
            message: None,
        };
        let fault = Fault::once(refusal).on_method(method).on_customer("ana");
        world.sandbox.fault(fault).unwrap();
        let ana = world
            .accept(Update::by_username("ana", &json!({"name": "Ana"})))
            .await;
        world.drive_until_done(SECOND).await;
        assert_eq!(world.standing(ana).await, "delivered", "{method} {code}");
        assert_eq!(world.at_quentli("ana", "name"), "Ana");
    }
}

#[tokio::test]
async fn a_key_without_permission_pauses_like_a_refused_one_and_a_person_can_end_it() {
    let mut world = World::with_customers(&["ana"]).await;
    world.sandbox.set_keys(Keys::Only {
        accepted: Vec::new(),
        forbidden: vec!["sk_test".to_owned()],
    });
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world
        .until("the pause", |world| {
            is_paused(world, PauseReason::KeyRefused)
        })
        .await;
    world.sandbox.set_keys(Keys::Any);
    world.handle().resume();
    world.wait_for(ana, "delivered").await;
}

#[tokio::test]
async fn a_new_key_ends_the_pause_of_the_old_one_at_once_and_not_one_that_a_person_asked_for() {
    let mut world = World::with_customers(&["ana"]).await;
    world.sandbox.set_keys(Keys::Only {
        accepted: vec!["sk_new".to_owned()],
        forbidden: Vec::new(),
    });
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world
        .until("the pause", |world| {
            is_paused(world, PauseReason::KeyRefused)
        })
        .await;
    assert!(world.handle().set_key(&"not a key".into()).is_err());
    assert!(is_paused(&world, PauseReason::KeyRefused));
    world.handle().set_key(&"sk_new".into()).unwrap();
    world.wait_for(ana, "delivered").await;
    world.handle().pause(world.clock.now());
    world
        .until("the pause", |world| is_paused(world, PauseReason::Asked))
        .await;
    let exchanges = world.sandbox.exchanges().len();
    world.handle().set_key(&"sk_new".into()).unwrap();
    world
        .accept(Update::by_id("ana", &json!({"name": "Ana Luz"})))
        .await;
    world
        .until("the lane", |world| world.handle().status().lanes == 1)
        .await;
    assert!(is_paused(&world, PauseReason::Asked));
    assert_eq!(world.sandbox.exchanges().len(), exchanges);
}

#[tokio::test]
async fn a_key_that_is_replaced_while_the_old_one_is_being_refused_costs_no_delivery() {
    let mut world = World::with_customers(&["ana"]).await;
    world.sandbox.set_keys(Keys::Only {
        accepted: vec!["sk_new".to_owned()],
        forbidden: Vec::new(),
    });
    let slow = Action::Slow {
        milliseconds: 1_000,
    };
    world
        .sandbox
        .fault(Fault::once(slow).on_method("PATCH"))
        .unwrap();
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world
        .until("the change to be on its way", |world| {
            world.changes().len() == 1
        })
        .await;
    world.handle().set_key(&"sk_new".into()).unwrap();
    world.clock.advance(SECOND);
    world.wait_for(ana, "delivered").await;
    assert_eq!(world.handle().status().state, State::Delivering);
}

#[tokio::test]
async fn a_person_can_pause_and_go_on() {
    let mut world = World::with_customers(&["ana"]).await;
    world.handle().pause(world.clock.now());
    world
        .until("the pause", |world| is_paused(world, PauseReason::Asked))
        .await;
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world
        .until("the lane", |world| world.handle().status().lanes == 1)
        .await;
    world.clock.advance(MINUTE * 60);
    assert!(world.sandbox.exchanges().is_empty());
    world.handle().resume();
    world.wait_for(ana, "delivered").await;
}
