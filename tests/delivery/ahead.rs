//! One that creates its customer is not held by one that waits for the same customer.

use quentli_gateway::{
    customer::{FindBy, OnMissing, Patch},
    sandbox::{Action, Fault},
};
use serde_json::{Value, json};

use crate::support::{MINUTE, SECOND, Update, World, data, status};

fn waits(patch: &Value) -> Update {
    Update::by_username("ana", patch)
}

fn creates(patch: &Value) -> Update {
    waits(patch).on_missing(OnMissing::Create(Patch::new()))
}

fn ana(world: &World) -> Value {
    world.sandbox.customer_by_username("ana").unwrap()
}

#[tokio::test]
async fn the_customer_is_created_now_and_the_earlier_update_overwrites_nothing_later() {
    let mut world = World::new().await;
    let early = json!({"name": "Old", "skipTaxInvoice": true});
    let early = world.accept(waits(&early)).await;
    let between = json!({"name": "Older", "replyWithAssistant": true});
    let between = world.accept(waits(&between)).await;
    let creation = world.accept(creates(&json!({"name": "Ana"}))).await;
    let later = world.accept(waits(&json!({"tags": ["b"]}))).await;
    world.deliver();
    for event in [creation, early, between, later] {
        world.wait_for(event, "delivered").await;
    }
    assert_eq!(world.sandbox.customer_count(), 1);
    assert_eq!(ana(&world)["name"], "Ana");
    let after: Vec<_> = world.changes().iter().map(data).collect();
    assert_eq!(
        after,
        [
            json!({"skipTaxInvoice": true}),
            json!({"replyWithAssistant": true}),
            json!({"tags": ["b"]})
        ]
    );
}

#[tokio::test]
async fn a_greater_version_of_the_same_source_wins_although_it_comes_after_the_creation() {
    for (source, expected) in [("sis", "Newest"), ("crm", "Ana")] {
        let mut world = World::new().await;
        let early = waits(&json!({"name": "Newest"})).order_by(9);
        let early = world.accept(early.of_source(source)).await;
        let creation = creates(&json!({"name": "Ana"})).order_by(5);
        world.accept(creation).await;
        world.deliver();
        world.drive_until_done(SECOND).await;
        let end = if source == "sis" {
            "delivered"
        } else {
            "stale"
        };
        assert_eq!(world.standing(early).await, end);
        assert_eq!(ana(&world)["name"], expected, "{source}");
    }
}

#[tokio::test]
async fn a_customer_that_is_looked_for_already_is_created_at_once_when_somebody_may() {
    let mut world = World::with_customers(&[]).await;
    let early = world.accept(waits(&json!({"skipTaxInvoice": true}))).await;
    world.wait_for(early, "looking").await;
    let creation = world.accept(creates(&json!({"name": "Ana"}))).await;
    // Nobody moves the clock.
    world.wait_for(creation, "delivered").await;
    world.wait_for(early, "delivered").await;
    assert_eq!(ana(&world)["skipTaxInvoice"], true);
}

#[tokio::test]
async fn what_cannot_create_for_want_of_a_name_waits_behind_the_first() {
    let mut world = World::with_customers(&[]).await;
    let early = world.accept(waits(&json!({"name": "Old"}))).await;
    world.wait_for(early, "looking").await;
    let nameless = world.accept(creates(&json!({"tags": ["a"]}))).await;
    world.clock.advance(MINUTE * 2);
    world.until_attempts(early, 2).await;
    assert_eq!(world.standing(nameless).await, "waiting");
    world.add_customer("ana");
    world.drive_until_done(MINUTE).await;
    assert_eq!(world.standing(nameless).await, "delivered");
    assert_eq!(ana(&world)["name"], "Old");
}

#[tokio::test]
async fn a_creation_that_meets_trouble_is_tried_again_and_makes_one_customer() {
    for trouble in [status(503), Action::CutAfter, Action::CutBefore] {
        let mut world = World::new().await;
        let fault = Fault::times(2, trouble.clone()).on_method("POST");
        world.sandbox.fault(fault).unwrap();
        let early = json!({"name": "Old", "skipTaxInvoice": true});
        let early = world.accept(waits(&early)).await;
        let creation = world.accept(creates(&json!({"name": "Ana"}))).await;
        world.deliver();
        world.drive_until_done(SECOND).await;
        assert_eq!(world.standing(early).await, "delivered", "{trouble:?}");
        assert_eq!(world.standing(creation).await, "delivered", "{trouble:?}");
        assert_eq!(world.sandbox.customer_count(), 1);
        assert_eq!(ana(&world)["name"], "Ana", "{trouble:?}");
        assert_eq!(ana(&world)["skipTaxInvoice"], true, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_creation_that_is_refused_leaves_the_first_waiting_and_lets_the_next_one_try() {
    let mut world = World::new().await;
    world.add_customer("eva");
    let early = world.accept(waits(&json!({"skipTaxInvoice": true}))).await;
    let taken = json!({"name": "Ana", "email": "eva@x.mx"});
    let refused = world.accept(creates(&taken)).await;
    world.deliver();
    world.wait_for(refused, "dead refused").await;
    world.wait_for(early, "looking").await;
    let creation = world.accept(creates(&json!({"name": "Ana"}))).await;
    world.wait_for(creation, "delivered").await;
    world.wait_for(early, "delivered").await;
}

#[tokio::test]
async fn who_is_found_by_a_line_of_its_own_is_changed_and_nobody_is_created() {
    let mut world = World::new().await;
    world.add_customer("eva");
    let early = world.accept(waits(&json!({"name": "Old"}))).await;
    let lines = vec![
        FindBy::Username("ana".to_owned()),
        FindBy::Email("eva@x.mx".to_owned()),
    ];
    let known = Update::by(lines, &json!({"name": "Eva"}));
    let known = known.on_missing(OnMissing::Create(Patch::new()));
    let known = world.accept(known).await;
    world.deliver();
    world.wait_for(known, "delivered").await;
    world.wait_for(early, "looking").await;
    assert_eq!(world.at_quentli("eva", "name"), "Eva");
    assert_eq!(world.sandbox.customer_count(), 1);
}

#[tokio::test]
async fn nothing_overtakes_what_waits_for_a_paused_source() {
    let mut world = World::with_customers(&[]).await;
    let early = world.accept(waits(&json!({"name": "Old"}))).await;
    world.wait_for(early, "looking").await;
    let crm = "crm".parse().unwrap();
    world.handle().pause_source(&crm);
    let paused = waits(&json!({"tags": ["a"]})).of_source("crm");
    let paused = world.accept(paused).await;
    let creation = world.accept(creates(&json!({"name": "Ana"}))).await;
    world.clock.advance(MINUTE * 2);
    world.until_attempts(early, 2).await;
    assert_eq!(world.standing(creation).await, "waiting");
    assert_eq!(world.standing(paused).await, "waiting");
}
