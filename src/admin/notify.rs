//! `POST /api/v1/notify/test`: tries whether notifications arrive.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde_json::json;

use super::{Admin, guard::problem};

pub(super) async fn test(State(admin): State<Arc<Admin>>) -> Response {
    let Some(notifications) = &admin.notifications else {
        return problem(
            StatusCode::CONFLICT,
            "Nobody is told of anything",
            "set `notify.url` in gateway.yaml and start the gateway again",
        );
    };
    match notifications.test().await {
        Ok(()) => Json(json!({"posted": true, "to": notifications.to()})).into_response(),
        Err(error) => {
            let why = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            let detail = format!("{}: {error}{}", notifications.to(), why.unwrap_or_default());
            problem(
                StatusCode::CONFLICT,
                "The notification did not arrive",
                &detail,
            )
        }
    }
}
