//! One attempt: take the head of a lane, find its customer, send what needs sending, write down what became of it.
//!
//! An attempt runs as a task of its own and owns nothing that outlives it. It may be dropped at any moment: what it
//! sent without writing down is sent again after the next start.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Settings,
    bindings::Bindings,
    decision::{Decision, Facts, Outcome, decide},
    directory::{ScanNumber, SharedDirectory},
    effort::{Effort, Stop},
    lanes::Turn,
    permits::Permits,
    recorder::{Account, Recorded},
};
use crate::{
    clock::Clock,
    customer::{CustomerId, PartKey, Patch},
    event::{Delivery, DeliveryPos, OrganisationName},
    quentli::{Client, KeyNumber},
    store::{AppliedPart, Store, StoreError},
    telemetry::Metrics,
};

/// What all attempts of an organisation share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) organisation: OrganisationName,
    pub(super) store: Arc<dyn Store>,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) settings: Settings,
    pub(super) permits: Permits,
    pub(super) bindings: Mutex<Bindings>,
    pub(super) directory: SharedDirectory,
    /// The last position that could be waiting when this dispatcher began: up to here deliveries were possibly sent
    /// before, by a process that ended without writing it down.
    pub(super) possibly_sent_up_to: DeliveryPos,
}

/// What follows for the lane after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnEnd {
    /// The head ended or is dead; `next` is what stood behind it.
    Ended { next: Option<DeliveryPos> },
    /// The head is tried again at this [`Clock::elapsed`].
    Later { due: Duration, looking: bool },
    /// The customer must be looked up, and this was not the turn to do so.
    NeedsLook,
    /// Only this scan of all customers, or a later one, can tell the customer.
    AwaitsScan(ScanNumber),
    /// Another lane is at work on the customer, or comes first.
    NotItsTurn,
    /// The dispatcher wants nothing more to be sent.
    GivenBack,
    /// Quentli refuses this key.
    KeyRefused(KeyNumber),
    /// The store could not read; again in a moment.
    StoreAway,
    /// The store cannot read or write this one at all.
    Broken,
}

/// One attempt on its way.
pub(super) struct Attempt {
    pub(super) context: Arc<Context>,
    pub(super) turn: Turn,
    /// Drawn evenly from 0 to 1.
    random: f64,
    /// The key it began with.
    pub(super) key: KeyNumber,
    /// When its first request left.
    pub(super) at: Option<Timestamp>,
    /// Time spent in requests; waiting for leave does not count.
    pub(super) took: Duration,
    pub(super) customer: Option<CustomerId>,
    /// Whether a change left whose outcome is not known.
    pub(super) is_in_doubt: bool,
}

impl Context {
    pub(super) fn bindings(&self) -> MutexGuard<'_, Bindings> {
        // Each method of it leaves it in order, also when it panics half way: an entry more or less does no harm.
        self.bindings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A head that panicked is written down as a failed attempt. `panics` counts this one; `customer` is whose record
    /// it was at work on.
    pub(super) async fn record_panic(
        &self,
        turn: Turn,
        customer: Option<CustomerId>,
        panics: u32,
        random: f64,
    ) -> Result<TurnEnd, StoreError> {
        let taken = self.store.take(&self.organisation, turn.lane, 2).await;
        let (delivery, next) = match head_and_next(taken) {
            Ok(Some(taken)) => taken,
            Ok(None) => return Ok(TurnEnd::Ended { next: None }),
            Err(error) => return store_trouble(error),
        };
        let doubt = customer
            .clone()
            .map(|customer| (customer, parts_of(&delivery.patch)));
        let account = Account {
            delivery: &delivery,
            at: self.clock.now(),
            took: Duration::ZERO,
            customer,
            error: None,
            confirmed: Vec::new(),
            doubt,
        };
        let decision = self.decide(
            &delivery,
            &Outcome::Panicked,
            Duration::ZERO,
            panics,
            random,
        );
        let recorded = self.record(account, decision).await;
        self.turn_end(recorded, next, self.client.key_number())
    }

    fn decide(
        &self,
        delivery: &Delivery,
        outcome: &Outcome,
        took: Duration,
        panics: u32,
        random: f64,
    ) -> Decision {
        let age = self.clock.now().duration_since(delivery.accepted_at);
        let facts = Facts {
            attempts: delivery.attempts,
            spent: delivery.spent,
            took,
            age: Duration::try_from(age.max(SignedDuration::ZERO)).unwrap_or_default(),
            on_missing: &delivery.customer.on_missing,
            panics,
        };
        decide(&facts, outcome, &self.settings.policy, random)
    }

    fn turn_end(
        &self,
        recorded: Result<Recorded, StoreError>,
        next: Option<DeliveryPos>,
        key: KeyNumber,
    ) -> Result<TurnEnd, StoreError> {
        match recorded {
            Ok(Recorded::Ended) => Ok(TurnEnd::Ended { next }),
            Ok(Recorded::Later { wait, looking }) => Ok(TurnEnd::Later {
                due: self.clock.elapsed().saturating_add(wait),
                looking,
            }),
            Ok(Recorded::Untouched) => Ok(TurnEnd::KeyRefused(key)),
            Err(error) => store_trouble(error),
        }
    }
}

impl Attempt {
    pub(super) fn new(context: Arc<Context>, turn: Turn, random: f64) -> Self {
        Self {
            key: context.client.key_number(),
            context,
            turn,
            random,
            at: None,
            took: Duration::ZERO,
            customer: None,
            is_in_doubt: false,
        }
    }

    /// Makes the attempt. An error is one after which the store takes no more work at all.
    pub(super) async fn run(mut self) -> Result<TurnEnd, StoreError> {
        let context = Arc::clone(&self.context);
        let taken = context
            .store
            .take(&context.organisation, self.turn.lane, 2)
            .await;
        let (delivery, next) = match head_and_next(taken) {
            Ok(Some(taken)) => taken,
            Ok(None) => return Ok(TurnEnd::Ended { next: None }),
            Err(error) => return store_trouble(error),
        };
        match self.bring(&delivery).await {
            Ok(Effort::Spared { end, confirmed }) => {
                let ended = context
                    .end(&delivery, end, None, self.customer, confirmed)
                    .await
                    .map(|()| Recorded::Ended);
                context.turn_end(ended, next, self.key)
            }
            Ok(Effort::Sent(confirmed)) => {
                let outcome = Outcome::Confirmed;
                self.record(&delivery, next, &outcome, confirmed).await
            }
            Ok(Effort::Came(outcome)) => self.record(&delivery, next, &outcome, Vec::new()).await,
            Err(Stop::End(end)) => Ok(end),
            Err(Stop::Store(error)) => store_trouble(error),
        }
    }

    async fn record(
        self,
        delivery: &Delivery,
        next: Option<DeliveryPos>,
        outcome: &Outcome,
        confirmed: Vec<AppliedPart>,
    ) -> Result<TurnEnd, StoreError> {
        let context = &self.context;
        let now = context.clock.now();
        let decision = context.decide(delivery, outcome, self.took, 0, self.random);
        let error = match outcome {
            Outcome::Failed(error)
            | Outcome::KeyRefused(error)
            | Outcome::Forbidden(error)
            | Outcome::Missing(Some(error)) => Some(error),
            Outcome::Confirmed
            | Outcome::Missing(None)
            | Outcome::Ambiguous
            | Outcome::Uncreatable(_)
            | Outcome::Panicked => None,
        };
        let is_confirmed = matches!(outcome, Outcome::Confirmed);
        let doubt = self
            .customer
            .clone()
            .filter(|_| !is_confirmed && (self.is_in_doubt || self.is_possibly_sent(delivery)))
            .map(|customer| (customer, parts_of(&delivery.patch)));
        let account = Account {
            delivery,
            at: self.at.unwrap_or(now),
            took: self.took,
            customer: self.customer.clone(),
            error,
            confirmed,
            doubt,
        };
        let recorded = context.record(account, decision).await;
        context.turn_end(recorded, next, self.key)
    }

    /// Whether a request for this delivery may have left before this attempt.
    pub(super) fn is_possibly_sent(&self, delivery: &Delivery) -> bool {
        delivery.attempts > 0 || delivery.pos <= self.context.possibly_sent_up_to
    }
}

/// The first of a lane and the position of the one behind it.
fn head_and_next(
    taken: Result<Vec<Delivery>, StoreError>,
) -> Result<Option<(Delivery, Option<DeliveryPos>)>, StoreError> {
    let mut taken = taken?.into_iter();
    let head = taken.next();
    let next = taken.next().map(|delivery| delivery.pos);
    Ok(head.map(|head| (head, next)))
}

/// What to do with a lane when the store fails; an error where nothing can be done.
fn store_trouble(error: StoreError) -> Result<TurnEnd, StoreError> {
    match error {
        StoreError::Unavailable { .. } => Ok(TurnEnd::StoreAway),
        StoreError::Broken { .. } => {
            tracing::error!(error.chain = %error, "a delivery cannot be read or written; its lane is set aside");
            Ok(TurnEnd::Broken)
        }
        StoreError::OutcomeUnknown { .. } | StoreError::Closed { .. } => Err(error),
    }
}

fn parts_of(patch: &Patch) -> Vec<PartKey> {
    patch.parts().into_iter().map(|(part, _)| part).collect()
}
