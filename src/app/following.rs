//! What other replicas did that concerns this one, whatever it has leases of: reloads that people asked for, secrets that
//! senders named, what is paused.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    clock::Clock,
    source::{LearnedSecrets, reload::Reloads},
    store::{Changes, Hands, Store, StoreError},
    telemetry::Metrics,
};

use super::pauses;

/// How often it is looked for what no number tells of.
const EVERY: Duration = Duration::from_secs(2);

/// The task.
pub(super) struct Follower {
    /// The number of reloads that were asked for before the files were read.
    pub(super) reload: u64,
    pub(super) changes: watch::Receiver<Changes>,
    pub(super) store: Arc<dyn Store>,
    pub(super) hands: Arc<dyn Hands>,
    pub(super) learned: LearnedSecrets,
    pub(super) reloads: Reloads,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
}

impl Follower {
    /// Follows until it is dropped.
    pub(super) async fn run(self) {
        let reload = self.follow_reloads();
        let rest = async {
            loop {
                self.clock.sleep(EVERY).await;
                if let Err(error) = self.look().await {
                    tracing::debug!(error.chain = %error, "what other replicas did cannot be read now");
                }
            }
        };
        tokio::join!(reload, rest);
    }

    /// Reads the files again whenever somebody asked for it, at whichever replica.
    async fn follow_reloads(&self) {
        let mut changes = self.changes.clone();
        let mut known = self.reload;
        while let Ok(reload) = changes
            .wait_for(|changes| changes.reload > known)
            .await
            .map(|changes| changes.reload)
        {
            known = reload;
            self.reloads.told();
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        pauses::show(&self.hands.pauses().await?, &self.metrics);
        let change = self.learned.change().await;
        change.follow(self.store.learned_secrets().await?);
        Ok(())
    }
}
