//! The metrics, in the `OpenMetrics` text format at the admin port's `/metrics`.
//!
//! All names begin with `quentli_gateway_`. Durations are in seconds. Counters count since the process started;
//! gauges about deliveries are read from the store when the page is asked for.

mod dedup;
mod directory;
mod handshakes;
mod labels;
mod rejected;
mod secrets;
mod sources;
mod upkeep;
mod words;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use jiff::Timestamp;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use self::labels::{
    AttemptLabels, CallLabels, DeadLabels, EndLabels, OrganisationLabels, OrganisationStateLabels,
    OutcomeLabels, RequestLabels, SecretLabels, SourceLabels, StateLabels, Word,
};
pub use self::words::{
    ApiCall, DirectoryState, HandshakeOutcome, LeftOut, OrganisationState, ReloadPart,
    RequestResult,
};
use self::{
    dedup::DedupMetrics, directory::DirectoryMetrics, handshakes::Handshakes, rejected::Rejected,
    upkeep::UpkeepMetrics,
};
use self::{secrets::SecretEnds, sources::SourceMetrics};
use crate::event::{AttemptOutcome, DeliveryState, End, OrganisationName, SourceName};

type SecondsGauge = Gauge<f64, AtomicU64>;

/// All metrics of the process. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    request_duration: Family<SourceLabels, Histogram, fn() -> Histogram>,
    secrets: Family<SecretLabels, Counter>,
    rejected: Rejected,
    handshakes: Handshakes,
    secret_ends: SecretEnds,
    sources: SourceMetrics,
    ended: Family<EndLabels, Counter>,
    buried: Family<DeadLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    calls: Family<CallLabels, Histogram, fn() -> Histogram>,
    organisations: Family<OrganisationStateLabels, Gauge>,
    held: Family<OrganisationLabels, Gauge>,
    oldest_waiting: Family<OrganisationLabels, SecondsGauge>,
    directory: DirectoryMetrics,
    deliveries: Family<StateLabels, Gauge>,
    notifications: Family<OutcomeLabels, Counter>,
    store_errors: Counter,
    store_writable: Gauge,
    upkeep: UpkeepMetrics,
    dedup: DedupMetrics,
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
        let rejected = Rejected::new(&mut registry);
        let handshakes = Handshakes::new(&mut registry);
        let secret_ends = SecretEnds::register(&mut registry);
        let sources = SourceMetrics::registered(&mut registry);
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
        let held = Family::default();
        registry.register(
            "organisation_held",
            "1 where this gateway is the one that delivers for an organisation",
            held.clone(),
        );
        let oldest_waiting = Family::default();
        registry.register(
            "oldest_waiting_seconds",
            "Age of the oldest waiting delivery",
            oldest_waiting.clone(),
        );
        let directory = DirectoryMetrics::registered(&mut registry);
        let deliveries = Family::default();
        registry.register(
            "deliveries",
            "Deliveries that have not ended, by state",
            deliveries.clone(),
        );
        let notifications = Family::default();
        registry.register(
            "notifications",
            "Posts to the address of `notify`, by what became of them",
            notifications.clone(),
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
        let upkeep = UpkeepMetrics::registered(&mut registry);
        let dedup = DedupMetrics::registered(&mut registry);
        registry.register(
            "build",
            "The running release",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        Self {
            registry: Arc::new(registry),
            requests,
            request_duration,
            secrets,
            rejected,
            handshakes,
            secret_ends,
            sources,
            ended,
            buried,
            attempts,
            calls,
            organisations,
            held,
            oldest_waiting,
            directory,
            deliveries,
            notifications,
            store_errors,
            store_writable,
            upkeep,
            dedup,
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

    /// All secrets and certificates that have an end, by the names that [`Metrics::verified`] has for them.
    pub fn secret_ends(&self, ends: impl IntoIterator<Item = (SourceName, String, Timestamp)>) {
        self.secret_ends.set(ends);
    }

    /// A post to whoever is told when a person is needed.
    pub fn notification(&self, is_posted: bool) {
        let outcome = if is_posted { "posted" } else { "failed" };
        self.notifications
            .get_or_create(&OutcomeLabels {
                outcome: Word::Fixed(outcome),
            })
            .inc();
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

    /// The state of an organisation; `None` where another replica delivers for it and tells its state.
    pub fn organisation_state(
        &self,
        organisation: &OrganisationName,
        state: Option<OrganisationState>,
    ) {
        for possible in OrganisationState::ALL {
            self.organisations
                .get_or_create(&OrganisationStateLabels {
                    organisation: Word::Organisation(organisation.clone()),
                    state: Word::Fixed(possible.as_str()),
                })
                .set(i64::from(Some(possible) == state));
        }
    }

    /// Whether this process delivers for an organisation. One that does not tells nothing of the directory, either.
    pub fn organisation_held(&self, organisation: &OrganisationName, is_held: bool) {
        self.held
            .get_or_create(&organisation_labels(organisation))
            .set(i64::from(is_held));
        if !is_held {
            self.directory.forget(organisation);
        }
    }

    /// Zero where nothing waits.
    pub fn oldest_waiting(&self, organisation: &OrganisationName, age: Duration) {
        self.oldest_waiting
            .get_or_create(&organisation_labels(organisation))
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

fn source_labels(source: &SourceName) -> SourceLabels {
    SourceLabels {
        source: Word::Source(source.clone()),
    }
}

fn organisation_labels(organisation: &OrganisationName) -> OrganisationLabels {
    OrganisationLabels {
        organisation: Word::Organisation(organisation.clone()),
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
    use crate::event::MappingHash;

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
        metrics.observing([source.clone()]);
        metrics.notification(true);
        metrics.rejected(&source, 3, 2048);
        metrics.rejected_written(&source, 5);
        metrics.rejected_left_out(&source, LeftOut::Flood, 1);
        metrics.rejected_tried_again(&source, RequestResult::Accepted);
        metrics.handshake(&source, "echo-query", HandshakeOutcome::Answered);
        let until = "2026-12-31T00:00:00Z".parse().unwrap();
        metrics.secret_ends([(source.clone(), "CRM_SECRET".to_owned(), until)]);
        let mapping = MappingHash::of(b"the text of the file");
        let at = "2026-03-02T12:00:00Z".parse().unwrap();
        metrics.sources([(source.clone(), Some(mapping))], at);
        metrics.key_set_fetch(&source, true);
        metrics.key_set_fetched_at(&source, Some(at));
        metrics.reload(ReloadPart::Sources, "change", "refused", true);
        metrics.ended(&source, End::Delivered, 1);
        metrics.buried(&source, "mapping", 1);
        metrics.attempt(&organisation, AttemptOutcome::Retry, "throttled");
        metrics.call(&organisation, ApiCall::Update, Duration::from_millis(30));
        metrics.organisation_state(&organisation, Some(OrganisationState::Delivering));
        metrics.organisation_held(&organisation, true);
        metrics.source_paused(&source, true);
        metrics.directory(&organisation, DirectoryState::Building, 5, 1, 2);
        metrics.directory_read(&organisation, 100);
        metrics.directory_complete(&organisation, at);
        metrics.oldest_waiting(&organisation, Duration::ZERO);
        metrics.open_deliveries(DeliveryState::Waiting, 7);
        metrics.store_error();
        metrics.store_writable(true);
        metrics.items(&source, 2, 1);
        metrics.dedup_by_body(&source, 3);
        metrics.reused_id(&source);
        metrics.upkeep("bodies", 12);
        metrics.upkeep_removed(&[("dedup_keys", 3)]);
        metrics.upkeep_date(at, false);
        let page = metrics.encode();
        let mut samples: Vec<&str> = page
            .lines()
            .filter(|line| !line.starts_with('#') && !line.contains("_bucket{"))
            .collect();
        samples.sort_unstable();
        insta::assert_snapshot!(samples.join("\n"));
    }

    #[test]
    fn who_does_not_deliver_for_an_organisation_tells_no_trouble_of_it() {
        let metrics = Metrics::new();
        let organisation = OrganisationName::default_name();
        metrics.organisation_held(&organisation, true);
        metrics.organisation_state(&organisation, Some(OrganisationState::Paused));
        metrics.directory(&organisation, DirectoryState::Full, 5, 1, 2);
        metrics.organisation_held(&organisation, false);
        metrics.organisation_state(&organisation, None);
        let page = metrics.encode();
        let told: Vec<&str> = page
            .lines()
            .filter(|line| !line.starts_with('#') && line.contains("organisation="))
            .collect();
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(told.iter().all(|line| line.ends_with(" 0")), "{told:?}");
    }

    #[test]
    fn a_source_that_is_removed_or_mapped_by_another_text_leaves_nothing_behind() {
        let metrics = Metrics::new();
        let (a, b): (SourceName, SourceName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let hash = |text: &str| Some(MappingHash::of(text.as_bytes()));
        let shown = |metrics: &Metrics| -> Vec<String> {
            let page = metrics.encode();
            let lines = page.lines().filter(|line| line.contains("source=\""));
            let short = lines.map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                let is_hash = name.contains("mapping=");
                let source = name.split('"').nth(1).unwrap();
                format!(
                    "{source} {} {value}",
                    if is_hash { "mapping" } else { "loaded" }
                )
            });
            let mut short: Vec<_> = short.collect();
            short.sort_unstable();
            short
        };
        let at = Timestamp::UNIX_EPOCH;
        metrics.sources([(a.clone(), hash("1")), (b.clone(), hash("1"))], at);
        assert_eq!(
            shown(&metrics),
            ["a loaded 1", "a mapping 1", "b loaded 1", "b mapping 1"]
        );
        metrics.sources([(a.clone(), hash("2")), (b, None)], at);
        assert_eq!(shown(&metrics), ["a loaded 1", "a mapping 1", "b loaded 0"]);
        assert!(metrics.encode().contains(&hash("2").unwrap().to_string()));
        metrics.sources([(a, None)], at);
        assert_eq!(shown(&metrics), ["a loaded 0"]);
    }
}
