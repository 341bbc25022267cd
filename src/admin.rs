//! The operators' HTTP side. It listens on the loopback by default; off the loopback every request needs the token.
//!
//! | address | what |
//! | --- | --- |
//! | `GET /metrics` | metrics in the OpenMetrics text format |
//! | `GET /api/v1/status` | sources, organisations, counts of deliveries and the last reload, as JSON |
//! | `POST /api/v1/sources/{name}/backtest` | tries a changed source file, the body, on stored events |
//! | `POST /api/v1/notify/test` | posts a notification that says it is a test |
//! | `POST /api/v1/reload` | reads source files, secrets and keys again, and says what came of it, as JSON |
//! | `GET /api/v1/rejected` | requests that were refused, newest first; `/{id}` for one |
//! | `POST /api/v1/rejected/{id}/accept` | verifies a kept request again and takes it if it passes |
//! | `POST /api/v1/sources/{name}/rejected/accept` | the same for all of a source, oldest first |
//! | `POST /api/v1/sources/{name}/forget-secret` | forgets the secret that a sender named in its handshake |
//! | `GET /api/v1/events` | accepted events; `/{event}` for one with all that became of it, `/{event}/body` for its bytes |
//! | `GET /api/v1/deliveries` | deliveries, whatever became of them |
//! | `GET /api/v1/openapi.json` | all of these, in the form of OpenAPI |
//! | `POST /api/v1/redeliver` | has dead deliveries sent again, or says what that would do |
//! | `POST /api/v1/discard` | gives open deliveries up |
//! | `POST /api/v1/pause`, `/resume` | stops and starts a source or an organisation |
//! | `GET /api/v1/audit` | what people did with the gateway, newest first |
//! | `POST /api/v1/erase` | removes every trace of a person, or counts what that would remove |
//! | `GET /live` | the process runs |
//!
//! It shows no payload and no contact detail unless somebody asks for them with `reveal`, which is written down, and never
//! a secret; and it knows neither Quentli nor SQL.

mod acts;
mod answer;
mod audit;
mod backtest;
mod discard;
mod erase;
mod events;
mod guard;
mod metrics;
mod names;
mod notify;
mod openapi;
mod operator;
mod pause;
mod query;
mod reach;
mod redeliver;
mod rejected;
mod reload;
mod replicas;
mod secrets;
mod selection;
mod status;
mod upkeep;

pub use acts::Acts;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use secrecy::SecretString;
use tokio::sync::{Mutex, watch};

use crate::{
    backtest::Backtests,
    clock::Clock,
    delivery::{Handle, Overview},
    diagnosis::Diagnoses,
    event::{OrganisationName, ReplicaName},
    ingress::Ingress,
    notify::Notifications,
    source::{LearnedSecrets, Sources, reload::Reloads},
    store::{Archive, AuditLog, Hands, Leases, RefusedRequests, Store, erase::Erasure},
    telemetry::Metrics,
    upkeep::Standing,
};

/// What the operators' port shows.
pub struct Admin {
    pub backtests: Backtests,
    /// Where somebody is told when a person is needed.
    pub notifications: Option<Notifications>,
    pub store: Arc<dyn Store>,
    /// Changes deliveries, and what is sent at all.
    pub hands: Arc<dyn Hands>,
    /// How long a confirmed value is relied on.
    pub unchanged_for: Duration,
    pub refused: Arc<dyn RefusedRequests>,
    /// What became of events.
    pub archive: Arc<dyn Archive>,
    /// Where it is written down what people do.
    pub audit: Arc<dyn AuditLog>,
    /// Removes persons.
    pub erasure: Arc<dyn Erasure>,
    /// Takes what was refused.
    pub ingress: Arc<Ingress>,
    pub diagnoses: Diagnoses,
    pub sources: Sources,
    pub learned: LearnedSecrets,
    pub reloads: Reloads,
    pub metrics: Metrics,
    pub clock: Clock,
    pub organisations: BTreeMap<OrganisationName, Handle>,
    /// How they stand, whichever replica delivers for them.
    pub overview: Overview,
    /// Who does what, where several replicas share the store.
    pub leases: Arc<dyn Leases>,
    /// This one among them.
    pub replica: ReplicaName,
    /// Held by whoever changes or follows pauses.
    pub pausing: Arc<Mutex<()>>,
    /// How the removal of what is old stands.
    pub upkeep: watch::Receiver<Standing>,
    /// Asked of everybody where it is set.
    pub token: Option<SecretString>,
}

/// The routes of the operators' port; what is begun there is among the `acts`.
pub fn router(admin: Admin, acts: &Acts) -> Router {
    let admin = Arc::new(admin);
    Router::new()
        .route("/metrics", get(metrics::page))
        .route("/api/v1/status", get(status::page))
        .route("/api/v1/reload", post(reload::reload))
        .route("/api/v1/events", get(events::list))
        .route("/api/v1/events/{event}", get(events::one))
        .route("/api/v1/events/{event}/body", get(events::body))
        .route("/api/v1/deliveries", get(events::deliveries))
        .route("/api/v1/notify/test", post(notify::test))
        .route("/api/v1/sources/{name}/backtest", post(backtest::run))
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/openapi.json", get(openapi::page))
        .route("/api/v1/redeliver", post(redeliver::redeliver))
        .route("/api/v1/discard", post(discard::discard))
        .route("/api/v1/pause", post(pause::pause))
        .route("/api/v1/resume", post(pause::resume))
        .route("/api/v1/erase", post(erase::erase))
        .route("/api/v1/rejected", get(rejected::list))
        .route("/api/v1/rejected/{id}", get(rejected::one))
        .route("/api/v1/rejected/{id}/accept", post(rejected::accept))
        .route("/api/v1/rejected/{id}/diagnosis", get(rejected::diagnosis))
        .route(
            "/api/v1/sources/{name}/rejected/accept",
            post(rejected::accept_of_source),
        )
        .route(
            "/api/v1/sources/{name}/forget-secret",
            post(secrets::forget),
        )
        .fallback(answer::no_such_page)
        .method_not_allowed_fallback(answer::other_method)
        .layer(middleware::from_fn_with_state(
            acts.clone(),
            acts::bring_to_end,
        ))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&admin),
            guard::check,
        ))
        .route("/live", get(async || "live\n"))
        .with_state(admin)
}
