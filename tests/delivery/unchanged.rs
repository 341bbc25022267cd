//! What is not sent, because Quentli has it already or has something newer; and what must be sent all the same.

use std::time::Duration;

use quentli_gateway::{
    event::{End, EventSeq},
    sandbox::{Action, Fault},
    store::Standing,
};
use serde_json::json;

use crate::support::{MINUTE, SECOND, Update, World, data, ended, status};

#[tokio::test]
async fn what_quentli_confirmed_is_not_sent_again_until_it_changes_or_grows_old() {
    let mut world = World::with_customers(&["ana"]).await;
    let grade =
        |grade: &str| json!({"name": "Ana", "metadata": [{"key": "Grado", "value": grade}]});
    for (name, patch, expected, sent) in [
        ("first", grade("5"), "delivered", 1),
        ("same", grade("5"), "unchanged", 1),
        ("part of it", json!({"name": "Ana"}), "unchanged", 1),
        ("other", grade("6"), "delivered", 2),
        ("back again", grade("5"), "delivered", 3),
    ] {
        let event = world.accept(Update::by_username("ana", &patch)).await;
        world.wait_for(event, expected).await;
        assert_eq!(world.changes().len(), sent, "{name}");
    }
    world.clock.advance(MINUTE * 60 * 25);
    let event = world.accept(Update::by_username("ana", &grade("5"))).await;
    world.wait_for(event, "delivered").await;
}

#[tokio::test]
async fn what_is_in_doubt_is_sent_even_if_it_was_confirmed_before() {
    let mut world = World::with_customers(&["ana"]).await;
    let first = world
        .accept(Update::by_id("ana", &json!({"name": "One"})))
        .await;
    world.wait_for(first, "delivered").await;
    // Applied, but Quentli's answer is lost, and then it is refused: what it has now is not known.
    world.sandbox.fault(Fault::once(Action::CutAfter)).unwrap();
    world.sandbox.fault(Fault::once(status(400))).unwrap();
    let lost = world
        .accept(Update::by_id("ana", &json!({"name": "Two"})))
        .await;
    let back = world
        .accept(Update::by_id("ana", &json!({"name": "One"})))
        .await;
    world.drive_until_done(SECOND).await;
    assert_eq!(world.standing(lost).await, "dead refused");
    assert_eq!(world.standing(back).await, "delivered");
    assert_eq!(world.at_quentli("ana", "name"), "One");
}

#[tokio::test]
async fn a_lost_answer_puts_the_parts_in_doubt_at_once() {
    let mut world = World::with_customers(&["ana"]).await;
    let both = json!({"name": "One", "skipTaxInvoice": true});
    let first = world.accept(Update::by_id("ana", &both)).await;
    world.wait_for(first, "delivered").await;
    assert_eq!(world.confirmed("ana").await, ["name", "skipTaxInvoice"]);
    world.sandbox.fault(Fault::once(Action::CutAfter)).unwrap();
    let lost = world
        .accept(Update::by_id("ana", &json!({"name": "Two"})))
        .await;
    world.until_attempts(lost, 1).await;
    assert_eq!(world.confirmed("ana").await, ["skipTaxInvoice"]);
}

#[tokio::test]
async fn an_older_version_of_the_same_source_never_overwrites_a_newer_one() {
    let mut world = World::with_customers(&["ana"]).await;
    let newer = json!({"name": "Newer"});
    let older = json!({"name": "Older", "skipTaxInvoice": true});
    let first = world
        .accept(Update::by_id("ana", &newer).order_by(10))
        .await;
    let mixed = world.accept(Update::by_id("ana", &older).order_by(9)).await;
    let stale = world
        .accept(Update::by_id("ana", &json!({"name": "Oldest"})).order_by(8))
        .await;
    world.wait_for(first, "delivered").await;
    world.wait_for(mixed, "delivered").await;
    world.wait_for(stale, "stale").await;
    assert_eq!(world.at_quentli("ana", "name"), "Newer");
    assert_eq!(data(&world.changes()[1]), json!({"skipTaxInvoice": true}));
    assert_eq!(ended(&world.totals().await, End::Stale), 1);
}

#[tokio::test]
async fn only_the_parts_that_changed_are_sent() {
    let mut world = World::with_customers(&["ana"]).await;
    let patch = |name: &str, grade: Option<&str>, tags: [&str; 2]| {
        let metadata = json!([{"key": "Grado", "value": grade}, {"key": "Turno", "value": "M"}]);
        json!({"name": name, "tags": tags, "metadata": metadata})
    };
    for (number, (name, grade, tags)) in [
        ("Ana", Some("5"), ["a", "b"]),
        ("Ana María", Some("5"), ["b", "a"]),
        ("Ana María", None, ["a", "b"]),
        ("Ana María", None, ["a", "c"]),
    ]
    .into_iter()
    .enumerate()
    {
        let update = Update::by_id("ana", &patch(name, grade, tags));
        let event = world
            .accept(update.order_by(i64::try_from(number).unwrap()))
            .await;
        world.wait_for(event, "delivered").await;
    }
    let sent: Vec<_> = world.changes().iter().skip(1).map(data).collect();
    assert_eq!(
        sent,
        [
            json!({"name": "Ana María"}),
            json!({"metadata": [{"key": "Grado", "value": null}]}),
            json!({"tags": ["a", "c"]}),
        ]
    );
    // A null that was confirmed is a value like any other.
    let again = patch("Ana María", None, ["c", "a"]);
    let again = world.accept(Update::by_id("ana", &again)).await;
    world.wait_for(again, "unchanged").await;
}

#[tokio::test]
async fn with_no_age_to_rely_on_everything_is_sent() {
    let mut world = World::with_customers(&["ana"]).await;
    world.settings.unchanged_for = Duration::ZERO;
    world.kill().await;
    world.deliver();
    for _ in 0..2 {
        let event = world
            .accept(Update::by_id("ana", &json!({"name": "Ana"})))
            .await;
        world.wait_for(event, "delivered").await;
    }
    assert_eq!(world.changes().len(), 2);
}

#[tokio::test]
async fn what_was_sent_before_the_process_died_is_never_taken_for_unchanged() {
    let mut world = World::with_customers(&["ana"]).await;
    let name = |name: &str| Update::by_id("ana", &json!({"name": name}));
    let first = world.accept(name("A")).await;
    world.wait_for(first, "delivered").await;
    // B is applied, and the process dies before it hears of it.
    let fault = Fault::once(Action::Slow {
        milliseconds: 60_000,
    })
    .on_method("PATCH");
    world.sandbox.fault(fault).unwrap();
    let lost = world.accept(name("B")).await;
    let back = world.accept(name("A")).await;
    world
        .until("B is applied", |world| {
            world.at_quentli("ana", "name") == "B"
        })
        .await;
    world.kill_and_reopen().await;
    world.deliver();
    world.drive_until_done(SECOND).await;
    assert_eq!(world.standing(lost).await, "delivered");
    assert_eq!(world.standing(back).await, "delivered");
    assert_eq!(world.at_quentli("ana", "name"), "A");
}

#[tokio::test]
async fn an_older_version_is_stale_although_another_source_wrote_and_the_process_started_anew() {
    let mut world = World::with_customers(&["ana"]).await;
    let name = |name: &str| Update::by_id("ana", &json!({"name": name}));
    let ours = world.accept(name("Ours").order_by(10)).await;
    let hers = name("Hers").of_source("crm").order_by(1);
    let hers = world.accept(hers).await;
    world.wait_for(hers, "delivered").await;
    assert_eq!(world.standing(ours).await, "delivered");
    world.kill_and_reopen().await;
    world.deliver();
    let older = world.accept(name("Older").order_by(9)).await;
    world.wait_for(older, "stale").await;
    let newer = world.accept(name("Newer").order_by(11)).await;
    world.wait_for(newer, "delivered").await;
    assert_eq!(world.at_quentli("ana", "name"), "Newer");
}

#[tokio::test]
async fn a_part_in_doubt_still_knows_what_is_older() {
    let mut world = World::with_customers(&["ana"]).await;
    let name = |name: &str, order| Update::by_id("ana", &json!({"name": name})).order_by(order);
    let first = world.accept(name("Ten", 10)).await;
    world.wait_for(first, "delivered").await;
    world.sandbox.fault(Fault::once(Action::CutAfter)).unwrap();
    world.sandbox.fault(Fault::once(status(400))).unwrap();
    let lost = world.accept(name("Eleven", 11)).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(world.standing(lost).await, "dead refused");
    let older = world.accept(name("Nine", 9)).await;
    world.wait_for(older, "stale").await;
    // Neither the version nor the doubt is lost: what was confirmed first must be sent again.
    let same = world.accept(name("Ten", 10)).await;
    world.wait_for(same, "delivered").await;
    assert_eq!(world.at_quentli("ana", "name"), "Ten");
}

#[tokio::test]
async fn an_unchanged_update_raises_the_version() {
    let mut world = World::with_customers(&["ana"]).await;
    let name = |name: &str, order| Update::by_id("ana", &json!({"name": name})).order_by(order);
    for (update, expected) in [
        (name("Ana", 5), "delivered"),
        (name("Ana", 9), "unchanged"),
        (name("Between", 7), "stale"),
    ] {
        let event = world.accept(update).await;
        world.wait_for(event, expected).await;
    }
}

#[tokio::test]
async fn an_unchanged_part_of_a_sent_update_raises_its_version_too() {
    let mut world = World::with_customers(&["ana"]).await;
    let both = |name: &str, skip: bool, order| {
        let patch = json!({"name": name, "skipTaxInvoice": skip});
        Update::by_id("ana", &patch).order_by(order)
    };
    for (update, expected) in [
        (both("Ana", true, 5), "delivered"),
        (both("Ana", false, 9), "delivered"),
        (both("Between", true, 7), "stale"),
    ] {
        let event = world.accept(update).await;
        world.wait_for(event, expected).await;
    }
    assert_eq!(data(&world.changes()[1]), json!({"skipTaxInvoice": false}));
}

#[tokio::test]
async fn what_was_accepted_first_overwrites_nothing_when_its_customer_is_known_too_late() {
    let mut world = World::new().await;
    world.deliver();
    let early = Update::by_username("ana", &json!({"name": "Early", "skipTaxInvoice": true}));
    let early = world.accept(early).await;
    world.wait_for(early, "looking").await;
    world.add_customer("ana");
    let late = world
        .accept(Update::by_id("ana", &json!({"name": "Late"})))
        .await;
    world.wait_for(late, "delivered").await;
    world.drive_until_done(MINUTE).await;
    assert_eq!(world.standing(early).await, "delivered");
    assert_eq!(data(&world.changes()[1]), json!({"skipTaxInvoice": true}));
    assert_eq!(world.at_quentli("ana", "name"), "Late");
}

/// The name of `ana` is A and confirmed. Then an update by her user name made it B in Quentli, and nobody has heard of
/// that. Gives that update.
async fn confirmed_and_then_changed_unheard(world: &mut World, confirmed: Update) -> EventSeq {
    let first = world.accept(confirmed).await;
    world.wait_for(first, "delivered").await;
    let unheard = Action::Slow {
        milliseconds: 60_000,
    };
    world
        .sandbox
        .fault(Fault::once(unheard).on_method("PATCH"))
        .unwrap();
    let update = Update::by_username("ana", &json!({"name": "B"}));
    let lost = world.accept(update).await;
    world
        .until("B is applied", |world| {
            world.at_quentli("ana", "name") == "B"
        })
        .await;
    lost
}

/// A person gives it up.
async fn discard(world: &World, event: EventSeq) {
    let Standing::Open { pos, .. } = world.record(event).await.standing else {
        panic!("it has ended");
    };
    let now = world.clock.now();
    let gone = world.hands.discard(vec![pos], None, now).await.unwrap();
    assert_eq!(gone.len(), 1);
}

/// Comes once more, and must reach Quentli.
async fn comes_back(world: &mut World, update: Update) {
    let back = world.accept(update).await;
    world.drive_until_done(SECOND).await;
    let back = world.standing(back).await;
    assert_eq!(world.at_quentli("ana", "name"), "A", "A ended as {back}");
}

fn a_by_username() -> Update {
    Update::by_username("ana", &json!({"name": "A"}))
}

#[tokio::test]
async fn what_was_sent_before_the_process_died_is_in_doubt_whatever_names_the_customer() {
    let mut world = World::with_customers(&["ana"]).await;
    let a_by_id = || Update::by_id("ana", &json!({"name": "A"}));
    let lost = confirmed_and_then_changed_unheard(&mut world, a_by_id()).await;
    world.kill_and_reopen().await;
    // For a moment it cannot be found out whose B is.
    let away = Fault::times(3, status(503)).on_method("GET");
    world.sandbox.fault(away).unwrap();
    world.deliver();
    world.until_attempts(lost, 1).await;
    comes_back(&mut world, a_by_id()).await;
}

#[tokio::test]
async fn what_was_sent_before_the_process_died_and_is_discarded_then_leaves_a_doubt() {
    let mut world = World::with_customers(&["ana"]).await;
    let lost = confirmed_and_then_changed_unheard(&mut world, a_by_username()).await;
    world.kill_and_reopen().await;
    discard(&world, lost).await;
    world.deliver();
    comes_back(&mut world, a_by_username()).await;
}

#[tokio::test]
async fn what_is_discarded_on_its_way_before_the_process_dies_leaves_a_doubt() {
    let mut world = World::with_customers(&["ana"]).await;
    let lost = confirmed_and_then_changed_unheard(&mut world, a_by_username()).await;
    discard(&world, lost).await;
    world.kill_and_reopen().await;
    world.deliver();
    comes_back(&mut world, a_by_username()).await;
}
