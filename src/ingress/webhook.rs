//! The webhook handler: who may call, handshake or event, and the answer. What becomes of an event in between is in
//! [`take_in`](super::take_in).

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    body::Body,
    extract::{Extension, Path, State, rejection::PathRejection},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};

use super::{
    Ingress, body,
    handshake::{self, Asked},
    refusal::Refusal,
    rejected::Rejection,
    server::ConnectedFrom,
    take_in::Done,
};
use crate::{
    event::SourceName,
    problem::Problem,
    source::{Lookup, Source, receive::Answer},
    store::Acceptance,
    telemetry::RequestResult,
    verify::{Peer, Received},
};

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
