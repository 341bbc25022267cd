//! Metrics of the removal of what is old.

use jiff::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    Metrics, SecondsGauge,
    labels::{KindLabels, Word},
};

#[derive(Clone, Debug, Default)]
pub(super) struct UpkeepMetrics {
    overdue: Family<KindLabels, Gauge>,
    removed: Family<KindLabels, Counter>,
    date: SecondsGauge,
    waits: Gauge,
}

impl UpkeepMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "upkeep_overdue",
            "Events that are old enough for something of them to be removed, and were not looked at yet",
            metrics.overdue.clone(),
        );
        registry.register(
            "upkeep_removed",
            "What was removed for its age",
            metrics.removed.clone(),
        );
        registry.register(
            "upkeep_date_timestamp_seconds",
            "The date by which age is judged, in Unix time",
            metrics.date.clone(),
        );
        registry.register(
            "upkeep_waits_for_clock",
            "1 while nothing is removed for its age because the clock has jumped ahead",
            metrics.waits.clone(),
        );
        metrics
    }
}

fn of(kind: &'static str) -> KindLabels {
    KindLabels {
        kind: Word::Fixed(kind),
    }
}

impl Metrics {
    /// How many events have something of this kind that is to be looked at.
    pub fn upkeep(&self, kind: &'static str, overdue: u64) {
        self.upkeep
            .overdue
            .get_or_create(&of(kind))
            .set(i64::try_from(overdue).unwrap_or(i64::MAX));
    }

    /// What was removed, by its kind.
    pub fn upkeep_removed(&self, removed: &[(&'static str, u64)]) {
        for (kind, count) in removed {
            self.upkeep.removed.get_or_create(&of(kind)).inc_by(*count);
        }
    }

    /// The date of the upkeep, and whether it stands still because the clock has jumped.
    pub fn upkeep_date(&self, date: Timestamp, waits: bool) {
        self.upkeep.date.set(date.as_duration().as_secs_f64());
        self.upkeep.waits.set(i64::from(waits));
    }
}
