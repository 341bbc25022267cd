//! `POST /api/v1/reload`, and how a reload is shown.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::Serialize;

use super::{Admin, guard::problem, operator::Operator};
use crate::{
    source::reload::{KeysReport, Report, SourcesReport},
    store::Act,
};

/// How long the answer waits for what comes of it. It comes of it later all the same.
const WAIT: Duration = Duration::from_secs(30);

/// What came of a look at the files.
#[derive(Serialize)]
pub(super) struct Reload<'a> {
    /// RFC 3339, in UTC.
    at: String,
    trigger: &'static str,
    sources: Sources<'a>,
    keys: Keys<'a>,
    settings_changed: bool,
}

#[derive(Serialize)]
struct Sources<'a> {
    outcome: &'static str,
    added: &'a [String],
    changed: &'a [String],
    removed: &'a [String],
    trouble: &'a [String],
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Keys<'a> {
    outcome: &'static str,
    renewed: Vec<String>,
    trouble: &'a [String],
}

impl<'a> From<&'a Report> for Reload<'a> {
    fn from(report: &'a Report) -> Self {
        let SourcesReport {
            outcome,
            changes,
            trouble,
            warnings,
        } = &report.sources;
        let sources = Sources {
            outcome: outcome.as_str(),
            added: &changes.added,
            changed: &changes.changed,
            removed: &changes.removed,
            trouble,
            warnings,
        };
        let KeysReport {
            outcome,
            renewed,
            trouble,
        } = &report.keys;
        let keys = Keys {
            outcome: outcome.as_str(),
            renewed: renewed.iter().map(ToString::to_string).collect(),
            trouble,
        };
        Self {
            at: report.at.to_string(),
            trigger: report.trigger.as_str(),
            sources,
            keys,
            settings_changed: report.settings_changed,
        }
    }
}

/// A refused reload, in the form of RFC 9457 with what came of it as further members.
#[derive(Serialize)]
struct Refused<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    #[serde(flatten)]
    reload: Reload<'a>,
}

pub(super) async fn reload(State(admin): State<Arc<Admin>>, operator: Operator) -> Response {
    admin
        .write_down_done(operator, Act::Reload, Vec::new(), 1)
        .await;
    if admin.leases.is_shared()
        && let Err(error) = admin.leases.ask_reload().await
    {
        tracing::warn!(error.chain = %error, "the other replicas could not be asked to read their files; they do when these change");
    }
    let asked = tokio::time::timeout(WAIT, admin.reloads.request()).await;
    let report = match asked {
        Ok(Some(report)) => report,
        Ok(None) => {
            return problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "The gateway is stopping",
                "it reads its files at the next start",
            );
        }
        Err(_) => {
            return problem(
                StatusCode::GATEWAY_TIMEOUT,
                "The files are still being read",
                "look at `reload` in /api/v1/status for what comes of it",
            );
        }
    };
    let shown = Reload::from(&*report);
    if report.is_fine() {
        return Json(shown).into_response();
    }
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let refused = Refused {
        r#type: "about:blank",
        title: "What the files hold cannot be used",
        status: status.as_u16(),
        detail: "what was in force before stays; `trouble` says what to mend",
        reload: shown,
    };
    let mut response = (status, Json(refused)).into_response();
    super::guard::mark_as_problem(&mut response);
    response
}
