//! One dispatcher after the other for an organisation, by one handle, each as long as it is the only one.

use std::time::Duration;

use quentli_gateway::{event::DeliveryPos, keeper::Tenure, store::OpenFilter};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{GLANCE, Update, World};

const SECOND: Duration = Duration::from_secs(1);

/// Ends the dispatcher in order and begins the next one by the same handle.
async fn next_term(world: &mut World, tenure: Tenure) {
    let newest = *world.store.arrivals().borrow();
    let delivering = world.delivering();
    delivering.soft.cancel();
    delivering.task.join_next().await.unwrap().unwrap().unwrap();
    let random = StdRng::seed_from_u64(8);
    let dispatcher = delivering.handle.dispatcher(tenure, newest, random);
    delivering.soft = CancellationToken::new();
    delivering.task = JoinSet::new();
    let run = dispatcher.run(delivering.soft.clone(), delivering.hard.clone());
    delivering.task.spawn(run);
}

#[tokio::test]
async fn a_handle_steers_each_dispatcher_that_follows() {
    let mut world = World::with_customers(&["ana", "bea"]).await;
    let first = world
        .accept(Update::by_username("ana", &json!({"name": "Ana"})))
        .await;
    world.wait_for(first, "delivered").await;
    world.handle().pause(world.clock.now());
    let second = world
        .accept(Update::by_username("bea", &json!({"name": "Bea"})))
        .await;
    next_term(&mut world, Tenure::forever()).await;
    let handle = world.handle().clone();
    let mut status = handle.watch();
    let paused = status.wait_for(|status| !status.loading && status.lanes == 1);
    assert_eq!(paused.await.unwrap().state.kind().as_str(), "paused");
    assert_eq!(world.standing(second).await, "waiting");
    handle.resume();
    world.wait_for(second, "delivered").await;
    assert!(handle.delivers());
}

#[tokio::test]
async fn nothing_leaves_that_could_outlive_the_tenure() {
    let mut world = World::with_customers(&["ana"]).await;
    let now = world.clock.elapsed();
    let (end, tenure) = Tenure::until(now + SECOND * 12, SECOND * 12);
    next_term(&mut world, tenure).await;
    let handle = world.handle().clone();
    assert!(handle.delivers());
    let event = world
        .accept(Update::by_username("ana", &json!({"name": "Ana"})))
        .await;
    let mut status = handle.watch();
    let seen = status.wait_for(|status| !status.loading && status.lanes == 1);
    seen.await.unwrap();
    assert_eq!(world.sandbox.exchanges().len(), 0);
    // Once it is renewed, it goes at once.
    end.send_replace(now + SECOND * 30);
    world.wait_for(event, "delivered").await;
    drop(end);
    assert!(!handle.delivers(), "nobody holds the lease any more");
    let event = world
        .accept(Update::by_username("ana", &json!({"name": "Anna"})))
        .await;
    status.wait_for(|status| status.lanes == 1).await.unwrap();
    assert_eq!(world.standing(event).await, "waiting");
}

#[tokio::test]
async fn what_another_replica_put_back_is_found_by_a_sweep() {
    let mut world = World::with_customers(&[]).await;
    let missing_for = world.settings.policy.missing_for;
    let event = world
        .accept(Update::by_username("ana", &json!({"name": "Ana"})))
        .await;
    let dead = async {
        while world.standing(event).await != "dead customer-not-found" {
            world.clock.advance(missing_for);
            tokio::time::sleep(GLANCE).await;
        }
    };
    tokio::time::timeout(SECOND * 60, dead).await.unwrap();
    world.add_customer("ana");
    // That nobody was found is remembered for a moment.
    world.clock.advance(SECOND * 60);
    // As at another replica: this one's handle hears nothing of the deliveries.
    let handle = world.handle().clone();
    let open = world
        .hands
        .open_deliveries(OpenFilter::default(), DeliveryPos(0), 10);
    let positions = open
        .await
        .unwrap()
        .deliveries
        .iter()
        .map(|open| open.pos)
        .collect();
    let how = quentli_gateway::event::Redelivery {
        at: world.clock.now(),
        newer: quentli_gateway::event::NewerData::Kept,
    };
    assert_eq!(
        world.hands.redeliver(positions, how).await.unwrap().len(),
        1
    );
    handle.changed_elsewhere();
    world.wait_for(event, "delivered").await;
}
