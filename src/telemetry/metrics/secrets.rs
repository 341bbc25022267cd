//! The end of each secret that has one.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use prometheus_client::{metrics::family::Family, registry::Registry};

use super::{
    SecondsGauge,
    labels::{SecretLabels, Word},
};
use crate::event::SourceName;

#[derive(Clone, Debug, Default)]
pub(super) struct SecretEnds {
    ends: Family<SecretLabels, SecondsGauge>,
    /// Those that it shows.
    shown: Arc<Mutex<BTreeSet<(SourceName, String)>>>,
}

impl SecretEnds {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let ends = Self::default();
        registry.register(
            "secret_end_timestamp_seconds",
            "Until when a secret or certificate is accepted, in Unix time, for those that have an end",
            ends.ends.clone(),
        );
        ends
    }

    /// Shows these, and no others any more.
    pub(super) fn set(&self, all: impl IntoIterator<Item = (SourceName, String, Timestamp)>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeSet::new();
        for (source, secret, until) in all {
            self.ends
                .get_or_create(&labels(&source, &secret))
                .set(until.as_duration().as_secs_f64());
            now.insert((source, secret));
        }
        for (source, secret) in shown.difference(&now) {
            self.ends.remove(&labels(source, secret));
        }
        *shown = now;
    }
}

fn labels(source: &SourceName, secret: &str) -> SecretLabels {
    SecretLabels {
        source: Word::Source(source.clone()),
        secret: Word::Secret(secret.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;

    #[test]
    fn a_secret_that_is_removed_is_not_shown_any_more() {
        let metrics = Metrics::new();
        let end = |secret: &str, until: &str| {
            (
                "crm".parse().unwrap(),
                secret.to_owned(),
                until.parse().unwrap(),
            )
        };
        let shown = || {
            let page = metrics.encode();
            let lines = page
                .lines()
                .filter(|line| line.contains("_secret_end_") && !line.starts_with('#'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        metrics.secret_ends([
            end("env:A", "2027-01-01T00:00:00Z"),
            end("env:B", "2027-01-01T00:00:00Z"),
        ]);
        assert_eq!(shown().len(), 2);
        metrics.secret_ends([end("env:B", "1970-01-02T00:00:00Z")]);
        assert_eq!(
            shown(),
            [
                "quentli_gateway_secret_end_timestamp_seconds{source=\"crm\",secret=\"env:B\"} 86400.0"
            ]
        );
    }
}
