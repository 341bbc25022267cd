//! Writes down what became of an attempt: in the store, in the log, in the metrics.
//!
//! Nothing is sent again before its outcome is written. While the store cannot write, the recorder waits and tries
//! again, and the attempt keeps its lane; if the process ends meanwhile, the delivery is found waiting at the next
//! start and counts as possibly sent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Backoff, attempt::Context, decision::Decision};
use crate::{
    customer::{CustomerId, PartKey},
    event::{Attempt, AttemptOutcome, Delivery, DeliveryState, End},
    quentli::{CallError, CallErrorKind},
    store::{AppliedPart, Bury, Carried, Finish, LeftOut, Retry, StoreError},
};

/// Waits between tries to write.
const STORE_BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(200),
    cap: Duration::from_secs(5),
};

/// What became of an attempt whose delivery a person changed meanwhile: it was made, and nothing follows from it.
const OVERTAKEN: &str = "overtaken";

/// What an attempt came to, besides the decision about it.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pub(super) delivery: &'a Delivery,
    pub(super) at: Timestamp,
    pub(super) took: Duration,
    pub(super) customer: Option<CustomerId>,
    pub(super) error: Option<&'a CallError>,
    /// How many others were in the change that was refused.
    pub(super) refused_with: usize,
    /// Of a confirmed change.
    pub(super) confirmed: Vec<AppliedPart>,
    /// What ends with it.
    pub(super) carried: Vec<(&'a Delivery, End)>,
    /// What Quentli did not take of it.
    pub(super) left_out: Option<LeftOut>,
    /// Parts whose value at Quentli is not known any more.
    pub(super) doubt: Option<(CustomerId, Vec<PartKey>)>,
}

impl Account<'_> {
    /// The attempt's number; 1 for the first.
    const fn number(&self) -> u32 {
        let before = self.delivery.earlier_attempts;
        before
            .saturating_add(self.delivery.attempts)
            .saturating_add(1)
    }

    fn attempt(&self, outcome: AttemptOutcome, message: Option<String>) -> Attempt {
        Attempt {
            number: self.number(),
            at: self.at,
            took: self.took,
            status: self.error.and_then(|error| error.status),
            outcome,
            message,
            customer: self.customer.clone(),
        }
    }

    /// What Quentli said of the fields that it did not take.
    fn of_left_out(&self) -> Option<String> {
        let left_out = self.left_out.as_ref();
        left_out.map(|left_out| left_out.reason.message.clone())
    }
}

/// What follows for the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// The delivery is through or with a person.
    Ended,
    /// A person has ended it meanwhile, or had it sent again.
    NotOpen,
    /// It is tried again after this wait.
    Later { wait: Duration, looking: bool },
    /// It was given back.
    Untouched,
}

/// The fields of an attempt's line, at a level that the macros of `tracing` need as a word. Quentli's message is kept
/// in the store only: it may quote values.
macro_rules! attempt_line {
    ($level:ident, $context:expr, $account:expr, $outcome:expr, $reason:expr, $message:literal) => {
        tracing::$level!(
            organisation = %$context.organisation,
            source = %$account.delivery.source,
            event.id = %$account.delivery.event,
            delivery.id = %$account.delivery.pos,
            attempt.number = $account.number(),
            customer.id = $account.customer.as_ref().map(CustomerId::for_log),
            http.status = $account.error.and_then(|error| error.status),
            error.kind = $account.error.map(|error| error.kind.as_str()),
            outcome = $outcome,
            reason = $reason,
            duration_ms = millis($account.took),
            $message
        )
    };
}

impl Context {
    /// Writes down what was decided about an attempt.
    pub(super) async fn record(
        &self,
        account: Account<'_>,
        decision: Decision,
    ) -> Result<Recorded, StoreError> {
        if self.is_erased(&account) {
            return self.end_erased(account).await;
        }
        let delivery = account.delivery;
        let kind = account.error.map(|error| error.kind);
        let attempt = |outcome, message| account.attempt(outcome, message);
        let trouble = account.error.map(|error| match account.refused_with {
            0 => error.to_string(),
            others => format!(
                "refused in one request with {others} other updates of this customer; from here on each goes by itself: {error}"
            ),
        });
        match decision {
            Decision::Deliver => {
                let attempt = Some(attempt(AttemptOutcome::Delivered, account.of_left_out()));
                let was_open = self.finish(&account, End::Delivered, None, attempt).await?;
                self.count(AttemptOutcome::Delivered, kind);
                self.say(&account, End::Delivered.as_str());
                Ok(ended(was_open))
            }
            Decision::Drop => {
                let reason = Some("Quentli has no such customer".to_owned());
                let account = Account {
                    customer: None,
                    ..account
                };
                self.end(account, End::Dropped, reason).await
            }
            Decision::Retry { state, wait, spent } => {
                let retry = Retry {
                    pos: delivery.pos,
                    accepted_at: delivery.accepted_at,
                    revision: delivery.revision,
                    state,
                    next_attempt: after(self.clock.now(), wait),
                    spent,
                    attempt: attempt(AttemptOutcome::Retry, trouble),
                    doubt: account.doubt.clone(),
                };
                let was_open = self
                    .write(|| self.store.retry(&self.organisation, retry.clone()))
                    .await?;
                self.count(AttemptOutcome::Retry, kind);
                if !was_open {
                    self.say(&account, OVERTAKEN);
                    return Ok(Recorded::NotOpen);
                }
                let looking = state == DeliveryState::Looking;
                self.say(&account, if looking { "looking" } else { "retry" });
                Ok(Recorded::Later { wait, looking })
            }
            Decision::Bury(reason) => {
                let code = reason.code;
                let bury = Bury {
                    pos: delivery.pos,
                    accepted_at: delivery.accepted_at,
                    revision: delivery.revision,
                    at: self.clock.now(),
                    attempt: Some(attempt(AttemptOutcome::Dead, trouble)),
                    doubt: account.doubt.clone(),
                    reason,
                };
                let was_open = self
                    .write(|| self.store.bury(&self.organisation, bury.clone()))
                    .await?;
                self.count(AttemptOutcome::Dead, kind);
                if !was_open {
                    self.say(&account, OVERTAKEN);
                    return Ok(Recorded::NotOpen);
                }
                self.metrics.buried(&delivery.source, code, 1);
                self.say_dead(&account, code);
                Ok(Recorded::Ended)
            }
            Decision::GiveBack => {
                self.say(&account, "given-back");
                Ok(Recorded::Untouched)
            }
        }
    }

    /// Ends a delivery by which nothing was changed. Where fields of it were sent and not taken, that was an attempt.
    pub(super) async fn end(
        &self,
        account: Account<'_>,
        end: End,
        reason: Option<String>,
    ) -> Result<Recorded, StoreError> {
        if self.is_erased(&account) {
            return self.end_erased(account).await;
        }
        // What Quentli does not take is left out after a 400 only.
        let refused = account.of_left_out();
        let attempt = refused.map(|said| Attempt {
            status: Some(400),
            ..account.attempt(AttemptOutcome::Dead, Some(said))
        });
        let was_attempt = attempt.is_some();
        let was_open = self.finish(&account, end, reason, attempt).await?;
        if was_attempt {
            self.count(AttemptOutcome::Dead, Some(CallErrorKind::Refused));
        }
        if was_open {
            tracing::info!(
                source = %account.delivery.source,
                event.id = %account.delivery.event,
                delivery.id = %account.delivery.pos,
                customer.id = account.customer.as_ref().map(CustomerId::for_log),
                outcome = end.as_str(),
                "delivery ended without a change"
            );
        } else if was_attempt {
            self.say(&account, OVERTAKEN);
        }
        Ok(ended(was_open))
    }

    fn is_erased(&self, account: &Account<'_>) -> bool {
        let customer = account.customer.as_ref();
        customer.is_some_and(|customer| self.by_hand.is_erased(customer, account.delivery.pos))
    }

    /// Ends a delivery whose customer was erased while the attempt was on its way. Whatever came of that, nothing of the
    /// customer is written down.
    async fn end_erased(&self, account: Account<'_>) -> Result<Recorded, StoreError> {
        // What Quentli answered may have been noted since.
        self.forget(account.customer.as_ref(), &[]);
        let carried = account.carried.into_iter();
        let account = Account {
            customer: None,
            error: None,
            confirmed: Vec::new(),
            carried: carried.map(|(carried, _)| (carried, End::Erased)).collect(),
            left_out: None,
            doubt: None,
            ..account
        };
        tracing::info!(
            source = %account.delivery.source,
            event.id = %account.delivery.event,
            delivery.id = %account.delivery.pos,
            outcome = End::Erased.as_str(),
            "delivery ended since its customer was erased"
        );
        let was_open = self.finish(&account, End::Erased, None, None).await?;
        Ok(ended(was_open))
    }

    /// Ends a delivery and what goes with it.
    async fn finish(
        &self,
        account: &Account<'_>,
        end: End,
        reason: Option<String>,
        attempt: Option<Attempt>,
    ) -> Result<bool, StoreError> {
        let delivery = account.delivery;
        let carried = account.carried.iter().map(|(carried, end)| Carried {
            pos: carried.pos,
            accepted_at: carried.accepted_at,
            revision: carried.revision,
            end: *end,
            reason: (*end == End::Superseded).then(|| {
                let Delivery {
                    event,
                    item,
                    number,
                    ..
                } = delivery;
                format!("merged into event {event}, item {item}, update {number}")
            }),
        });
        let finish = Finish {
            pos: delivery.pos,
            accepted_at: delivery.accepted_at,
            revision: delivery.revision,
            end,
            reason,
            customer: account.customer.clone(),
            at: self.clock.now(),
            attempt,
            confirmed: account.confirmed.clone(),
            carried: carried.collect(),
            left_out: account.left_out.clone(),
        };
        let was_open = self
            .write(|| self.store.finish(&self.organisation, finish.clone()))
            .await?;
        if was_open {
            self.metrics.ended(&delivery.source, end, 1);
            if let Some(LeftOut { reason, .. }) = &account.left_out {
                self.metrics.buried(&delivery.source, reason.code, 1);
                self.say_dead(account, reason.code);
            }
            for (carried, end) in &account.carried {
                self.metrics.ended(&carried.source, *end, 1);
                tracing::info!(
                    source = %carried.source,
                    event.id = %carried.event,
                    delivery.id = %carried.pos,
                    customer.id = account.customer.as_ref().map(CustomerId::for_log),
                    outcome = end.as_str(),
                    carrier.id = %delivery.pos,
                    "delivery ended with a later one"
                );
            }
        }
        Ok(was_open)
    }

    /// Writes, again and again while the store cannot.
    async fn write<F>(&self, mut write: impl FnMut() -> F) -> Result<bool, StoreError>
    where
        F: Future<Output = Result<bool, StoreError>>,
    {
        let mut tries = 0;
        loop {
            match write().await {
                Err(error @ StoreError::Unavailable { .. }) => {
                    self.metrics.store_error();
                    if tries == 0 {
                        tracing::error!(
                            organisation = %self.organisation,
                            error.chain = %error,
                            "what became of an attempt cannot be written down; trying until it can"
                        );
                    }
                    self.clock.sleep(STORE_BACKOFF.ceiling(tries)).await;
                    tries = tries.saturating_add(1);
                }
                other => return other,
            }
        }
    }

    fn count(&self, outcome: AttemptOutcome, kind: Option<CallErrorKind>) {
        let error = kind.map_or("", CallErrorKind::as_str);
        self.metrics.attempt(&self.organisation, outcome, error);
    }

    /// The one line of an attempt.
    fn say(&self, account: &Account<'_>, outcome: &'static str) {
        attempt_line!(info, self, account, outcome, None::<&str>, "attempt");
    }

    /// As [`Context::say`], where a person must look.
    fn say_dead(&self, account: &Account<'_>, reason: &'static str) {
        attempt_line!(
            warn,
            self,
            account,
            "dead",
            reason,
            "attempt: a person must look at this delivery"
        );
    }
}

const fn ended(was_open: bool) -> Recorded {
    if was_open {
        Recorded::Ended
    } else {
        Recorded::NotOpen
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The time of day after a wait.
fn after(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}
