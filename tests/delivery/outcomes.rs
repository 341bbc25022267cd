//! What becomes of a delivery, by what Quentli answers.

use quentli_gateway::{
    event::AttemptOutcome,
    sandbox::{Action, Fault, RetryAfter},
};
use serde_json::json;

use crate::support::{MINUTE, SECOND, Update, World, status};

#[tokio::test]
async fn a_confirmed_change_is_delivered_and_remembered() {
    let mut world = World::with_customers(&["ana"]).await;
    let event = world
        .accept(Update::by_username("ana", &json!({"name": "Ana"})))
        .await;
    world.wait_for(event, "delivered").await;
    assert_eq!(world.at_quentli("ana", "name"), "Ana");
    let attempts = world.attempts(event).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome, AttemptOutcome::Delivered);
    assert_eq!(
        world.record(event).await.customer.unwrap().as_str(),
        "cus-ana"
    );
}

#[tokio::test]
async fn trouble_is_tried_again_until_it_is_over() {
    for action in [
        status(500),
        status(503),
        status(408),
        status(425),
        status(429),
        Action::CutBefore,
        Action::CutAfter,
        Action::Html,
        Action::WithoutCustomer,
        Action::OtherCustomer,
        Action::Redirect,
    ] {
        let mut world = World::with_customers(&["ana"]).await;
        let fault = Fault::times(2, action.clone()).on_method("PATCH");
        world.sandbox.fault(fault).unwrap();
        let event = world
            .accept(Update::by_id("ana", &json!({"name": "Ana"})))
            .await;
        world.drive_until_done(SECOND).await;
        assert_eq!(world.standing(event).await, "delivered", "{action:?}");
        assert_eq!(world.changes().len(), 3, "{action:?}");
        assert_eq!(world.attempts(event).await.len(), 3, "{action:?}");
    }
}

#[tokio::test]
async fn a_refused_change_waits_for_a_person_with_quentlis_message_and_the_next_one_goes_on() {
    let mut world = World::with_customers(&["ana"]).await;
    for code in [400, 409, 422, 418] {
        let refusal = Action::Status {
            status: code,
            retry_after: None,
            message: Some("That will not do".to_owned()),
        };
        world.sandbox.fault(Fault::once(refusal)).unwrap();
        let refused = world
            .accept(Update::by_id("ana", &json!({"name": format!("{code}")})))
            .await;
        let next = world
            .accept(Update::by_id(
                "ana",
                &json!({"name": format!("after {code}")}),
            ))
            .await;
        world.wait_for(refused, "dead refused").await;
        world.wait_for(next, "delivered").await;
        let attempts = world.attempts(refused).await;
        assert_eq!(attempts.len(), 1, "{code}");
        assert_eq!(attempts[0].status, Some(code));
        assert!(
            attempts[0]
                .message
                .as_ref()
                .unwrap()
                .contains("That will not do")
        );
    }
}

#[tokio::test]
async fn what_is_forbidden_for_one_customer_is_that_deliverys_end_only() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    let fault = Fault::always(status(403)).on_customer("cus-ana");
    world.sandbox.fault(fault).unwrap();
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    let eva = world
        .accept(Update::by_id("eva", &json!({"name": "Eva"})))
        .await;
    world.wait_for(ana, "dead forbidden").await;
    world.wait_for(eva, "delivered").await;
}

#[tokio::test]
async fn the_budget_ends_in_front_of_a_person_and_counts_own_waits_only() {
    let mut world = World::with_customers(&["ana"]).await;
    world.settings.policy.retry_for = MINUTE;
    world.kill().await;
    world.deliver();
    world
        .sandbox
        .fault(Fault::always(status(503)).on_method("PATCH"))
        .unwrap();
    let event = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world
        .until("the first attempt", |world| !world.changes().is_empty())
        .await;
    // A pause much longer than the budget.
    world.handle().pause(world.clock.now());
    world
        .until("the pause", |world| world.handle().status().in_flight == 0)
        .await;
    world.clock.advance(MINUTE * 60);
    let before = world.changes().len();
    world.handle().resume();
    world
        .until("an attempt after the pause", |world| {
            world.changes().len() > before
        })
        .await;
    world.drive_until_done(SECOND / 5).await;
    assert_eq!(world.standing(event).await, "dead retries-exhausted");
    assert!(world.attempts(event).await.len() > 2);
}

#[tokio::test]
async fn nothing_leaves_before_retry_after_has_passed_for_any_customer() {
    let mut world = World::with_customers(&["ana", "eva", "eli"]).await;
    let busy = Action::Status {
        status: 429,
        retry_after: Some(RetryAfter::Seconds(30)),
        message: None,
    };
    world.sandbox.fault(Fault::once(busy)).unwrap();
    let ana = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world.wait_for(ana, "waiting").await;
    world
        .until("the hold", |world| {
            world.changes().len() == 1 && world.handle().status().in_flight == 0
        })
        .await;
    world
        .accept(Update::by_id("eva", &json!({"name": "Eva"})))
        .await;
    world
        .accept(Update::by_username("eli", &json!({"name": "Eli"})))
        .await;
    world.drive_until_done(SECOND).await;
    let exchanges = world.sandbox.exchanges();
    let throttled_at = exchanges[0].at;
    assert!(exchanges.len() >= 5);
    for exchange in &exchanges[1..] {
        let waited = exchange.at.duration_since(throttled_at);
        assert!(waited.as_secs() >= 30, "a request left after {waited:?}");
    }
}
