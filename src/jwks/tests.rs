//! Key sets that come over the network, by a clock that the tests drive.

mod server;

use std::path::Path;

use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use self::server::{Behaviour, KeyServer};
use super::*;
use crate::{
    config::Environment,
    source::{Lookup, Seen, Source, Sources},
    verify::{
        Outgoing, Received, Refusal,
        jwt_tests::{NOW, Pair, encode, rsa_pairs},
    },
};

/// A set of sources whose senders publish their keys at these addresses.
pub(crate) fn set_of(sources: &[(&str, &str)]) -> Set {
    let folder = tempfile::tempdir().unwrap();
    for (name, url) in sources {
        let text = format!(
            "mapping: 1\nsource: {name}\nreceive:\n  verify: {{type: jwt, token_source: body, algorithms: [RS256], check_exp: false}}\n  \
             jwks: {{url: '{url}'}}\notherwise: drop\nrules:\n  - {{name: all, drop: for tests}}\n\
             tests:\n  - {{name: one, event: {{}}, expect: [drop: for tests]}}\n"
        );
        std::fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
    }
    let environment = Environment::default();
    let mut seen = Seen::default();
    let set = Set::load(folder.path(), &environment, Path::new(""), now(), &mut seen).unwrap();
    let troubles: Vec<_> = set.troubles().collect();
    assert!(troubles.is_empty(), "{troubles:?}");
    set
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A request whose body is a token.
pub(crate) fn request(token: String) -> Received {
    let outgoing = Outgoing {
        method: Method::POST,
        url: "https://hooks.example/webhooks/crm".into(),
        headers: HeaderMap::new(),
        body: token.into(),
    };
    outgoing.into_received(now())
}

/// A token by a key of some name.
pub(crate) fn token(pair: &Pair, key: &str) -> String {
    pair.token(&json!({"alg": "RS256", "kid": key}), &json!({"id": "ev-1"}))
}

struct World {
    clock: Clock,
    metrics: Metrics,
    sets: KeySets,
    server: KeyServer,
    source: Arc<Source>,
}

impl World {
    async fn new(behaviour: Behaviour) -> Self {
        let server = KeyServer::start(behaviour).await;
        let clock = Clock::manual(now());
        let metrics = Metrics::new();
        let sets = KeySets::new(clock.clone(), metrics.clone());
        let source = adopt(&sets, &server.url);
        Self {
            clock,
            metrics,
            sets,
            server,
            source,
        }
    }

    /// A gateway whose first fetch has ended.
    async fn fetched(behaviour: Behaviour) -> Self {
        let world = Self::new(behaviour).await;
        world.renew().await;
        world
    }

    async fn renew(&self) {
        let url = self.server.url.parse().unwrap();
        self.sets.renew(&url).await;
    }

    fn verify(&self, pair: &Pair, key: &str) -> Result<(), Refusal> {
        verify(&self.source, pair, key)
    }

    /// Lets time pass until the set is fetched again by itself, and waits for the end of that.
    async fn after(&self, time: Duration) {
        let before = self.server.asked();
        self.clock.advance(time);
        self.server.was_asked(before + 1).await;
        self.renew().await;
    }

    /// The lines of a metric.
    fn metric(&self, name: &str) -> Vec<String> {
        let page = self.metrics.encode();
        let lines = page.lines().filter(|line| line.starts_with(name));
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }
}

fn adopt(sets: &KeySets, url: &str) -> Arc<Source> {
    let set = set_of(&[("crm", url)]);
    sets.adopt(&set);
    match Sources::new(set).get(&"crm".parse().unwrap()) {
        Lookup::Ready(source) => source,
        other => panic!("{other:?}"),
    }
}

fn verify(source: &Source, pair: &Pair, key: &str) -> Result<(), Refusal> {
    let verified = source.verifier().verify(request(token(pair, key)), now());
    verified.map(drop).map_err(|(_, refusal)| refusal)
}

fn keys(named: &[(&Pair, &str)]) -> Behaviour {
    let jwks = named.iter().map(|(pair, name)| pair.named(name));
    Behaviour::Keys(jwks.collect())
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn keys_are_fetched_as_soon_as_a_source_needs_them() {
    let [pair, _] = rsa_pairs();
    let world = World::new(keys(&[(pair, "a")])).await;
    assert_eq!(world.verify(pair, "a"), Err(Refusal::NoKeySet));
    // Who comes before the first fetch has ended waits for it.
    world.renew().await;
    assert_eq!(world.verify(pair, "a"), Ok(()));
    assert_eq!(world.server.asked(), 1);
}

#[tokio::test]
async fn previous_current_and_next_key_are_taken_while_they_are_published() {
    let [a, b] = rsa_pairs();
    let world = World::fetched(keys(&[(a, "1"), (b, "2"), (a, "3")])).await;
    for (pair, key) in [(a, "1"), (b, "2"), (a, "3")] {
        assert_eq!(world.verify(pair, key), Ok(()), "{key}");
    }
    world.server.set(keys(&[(b, "2"), (a, "3"), (b, "4")]));
    world.after(61 * MINUTE).await;
    for (pair, key) in [(b, "2"), (a, "3"), (b, "4")] {
        assert_eq!(world.verify(pair, key), Ok(()), "{key}");
    }
    assert_eq!(world.verify(a, "1"), Err(Refusal::UnknownKey));
}

#[tokio::test]
async fn a_key_that_nobody_has_seen_is_looked_for_at_once() {
    let [a, b] = rsa_pairs();
    let world = World::fetched(keys(&[(a, "1")])).await;
    world.clock.advance(REST);
    world.server.set(keys(&[(a, "1"), (b, "2")]));
    assert_eq!(world.verify(b, "2"), Err(Refusal::UnknownKey));
    world.renew().await;
    assert_eq!(world.verify(b, "2"), Ok(()));
}

#[tokio::test]
async fn thousands_of_unknown_keys_cause_one_fetch() {
    let [a, b] = rsa_pairs();
    let world = World::fetched(keys(&[(a, "1")])).await;
    let mut expected = 1;
    for _ in 0..3 {
        world.clock.advance(REST);
        expected += 1;
        let handled = (0..2000).map(|n| {
            let header = encode(json!({"alg": "RS256", "kid": format!("unknown-{n}")}).to_string());
            let received = request(format!("{header}.e30.AAAA"));
            let world = &world;
            async move {
                let verifier = world.source.verifier();
                let (received, refusal) = verifier.verify(received, now()).unwrap_err();
                assert_eq!(refusal, Refusal::UnknownKey);
                world.renew().await;
                assert!(verifier.verify(received, now()).is_err());
            }
        });
        futures_util::future::join_all(handled).await;
        assert_eq!(world.server.asked(), expected);
    }
    assert_eq!(world.verify(b, "unknown"), Err(Refusal::UnknownKey));
}

#[tokio::test]
async fn an_outage_of_the_key_server_leaves_the_keys_in_use() {
    let [a, b] = rsa_pairs();
    let world = World::fetched(keys(&[(a, "1")])).await;
    let fetched_at = world.metric("quentli_gateway_key_set_fetched_timestamp_seconds");
    for broken in [
        Behaviour::Status(500),
        Behaviour::Status(404),
        Behaviour::Text("<html>".into()),
        Behaviour::Text("{\"keys\":[]}".into()),
        Behaviour::Text(" ".repeat(2 * crate::verify::KeySet::MAX_BYTES)),
        Behaviour::Text(json!({"keys": vec![b.named("2"); 40]}).to_string()),
    ] {
        world.server.set(broken);
        world.after(61 * MINUTE).await;
        assert_eq!(world.verify(a, "1"), Ok(()));
        assert_eq!(world.verify(b, "2"), Err(Refusal::UnknownKey));
    }
    assert_eq!(
        world.metric("quentli_gateway_key_set_fetched_timestamp_seconds"),
        fetched_at
    );
    assert_eq!(
        world.metric("quentli_gateway_key_set_fetches_total"),
        [
            "quentli_gateway_key_set_fetches_total{source=\"crm\",outcome=\"failed\"} 6",
            "quentli_gateway_key_set_fetches_total{source=\"crm\",outcome=\"fetched\"} 1",
        ]
    );
    world.server.set(keys(&[(b, "2")]));
    world.after(61 * MINUTE).await;
    assert_eq!(world.verify(b, "2"), Ok(()));
    assert_ne!(
        world.metric("quentli_gateway_key_set_fetched_timestamp_seconds"),
        fetched_at
    );
}

#[tokio::test]
async fn a_fetch_that_failed_is_tried_again_soon_and_then_more_rarely() {
    let [a, _] = rsa_pairs();
    let world = World::fetched(Behaviour::Status(503)).await;
    for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let before = world.server.asked();
        world.clock.advance(Duration::from_millis(pause * 1000 - 1));
        tokio::task::yield_now().await;
        assert_eq!(world.server.asked(), before, "{pause}");
        world.after(Duration::from_millis(1)).await;
    }
    assert_eq!(world.verify(a, "1"), Err(Refusal::NoKeySet));
    world.server.set(keys(&[(a, "1")]));
    world.after(5 * MINUTE).await;
    assert_eq!(world.verify(a, "1"), Ok(()));
}

#[tokio::test]
async fn a_slow_key_server_holds_a_request_for_a_moment_only() {
    let [a, _] = rsa_pairs();
    let world = World::fetched(keys(&[(a, "1")])).await;
    world.server.set(Behaviour::Silence);
    world.clock.advance(REST);
    let waits = world.renew();
    tokio::pin!(waits);
    tokio::select! {
        () = &mut waits => panic!("it did not wait"),
        () = world.server.was_asked(2) => {}
    }
    world.clock.advance(PATIENCE);
    tokio::time::timeout(Duration::from_secs(20), waits)
        .await
        .expect("it waits for ever");
    // The fetch itself ends later, and the keys are still there.
    let failed = "quentli_gateway_key_set_fetches_total{source=\"crm\",outcome=\"failed\"} 1";
    world.clock.advance(Duration::from_secs(10));
    world.renew().await;
    assert!(
        world
            .metric("quentli_gateway_key_set_fetches_total")
            .contains(&failed.to_owned())
    );
    assert_eq!(world.verify(a, "1"), Ok(()));
}

#[tokio::test]
async fn keys_stay_fresh_as_long_as_the_key_server_says_within_bounds() {
    let [a, _] = rsa_pairs();
    let keys: Value = json!([a.named("1")]);
    for (cache, minutes) in [
        ("max-age=600", 10),
        ("max-age=1", 5),
        ("no-store", 5),
        ("max-age=99999999", 24 * 60),
        ("private", 60),
    ] {
        let world = World::fetched(Behaviour::Cached(keys.clone(), cache)).await;
        world
            .clock
            .advance(Duration::from_millis(minutes * 60_000 - 1));
        tokio::task::yield_now().await;
        assert_eq!(world.server.asked(), 1, "{cache}");
        world.after(Duration::from_millis(1)).await;
        assert_eq!(world.server.asked(), 2, "{cache}");
    }
}

#[tokio::test]
async fn a_key_server_does_not_lead_to_another_one() {
    let [a, b] = rsa_pairs();
    let other = KeyServer::start(keys(&[(b, "1")])).await;
    let world = World::fetched(Behaviour::Redirect(other.url.clone())).await;
    assert_eq!(other.asked(), 0);
    assert_eq!(world.verify(b, "1"), Err(Refusal::NoKeySet));
    // Nor in circles.
    world.server.set(Behaviour::Redirect("/round".into()));
    world.clock.advance(MINUTE);
    world.server.was_asked(2).await;
    world.renew().await;
    assert!(world.server.asked() <= 6, "{}", world.server.asked());
    assert_eq!(world.verify(a, "1"), Err(Refusal::NoKeySet));
}

#[tokio::test]
async fn a_reload_takes_keys_along_and_fetches_those_of_a_new_address() {
    let [a, b] = rsa_pairs();
    let world = World::fetched(keys(&[(a, "1")])).await;
    // The same address: the new set of sources has the keys at once.
    let reloaded = adopt(&world.sets, &world.server.url);
    assert_eq!(verify(&reloaded, a, "1"), Ok(()));
    assert_eq!(world.server.asked(), 1);
    // Another one: the old keys are not those of the new address.
    let other = KeyServer::start(keys(&[(b, "1")])).await;
    let moved = adopt(&world.sets, &other.url);
    assert_eq!(verify(&moved, a, "1"), Err(Refusal::NoKeySet));
    world.sets.renew(&other.url.parse().unwrap()).await;
    assert_eq!(verify(&moved, b, "1"), Ok(()));
    assert_eq!(verify(&moved, a, "1"), Err(Refusal::NoMatch));
    // The old address is left in peace, and requests that began before end on their keys.
    world.clock.advance(120 * MINUTE);
    other.was_asked(2).await;
    world.renew().await;
    assert_eq!(world.server.asked(), 1);
    assert_eq!(world.verify(a, "1"), Ok(()));
}

#[tokio::test]
async fn sources_of_one_sender_share_its_keys() {
    let [a, _] = rsa_pairs();
    let server = KeyServer::start(keys(&[(a, "1")])).await;
    let sets = KeySets::new(Clock::manual(now()), Metrics::new());
    let set = set_of(&[("one", &server.url), ("two", &server.url)]);
    sets.adopt(&set);
    sets.renew(&server.url.parse().unwrap()).await;
    for source in set.ready() {
        assert_eq!(verify(source, a, "1"), Ok(()));
    }
    assert_eq!(server.asked(), 1);
}
