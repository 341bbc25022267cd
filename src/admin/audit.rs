//! `GET /api/v1/audit`: what people did with the gateway.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Admin,
    answer::{misread, unavailable},
};
use crate::{
    diag::did_you_mean,
    store::{Act, AuditEntry, AuditFilter, AuditId},
};

/// Entries of a page, unless it is said, and at most.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 500;

#[derive(Deserialize)]
pub(super) struct Wish {
    act: Option<String>,
    limit: Option<u32>,
    before: Option<i64>,
}

#[derive(Serialize)]
struct Shown {
    id: i64,
    /// RFC 3339, in UTC.
    at: String,
    act: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    what: Vec<Part>,
    count: u64,
}

#[derive(Serialize)]
struct Part {
    name: String,
    value: String,
}

impl From<AuditEntry> for Shown {
    fn from(entry: AuditEntry) -> Self {
        let what = entry.what.into_iter();
        Self {
            id: entry.id.0,
            at: entry.at.to_string(),
            act: entry.act.as_str(),
            by: entry.by.map(|by| by.to_string()),
            what: what.map(|(name, value)| Part { name, value }).collect(),
            count: entry.count,
        }
    }
}

/// `GET /api/v1/audit?act=&limit=&before=`: newest first.
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let Ok(Query(wish)) = wish else {
        return misread("`act`, `limit` and `before` are known; the last two are whole numbers");
    };
    let act = match wish
        .act
        .as_deref()
        .map(|word| Act::from_word(word).ok_or(word))
    {
        None => None,
        Some(Ok(act)) => Some(act),
        Some(Err(word)) => return misread(&format!("no act has this name; {}", known(word))),
    };
    let filter = AuditFilter {
        act,
        before: wish.before.map(AuditId),
    };
    let limit = wish.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    match admin.audit.acts(filter, limit).await {
        Err(error) => unavailable(&error),
        Ok(entries) => {
            let is_full = u32::try_from(entries.len()).is_ok_and(|found| found == limit);
            let next = entries.last().filter(|_| is_full).map(|last| last.id.0);
            let shown: Vec<Shown> = entries.into_iter().map(Shown::from).collect();
            Json(json!({"audit": shown, "next": next})).into_response()
        }
    }
}

fn known(word: &str) -> String {
    let words = Act::ALL.iter().map(|act| act.as_str());
    did_you_mean(word, words.clone())
        .unwrap_or_else(|| format!("there are {}", words.collect::<Vec<_>>().join(", ")))
}
