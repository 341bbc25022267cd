//! Quentli is away for an hour while events keep coming.
//!
//! `BACKLOG=1000000 cargo test --release --test delivery backlog -- --nocapture` does it with a million updates, and
//! prints how fast they were accepted and how much memory they took.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use quentli_gateway::event::End;
use serde_json::json;

use crate::support::{MINUTE, SECOND, Update, World, data, ended, number};

/// Customers whose updates come in turn.
const CUSTOMERS: u32 = 500;
/// Updates in one event.
const AT_ONCE: u32 = 500;

#[expect(
    clippy::disallowed_methods,
    reason = "how long a test runs is no setting of the program"
)]
fn backlog() -> u32 {
    std::env::var("BACKLOG").map_or(3_000, |text| text.parse().unwrap())
}

/// Memory of this process, in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}

/// Accepts updates, numbered from `from`, each customer's one after the other's. Gives how long each event took.
async fn fill(world: &mut World, from: u32, to: u32) -> Vec<Duration> {
    let mut took = Vec::new();
    for start in (from..to).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let update = |number: u32| {
            let customer = format!("c{}", number % CUSTOMERS);
            Update::by_id(&customer, &json!({"name": number.to_string()}))
        };
        let updates = (start..to.min(start + AT_ONCE)).map(update).collect();
        let began = Instant::now();
        world.accept_all(updates).await;
        took.push(began.elapsed());
        // The dispatcher reads what came.
        tokio::task::yield_now().await;
    }
    took
}

fn rate(took: &[Duration]) -> f64 {
    let total: Duration = took.iter().sum();
    f64::from(AT_ONCE) * f64::from(u32::try_from(took.len()).unwrap()) / total.as_secs_f64()
}

#[tokio::test]
async fn an_hour_without_quentli_keeps_nobody_from_sending_and_the_backlog_drains_in_order() {
    let backlog = backlog();
    let mut world = World::new().await;
    world.settings.concurrency = number(16);
    for customer in 0..CUSTOMERS {
        world.add_customer(&format!("c{customer}"));
    }
    world.deliver();
    world
        .until("the start", |world| !world.handle().status().loading)
        .await;
    world.unplug_quentli().await;
    let before = memory();
    let mut took = Vec::new();
    for minute in 0..60 {
        took.extend(
            fill(
                &mut world,
                backlog / 60 * minute,
                backlog / 60 * (minute + 1),
            )
            .await,
        );
        world.clock.advance(MINUTE);
    }
    took.extend(fill(&mut world, backlog / 60 * 60, backlog).await);
    world
        .until("the index of all lanes", |world| {
            world.handle().status().lanes == usize::try_from(CUSTOMERS).unwrap()
        })
        .await;
    let (first, last) = (
        rate(&took[..took.len() / 10]),
        rate(&took[took.len() * 9 / 10..]),
    );
    eprintln!(
        "{backlog} accepted: {first:.0}/s at first, {last:.0}/s at last; {} KiB more memory",
        memory().saturating_sub(before) / 1024
    );
    let totals = world.totals().await;
    assert_eq!(totals.waiting, u64::from(backlog), "{totals:?}");

    world.plug_quentli_in().await;
    // As long as it takes: a million take more than the others' patience.
    while world.totals().await.waiting > 0 {
        tokio::time::sleep(SECOND / 100).await;
        world.clock.advance(SECOND);
    }
    let mut last_sent: BTreeMap<String, u32> = BTreeMap::new();
    for change in world.changes() {
        let name: u32 = data(&change)["name"].as_str().unwrap().parse().unwrap();
        let before = last_sent.insert(change.customer.clone().unwrap(), name);
        assert!(before < Some(name), "{change:?}: {name} after {before:?}");
    }
    for (customer, last) in last_sent {
        // The last update of whoever has the next one's number in the backlog.
        let rest = backlog % CUSTOMERS;
        let place: u32 = customer.strip_prefix("cus-c").unwrap().parse().unwrap();
        let rounds = backlog / CUSTOMERS - u32::from(place >= rest);
        assert_eq!(last, rounds * CUSTOMERS + place, "{customer}");
        assert_eq!(
            world.at_quentli(&format!("c{place}"), "name"),
            last.to_string()
        );
    }
    let totals = world.totals().await;
    let ends = ended(&totals, End::Delivered) + ended(&totals, End::Superseded);
    assert_eq!(ends, u64::from(backlog), "{totals:?}");
}
