//! Behind a balancer: whose request it is, and that no sender notices when a gateway leaves.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use quentli_gateway::sender::{TestEvent, sign};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

use crate::{
    haproxy::HaProxy,
    nginx::Nginx,
    support::{
        executable::{Gateway, Setup},
        school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
        until,
    },
};

/// Senders at once, each with a connection that it keeps.
const SENDERS: u32 = 8;

/// A gateway behind HAProxy, with more than enough time for it to see that one leaves; Quentli is away.
fn setup(source: &str) -> Setup {
    Setup::new("http://127.0.0.1:9")
        .settings("trusted_proxies: [127.0.0.1]\nshutdown: {drain: 20s}\n")
        .source("school", source)
        .variable(SECRET_VARIABLE, SECRET)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_is_who_calls_haproxy_and_not_who_the_sender_says_it_is() {
    let only_one = SOURCE_FILE.replace("receive:\n", "receive:\n  allow_from: [127.0.0.9]\n");
    let gateway = setup(&only_one).start();
    let test = "the_sender_is_who_calls_haproxy_and_not_who_the_sender_says_it_is";
    let Some(proxy) = HaProxy::start(test, &[gateway.listen]).await else {
        return;
    };
    let send = async |from: &str, path: &str, claim: Option<&str>| {
        let client = reqwest::Client::builder()
            .no_proxy()
            .local_address(from.parse::<IpAddr>().unwrap())
            .build()
            .unwrap();
        let event = TestEvent::new(from, "application/json", "{}");
        let signed = sign(
            School::new().source(),
            &event,
            &proxy.url(),
            jiff::Timestamp::now(),
        )
        .unwrap();
        let mut request = client
            .post(proxy.url().join(path).unwrap())
            .headers(signed.headers)
            .body(signed.body);
        if let Some(claim) = claim {
            request = request.header("X-Forwarded-For", claim);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let secret_in_query = "/webhooks/school?token=nobody-may-read-this";
    assert_eq!(send("127.0.0.9", secret_in_query, None).await, 200);
    assert_eq!(send("127.0.0.8", secret_in_query, None).await, 403);
    let claimed = send("127.0.0.8", secret_in_query, Some("127.0.0.9")).await;
    assert_eq!(claimed, 403, "what a sender says of itself is not believed");
    for closed in ["/ready", "/live", "/metrics", "/api/v1/status"] {
        assert_eq!(send("127.0.0.9", closed, None).await, 404, "{closed}");
    }
    until("HAProxy to write down its requests", async || {
        let log = proxy.log();
        if log.contains("POST /webhooks/school") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    assert!(
        !proxy.log().contains("nobody-may-read-this"),
        "{}",
        proxy.log()
    );
}

/// Senders that post one event after the other through a balancer until they are stopped.
struct Senders {
    running: JoinSet<()>,
    answered: Arc<AtomicU32>,
    failures: Arc<std::sync::Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Senders {
    fn start(to: &Url) -> Self {
        let mut senders = Self {
            running: JoinSet::new(),
            answered: Arc::default(),
            failures: Arc::default(),
            stop: Arc::default(),
        };
        for sender in 0..SENDERS {
            let (to, answered, failures, stop) = (
                to.clone(),
                Arc::clone(&senders.answered),
                Arc::clone(&senders.failures),
                Arc::clone(&senders.stop),
            );
            senders.running.spawn(async move {
                let school = School::new();
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let id = format!("{sender}-{number}");
                    match school.rename(&to, &id, "cus_1", &id).await {
                        Ok(answer) if answer.status == 200 => {}
                        other => failures.lock().unwrap().push(format!("{other:?}")),
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        senders
    }

    /// Waits until so many more requests have an answer.
    async fn go_on(&self, many: u32) {
        let before = self.answered.load(Ordering::Relaxed);
        until("requests to be answered", async || {
            let more = self.answered.load(Ordering::Relaxed) - before;
            if more >= many { Ok(()) } else { Err(more) }
        })
        .await;
    }

    /// Ends them; how many requests there were, all of which must have been taken.
    async fn stop(mut self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.running.join_next().await {
            ended.unwrap();
        }
        let failures = self.failures.lock().unwrap();
        assert!(failures.is_empty(), "{failures:#?}");
        self.answered.load(Ordering::Relaxed)
    }
}

/// How many events a gateway has.
async fn has(gateway: &Gateway) -> u64 {
    let status: Value = gateway.status().await;
    status["store"]["totals"]["accepted"].as_u64().unwrap()
}

async fn is_alive(at: SocketAddr) -> bool {
    let answer = reqwest::get(format!("http://{at}/live")).await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_leaves_in_order_and_no_request_fails() {
    let (first, second) = (setup(SOURCE_FILE), setup(SOURCE_FILE));
    let (leaving, staying) = (first.start(), second.start());
    let gateways = [leaving.listen, staying.listen];
    let test = "a_gateway_leaves_in_order_and_no_request_fails";
    let Some(proxy) = HaProxy::start(test, &gateways).await else {
        return;
    };
    let senders = Senders::start(&proxy.url());
    senders.go_on(100).await;
    assert!(has(&leaving).await > 0 && has(&staying).await > 0);

    leaving.signal("TERM");
    proxy.comes_to_be("gateway-1", "DOWN").await;
    assert!(is_alive(gateways[0]).await, "it left before HAProxy knew");
    let last = has(&leaving).await;
    senders.go_on(100).await;
    assert_eq!(has(&leaving).await, last, "HAProxy still sends there");
    let ended = tokio::task::spawn_blocking(move || {
        let mut leaving = leaving;
        leaving.wait()
    });
    assert!(ended.await.unwrap().success());
    senders.go_on(100).await;

    let sent = senders.stop().await;
    let back = first.start();
    let taken = has(&back).await + has(&staying).await;
    assert_eq!(json!(taken), json!(sent), "each event is at one gateway");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_killed_and_no_request_fails() {
    let (first, second) = (setup(SOURCE_FILE), setup(SOURCE_FILE));
    let (dying, staying) = (first.start(), second.start());
    let gateways = [dying.listen, staying.listen];
    let test = "a_gateway_is_killed_and_no_request_fails";
    let Some(proxy) = HaProxy::start(test, &gateways).await else {
        return;
    };
    let senders = Senders::start(&proxy.url());
    senders.go_on(100).await;
    assert!(has(&dying).await > 0 && has(&staying).await > 0);
    dying.kill();
    senders.go_on(200).await;

    let sent = senders.stop().await;
    let back = first.start();
    let taken = has(&back).await + has(&staying).await;
    // What was stored when the connection broke went to the other gateway, too; one store for both would have known it.
    let extra = taken - u64::from(sent);
    assert!(extra <= u64::from(SENDERS), "{taken} of {sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_gateways_stop_and_die_and_no_request_fails() {
    // It asks nobody for readiness, so a time to drain would change nothing.
    let at_once = || setup(SOURCE_FILE).settings("trusted_proxies: [127.0.0.1]\n");
    let setups = [at_once(), at_once(), at_once()];
    let [stopping, dying, staying] = setups.each_ref().map(Setup::start);
    let gateways = [stopping.listen, dying.listen, staying.listen];
    let test = "behind_nginx_gateways_stop_and_die_and_no_request_fails";
    let Some(proxy) = Nginx::start(test, &gateways).await else {
        return;
    };
    let senders = Senders::start(&proxy.url());
    senders.go_on(100).await;
    assert!(has(&stopping).await > 0 && has(&dying).await > 0);
    let ended = tokio::task::spawn_blocking(|| stopping.terminate());
    assert!(ended.await.unwrap().success());
    senders.go_on(100).await;
    dying.kill();
    senders.go_on(100).await;

    let sent = senders.stop().await;
    let [stopped, died, _] = &setups;
    let taken = has(&stopped.start()).await + has(&died.start()).await + has(&staying).await;
    let extra = taken - u64::from(sent);
    assert!(extra <= u64::from(2 * SENDERS), "{taken} of {sent}");
}
