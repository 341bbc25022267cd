//! Refused requests, from the request to the store and back, under a clock that a test drives.

mod late;
mod rejected;
mod repeated;

use std::{
    iter,
    net::IpAddr,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::*;
use crate::{
    config::Environment,
    event::{EventSeq, SourceName},
    network::Networks,
    source::{Seen, Set},
    store::{
        KeptRequest, NewRefused, RefusedFigures, RefusedFilter, RefusedId, RefusedLimits,
        RefusedRecord, StoreError, Totals,
        sqlite::{SqliteOptions, SqliteStore},
    },
};

const FILE: &str = "
mapping: 1
source: school
receive:
  verify:
    type: hmac
    signature_header: X-Signature
    encoding: hex
    signed: '{timestamp}.{body}'
    timestamp: {source: 'header:X-Timestamp', format: unix_s, tolerance_s: 300}
  secrets: [{file: secret}]
  dedup: {header: X-Event-Id}
  keep_rejected: {bodies_for: 24h}
otherwise: drop
rules:
  - {name: all, drop: nothing to do}
tests:
  - {name: all, event: {a: 1}, expect: [{drop: nothing to do}]}
";
const SECRET: &str = "the-secret-of-both-sides";

/// A gateway's public side without a port.
struct World {
    folder: tempfile::TempDir,
    clock: Clock,
    store: Arc<Watched>,
    ingress: Arc<Ingress>,
    metrics: Metrics,
}

impl World {
    fn new() -> Self {
        Self::with(FILE, 1000)
    }

    /// With a source file, and so many rows of each source.
    fn with(file: &str, rows: u32) -> Self {
        Self::behind(Networks::default(), file, rows)
    }

    /// [`World::with`] behind proxies that are trusted.
    fn behind(trusted_proxies: Networks, file: &str, rows: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mappings")).unwrap();
        std::fs::write(folder.path().join("mappings/school.yaml"), file).unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        let clock = Clock::manual("2026-03-02T12:00:00Z".parse().unwrap());
        let options = SqliteOptions {
            disk_reserve: 0,
            ..SqliteOptions::default()
        };
        let data = folder.path().join("data");
        let file = SqliteStore::open(&data, options, clock.clone()).unwrap();
        let store = Arc::new(Watched {
            file: Arc::new(file),
            batches: AtomicU64::new(0),
            is_cut: AtomicBool::new(false),
        });
        let metrics = Metrics::new();
        let ingress = Ingress::new(Parts {
            learned: crate::source::LearnedSecrets::default(),
            key_sets: KeySets::new(clock.clone(), Metrics::new()),
            sources: Sources::new(load(folder.path(), clock.now())),
            store: Arc::<SqliteStore>::clone(&store.file),
            refused: Arc::<Watched>::clone(&store),
            rejected: rows,
            clock: clock.clone(),
            metrics: metrics.clone(),
            public_url: None,
            trusted_proxies,
            warn_before_end: std::time::Duration::ZERO,
            body_limit: 2 << 20,
            body_budget: 64 << 20,
            body_timeout: Duration::from_secs(30),
            requests: NonZeroU32::new(8).unwrap(),
        });
        Self {
            folder,
            clock,
            store,
            ingress,
            metrics,
        }
    }

    /// Puts another secret in the place of the one there is, as a reload does.
    fn set_secret(&self, secret: &str) {
        std::fs::write(self.folder.path().join("secret"), secret).unwrap();
        self.reload();
    }

    /// Puts another source file in the place of the one there is.
    fn set_file(&self, file: &str) {
        std::fs::write(self.folder.path().join("mappings/school.yaml"), file).unwrap();
        self.reload();
    }

    fn reload(&self) {
        let set = load(self.folder.path(), self.clock.now());
        self.ingress.sources.swap(Arc::new(set));
    }

    /// Posts what is signed now with a secret; the status of the answer.
    async fn post(&self, id: &str, body: &str, secret: &str) -> u16 {
        self.post_signed_at(self.clock.now(), id, body, secret)
            .await
    }

    async fn post_signed_at(&self, at: Timestamp, id: &str, body: &str, secret: &str) -> u16 {
        let request = Self::signed(at, id, body, secret);
        self.answer(request).await
    }

    fn signed(at: Timestamp, id: &str, body: &str, secret: &str) -> Request<Body> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{}.{body}", at.as_second()).as_bytes());
        Request::post("/webhooks/school?key=in-the-address")
            .header("content-type", "application/json")
            .header("authorization", "Bearer in-a-header")
            .header("x-event-id", id)
            .header("x-timestamp", at.as_second())
            .header("x-signature", hex::encode(mac.finalize().into_bytes()))
            .body(Body::from(body.to_owned()))
            .unwrap()
    }

    async fn answer(&self, request: Request<Body>) -> u16 {
        self.answer_from([127, 0, 0, 1].into(), request).await
    }

    async fn answer_from(&self, from: IpAddr, mut request: Request<Body>) -> u16 {
        request
            .extensions_mut()
            .insert(super::server::ConnectedFrom(from));
        let response = self.ingress.router().oneshot(request).await.unwrap();
        response.status().as_u16()
    }

    /// All that is written down, oldest first.
    async fn records(&self) -> Vec<RefusedRecord> {
        self.ingress.finish_rejected().await;
        let all = self.store.refused(RefusedFilter::default(), 10_000);
        let mut all = all.await.unwrap();
        all.reverse();
        all
    }

    /// Whether one more accepted event than duplicates, and so on: the counters of the store.
    async fn totals(&self) -> Totals {
        self.store.file.totals().await.unwrap()
    }

    /// The figure of a metric, 0 where there is none.
    fn metric(&self, name: &str) -> u64 {
        let page = self.metrics.encode();
        let line = page.lines().find(|line| line.starts_with(name));
        let figure = line.and_then(|line| line.rsplit_once(' '));
        figure.map_or(0, |(_, figure)| figure.parse().unwrap())
    }
}

#[tokio::test]
async fn a_request_that_is_repeated_uses_up_nothing_of_the_senders_rate() {
    let limited = FILE.replace(
        "otherwise:",
        "  rate_limit: {per_minute: 1, burst: 2}\notherwise:",
    );
    let world = World::with(&limited, 1000);
    for _ in 0..20 {
        assert_eq!(world.post("a", "{}", SECRET).await, 200);
    }
    assert_eq!(world.post("b", "{}", SECRET).await, 200);
    assert_eq!(world.post("c", "{}", SECRET).await, 429);
}

fn load(folder: &Path, now: Timestamp) -> Set {
    let environment = Environment::default();
    let mappings = folder.join("mappings");
    let set = Set::load(&mappings, &environment, folder, now, &mut Seen::default()).unwrap();
    let troubles: Vec<_> = set.troubles().collect();
    assert!(troubles.is_empty(), "{troubles:?}");
    set
}

fn school() -> SourceName {
    "school".parse().unwrap()
}

/// A store whose batches are counted, and that can be cut off in the middle of an acceptance.
#[derive(Debug)]
struct Watched {
    file: Arc<SqliteStore>,
    batches: AtomicU64,
    /// As if the process had died after the event was stored.
    is_cut: AtomicBool,
}

#[async_trait]
impl RefusedRequests for Watched {
    async fn record_refused(
        &self,
        batch: Vec<NewRefused>,
        limits: RefusedLimits,
    ) -> Result<(), StoreError> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.file.record_refused(batch, limits).await
    }

    async fn refused(
        &self,
        filter: RefusedFilter,
        limit: u32,
    ) -> Result<Vec<RefusedRecord>, StoreError> {
        self.file.refused(filter, limit).await
    }

    async fn refused_one(&self, id: RefusedId) -> Result<Option<RefusedRecord>, StoreError> {
        self.file.refused_one(id).await
    }

    async fn kept_request(&self, id: RefusedId) -> Result<Option<KeptRequest>, StoreError> {
        self.file.kept_request(id).await
    }

    async fn kept_of(
        &self,
        source: &SourceName,
        after: RefusedId,
        limit: u32,
    ) -> Result<Vec<RefusedId>, StoreError> {
        self.file.kept_of(source, after, limit).await
    }

    async fn accepted_later(&self, id: RefusedId, event: EventSeq) -> Result<bool, StoreError> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Err(StoreError::Closed {
                what: "the process died".to_owned(),
            });
        }
        self.file.accepted_later(id, event).await
    }

    async fn refused_again(
        &self,
        id: RefusedId,
        reason: &'static str,
        status: u16,
    ) -> Result<bool, StoreError> {
        self.file.refused_again(id, reason, status).await
    }

    async fn tidy_refused(&self, now: Timestamp, limits: RefusedLimits) -> Result<(), StoreError> {
        self.file.tidy_refused(now, limits).await
    }

    async fn refused_figures(&self) -> Result<Vec<(SourceName, RefusedFigures)>, StoreError> {
        self.file.refused_figures().await
    }
}
