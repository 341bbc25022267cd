//! Nobody keeps anybody waiting.

use serde_json::json;

use crate::support::{SECOND, Update, World, number};

/// What one customer has waiting, and how many customers nobody knows, in the largest of these worlds.
const LONG_LANE: u32 = 100_000;
const UNKNOWN: u32 = 10_000;

async fn slow_world() -> World {
    let mut world = World::new().await;
    world.settings.rate = number(5);
    world.settings.burst = number(1);
    world
}

#[tokio::test]
async fn many_updates_of_one_customer_keep_no_other_waiting() {
    let mut world = slow_world().await;
    for username in ["ana", "eva"] {
        world.add_customer(username);
    }
    for name in 0..60 {
        world
            .accept(Update::by_id("ana", &json!({"name": name.to_string()})))
            .await;
    }
    world.deliver();
    world
        .drive_until("the first", SECOND / 10, |world| world.changes().len() >= 2)
        .await;
    let before = world.changes().len();
    let eva = world
        .accept(Update::by_id("eva", &json!({"name": "Eva"})))
        .await;
    let is_evas = |world: &World| {
        let changes = world.changes();
        changes
            .iter()
            .position(|change| change.customer.as_deref() == Some("cus-eva"))
    };
    world
        .drive_until("Eva's turn", SECOND / 10, |world| is_evas(world).is_some())
        .await;
    let place = is_evas(&world).unwrap();
    assert!(
        place <= before + 3,
        "Eva came after {place} changes, of which {before} had left before"
    );
    world.wait_for(eva, "delivered").await;
}

#[tokio::test]
async fn many_unknown_customers_keep_a_known_one_waiting_for_a_moment_only() {
    let mut world = slow_world().await;
    world.add_customer("ana");
    for number in 0..60 {
        world
            .accept(Update::by_username(
                &format!("nobody-{number}"),
                &json!({"name": "N"}),
            ))
            .await;
    }
    world.deliver();
    world
        .drive_until("the first looks", SECOND / 10, |world| {
            world.looks().len() >= 3
        })
        .await;
    let before = world.sandbox.exchanges().len();
    world
        .accept(Update::by_id("ana", &json!({"name": "Ana"})))
        .await;
    world
        .drive_until("Ana's turn", SECOND / 10, |world| {
            !world.changes().is_empty()
        })
        .await;
    let place = usize::try_from(world.changes()[0].number).unwrap();
    assert!(
        place <= before + 6,
        "Ana came after {place} requests, of which {before} had left before"
    );
}

#[tokio::test]
async fn looks_take_a_fifth_while_changes_wait_and_the_rate_is_kept() {
    let mut world = slow_world().await;
    for number in 0..40 {
        let username = format!("known-{number}");
        world.add_customer(&username);
        world
            .accept(Update::by_id(&username, &json!({"name": "N"})))
            .await;
        world
            .accept(Update::by_username(
                &format!("nobody-{number}"),
                &json!({"name": "N"}),
            ))
            .await;
    }
    world.deliver();
    world
        .drive_until("half of the changes", SECOND / 10, |world| {
            world.changes().len() >= 20
        })
        .await;
    let exchanges = world.sandbox.exchanges();
    let looks = exchanges
        .iter()
        .filter(|exchange| exchange.method == "GET")
        .count();
    assert!(looks >= 1, "nobody was looked for");
    assert!(
        looks * 4 <= exchanges.len(),
        "{looks} looks of {} requests",
        exchanges.len()
    );
    let took = world.clock.elapsed().as_millis();
    let most = 5 * took / 1000 + 1;
    let left = u128::try_from(exchanges.len()).unwrap();
    assert!(left <= most, "{left} requests within {took} ms");
}

/// A world in which Ana has a hundred thousand updates waiting, and ten thousand customers cannot be found.
async fn crowded_world() -> World {
    let mut world = slow_world().await;
    for username in ["ana", "eva"] {
        world.add_customer(username);
    }
    let many = 10_000;
    for start in (0..LONG_LANE).step_by(many) {
        let names = start..start + u32::try_from(many).unwrap();
        let update = |name: u32| Update::by_id("ana", &json!({"name": name.to_string()}));
        world.accept_all(names.map(update).collect()).await;
    }
    let nobody = |n| Update::by_username(&format!("nobody-{n}"), &json!({"name": "N"}));
    world.accept_all((0..UNKNOWN).map(nobody).collect()).await;
    world
}

/// Accepts an update for Eva, and drives until it left: how many changes left before it.
async fn changes_before_eva(world: &mut World) -> usize {
    let before = world.changes().len();
    let update = Update::by_id("eva", &json!({"name": format!("Eva {before}")}));
    let accepted = world.accept(update).await;
    let place = |world: &World| {
        let later = world.changes().into_iter().skip(before);
        later
            .map(|change| change.customer)
            .position(|customer| customer.as_deref() == Some("cus-eva"))
    };
    world
        .drive_until("Eva's turn", SECOND / 5, |world| place(world).is_some())
        .await;
    world.wait_for(accepted, "delivered").await;
    place(world).unwrap()
}

#[tokio::test]
async fn a_hundred_thousand_updates_and_ten_thousand_unknown_customers_cost_another_a_few_turns() {
    let mut world = crowded_world().await;
    world.deliver();
    world
        .drive_until("the first of all kinds", SECOND / 5, |world| {
            world.changes().len() >= 5 && world.looks().len() >= 5
        })
        .await;
    let before = changes_before_eva(&mut world).await;
    assert!(before < 10, "{before} changes went before Eva's");

    world.kill_and_reopen().await;
    world.deliver();
    let before = changes_before_eva(&mut world).await;
    assert!(
        before < 10,
        "{before} changes went before Eva's after a restart"
    );
    let looked_for = world.handle().status().looking;
    assert!(looked_for > 0, "some are known to be missing by now");
}
