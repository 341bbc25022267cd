//! Each fault that can be ordered, and what the client says of it.

use std::time::Duration;

use quentli_gateway::{
    clock::Clock,
    customer::CustomerId,
    quentli::{CallErrorKind as Kind, Client, ClientSettings, Creation, Search},
    sandbox::{Action, End, Fault, RetryAfter, Settings},
};
use tokio::task::JoinSet;

use crate::support::{World, failure, hasty_client, patch, settings};

const CHANGE: &str = r#"{"name":"changed"}"#;

fn name_of(world: &World, id: &CustomerId) -> String {
    let customer = world.sandbox.customer(id.as_str()).unwrap();
    customer["name"].as_str().unwrap().to_owned()
}

fn status(status: u16, retry_after: Option<RetryAfter>) -> Action {
    Action::Status {
        status,
        retry_after,
        message: None,
    }
}

#[tokio::test]
async fn every_error_status_has_its_kind_and_applies_nothing() {
    let world = World::new().await;
    let id = world.customer("A-1");
    for (code, kind) in [
        (400, Kind::Refused),
        (401, Kind::Unauthorized),
        (403, Kind::Forbidden),
        (404, Kind::NotFound),
        (408, Kind::Unavailable),
        (409, Kind::Refused),
        (422, Kind::Refused),
        (425, Kind::Unavailable),
        (429, Kind::Throttled),
        (451, Kind::Refused),
        (500, Kind::Unavailable),
        (503, Kind::Unavailable),
        (599, Kind::Unavailable),
    ] {
        world
            .sandbox
            .fault(Fault::once(status(code, None)))
            .unwrap();
        let error = world.client.update(&id, &patch(CHANGE)).await.unwrap_err();
        assert_eq!((error.kind, error.status), (kind, Some(code)));
        let message = format!("ordered by a fault: {code}");
        assert_eq!(error.message, Some(message));
        assert_eq!(error.retry_after, None);
    }
    assert_eq!(name_of(&world, &id), "A-1");
    world.client.update(&id, &patch(CHANGE)).await.unwrap();
    assert_eq!(name_of(&world, &id), "changed");
    world.check_schema();
}

#[tokio::test]
async fn retry_after_is_understood_in_both_forms() {
    let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
    let world = World::with(Settings {
        clock: clock.clone(),
        ..Settings::default()
    })
    .await;
    let client = Client::new(ClientSettings {
        clock,
        ..settings(&world.running.url())
    })
    .unwrap();
    let id = world.customer("A-1");
    for (wish, wait) in [
        (RetryAfter::Seconds(7), Some(Duration::from_secs(7))),
        (
            RetryAfter::Seconds(u64::MAX),
            Some(Duration::from_hours(24)),
        ),
        (RetryAfter::DateIn(90), Some(Duration::from_secs(90))),
        (RetryAfter::Text("soon".into()), None),
    ] {
        for code in [429, 503] {
            let fault = Fault::once(status(code, Some(wish.clone())));
            world.sandbox.fault(fault).unwrap();
            let error = client.update(&id, &patch(CHANGE)).await.unwrap_err();
            assert_eq!(error.retry_after, wait, "{wish:?}");
        }
    }
}

#[tokio::test]
async fn a_cut_before_applies_nothing_and_a_cut_after_applies_without_saying_so() {
    let world = World::new().await;
    let id = world.customer("A-1");
    // A connection that is already in use is cut like a new one.
    world.client.probe().await.unwrap();
    for (action, name) in [(Action::CutBefore, "A-1"), (Action::CutAfter, "changed")] {
        world.sandbox.fault(Fault::once(action)).unwrap();
        let cut = failure(world.client.update(&id, &patch(CHANGE)).await);
        assert_eq!(cut, (Kind::Interrupted, None));
        assert_eq!(name_of(&world, &id), name);
    }
    let ends: Vec<(End, bool)> = world
        .sandbox
        .exchanges()
        .iter()
        .map(|exchange| (exchange.end, exchange.applied))
        .collect();
    assert_eq!(
        ends,
        [
            (End::Answered(200), false),
            (End::Cut, false),
            (End::Cut, true)
        ],
        "each call was sent once"
    );
    world.check_schema();
}

#[tokio::test]
async fn a_service_that_is_down_stays_down_until_it_is_lifted() {
    let world = World::new().await;
    let id = world.customer("A-1");
    world
        .sandbox
        .fault(Fault::always(Action::CutBefore))
        .unwrap();
    for _ in 0..3 {
        assert_eq!(failure(world.client.get(&id).await).0, Kind::Interrupted);
    }
    world.sandbox.lift_faults();
    world.client.get(&id).await.unwrap();
}

#[tokio::test]
async fn a_refused_connection_is_told_apart_from_a_broken_one() {
    let world = World::new().await;
    let id = world.customer("A-1");
    let address = world.running.address();
    world.client.get(&id).await.unwrap();
    world.running.stop().await;
    let error = world.client.get(&id).await.unwrap_err();
    assert_eq!((error.kind, error.status), (Kind::Connect, None));
    assert!(
        error.to_string().contains("refused"),
        "the reason is shown: {error}"
    );
    // The sandbox keeps its state, and its port can be used again.
    let _running = world.sandbox.start(address).await.unwrap();
    world.client.get(&id).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_comes_too_late_may_have_been_applied() {
    let world = World::new().await;
    let id = world.customer("A-1");
    let slow = Action::Slow {
        milliseconds: 600_000,
    };
    world.sandbox.fault(Fault::once(slow)).unwrap();
    let hasty = hasty_client(&world.running.url());
    let late = failure(hasty.update(&id, &patch(CHANGE)).await);
    assert_eq!(late, (Kind::Interrupted, None));
    assert_eq!(name_of(&world, &id), "changed");
    world.ended(1).await;
    let exchange = world.only_exchange();
    assert_eq!((exchange.end, exchange.applied), (End::Abandoned, true));
}

#[tokio::test]
async fn a_slow_answer_in_time_is_an_answer() {
    let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
    let world = World::with(Settings {
        clock: clock.clone(),
        ..Settings::default()
    })
    .await;
    let id = world.customer("A-1");
    let slow = Action::Slow { milliseconds: 5000 };
    world.sandbox.fault(Fault::once(slow)).unwrap();
    let (client, target) = (world.client.clone(), id.clone());
    let mut calls = JoinSet::new();
    calls.spawn(async move { client.update(&target, &patch(CHANGE)).await });
    // The sandbox's clock stands until the request is in flight.
    while world.sandbox.exchanges().is_empty() || name_of(&world, &id) != "changed" {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.only_exchange().end, End::Pending);
    clock.advance(Duration::from_secs(5));
    calls.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(world.only_exchange().took, Duration::from_secs(5));
}

#[tokio::test]
async fn answers_that_quentli_does_not_give_never_count_as_done() {
    let world = World::new().await;
    let id = world.customer("A-1");
    let creation = Creation::of(&patch(r#"{"name":"Ana"}"#));
    for action in [
        Action::Html,
        Action::WithoutCustomer,
        Action::OtherCustomer,
        Action::Redirect,
        Action::Null,
    ] {
        let code = if action == Action::Redirect { 307 } else { 200 };
        let odd = (Kind::NotQuentli, Some(code));
        world.sandbox.fault(Fault::always(action.clone())).unwrap();
        let update = failure(world.client.update(&id, &patch(CHANGE)).await);
        assert_eq!(update, odd, "{action:?}");
        assert_eq!(failure(world.client.probe().await), odd, "{action:?}");
        let find = failure(world.client.find(Search::Username("A-1")).await);
        assert_eq!(find, odd, "{action:?}");
        let list = failure(world.client.list(0, 5).await);
        assert_eq!(list, odd, "{action:?}");
        if action != Action::OtherCustomer {
            let create = failure(world.client.create(&creation).await);
            assert_eq!(create, odd, "{action:?}");
        }
        if action != Action::Null {
            let get = failure(world.client.get(&id).await);
            assert_eq!(get, odd, "{action:?}");
        }
        world.sandbox.lift_faults();
    }
    assert_eq!(name_of(&world, &id), "A-1");
    assert_eq!(world.sandbox.customer_count(), 1);
    let followed = world
        .sandbox
        .exchanges()
        .into_iter()
        .find(|exchange| exchange.query.contains("redirected"));
    assert!(followed.is_none(), "{followed:?}");
    world.check_schema();
}

#[tokio::test]
async fn a_fault_meets_only_the_calls_it_is_for() {
    let world = World::new().await;
    let first = world.customer("A-1");
    let second = world.customer("A-2");
    let fault = Fault::always(status(503, None))
        .on_method("PATCH")
        .on_customer("A-1");
    world.sandbox.fault(fault).unwrap();
    let fault = Fault::always(status(500, None))
        .on_method("GET")
        .on_customer(second.as_str());
    world.sandbox.fault(fault).unwrap();
    let update = |id: &CustomerId| {
        let id = id.clone();
        let client = world.client.clone();
        async move { client.update(&id, &patch(CHANGE)).await }
    };
    assert_eq!(failure(update(&first).await).1, Some(503));
    assert!(update(&second).await.is_ok());
    assert!(world.client.get(&first).await.is_ok());
    assert_eq!(failure(world.client.get(&second).await).1, Some(500));
    // A search for a customer is about that customer.
    let search = world.client.find(Search::Username("A-2")).await;
    assert_eq!(failure(search).1, Some(500));
    assert!(world.client.find(Search::Username("A-1")).await.is_ok());
}

#[tokio::test]
async fn changes_in_flight_are_counted_by_customer() {
    let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
    let world = World::with(Settings {
        clock: clock.clone(),
        ..Settings::default()
    })
    .await;
    let busy = world.customer("A-1");
    let calm = world.customer("A-2");
    let slow = Action::Slow { milliseconds: 100 };
    world.sandbox.fault(Fault::always(slow)).unwrap();
    let mut calls = JoinSet::new();
    for id in [&busy, &busy, &busy, &calm] {
        let (client, id) = (world.client.clone(), id.clone());
        calls.spawn(async move { client.update(&id, &patch(CHANGE)).await });
    }
    while world.sandbox.exchanges().len() < 4 {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_millis(100));
    while let Some(call) = calls.join_next().await {
        call.unwrap().unwrap();
    }
    assert_eq!(world.sandbox.most_changes_in_flight(busy.as_str()), 3);
    assert_eq!(world.sandbox.most_changes_in_flight(calm.as_str()), 1);
    assert_eq!(world.sandbox.most_changes_in_flight("cus_nobody"), 0);
}
