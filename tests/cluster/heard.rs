//! What people ask of a replica that is not the one to do it is done all the same.

use serde_json::json;

use crate::{
    cluster::Cluster,
    database::Database,
    small::{CUSTOMER, Small, ask, rename, shows},
    sources::SECRET,
    support::until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_another_replica_was_asked_for_stops_the_owner_and_a_resume_lets_it_go_on() {
    let Some(small) = Small::start().await else {
        return;
    };
    let scope = json!({"organisation": "default"});
    ask(small.other(), "/api/v1/pause", &scope).await;
    for gateway in small.both() {
        shows(gateway, "the pause", |status| {
            status["pauses"][0]["name"] == "default"
                && status["organisations"]["default"]["state"] == "paused"
        })
        .await;
    }
    rename(small.other(), "i1", "Ana").await;
    // The owner has seen it when it counts it among what waits in its memory.
    shows(small.owner(), "the event to wait", |status| {
        status["organisations"]["default"]["lanes"] == 1
    })
    .await;
    assert_eq!(small.changes(), 0, "it is paused");

    ask(small.other(), "/api/v1/resume", &scope).await;
    small.other().settled().await;
    assert_eq!(small.name(), "Ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_replica_was_asked_to_send_again_the_owner_sends() {
    let Some(small) = Small::start().await else {
        return;
    };
    small.refuse_changes();
    rename(small.other(), "i1", "Ana").await;
    shows(small.other(), "the refusal", |status| {
        status["store"]["totals"]["dead"] == 1
    })
    .await;
    small.sandbox().lift_faults();
    let wish = json!({"which": {"all": true}});
    ask(small.other(), "/api/v1/redeliver", &wish).await;
    let totals = small.other().settled().await;
    assert_eq!(totals["ended"]["delivered"], 1, "{totals}");
    assert_eq!(small.name(), "Ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_another_replica_was_asked_to_erase_the_owner_does_not_remember() {
    let Some(small) = Small::start().await else {
        return;
    };
    rename(small.owner(), "i1", "Ana").await;
    small.owner().settled().await;
    rename(small.owner(), "i2", "Ana").await;
    let totals = small.owner().settled().await;
    assert_eq!(
        (&totals["ended"]["unchanged"], small.changes()),
        (&json!(1), 1)
    );

    let wish = json!({"organisation": "default", "customer": CUSTOMER});
    let receipt = ask(small.other(), "/api/v1/erase", &wish).await;
    assert_eq!(receipt["receipt"]["removed"]["history"], 2, "{receipt}");
    rename(small.owner(), "i3", "Ana").await;
    small.owner().settled().await;
    assert_eq!(small.changes(), 2, "it was sent as if it were news");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_asked_for_at_one_replica_reaches_all() {
    let Some(small) = Small::start().await else {
        return;
    };
    for replica in &small.cluster.replicas {
        let path = replica.setup.source_path("crm");
        let file = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, file.replace("a note", "a remark")).unwrap();
    }
    let (status, report) = small.other().reload().await;
    assert_eq!((status, &report["trigger"]), (200, &json!("request")));
    let report = small
        .owner()
        .reloaded("the reload at the other one", |report| {
            report["trigger"] == "elsewhere"
        })
        .await;
    assert_eq!(report["sources"]["changed"], json!(["crm"]), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_one_replica_was_told_another_one_knows() {
    let Some(database) = Database::shared().await else {
        return;
    };
    let file = "mapping: 1\nsource: hooks\nreceive: {verify: {type: hmac, signature_header: X-Hook-Signature, encoding: hex}, \
                handshake: header-echo}\notherwise: drop\nrules:\n  - {name: all, drop: nothing to do}\ntests:\n  - {name: \
                all, event: {a: 1}, expect: [{drop: nothing to do}]}\n";
    let cluster = Cluster::on(database, 2, "", |setup| setup.source("hooks", file)).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |replica: usize| {
        let gateway = cluster.replicas[replica].gateway();
        client.post(gateway.url().join("webhooks/hooks").unwrap())
    };
    let named = post(0).header("X-Hook-Secret", SECRET).send().await;
    assert_eq!(named.unwrap().status(), 200);
    until("the other replica to know it", async || {
        use hmac::{KeyInit as _, Mac as _};
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(b"{}");
        let signature = hex::encode(mac.finalize().into_bytes());
        let event = post(1).header("X-Hook-Signature", signature).body("{}");
        let status = event.send().await.unwrap().status();
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
}
