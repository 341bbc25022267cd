//! How a replica ends.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::{
    cluster::Cluster,
    database::Database,
    small::{CUSTOMER, try_to_rename},
    support::until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_database_does_not_answer_ends_when_its_grace_is_over() {
    let Some(database) = Database::shared().await else {
        return;
    };
    let mut cluster = Cluster::on(database, 1, "shutdown: {grace: 1s}\n", |setup| setup).await;
    let customer = serde_json::json!({"id": CUSTOMER, "name": "nobody yet"});
    cluster.sandbox(0).add(&customer).unwrap();
    let mut busy = cluster.database.outside().await;
    let outside = cluster.database.outside().await;
    let accepting = busy.transaction().await.unwrap();
    accepting
        .query("SELECT 1 FROM meta FOR UPDATE", &[])
        .await
        .unwrap();
    let replica = &mut cluster.replicas[0];
    let mut gateway = replica.gateway.take().unwrap();
    let mut sending = JoinSet::new();
    sending.spawn(try_to_rename(gateway.url(), "i1", "Ana"));
    until("an event to wait for its turn", async || {
        let sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let rows = outside.query(sql, &[]).await.unwrap();
        if rows.is_empty() { Err("none") } else { Ok(()) }
    })
    .await;
    replica.wire.cut();
    gateway.signal("TERM");
    let told = Instant::now();
    let ended = tokio::task::block_in_place(|| gateway.wait());
    let took = told.elapsed();
    assert!(ended.code().is_some(), "{ended}");
    // What it has asked of the database may take twelve seconds to be given up.
    assert!(took < Duration::from_secs(8), "it took {took:?}");
    let log = gateway.log().join("\n");
    assert!(!log.contains("the database is away"), "{log}");
}
