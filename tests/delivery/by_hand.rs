//! What people do: send again, stop and start.

use std::time::Duration;

use quentli_gateway::{
    customer::OnMissing,
    delivery::Settings,
    event::{DeadReason, DeliveryState, EventSeq, NewerData, OrganisationName, SourceName},
    sandbox::{Action, Fault},
    store::{Bury, Standing},
};
use serde_json::json;

use crate::support::{MINUTE, SECOND, Update, World, data, number};

const DAY: Duration = Duration::from_hours(24);

fn status(status: u16) -> Action {
    Action::Status {
        status,
        retry_after: None,
        message: None,
    }
}

fn names(world: &World) -> Vec<String> {
    let changes = world.changes().into_iter();
    changes
        .map(|change| data(&change)["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Sets a delivery aside that no dispatcher is at work on.
async fn bury(world: &World, event: EventSeq) {
    let Standing::Open { pos, .. } = world.record(event).await.standing else {
        panic!("it has ended");
    };
    let bury = Bury {
        pos,
        accepted_at: world.accepted_at(event),
        revision: 0,
        reason: DeadReason {
            code: "refused",
            message: "a test".to_owned(),
        },
        at: world.clock.now(),
        attempt: None,
        doubt: None,
    };
    let owner = OrganisationName::default_name();
    assert!(world.store.bury(&owner, bury).await.unwrap());
}

#[tokio::test]
async fn what_is_sent_again_leaves_at_once_and_before_what_was_accepted_later() {
    let mut world = World::with_customers(&["ana"]).await;
    let refused = Fault::once(status(400)).on_method("PATCH");
    world.sandbox.fault(refused).unwrap();
    let first = world
        .accept(Update::by_id("ana", &json!({"name": "First"})))
        .await;
    world.wait_for(first, "dead refused").await;
    world.handle().pause(world.clock.now());
    world
        .accept(Update::by_id("ana", &json!({"name": "Second"})))
        .await;
    assert_eq!(world.redeliver(&[first], NewerData::Kept).await, 1);
    world.handle().resume();
    world.drive_until_done(Duration::ZERO).await;
    assert_eq!(names(&world), ["First", "First", "Second"]);
    let attempts = world.attempts(first).await;
    let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn what_is_sent_again_does_not_wait_for_the_retry_of_a_later_one() {
    let mut world = World::with_customers(&["ana"]).await;
    let refused = Fault::once(status(400)).on_method("PATCH");
    world.sandbox.fault(refused).unwrap();
    let first = world
        .accept(Update::by_id("ana", &json!({"name": "First"})))
        .await;
    world.wait_for(first, "dead").await;
    let busy = Fault::times(1, status(503)).on_method("PATCH");
    world.sandbox.fault(busy).unwrap();
    let second = world
        .accept(Update::by_id("ana", &json!({"name": "Second"})))
        .await;
    world.until_attempts(second, 1).await;
    world.redeliver(&[first], NewerData::Kept).await;
    // No time passes. The later one has its turn as soon as the one before it is delivered, so it may be through by now.
    world.wait_for(first, "delivered").await;
    world.drive_until_done(SECOND).await;
    assert_eq!(names(&world), ["First", "Second", "First", "Second"]);
}

#[tokio::test]
async fn newer_data_stays_unless_a_person_wants_it_overwritten() {
    for (newer, end, name, phone) in [
        (NewerData::Kept, "delivered", "Newer", "+525511111111"),
        (
            NewerData::Overwritten,
            "delivered",
            "Older",
            "+525511111111",
        ),
    ] {
        let mut world = World::with_customers(&["ana"]).await;
        let refused = Fault::once(status(400)).on_method("PATCH");
        world.sandbox.fault(refused).unwrap();
        let older = json!({"name": "Older", "phoneNumber": "+525511111111"});
        let older = world.accept(Update::by_id("ana", &older)).await;
        world.wait_for(older, "dead refused").await;
        let later = world
            .accept(Update::by_id("ana", &json!({"name": "Newer"})))
            .await;
        world.wait_for(later, "delivered").await;
        world.redeliver(&[older], newer).await;
        world.wait_for(older, end).await;
        assert_eq!(world.at_quentli("ana", "name"), name);
        assert_eq!(world.at_quentli("ana", "phoneNumber"), phone);
    }
}

#[tokio::test]
async fn attempts_and_budget_begin_anew() {
    let mut world = World::new().await;
    world.add_customer("ana");
    world.settings.policy.retry_for = MINUTE;
    world.deliver();
    let fault = Fault::always(status(503)).on_method("PATCH");
    world.sandbox.fault(fault).unwrap();
    let event = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world.drive_until_done(SECOND).await;
    assert_eq!(world.standing(event).await, "dead retries-exhausted");
    let before = world.attempts(event).await.len();
    world.redeliver(&[event], NewerData::Kept).await;
    world.until_attempts(event, before + 1).await;
    world.wait_for(event, "waiting").await;
    world.sandbox.lift_faults();
    world.drive_until_done(SECOND).await;
    assert_eq!(world.standing(event).await, "delivered");
}

#[tokio::test]
async fn a_customer_who_was_missing_is_looked_for_as_long_as_the_first_time() {
    let mut world = World::with_customers(&[]).await;
    let missing_for = world.settings.policy.missing_for;
    let event = world
        .accept(Update::by_username("ana", &json!({"name": "Ana"})))
        .await;
    world.until_attempts(event, 1).await;
    world.clock.advance(missing_for);
    world
        .drive_for(event, "dead customer-not-found", MINUTE)
        .await;
    world.redeliver(&[event], NewerData::Kept).await;
    world.wait_for(event, "looking").await;
    world.add_customer("ana");
    world.clock.advance(missing_for / 2);
    world.drive_for(event, "delivered", MINUTE).await;
}

#[tokio::test]
async fn what_waits_for_its_retry_is_tried_at_once_where_a_person_wants_it() {
    let mut world = World::with_customers(&["ana"]).await;
    let busy = Fault::times(3, status(503)).on_method("PATCH");
    world.sandbox.fault(busy).unwrap();
    let first = world
        .accept(Update::by_id("ana", &json!({"name": "First"})))
        .await;
    let second = world
        .accept(Update::by_id("ana", &json!({"name": "Second"})))
        .await;
    world
        .drive_until("three attempts", SECOND, |world| world.changes().len() == 3)
        .await;
    world.wait_for(first, "waiting").await;
    let created = world.totals().await.created;
    assert_eq!(world.redeliver(&[first], NewerData::Kept).await, 1);
    // No time passes.
    world.wait_for(first, "delivered").await;
    world.wait_for(second, "delivered").await;
    assert_eq!(world.at_quentli("ana", "name"), "Second");
    assert_eq!(world.totals().await.created, created, "nothing is new");
}

#[tokio::test]
async fn what_is_looked_for_is_looked_for_at_once_where_a_person_wants_it() {
    let mut world = World::with_customers(&[]).await;
    let event = world
        .accept(Update::by_username("ana", &json!({"name": "Ana"})))
        .await;
    world.wait_for(event, "looking").await;
    world.add_customer("ana");
    world.redeliver(&[event], NewerData::Kept).await;
    // No time passes, so that nobody was found a moment ago is still known.
    world.wait_for(event, "delivered").await;
}

#[tokio::test]
async fn what_died_because_nobody_was_found_a_moment_ago_is_looked_for_again() {
    let mut world = World::with_customers(&[]).await;
    let update = |name: &str| {
        let update = Update::by_username("ana", &json!({"name": name}));
        update.on_missing(OnMissing::Fail)
    };
    let event = world.accept(update("Ana")).await;
    world.wait_for(event, "dead customer-not-found").await;
    world.add_customer("ana");
    world.redeliver(&[event], NewerData::Kept).await;
    world.wait_for(event, "delivered").await;
}

#[tokio::test]
async fn what_is_sent_again_while_it_is_on_its_way_goes_once_more() {
    let mut world = World::with_customers(&["ana"]).await;
    let slow = Fault::once(Action::Slow { milliseconds: 300 });
    world.sandbox.fault(slow.on_method("PATCH")).unwrap();
    let event = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world
        .until("the attempt", |world| {
            world.handle().status().in_flight == 1
        })
        .await;
    assert_eq!(world.redeliver(&[event], NewerData::Kept).await, 1);
    world.drive_until_done(SECOND / 10).await;
    assert_eq!(world.standing(event).await, "delivered");
    assert_eq!(names(&world), ["Ana", "Ana"], "the first may have failed");
    let attempts = world.attempts(event).await;
    let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2], "both were made");
}

/// 10,000 dead deliveries of as many customers, sent again while no dispatcher is at work.
async fn with_ten_thousand_sent_again() -> World {
    let mut world = World::new().await;
    world.settings = Settings {
        rate: number(5),
        burst: number(1),
        ..Settings::default()
    };
    let mut events = Vec::new();
    for number in 0..10_000 {
        let username = format!("again-{number}");
        world.add_customer(&username);
        let update = Update::by_id(&username, &json!({"name": "N"}));
        let event = world.accept(update).await;
        bury(&world, event).await;
        events.push(event);
    }
    world.add_customer("eva");
    for page in events.chunks(500) {
        assert_eq!(world.redeliver(page, NewerData::Kept).await, 500);
    }
    world
}

/// How many changes left between the acceptance of one for Eva and its own.
async fn place_of_eva(world: &mut World) -> usize {
    world
        .drive_until("the lanes", Duration::ZERO, |world| {
            let status = world.handle().status();
            !status.loading && status.redelivering > 9_000
        })
        .await;
    let enough = world.changes().len() + 2;
    world
        .drive_until("some changes", SECOND / 10, |world| {
            world.changes().len() >= enough
        })
        .await;
    let before = world.changes().len();
    let eva = Update::by_id("eva", &json!({"name": format!("Eva {before}")}));
    world.accept(eva).await;
    let of_eva = |world: &World| {
        let changes = world.changes();
        let is_evas = |change: &quentli_gateway::sandbox::Exchange| {
            change.customer.as_deref() == Some("cus-eva")
        };
        changes.iter().skip(before).position(is_evas)
    };
    world
        .drive_until("Eva's turn", SECOND / 10, |world| of_eva(world).is_some())
        .await;
    of_eva(world).unwrap()
}

#[tokio::test]
async fn one_new_update_does_not_wait_for_ten_thousand_that_are_sent_again() {
    let mut world = with_ten_thousand_sent_again().await;
    world.deliver();
    let place = place_of_eva(&mut world).await;
    assert!(place < 8, "Eva came after {place} changes");
    world.kill_and_reopen().await;
    world.deliver();
    let place = place_of_eva(&mut world).await;
    assert!(place < 8, "Eva came after {place} changes, after a restart");
    let totals = world.totals().await;
    let ended: u64 = totals.ended.iter().sum();
    assert_eq!(totals.created, totals.waiting + totals.dead + ended);
}

#[tokio::test]
async fn a_new_update_of_one_who_is_sent_again_lifts_its_lane() {
    let mut world = with_ten_thousand_sent_again().await;
    world.settings.merge_most = number(1);
    world.deliver();
    world
        .drive_until("some changes", SECOND / 10, |world| {
            world.changes().len() >= 2
        })
        .await;
    let before = world.changes().len();
    let last = Update::by_id("again-9999", &json!({"name": "Newer"}));
    let event = world.accept(last).await;
    world
        .drive_until("the newer one", SECOND / 10, |world| {
            let changes = world.changes();
            changes.iter().any(|change| data(change)["name"] == "Newer")
        })
        .await;
    let changes = world.changes();
    let of_last: Vec<_> = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| change.customer.as_deref() == Some("cus-again-9999"))
        .map(|(place, change)| (place, data(change)["name"].clone()))
        .collect();
    assert_eq!(of_last[0].1, "N", "in its order");
    assert!(of_last[1].0 < before + 15, "{of_last:?}, {before} before");
    world.wait_for(event, "delivered").await;
}

#[tokio::test]
async fn what_waits_is_tried_at_once_also_where_more_is_sent_again_than_can_be_told_one_by_one() {
    for is_elsewhere in [false, true] {
        let mut world = World::with_customers(&["ana"]).await;
        let busy = Fault::once(status(503)).on_method("PATCH");
        world.sandbox.fault(busy).unwrap();
        let event = world
            .accept(Update::by_id("ana", &json!({"name": "Ana"})))
            .await;
        world.until_attempts(event, 1).await;
        world
            .until("its turn's end", |world| {
                world.handle().status().in_flight == 0
            })
            .await;
        let Standing::Open { pos, .. } = world.record(event).await.standing else {
            panic!("it has ended");
        };
        let how = quentli_gateway::event::Redelivery {
            at: world.clock.now(),
            newer: NewerData::Kept,
        };
        let heads = world.hands.redeliver(vec![pos], how).await.unwrap();
        if is_elsewhere {
            world.handle().changed_elsewhere();
        } else {
            world.handle().revived(vec![heads[0].clone(); 10_001]);
        }
        // No time passes.
        world.wait_for(event, "delivered").await;
    }
}

#[tokio::test]
async fn what_was_put_back_without_a_word_is_found_by_a_sweep() {
    let mut world = World::with_customers(&["ana"]).await;
    let refused = Fault::once(status(400)).on_method("PATCH");
    world.sandbox.fault(refused).unwrap();
    let event = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world.wait_for(event, "dead").await;
    let Standing::Open { pos, .. } = world.record(event).await.standing else {
        panic!("it has ended");
    };
    let how = quentli_gateway::event::Redelivery {
        at: world.clock.now(),
        newer: NewerData::Kept,
    };
    // Whoever asked for it died before the dispatcher was told.
    world.hands.redeliver(vec![pos], how).await.unwrap();
    world.clock.advance(world.settings.sweep);
    world.wait_for(event, "delivered").await;
}

#[tokio::test]
async fn a_paused_source_holds_its_own_lanes_and_no_others() {
    let mut world = World::with_customers(&["ana", "eva"]).await;
    let crm: SourceName = "crm".parse().unwrap();
    world.handle().pause_source(&crm);
    let of_crm = Update::by_id("ana", &json!({"name": "By the CRM"})).of_source("crm");
    let held = world.accept(of_crm).await;
    let behind = world
        .accept(Update::by_id("ana", &json!({"name": "By the SIS"})))
        .await;
    let free = world
        .accept(Update::by_id("eva", &json!({"name": "Eva"})))
        .await;
    world.wait_for(free, "delivered").await;
    world
        .until("the lane", |world| world.handle().status().stopped == 1)
        .await;
    world.clock.advance(DAY * 10);
    assert_eq!(names(&world), ["Eva"]);
    assert_eq!(world.standing(held).await, "waiting");
    world.handle().resume_source(&crm, world.clock.now());
    world.wait_for(behind, "delivered").await;
    assert_eq!(names(&world), ["Eva", "By the CRM", "By the SIS"]);
}

#[tokio::test]
async fn time_paused_counts_against_no_patience() {
    for whole in [true, false] {
        let mut world = World::with_customers(&[]).await;
        let sis: SourceName = "sis".parse().unwrap();
        let missing_for = world.settings.policy.missing_for;
        let event = world
            .accept(Update::by_username("ana", &json!({"name": "Ana"})))
            .await;
        world.wait_for(event, "looking").await;
        world
            .until("its turn's end", |world| {
                world.handle().status().in_flight == 0
            })
            .await;
        if whole {
            world.handle().pause(world.clock.now());
            world
                .until("the pause", |world| {
                    world.handle().status().state.kind()
                        == quentli_gateway::telemetry::OrganisationState::Paused
                })
                .await;
        } else {
            world.handle().pause_source(&sis);
        }
        world.clock.advance(missing_for * 2);
        if whole {
            world.handle().resume();
        } else {
            world.handle().resume_source(&sis, world.clock.now());
        }
        world.until_attempts(event, 2).await;
        assert_eq!(world.standing(event).await, "looking", "whole: {whole}");
        world
            .until("its turn's end", |world| {
                world.handle().status().in_flight == 0
            })
            .await;
        world.clock.advance(missing_for * 2);
        world
            .drive_for(event, "dead customer-not-found", MINUTE)
            .await;
    }
}

#[tokio::test]
async fn what_is_discarded_while_it_is_on_its_way_stays_discarded() {
    let mut world = World::with_customers(&["ana"]).await;
    let slow = Fault::once(Action::Slow { milliseconds: 300 });
    world.sandbox.fault(slow.on_method("PATCH")).unwrap();
    let event = world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world
        .until("the attempt", |world| {
            world.handle().status().in_flight == 1
        })
        .await;
    let Standing::Open { pos, state, .. } = world.record(event).await.standing else {
        panic!("it has ended");
    };
    assert_eq!(state, DeliveryState::Waiting);
    let at = world.clock.now();
    let discarded = world.hands.discard(vec![pos], None, at).await.unwrap();
    assert_eq!(discarded, [pos]);
    world
        .drive_until("its end", SECOND / 10, |world| {
            world.handle().status().in_flight == 0
        })
        .await;
    assert_eq!(world.standing(event).await, "discarded");
}
