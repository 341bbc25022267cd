use std::{num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    clock::Clock,
    ingress::{Ingress, Parts},
    jwks::{
        KeySets, PATIENCE, REST,
        tests::{Behaviour, KeyServer, now, request, set_of, token},
    },
    problem::Problem,
    source::{LearnedSecrets, Lookup, Source, Sources},
    store::{
        Store,
        sqlite::{SqliteOptions, SqliteStore},
    },
    telemetry::Metrics,
    verify::jwt_tests::{Pair, rsa_pairs},
};

/// A gateway that verifies one request at a time, of one source with published keys.
struct World {
    clock: Clock,
    server: KeyServer,
    source: Arc<Source>,
    ingress: Arc<Ingress>,
    _data: tempfile::TempDir,
}

impl World {
    async fn new(behaviour: Behaviour) -> Self {
        let server = KeyServer::start(behaviour).await;
        let clock = Clock::manual(now());
        let metrics = Metrics::new();
        let key_sets = KeySets::new(clock.clone(), metrics.clone());
        let set = set_of(&[("crm", &server.url)]);
        key_sets.adopt(&set);
        key_sets.renew(&server.url.parse().unwrap()).await;
        let sources = Sources::new(set);
        let Lookup::Ready(source) = sources.get(&"crm".parse().unwrap()) else {
            panic!("the source does not receive");
        };
        let data = tempfile::tempdir().unwrap();
        let store = Arc::new(open(data.path(), &clock));
        let events: Arc<dyn Store> = store.clone();
        let ingress = Ingress::new(Parts {
            sources,
            key_sets,
            store: events,
            refused: store,
            rejected: 0,
            learned: LearnedSecrets::default(),
            clock: clock.clone(),
            metrics,
            public_url: None,
            trusted_proxies: crate::network::Networks::default(),
            warn_before_end: std::time::Duration::ZERO,
            body_limit: 1 << 20,
            body_budget: 1 << 20,
            body_timeout: Duration::from_secs(1),
            requests: NonZeroU32::MIN,
        });
        Self {
            clock,
            server,
            source,
            ingress,
            _data: data,
        }
    }

    /// What becomes of a token: taken, or the problem and the reason.
    async fn verified(&self, pair: &Pair, key: &str) -> Result<(), (Problem, &'static str)> {
        self.judged(token(pair, key)).await
    }

    /// The same of a token that names no key.
    async fn verified_nameless(&self, pair: &Pair) -> Result<(), (Problem, &'static str)> {
        let token = pair.token(&json!({"alg": "RS256"}), &json!({"id": "ev-1"}));
        self.judged(token).await
    }

    async fn judged(&self, token: String) -> Result<(), (Problem, &'static str)> {
        let received = request(token);
        let turn = self
            .ingress
            .turn()
            .await
            .map_err(|refusal| (refusal.problem, refusal.reason))?;
        let verified = self.ingress.verified(&self.source, received, turn).await;
        verified
            .map(drop)
            .map_err(|refusal| (refusal.problem, refusal.reason))
    }
}

fn open(data: &Path, clock: &Clock) -> SqliteStore {
    SqliteStore::open(data, SqliteOptions::default(), clock.clone()).unwrap()
}

fn keys(pair: &Pair, name: &str) -> Behaviour {
    Behaviour::Keys(json!([pair.named(name)]))
}

#[tokio::test]
async fn a_token_of_a_new_key_is_taken_at_the_first_try() {
    let [a, b] = rsa_pairs();
    let world = World::new(keys(a, "1")).await;
    assert_eq!(world.verified(a, "1").await, Ok(()));
    world.server.set(keys(b, "2"));
    world.clock.advance(REST);
    assert_eq!(world.verified(b, "2").await, Ok(()));
    world.clock.advance(REST);
    assert_eq!(
        world.verified(a, "1").await,
        Err((Problem::NotVerified, "unknown-key"))
    );
    assert_eq!(world.server.asked(), 3);
}

/// Nobody knows yet whether the key is the sender's.
const LATER: Result<(), (Problem, &str)> = Err((Problem::SourceUnavailable, "unknown-key"));

#[tokio::test]
async fn a_stranger_with_a_made_up_key_does_not_have_a_new_genuine_one_refused() {
    let [a, b] = rsa_pairs();
    let world = World::new(keys(a, "1")).await;
    world.clock.advance(REST);
    assert_eq!(
        world.verified(b, "made-up").await,
        Err((Problem::NotVerified, "unknown-key"))
    );
    world.server.set(keys(b, "2"));
    assert_eq!(world.verified(b, "2").await, LATER);
    assert_eq!(world.server.asked(), 2, "the key server is left in peace");
    world.clock.advance(REST);
    assert_eq!(world.verified(b, "2").await, Ok(()));
}

#[tokio::test]
async fn a_new_key_is_not_refused_while_the_key_server_fails() {
    let [a, b] = rsa_pairs();
    let world = World::new(keys(a, "1")).await;
    world.server.set(Behaviour::Status(500));
    world.clock.advance(REST);
    for _ in 0..3 {
        assert_eq!(world.verified(b, "2").await, LATER);
    }
    assert_eq!(world.server.asked(), 2, "the key server is left in peace");
    world.server.set(keys(b, "2"));
    world.clock.advance(REST);
    assert_eq!(world.verified(b, "2").await, Ok(()));
}

#[tokio::test]
async fn a_token_that_names_no_key_has_new_keys_looked_for() {
    let [a, b] = rsa_pairs();
    let world = World::new(keys(a, "1")).await;
    world.server.set(keys(b, "2"));
    assert_eq!(
        world.verified_nameless(b).await,
        Err((Problem::SourceUnavailable, "no-match"))
    );
    world.clock.advance(REST);
    assert_eq!(world.verified_nameless(b).await, Ok(()));
    world.clock.advance(REST);
    assert_eq!(
        world.verified_nameless(a).await,
        Err((Problem::NotVerified, "no-match"))
    );
    assert_eq!(world.server.asked(), 3);
}

#[tokio::test]
async fn a_token_that_the_key_it_names_did_not_sign_is_refused_without_a_fetch() {
    let [a, b] = rsa_pairs();
    let world = World::new(keys(a, "1")).await;
    world.clock.advance(REST);
    assert_eq!(
        world.verified(b, "1").await,
        Err((Problem::NotVerified, "no-match"))
    );
    assert_eq!(world.server.asked(), 1);
}

#[tokio::test]
async fn while_there_are_no_keys_a_sender_is_asked_to_come_again() {
    let [a, _] = rsa_pairs();
    let world = World::new(Behaviour::Status(500)).await;
    let answer = world.verified(a, "1").await;
    assert_eq!(answer, Err((Problem::SourceUnavailable, "no-key-set")));
    assert!(Problem::SourceUnavailable.retry_after().is_some());
    world.server.set(keys(a, "1"));
    world.clock.advance(REST);
    assert_eq!(world.verified(a, "1").await, Ok(()));
}

#[tokio::test]
async fn who_waits_for_keys_holds_up_nobody_else() {
    let [a, b] = rsa_pairs();
    let world = World::new(keys(a, "1")).await;
    world.server.set(Behaviour::Silence);
    world.clock.advance(REST);
    let waits = world.verified(b, "2");
    tokio::pin!(waits);
    tokio::select! {
        answer = &mut waits => panic!("it did not wait: {answer:?}"),
        () = world.server.was_asked(2) => {}
    }
    // There is one turn, and it is free.
    assert_eq!(world.verified(a, "1").await, Ok(()));
    world.clock.advance(PATIENCE);
    let answer = tokio::time::timeout(Duration::from_secs(20), waits).await;
    assert_eq!(answer.expect("it waits for ever"), LATER);
}
