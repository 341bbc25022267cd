//! `GET /api/v1/audit`: what people did with the gateway.

use std::sync::Arc;

use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use serde_json::json;

use super::{Admin, answer::unavailable, query::Parameters};
use crate::store::{Act, AuditEntry, AuditFilter, AuditId};

/// Entries of a page, unless it is said, and at most.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 500;

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
pub(super) async fn list(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    match page(&admin, query.as_deref()).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn page(admin: &Admin, query: Option<&str>) -> Result<Response, Response> {
    let parameters = Parameters::read(query, &["act", "limit", "before"])?;
    let before: Option<i64> = parameters.parsed("before", "the number of an act")?;
    let filter = AuditFilter {
        act: parameters.word("act", Act::ALL.into_iter(), Act::as_str)?,
        before: before.map(AuditId),
    };
    let limit = parameters.limit(PAGE, LARGEST_PAGE)?;
    let entries = admin.audit.acts(filter, limit).await;
    let entries = entries.map_err(|error| unavailable(&error))?;
    let is_full = u32::try_from(entries.len()).is_ok_and(|found| found == limit);
    let next = entries.last().filter(|_| is_full).map(|last| last.id.0);
    let shown: Vec<Shown> = entries.into_iter().map(Shown::from).collect();
    Ok(Json(json!({"audit": shown, "next": next})).into_response())
}
