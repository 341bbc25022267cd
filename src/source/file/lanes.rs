//! Whose order an event belongs to, for those who send events.

use std::collections::BTreeSet;

use http::HeaderMap;
use jiff::Timestamp;

use super::{Source, armed::content_type};
use crate::{
    event::{ItemOutcome, LaneKey},
    mapping::Input,
};

impl Source {
    /// The lanes of the customers whom an event changes, each once; none where it cannot be mapped. Events that share none
    /// may be sent in any order.
    pub fn lanes_of(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Vec<LaneKey> {
        let mapped = self.checked.mapping.map(&Input {
            body,
            content_type: content_type(headers),
            headers: &self.kept_headers(headers),
            now,
        });
        let outcomes = mapped.items.into_iter().flat_map(|item| item.outcomes);
        let lanes: BTreeSet<LaneKey> = outcomes
            .filter_map(|outcome| match outcome {
                ItemOutcome::Update(update) => update.customer.lane(),
                ItemOutcome::Drop { .. } | ItemOutcome::Fail(_) => None,
            })
            .collect();
        lanes.into_iter().collect()
    }
}
