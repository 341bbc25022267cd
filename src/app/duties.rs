//! What this process does under leases: deliver for each organisation, and the upkeep.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::pauses;
use crate::{
    clock::Clock,
    delivery::Handle,
    event::OrganisationName,
    keeper::{Duty, Term, Work},
    notify::Notifier,
    store::{Hands, LeaseName, Leases, Store, StoreError},
    upkeep::Upkeeper,
};

/// What a request needs of a lease beyond its time-out: until its outcome is written down.
const MARGIN: Duration = Duration::from_secs(2);
/// Beyond twice the time-out, so that a renewal may fail and the next one still come in time.
const SPARE: Duration = Duration::from_secs(10);
/// Of the upkeep, which makes no requests that could outlive it.
const UPKEEP_LASTS: Duration = Duration::from_secs(30);
/// Before the store is asked again what people did.
const AGAIN: Duration = Duration::from_secs(1);

/// Delivers for one organisation.
#[derive(Debug)]
pub(super) struct Delivering {
    pub(super) organisation: OrganisationName,
    pub(super) handle: Handle,
    pub(super) store: Arc<dyn Store>,
    pub(super) hands: Arc<dyn Hands>,
    pub(super) leases: Arc<dyn Leases>,
    pub(super) clock: Clock,
    /// Held by whoever changes or follows pauses, so that none follows what is out of date.
    pub(super) pausing: Arc<Mutex<()>>,
}

impl Delivering {
    /// The duty, where one request takes up to `timeout`.
    pub(super) fn duty(self, timeout: Duration) -> Duty {
        Duty {
            lease: LeaseName::Organisation(self.organisation.clone()),
            lasts: timeout.saturating_mul(2).saturating_add(SPARE),
            reserve: timeout.saturating_add(MARGIN),
            work: Arc::new(self),
        }
    }

    async fn follow_pauses(&self) -> Result<(), StoreError> {
        let _turn = self.pausing.lock().await;
        let pauses = self.hands.pauses().await?;
        pauses::follow(&pauses, &self.organisation, &self.handle);
        Ok(())
    }

    async fn follow_erased(&self) -> Result<(), StoreError> {
        let erased = self.leases.erased(&self.organisation).await?;
        self.handle.forget_noted(&erased);
        Ok(())
    }
}

#[async_trait]
impl Work for Delivering {
    async fn run(&self, term: Term) -> Result<(), StoreError> {
        let mut newest = *self.store.arrivals().borrow();
        if self.leases.is_shared() {
            let caught_up = async {
                loop {
                    let caught_up = async {
                        self.follow_pauses().await?;
                        self.follow_erased().await?;
                        self.hands.newest().await
                    };
                    match caught_up.await {
                        Ok(newest) => return newest,
                        Err(error) => {
                            tracing::debug!(error.chain = %error, organisation = %self.organisation, "delivering cannot begin yet");
                        }
                    }
                    self.clock.sleep(AGAIN).await;
                }
            };
            match term.soft.run_until_cancelled(caught_up).await {
                // The one before may have sent what this process has not heard of.
                Some(found) => newest = newest.max(found),
                None => return Ok(()),
            }
        }
        let random = StdRng::from_rng(&mut rand::rng());
        let dispatcher = self.handle.dispatcher(term.tenure, newest, random);
        dispatcher.run(term.soft, term.hard).await
    }

    async fn look(&self, acted: bool) -> Result<(), StoreError> {
        self.follow_pauses().await?;
        if acted {
            self.follow_erased().await?;
            self.handle.changed_elsewhere();
            // Whoever does something with an organisation wants it to be tried again. One that a person paused stays paused.
            if !self.handle.is_paused(None) && self.handle.is_stuck() {
                self.handle.resume();
            }
        }
        Ok(())
    }

    fn status(&self) -> Option<String> {
        serde_json::to_string(&self.handle.status()).ok()
    }

    async fn stirs(&self) {
        let mut status = self.handle.watch();
        let before = status.borrow_and_update().state.kind();
        let stirred = status.wait_for(|status| status.state.kind() != before);
        if stirred.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Removes what is old, and tells people outside.
pub(super) struct Upkeeping {
    pub(super) upkeeper: Upkeeper,
    /// Makes a fresh one, where somebody is to be told.
    pub(super) notifier: Option<Box<dyn Fn() -> Notifier + Send + Sync>>,
    /// Nothing more is removed after this.
    pub(super) stop: CancellationToken,
}

impl Upkeeping {
    pub(super) fn duty(self) -> Duty {
        Duty {
            lease: LeaseName::Upkeep,
            lasts: UPKEEP_LASTS,
            reserve: Duration::ZERO,
            work: Arc::new(self),
        }
    }
}

#[async_trait]
impl Work for Upkeeping {
    async fn run(&self, term: Term) -> Result<(), StoreError> {
        let notify = async {
            if let Some(notifier) = &self.notifier {
                notifier().run().await;
            }
        };
        let remove = self.stop.run_until_cancelled(self.upkeeper.run());
        // It has nothing to finish: what it has not done is done later, here or by another replica.
        let work = async { tokio::join!(remove, notify) };
        term.soft.run_until_cancelled(work).await;
        term.soft.cancelled().await;
        Ok(())
    }

    async fn look(&self, _acted: bool) -> Result<(), StoreError> {
        Ok(())
    }

    fn status(&self) -> Option<String> {
        None
    }

    async fn stirs(&self) {
        std::future::pending::<()>().await;
    }
}

impl std::fmt::Debug for Upkeeping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upkeeping").finish_non_exhaustive()
    }
}
