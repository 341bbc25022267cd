//! Whatever goes wrong: nothing is lost, and each customer's last update wins.

use std::collections::HashMap;

use quentli_gateway::{
    event::{End, EventSeq},
    sandbox::{Action, Fault, RetryAfter},
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use crate::support::{SECOND, Update, World, data, ended, id_of, number};

fn number_of(data: &Value) -> u64 {
    let text = data["metadata"][0]["value"].as_str().unwrap();
    text.parse().unwrap()
}

fn trouble(random: &mut StdRng) -> Action {
    let status = |status, seconds: Option<u64>| Action::Status {
        status,
        retry_after: seconds.map(RetryAfter::Seconds),
        message: None,
    };
    [
        status(500, None),
        status(503, Some(3)),
        status(429, Some(2)),
        status(429, None),
        Action::CutBefore,
        Action::CutAfter,
        Action::Html,
        Action::WithoutCustomer,
        Action::OtherCustomer,
        Action::Slow { milliseconds: 300 },
    ]
    .choose(random)
    .unwrap()
    .clone()
}

/// Ten customers, each known by three keys, 300 updates, a trouble for every third request, and a kill in the middle.
async fn whatever_goes_wrong(merge_most: u32, seed: u64) -> World {
    let mut random = StdRng::seed_from_u64(seed);
    let mut world = World::new().await;
    world.settings.merge_most = number(merge_most);
    let usernames: Vec<String> = (0..10).map(|number| format!("user-{number}")).collect();
    for username in &usernames {
        world.add_customer(username);
    }
    world.deliver();
    let mut last: HashMap<&str, u64> = HashMap::new();
    let mut events: Vec<EventSeq> = Vec::new();
    for number in 0..300 {
        let username = usernames.choose(&mut random).unwrap();
        let patch = json!({"metadata": [{"key": "n", "value": number.to_string()}]});
        // Lanes of one customer become one only once they are known to be the customer's, so each keeps to one key.
        let update = match username.len() + username.bytes().map(usize::from).sum::<usize>() {
            sum if sum % 3 == 0 => Update::by_id(username, &patch),
            sum if sum % 3 == 1 => Update::by_username(username, &patch),
            _ => Update::by_email(username, &patch),
        };
        events.push(world.accept(update).await);
        last.insert(username, number);
        if number % 3 == 0 {
            world
                .sandbox
                .fault(Fault::once(trouble(&mut random)))
                .unwrap();
        }
        if random.random_ratio(1, 4) {
            world.clock.advance(SECOND / 2);
        }
        if number == 150 {
            world.kill_and_reopen().await;
            world.deliver();
        }
    }
    world.drive_until_done(SECOND / 2).await;

    let totals = world.totals().await;
    assert_eq!(totals.created, 300);
    // Of a batch that met trouble the last goes by itself first, and what it set overtakes the others.
    let through: u64 = [End::Delivered, End::Superseded, End::Stale]
        .map(|end| ended(&totals, end))
        .iter()
        .sum();
    assert_eq!(through, 300, "{totals:?}");
    let mut applied: HashMap<String, Vec<u64>> = HashMap::new();
    for change in world.changes().iter().filter(|change| change.applied) {
        let customer = change.customer.clone().unwrap();
        applied
            .entry(customer)
            .or_default()
            .push(number_of(&data(change)));
    }
    for (username, number) in last {
        let numbers = &applied[&id_of(username)];
        assert!(numbers.is_sorted(), "{username}: {numbers:?}");
        assert_eq!(numbers.last(), Some(&number), "{username}");
    }
    world
}

#[tokio::test]
async fn whatever_goes_wrong_nothing_is_lost_and_each_customers_updates_stay_in_order() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let world = whatever_goes_wrong(1, seed).await;
    assert_eq!(ended(&world.totals().await, End::Delivered), 300);
}

#[tokio::test]
async fn whatever_goes_wrong_merged_updates_stay_in_order_too() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let world = whatever_goes_wrong(4, seed).await;
    assert!(ended(&world.totals().await, End::Superseded) > 100);
}
