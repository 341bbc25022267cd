//! Who asks, as they say it in the header `Gateway-Operator`, and writing down what they do.

use axum::{extract::FromRequestParts, response::Response};
use http::{StatusCode, request::Parts};

use super::{Admin, guard::problem};
use crate::{
    event::OperatorName,
    store::{Act, NewAuditEntry, StoreError},
};

/// The header that names who asks; in UTF-8.
pub(super) const OPERATOR: &str = "gateway-operator";

/// Who asks, where they say it.
pub(super) struct Operator(pub(super) Option<OperatorName>);

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let mut values = parts.headers.get_all(OPERATOR).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let name = std::str::from_utf8(value.as_bytes()).ok();
        let name = name.and_then(|name| name.parse().ok());
        match (name, values.next()) {
            (Some(name), None) => Ok(Self(Some(name))),
            _ => Err(problem(
                StatusCode::BAD_REQUEST,
                "The request is not written right",
                "`Gateway-Operator` names whoever asks, once, with 1 to 64 characters that can be seen",
            )),
        }
    }
}

impl Admin {
    /// Writes an act down, before its result is given away.
    ///
    /// # Errors
    /// The answer where it cannot be written down; then the act must not be done or shown.
    pub(super) async fn write_down(
        &self,
        operator: Operator,
        act: Act,
        what: Vec<(&'static str, String)>,
        count: u64,
    ) -> Result<(), Response> {
        self.record(operator, act, what, count)
            .await
            .map_err(|error| {
                problem(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The audit log cannot be written now",
                    &format!("nothing was done, since it could not be written down: {error}"),
                )
            })
    }

    /// Writes down what was done already, where what came of it is known only then and nothing was shown.
    pub(super) async fn write_down_done(
        &self,
        operator: Operator,
        act: Act,
        what: Vec<(&'static str, String)>,
        count: u64,
    ) {
        if let Err(error) = self.record(operator, act, what, count).await {
            tracing::warn!(act = act.as_str(), error.chain = %error, "an act was not written down");
        }
    }

    async fn record(
        &self,
        operator: Operator,
        act: Act,
        what: Vec<(&'static str, String)>,
        count: u64,
    ) -> Result<(), StoreError> {
        let entry = NewAuditEntry {
            at: self.clock.now(),
            act,
            by: operator.0,
            what,
            count,
        };
        self.audit.record_act(entry).await.map(drop)
    }
}
