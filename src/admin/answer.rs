//! Answers that several pages give.

use axum::response::Response;
use http::StatusCode;

use super::guard::problem;
use crate::store::StoreError;

/// The parameters cannot be read.
pub(super) fn misread(detail: &str) -> Response {
    problem(
        StatusCode::BAD_REQUEST,
        "The request is not written right",
        detail,
    )
}

pub(super) fn unavailable(error: &StoreError) -> Response {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "The store does not answer",
        &error.to_string(),
    )
}
