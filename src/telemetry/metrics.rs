//! The metrics, in the `OpenMetrics` text format at the admin port's `/metrics`.
//!
//! All names begin with `quentli_gateway_`. Durations are in seconds. Counters count since the process started;
//! gauges about deliveries are read from the store when the page is asked for.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use crate::event::{AttemptOutcome, DeliveryState, End, OrganisationName, SourceName};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestResult {
    Accepted,
    Duplicate,
    Refused,
}

impl RequestResult {
    /// The word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
        }
    }
}

/// A call to Quentli.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiCall {
    Update,
    Get,
    Find,
    Create,
    Probe,
}

impl ApiCall {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Get => "get",
            Self::Find => "find",
            Self::Create => "create",
            Self::Probe => "probe",
        }
    }
}

/// Whether an organisation's deliveries go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrganisationState {
    Delivering,
    Throttled,
    BreakerOpen,
    Paused,
}

impl OrganisationState {
    pub const ALL: [Self; 4] = [
        Self::Delivering,
        Self::Throttled,
        Self::BreakerOpen,
        Self::Paused,
    ];

    /// The word used in logs, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivering => "delivering",
            Self::Throttled => "throttled",
            Self::BreakerOpen => "breaker-open",
            Self::Paused => "paused",
        }
    }
}

/// A word of a closed set, or a configured name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Word {
    Fixed(&'static str),
    Source(SourceName),
    Organisation(OrganisationName),
    Secret(String),
}

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let text = match self {
            Self::Fixed(word) => word,
            Self::Source(name) => name.as_str(),
            Self::Organisation(name) => name.as_str(),
            Self::Secret(name) => name.as_str(),
        };
        EncodeLabelValue::encode(&text, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    source: Word,
    result: Word,
    reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecretLabels {
    source: Word,
    secret: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    source: Word,
    end: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeadLabels {
    source: Word,
    reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    organisation: Word,
    outcome: Word,
    error: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    organisation: Word,
    call: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OrganisationLabels {
    organisation: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OrganisationStateLabels {
    organisation: Word,
    state: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: Word,
}

type SecondsGauge = Gauge<f64, AtomicU64>;

/// All metrics of the process. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: std::sync::Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    request_duration: Family<SourceLabels, Histogram, fn() -> Histogram>,
    secrets: Family<SecretLabels, Counter>,
    sources: Family<SourceLabels, Gauge>,
    ended: Family<EndLabels, Counter>,
    buried: Family<DeadLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    calls: Family<CallLabels, Histogram, fn() -> Histogram>,
    organisations: Family<OrganisationStateLabels, Gauge>,
    oldest_waiting: Family<OrganisationLabels, SecondsGauge>,
    deliveries: Family<StateLabels, Gauge>,
    store_errors: Counter,
    store_writable: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("quentli_gateway");
        let requests = Family::default();
        registry.register(
            "requests",
            "Webhook requests, by what became of them",
            requests.clone(),
        );
        let request_duration =
            Family::<SourceLabels, Histogram, fn() -> Histogram>::new_with_constructor(
                request_buckets,
            );
        registry.register(
            "request_duration_seconds",
            "From the last byte of a webhook request to its answer",
            request_duration.clone(),
        );
        let secrets = Family::default();
        registry.register(
            "verified",
            "Genuine requests, by the secret that matched",
            secrets.clone(),
        );
        let sources = Family::default();
        registry.register(
            "source_loaded",
            "1 for a source that receives, 0 for one whose file has errors",
            sources.clone(),
        );
        let ended = Family::default();
        registry.register(
            "deliveries_ended",
            "Deliveries that came to an end",
            ended.clone(),
        );
        let buried = Family::default();
        registry.register(
            "deliveries_buried",
            "Deliveries set aside for a person",
            buried.clone(),
        );
        let attempts = Family::default();
        registry.register(
            "attempts",
            "Attempts to bring a delivery to Quentli",
            attempts.clone(),
        );
        let calls =
            Family::<CallLabels, Histogram, fn() -> Histogram>::new_with_constructor(call_buckets);
        registry.register("call_duration_seconds", "Calls to Quentli", calls.clone());
        let organisations = Family::default();
        registry.register(
            "organisation_state",
            "1 for the state an organisation is in, 0 for the others",
            organisations.clone(),
        );
        let oldest_waiting = Family::default();
        registry.register(
            "oldest_waiting_seconds",
            "Age of the oldest waiting delivery",
            oldest_waiting.clone(),
        );
        let deliveries = Family::default();
        registry.register(
            "deliveries",
            "Deliveries that have not ended, by state",
            deliveries.clone(),
        );
        let store_errors = Counter::default();
        registry.register(
            "store_errors",
            "Writes that the store refused",
            store_errors.clone(),
        );
        let store_writable = Gauge::default();
        registry.register(
            "store_writable",
            "1 while the store takes writes",
            store_writable.clone(),
        );
        registry.register(
            "build",
            "The running release",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        Self {
            registry: std::sync::Arc::new(registry),
            requests,
            request_duration,
            secrets,
            sources,
            ended,
            buried,
            attempts,
            calls,
            organisations,
            oldest_waiting,
            deliveries,
            store_errors,
            store_writable,
        }
    }

    /// One webhook request; `source` is `None` where no source of that name is loaded, `reason` is a refusal's code
    /// or empty.
    pub fn request(
        &self,
        source: Option<&SourceName>,
        result: RequestResult,
        reason: &'static str,
        took: Duration,
    ) {
        let source = source.map_or(Word::Fixed("unknown"), |name| Word::Source(name.clone()));
        self.requests
            .get_or_create(&RequestLabels {
                source: source.clone(),
                result: Word::Fixed(result.as_str()),
                reason: Word::Fixed(reason),
            })
            .inc();
        self.request_duration
            .get_or_create(&SourceLabels { source })
            .observe(took.as_secs_f64());
    }

    /// A genuine request; `secret` is the name of the reference (a variable or a file), never a value.
    pub fn verified(&self, source: &SourceName, secret: &str) {
        self.secrets
            .get_or_create(&SecretLabels {
                source: Word::Source(source.clone()),
                secret: Word::Secret(secret.to_owned()),
            })
            .inc();
    }

    pub fn source_loaded(&self, source: &SourceName, loaded: bool) {
        self.sources
            .get_or_create(&SourceLabels {
                source: Word::Source(source.clone()),
            })
            .set(i64::from(loaded));
    }

    pub fn ended(&self, source: &SourceName, end: End, deliveries: u32) {
        if deliveries == 0 {
            return;
        }
        self.ended
            .get_or_create(&EndLabels {
                source: Word::Source(source.clone()),
                end: Word::Fixed(end.as_str()),
            })
            .inc_by(u64::from(deliveries));
    }

    /// Deliveries became dead; `reason` is [`crate::event::DeadReason::code`].
    pub fn buried(&self, source: &SourceName, reason: &'static str, deliveries: u32) {
        if deliveries == 0 {
            return;
        }
        self.buried
            .get_or_create(&DeadLabels {
                source: Word::Source(source.clone()),
                reason: Word::Fixed(reason),
            })
            .inc_by(u64::from(deliveries));
    }

    /// One attempt; `error` is the kind of trouble, or empty.
    pub fn attempt(
        &self,
        organisation: &OrganisationName,
        outcome: AttemptOutcome,
        error: &'static str,
    ) {
        self.attempts
            .get_or_create(&AttemptLabels {
                organisation: Word::Organisation(organisation.clone()),
                outcome: Word::Fixed(outcome.as_str()),
                error: Word::Fixed(error),
            })
            .inc();
    }

    /// One call to Quentli, whatever came back.
    pub fn call(&self, organisation: &OrganisationName, call: ApiCall, took: Duration) {
        self.calls
            .get_or_create(&CallLabels {
                organisation: Word::Organisation(organisation.clone()),
                call: Word::Fixed(call.as_str()),
            })
            .observe(took.as_secs_f64());
    }

    pub fn organisation_state(&self, organisation: &OrganisationName, state: OrganisationState) {
        for possible in OrganisationState::ALL {
            self.organisations
                .get_or_create(&OrganisationStateLabels {
                    organisation: Word::Organisation(organisation.clone()),
                    state: Word::Fixed(possible.as_str()),
                })
                .set(i64::from(possible == state));
        }
    }

    /// Zero where nothing waits.
    pub fn oldest_waiting(&self, organisation: &OrganisationName, age: Duration) {
        self.oldest_waiting
            .get_or_create(&OrganisationLabels {
                organisation: Word::Organisation(organisation.clone()),
            })
            .set(age.as_secs_f64());
    }

    pub fn open_deliveries(&self, state: DeliveryState, count: u64) {
        self.deliveries
            .get_or_create(&StateLabels {
                state: Word::Fixed(state.as_str()),
            })
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub fn store_error(&self) {
        self.store_errors.inc();
    }

    pub fn store_writable(&self, writable: bool) {
        self.store_writable.set(i64::from(writable));
    }

    /// The page for a monitoring system.
    pub fn encode(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("writing to a String cannot fail");
        page
    }
}

fn request_buckets() -> Histogram {
    Histogram::new([
        0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}

fn call_buckets() -> Histogram {
    Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_metric_once_with_its_labels() {
        let metrics = Metrics::new();
        let source = "crm".parse().unwrap();
        let organisation = OrganisationName::default_name();
        metrics.request(
            Some(&source),
            RequestResult::Refused,
            "no-match",
            Duration::from_millis(3),
        );
        metrics.request(
            None,
            RequestResult::Refused,
            "unknown-source",
            Duration::from_millis(3),
        );
        metrics.verified(&source, "CRM_SECRET");
        metrics.source_loaded(&source, true);
        metrics.ended(&source, End::Delivered, 1);
        metrics.buried(&source, "mapping", 1);
        metrics.attempt(&organisation, AttemptOutcome::Retry, "throttled");
        metrics.call(&organisation, ApiCall::Update, Duration::from_millis(30));
        metrics.organisation_state(&organisation, OrganisationState::Delivering);
        metrics.oldest_waiting(&organisation, Duration::ZERO);
        metrics.open_deliveries(DeliveryState::Waiting, 7);
        metrics.store_error();
        metrics.store_writable(true);
        let page = metrics.encode();
        let mut samples: Vec<&str> = page
            .lines()
            .filter(|line| !line.starts_with('#') && !line.contains("_bucket{"))
            .collect();
        samples.sort_unstable();
        insta::assert_snapshot!(samples.join("\n"));
    }
}
