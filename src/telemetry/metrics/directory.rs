//! Metrics of the directories of customers.

use jiff::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    DirectoryState, Metrics, SecondsGauge,
    labels::{OrganisationLabels, OrganisationStateLabels, Word},
    organisation_labels,
};
use crate::event::OrganisationName;

#[derive(Clone, Debug, Default)]
pub(super) struct DirectoryMetrics {
    states: Family<OrganisationStateLabels, Gauge>,
    entries: Family<OrganisationLabels, Gauge>,
    ambiguous: Family<OrganisationLabels, Gauge>,
    waiting: Family<OrganisationLabels, Gauge>,
    read: Family<OrganisationLabels, Counter>,
    complete_at: Family<OrganisationLabels, SecondsGauge>,
}

impl DirectoryMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "directory_state",
            "1 for the state of an organisation's directory of customers, 0 for the others",
            metrics.states.clone(),
        );
        registry.register(
            "directory_entries",
            "Values of metadata by which customers can be found",
            metrics.entries.clone(),
        );
        registry.register(
            "directory_ambiguous",
            "Values of metadata that more than one customer has",
            metrics.ambiguous.clone(),
        );
        registry.register(
            "directory_waiting",
            "Customers whose updates wait for the list of customers to be read",
            metrics.waiting.clone(),
        );
        registry.register(
            "directory_customers_read",
            "Customers read from the list, counted anew each time",
            metrics.read.clone(),
        );
        registry.register(
            "directory_complete_timestamp_seconds",
            "When the last whole reading of the list of customers began, in Unix time",
            metrics.complete_at.clone(),
        );
        metrics
    }
}

impl DirectoryMetrics {
    /// Tells nothing of an organisation's directory any more, but for what was read in all.
    pub(super) fn forget(&self, organisation: &OrganisationName) {
        for possible in DirectoryState::ALL {
            self.states.remove(&state_labels(organisation, possible));
        }
        let of = organisation_labels(organisation);
        for gauge in [&self.entries, &self.ambiguous, &self.waiting] {
            gauge.remove(&of);
        }
        self.complete_at.remove(&of);
    }
}

fn state_labels(organisation: &OrganisationName, state: DirectoryState) -> OrganisationStateLabels {
    OrganisationStateLabels {
        organisation: Word::Organisation(organisation.clone()),
        state: Word::Fixed(state.as_str()),
    }
}

impl Metrics {
    /// How an organisation's directory stands: its values, those of them that are ambiguous, and the customers whose
    /// updates wait for it.
    pub fn directory(
        &self,
        organisation: &OrganisationName,
        state: DirectoryState,
        entries: usize,
        ambiguous: usize,
        waiting: usize,
    ) {
        for possible in DirectoryState::ALL {
            self.directory
                .states
                .get_or_create(&state_labels(organisation, possible))
                .set(i64::from(possible == state));
        }
        let of = organisation_labels(organisation);
        for (gauge, value) in [
            (&self.directory.entries, entries),
            (&self.directory.ambiguous, ambiguous),
            (&self.directory.waiting, waiting),
        ] {
            gauge
                .get_or_create(&of)
                .set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// A page of the list of customers was read.
    pub fn directory_read(&self, organisation: &OrganisationName, customers: usize) {
        self.directory
            .read
            .get_or_create(&organisation_labels(organisation))
            .inc_by(u64::try_from(customers).unwrap_or(u64::MAX));
    }

    /// The whole list was read; the reading began at `began`.
    pub fn directory_complete(&self, organisation: &OrganisationName, began: Timestamp) {
        self.directory
            .complete_at
            .get_or_create(&organisation_labels(organisation))
            .set(began.as_duration().as_secs_f64());
    }
}
