//! What the public port serves besides webhooks: whether the process lives, whether it accepts, and the pages that
//! explain refusals.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
};
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::Ingress;
use crate::problem::Problem;

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn only_read(request_id: &str) -> Response<Body> {
    let mut response: Response<Body> =
        Problem::MethodNotAllowed.response(request_id, Some("use GET"));
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn text(status: StatusCode, kind: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The process runs.
pub(super) async fn live(method: Method, State(ingress): State<Arc<Ingress>>) -> Response<Body> {
    if !is_read(&method) {
        return only_read(&ingress.request_ids.next());
    }
    text(StatusCode::OK, "text/plain; charset=utf-8", "live\n")
}

/// The process can accept: the store takes writes and it is not shutting down. Says nothing about Quentli, whose
/// absence must not take replicas out of a balancer.
pub(super) async fn ready(method: Method, State(ingress): State<Arc<Ingress>>) -> Response<Body> {
    let id = ingress.request_ids.next();
    if !is_read(&method) {
        return only_read(&id);
    }
    if !ingress.ready.load(Ordering::Relaxed) {
        return Problem::NotReady.response(&id, Some("the gateway is stopping"));
    }
    match ingress.store.is_writable() {
        Ok(()) => text(StatusCode::OK, "text/plain; charset=utf-8", "ready\n"),
        Err(error) => {
            tracing::debug!(error.chain = %error, "not ready");
            Problem::StoreUnavailable.response(&id, None)
        }
    }
}

/// The page of a kind of refusal.
pub(super) async fn problem(
    name: Result<Path<String>, PathRejection>,
    State(ingress): State<Arc<Ingress>>,
) -> Response<Body> {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    match Problem::ALL
        .into_iter()
        .find(|problem| problem.name() == name)
    {
        Some(problem) => text(
            StatusCode::OK,
            "text/markdown; charset=utf-8",
            problem.page(),
        ),
        None => Problem::NotFound.response(&ingress.request_ids.next(), None),
    }
}

pub(super) async fn not_found(State(ingress): State<Arc<Ingress>>) -> Response<Body> {
    Problem::NotFound.response(&ingress.request_ids.next(), None)
}
