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

/// Nothing is at this address.
pub(super) async fn no_such_page() -> Response {
    problem(
        StatusCode::NOT_FOUND,
        "There is no such page",
        "`/api/v1/openapi.json` describes all there are",
    )
}

/// The address is right, and the method is not.
pub(super) async fn other_method() -> Response {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "The page takes another method",
        "`Allow` names it, and `/api/v1/openapi.json` describes all pages",
    )
}

pub(super) fn unavailable(error: &StoreError) -> Response {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "The store does not answer",
        &error.to_string(),
    )
}
