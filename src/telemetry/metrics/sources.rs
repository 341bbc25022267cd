//! Metrics of the sources: which there are, by which text each is mapped, what became of looking at their files, and the keys that
//! their senders publish.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    Metrics, ReloadPart, SecondsGauge,
    labels::{KeySetLabels, MappingLabels, PartLabels, ReloadLabels, SourceLabels, Word},
    source_labels,
};
use crate::event::{MappingHash, SourceName};

#[derive(Clone, Debug)]
pub(super) struct SourceMetrics {
    loaded: Family<SourceLabels, Gauge>,
    paused: Family<SourceLabels, Gauge>,
    mappings: Family<MappingLabels, Gauge>,
    /// The sources that `loaded` and `mappings` show.
    shown: Arc<Mutex<BTreeMap<SourceName, Option<MappingHash>>>>,
    observing: Family<SourceLabels, Gauge>,
    loaded_at: SecondsGauge,
    key_set_fetches: Family<KeySetLabels, Counter>,
    key_set_fetched_at: Family<SourceLabels, SecondsGauge>,
    reloads: Family<ReloadLabels, Counter>,
    reload_refused: Family<PartLabels, Gauge>,
}

impl SourceMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let loaded = Family::default();
        registry.register(
            "source_loaded",
            "1 for a source that receives, 0 for one whose file has errors",
            loaded.clone(),
        );
        let paused = Family::default();
        registry.register(
            "source_paused",
            "1 for a source whose deliveries a person paused",
            paused.clone(),
        );
        let mappings = Family::default();
        registry.register(
            "source_mapping",
            "1 for the hash of the mapping that a source's events are mapped by",
            mappings.clone(),
        );
        let observing = Family::default();
        registry.register(
            "source_observes",
            "1 for a source that receives and sends nothing",
            observing.clone(),
        );
        let loaded_at = SecondsGauge::default();
        registry.register(
            "sources_loaded_timestamp_seconds",
            "When the sources in force were loaded, in Unix time",
            loaded_at.clone(),
        );
        let key_set_fetches = Family::default();
        registry.register(
            "key_set_fetches",
            "Fetches of the public keys of a source's sender",
            key_set_fetches.clone(),
        );
        let key_set_fetched_at = Family::default();
        registry.register(
            "key_set_fetched_timestamp_seconds",
            "When the public keys in use were fetched, in Unix time",
            key_set_fetched_at.clone(),
        );
        let reloads = Family::default();
        registry.register(
            "reloads",
            "Looks at the files of sources and keys since the start, by what came of them",
            reloads.clone(),
        );
        let reload_refused = Family::<PartLabels, Gauge>::default();
        for part in ReloadPart::ALL {
            reload_refused.get_or_create(&part_labels(part)).set(0);
        }
        registry.register(
            "reload_refused",
            "1 while the files hold what cannot be used and what was in force before stays",
            reload_refused.clone(),
        );
        Self {
            loaded,
            paused,
            mappings,
            shown: Arc::default(),
            observing,
            loaded_at,
            key_set_fetches,
            key_set_fetched_at,
            reloads,
            reload_refused,
        }
    }
}

impl Metrics {
    /// All sources there are since `at`, each with the hash of its mapping, or none where it does not receive. Those
    /// that are not among them any more are not shown any more.
    pub fn sources(
        &self,
        sources: impl IntoIterator<Item = (SourceName, Option<MappingHash>)>,
        at: Timestamp,
    ) {
        let sources: BTreeMap<_, _> = sources.into_iter().collect();
        let mut shown = self
            .sources
            .shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (name, mapping) in &sources {
            self.sources
                .loaded
                .get_or_create(&source_labels(name))
                .set(i64::from(mapping.is_some()));
            if let Some(mapping) = mapping {
                self.sources
                    .mappings
                    .get_or_create(&mapping_labels(name, *mapping))
                    .set(1);
            }
        }
        for (name, mapping) in shown.iter() {
            if !sources.contains_key(name) {
                self.sources.loaded.remove(&source_labels(name));
                self.sources.key_set_fetched_at.remove(&source_labels(name));
            }
            if let Some(mapping) = mapping
                && sources.get(name) != Some(&Some(*mapping))
            {
                self.sources
                    .mappings
                    .remove(&mapping_labels(name, *mapping));
            }
        }
        *shown = sources;
        self.sources.loaded_at.set(at.as_duration().as_secs_f64());
    }

    /// All sources that receive and send nothing.
    pub fn observing(&self, sources: impl IntoIterator<Item = SourceName>) {
        self.sources.observing.clear();
        for name in sources {
            self.sources
                .observing
                .get_or_create(&source_labels(&name))
                .set(1);
        }
    }

    /// A fetch of the public keys of a source's sender.
    pub fn key_set_fetch(&self, source: &SourceName, is_good: bool) {
        let outcome = if is_good { "fetched" } else { "failed" };
        self.sources
            .key_set_fetches
            .get_or_create(&KeySetLabels {
                source: Word::Source(source.clone()),
                outcome: Word::Fixed(outcome),
            })
            .inc();
    }

    /// When the public keys in use by a source were fetched; `None` where there are none.
    pub fn key_set_fetched_at(&self, source: &SourceName, at: Option<Timestamp>) {
        let labels = source_labels(source);
        match at {
            Some(at) => {
                let seconds = at.as_duration().as_secs_f64();
                self.sources
                    .key_set_fetched_at
                    .get_or_create(&labels)
                    .set(seconds);
            }
            None => drop(self.sources.key_set_fetched_at.remove(&labels)),
        }
    }

    /// A look at the files of `part`; `refused` where what they hold cannot be used.
    pub fn reload(
        &self,
        part: ReloadPart,
        trigger: &'static str,
        outcome: &'static str,
        refused: bool,
    ) {
        self.sources
            .reloads
            .get_or_create(&ReloadLabels {
                part: Word::Fixed(part.as_str()),
                trigger: Word::Fixed(trigger),
                outcome: Word::Fixed(outcome),
            })
            .inc();
        self.sources
            .reload_refused
            .get_or_create(&part_labels(part))
            .set(i64::from(refused));
    }

    /// Whether a person paused a source.
    pub fn source_paused(&self, source: &SourceName, is_paused: bool) {
        self.sources
            .paused
            .get_or_create(&source_labels(source))
            .set(i64::from(is_paused));
    }
}

fn part_labels(part: ReloadPart) -> PartLabels {
    PartLabels {
        part: Word::Fixed(part.as_str()),
    }
}

fn mapping_labels(source: &SourceName, mapping: MappingHash) -> MappingLabels {
    MappingLabels {
        source: Word::Source(source.clone()),
        mapping: Word::Mapping(mapping),
    }
}
