//! The metric of registration handshakes.

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::{
    HandshakeOutcome, Metrics,
    labels::{HandshakeLabels, Word},
};
use crate::event::SourceName;

#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes(Family<HandshakeLabels, Counter>);

impl Handshakes {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let this = Self::default();
        registry.register(
            "handshakes",
            "Registration handshakes, by what became of them",
            this.0.clone(),
        );
        this
    }
}

impl Metrics {
    /// A registration handshake of a kind.
    pub fn handshake(&self, source: &SourceName, kind: &'static str, outcome: HandshakeOutcome) {
        let labels = HandshakeLabels {
            source: Word::Source(source.clone()),
            kind: Word::Fixed(kind),
            outcome: Word::Fixed(outcome.as_str()),
        };
        self.handshakes.0.get_or_create(&labels).inc();
    }
}
