//! Finding customers by metadata: what the directory says, when it may be believed, and what it costs.

use quentli_gateway::{
    customer::{FindBy, OnMissing, Patch},
    delivery::{DirectoryStatus, PauseReason, State},
    event::EventSeq,
    sandbox::{Action, Exchange, Fault, Keys, RetryAfter},
    telemetry::DirectoryState,
};
use serde_json::{Value, json};

use crate::support::{MINUTE, SECOND, Update, World, data, id_of, number};

fn folio(value: &str) -> FindBy {
    FindBy::Metadata {
        key: "folio".to_owned(),
        value: value.to_owned(),
    }
}

fn by_folio(value: &str, patch: &Value) -> Update {
    Update::by(vec![folio(value)], patch)
}

fn named(name: &str) -> Value {
    json!({"name": name})
}

fn with_folio(value: &Value) -> Value {
    json!({"metadata": [{"key": "folio", "value": value}]})
}

/// Adds a customer with a folio.
fn add(world: &World, username: &str, folio: &str) {
    let customer = json!({
        "id": id_of(username), "username": username, "name": username,
        "metadata": [{"key": "folio", "value": folio}],
    });
    world.sandbox.add(&customer).unwrap();
}

/// A world whose mappings find customers by their folio; nobody is delivering yet.
async fn with_folios(customers: &[(&str, &str)]) -> World {
    let mut world = World::new().await;
    world.find_by = vec!["folio"];
    for (username, folio) in customers {
        add(&world, username, folio);
    }
    world
}

/// The same with `customers` more, from `c0` with folio `f0` on.
async fn with_many(customers: u32) -> World {
    let world = with_folios(&[]).await;
    for number in 0..customers {
        add(&world, &format!("c{number}"), &format!("f{number}"));
    }
    world
}

fn directory(world: &World) -> DirectoryStatus {
    world.handle().status().directory
}

fn is_ready(world: &World) -> bool {
    directory(world).state == DirectoryState::Ready
}

async fn until_ready(world: &World) {
    world
        .drive_until("the directory", SECOND / 10, is_ready)
        .await;
}

/// A scan that began after now has been made.
async fn until_scanned_again(world: &World) {
    let now = world.clock.now();
    world
        .drive_until("another scan", SECOND, |world| {
            directory(world).complete.is_some_and(|began| began > now)
        })
        .await;
}

fn pages(world: &World) -> Vec<Exchange> {
    let mut looks = world.looks();
    looks.retain(|look| look.query.contains("skip="));
    looks
}

/// Reads of single customers.
fn reads(world: &World) -> usize {
    let looks = world.looks();
    looks.iter().filter(|look| look.customer.is_some()).count()
}

async fn name_of(world: &World, event: EventSeq, username: &str) -> Value {
    world.wait_for(event, "delivered").await;
    world.at_quentli(username, "name")
}

#[tokio::test]
async fn a_customer_is_found_by_metadata_and_confirmed_before_the_first_change_and_remembered() {
    let mut world = with_folios(&[("ana", "A-1"), ("eva", "A-2")]).await;
    world.deliver();
    let first = world.accept(by_folio("A-2", &named("Eva"))).await;
    world.wait_for(first, "delivered").await;
    let steps: Vec<String> = world
        .sandbox
        .exchanges()
        .iter()
        .map(|exchange| format!("{} {}", exchange.method, exchange.path))
        .collect();
    assert_eq!(
        steps,
        [
            "GET /v1/customers",
            "GET /v1/customers/cus-eva",
            "PATCH /v1/customers/cus-eva"
        ]
    );
    let second = world.accept(by_folio("A-2", &named("Eva Luna"))).await;
    assert_eq!(name_of(&world, second, "eva").await, "Eva Luna");
    assert_eq!((pages(&world).len(), reads(&world)), (1, 1));
    world.clock.advance(MINUTE * 11);
    let third = world.accept(by_folio("A-2", &named("Eva L."))).await;
    world.wait_for(third, "delivered").await;
    assert_eq!(reads(&world), 2, "it was remembered for too long");
}

#[tokio::test]
async fn without_a_mapping_that_asks_for_it_the_list_is_not_read() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    world.find_by = Vec::new();
    world.deliver();
    let event = world
        .accept(Update::by_username("ana", &named("Ana")))
        .await;
    world.wait_for(event, "delivered").await;
    world.clock.advance(MINUTE * 60 * 24);
    world
        .until("quiet", |world| world.handle().status().in_flight == 0)
        .await;
    assert_eq!(pages(&world).len(), 0);
    assert_eq!(directory(&world).state, DirectoryState::Unused);
}

#[tokio::test]
async fn a_delivery_whose_mapping_is_gone_still_finds_its_customer() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    let cut = Fault::always(Action::CutBefore).on_list();
    world.sandbox.fault(cut).unwrap();
    world.deliver();
    let event = world.accept(by_folio("A-1", &named("Ana"))).await;
    world
        .until("the wait", |world| directory(world).waiting == 1)
        .await;
    world.handle().find_by([]);
    world.sandbox.lift_faults();
    world.drive_until_done(SECOND).await;
    assert_eq!(world.standing(event).await, "delivered");
}

#[tokio::test]
async fn a_reload_that_asks_for_another_key_has_the_list_read_for_it() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    world.deliver();
    until_ready(&world).await;
    world.handle().find_by(["rfc"]);
    world
        .drive_until("the other key", SECOND, |world| {
            pages(world).len() == 2 && is_ready(world)
        })
        .await;
    assert_eq!((directory(&world).keys, directory(&world).entries), (1, 0));
}

#[tokio::test]
async fn more_than_one_with_the_value_is_dead_and_asked_about_once_for_all_who_wait() {
    let mut world = with_folios(&[("ana", "A-1"), ("eva", "A-1"), ("zoe", "A-1")]).await;
    let mut events = Vec::new();
    for name in 0..5 {
        let patch = named(&name.to_string());
        events.push(world.accept(by_folio("A-1", &patch)).await);
    }
    world.deliver();
    for event in events {
        world.wait_for(event, "dead customer-ambiguous").await;
    }
    assert_eq!((world.changes().len(), reads(&world)), (0, 2));
    assert_eq!(directory(&world).ambiguous, 1);
}

#[tokio::test]
async fn an_ambiguity_that_somebody_has_mended_is_none() {
    let mut world = with_folios(&[("ana", "A-1"), ("eva", "A-1")]).await;
    world.deliver();
    until_ready(&world).await;
    world.sandbox.remove(&id_of("ana"));
    let event = world.accept(by_folio("A-1", &named("Eva"))).await;
    assert_eq!(name_of(&world, event, "eva").await, "Eva");
}

#[tokio::test]
async fn whoever_has_another_value_by_now_is_not_changed_and_the_right_one_is_found() {
    let mut world = with_folios(&[("ana", "A-1"), ("eva", "A-2")]).await;
    world.deliver();
    until_ready(&world).await;
    // Somebody mends at Quentli that the two were mixed up.
    for (username, folio) in [("ana", "A-2"), ("eva", "A-1")] {
        world.sandbox.remove(&id_of(username));
        add(&world, username, folio);
    }
    let event = world.accept(by_folio("A-1", &named("Eva"))).await;
    world
        .until("the wait for another scan", |world| {
            directory(world).waiting == 1
        })
        .await;
    assert_eq!(world.standing(event).await, "waiting");
    until_scanned_again(&world).await;
    assert_eq!(name_of(&world, event, "eva").await, "Eva");
    assert_eq!(world.at_quentli("ana", "name"), "ana");
    assert_eq!(world.changes().len(), 1);
}

#[tokio::test]
async fn nobody_is_missing_before_a_whole_scan_that_began_after_the_delivery_was_accepted() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    world.deliver();
    until_ready(&world).await;
    let event = world
        .accept(by_folio("A-2", &named("New")).on_missing(OnMissing::Fail))
        .await;
    world
        .until("the wait", |world| directory(world).waiting == 1)
        .await;
    // The customer was created before the event was sent, and the directory cannot know.
    add(&world, "new", "A-2");
    until_scanned_again(&world).await;
    assert_eq!(name_of(&world, event, "new").await, "New");
    assert_eq!(
        world.attempts(event).await.len(),
        1,
        "waiting is no attempt"
    );
}

#[tokio::test]
async fn a_customer_whom_quentli_does_not_have_follows_the_mapping() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    let update = |folio: &str, on_missing| by_folio(folio, &named("N")).on_missing(on_missing);
    let failed = world.accept(update("B-1", OnMissing::Fail)).await;
    let dropped = world.accept(update("B-2", OnMissing::Drop)).await;
    let retried = world.accept(update("B-3", OnMissing::Retry)).await;
    let create = OnMissing::Create(serde_json::from_value(with_folio(&json!("B-4"))).unwrap());
    let lines = vec![folio("B-4"), FindBy::Username("new".to_owned())];
    let created = world
        .accept(Update::by(lines, &named("New")).on_missing(create))
        .await;
    world.deliver();
    world.wait_for(failed, "dead customer-not-found").await;
    world.wait_for(dropped, "dropped").await;
    world.wait_for(retried, "looking").await;
    world.wait_for(created, "delivered").await;
    assert_eq!(pages(&world).len(), 1);
    let again = world.accept(by_folio("B-4", &named("Newer"))).await;
    world.wait_for(again, "delivered").await;
    let new = world.sandbox.customer_by_username("new").unwrap();
    assert_eq!(new["name"], "Newer");
    assert_eq!(world.sandbox.customer_count(), 2);
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_makes_one_customer() {
    let mut world = with_folios(&[]).await;
    let cut = Fault::once(Action::CutAfter).on_method("POST");
    world.sandbox.fault(cut).unwrap();
    let create = OnMissing::Create(serde_json::from_value(with_folio(&json!("A-1"))).unwrap());
    let lines = vec![folio("A-1"), FindBy::Username("new".to_owned())];
    let mut events = Vec::new();
    for name in ["One", "Two"] {
        let update = Update::by(lines.clone(), &named(name)).on_missing(create.clone());
        events.push(world.accept(update).await);
    }
    world.deliver();
    world.drive_until_done(SECOND).await;
    for event in events {
        assert_eq!(world.standing(event).await, "delivered");
    }
    assert_eq!(world.sandbox.customer_count(), 1);
    let new = world.sandbox.customer_by_username("new").unwrap();
    assert_eq!(new["name"], "Two");
}

#[tokio::test]
async fn a_creation_that_is_refused_is_for_a_person_and_not_tried_for_ever() {
    let mut world = with_folios(&[("eva", "A-2")]).await;
    let patch = json!({"name": "Ana", "username": "eva"});
    let lines = vec![folio("A-1"), FindBy::Username("ana".to_owned())];
    let fields: Patch = serde_json::from_value(with_folio(&json!("A-1"))).unwrap();
    let update = Update::by(lines, &patch).on_missing(OnMissing::Create(fields));
    let event = world.accept(update).await;
    world.deliver();
    world.wait_for(event, "dead refused").await;
}

#[tokio::test]
async fn thousands_of_unknown_values_cost_one_reading_of_the_list_and_no_look_each() {
    let mut world = with_many(250).await;
    for number in 0..2_000 {
        let update = by_folio(&format!("x{number}"), &named("N"));
        world.accept(update).await;
    }
    let known = world.accept(by_folio("f7", &named("Known"))).await;
    world.deliver();
    world
        .drive_until("the directory", SECOND / 1000, is_ready)
        .await;
    world.wait_for(known, "delivered").await;
    let all_looking = |world: &World| world.handle().status().looking == 2_000;
    world.until("all to be looked for", all_looking).await;
    assert_eq!((pages(&world).len(), reads(&world)), (3, 1));
    assert_eq!(world.sandbox.exchanges().len(), 5);
}

#[tokio::test]
async fn a_customer_who_appears_is_found_by_the_next_scan_and_every_lane_that_waits_is_free_at_once()
 {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    let first = world.accept(by_folio("A-2", &named("One"))).await;
    let lines = vec![FindBy::Username("nobody".to_owned()), folio("A-3")];
    let second = world.accept(Update::by(lines, &named("Two"))).await;
    world.deliver();
    world.wait_for(first, "looking").await;
    world.wait_for(second, "looking").await;
    // The next look by itself would be far away by now.
    for _ in 0..6 {
        world.clock.advance(MINUTE * 20);
        world
            .until("quiet", |world| world.handle().status().in_flight == 0)
            .await;
    }
    add(&world, "eva", "A-2");
    add(&world, "zoe", "A-3");
    // The next reading may be under way already.
    world
        .drive_until("a scan that has both", SECOND, |world| {
            let directory = directory(world);
            directory.entries == 3 && directory.reading.is_none()
        })
        .await;
    let began = world.clock.elapsed();
    world.wait_for(first, "delivered").await;
    world.wait_for(second, "delivered").await;
    assert_eq!(
        world.clock.elapsed(),
        began,
        "they waited for their next look"
    );
    assert_eq!(world.at_quentli("eva", "name"), "One");
    assert_eq!(world.at_quentli("zoe", "name"), "Two");
}

#[tokio::test]
async fn our_own_change_and_creation_free_whoever_looks_for_the_new_value_at_once() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    let events = [
        world.accept(by_folio("A-2", &named("Ana"))).await,
        world.accept(by_folio("A-3", &named("New"))).await,
    ];
    world.deliver();
    for event in events {
        world.wait_for(event, "looking").await;
    }
    let moved = world
        .accept(Update::by_id("ana", &with_folio(&json!("A-2"))))
        .await;
    let create = OnMissing::Create(serde_json::from_value(with_folio(&json!("A-3"))).unwrap());
    let created = Update::by_username("new", &named("N")).on_missing(create);
    world.accept(created).await;
    world.wait_for(moved, "delivered").await;
    for event in events {
        world.wait_for(event, "delivered").await;
    }
    assert_eq!(world.at_quentli("ana", "name"), "Ana");
    assert_eq!(pages(&world).len(), 1);
    // The old value leads to nobody any more, and a cleared one neither.
    let old = world
        .accept(by_folio("A-1", &named("Old")).on_missing(OnMissing::Fail))
        .await;
    let cleared = world
        .accept(Update::by_id("ana", &with_folio(&Value::Null)))
        .await;
    world.wait_for(cleared, "delivered").await;
    let after = world
        .accept(by_folio("A-2", &named("Nobody")).on_missing(OnMissing::Fail))
        .await;
    until_scanned_again(&world).await;
    world.wait_for(old, "dead customer-not-found").await;
    world.wait_for(after, "dead customer-not-found").await;
}

#[tokio::test]
async fn a_page_of_the_list_frees_whoever_looks_for_a_username_on_it() {
    let mut world = with_folios(&[]).await;
    world.deliver();
    until_ready(&world).await;
    let event = world
        .accept(Update::by_username("ana", &named("Ana")))
        .await;
    world.wait_for(event, "looking").await;
    add(&world, "ana", "A-1");
    world.handle().find_by(["folio", "rfc"]);
    world.wait_for(event, "delivered").await;
}

#[tokio::test]
async fn changes_go_first_and_pages_and_looks_together_get_a_fifth() {
    let mut world = with_many(1_500).await;
    world.settings.rate = number(5);
    world.settings.burst = number(1);
    for number in 0..60 {
        let update = Update::by_id(&format!("c{number}"), &named("N"));
        world.accept(update).await;
        let unknown = Update::by_username(&format!("nobody-{number}"), &named("N"));
        world.accept(unknown).await;
    }
    world.deliver();
    world
        .drive_until("most of the changes", SECOND / 50, |world| {
            world.changes().len() >= 50
        })
        .await;
    let exchanges = world.sandbox.exchanges();
    let (pages, changes) = (pages(&world).len(), world.changes().len());
    assert!(pages >= 2, "{pages} pages: they starve");
    let others = exchanges.len() - changes;
    // A look may leave in a moment in which no change is ready, as on a slow machine; without the share it were half of all.
    assert!(
        others * 3 <= exchanges.len(),
        "{others} looks and pages beside {changes} changes"
    );
}

#[tokio::test]
async fn while_nothing_else_waits_pages_take_half_of_the_rate() {
    let mut world = with_many(450).await;
    world.settings.rate = number(5);
    world.settings.burst = number(5);
    world.deliver();
    world
        .drive_until("the directory", SECOND / 20, is_ready)
        .await;
    let times: Vec<_> = pages(&world).iter().map(|page| page.at).collect();
    assert_eq!(times.len(), 5);
    for pair in times.windows(2) {
        let between = pair[1].duration_since(pair[0]);
        assert!(between.as_millis() >= 400, "{between:?} between two pages");
    }
}

#[tokio::test]
async fn a_scan_that_meets_trouble_goes_on_where_it_was() {
    let mut world = with_many(950).await;
    let status = |status, retry_after| Action::Status {
        status,
        retry_after,
        message: None,
    };
    for action in [
        status(429, Some(RetryAfter::Seconds(2))),
        status(503, None),
        Action::CutBefore,
        Action::CutAfter,
        Action::Html,
        Action::Null,
    ] {
        world.sandbox.fault(Fault::once(action).on_list()).unwrap();
    }
    world.deliver();
    until_ready(&world).await;
    let event = world.accept(by_folio("f949", &named("Last"))).await;
    assert_eq!(name_of(&world, event, "c949").await, "Last");
    let asked = pages(&world);
    let good: Vec<_> = asked.iter().filter(|page| page.fault.is_none()).collect();
    assert_eq!(asked.len() - good.len(), 6);
    // After trouble that may come from its length, pages are shorter for a while.
    let beginnings = good.iter().filter(|page| page.query.contains("skip=0&"));
    assert_eq!(beginnings.count(), 1, "it began anew");
    assert!(good.len() < 30, "{} good pages", good.len());
}

#[tokio::test]
async fn one_page_that_always_fails_opens_no_breaker_and_holds_no_other_delivery() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    let broken = Action::Status {
        status: 500,
        retry_after: None,
        message: None,
    };
    world
        .sandbox
        .fault(Fault::always(broken).on_list())
        .unwrap();
    world.deliver();
    let waiting = world.accept(by_folio("A-1", &named("Ana"))).await;
    world
        .drive_until("many tries", SECOND, |world| {
            assert_eq!(world.handle().status().state, State::Delivering);
            pages(world).len() >= 8
        })
        .await;
    let other = world
        .accept(Update::by_id("ana", &json!({"skipTaxInvoice": true})))
        .await;
    world.wait_for(other, "delivered").await;
    assert_eq!(world.standing(waiting).await, "waiting");
    world.sandbox.lift_faults();
    world.drive_until_done(SECOND * 10).await;
    assert_eq!(world.standing(waiting).await, "delivered");
}

#[tokio::test]
async fn a_key_that_is_refused_pauses_the_scan_and_a_new_one_lets_it_go_on() {
    let mut world = with_many(250).await;
    world.sandbox.set_keys(Keys::Only {
        accepted: vec!["sk_new".to_owned()],
        forbidden: Vec::new(),
    });
    world.deliver();
    let is_paused = |world: &World| {
        let state = world.handle().status().state;
        matches!(
            state,
            State::Paused {
                reason: PauseReason::KeyRefused,
                ..
            }
        )
    };
    world.until("the pause", is_paused).await;
    world.handle().set_key(&"sk_new".into()).unwrap();
    until_ready(&world).await;
    assert_eq!(directory(&world).entries, 250);
}

#[tokio::test]
async fn a_list_that_is_forbidden_while_the_key_is_good_pauses_nobody() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    let forbidden = Action::Status {
        status: 403,
        retry_after: None,
        message: None,
    };
    world
        .sandbox
        .fault(Fault::once(forbidden).on_list())
        .unwrap();
    world.deliver();
    until_ready(&world).await;
    assert_eq!(world.handle().status().state, State::Delivering);
}

#[tokio::test]
async fn an_outage_in_the_middle_of_a_scan_is_waited_for() {
    let mut world = with_many(450).await;
    world.settings.rate = number(5);
    world.settings.burst = number(1);
    world.deliver();
    world
        .drive_until("two pages", SECOND / 10, |world| pages(world).len() == 2)
        .await;
    world.unplug_quentli().await;
    world
        .drive_until("the breaker", SECOND / 10, |world| {
            matches!(world.handle().status().state, State::BreakerOpen { .. })
        })
        .await;
    world.plug_quentli_in().await;
    until_ready(&world).await;
    assert_eq!(directory(&world).entries, 450);
    assert!(pages(&world).len() <= 6, "it began anew");
}

/// The list is read page by page, and between two pages the customers change.
async fn scan_while(customers: u32, mut change: impl FnMut(&World, usize)) -> World {
    let mut world = with_many(customers).await;
    world.settings.rate = number(5);
    world.settings.burst = number(1);
    world.deliver();
    let mut read = 0;
    while !is_ready(&world) {
        let more = |world: &World| pages(world).len() > read || is_ready(world);
        world.drive_until("a page", SECOND / 10, more).await;
        world
            .until("its answer", |world| {
                pages(world).iter().all(|page| page.status().is_some())
            })
            .await;
        read = pages(&world).len();
        change(&world, read);
    }
    world
}

#[tokio::test]
async fn whoever_moves_up_on_the_list_while_it_is_read_is_not_lost() {
    let mut world = scan_while(350, |world, page| {
        // Behind each page those before it vanish, so that others slide over its end.
        let gone = match page {
            1 => 0..7,
            2 => 20..60,
            3 => 100..101,
            _ => 0..0,
        };
        for number in gone {
            world.sandbox.remove(&id_of(&format!("c{number}")));
        }
    })
    .await;
    assert_eq!(world.sandbox.customer_count(), 302);
    let before = pages(&world).len();
    let mut events = Vec::new();
    for number in [
        10, 99, 101, 105, 106, 139, 150, 199, 200, 246, 247, 248, 349,
    ] {
        let update = by_folio(&format!("f{number}"), &named("Found")).on_missing(OnMissing::Fail);
        events.push(world.accept(update).await);
    }
    for event in events {
        world
            .drive_until("its delivery", SECOND, |world| {
                world.handle().status().lanes == 0
            })
            .await;
        assert_eq!(world.standing(event).await, "delivered");
    }
    assert_eq!(
        pages(&world).len(),
        before,
        "a second scan found what the first one lost"
    );
}

#[tokio::test]
async fn whoever_is_created_or_changed_while_the_list_is_read_is_known_afterwards() {
    let mut world = scan_while(250, |world, page| {
        if page == 1 {
            add(world, "late", "L-1");
        }
    })
    .await;
    assert_eq!(directory(&world).entries, 251);
    let before = pages(&world).len();
    let late = world.accept(by_folio("L-1", &named("Late"))).await;
    world.drive_until_done(SECOND / 10).await;
    assert_eq!(name_of(&world, late, "late").await, "Late");
    assert_eq!(pages(&world).len(), before);
}

#[tokio::test]
async fn our_own_change_while_a_page_is_on_its_way_outlives_the_page() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    let slow = Action::Slow {
        milliseconds: 5_000,
    };
    world.sandbox.fault(Fault::once(slow).on_list()).unwrap();
    world.deliver();
    world
        .until("the page to leave", |world| pages(world).len() == 1)
        .await;
    let moved = world
        .accept(Update::by_id("ana", &with_folio(&json!("A-2"))))
        .await;
    world.wait_for(moved, "delivered").await;
    until_ready(&world).await;
    let event = world.accept(by_folio("A-2", &named("Ana"))).await;
    assert_eq!(name_of(&world, event, "ana").await, "Ana");
    assert_eq!(pages(&world).len(), 1);
}

#[tokio::test]
async fn a_restart_reads_the_list_anew_and_what_waits_finds_its_customer() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    world.deliver();
    until_ready(&world).await;
    let first = world.accept(by_folio("A-2", &named("Eva"))).await;
    world
        .until("the wait", |world| directory(world).waiting == 1)
        .await;
    world.kill_and_reopen().await;
    add(&world, "eva", "A-2");
    let second = world.accept(by_folio("A-1", &named("Ana"))).await;
    world.deliver();
    world.wait_for(first, "delivered").await;
    world.wait_for(second, "delivered").await;
    assert_eq!(world.changes().iter().map(data).count(), 2);
}

#[tokio::test]
async fn what_was_read_is_read_again_when_it_is_old() {
    let mut world = with_folios(&[("ana", "A-1")]).await;
    world.deliver();
    until_ready(&world).await;
    world.clock.advance(MINUTE * 60 * 5);
    world
        .until("quiet", |world| world.handle().status().in_flight == 0)
        .await;
    assert_eq!(pages(&world).len(), 1);
    let read_again = |world: &World| pages(world).len() == 2;
    world
        .drive_until("another reading", MINUTE, read_again)
        .await;
}

#[tokio::test]
async fn a_directory_that_is_full_keeps_what_needs_it_and_nothing_else() {
    let mut world = with_folios(&[("ana", "A-1"), ("eva", "A-2")]).await;
    world.settings.directory_limit = 1;
    world.deliver();
    let waiting = world.accept(by_folio("A-1", &named("Ana"))).await;
    world
        .until("the limit", |world| {
            directory(world).state == DirectoryState::Full && directory(world).waiting == 1
        })
        .await;
    let other = world
        .accept(Update::by_id("ana", &json!({"skipTaxInvoice": true})))
        .await;
    world.wait_for(other, "delivered").await;
    assert_eq!(world.standing(waiting).await, "waiting");
    world.kill().await;
    world.settings.directory_limit = 2;
    world.deliver();
    assert_eq!(name_of(&world, waiting, "ana").await, "Ana");
}

#[tokio::test]
async fn what_only_a_creation_gives_keeps_out_no_update_that_was_accepted_before_it() {
    let mut world = with_folios(&[]).await;
    let slow = Action::Slow { milliseconds: 1000 };
    world.sandbox.fault(Fault::once(slow).on_list()).unwrap();
    world.deliver();
    let earlier = world.accept(by_folio("F-1", &named("Ana Luna"))).await;
    world
        .until("the list", |world| directory(world).waiting == 1)
        .await;
    // A name for whoever has none.
    let fields = json!({"name": "Tutor 7", "metadata": [{"key": "folio", "value": "F-1"}]});
    let create = OnMissing::Create(serde_json::from_value(fields).unwrap());
    let patch = json!({"phoneNumber": "+525512345678"});
    let update = Update::by_username("ana", &patch).on_missing(create);
    let creation = world.accept(update).await;
    world.wait_for(creation, "delivered").await;
    world.drive_until_done(SECOND).await;
    assert_eq!(world.standing(earlier).await, "delivered");
    let ana = world.sandbox.customer_by_username("ana").unwrap();
    assert_eq!(ana["name"], "Ana Luna");
}
