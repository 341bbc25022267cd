//! A genuine event on its way into the store: verified, mapped, made into rows, stored and counted.
//!
//! What was seen lately is left to the store to confirm, before it is mapped or made into rows.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::SemaphorePermit;

use super::{
    Ingress, accepted,
    handshake::{Answered, Asked},
    refusal::Refusal,
};
use crate::{
    event::{DedupKey, End, Failure, ItemOutcome, Mapped, MappedItem, SourceName},
    problem::Problem,
    source::Source,
    store::{Acceptance, KnownRequest, StoreError},
    verify::{Received, Verified},
};

/// Bodies above this size are mapped off the network threads.
const MAP_IN_PLACE_BYTES: usize = 64 * 1024;

/// How often at most it is said why events are not stored.
const TELL_EVERY_MS: u64 = 10_000;

/// What became of a request that is not refused.
pub(super) enum Done {
    /// With the name of the secret that proved it.
    Stored(Acceptance, Option<String>),
    /// The sender registered the address.
    Handshake(Answered),
}

impl Ingress {
    /// What becomes of a whole event, live or [later](super::late): verified, mapped, stored. A handshake that is signed
    /// like an event ends here.
    pub(super) async fn take_in(
        &self,
        source: &Arc<Source>,
        received: Received,
        turn: SemaphorePermit<'_>,
    ) -> Result<Done, Refusal> {
        let (verified, _turn) = self.verified(source, received, turn).await?;
        let verified = match self.ask_verified(source, verified).await? {
            Asked::Event(verified) => verified,
            Asked::Handshake(answered) => return Ok(Done::Handshake(answered)),
        };
        let secret = verified.secret_name().map(str::to_owned);
        let stored = self.store(source, verified).await;
        stored
            .map(|acceptance| Done::Stored(acceptance, secret))
            .map_err(|error| self.not_stored(&error))
    }

    /// Maps and stores an event. What was seen lately is neither mapped, where its key is known before, nor made into rows:
    /// the store only confirms that it is known.
    async fn store(
        &self,
        source: &Arc<Source>,
        verified: Verified,
    ) -> Result<Acceptance, StoreError> {
        let received = verified.received();
        let received_at = received.received_at;
        let of_request = accepted::key_of_request(source, received);
        let is_one_group = of_request.is_some();
        if let Some(found) = &of_request {
            let keys = [found.keys.of_item(0)];
            if let Some(known) = self
                .known(source, received_at, &received.body, &keys)
                .await?
            {
                self.count_by_body(source, found.by_body, received_at);
                return Ok(known);
            }
        }
        let (verified, mapped) = map(source, verified).await;
        let (event, by_body) = accepted::new_event(source, verified, mapped, of_request);
        let keys = accepted::keys_of(&event);
        let known = if is_one_group {
            None
        } else {
            self.known(source, received_at, &event.body, &keys).await?
        };
        let acceptance = match known {
            Some(known) => known,
            None => self.store.accept(event).await?,
        };
        self.recent.insert(&keys);
        self.count_by_body(source, by_body, received_at);
        Ok(acceptance)
    }

    /// What the store says of a request whose keys were all seen lately; `None` where it must be stored.
    async fn known(
        &self,
        source: &Source,
        received_at: Timestamp,
        body: &[u8],
        keys: &[DedupKey],
    ) -> Result<Option<Acceptance>, StoreError> {
        if !self.recent.know_all(keys) {
            return Ok(None);
        }
        let request = KnownRequest {
            source: source.name().clone(),
            received_at,
            keys: keys.to_vec(),
            body_hash: Sha256::digest(body).into(),
        };
        self.store.known(request).await
    }

    fn count_by_body(&self, source: &Source, by_body: u32, at: Timestamp) {
        if by_body > 0 {
            self.metrics.dedup_by_body(source.name(), by_body);
            self.numbering
                .by_body(source.name(), by_body, at, self.clock.elapsed());
        }
    }

    /// Counts what was new and what was known; and deliveries that ended at once or are dead: nothing can be sent for
    /// these, so no dispatcher will ever see and count them.
    pub(super) fn count(&self, source: &SourceName, acceptance: &Acceptance) {
        match acceptance {
            Acceptance::Accepted {
                new,
                known,
                dead,
                dropped,
                ..
            } => {
                self.metrics.items(source, *new, *known);
                self.metrics.ended(source, End::Dropped, *dropped);
                self.metrics.buried(source, "mapping", *dead);
            }
            Acceptance::Duplicate {
                event,
                known,
                differs,
            } => {
                self.metrics.items(source, 0, *known);
                if *differs {
                    self.metrics.reused_id(source);
                    let (at, now) = (self.clock.now(), self.clock.elapsed());
                    self.numbering.reused(source, *event, at, now);
                }
            }
        }
    }

    /// Whether it is time to say again why events are not stored: each refused request has a line of its own anyway.
    fn should_tell(&self) -> bool {
        let now = u64::try_from(self.clock.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let told = self.trouble_told_at.load(Ordering::Relaxed);
        let is_time = told == 0 || now.saturating_sub(told) > TELL_EVERY_MS;
        is_time && self.trouble_told_at.swap(now, Ordering::Relaxed) == told
    }

    pub(super) fn not_stored(&self, error: &StoreError) -> Refusal {
        self.metrics.store_error();
        match error {
            StoreError::Unavailable { .. } if self.should_tell() => {
                tracing::warn!(error.chain = %error, "events are not stored");
            }
            StoreError::Unavailable { .. } => {}
            StoreError::OutcomeUnknown { .. }
            | StoreError::Closed { .. }
            | StoreError::NotHeld { .. }
            | StoreError::Broken { .. } => {
                tracing::error!(error.chain = %error, "an event was not stored");
            }
        }
        Problem::StoreUnavailable.into()
    }
}

/// Maps in place what is small and quickly done, and on a thread of its own what is large or turns out to be much work:
/// an event may ask for seconds of it, and others wait for this thread. A panic of the mapping is a failure like any
/// other: stored with the event, never a reason to turn the sender away.
async fn map(source: &Arc<Source>, verified: Verified) -> (Verified, Mapped) {
    if verified.received().body.len() <= MAP_IN_PLACE_BYTES {
        let mapped = std::panic::catch_unwind(AssertUnwindSafe(|| source.map_briefly(&verified)));
        if let Some(mapped) = mapped.unwrap_or_else(|_| Some(panicked())) {
            return (verified, mapped);
        }
    }
    let on_thread = {
        let (source, verified) = (Arc::clone(source), verified.clone());
        tokio::task::spawn_blocking(move || {
            std::panic::catch_unwind(AssertUnwindSafe(|| source.map(&verified)))
        })
    };
    let mapped = match on_thread.await {
        Ok(Ok(mapped)) => mapped,
        Ok(Err(_)) | Err(_) => panicked(),
    };
    (verified, mapped)
}

pub(super) fn panicked() -> Mapped {
    let reason =
        "the mapping met a bug of the gateway; please report it with the mapping file".to_owned();
    let failure = ItemOutcome::Fail(Failure {
        rule: None,
        reason,
        line: None,
    });
    Mapped {
        items: vec![MappedItem {
            dedup: Vec::new(),
            outcomes: vec![failure],
        }],
    }
}
