//! `POST /api/v1/sources/{name}/forget-secret`: takes away the secret that a sender named in its handshake, so that it can
//! name another. Until it does, every event of the source is refused.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde_json::json;

use super::{Admin, guard::problem, operator::Operator};
use crate::{event::SourceName, store::Act};

pub(super) async fn forget(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    Path(name): Path<String>,
) -> Response {
    let Ok(source) = name.parse::<SourceName>() else {
        return nothing_known();
    };
    let change = admin.learned.change().await;
    match admin.store.forget_secret(&source).await {
        Ok(true) => {
            change.forget(&source);
            let what = vec![("source", source.to_string())];
            admin
                .write_down_done(operator, Act::ForgetSecret, what, 1)
                .await;
            tracing::warn!(source = %source, "the secret that the sender named was forgotten, as a person wanted it");
            Json(json!({"source": source.as_str(), "forgotten": true})).into_response()
        }
        Ok(false) => nothing_known(),
        Err(error) => {
            tracing::warn!(error.chain = %error, "a secret was not forgotten");
            problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "The store cannot write now",
                "ask again later; the log says why",
            )
        }
    }
}

fn nothing_known() -> Response {
    problem(
        StatusCode::NOT_FOUND,
        "No secret was learned for a source of this name",
        "look at the name of the source; secrets of `receive.secrets` are changed there",
    )
}
