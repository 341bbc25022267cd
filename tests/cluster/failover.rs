//! The server of the database is lost, and its standby takes its place.

use std::{sync::Arc, time::Instant};

use quentli_gateway::{
    event::EventSeq,
    sandbox::{Action, Fault},
    store::{Standing, Store as _},
};
use serde_json::json;

use crate::{
    account::{Account, Removed},
    cluster::Cluster,
    database::Database,
    judge,
    small::{CUSTOMER, rename, try_to_rename_one},
    support::{executable::Gateway, seed, until},
    traffic::Traffic,
};

/// How many requests are acknowledged before something happens.
const SOME: usize = 30;

/// Gateways that know both servers.
async fn gateways(primary: &Database, standby: &Database) -> Cluster {
    let url = Database::url_of_both(primary, standby);
    Cluster::on(primary.clone(), 2, "", |setup| {
        setup.variable("GATEWAY_DATABASE", &url)
    })
    .await
}

/// Waits until so many more are acknowledged.
async fn acknowledges(traffic: &Traffic, more: usize) {
    let wanted = traffic.acknowledged() + more;
    until("requests to be acknowledged", async || {
        let found = traffic.acknowledged();
        if found >= wanted { Ok(()) } else { Err(found) }
    })
    .await;
}

/// Another customer than the one that all other tests rename.
const OTHER: &str = "cus_other";

async fn rename_other(gateway: &Gateway, id: &str, name: &str) {
    let answer = try_to_rename_one(gateway.url(), OTHER, id, name).await;
    assert_eq!(answer.unwrap().status, 200);
}

/// How many sessions of gateways a server has.
const SESSIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'quentli-gateway'";
const ACCEPTED: &str = "SELECT next_event FROM quentli_gateway.meta";
const ENDED: &str = "SELECT count(*) FROM quentli_gateway.history";
/// Up to where a primary has written, and a standby has read.
const WRITTEN: &str = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint";
const REPLAYED: &str = "SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint";

#[tokio::test(flavor = "multi_thread")]
async fn when_a_synchronous_standby_takes_over_nothing_is_lost_and_everything_goes_on_by_itself() {
    let seed = seed("FAILOVER_SEED");
    let Some([primary, standby]) = Database::with_standby(true).await else {
        return;
    };
    let mut cluster = gateways(&primary, &standby).await;
    let traffic = Arc::new(Traffic::new());
    let senders = traffic.begin(&cluster, 4, seed);
    acknowledges(&traffic, SOME).await;

    primary.kill();
    let killed = Instant::now();
    // Only the standby answers, which can be written to by nobody.
    for replica in &cluster.replicas {
        replica.gateway().logged("it is a standby").await;
    }
    cluster.all_ready(false).await;
    for replica in &cluster.replicas {
        let answer = rename(replica.gateway(), "meanwhile", "Ana").await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.retry_after.is_some(), "{answer:?}");
    }

    let ended = standby.number(ENDED).await;
    tokio::task::block_in_place(|| standby.promote());
    let promoted = Instant::now();
    acknowledges(&traffic, 1).await;
    let accepting = promoted.elapsed();
    until("something to be delivered", async || {
        let found = standby.number(ENDED).await;
        if found > ended { Ok(()) } else { Err(found) }
    })
    .await;
    let delivering = promoted.elapsed();
    acknowledges(&traffic, SOME).await;

    // The former primary comes back as what it was, and a gateway is started that knows nothing of what happened.
    tokio::task::block_in_place(|| primary.start_again());
    let old = primary.number(ACCEPTED).await;
    cluster.replicas[0].terminate();
    cluster.replicas[0].start();
    standby.cut(2).await;
    acknowledges(&traffic, SOME).await;
    until("nobody to use the former primary", async || {
        match primary.number(SESSIONS).await {
            0 => Ok(()),
            sessions => Err(sessions),
        }
    })
    .await;
    assert_eq!(primary.number(ACCEPTED).await, old);

    assert!(traffic.end(senders).await, "senders are not through");
    cluster.until_at_rest().await;
    let store = standby.open().await;
    let account = Account::of(&store, Removed::default()).await;
    store.close().await;
    let problems = judge::problems(&cluster, &traffic, &account);
    eprintln!(
        "killed and promoted within {:?}; from then on {accepting:?} to the first accepted, {delivering:?} to the first \
         delivered; {} requests, {:?}",
        promoted.duration_since(killed),
        traffic.acknowledged(),
        account.totals,
    );
    cluster.has_none_of(&problems, &format!("FAILOVER_SEED={seed}"));
    primary.stop("immediate");
    standby.stop("immediate");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_after_a_lossy_failover_is_delivered_though_its_number_was_given_before() {
    let Some([primary, standby]) = Database::with_standby(false).await else {
        return;
    };
    let cluster = gateways(&primary, &standby).await;
    let customer = json!({"id": CUSTOMER, "username": "u1", "name": "nobody yet"});
    cluster.sandbox(0).add(&customer).unwrap();
    let customer = json!({"id": OTHER, "username": "u2", "name": "nobody yet"});
    cluster.sandbox(0).add(&customer).unwrap();
    let owner = cluster.owner(0).await;
    let gateway = cluster.replicas[owner].gateway();
    rename(gateway, "i1", "Ana").await;
    rename_other(gateway, "i2", "Ana").await;
    gateway.settled().await;
    let written = primary.number(WRITTEN).await;
    until("the standby to have that", async || {
        let found = standby.number(REPLAYED).await;
        if found >= written { Ok(()) } else { Err(found) }
    })
    .await;

    // It is away while another one is accepted, and the primary is lost while that is on its way to Quentli.
    tokio::task::block_in_place(|| standby.stop("fast"));
    let slow = Action::Slow { milliseconds: 900 };
    let slow = Fault::once(slow).on_method("PATCH");
    cluster.sandbox(0).fault(slow).unwrap();
    let lost = rename(gateway, "lost", "Berta").await.stored().unwrap();
    until("it to be on its way", async || {
        match cluster.sandbox(0).customer(CUSTOMER).unwrap()["name"].clone() {
            name if name == "Berta" => Ok(()),
            name => Err(name),
        }
    })
    .await;
    // Of another customer the end is known, and lost, too.
    let ended = primary.number(ENDED).await;
    rename_other(gateway, "lost-too", "Berta").await;
    until("an end that the standby lacks", async || {
        let found = primary.number(ENDED).await;
        if found > ended { Ok(()) } else { Err(found) }
    })
    .await;
    primary.kill();
    tokio::task::block_in_place(|| {
        standby.start_again();
        standby.promote();
    });
    let other = cluster.replicas[1 - owner].gateway();
    let again = until("the other replica to accept", async || {
        let answer = rename(other, "new", "Carla").await;
        if answer.status == 200 {
            Ok(answer.stored().unwrap())
        } else {
            Err(answer)
        }
    })
    .await;
    assert_eq!(
        (again.status.as_str(), again.event),
        ("accepted", lost.event)
    );
    for replica in &cluster.replicas {
        replica
            .gateway()
            .logged("another server is the primary now")
            .await;
    }
    cluster.until_at_rest().await;

    let store = standby.open().await;
    let event = EventSeq(again.event);
    let records = store.deliveries_of(event).await.unwrap();
    assert!(
        matches!(&records[0].standing, Standing::Ended { end, .. } if end.as_str() == "delivered"),
        "{records:?}"
    );
    // As far as the database knows, Quentli has this value already.
    rename_other(other, "again", "Ana").await;
    cluster.until_at_rest().await;
    let name = cluster.sandbox(0).customer(OTHER).unwrap()["name"].clone();
    assert_eq!(name, "Ana");
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.created, totals.ended[0]), (4, 4), "{totals:?}");
    store.close().await;
    let name = cluster.sandbox(0).customer(CUSTOMER).unwrap()["name"].clone();
    assert_eq!(name, "Carla");
    standby.stop("immediate");
    // What a server that was killed holds of the system it gives back when it is started again.
    primary.start_again();
    primary.stop("immediate");
}
