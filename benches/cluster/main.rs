//! What several replicas on PostgreSQL bring and cost: events accepted a second with one, two and three of them and beside
//! SQLite; how fast one organisation's updates are delivered where few and where many wait; and how long nobody delivers
//! after the one that did was killed.
//!
//! Everything runs on this machine, the database and the senders too, so replicas take the processor from each other: read
//! ratios, not figures, and expect little of a second replica where there are few cores.
//!
//! ```text
//! nice cargo bench --bench cluster                      # 10 000 and 50 000 waiting
//! CLUSTER_WAITING=1000000 cargo bench --bench cluster   # as many as after a day without Quentli
//! CLUSTER_ONLY=takeover cargo bench --bench cluster     # or accept, deliver
//! CLUSTER_CONNECTIONS=192 cargo bench --bench cluster   # senders at once, 48 without it
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a measuring program: it stops at the first surprise and computes with figures for people"
)]

mod quentli;

#[path = "../support/load.rs"]
mod load;
#[path = "../../src/store/postgres/tests/server.rs"]
#[expect(dead_code, reason = "tests of the store use more of it")]
mod server;
#[path = "../../tests/support/support.rs"]
mod support;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    load::{SECRET, SOURCE_FILE},
    quentli::Quentli,
    server::Server,
    support::executable::{Gateway, Setup},
};

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(3);
/// Deliveries of each stretch over which a rate is measured, after some that warm up.
const WARM: u64 = 1_000;
const MEASURED: u64 = 3_000;
/// Updates in one event while deliveries are piled up.
const AT_ONCE: u64 = 200;

/// Each update is of a customer of its own, so that none is merged with another.
const PILE: &str = "
mapping: 1
source: pile
receive: {verify: none, dedup: body}
items: all[]
otherwise: fail
rules:
  - {name: all, customer: {id: id}, set: {name: name}}
tests:
  - {name: one, event: {all: [{id: cus_1, name: Ana}]}, expect: [{customer: cus_1, patch: {name: Ana}}]}
";

#[tokio::main]
async fn main() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let Some(server) = Server::start(&[]) else {
        println!("PostgreSQL is not installed (Debian: postgresql): nothing is measured");
        return;
    };
    let only = std::env::var("CLUSTER_ONLY").unwrap_or_default();
    let is_meant = |part: &str| only.is_empty() || only == part;
    if is_meant("accept") {
        accept(&server).await;
    }
    if is_meant("deliver") {
        deliver(&server).await;
    }
    if is_meant("takeover") {
        take_over(&server).await;
    }
}

/// A database of its own, as a setting.
async fn database(server: &Server) -> String {
    let name = server.create_database().await;
    format!("database: \"{}?sslmode=disable\"\n", server.url(&name))
}

fn setup(settings: &str, quentli: &str) -> Setup {
    let organisation = format!(
        "{{key: {{env: QUENTLI_API_KEY}}, url: \"{quentli}\", rate: 5000, concurrency: 16, timeout: 1s}}"
    );
    Setup::new(quentli)
        .without("QUENTLI_API_URL")
        .settings(&format!("{settings}quentli: {{default: {organisation}}}\n"))
        .variable("GATEWAY_LOG_LEVEL", "quentli_gateway::app=info,error")
        .variable("BENCH_SECRET", SECRET)
        .source("bench", SOURCE_FILE)
        .source("pile", PILE)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

async fn accept(server: &Server) {
    // Nothing listens there: this measures accepting alone.
    let quentli = "http://127.0.0.1:9";
    let connections = connections();
    println!(
        "accepted a second, {connections} connections, 2 KB bodies, median of {ROUNDS} rounds in turn"
    );
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for (replicas, rates) in rates.iter_mut().enumerate() {
            let settings = match replicas {
                0 => String::new(),
                _ => database(server).await,
            };
            let setups: Vec<Setup> = (0..replicas.max(1))
                .map(|_| setup(&settings, quentli))
                .collect();
            let gateways: Vec<Gateway> = setups.iter().map(Setup::start).collect();
            rates.push(accepted(&gateways).await);
        }
    }
    let [sqlite, one, two, three] = rates.map(median);
    for (what, rate) in [
        ("SQLite", sqlite),
        ("1 replica", one),
        ("2 replicas", two),
        ("3 replicas", three),
    ] {
        println!(
            "{what:>12}  {rate:>8.0}/s  {:>5.2} of SQLite  {:>5.2} of one replica",
            rate / sqlite,
            rate / one
        );
    }
}

fn connections() -> u64 {
    support::number("CLUSTER_CONNECTIONS", 48)
}

async fn accepted(gateways: &[Gateway]) -> f64 {
    let listen: Vec<SocketAddr> = gateways.iter().map(|gateway| gateway.listen).collect();
    let (stop, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut senders = JoinSet::new();
    for (sender, address) in (0..connections()).zip(listen.into_iter().cycle()) {
        senders.spawn(load::send(
            address,
            sender,
            Arc::clone(&stop),
            Arc::clone(&answered),
        ));
    }
    // The first moments do not count.
    tokio::time::sleep(ROUND / 6).await;
    let (before, began) = (answered.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(ROUND).await;
    let many = answered.load(Ordering::Relaxed) - before;
    let rate = many as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = senders.join_next().await {
        ended.unwrap();
    }
    rate
}

async fn deliver(server: &Server) {
    let many = support::number("CLUSTER_WAITING", 50_000);
    println!("delivered a second of one organisation, while so many waited when it began");
    let few = delivered(server, 10_000).await;
    println!("{:>12}  {few:>8.0}/s", 10_000);
    let lots = delivered(server, many).await;
    println!(
        "{many:>12}  {lots:>8.0}/s  {:>5.2} of the first",
        lots / few
    );
}

/// Piles up so many deliveries and gives how many of the first are delivered a second, the median of some stretches.
async fn delivered(server: &Server, waiting: u64) -> f64 {
    let quentli = Quentli::start().await;
    let setup = setup(&database(server).await, &quentli.url());
    let gateway = setup.start();
    let scope = json!({"organisation": "default"});
    assert_eq!(gateway.wish("POST", "/api/v1/pause", &scope).await.0, 200);
    pile(&gateway, 0, waiting).await;
    support::until("all to wait", async || {
        let totals = gateway.status().await["store"]["totals"].clone();
        if totals["waiting"] == waiting {
            Ok(())
        } else {
            Err(totals)
        }
    })
    .await;
    assert_eq!(gateway.wish("POST", "/api/v1/resume", &scope).await.0, 200);
    quentli.has(WARM).await;
    let mut rates = Vec::new();
    for stretch in 1..=3 {
        let began = Instant::now();
        quentli.has(WARM + stretch * MEASURED).await;
        rates.push(MEASURED as f64 / began.elapsed().as_secs_f64());
    }
    median(rates)
}

/// Sends events about customers with these numbers.
async fn pile(gateway: &Gateway, from: u64, to: u64) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = gateway.url().join("webhooks/pile").unwrap();
    for start in (from..to).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let all = start..to.min(start + AT_ONCE);
        let all: Vec<_> = all
            .map(|number| json!({"id": format!("cus_{number}"), "name": format!("n{number}")}))
            .collect();
        let body = json!({"all": all}).to_string();
        let post = client
            .post(url.clone())
            .header("content-type", "application/json");
        let answer = post.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

async fn take_over(server: &Server) {
    println!(
        "from SIGKILL of the replica that delivers to the next delivery; the lease is 12 s, with `timeout: 1s`"
    );
    let quentli = Quentli::start().await;
    let settings = database(server).await;
    let setups = [
        setup(&settings, &quentli.url()),
        setup(&settings, &quentli.url()),
    ];
    let mut gateways: Vec<Gateway> = setups.iter().map(Setup::start).collect();
    let mut sent = 0;
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        pile(&gateways[0], sent, sent + 1).await;
        sent += 1;
        quentli.has(sent).await;
        let owner = owner(&gateways).await;
        // At another moment between two renewals each time.
        tokio::time::sleep(Duration::from_millis(1_300) * u32::try_from(round).unwrap()).await;
        let began = Instant::now();
        gateways.swap_remove(owner).kill();
        pile(&gateways[0], sent, sent + 1).await;
        sent += 1;
        quentli.has(sent).await;
        took.push(began.elapsed().as_secs_f64());
        gateways.push(setups[0].start());
    }
    println!("{took:>6.1?} s, median {:.1} s", median(took.clone()));
}

async fn owner(gateways: &[Gateway]) -> usize {
    for (number, gateway) in gateways.iter().enumerate() {
        if gateway.status().await["organisations"]["default"]["held"]["here"] == true {
            return number;
        }
    }
    panic!("nobody delivers");
}
