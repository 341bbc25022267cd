//! `GET /api/v1/status`: one look at everything.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{Admin, pause, reload::Reload, replicas::ReplicasStatus, upkeep::UpkeepStatus};
use crate::{
    delivery::{self, DirectoryStatus, State as DeliveringState},
    event::{End, SourceName},
    ingress::NumberingFigures,
    source::{LEARNED, Mode},
    store::{DeadCause, DeliveryRecord, ReusedId, Standing, StoreError, Totals},
    telemetry::DirectoryState,
};

/// How many dead deliveries are listed.
const LATEST_DEAD: u32 = 50;
/// How many events are listed whose id came again with another body.
const LATEST_REUSED: u32 = 20;

#[derive(Serialize)]
struct Status<'a> {
    version: &'static str,
    at: Timestamp,
    store: StoreStatus,
    /// Who does what, where several replicas share the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<ReplicasStatus>,
    sources: Vec<SourceStatus>,
    /// What came of the latest look at the files.
    reload: Reload<'a>,
    organisations: BTreeMap<String, OrganisationStatus>,
    /// What is removed for its age.
    upkeep: UpkeepStatus,
    /// What people paused.
    pauses: Vec<pause::Shown>,
    /// The latest events whose id came again with another body, newest first.
    reused_ids: Vec<ReusedStatus>,
    /// The latest, newest first.
    dead: Vec<DeadDelivery>,
    /// Why deliveries are dead, all of them.
    dead_causes: Vec<CauseStatus>,
    /// Refused requests that can be looked at.
    rejected: Vec<RejectedStatus>,
}

/// Dead deliveries of a source with the same reason.
#[derive(Serialize)]
struct CauseStatus {
    source: String,
    reason: String,
    /// [`MOST_COUNTED`](crate::store::MOST_COUNTED) at most; so many may be more.
    count: u32,
    first_event: i64,
    last_event: i64,
}

#[derive(Serialize)]
struct RejectedStatus {
    source: String,
    requests: u64,
    /// Of these, those that are kept whole.
    kept: u64,
}

/// A delivery that a person must look at, without what the event says.
#[derive(Serialize)]
struct DeadDelivery {
    /// To have it sent again, or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    event: i64,
    item: u32,
    number: u32,
    source: String,
    rule: Option<String>,
    customer: Option<String>,
    reason: String,
}

#[derive(Serialize)]
struct StoreStatus {
    writable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    totals: Option<TotalsStatus>,
}

/// Of deliveries, `created` is the sum of `waiting`, `looking`, `dead` and all of `ended`.
#[derive(Serialize)]
struct TotalsStatus {
    accepted: u64,
    duplicate: u64,
    known: u64,
    created: u64,
    waiting: u64,
    looking: u64,
    dead: u64,
    ended: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct SourceStatus {
    source: String,
    receives: bool,
    /// The hash of the file that its events are mapped by.
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<String>,
    /// `live`, or `observe` where nothing new of it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    /// What proves its requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SecretStatus>,
    /// How well its sender tells events apart, where something was wrong with that since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    dedup: Option<NumberingStatus>,
    /// What is wrong with its file or its secrets, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trouble: Vec<String>,
}

/// A secret or certificate, by the name that logs and metrics have for it.
#[derive(Serialize)]
struct SecretStatus {
    secret: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Whether it is still accepted.
    accepted: bool,
}

#[derive(Serialize)]
struct NumberingStatus {
    /// Requests or items known by their body, since what `receive.dedup` names was missing.
    by_body: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_body_at: Option<Timestamp>,
    /// Duplicates whose id had another body before.
    reused_ids: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reused_at: Option<Timestamp>,
}

/// An event whose id came again with another body.
#[derive(Serialize)]
struct ReusedStatus {
    event: i64,
    source: String,
    times: u64,
    first_at: Timestamp,
    last_at: Timestamp,
}

#[derive(Serialize)]
struct OrganisationStatus {
    /// The replica that delivers for it, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<HeldStatus>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Since when it does not deliver.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// When it goes on, or tries to.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// When the oldest waiting delivery was accepted, but for those of customers who are looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_waiting: Option<Timestamp>,
    /// Lanes are still being read in.
    loading: bool,
    lanes: usize,
    in_flight: usize,
    looking: usize,
    /// Lanes in which only waits what a person had sent again.
    redelivering: usize,
    /// Lanes whose first delivery is of a paused source.
    stopped: usize,
    /// Where customers are found by metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<DirectoryShown>,
}

#[derive(Serialize)]
struct HeldStatus {
    replica: String,
    since: Timestamp,
    /// Whether it is the one that answers.
    here: bool,
}

#[derive(Serialize)]
struct DirectoryShown {
    state: &'static str,
    keys: usize,
    entries: usize,
    ambiguous: usize,
    waiting: usize,
    /// Customers read so far, while the list is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<usize>,
    /// When the last whole reading of the list began.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<Timestamp>,
}

pub(super) async fn page(State(admin): State<Arc<Admin>>) -> Response {
    let totals = admin.store.totals().await;
    let trouble = admin.store.is_writable().err().or(match &totals {
        Err(error) => Some(StoreError::Broken {
            what: error.to_string(),
        }),
        Ok(_) => None,
    });
    let mut organisations = BTreeMap::new();
    for (name, standing) in admin.overview.standings().await {
        let oldest = admin.store.oldest_waiting(&name).await;
        let shown = OrganisationStatus::of(standing, oldest.ok().flatten());
        organisations.insert(name.to_string(), shown);
    }
    let dead = admin
        .store
        .dead(None, LATEST_DEAD)
        .await
        .unwrap_or_default();
    let pauses = admin.hands.pauses().await.unwrap_or_default();
    let causes = admin.archive.dead_causes().await.unwrap_or_default();
    let rejected = admin.refused.refused_figures().await.unwrap_or_default();
    let rejected = rejected
        .into_iter()
        .map(|(source, figures)| RejectedStatus {
            source: source.to_string(),
            requests: figures.rows,
            kept: figures.kept,
        });
    let replicas = ReplicasStatus::of(&admin).await;
    let reused = admin.store.reused_ids(LATEST_REUSED).await;
    let reload = admin.reloads.last();
    let now = admin.clock.now();
    let learned = |learning: Option<&SourceName>| {
        learning.is_some_and(|source| admin.learned.get(source).is_some())
    };
    let status = Status {
        reload: Reload::from(&*reload),
        reused_ids: reused
            .unwrap_or_default()
            .into_iter()
            .map(ReusedStatus::from)
            .collect(),
        upkeep: UpkeepStatus::new(&admin.upkeep.borrow()),
        pauses: pause::Shown::lasting(pauses),
        dead: dead.into_iter().map(DeadDelivery::from).collect(),
        version: env!("CARGO_PKG_VERSION"),
        at: now,
        replicas,
        store: StoreStatus {
            writable: trouble.is_none(),
            trouble: trouble.map(|error| error.to_string()),
            totals: totals.ok().map(|totals| show(&totals)),
        },
        sources: admin
            .sources
            .all()
            .into_iter()
            .map(|standing| SourceStatus {
                dedup: numbering(&admin, &standing.source),
                source: standing.source,
                receives: standing.trouble.is_empty(),
                mapping: standing.mapping.map(|mapping| mapping.to_string()),
                mode: standing.mode.map(Mode::as_str),
                secrets: secrets(standing.secrets, learned(standing.learning.as_ref()), now),
                trouble: standing.trouble,
            })
            .collect(),
        organisations,
        dead_causes: causes.into_iter().map(CauseStatus::from).collect(),
        rejected: rejected.collect(),
    };
    Json(status).into_response()
}

impl OrganisationStatus {
    fn of(standing: delivery::Standing, oldest_waiting: Option<Timestamp>) -> Self {
        let held = standing.held.map(|held| HeldStatus {
            replica: held.replica.to_string(),
            since: held.since,
            here: held.here,
        });
        let Some(status) = standing.status else {
            return Self {
                // Nobody has it, or whoever has it has not said how it stands.
                state: if held.is_some() {
                    "starting"
                } else {
                    "unclaimed"
                },
                held,
                reason: None,
                since: None,
                until: None,
                oldest_waiting,
                loading: true,
                lanes: 0,
                in_flight: 0,
                looking: 0,
                redelivering: 0,
                stopped: 0,
                directory: None,
            };
        };
        let (since, until) = times(status.state);
        Self {
            held,
            since,
            until,
            oldest_waiting,
            loading: status.loading,
            state: status.state.kind().as_str(),
            reason: match status.state {
                DeliveringState::Paused { reason, .. } => Some(reason.as_str()),
                _ => None,
            },
            lanes: status.lanes,
            in_flight: status.in_flight,
            looking: status.looking,
            redelivering: status.redelivering,
            stopped: status.stopped,
            directory: show_directory(status.directory),
        }
    }
}

/// Since when an organisation does not deliver, and when it tries to.
const fn times(state: DeliveringState) -> (Option<Timestamp>, Option<Timestamp>) {
    match state {
        DeliveringState::Delivering => (None, None),
        DeliveringState::Throttled { until } => (None, Some(until)),
        DeliveringState::BreakerOpen { since, probe_at } => (Some(since), Some(probe_at)),
        DeliveringState::Paused { since, .. } => (Some(since), None),
    }
}

impl From<DeadCause> for CauseStatus {
    fn from(cause: DeadCause) -> Self {
        Self {
            source: cause.source.to_string(),
            reason: cause.code,
            count: cause.count,
            first_event: cause.first.0,
            last_event: cause.last.0,
        }
    }
}

/// Nothing where all is well, and for a file whose name is none of a source.
fn numbering(admin: &Admin, source: &str) -> Option<NumberingStatus> {
    let figures = admin.ingress.numbering(&source.parse().ok()?);
    (figures != NumberingFigures::default()).then_some(NumberingStatus {
        by_body: figures.by_body,
        by_body_at: figures.by_body_at,
        reused_ids: figures.reused,
        reused_at: figures.reused_at,
    })
}

impl From<ReusedId> for ReusedStatus {
    fn from(reused: ReusedId) -> Self {
        Self {
            event: reused.event.0,
            source: reused.source.to_string(),
            times: reused.times,
            first_at: reused.first_at,
            last_at: reused.last_at,
        }
    }
}

impl From<DeliveryRecord> for DeadDelivery {
    fn from(record: DeliveryRecord) -> Self {
        let id = match &record.standing {
            Standing::Open { pos, .. } => Some(pos.0),
            Standing::Ended { .. } => None,
        };
        let reason = match &record.standing {
            Standing::Open { reason, .. } => reason.as_deref().unwrap_or_default(),
            Standing::Ended { .. } => "",
        };
        // Behind the code stands what was wrong in words, which may quote the event.
        let code = reason.split_once(':').map_or(reason, |(code, _)| code);
        Self {
            id,
            event: record.event.0,
            item: record.item,
            number: record.number,
            source: record.source.to_string(),
            rule: record.rule,
            customer: record.customer.map(|customer| customer.to_string()),
            reason: code.to_owned(),
        }
    }
}

/// Nothing where customers are not found by metadata.
fn show_directory(status: DirectoryStatus) -> Option<DirectoryShown> {
    (status.state != DirectoryState::Unused).then(|| DirectoryShown {
        state: status.state.as_str(),
        keys: status.keys,
        entries: status.entries,
        ambiguous: status.ambiguous,
        waiting: status.waiting,
        reading: status.reading,
        complete: status.complete,
    })
}

/// Also the secret that the sender named, where one `is_learned`.
fn secrets(
    secrets: Vec<(String, Option<Timestamp>)>,
    is_learned: bool,
    now: Timestamp,
) -> Vec<SecretStatus> {
    let show = |(secret, until): (String, Option<Timestamp>)| SecretStatus {
        secret,
        until: until.map(|until| until.to_string()),
        accepted: until.is_none_or(|until| now < until),
    };
    let learned = is_learned.then(|| (LEARNED.to_owned(), None));
    secrets.into_iter().chain(learned).map(show).collect()
}

fn show(totals: &Totals) -> TotalsStatus {
    TotalsStatus {
        accepted: totals.accepted,
        duplicate: totals.duplicate,
        known: totals.known_groups,
        created: totals.created,
        waiting: totals.waiting,
        looking: totals.looking,
        dead: totals.dead,
        ended: End::ALL
            .iter()
            .map(|end| end.as_str())
            .zip(totals.ended)
            .collect(),
    }
}
