//! The requests that were refused: `GET /api/v1/rejected`, one of them, and trying them again. A kept request is only
//! used; neither its body nor its headers are ever part of an answer.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::{
    Admin,
    answer::{misread, unavailable},
    guard::problem,
    names::{must_be_a_source, unknown_source},
    operator::Operator,
    query::{Misread, Parameters},
};
use crate::{
    diag::did_you_mean,
    diagnosis::{NoDiagnosis, Patient},
    event::SourceName,
    ingress::{Late, LateCounts, NotTried, lasting, meaning, reasons},
    source::Lookup,
    store::{Act, RefusedFilter, RefusedId, RefusedRecord, RequestFacts},
    verify::SigningSecret,
};

/// Records of a page, unless it is said, and at most.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 500;
/// Requests that are tried again in one go, unless it is said, and at most: each is a write of its own.
const TRIED: u32 = 100;
const MOST_TRIED: u32 = 500;

#[derive(Serialize)]
struct Shown {
    id: i64,
    source: String,
    /// RFC 3339, in UTC.
    first_at: String,
    last_at: String,
    times: u64,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<String>,
    /// Why mending the settings is not enough to accept it later, and what is.
    #[serde(skip_serializing_if = "Option::is_none")]
    lasting: Option<&'static str>,
    status: u16,
    method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    headers: Vec<Header>,
    query: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_as: Option<i64>,
}

#[derive(Serialize)]
struct Header {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl From<RefusedRecord> for Shown {
    fn from(record: RefusedRecord) -> Self {
        let RequestFacts {
            method,
            headers,
            query,
            body_bytes,
            body_hash,
            client,
        } = record.facts;
        let headers = headers.into_iter();
        Self {
            id: record.id.0,
            source: record.source.to_string(),
            first_at: record.first_at.to_string(),
            last_at: record.last_at.to_string(),
            times: record.times,
            meaning: meaning(&record.reason),
            lasting: lasting(&record.reason),
            reason: record.reason,
            status: record.status,
            method,
            client: client.map(|client| client.to_string()),
            headers: headers
                .map(|(name, value)| Header { name, value })
                .collect(),
            query,
            body_bytes,
            body_hash,
            kept_until: record.kept_until.map(|until| until.to_string()),
            accepted_as: record.accepted.map(|event| event.0),
        }
    }
}

/// `GET /api/v1/rejected?source=&reason=&limit=&before=`: newest first.
pub(super) async fn list(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    match page(&admin, query.as_deref()).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn page(admin: &Admin, query: Option<&str>) -> Result<Response, Response> {
    let parameters = Parameters::read(query, &["source", "reason", "limit", "before"])?;
    let source: Option<SourceName> = parameters.parsed("source", "the name of a source")?;
    let reason = parameters.one("reason")?;
    let before: Option<i64> = parameters.parsed("before", "the number of a rejected request")?;
    let filter = RefusedFilter {
        source: source.clone(),
        reason: reason.map(str::to_owned),
        before: before.map(RefusedId),
    };
    let limit = parameters.limit(PAGE, LARGEST_PAGE)?;
    let records = admin.refused.refused(filter, limit).await;
    let records = records.map_err(|error| unavailable(&error))?;
    if records.is_empty() {
        must_be_a_source(admin, source.as_ref()).await?;
        must_be_a_reason(reason)?;
    }
    let is_full = u32::try_from(records.len()).is_ok_and(|found| found == limit);
    let next = records.last().filter(|_| is_full).map(|last| last.id.0);
    let shown: Vec<Shown> = records.into_iter().map(Shown::from).collect();
    Ok(Json(json!({"rejected": shown, "next": next})).into_response())
}

/// Refuses a filter by a reason for which nothing is refused. One of another version may still stand in the store.
fn must_be_a_reason(reason: Option<&str>) -> Result<(), Misread> {
    let Some(reason) = reason.filter(|reason| meaning(reason).is_none()) else {
        return Ok(());
    };
    let help = did_you_mean(reason, reasons())
        .unwrap_or_else(|| "docs/VERIFICATION.md has a table of them".to_owned());
    Err(Misread(format!(
        "`reason` is nothing that requests are rejected for; {help}"
    )))
}

/// `GET /api/v1/rejected/{id}`.
pub(super) async fn one(
    State(admin): State<Arc<Admin>>,
    id: Result<Path<i64>, PathRejection>,
) -> Response {
    let Ok(Path(id)) = id else {
        return not_there(&NotTried::Unknown);
    };
    match admin.refused.refused_one(RefusedId(id)).await {
        Err(error) => unavailable(&error),
        Ok(None) => not_there(&NotTried::Unknown),
        Ok(Some(record)) => Json(Shown::from(record)).into_response(),
    }
}

/// `GET /api/v1/rejected/{id}/diagnosis`: why a kept request is refused, and which setting to change to what.
pub(super) async fn diagnosis(
    State(admin): State<Arc<Admin>>,
    id: Result<Path<i64>, PathRejection>,
) -> Response {
    let Ok(Path(id)) = id else {
        return not_there(&NotTried::Unknown);
    };
    let (record, request) = match admin.ingress.kept(RefusedId(id)).await {
        Ok(kept) => kept,
        Err(error) => return not_tried(&error),
    };
    let key_set = match admin.sources.get(&record.source) {
        Lookup::Ready(source) => source.verifier().keys().cloned(),
        Lookup::Unknown | Lookup::Broken => None,
    };
    let learned = admin.learned.get(&record.source);
    let patient = Patient {
        name: format!("the rejected request {id}"),
        request,
        key_set,
        learned: learned.map(|value| SigningSecret {
            name: "the secret that the sender named".to_owned(),
            value,
            until: None,
        }),
        source: record.source,
    };
    match admin.diagnoses.examine(patient).await {
        Ok(diagnosis) => Json(diagnosis).into_response(),
        Err(error @ NoDiagnosis::Busy) => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "Nothing can be examined now",
            &format!("{error}; try again in some seconds"),
        ),
        Err(error) => problem(
            StatusCode::CONFLICT,
            "The request cannot be examined",
            &error.to_string(),
        ),
    }
}

/// `POST /api/v1/rejected/{id}/accept`.
pub(super) async fn accept(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    id: Result<Path<i64>, PathRejection>,
) -> Response {
    let Ok(Path(id)) = id else {
        return not_there(&NotTried::Unknown);
    };
    let tried = admin.ingress.accept_later(RefusedId(id)).await;
    if tried.is_ok() {
        let what = vec![("rejected", id.to_string())];
        admin
            .write_down_done(operator, Act::AcceptRejected, what, 1)
            .await;
    }
    match tried {
        Ok(Late::Accepted(event)) => {
            Json(json!({"outcome": "accepted", "event": event.0})).into_response()
        }
        Ok(Late::Duplicate(event)) => {
            Json(json!({"outcome": "duplicate", "event": event.0})).into_response()
        }
        Ok(Late::Refused(reason)) => {
            let answer =
                json!({"outcome": "refused", "reason": reason, "meaning": meaning(reason)});
            Json(answer).into_response()
        }
        Err(error) => not_tried(&error),
    }
}

/// `POST /api/v1/sources/{name}/rejected/accept?limit=&after=`: oldest first.
pub(super) async fn accept_of_source(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(source) = name.ok().and_then(|Path(name)| name.parse().ok()) else {
        return misread("this is not the name of a source");
    };
    let (after, limit) = match stretch(query.as_deref()) {
        Ok(stretch) => stretch,
        Err(misread) => return misread.into(),
    };
    match admin.ingress.accept_all_later(&source, after, limit).await {
        Ok(counts) if counts.last.is_none() => match unknown_source(&admin, &source).await {
            Ok(None) => tried(&counts),
            Ok(Some(detail)) => problem(StatusCode::NOT_FOUND, "There is no such source", &detail),
            Err(error) => unavailable(&error),
        },
        Ok(counts) => {
            let what = vec![("source", source.to_string())];
            let count = counts.accepted + counts.duplicate + counts.refused;
            admin
                .write_down_done(operator, Act::AcceptRejected, what, count)
                .await;
            tried(&counts)
        }
        Err(error) => not_tried(&error),
    }
}

fn stretch(query: Option<&str>) -> Result<(RefusedId, u32), Misread> {
    let parameters = Parameters::read(query, &["limit", "after"])?;
    let after = parameters.parsed("after", "the number of a rejected request")?;
    let limit = parameters.limit(TRIED, MOST_TRIED)?;
    Ok((RefusedId(after.unwrap_or(0)), limit))
}

fn tried(counts: &LateCounts) -> Response {
    let next = counts.last.filter(|_| counts.more).map(|last| last.0);
    let answer = json!({
        "accepted": counts.accepted, "duplicate": counts.duplicate, "refused": counts.refused, "next": next,
    });
    Json(answer).into_response()
}

fn not_tried(error: &NotTried) -> Response {
    match error {
        NotTried::Unknown => not_there(error),
        NotTried::NotKept => problem(
            StatusCode::CONFLICT,
            "The request cannot be verified again",
            "it is not kept whole (any more); `receive.keep_rejected` of its source file keeps requests whose check fails",
        ),
        NotTried::Accepted(_) => problem(
            StatusCode::CONFLICT,
            "The request was accepted already",
            &error.to_string(),
        ),
        NotTried::NoSource => problem(
            StatusCode::CONFLICT,
            "The source does not receive",
            &error.to_string(),
        ),
        NotTried::Busy => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "Nothing can be accepted now",
            "try again; what was accepted before stays accepted, and nothing is accepted twice",
        ),
        NotTried::Store(error) => unavailable(error),
    }
}

fn not_there(error: &NotTried) -> Response {
    problem(
        StatusCode::NOT_FOUND,
        "There is no such rejected request",
        &format!("{error}: only the newest of each source are kept (`limits.rejected`)"),
    )
}
