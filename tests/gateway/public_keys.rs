//! A sender that signs with a private key, whose public half stands in the source file or beside it.

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use quentli_gateway::{
    clock::Clock,
    verify::{Outgoing, PrivateKey, PublicKey, Verifier, presets},
};

use crate::World;

const PRIVATE: &str = include_str!("../../src/verify/keys/ed25519.pem");

fn file(key: &str) -> String {
    format!(
        "
mapping: 1
source: signed
receive: {{verify: standard-webhooks-ed25519, public_keys: [{key}]}}
otherwise: drop
rules:
  - {{name: all, drop: nothing to do}}
tests:
  - {{name: all, event: {{a: 1}}, expect: [{{drop: nothing to do}}]}}
"
    )
}

/// The sending side.
struct Sender {
    private: PrivateKey,
    verifier: Verifier,
}

impl Sender {
    fn new() -> Self {
        let private = PrivateKey::read(&PRIVATE.into()).unwrap();
        let settings = presets::find("standard-webhooks-ed25519").unwrap();
        let key = PublicKey {
            name: "KEY".into(),
            text: private.public_key(),
            until: None,
        };
        let verifier = Verifier::with_public_keys(settings.verify_settings(), &[key]).unwrap();
        Self { private, verifier }
    }

    /// Posts `sent`, with the signature of `signed`.
    async fn post(&self, gateway: &str, id: &str, signed: &'static str, sent: &'static str) -> u16 {
        let json = HeaderValue::from_static("application/json");
        let request = Outgoing {
            method: Method::POST,
            url: format!("{gateway}webhooks/signed"),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: signed.into(),
        };
        let now = Clock::system().now();
        let request = self
            .verifier
            .sign_with(request, id, now, &self.private)
            .unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let post = client.post(request.url).headers(request.headers).body(sent);
        post.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_verified_with_public_keys_in_the_file_or_beside_it() {
    let sender = Sender::new();
    let der = sender.private.public_key();
    for (key, name) in [
        (der.clone(), "public key 1"),
        ("{file: signed.pem}".to_owned(), "file:signed.pem"),
    ] {
        let world = World::with(|setup| {
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
            let beside = setup.source_path("signed").with_file_name("signed.pem");
            std::fs::write(&beside, pem).unwrap();
            let key = key.replace("signed.pem", beside.to_str().unwrap());
            setup.source("signed", &file(&key))
        })
        .await;
        let url = world.gateway.url();
        let body = r#"{"a":1}"#;
        assert_eq!(sender.post(url.as_str(), "1", body, body).await, 200);
        assert_eq!(
            sender.post(url.as_str(), "2", body, r#"{"a":2}"#).await,
            401
        );
        let metrics = world.gateway.metrics().await;
        let verified = metrics
            .lines()
            .find(|line| line.starts_with("quentli_gateway_verified_total{source=\"signed\""))
            .unwrap();
        let name = name.trim_end_matches("signed.pem");
        assert!(
            verified.contains(name) && verified.ends_with(" 1"),
            "{verified}"
        );
        let log = world.gateway.log().join("\n");
        assert!(!log.contains("line break inside"), "{log}");
        world.end().await;
    }
}
