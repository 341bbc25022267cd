//! `SIGKILL` at any moment loses nothing that was acknowledged.

use std::{collections::BTreeMap, time::Duration};

use quentli_gateway::sandbox::{Action, Exchange, Fault, Sandbox, Settings};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

use crate::support::{
    executable::Setup,
    number,
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
    seed,
};

const CUSTOMERS: usize = 12;

/// Sends numbered changes of one customer, each until it is acknowledged, as a sender that retries does. Ends when
/// nobody answers any more, and gives the number that was not acknowledged.
async fn send_until_cut(
    school: School,
    gateway: Url,
    customer: String,
    mut next: u64,
) -> (String, u64) {
    loop {
        match school
            .rename(
                &gateway,
                &format!("{customer}-{next}"),
                &customer,
                &next.to_string(),
            )
            .await
        {
            Ok(answer) if answer.status == 200 => next += 1,
            Ok(answer) => panic!("unexpected answer: {answer:?}"),
            Err(_) => return (customer, next),
        }
    }
}

/// The values of `name` that a customer was sent, in order.
fn values_sent(sandbox: &Sandbox, customer: &str) -> Vec<u64> {
    let changes = sandbox.exchanges().into_iter().filter(|exchange| {
        exchange.method == "PATCH" && exchange.customer.as_deref() == Some(customer)
    });
    let value = |exchange: Exchange| {
        let body: Value = serde_json::from_slice(&exchange.request).unwrap();
        body["input"]["data"]["name"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    changes.map(value).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_acknowledgement_and_delivery_nothing_is_lost_or_reordered() {
    let rounds = number("KILL_ROUNDS", 15);
    let mut random = StdRng::seed_from_u64(seed("KILL_SEED"));
    let sandbox = Sandbox::new(Settings {
        max_exchanges: 1_000_000,
        ..Settings::default()
    });
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let setup = Setup::new(&quentli.url())
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET);
    let school = School::new();
    let customers: Vec<String> = (0..CUSTOMERS)
        .map(|n| {
            sandbox
                .add(&json!({"name": "0", "username": format!("u{n}")}))
                .unwrap()
        })
        .collect();
    let mut next: BTreeMap<String, u64> = customers.iter().map(|id| (id.clone(), 1)).collect();

    for round in 0..rounds {
        // In some rounds Quentli is slow, so that deliveries are on their way when the process dies.
        sandbox.lift_faults();
        if round % 2 == 1 {
            let milliseconds = random.random_range(1..30);
            sandbox
                .fault(Fault::always(Action::Slow { milliseconds }).on_method("PATCH"))
                .unwrap();
        }
        let gateway = setup.start();
        let mut senders = JoinSet::new();
        for (customer, number) in &next {
            senders.spawn(send_until_cut(
                school.clone(),
                gateway.url(),
                customer.clone(),
                *number,
            ));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..250))).await;
        gateway.kill();
        while let Some(ended) = senders.join_next().await {
            let (customer, number) = ended.unwrap();
            next.insert(customer, number);
        }
    }

    sandbox.lift_faults();
    let gateway = setup.start();
    let totals = gateway.settled().await;
    assert_eq!(totals["dead"], 0, "{totals}");
    let ended: u64 = totals["ended"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(totals["created"].as_u64().unwrap(), ended, "{totals}");
    // Each reached Quentli, by itself or merged into a later one.
    let through = ["delivered", "superseded"].map(|end| totals["ended"][end].as_u64().unwrap());
    assert_eq!(through.iter().sum::<u64>(), ended, "{totals}");

    let mut acknowledged = 0;
    for (customer, next) in &next {
        acknowledged += next - 1;
        let sent = values_sent(&sandbox, customer);
        assert!(sent.is_sorted(), "out of order for {customer}: {sent:?}");
        // The one that was not acknowledged may have been stored all the same.
        let last = *sent.last().unwrap_or(&0);
        assert!(
            last == next - 1 || last == *next,
            "{customer}: acknowledged up to {}, sent {sent:?}",
            next - 1
        );
        let now = sandbox.customer(customer).unwrap();
        assert_eq!(now["name"], last.to_string());
        assert!(
            sandbox.most_changes_in_flight(customer) <= 2,
            "at most one, and one whose sender had died"
        );
    }
    eprintln!("{rounds} kills, {acknowledged} acknowledged events, all delivered in order");
    assert!(
        acknowledged > rounds,
        "the test must have sent something: {acknowledged}"
    );
    crate::fits_the_schema(&sandbox);
    quentli.stop().await;
}
