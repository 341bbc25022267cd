//! The public HTTP side: receives a webhook, has it verified, mapped and stored, and answers.
//!
//! The one webhook handler reads in the order in which an event travels. The answer to the sender follows the commit
//! and never precedes it. A request that was verified is never turned away for what it says: what cannot be decoded
//! or mapped is stored, dead, and answered like any other.
//!
//! This module does not deliver and knows nothing of Quentli. What it takes from outside is bounded: connections,
//! heads, bodies, requests under way, and the time that each of them may take.

mod accepted;
mod admission;
mod again;
mod body;
mod confirm;
mod handshake;
mod late;
mod numbering;
mod pages;
mod refusal;
mod rejected;
mod rotation;
mod server;
mod take_in;
mod verified;
mod webhook;

use std::{
    any::Any,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::State, routing::any};
use http::{HeaderValue, Response, header};
use tokio::sync::Semaphore;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};
use url::Url;

pub use again::map_again;
pub use late::{Late, LateCounts, NotTried};
pub use numbering::NumberingFigures;
pub use rejected::{lasting, meaning, reasons};
pub use server::{ServerLimits, listen, serve};

use self::{
    admission::Admission, confirm::Confirmer, numbering::Numbering, rejected::Recorder,
    rotation::Rotation,
};
use crate::{
    clock::Clock,
    dedup::RecentKeys,
    event::SourceName,
    jwks::KeySets,
    network::Networks,
    problem::Problem,
    source::{LearnedSecrets, Sources},
    store::{RefusedRequests, Store},
    telemetry::Metrics,
};

/// How long a request waits for its turn where too many are under way, before it is refused.
const TURN_WAIT: Duration = Duration::from_secs(1);

/// What the public port needs.
pub struct Parts {
    pub sources: Sources,
    /// Those that senders named in their handshakes.
    pub learned: LearnedSecrets,
    pub key_sets: KeySets,
    pub store: Arc<dyn Store>,
    pub refused: Arc<dyn RefusedRequests>,
    /// Refused requests of each source that are kept to be looked at; 0 keeps none.
    pub rejected: u32,
    pub clock: Clock,
    pub metrics: Metrics,
    pub public_url: Option<Url>,
    /// The proxies whose word counts for whom they speak.
    pub trusted_proxies: Networks,
    /// How long before the end of a secret that is still in use the log says so.
    pub warn_before_end: Duration,
    /// The largest body that is taken, in bytes.
    pub body_limit: usize,
    /// What the bodies of all requests under way may take together, in bytes.
    pub body_budget: usize,
    /// From the head of a request to the end of its body.
    pub body_timeout: Duration,
    /// Requests that are verified and stored at once.
    pub requests: NonZeroU32,
}

/// The state behind all routes of the public port.
pub struct Ingress {
    sources: Sources,
    learned: LearnedSecrets,
    confirmer: Confirmer,
    key_sets: KeySets,
    key_waits: Semaphore,
    store: Arc<dyn Store>,
    refused: Arc<dyn RefusedRequests>,
    rejected: Recorder,
    clock: Clock,
    metrics: Metrics,
    public_url: Option<Url>,
    admission: Admission,
    recent: RecentKeys,
    numbering: Numbering,
    rotation: Rotation,
    body_limit: usize,
    body_budget: body::Budget,
    body_timeout: Duration,
    /// When it was last said why events are not stored, by [`Clock::elapsed`] in milliseconds.
    trouble_told_at: AtomicU64,
    turns: Semaphore,
    ready: AtomicBool,
    request_ids: webhook::RequestIds,
}

impl Ingress {
    pub fn new(parts: Parts) -> Arc<Self> {
        let rejected = Recorder::new(
            Arc::clone(&parts.refused),
            parts.clock.clone(),
            parts.metrics.clone(),
            parts.rejected,
            *parts.store.value_key(),
        );
        Arc::new(Self {
            sources: parts.sources,
            key_sets: parts.key_sets,
            key_waits: Semaphore::new(verified::MAX_KEY_WAITS),
            rejected,
            learned: parts.learned,
            confirmer: Confirmer::default(),
            store: parts.store,
            refused: parts.refused,
            clock: parts.clock,
            metrics: parts.metrics,
            public_url: parts.public_url,
            admission: Admission::new(parts.trusted_proxies),
            recent: RecentKeys::default(),
            numbering: Numbering::default(),
            rotation: Rotation::new(parts.warn_before_end),
            body_limit: parts.body_limit,
            body_budget: body::Budget::new(parts.body_budget, parts.body_limit),
            trouble_told_at: AtomicU64::new(0),
            body_timeout: parts.body_timeout,
            turns: Semaphore::new(usize::try_from(parts.requests.get()).unwrap_or(usize::MAX)),
            ready: AtomicBool::new(true),
            request_ids: webhook::RequestIds::new(),
        })
    }

    /// Makes `/ready` say no from now on, so that a balancer sends new requests elsewhere; requests that still come
    /// are served.
    pub fn drain(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }

    /// How well the sender of a source numbers its events.
    pub fn numbering(&self, source: &SourceName) -> NumberingFigures {
        self.numbering.of(source)
    }

    /// Writes down which requests are refused, until it is dropped.
    pub async fn write_down_rejected(&self) {
        self.rejected.run().await;
    }

    /// Writes down what is left, when nothing is refused any more.
    pub async fn finish_rejected(&self) {
        self.rejected.write().await;
    }

    /// Waits for what requests began that are answered already; some seconds at most.
    pub async fn finish(&self) {
        self.confirmer.finish().await;
    }

    /// The routes of the public port.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/webhooks/{source}", any(webhook::receive))
            .route("/live", any(pages::live))
            .route("/ready", any(pages::ready))
            .route("/problems/{name}", any(pages::problem))
            .fallback(pages::not_found)
            .layer(CatchPanicLayer::custom(Panics(Arc::clone(self))))
            .layer(axum::middleware::map_response_with_state(
                Arc::clone(self),
                last_on_its_connection,
            ))
            .with_state(Arc::clone(self))
    }
}

/// While the gateway is about to stop, each answer is the last of its connection: a balancer that keeps connections would
/// otherwise send the next request by one that is closed at that moment.
async fn last_on_its_connection(
    State(ingress): State<Arc<Ingress>>,
    mut response: Response<Body>,
) -> Response<Body> {
    if !ingress.ready.load(Ordering::Relaxed) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Answers for a handler that panicked, which is a bug of ours; the panic itself is in the log.
#[derive(Clone)]
struct Panics(Arc<Ingress>);

impl ResponseForPanic for Panics {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, _: Box<dyn Any + Send>) -> Response<Body> {
        let request_id = self.0.request_ids.next();
        tracing::error!(
            request.id = request_id,
            "a request met a bug of the gateway"
        );
        Problem::Internal.response(&request_id, None)
    }
}

#[cfg(test)]
mod tests;
