//! Finding the customer: by several lines, gone and back, unknown, new.

use jiff::SignedDuration;
use quentli_gateway::{
    customer::{FindBy, OnMissing, Patch},
    sandbox::{Action, Fault},
};
use serde_json::json;

use crate::support::{MINUTE, SECOND, Update, World, data, id_of, number};

fn username(name: &str) -> FindBy {
    FindBy::Username(name.to_owned())
}

fn email(name: &str) -> FindBy {
    FindBy::Email(format!("{name}@x.mx"))
}

#[tokio::test]
async fn the_lines_are_tried_in_order_and_a_match_is_remembered() {
    let mut world = World::with_customers(&["ana"]).await;
    let find = vec![username("nobody"), email("ana")];
    let first = world
        .accept(Update::by(find.clone(), &json!({"name": "One"})))
        .await;
    world.wait_for(first, "delivered").await;
    assert_eq!(world.looks().len(), 2);
    let by_email = vec![email("ana")];
    let second = world
        .accept(Update::by(by_email.clone(), &json!({"name": "Two"})))
        .await;
    world.wait_for(second, "delivered").await;
    assert_eq!(world.looks().len(), 2, "it was looked up again");
    world.clock.advance(MINUTE * 11);
    let third = world
        .accept(Update::by(by_email, &json!({"name": "Three"})))
        .await;
    world.wait_for(third, "delivered").await;
    assert_eq!(world.looks().len(), 3, "it was remembered for too long");
}

#[tokio::test]
async fn a_remembered_customer_that_is_gone_is_looked_for_again() {
    let mut world = World::with_customers(&["ana"]).await;
    let first = world
        .accept(Update::by_username("ana", &json!({"name": "One"})))
        .await;
    world.wait_for(first, "delivered").await;
    world.sandbox.clear();
    world
        .sandbox
        .add(&json!({"id": "cus-other", "username": "ana"}))
        .unwrap();
    let second = world
        .accept(Update::by_username("ana", &json!({"name": "Two"})))
        .await;
    world.wait_for(second, "delivered").await;
    assert_eq!(world.sandbox.customer("cus-other").unwrap()["name"], "Two");
    assert_eq!(world.attempts(second).await.len(), 1);
}

#[tokio::test]
async fn a_binding_is_dropped_when_we_change_what_it_rests_on() {
    let mut world = World::with_customers(&["ana"]).await;
    let rename = world
        .accept(Update::by_username("ana", &json!({"username": "ana2"})))
        .await;
    world.wait_for(rename, "delivered").await;
    world
        .sandbox
        .add(&json!({"id": "cus-new", "username": "ana"}))
        .unwrap();
    let next = world
        .accept(Update::by_username("ana", &json!({"name": "The new one"})))
        .await;
    world.wait_for(next, "delivered").await;
    assert_eq!(
        world.sandbox.customer("cus-new").unwrap()["name"],
        "The new one"
    );
}

#[tokio::test]
async fn a_customer_whom_quentli_does_not_have_follows_the_mapping() {
    let mut world = World::with_customers(&["ana"]).await;
    let update =
        |on_missing| Update::by_username("nobody", &json!({"name": "N"})).on_missing(on_missing);
    let failed = world.accept(update(OnMissing::Fail)).await;
    world.wait_for(failed, "dead customer-not-found").await;
    let dropped = world.accept(update(OnMissing::Drop)).await;
    world.wait_for(dropped, "dropped").await;
    let gone = world
        .accept(Update::by_id("gone", &json!({"name": "N"})).on_missing(OnMissing::Fail))
        .await;
    world.wait_for(gone, "dead customer-not-found").await;
    let retried = world.accept(update(OnMissing::Retry)).await;
    world.wait_for(retried, "looking").await;
    let other = world
        .accept(Update::by_username("ana", &json!({"name": "Ana"})))
        .await;
    world.wait_for(other, "delivered").await;
}

#[tokio::test]
async fn a_customer_who_appears_later_gets_its_updates_in_order() {
    let mut world = World::with_customers(&[]).await;
    let mut events = Vec::new();
    for name in ["One", "Two", "Three"] {
        events.push(
            world
                .accept(Update::by_username("ana", &json!({"name": name})))
                .await,
        );
    }
    world.wait_for(events[0], "looking").await;
    world.clock.advance(MINUTE * 60);
    world.wait_for(events[0], "looking").await;
    world.add_customer("ana");
    world.drive_until_done(MINUTE).await;
    let names: Vec<_> = world.changes().iter().map(data).collect();
    assert_eq!(
        names,
        ["One", "Two", "Three"].map(|name| json!({"name": name}))
    );
}

#[tokio::test]
async fn a_customer_who_never_appears_is_looked_for_a_bounded_time() {
    let mut world = World::with_customers(&[]).await;
    let event = world
        .accept(Update::by_username("nobody", &json!({"name": "N"})))
        .await;
    world.drive_until_done(MINUTE * 10).await;
    assert_eq!(world.standing(event).await, "dead customer-not-found");
    let week = MINUTE * 60 * 24 * 7;
    let looked = world.clock.elapsed();
    // The clock runs on while an answer is on its way, a long way on a busy machine.
    assert!(looked >= week, "looked for {looked:?}");
    assert!(looked <= week * 2, "looked for {looked:?}");
    assert!(world.looks().len() < 400, "{} looks", world.looks().len());
}

#[tokio::test]
async fn a_new_customer_is_created_once_also_when_the_answer_is_lost() {
    let mut world = World::with_customers(&[]).await;
    let fields: Patch =
        serde_json::from_value(json!({"username": "ana", "skipTaxInvoice": true})).unwrap();
    let update =
        |patch| Update::by_username("ana", &patch).on_missing(OnMissing::Create(fields.clone()));
    world
        .sandbox
        .fault(Fault::once(Action::CutAfter).on_method("POST"))
        .unwrap();
    let first = world
        .accept(update(json!({"name": "Ana", "replyWithAssistant": true})))
        .await;
    let second = world.accept(update(json!({"name": "Ana María"}))).await;
    world.drive_until_done(SECOND).await;
    world.wait_for(first, "delivered").await;
    world.wait_for(second, "delivered").await;
    assert_eq!(world.sandbox.customer_count(), 1);
    let ana = world.sandbox.customer_by_username("ana").unwrap();
    assert_eq!(ana["name"], "Ana María");
    assert_eq!(ana["skipTaxInvoice"], true);
    assert_eq!(ana["replyWithAssistant"], true);
}

#[tokio::test]
async fn a_creation_that_is_refused_is_for_a_person() {
    let mut world = World::with_customers(&["eva"]).await;
    // Eva's address is taken, and the new user name is nobody's.
    let patch = json!({"name": "Ana", "email": "eva@x.mx"});
    let create = OnMissing::Create(Patch::new());
    let event = world
        .accept(Update::by_username("ana", &patch).on_missing(create))
        .await;
    world.wait_for(event, "dead refused").await;
    assert_eq!(world.sandbox.customer_count(), 1);
}

#[tokio::test]
async fn two_lanes_of_one_customer_are_one_lane() {
    let mut world = World::new().await;
    world.add_customer("ana");
    for number in 0..30 {
        let patch = json!({"metadata": [{"key": "n", "value": number.to_string()}]});
        let update = match number % 3 {
            0 => Update::by_username("ana", &patch),
            1 => Update::by_email("ana", &patch),
            _ => Update::by_id("ana", &patch),
        };
        world.accept(update).await;
    }
    let id = id_of("ana");
    let slow = Fault::times(10, Action::Slow { milliseconds: 50 }).on_method("PATCH");
    world.sandbox.fault(slow).unwrap();
    world.deliver();
    world.drive_until_done(SECOND / 20).await;
    assert_eq!(world.sandbox.most_changes_in_flight(&id), 1);
    let metadata = world.at_quentli("ana", "metadata");
    assert_eq!(metadata, json!([{"key": "n", "value": "29"}]));
}

#[tokio::test]
async fn lanes_that_a_look_up_shows_to_be_the_same_customers_keep_the_order_of_acceptance() {
    let mut world = World::new().await;
    world.add_customer("ana");
    for number in 0..20 {
        let patch = json!({"metadata": [{"key": "n", "value": number.to_string()}]});
        let update = match number % 2 {
            0 => Update::by_email("ana", &patch),
            _ => Update::by_username("ana", &patch),
        };
        world.accept(update).await;
    }
    world.deliver();
    world.drive_until_done(SECOND / 20).await;
    let values: Vec<_> = world.changes().iter().map(data).collect();
    let expected: Vec<_> = (0..20)
        .map(|number| json!({"metadata": [{"key": "n", "value": number.to_string()}]}))
        .collect();
    assert_eq!(values, expected);
}

#[tokio::test]
async fn two_events_for_one_new_customer_create_one_also_by_different_keys_at_once() {
    let mut world = World::with_customers(&[]).await;
    // Both look before either creates.
    let slow = Fault::times(2, Action::Slow { milliseconds: 200 }).on_method("GET");
    world.sandbox.fault(slow).unwrap();
    let create = OnMissing::Create(Patch::new());
    let both = |name: &str| json!({"name": name, "username": "ana", "email": "ana@x.mx"});
    let by_username = Update::by_username("ana", &both("One")).on_missing(create.clone());
    let by_email = Update::by_email("ana", &both("Two")).on_missing(create);
    let events = [
        world.accept(by_username).await,
        world.accept(by_email).await,
    ];
    world
        .until("both looks", |world| world.looks().len() == 2)
        .await;
    world.drive_until_done(SECOND / 20).await;
    assert_eq!(world.sandbox.customer_count(), 1);
    assert!(
        world.looks().len() > 2,
        "a refused creation is looked for again"
    );
    for event in events {
        let standing = world.standing(event).await;
        assert!(["delivered", "stale"].contains(&&*standing), "{standing}");
    }
    let ana = world.sandbox.customer_by_username("ana").unwrap();
    assert_eq!(ana["name"], "Two", "the one accepted last wins");
}

#[tokio::test]
async fn a_creation_releases_at_once_who_waits_for_the_customer_by_another_key() {
    let mut world = World::with_customers(&[]).await;
    let waits = Update::by_email("ana", &json!({"skipTaxInvoice": true}));
    let waits = world.accept(waits).await;
    world.wait_for(waits, "looking").await;
    let new = json!({"name": "Ana", "email": "ana@x.mx"});
    let create = OnMissing::Create(Patch::new());
    world
        .accept(Update::by_username("ana", &new).on_missing(create))
        .await;
    // Nobody moves the clock.
    world.wait_for(waits, "delivered").await;
}

#[tokio::test]
async fn an_answer_about_a_customer_releases_at_once_who_waits_for_it_by_another_key() {
    let mut world = World::with_customers(&[]).await;
    let waits = Update::by_email("ana", &json!({"skipTaxInvoice": true}));
    let waits = world.accept(waits).await;
    world.wait_for(waits, "looking").await;
    world.add_customer("ana");
    world
        .accept(Update::by_username("ana", &json!({"name": "Ana"})))
        .await;
    // Nobody moves the clock.
    world.wait_for(waits, "delivered").await;
}

#[tokio::test]
async fn one_look_for_a_key_serves_all_who_are_looked_for_by_it() {
    let mut world = World::new().await;
    world.settings.concurrency = number(1);
    let mut events = Vec::new();
    for count in 0..50 {
        let patch = json!({"metadata": [{"key": "n", "value": count.to_string()}]});
        // Five lanes, which share their second line.
        let lines = vec![email(&format!("nobody{}", count % 5)), username("nobody")];
        let update = Update::by(lines, &patch).on_missing(OnMissing::Drop);
        events.push(world.accept(update).await);
    }
    world.deliver();
    for event in events {
        world.wait_for(event, "dropped").await;
    }
    assert_eq!(world.looks().len(), 6);
}

/// A clock that is mistyped for a minute must not kill what looks for its customer.
#[tokio::test]
async fn a_clock_that_jumps_does_not_end_the_looking() {
    let mut world = World::with_customers(&[]).await;
    let event = world
        .accept(Update::by_username("ana", &json!({"name": "Ana"})))
        .await;
    world.wait_for(event, "looking").await;
    world.clock.set_time_by(SignedDuration::from_hours(24 * 8));
    world.drive_until_attempts(event, 2).await;
    assert_eq!(world.standing(event).await, "looking");
}

/// Nobody is found; the clock is set back; the customer is added, and a new event comes within the same half minute. That
/// nobody was found before it came says nothing about it.
#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_old_answer_count() {
    let mut world = World::with_customers(&[]).await;
    let update = || Update::by_username("ana", &json!({"name": "Ana"})).on_missing(OnMissing::Drop);
    let event = world.accept(update()).await;
    world.wait_for(event, "dropped").await;
    world.add_customer("ana");
    world.clock.set_time_by(SignedDuration::from_secs(-60));
    let event = world.accept(update()).await;
    world.drive_until_done(SECOND / 1000).await;
    assert_eq!(world.standing(event).await, "delivered");
}
