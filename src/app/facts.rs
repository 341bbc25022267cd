//! How the gateway stands, for notifications: what its parts know of themselves.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    delivery::{Overview, PauseReason, State},
    notify::{Facts, Look},
    source::Sources,
    store::Store,
};

/// Asks the parts.
pub(super) struct Asked {
    pub(super) store: Arc<dyn Store>,
    pub(super) sources: Sources,
    pub(super) overview: Overview,
}

#[async_trait]
impl Look for Asked {
    async fn look(&self) -> Facts {
        let standings = self.overview.standings().await;
        let keys_refused =
            standings
                .iter()
                .filter_map(|(name, standing)| match standing.status?.state {
                    State::Paused {
                        since,
                        reason: PauseReason::KeyRefused,
                    } => Some((name.clone(), since)),
                    _ => None,
                });
        let mut facts = Facts {
            keys_refused: keys_refused.collect(),
            secret_ends: self.sources.set().secret_ends().collect(),
            is_full: self.store.is_writable().is_err(),
            ..Facts::default()
        };
        for name in standings.keys() {
            if let Ok(Some(oldest)) = self.store.oldest_waiting(name).await {
                facts.oldest_waiting.push((name.clone(), oldest));
            }
        }
        if let Ok(sources) = self.store.totals_by_source().await {
            facts.dead = Some(sources.iter().map(|(_, totals)| totals.dead).sum());
            // Also those that never sent anything.
            let set = self.sources.set();
            facts.requests = set.sources().map(|(name, _)| (name, 0)).collect();
            for (name, totals) in sources {
                if let Some(requests) = facts.requests.get_mut(&name) {
                    *requests = totals.accepted + totals.duplicate;
                }
            }
        }
        facts
    }
}
