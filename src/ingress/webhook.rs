//! The webhook handler: handshake or event; verify, map, accept, answer.

use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Extension, Path, State, rejection::PathRejection},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::SemaphorePermit;

use super::{
    Ingress, accepted,
    admission::Denied,
    body,
    handshake::{self, Answered, Asked},
    rejected::{Rejection, Seen},
    server::ConnectedFrom,
};
use crate::{
    event::{DedupKey, End, Failure, ItemOutcome, Mapped, MappedItem, SourceName},
    problem::Problem,
    source::{Lookup, Source, receive::Answer},
    store::{Acceptance, KnownRequest, StoreError},
    telemetry::RequestResult,
    verify::{self, Peer, Received, Verified},
};

/// Bodies above this size are mapped off the network threads.
const MAP_IN_PLACE_BYTES: usize = 64 * 1024;

/// How often at most it is said why events are not stored.
const TELL_EVERY_MS: u64 = 10_000;

/// Why a request is refused: what the sender is told, and what the log and the metric say.
pub(super) struct Refusal {
    pub(super) problem: Problem,
    pub(super) reason: &'static str,
    /// The request, where it may be written down.
    seen: Option<Seen>,
    /// Whether it may be an event whose check failed, so that it can be tried again.
    may_be_event: bool,
    /// When to come back, where that is known more exactly than for all problems of the kind.
    retry_after: Option<Duration>,
    /// Only where the address is the reason.
    client: Option<IpAddr>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            reason: problem.name(),
            seen: None,
            may_be_event: false,
            retry_after: None,
            client: None,
        }
    }
}

impl Refusal {
    /// Refuses before the body was read to the end.
    fn of_head(problem: Problem, head: Parts, peer: Peer) -> Self {
        Self {
            seen: Some(Seen::Head(Box::new(head), peer)),
            ..problem.into()
        }
    }

    /// Refuses who may not call, or not now.
    fn of_caller(denied: Denied, head: Parts, peer: Peer) -> Self {
        match denied {
            Denied::NotAllowed => Self {
                client: Some(peer.client),
                ..Self::of_head(Problem::NotAllowed, head, peer)
            },
            Denied::TooMany(wait) => Self {
                retry_after: Some(wait),
                ..Self::of_head(Problem::TooManyRequests, head, peer)
            },
        }
    }

    /// Refuses an event whose check failed.
    pub(super) fn of_event(refusal: verify::Refusal, received: Received) -> Self {
        Self {
            may_be_event: true,
            ..Self::of_handshake(refusal, received)
        }
    }

    /// Refuses what asked for something else than to be stored.
    pub(super) fn of_handshake(refusal: verify::Refusal, received: Received) -> Self {
        let problem = if refusal.is_of_handshake() {
            Problem::HandshakeRefused
        } else if refusal == verify::Refusal::NoKeySet {
            // An honest sender sends it again, and by then we may have its keys.
            Problem::SourceUnavailable
        } else if refusal.is_unverifiable() {
            unverifiable(&received)
        } else {
            Problem::NotVerified
        };
        Self {
            problem,
            reason: refusal.as_str(),
            seen: Some(Seen::Whole(Box::new(received))),
            ..problem.into()
        }
    }
}

/// What became of a request that is not refused.
pub(super) enum Done {
    /// With the name of the secret that proved it.
    Stored(Acceptance, Option<String>),
    /// The sender registered the address.
    Handshake(Answered),
}

/// `/webhooks/{source}`: `POST`, and what handshakes need.
pub(super) async fn receive(
    State(ingress): State<Arc<Ingress>>,
    name: Result<Path<String>, PathRejection>,
    Extension(ConnectedFrom(from)): Extension<ConnectedFrom>,
    request: Request<Body>,
) -> Response<Body> {
    let started = ingress.clock.elapsed();
    let request_id = ingress.request_ids.next();
    let name: Option<SourceName> = name.ok().and_then(|Path(name)| name.parse().ok());
    // What stands there now stays with the request, whatever is put in its place meanwhile.
    let found = name
        .as_ref()
        .map_or(Lookup::Unknown, |name| ingress.sources.get(name));
    let known = name.filter(|_| !matches!(found, Lookup::Unknown));
    let result = ingress.handle(&found, from, request).await;

    let took = ingress.clock.elapsed().saturating_sub(started);
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let source = known.as_ref().map_or("unknown", |name| name.as_str());
    match result {
        Ok((_, Done::Handshake(answered))) => {
            let word = RequestResult::Handshake;
            ingress.metrics.request(known.as_ref(), word, "", took);
            tracing::info!(
                request.id = request_id,
                source,
                result = word.as_str(),
                handshake = answered.kind,
                duration_ms,
                "webhook"
            );
            handshake::response(answered)
        }
        Ok((stored, Done::Stored(acceptance, secret))) => {
            let (word, event, counts) = match acceptance {
                Acceptance::Accepted {
                    event,
                    new,
                    known,
                    dead,
                    dropped,
                } => (RequestResult::Accepted, event, [new, known, dead, dropped]),
                Acceptance::Duplicate { event, known, .. } => {
                    (RequestResult::Duplicate, event, [0, known, 0, 0])
                }
            };
            let [new, known_items, dead, dropped] = counts;
            let name = stored.name();
            ingress.metrics.request(Some(name), word, "", took);
            ingress.count(name, &acceptance);
            tracing::info!(
                request.id = request_id,
                source,
                secret.name = secret,
                event.id = event.0,
                result = word.as_str(),
                items.new = new,
                items.known = known_items,
                deliveries.dead = dead,
                deliveries.dropped = dropped,
                duration_ms,
                "webhook"
            );
            answer(&stored.receive().answer, &acceptance)
        }
        Err(refusal) => {
            let status = refusal.problem.status().as_u16();
            ingress
                .metrics
                .request(known.as_ref(), RequestResult::Refused, refusal.reason, took);
            tracing::warn!(
                request.id = request_id,
                source,
                result = "refused",
                reason = refusal.reason,
                http.status = status,
                client.address = refusal.client.map(tracing::field::display),
                duration_ms,
                "webhook"
            );
            let mut response: Response<Body> = refusal.problem.response(&request_id, None);
            if let Some(wait) = refusal.retry_after {
                let seconds = wait.as_millis().div_ceil(1000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            if refusal.problem == Problem::MethodNotAllowed {
                response
                    .headers_mut()
                    .insert(header::ALLOW, handshake::allow(&found));
            }
            response
        }
    }
}

impl Ingress {
    async fn handle(
        &self,
        found: &Lookup,
        from: IpAddr,
        request: Request<Body>,
    ) -> Result<(Arc<Source>, Done), Refusal> {
        let source = match found {
            Lookup::Unknown => return Err(Problem::UnknownSource.into()),
            Lookup::Broken => return Err(Problem::SourceUnavailable.into()),
            Lookup::Ready(source) => source,
        };
        match self.receive(source, from, request).await {
            Ok(done) => Ok((Arc::clone(source), done)),
            Err(refusal) => {
                self.write_down(source, &refusal);
                Err(refusal)
            }
        }
    }

    async fn receive(
        &self,
        source: &Arc<Source>,
        from: IpAddr,
        request: Request<Body>,
    ) -> Result<Done, Refusal> {
        let (head, body) = request.into_parts();
        let peer = self.admission.peer(from, &head.headers);
        let now = self.clock.elapsed();
        if let Err(denied) = self.admission.admit(source, peer, &head.headers, now) {
            return Err(Refusal::of_caller(denied, head, peer));
        }
        if !handshake::takes(source, &head.method) {
            return Err(Refusal::of_head(Problem::MethodNotAllowed, head, peer));
        }
        let (received, _share) = self.read(head, body, peer).await?;
        let turn = self.turn().await?;
        match self.ask(source, received).await? {
            Asked::Event(received) => {
                let done = self.take_in(source, received, turn).await?;
                if let Done::Stored(Acceptance::Accepted { .. }, _) = done {
                    self.admission.count(source, self.clock.elapsed());
                }
                Ok(done)
            }
            Asked::Handshake(answered) => Ok(Done::Handshake(answered)),
        }
    }

    /// What becomes of a whole event, live or [later](super::late): verified, mapped, stored. A handshake that is signed
    /// like an event ends here.
    pub(super) async fn take_in(
        &self,
        source: &Arc<Source>,
        received: Received,
        turn: SemaphorePermit<'_>,
    ) -> Result<Done, Refusal> {
        let (verified, _turn) = self.verified(source, received, turn).await?;
        let verified = match self.ask_verified(source, verified).await? {
            Asked::Event(verified) => verified,
            Asked::Handshake(answered) => return Ok(Done::Handshake(answered)),
        };
        let secret = verified.secret_name().map(str::to_owned);
        let stored = self.store(source, verified).await;
        stored
            .map(|acceptance| Done::Stored(acceptance, secret))
            .map_err(|error| self.not_stored(&error))
    }

    /// Maps and stores an event. What was seen lately is neither mapped, where its key is known before, nor made into rows:
    /// the store only confirms that it is known.
    async fn store(
        &self,
        source: &Arc<Source>,
        verified: Verified,
    ) -> Result<Acceptance, StoreError> {
        let received = verified.received();
        let received_at = received.received_at;
        let of_request = accepted::key_of_request(source, received);
        let is_one_group = of_request.is_some();
        if let Some(found) = &of_request {
            let keys = [found.keys.of_item(0)];
            if let Some(known) = self
                .known(source, received_at, &received.body, &keys)
                .await?
            {
                self.count_by_body(source, found.by_body, received_at);
                return Ok(known);
            }
        }
        let (verified, mapped) = map(source, verified).await;
        let (event, by_body) = accepted::new_event(source, verified, mapped, of_request);
        let keys = accepted::keys_of(&event);
        let known = if is_one_group {
            None
        } else {
            self.known(source, received_at, &event.body, &keys).await?
        };
        let acceptance = match known {
            Some(known) => known,
            None => self.store.accept(event).await?,
        };
        self.recent.insert(&keys);
        self.count_by_body(source, by_body, received_at);
        Ok(acceptance)
    }

    /// What the store says of a request whose keys were all seen lately; `None` where it must be stored.
    async fn known(
        &self,
        source: &Source,
        received_at: Timestamp,
        body: &[u8],
        keys: &[DedupKey],
    ) -> Result<Option<Acceptance>, StoreError> {
        if !self.recent.know_all(keys) {
            return Ok(None);
        }
        let request = KnownRequest {
            source: source.name().clone(),
            received_at,
            keys: keys.to_vec(),
            body_hash: Sha256::digest(body).into(),
        };
        self.store.known(request).await
    }

    fn count_by_body(&self, source: &Source, by_body: u32, at: Timestamp) {
        if by_body > 0 {
            self.metrics.dedup_by_body(source.name(), by_body);
            self.numbering
                .by_body(source.name(), by_body, at, self.clock.elapsed());
        }
    }

    /// Counts what was new and what was known; and deliveries that ended at once or are dead: nothing can be sent for
    /// these, so no dispatcher will ever see and count them.
    pub(super) fn count(&self, source: &SourceName, acceptance: &Acceptance) {
        match acceptance {
            Acceptance::Accepted {
                new,
                known,
                dead,
                dropped,
                ..
            } => {
                self.metrics.items(source, *new, *known);
                self.metrics.ended(source, End::Dropped, *dropped);
                self.metrics.buried(source, "mapping", *dead);
            }
            Acceptance::Duplicate {
                event,
                known,
                differs,
            } => {
                self.metrics.items(source, 0, *known);
                if *differs {
                    self.metrics.reused_id(source);
                    let (at, now) = (self.clock.now(), self.clock.elapsed());
                    self.numbering.reused(source, *event, at, now);
                }
            }
        }
    }

    /// Has a refusal of the request itself written down; what passes by itself, as 503 says, is for the log alone.
    fn write_down(&self, source: &Source, refusal: &Refusal) {
        let status = refusal.problem.status();
        let Some(seen) = refusal.seen.as_ref().filter(|_| status.is_client_error()) else {
            return;
        };
        self.rejected.record(&Rejection {
            source,
            seen,
            reason: refusal.reason,
            status: status.as_u16(),
            is_unverified: refusal.may_be_event,
        });
    }

    /// The request with its whole body, and the body's share of the memory.
    async fn read(
        &self,
        head: Parts,
        body: Body,
        peer: Peer,
    ) -> Result<(Received, body::Share<'_>), Refusal> {
        let read = body::read(
            &head.headers,
            body,
            self.body_limit,
            self.body_timeout,
            &self.body_budget,
        );
        let (body, share) = match read.await {
            Ok(read) => read,
            Err(problem) => return Err(Refusal::of_head(problem, head, peer)),
        };
        let path_and_query = head
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let received = Received {
            method: head.method,
            public_url: self.public_address(&head.headers, &path_and_query),
            path_and_query,
            headers: head.headers,
            body,
            received_at: self.clock.now(),
            peer,
        };
        Ok((received, share))
    }

    /// The address that the sender was given.
    pub(super) fn public_address(&self, headers: &HeaderMap, path_and_query: &str) -> String {
        if let Some(url) = &self.public_url {
            return format!("{}{path_and_query}", url.as_str().trim_end_matches('/'));
        }
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        format!("https://{host}{path_and_query}")
    }

    /// Whether it is time to say again why events are not stored: each refused request has a line of its own anyway.
    fn should_tell(&self) -> bool {
        let now = u64::try_from(self.clock.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let told = self.trouble_told_at.load(Ordering::Relaxed);
        let is_time = told == 0 || now.saturating_sub(told) > TELL_EVERY_MS;
        is_time && self.trouble_told_at.swap(now, Ordering::Relaxed) == told
    }

    pub(super) fn not_stored(&self, error: &StoreError) -> Refusal {
        self.metrics.store_error();
        match error {
            StoreError::Unavailable { .. } if self.should_tell() => {
                tracing::warn!(error.chain = %error, "events are not stored");
            }
            StoreError::Unavailable { .. } => {}
            StoreError::OutcomeUnknown { .. }
            | StoreError::Closed { .. }
            | StoreError::Broken { .. } => {
                tracing::error!(error.chain = %error, "an event was not stored");
            }
        }
        Problem::StoreUnavailable.into()
    }
}

/// The signature or token stands inside a JSON body that cannot be read: because it is another kind of body, or
/// because it is broken.
fn unverifiable(received: &Received) -> Problem {
    let kind = received
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    match kind {
        Some(kind) if !kind.to_ascii_lowercase().contains("json") => Problem::UnsupportedMediaType,
        _ => Problem::Unreadable,
    }
}

/// Maps in place what is small and quickly done, and on a thread of its own what is large or turns out to be much work:
/// an event may ask for seconds of it, and others wait for this thread. A panic of the mapping is a failure like any
/// other: stored with the event, never a reason to turn the sender away.
async fn map(source: &Arc<Source>, verified: Verified) -> (Verified, Mapped) {
    if verified.received().body.len() <= MAP_IN_PLACE_BYTES {
        let mapped = std::panic::catch_unwind(AssertUnwindSafe(|| source.map_briefly(&verified)));
        if let Some(mapped) = mapped.unwrap_or_else(|_| Some(panicked())) {
            return (verified, mapped);
        }
    }
    let on_thread = {
        let (source, verified) = (Arc::clone(source), verified.clone());
        tokio::task::spawn_blocking(move || {
            std::panic::catch_unwind(AssertUnwindSafe(|| source.map(&verified)))
        })
    };
    let mapped = match on_thread.await {
        Ok(Ok(mapped)) => mapped,
        Ok(Err(_)) | Err(_) => panicked(),
    };
    (verified, mapped)
}

pub(super) fn panicked() -> Mapped {
    let reason =
        "the mapping met a bug of the gateway; please report it with the mapping file".to_owned();
    let failure = ItemOutcome::Fail(Failure {
        rule: None,
        reason,
        line: None,
    });
    Mapped {
        items: vec![MappedItem {
            dedup: Vec::new(),
            outcomes: vec![failure],
        }],
    }
}

/// Numbers requests for log lines and answers: a random start for the process, then a count.
pub(super) struct RequestIds {
    prefix: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        Self {
            prefix: rand::random(),
            next: AtomicU64::new(1),
        }
    }

    pub(super) fn next(&self) -> String {
        format!(
            "{:08x}-{}",
            self.prefix,
            self.next.fetch_add(1, Ordering::Relaxed)
        )
    }
}

/// What a stored request is answered: what its source wants, or, where it wants nothing particular, what was stored.
fn answer(wanted: &Answer, acceptance: &Acceptance) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = wanted.status;
    let (content_type, body) = match &wanted.content_type {
        Some(content_type) => (content_type.clone(), Body::from(wanted.body.clone())),
        // RFC 9110, sections 15.3.5 and 15.3.6: these have no body.
        None if matches!(
            wanted.status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT
        ) =>
        {
            return response;
        }
        None => (
            HeaderValue::from_static("application/json"),
            Body::from(summary(acceptance)),
        ),
    };
    *response.body_mut() = body;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn summary(acceptance: &Acceptance) -> String {
    match acceptance {
        Acceptance::Accepted {
            event, new, known, ..
        } => {
            format!("{{\"status\":\"accepted\",\"event\":{event},\"new\":{new},\"known\":{known}}}")
        }
        Acceptance::Duplicate { event, known, .. } => {
            format!("{{\"status\":\"duplicate\",\"event\":{event},\"new\":0,\"known\":{known}}}")
        }
    }
}
