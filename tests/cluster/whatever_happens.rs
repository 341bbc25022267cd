//! Events against troubles, and what must come of them.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use quentli_gateway::store::Store as _;

use crate::{
    account::{Account, Removed},
    chaos,
    cluster::Cluster,
    database::Database,
    judge,
    support::{number, seed},
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
    let senders = traffic.begin(&cluster, SENDERS, seed);

    let end = Instant::now() + Duration::from_secs(number("CLUSTER_SECONDS", SECONDS));
    let diary = chaos::reign(&mut cluster, &traffic.flow, seed, end).await;
    let is_sent = traffic.end(senders).await;
    assert!(is_sent, "senders are not through: {}", diary.join("\n"));
    cluster.until_at_rest().await;

    let store = cluster.database.open().await;
    let account = Account::of(&store, Removed::default()).await;
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
    cluster.has_none_of(&problems, &format!("CLUSTER_SEED={seed}"));
}
