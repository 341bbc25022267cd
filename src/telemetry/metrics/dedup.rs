//! Metrics of what comes again.

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::{
    Metrics,
    labels::{RequestResultLabels, SourceLabels, Word},
    source_labels,
};
use crate::event::SourceName;

#[derive(Clone, Debug, Default)]
pub(super) struct DedupMetrics {
    items: Family<RequestResultLabels, Counter>,
    by_body: Family<SourceLabels, Counter>,
    reused: Family<SourceLabels, Counter>,
}

impl DedupMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "items",
            "What requests hold that is told apart by a dedup key, new or known already",
            metrics.items.clone(),
        );
        registry.register(
            "dedup_by_body",
            "Requests or items without the header or part that tells them apart, so that their body stands in",
            metrics.by_body.clone(),
        );
        registry.register(
            "dedup_reused_ids",
            "Duplicates whose id had another body before",
            metrics.reused.clone(),
        );
        metrics
    }
}

impl Metrics {
    /// What a request held: items (or the whole request) that were new, and those that were known.
    pub fn items(&self, source: &SourceName, new: u32, known: u32) {
        for (word, count) in [("new", new), ("known", known)] {
            if count > 0 {
                self.dedup
                    .items
                    .get_or_create(&RequestResultLabels {
                        source: Word::Source(source.clone()),
                        result: Word::Fixed(word),
                    })
                    .inc_by(u64::from(count));
            }
        }
    }

    /// Requests or items without what the source is told apart by.
    pub fn dedup_by_body(&self, source: &SourceName, count: u32) {
        self.dedup
            .by_body
            .get_or_create(&source_labels(source))
            .inc_by(u64::from(count));
    }

    /// An id that came again with another body.
    pub fn reused_id(&self, source: &SourceName) {
        self.dedup
            .reused
            .get_or_create(&source_labels(source))
            .inc();
    }
}
