//! What waits for one customer goes in one request, and each update ends as a person can follow.

use quentli_gateway::{
    customer::{FindBy, OnMissing, Patch},
    delivery::{Settings, State},
    event::{End, EventSeq, NewerData, OrganisationName},
    sandbox::{Action, Fault},
    store::{Finish, Standing},
};
use serde_json::{Value, json};

use crate::support::{SECOND, Update, World, data, ended, id_of, number, status};

/// A world with these customers in which what waits for one goes together.
async fn merging(usernames: &[&str]) -> World {
    let mut world = World::new().await;
    world.settings.merge_most = Settings::default().merge_most;
    for username in usernames {
        world.add_customer(username);
    }
    world.deliver();
    world
}

/// Accepts all of them while nothing is sent, and then lets them go.
async fn at_once(world: &mut World, updates: Vec<Update>) -> Vec<EventSeq> {
    world.handle().pause(world.clock.now());
    world
        .until("the pause", |world| {
            matches!(world.handle().status().state, State::Paused { .. })
        })
        .await;
    let mut events = Vec::new();
    for update in updates {
        events.push(world.accept(update).await);
    }
    world.handle().resume();
    events
}

fn by_id(patch: &Value) -> Update {
    Update::by_id("ana", patch)
}

fn name(name: &str) -> Update {
    by_id(&json!({"name": name}))
}

async fn standings(world: &World, events: &[EventSeq]) -> Vec<String> {
    let mut standings = Vec::new();
    for event in events {
        standings.push(world.standing(*event).await);
    }
    standings
}

async fn reason(world: &World, event: EventSeq) -> String {
    match world.record(event).await.standing {
        Standing::Ended { reason, .. } => reason.unwrap_or_default(),
        open @ Standing::Open { .. } => panic!("{open:?}"),
    }
}

#[tokio::test]
async fn what_waits_for_one_customer_goes_in_one_request() {
    let mut world = merging(&["ana", "eva"]).await;
    let grade = |key: &str, value: Value| json!({"key": key, "value": value});
    let updates = vec![
        by_id(
            &json!({"name": "A", "tags": ["a"], "metadata": [grade("g", "1".into()), grade("h", "1".into())]}),
        ),
        Update::by_id("eva", &json!({"name": "Eva"})),
        by_id(&json!({"name": "B", "metadata": [grade("g", Value::Null)]})).of_source("crm"),
        by_id(&json!({"tags": ["b"]})),
    ];
    let events = at_once(&mut world, updates).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(
        standings(&world, &events).await,
        ["superseded", "delivered", "superseded", "delivered"]
    );
    let mut changes = world.changes();
    changes.retain(|change| change.path.ends_with(&id_of("ana")));
    assert_eq!(changes.len(), 1);
    assert_eq!(
        data(&changes[0]),
        json!({"name": "B", "tags": ["b"], "metadata": [grade("g", Value::Null), grade("h", "1".into())]})
    );
    let carrier = events[3];
    assert_eq!(
        reason(&world, events[0]).await,
        format!("merged into event {carrier}, item 0, update 0")
    );
    assert_eq!(world.attempts(events[0]).await, []);
    assert_eq!(world.attempts(carrier).await.len(), 1);
    let record = world.record(events[0]).await;
    assert_eq!(record.customer.unwrap().as_str(), id_of("ana"));
    let totals = world.totals().await;
    assert_eq!((totals.created, ended(&totals, End::Superseded)), (4, 2));
}

#[tokio::test]
async fn each_part_keeps_the_version_of_the_update_that_set_it() {
    let mut world = merging(&["ana"]).await;
    let updates = vec![
        by_id(&json!({"name": "New", "skipTaxInvoice": true})).order_by(10),
        by_id(&json!({"skipTaxInvoice": false})).order_by(20),
        by_id(&json!({"name": "Hers"})).order_by(1).of_source("crm"),
        name("Old").order_by(9),
    ];
    let events = at_once(&mut world, updates).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(
        standings(&world, &events).await,
        ["superseded", "superseded", "delivered", "stale"]
    );
    let both = json!({"name": "Hers", "skipTaxInvoice": false});
    assert_eq!(data(&world.changes()[0]), both);
    for (update, expected) in [
        (name("Older").order_by(9), "stale"),
        (name("Newer").order_by(11), "delivered"),
        (
            by_id(&json!({"skipTaxInvoice": true})).order_by(15),
            "stale",
        ),
        (name("Her older").order_by(0).of_source("crm"), "stale"),
    ] {
        let event = world.accept(update).await;
        world.wait_for(event, expected).await;
    }
}

#[tokio::test]
async fn what_goes_there_and_back_again_while_it_waits_is_not_sent() {
    let mut world = merging(&["ana"]).await;
    let first = world.accept(name("A")).await;
    world.wait_for(first, "delivered").await;
    let events = at_once(&mut world, vec![name("B"), name("A")]).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(
        standings(&world, &events).await,
        ["superseded", "unchanged"]
    );
    assert_eq!(world.changes().len(), 1);
}

#[tokio::test]
async fn one_that_is_refused_does_not_kill_its_neighbours() {
    let mut world = merging(&["ana", "eva"]).await;
    let updates = vec![
        name("One"),
        by_id(&json!({"name": "Two", "skipTaxInvoice": true})),
        by_id(&json!({"email": "eva@x.mx"})),
        name("Four"),
    ];
    let events = at_once(&mut world, updates).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(
        standings(&world, &events).await,
        ["delivered", "delivered", "dead refused", "delivered"]
    );
    // Together, and then each by itself.
    assert_eq!(world.changes().len(), 5);
    let attempts = world.attempts(events[1]).await;
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].status, Some(400));
    let message = attempts[0].message.clone().unwrap();
    assert!(message.contains("with 3 other updates"), "{message}");
    assert_eq!(world.at_quentli("ana", "name"), "Four");
    assert_eq!(world.at_quentli("ana", "skipTaxInvoice"), true);
    // What comes later goes together again.
    let events = at_once(&mut world, vec![name("Five"), name("Six")]).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(
        standings(&world, &events).await,
        ["superseded", "delivered"]
    );
}

#[tokio::test]
async fn any_refusal_of_a_merged_change_is_asked_about_one_by_one() {
    for refusal in [400, 403, 409, 422] {
        let mut world = merging(&["ana"]).await;
        // A refusal that may be of the key counts when it is heard twice.
        let times = if refusal == 403 { 2 } else { 1 };
        let fault = Fault::times(times, status(refusal)).on_method("PATCH");
        world.sandbox.fault(fault).unwrap();
        let events = at_once(&mut world, vec![name("One"), name("Two")]).await;
        world.drive_until_done(SECOND).await;
        assert_eq!(
            standings(&world, &events).await,
            ["delivered", "delivered"],
            "{refusal}"
        );
        let together = usize::try_from(times).unwrap();
        assert_eq!(world.changes().len(), together + 2, "{refusal}");
    }
}

#[tokio::test]
async fn what_was_refused_together_stays_apart_after_a_restart() {
    let mut world = merging(&["ana"]).await;
    world.sandbox.fault(Fault::once(status(422))).unwrap();
    world
        .sandbox
        .fault(Fault::always(Action::CutBefore))
        .unwrap();
    let events = at_once(&mut world, vec![name("One"), name("Two")]).await;
    world.until_attempts(events[1], 1).await;
    world.kill_and_reopen().await;
    world.sandbox.lift_faults();
    world.deliver();
    world.drive_until_done(SECOND).await;
    assert_eq!(standings(&world, &events).await, ["delivered", "delivered"]);
}

#[tokio::test]
async fn how_many_go_together_is_bounded() {
    for (most, requests) in [(1, 7), (3, 3), (32, 1)] {
        let mut world = merging(&["ana"]).await;
        world.settings.merge_most = number(most);
        world.kill().await;
        world.deliver();
        let updates = (0..7).map(|each| name(&format!("{each}"))).collect();
        let events = at_once(&mut world, updates).await;
        world.drive_until_done(SECOND).await;
        assert_eq!(world.changes().len(), requests, "{most}");
        assert_eq!(world.at_quentli("ana", "name"), "6");
        assert_eq!(world.standing(events[6]).await, "delivered");
    }
}

#[tokio::test]
async fn large_updates_do_not_all_go_together() {
    let mut world = merging(&["ana"]).await;
    let large =
        |key: &str| by_id(&json!({"metadata": [{"key": key, "value": "x".repeat(30_000)}]}));
    let updates = ["a", "b", "c", "d"].map(large).to_vec();
    at_once(&mut world, updates).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(world.changes().len(), 2);
}

#[tokio::test]
async fn trouble_with_a_merged_change_loses_nothing_and_keeps_the_order() {
    for action in [
        Action::CutAfter,
        Action::CutBefore,
        status(503),
        status(429),
    ] {
        let mut world = merging(&["ana"]).await;
        let first = world
            .accept(by_id(&json!({"name": "B", "skipTaxInvoice": true})))
            .await;
        world.wait_for(first, "delivered").await;
        world.sandbox.fault(Fault::once(action.clone())).unwrap();
        let updates = vec![
            name("A"),
            by_id(&json!({"skipTaxInvoice": false})),
            by_id(&json!({"skipTaxInvoice": true})),
            name("B"),
        ];
        let events = at_once(&mut world, updates).await;
        world.drive_until_done(SECOND).await;
        assert_eq!(world.at_quentli("ana", "name"), "B", "{action:?}");
        assert_eq!(world.at_quentli("ana", "skipTaxInvoice"), true);
        let totals = world.totals().await;
        assert_eq!(totals.created, totals.ended.iter().sum::<u64>());
        assert_eq!(world.attempts(events[1]).await, [], "{action:?}");
    }
}

#[tokio::test]
async fn a_batch_that_meets_trouble_again_and_again_is_parted() {
    let mut world = merging(&["ana"]).await;
    let updates = vec![name("One"), by_id(&json!({"skipTaxInvoice": true}))];
    world
        .sandbox
        .fault(Fault::times(8, status(500)).on_method("PATCH"))
        .unwrap();
    let events = at_once(&mut world, updates).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(standings(&world, &events).await, ["delivered", "delivered"]);
    let sent: Vec<_> = world.changes().iter().map(data).collect();
    assert_eq!(
        sent[8..],
        [json!({"skipTaxInvoice": true}), json!({"name": "One"})]
    );
}

#[tokio::test]
async fn no_older_value_comes_after_a_newer_one_however_often_a_batch_meets_trouble() {
    let mut world = merging(&["ana"]).await;
    let updates = vec![
        name("One"),
        name("Two"),
        by_id(&json!({"name": "Three", "skipTaxInvoice": true})),
    ];
    // Quentli applies it each time, and nobody hears of it.
    world
        .sandbox
        .fault(Fault::times(12, Action::CutAfter).on_method("PATCH"))
        .unwrap();
    let events = at_once(&mut world, updates).await;
    world.drive_until_done(SECOND).await;
    let sent: Vec<_> = world
        .changes()
        .iter()
        .map(|change| data(change)["name"].clone())
        .collect();
    assert_eq!(sent, vec!["Three"; 13]);
    assert_eq!(
        standings(&world, &events).await,
        ["stale", "stale", "delivered"]
    );
}

#[tokio::test]
async fn what_overwrites_newer_values_does_not_come_after_the_last_of_its_batch() {
    let mut world = merging(&["ana"]).await;
    world.sandbox.fault(Fault::once(status(422))).unwrap();
    let old = world.accept(name("Old")).await;
    world.wait_for(old, "dead refused").await;
    world.handle().pause(world.clock.now());
    world.redeliver(&[old], NewerData::Overwritten).await;
    let troubles = Fault::times(8, status(500)).on_method("PATCH");
    world.sandbox.fault(troubles).unwrap();
    at_once(&mut world, vec![name("New")]).await;
    world.drive_until_done(SECOND).await;
    let sent = world.changes();
    let sent: Vec<_> = sent[9..]
        .iter()
        .map(|change| data(change)["name"].clone())
        .collect();
    assert_eq!(sent, ["Old", "New"]);
}

#[tokio::test]
async fn one_that_always_meets_trouble_is_left_behind_by_those_that_it_went_with() {
    for culprit in 0..3 {
        let mut world = merging(&["ana"]).await;
        let fault = Fault::always(status(500)).on_body("Never");
        world.sandbox.fault(fault).unwrap();
        let updates = (0..3).map(|place| {
            let value = if place == culprit { "Never" } else { "1" };
            let grade = json!({"key": format!("g{place}"), "value": value});
            by_id(&json!({"name": format!("{place}"), "metadata": [grade]}))
        });
        let events = at_once(&mut world, updates.collect()).await;
        let others: Vec<usize> = (0..3).filter(|place| *place != culprit).collect();
        world
            .drive_until(
                &format!("the others than {culprit} are through"),
                SECOND * 30,
                |world| {
                    let there = world.at_quentli("ana", "metadata").to_string();
                    others
                        .iter()
                        .all(|place| there.contains(&format!("g{place}")))
                },
            )
            .await;
        for place in others {
            world.wait_for(events[place], "delivered").await;
        }
        let culprit = world.standing(events[culprit]).await;
        assert!(culprit.starts_with("waiting"), "{culprit}");
    }
}

#[tokio::test]
async fn a_merged_change_that_was_applied_before_the_process_died_is_sent_again() {
    let mut world = merging(&["ana"]).await;
    let first = world.accept(name("A")).await;
    world.wait_for(first, "delivered").await;
    let slow = Action::Slow {
        milliseconds: 60_000,
    };
    world.sandbox.fault(Fault::once(slow)).unwrap();
    let updates = vec![by_id(&json!({"skipTaxInvoice": true})), name("B")];
    let mut events = at_once(&mut world, updates).await;
    world
        .until("it is applied", |world| {
            world.at_quentli("ana", "name") == "B"
        })
        .await;
    events.push(world.accept(name("A")).await);
    world.kill_and_reopen().await;
    assert_eq!(world.totals().await.waiting, 3);
    world.deliver();
    world.drive_until_done(SECOND).await;
    assert_eq!(
        standings(&world, &events).await,
        ["superseded", "superseded", "delivered"]
    );
    assert_eq!(world.at_quentli("ana", "name"), "A");
}

#[tokio::test]
async fn what_a_person_discards_meanwhile_keeps_its_end_and_the_others_go_on() {
    // Which of the two is discarded while their change is on its way.
    for (discarded, expected) in [
        (0, ["discarded", "delivered"]),
        (1, ["delivered", "discarded"]),
    ] {
        let mut world = merging(&["ana"]).await;
        let first = world.accept(name("A")).await;
        world.wait_for(first, "delivered").await;
        let slow = Action::Slow {
            milliseconds: 1_000,
        };
        world.sandbox.fault(Fault::once(slow)).unwrap();
        let updates = vec![by_id(&json!({"skipTaxInvoice": true})), name("B")];
        let events = at_once(&mut world, updates).await;
        world
            .until("it is applied", |world| {
                world.at_quentli("ana", "name") == "B"
            })
            .await;
        let record = world.record(events[discarded]).await;
        let Standing::Open { pos, .. } = record.standing else {
            panic!("{record:?}");
        };
        let discard = Finish {
            pos,
            accepted_at: world.accepted_at(events[discarded]),
            revision: 0,
            end: End::Discarded,
            reason: None,
            customer: None,
            at: world.clock.now(),
            attempt: None,
            confirmed: Vec::new(),
            carried: Vec::new(),
            left_out: None,
        };
        let organisation = OrganisationName::default_name();
        assert!(world.store.finish(&organisation, discard).await.unwrap());
        world.drive_until_done(SECOND).await;
        assert_eq!(standings(&world, &events).await, expected);
        assert_eq!(world.at_quentli("ana", "skipTaxInvoice"), true);
        // What Quentli has now of what was discarded is not taken for what it had before.
        let back = world.accept(name("A")).await;
        world.wait_for(back, "delivered").await;
        assert_eq!(world.at_quentli("ana", "name"), "A");
    }
}

#[tokio::test]
async fn lanes_that_are_known_to_be_one_customers_are_merged_in_the_order_of_acceptance() {
    let mut world = merging(&["ana"]).await;
    let by_username = |name: &str| Update::by_username("ana", &json!({"name": name}));
    for update in [by_username("By username"), name("By id")] {
        let event = world.accept(update).await;
        world.wait_for(event, "delivered").await;
    }
    let before = world.changes().len();
    let updates = vec![
        by_username("1"),
        name("2"),
        by_username("3"),
        by_id(&json!({"skipTaxInvoice": true})),
        by_username("5"),
    ];
    let events = at_once(&mut world, updates).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(world.changes().len(), before + 1);
    assert_eq!(world.at_quentli("ana", "name"), "5");
    assert_eq!(world.standing(events[4]).await, "delivered");
    assert_eq!(
        standings(&world, &events[..4]).await,
        ["superseded", "superseded", "superseded", "superseded"]
    );
}

#[tokio::test]
async fn an_update_behind_a_change_of_its_own_key_is_looked_up_by_itself() {
    let mut world = merging(&["ana"]).await;
    let by_username = |patch: &Value| Update::by_username("ana", patch);
    let known = world.accept(by_username(&json!({"name": "A"}))).await;
    world.wait_for(known, "delivered").await;
    let updates = vec![
        by_username(&json!({"username": "ana"})),
        by_username(&json!({"username": "anita"})),
        by_username(&json!({"name": "B"})).on_missing(OnMissing::Fail),
    ];
    let events = at_once(&mut world, updates).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(
        standings(&world, &events).await,
        ["superseded", "delivered", "dead customer-not-found"]
    );
    assert_eq!(world.at_quentli("ana", "name"), "A");
}

#[tokio::test]
async fn a_new_customer_is_created_by_the_first_and_gets_what_waits_behind_it_in_one_change() {
    let mut world = merging(&[]).await;
    let create = |patch: &Value| {
        Update::by(vec![FindBy::Username("new".to_owned())], patch)
            .on_missing(OnMissing::Create(Patch::new()))
    };
    let updates = vec![
        create(&json!({"name": "New", "username": "new"})),
        create(&json!({"name": "Newer", "username": "new"})),
        create(&json!({"name": "Newest", "username": "new", "skipTaxInvoice": true})),
    ];
    let events = at_once(&mut world, updates).await;
    world.drive_until_done(SECOND).await;
    assert_eq!(
        standings(&world, &events).await,
        ["delivered", "superseded", "delivered"]
    );
    let exchanges = world.sandbox.exchanges();
    let posts = exchanges
        .iter()
        .filter(|exchange| exchange.method == "POST");
    assert_eq!(posts.count(), 1);
    assert_eq!(
        data(&world.changes()[0]),
        json!({"name": "Newest", "skipTaxInvoice": true})
    );
}
