//! Who does what: organisations are spread over replicas and move when one goes, and one alone tidies up.

use std::time::Instant;

use serde_json::Value;

use crate::{
    cluster::{Cluster, LEASE},
    support::{executable::Gateway, until},
};

/// The replica that has a lease, as `gateway` shows it.
async fn holder(gateway: &Gateway, lease: &str) -> Option<String> {
    let status = gateway.status().await;
    let leases = status["replicas"]["leases"].as_array().unwrap();
    let mut of_name = leases.iter().filter(|held| held["lease"] == lease);
    let holder = of_name.next().map(|held| held["replica"].clone());
    assert_eq!(of_name.next(), None, "two have the lease {lease}");
    holder.and_then(|holder| holder.as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_are_spread_and_move_at_once_when_their_replica_ends_in_order() {
    let Some(mut cluster) = Cluster::pair().await else {
        return;
    };
    until("each replica to have one organisation", async || {
        let owners = [cluster.owner(0).await, cluster.owner(1).await];
        if owners[0] == owners[1] {
            Err(owners)
        } else {
            Ok(())
        }
    })
    .await;
    let leaving = cluster.owner(0).await;
    cluster.replicas[leaving].terminate();
    let ended = Instant::now();
    assert_eq!(cluster.owner(0).await, 1 - leaving);
    let took = ended.elapsed();
    // The look of every second, on a machine that is busy; without the release it would last as long as the lease.
    assert!(took < LEASE / 3, "it took {took:?}");

    cluster.replicas[leaving].start();
    until("the one that came back to have one again", async || {
        let owners = [cluster.owner(0).await, cluster.owner(1).await];
        if owners.contains(&leaving) {
            Ok(())
        } else {
            Err(owners)
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_has_the_upkeep_and_another_takes_it_over() {
    let Some(mut cluster) = Cluster::pair().await else {
        return;
    };
    let had = until("somebody to have the upkeep", async || {
        let gateway = cluster.replicas[0].gateway();
        holder(gateway, "@upkeep").await.ok_or(Value::Null)
    })
    .await;
    for replica in &cluster.replicas {
        let seen = holder(replica.gateway(), "@upkeep").await;
        assert_eq!(seen.as_ref(), Some(&had));
    }
    let mut replicas = cluster.replicas.iter_mut();
    let leaving = replicas.find(|replica| replica.name == had).unwrap();
    leaving.terminate();
    let mut replicas = cluster.replicas.iter();
    let staying = replicas.find(|replica| replica.name != had).unwrap();
    until("the other one to take it over", async || {
        let seen = holder(staying.gateway(), "@upkeep").await;
        if seen.as_ref() == Some(&staying.name) {
            Ok(())
        } else {
            Err(seen)
        }
    })
    .await;
}
