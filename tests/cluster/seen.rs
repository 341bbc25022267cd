//! Whichever replica people ask, they see the whole.

use serde_json::{Value, json};

use crate::{
    small::{Small, ask, rename, shows},
    support::until,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_replica_shows_who_delivers_and_how_it_stands() {
    let Some(small) = Small::start().await else {
        return;
    };
    small.refuse_changes();
    rename(small.other(), "i1", "Ana").await;
    for (gateway, here) in [(small.owner(), true), (small.other(), false)] {
        shows(gateway, "who delivers", |status| {
            let shown = &status["organisations"]["default"];
            let leases = status["replicas"]["leases"].as_array().unwrap();
            let names: Vec<&Value> = leases.iter().map(|lease| &lease["lease"]).collect();
            shown["held"]["here"] == here
                && shown["state"] == "delivering"
                && status["dead"]
                    .as_array()
                    .is_some_and(|dead| dead.len() == 1)
                && names == ["@upkeep", "default", "south"]
        })
        .await;
    }
    let [owner, other] = small.both();
    let (owner, other) = (owner.status().await, other.status().await);
    let holder = |status: &Value| status["organisations"]["default"]["held"]["replica"].clone();
    assert_eq!(holder(&owner), holder(&other));
    assert_eq!(holder(&owner), owner["replicas"]["here"]);
    assert_ne!(owner["replicas"]["here"], other["replicas"]["here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_organisation_that_is_paused_only_its_replica_shows_that_state_in_its_metrics() {
    let Some(small) = Small::start().await else {
        return;
    };
    let scope = json!({"organisation": "default"});
    ask(small.other(), "/api/v1/pause", &scope).await;
    let metric = |page: &str, name: &str, state: &str| {
        let start = format!("quentli_gateway_{name}{{organisation=\"default\"{state}}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&*start));
        line.map(str::to_owned)
    };
    for (gateway, expected) in [(small.owner(), "1"), (small.other(), "0")] {
        until("the metrics to tell it", async || {
            let page = gateway.metrics().await;
            let shown = [
                ("organisation_held", ""),
                ("organisation_state", ",state=\"paused\""),
            ]
            .map(|(name, state)| metric(&page, name, state));
            let is_meant = shown.iter().all(|value| value.as_deref() == Some(expected));
            let delivering = metric(&page, "organisation_state", ",state=\"delivering\"");
            if is_meant && delivering.as_deref() == Some("0") {
                Ok(())
            } else {
                Err(shown)
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_replica_lists_the_events_and_the_refused_requests_of_all() {
    let Some(small) = Small::start().await else {
        return;
    };
    for (number, gateway) in small.both().into_iter().enumerate() {
        rename(gateway, &format!("i{number}"), "Ana").await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = gateway.url().join("webhooks/sis").unwrap();
        let refused = client.post(url).body("{}").send().await.unwrap();
        assert_eq!(refused.status(), 401);
    }
    for gateway in small.both() {
        let (_, page) = gateway.admin("GET", "/api/v1/events").await;
        assert_eq!(page["events"].as_array().map(Vec::len), Some(2), "{page}");
        // Both are alike, so they are one row that counts.
        until("the refused requests to be written down", async || {
            let (_, page) = gateway.admin("GET", "/api/v1/rejected").await;
            let times = page["rejected"][0]["times"].clone();
            if times == 2 { Ok(()) } else { Err(page) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_same_event_sent_to_two_replicas_at_once_one_is_accepted() {
    let Some(small) = Small::start().await else {
        return;
    };
    for number in 0..20 {
        let id = format!("i{number}");
        let sent = tokio::join!(
            rename(small.owner(), &id, &id),
            rename(small.other(), &id, &id)
        );
        let mut words: Vec<String> = [sent.0, sent.1]
            .iter()
            .map(|answer| answer.stored().unwrap().status)
            .collect();
        words.sort();
        assert_eq!(words, ["accepted", "duplicate"], "{id}");
    }
    let totals = small.other().settled().await;
    assert_eq!(
        (&totals["created"], small.name()),
        (&json!(20), json!("i19"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_every_replica_says_so_and_recovers_by_itself() {
    let Some(database) = crate::database::Database::alone().await else {
        return;
    };
    let cluster = crate::cluster::Cluster::on(database, 2, "", |setup| setup).await;
    cluster.all_ready(true).await;
    tokio::task::block_in_place(|| cluster.database.stop("immediate"));
    for replica in &cluster.replicas {
        let answer = rename(replica.gateway(), "i1", "Ana").await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.retry_after.is_some(), "{answer:?}");
    }
    cluster.all_ready(false).await;
    tokio::task::block_in_place(|| cluster.database.start_again());
    cluster.all_ready(true).await;
    let answer = rename(cluster.replicas[0].gateway(), "i1", "Ana").await;
    assert_eq!(answer.stored().unwrap().status, "accepted");
}
