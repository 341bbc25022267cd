//! The metrics of refused requests that are kept for people to look at.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    LeftOut, Metrics, RequestResult,
    labels::{LeftOutLabels, RequestResultLabels, SourceLabels, Word},
    source_labels,
};
use crate::event::SourceName;

/// Figures of refused requests, by source.
#[derive(Clone, Debug, Default)]
pub(super) struct Rejected {
    stored: Family<SourceLabels, Gauge>,
    kept_bytes: Family<SourceLabels, Gauge>,
    written: Family<SourceLabels, Counter>,
    left_out: Family<LeftOutLabels, Counter>,
    tried_again: Family<RequestResultLabels, Counter>,
}

impl Rejected {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let this = Self::default();
        registry.register(
            "rejected",
            "Refused requests that can be looked at, equal ones as one",
            this.stored.clone(),
        );
        registry.register(
            "rejected_kept_bytes",
            "What refused requests take that are kept whole",
            this.kept_bytes.clone(),
        );
        registry.register(
            "rejected_written",
            "Refused requests that were written down",
            this.written.clone(),
        );
        registry.register(
            "rejected_left_out",
            "Refused requests that were not written down, or not kept whole",
            this.left_out.clone(),
        );
        registry.register(
            "rejected_tried_again",
            "Refused requests that an operator had tried again, by what became of them",
            this.tried_again.clone(),
        );
        this
    }
}

impl Metrics {
    /// How many refused requests there are of a source, and the bytes of those that are kept whole.
    pub fn rejected(&self, source: &SourceName, rows: u64, kept_bytes: u64) {
        let gauge = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
        let labels = source_labels(source);
        self.rejected.stored.get_or_create(&labels).set(gauge(rows));
        self.rejected
            .kept_bytes
            .get_or_create(&labels)
            .set(gauge(kept_bytes));
    }

    pub fn rejected_written(&self, source: &SourceName, requests: u64) {
        self.rejected
            .written
            .get_or_create(&source_labels(source))
            .inc_by(requests);
    }

    pub fn rejected_left_out(&self, source: &SourceName, why: LeftOut, requests: u64) {
        self.rejected
            .left_out
            .get_or_create(&LeftOutLabels {
                source: Word::Source(source.clone()),
                cause: Word::Fixed(why.as_str()),
            })
            .inc_by(requests);
    }

    /// An operator had a refused request tried again.
    pub fn rejected_tried_again(&self, source: &SourceName, result: RequestResult) {
        self.rejected
            .tried_again
            .get_or_create(&RequestResultLabels {
                source: Word::Source(source.clone()),
                result: Word::Fixed(result.as_str()),
            })
            .inc();
    }
}
