//! Events against troubles, and what must come of them.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use quentli_gateway::store::Store as _;
use tokio::task::JoinSet;

use crate::{
    account::Account,
    chaos,
    cluster::Cluster,
    database::Database,
    judge,
    support::{number, seed, until},
    traffic::Traffic,
};

const SENDERS: u64 = 8;
/// How long troubles last, in seconds.
const SECONDS: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_replicas_nothing_is_lost_and_each_customer_ends_as_the_model_says() {
    let test =
        "whatever_happens_to_replicas_nothing_is_lost_and_each_customer_ends_as_the_model_says";
    let seed = seed("CLUSTER_SEED");
    let Some(database) = Database::alone().await else {
        return;
    };
    let drain = "shutdown: {drain: 3s}\n";
    let mut cluster = Cluster::of_releases(database, 3, drain).await;
    cluster.balance(test).await;
    let traffic = Arc::new(Traffic::new());
    for person in &traffic.people {
        let sandbox = cluster.sandbox(person.organisation);
        sandbox.add(&person.record()).unwrap();
    }
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (traffic, urls) = (Arc::clone(&traffic), cluster.urls());
        let seed = seed.wrapping_add(sender);
        senders.spawn(async move { traffic.send(&urls, sender, seed).await });
    }

    let end = Instant::now() + Duration::from_secs(number("CLUSTER_SECONDS", SECONDS));
    let diary = chaos::reign(&mut cluster, &traffic.flow, seed, end).await;
    traffic.stop.store(true, Ordering::Relaxed);
    let is_sent = async {
        while let Some(ended) = senders.join_next().await {
            ended.unwrap();
        }
    };
    let is_sent = tokio::time::timeout(Duration::from_mins(1), is_sent).await;
    assert!(
        is_sent.is_ok(),
        "senders are not through: {}",
        diary.join("\n")
    );
    for replica in &cluster.replicas {
        replica.gateway().settled().await;
    }
    until("every replica to say that it is ready", async || {
        for replica in &cluster.replicas {
            let url = replica.gateway().url().join("ready").unwrap();
            let answer = reqwest::get(url).await.unwrap();
            if !answer.status().is_success() {
                return Err(replica.name.clone());
            }
        }
        Ok(())
    })
    .await;

    let store = cluster.database.open().await;
    let account = Account::of(&store).await;
    store.close().await;
    let mut problems = judge::problems(&cluster, &traffic, &account);
    problems.extend(traffic.flow.problems());
    let (items, requests) = {
        let book = traffic.book.lock().unwrap();
        (book.items.len(), book.requests.len())
    };
    eprintln!("{}", diary.join("\n"));
    let retries = traffic.retries.lock().unwrap().clone();
    eprintln!(
        "{requests} requests with {items} items, {} sent again, {} tried again ({:?}); longest without an accepted one, by \
         sender: {:.1?}; {:?}",
        traffic.repeated.load(Ordering::Relaxed),
        retries.values().sum::<u64>(),
        retries,
        traffic.flow.longest(),
        account.totals,
    );
    if !problems.is_empty() {
        for replica in &cluster.replicas {
            eprintln!("{}:\n{}", replica.name, replica.gateway().log().join("\n"));
        }
    }
    assert!(
        problems.is_empty(),
        "CLUSTER_SEED={seed}\n{}",
        problems.join("\n")
    );
}
