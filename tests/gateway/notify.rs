//! Notifications of a whole gateway, at a receiver of their own.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use quentli_gateway::sandbox::{Action, Fault};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{World, support::until};

/// Whatever was posted so far.
#[derive(Clone, Default)]
struct Posts(Arc<Mutex<Vec<(HeaderMap, Value)>>>);

impl Posts {
    /// Listens at an address of its own.
    async fn listen(&self, tasks: &mut JoinSet<()>) -> String {
        let posts = self.clone();
        let router = Router::new().route(
            "/T0/secret",
            post(async move |headers: HeaderMap, body: Bytes| {
                let body = serde_json::from_slice(&body).unwrap();
                posts.0.lock().unwrap().push((headers, body));
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/T0/secret", listener.local_addr().unwrap());
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }

    /// Waits for a notice.
    async fn notice(&self, kind: &str, state: &str) -> Value {
        until(&format!("the notice {kind} {state}"), async || {
            let posts = self.0.lock().unwrap();
            let all = posts
                .iter()
                .flat_map(|(_, post)| post["notices"].as_array().unwrap());
            let found = all
                .clone()
                .find(|notice| notice["kind"] == kind && notice["state"] == state);
            found
                .cloned()
                .ok_or_else(|| all.cloned().collect::<Vec<_>>())
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_told_when_a_person_is_needed_and_when_it_is_over() {
    let (posts, mut tasks) = (Posts::default(), JoinSet::new());
    let url = posts.listen(&mut tasks).await;
    let settings = "quentli: {default: {key: {env: QUENTLI_API_KEY}, rate: 5000, concurrency: 16}}\n\
         notify: {url: {env: HOOK}, secret: {env: HOOK_SECRET}, oldest_waiting: 1h, silent: {school: 24h}}\n";
    let world = World::with(|setup| {
        setup
            .settings(settings)
            .variable("HOOK", &url)
            .variable("HOOK_SECRET", "whsec_c2VjcmV0LW9mLXRoZS1ub3RpZmljYXRpb25z")
    })
    .await;
    let tried = world.setup.run(&[
        "notify",
        "--test",
        "--admin-listen",
        &world.gateway.admin_listen.to_string(),
    ]);
    let said = String::from_utf8(tried.stdout).unwrap();
    assert!(
        tried.status.success() && said.starts_with("posted to http://127.0.0.1"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
    posts.notice("test", "began").await;

    let refuse = Action::Status {
        status: 401,
        retry_after: None,
        message: None,
    };
    world.sandbox.fault(Fault::always(refuse)).unwrap();
    let gateway = world.gateway.url();
    let nameless = json!({"type": "contact.updated", "contact": {"name": "Zacarias"}}).to_string();
    world.school.send(&gateway, "1", nameless).await.unwrap();
    world
        .school
        .rename(&gateway, "2", &world.customer, "Zacarias")
        .await
        .unwrap();
    let dead = posts.notice("dead", "began").await;
    assert_eq!(dead["count"], 1);
    let refused = posts.notice("key-refused", "began").await;
    assert_eq!(refused["organisation"], "default");
    world.sandbox.lift_faults();
    posts.notice("key-refused", "over").await;
    world.gateway.settled().await;

    let all = posts.0.lock().unwrap().clone();
    for (headers, post) in all {
        assert!(headers.contains_key("webhook-signature"), "{headers:?}");
        assert!(
            post["text"]
                .as_str()
                .unwrap()
                .starts_with("quentli-gateway: "),
            "{post}"
        );
        assert!(!post.to_string().contains("Zacarias"), "{post}");
    }
    let shown = world.setup.run(&["config"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("notify.oldest_waiting") && !shown.contains("T0"),
        "{shown}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_can_read_along_is_refused() {
    for (notify, expected) in [
        (
            "{url: 'http://hooks.example.com/x'}",
            "`http://` is only for this machine",
        ),
        (
            "{url: 'https://user:pass@hooks.example.com/x'}",
            "user name or password",
        ),
        (
            "{url: 'https://hooks.example.com/x', silent: {My CRM: 24h}}",
            "names of sources",
        ),
        (
            "{url: 'https://hooks.example.com/x', oldest_waiting: soon}",
            "a time above zero",
        ),
        (
            "{url: 'https://hooks.example.com/x', oldest_waiting: 0s}",
            "a time above zero",
        ),
        (
            "{url: 'https://hooks.example.com/x', silent: {school: 0s}}",
            "leave it out where nobody is to be told",
        ),
        (
            "{url: 'https://hooks.example.com/x', secret: abc}",
            "config/literal-secret",
        ),
    ] {
        let settings = format!("notify: {notify}\n");
        let setup =
            crate::support::executable::Setup::new("http://127.0.0.1:9").settings(&settings);
        let output = setup.run(&["config"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{notify}: {said}");
        assert!(said.contains(expected), "{notify}: {said}");
    }
}
