//! What a person began is brought to its end, also where whoever asked goes away in the middle.
//!
//! A handler is dropped with its connection. Between the store's commit and the word to the dispatchers, or the audit
//! log, that would leave an act half done: deliveries that are waiting and that nobody knows of, or an act that nobody
//! wrote down.

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
};
use http::{Method, Response, StatusCode};
use tokio_util::task::TaskTracker;

use super::guard::problem;

/// The acts under way.
#[derive(Clone, Debug, Default)]
pub struct Acts(TaskTracker);

impl Acts {
    /// Waits for all that have begun; none may begin any more.
    pub async fn finish(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

/// Runs what changes something on a task of its own.
pub(super) async fn bring_to_end(
    State(acts): State<Acts>,
    request: Request,
    next: Next,
) -> Response<Body> {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let act = acts.0.spawn(next.run(request));
    act.await.unwrap_or_else(|_| {
        problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The gateway failed on it",
            "this is a bug, please report it; what was done of it is in the log and the audit log",
        )
    })
}
