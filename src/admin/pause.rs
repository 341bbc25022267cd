//! `POST /api/v1/pause` and `/resume`: stops and starts what is sent of a source or to an organisation. It is kept over
//! restarts. Everything goes on being received and kept meanwhile.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Admin,
    answer::{misread, unavailable},
    discard::understood_why,
    guard::problem,
    names::meant,
    operator::Operator,
    selection,
};
use crate::{
    event::{OrganisationName, SourceName},
    source::Lookup,
    store::{Act, Pause, PauseScope, StoreError},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    source: Option<String>,
    organisation: Option<String>,
    /// Why, for whoever finds it paused.
    #[serde(default)]
    why: Option<String>,
}

/// A pause as it is shown.
#[derive(Serialize)]
pub(super) struct Shown {
    kind: &'static str,
    name: String,
    /// RFC 3339, in UTC.
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Shown {
    /// Those that last.
    pub(super) fn lasting(pauses: Vec<Pause>) -> Vec<Self> {
        let lasting = pauses.into_iter().filter(|pause| pause.ended_at.is_none());
        lasting.map(Self::from).collect()
    }
}

impl From<Pause> for Shown {
    fn from(pause: Pause) -> Self {
        let (kind, name) = words(&pause.scope);
        Self {
            kind,
            name,
            since: pause.at.to_string(),
            by: pause.by,
            why: pause.reason,
        }
    }
}

fn words(scope: &PauseScope) -> (&'static str, String) {
    match scope {
        PauseScope::Organisation(name) => ("organisation", name.to_string()),
        PauseScope::Source(name) => ("source", name.to_string()),
    }
}

pub(super) async fn pause(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Response {
    let (scope, why) = match understood(&admin, wish).await {
        Ok(understood) => understood,
        Err(answer) => return answer,
    };
    let pause = Pause {
        scope: scope.clone(),
        at: admin.clock.now(),
        ended_at: None,
        by: operator.0.as_ref().map(ToString::to_string),
        reason: why.clone(),
    };
    let at = pause.at;
    let turn = admin.pausing.lock().await;
    let is_new = match admin.hands.pause(pause).await {
        Ok(is_new) => is_new,
        Err(error) => return unavailable(&error),
    };
    match &scope {
        PauseScope::Organisation(name) => {
            if let Some(handle) = admin.organisations.get(name) {
                handle.pause(at);
            }
            admin.reach_one(name).await;
        }
        PauseScope::Source(name) => {
            for handle in admin.organisations.values() {
                handle.pause_source(name);
            }
            admin.reach(admin.organisations.iter()).await;
            admin.metrics.source_paused(name, true);
        }
    }
    drop(turn);
    if is_new {
        let (kind, name) = words(&scope);
        tracing::warn!(
            kind,
            name,
            by = operator.0.as_ref().map(tracing::field::display),
            "a person paused deliveries; they are kept until somebody resumes them"
        );
        let mut what = vec![(kind, name)];
        what.extend(why.map(|why| ("why", why)));
        admin.write_down_done(operator, Act::Pause, what, 1).await;
    }
    answer(&admin, &scope, json!({"paused": true, "new": is_new})).await
}

pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    operator: Operator,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Response {
    let (scope, _) = match understood(&admin, wish).await {
        Ok(understood) => understood,
        Err(answer) => return answer,
    };
    let at = admin.clock.now();
    let turn = admin.pausing.lock().await;
    let was_paused = match admin.hands.resume(scope.clone(), at).await {
        Ok(was_paused) => was_paused,
        Err(error) => return unavailable(&error),
    };
    match &scope {
        PauseScope::Organisation(name) => {
            if let Some(handle) = admin.organisations.get(name) {
                // Also a pause by a refused key, and an open breaker.
                handle.resume();
            }
            admin.reach_one(name).await;
        }
        PauseScope::Source(name) => {
            for handle in admin.organisations.values() {
                handle.resume_source(name, at);
            }
            admin.reach(admin.organisations.iter()).await;
            admin.metrics.source_paused(name, false);
        }
    }
    drop(turn);
    let (kind, name) = words(&scope);
    tracing::info!(
        kind,
        name,
        by = operator.0.as_ref().map(tracing::field::display),
        "a person resumed deliveries"
    );
    admin
        .write_down_done(operator, Act::Resume, vec![(kind, name)], 1)
        .await;
    answer(
        &admin,
        &scope,
        json!({"resumed": true, "was_paused": was_paused}),
    )
    .await
}

/// The answer, with what is still paused.
async fn answer(admin: &Admin, scope: &PauseScope, mut answer: serde_json::Value) -> Response {
    let (kind, name) = words(scope);
    let pauses = match admin.hands.pauses().await {
        Ok(pauses) => Shown::lasting(pauses),
        Err(error) => return unavailable(&error),
    };
    if let Some(members) = answer.as_object_mut() {
        members.insert(kind.to_owned(), name.into());
        let pauses = serde_json::to_value(pauses).unwrap_or_default();
        members.insert("pauses".to_owned(), pauses);
    }
    Json(answer).into_response()
}

async fn understood(
    admin: &Admin,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<(PauseScope, Option<String>), Response> {
    let wish = selection::read(wish)?;
    let why = understood_why(wish.why)?;
    let scope = match (wish.source, wish.organisation) {
        (Some(name), None) => PauseScope::Source(source(admin, &name).await?),
        (None, Some(name)) => PauseScope::Organisation(organisation(admin, &name)?),
        _ => return Err(misread("name one `source` or one `organisation`")),
    };
    Ok((scope, why))
}

#[expect(
    clippy::result_large_err,
    reason = "the answer to a person, made once for a request and given on at once"
)]
fn organisation(admin: &Admin, text: &str) -> Result<OrganisationName, Response> {
    let name = text.parse::<OrganisationName>().ok();
    let known = name.filter(|name| admin.organisations.contains_key(name));
    known.ok_or_else(|| {
        let names = admin.organisations.keys().map(OrganisationName::as_str);
        nobody("organisation", text, names)
    })
}

/// A source that has a file, or deliveries that wait since it had one.
async fn source(admin: &Admin, text: &str) -> Result<SourceName, Response> {
    let set = admin.sources.set();
    let names: Vec<String> = set.sources().map(|(name, _)| name.to_string()).collect();
    let unknown = || nobody("source", text, names.iter().map(String::as_str));
    let name: SourceName = text.parse().map_err(|_| unknown())?;
    let is_there = !matches!(admin.sources.get(&name), Lookup::Unknown);
    let has_open = async || {
        has_open(admin, &name)
            .await
            .map_err(|error| unavailable(&error))
    };
    if is_there || has_open().await? {
        Ok(name)
    } else {
        Err(unknown())
    }
}

async fn has_open(admin: &Admin, source: &SourceName) -> Result<bool, StoreError> {
    let lasting = admin.hands.pauses().await?;
    let scope = PauseScope::Source(source.clone());
    if lasting.iter().any(|pause| pause.scope == scope) {
        return Ok(true);
    }
    let totals = admin.store.totals_by_source().await?;
    let of_source = totals.iter().find(|(name, _)| name == source);
    Ok(of_source.is_some_and(|(_, totals)| totals.waiting + totals.looking + totals.dead > 0))
}

fn nobody<'n>(kind: &str, text: &str, names: impl Iterator<Item = &'n str> + Clone) -> Response {
    let help = meant(text, names);
    problem(
        StatusCode::NOT_FOUND,
        &format!("There is no such {kind}"),
        &format!("nothing has the name `{text}`; {help}"),
    )
}
