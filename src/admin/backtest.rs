//! `POST /api/v1/sources/{name}/backtest`: tries a changed source file, whose text is the body, on stored events.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{
        Path, Query, State,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{
    Admin,
    answer::{misread, unavailable},
    guard::{mark_as_problem, problem},
    operator::Operator,
};
use crate::{
    backtest::{MOST_EVENTS, NoBacktest, Wish},
    store::{Act, NewAuditEntry},
};

/// Unless it is said.
const LAST: u32 = 500;
const EXAMPLES: u32 = 10;
const MOST_EXAMPLES: u32 = 100;

#[derive(Deserialize)]
pub(super) struct Wishes {
    last: Option<u32>,
    examples: Option<u32>,
    reveal: Option<bool>,
}

pub(super) async fn run(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    name: Result<Path<String>, PathRejection>,
    wishes: Result<Query<Wishes>, QueryRejection>,
    text: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(source) = name.ok().and_then(|Path(name)| name.parse().ok()) else {
        return misread("this is not the name of a source");
    };
    let Ok(Query(wishes)) = wishes else {
        return misread("`last` and `examples` are whole numbers, `reveal` is `true` or `false`");
    };
    let text = text
        .ok()
        .and_then(|text| String::from_utf8(text.into()).ok());
    let Some(text) = text else {
        return misread("the body is the text of a source file, up to 1 MiB, in UTF-8");
    };
    let wish = Wish {
        source,
        text,
        last: wishes.last.unwrap_or(LAST).clamp(1, MOST_EVENTS),
        examples: usize::try_from(wishes.examples.unwrap_or(EXAMPLES).min(MOST_EXAMPLES))
            .unwrap_or_default(),
        reveals: wishes.reveal.unwrap_or(false),
    };
    let (reveals, source) = (wish.reveals, wish.source.to_string());
    let report = match admin.backtests.run(wish).await {
        Ok(report) => report,
        Err(error) => return refused(&error),
    };
    let mut what = vec![("source", source), ("mapping", report.new.clone())];
    if reveals {
        what.push(("values", "shown".to_owned()));
    }
    let entry = NewAuditEntry {
        at: admin.clock.now(),
        act: Act::Backtest,
        by: operator.0,
        what,
        count: report.totals.events,
    };
    // Before anything is given away.
    match admin.audit.record_act(entry).await {
        Ok(_) => Json(report).into_response(),
        Err(error) => unavailable(&error),
    }
}

fn refused(error: &NoBacktest) -> Response {
    let title = "The mapping cannot be tried";
    let (status, detail) = match error {
        NoBacktest::Mistakes(lines) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let body = json!({
                "type": "about:blank", "title": "The changed file has mistakes", "status": status.as_u16(),
                "detail": "nothing was tried; mend what `mistakes` says", "mistakes": lines,
            });
            let mut response = (status, Json(body)).into_response();
            mark_as_problem(&mut response);
            return response;
        }
        NoBacktest::Store(error) => return unavailable(error),
        NoBacktest::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{error}; try again in some seconds"),
        ),
        NoBacktest::NoSource => (
            StatusCode::NOT_FOUND,
            format!("{error}; `sources` in /api/v1/status shows those there are"),
        ),
        NoBacktest::OtherSource(_) | NoBacktest::Bug => (StatusCode::CONFLICT, error.to_string()),
    };
    problem(status, title, &detail)
}
