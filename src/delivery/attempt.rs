//! One attempt: take the head of a lane, find its customer, send what needs sending, write down what became of it.
//!
//! An attempt runs as a task of its own and owns nothing that outlives it. It may be dropped at any moment: what it
//! sent without writing down is sent again after the next start.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    Settings, batch,
    bindings::{AsOf, Bindings},
    by_hand::ByHand,
    decision::{Decision, Facts, Outcome, decide},
    directory::{ScanNumber, SharedDirectory},
    effort::{Effort, Stop},
    lanes::Turn,
    permits::Permits,
    recorder::{Account, Recorded},
};
use crate::{
    clock::Clock,
    customer::{CustomerId, FindBy, PartKey},
    dedup::Share,
    event::{Delivery, DeliveryPos, DeliveryState, End, LaneKey, OrganisationName, SourceName},
    keeper::Tenure,
    quentli::{CallError, CallErrorKind, Client, KeyNumber},
    store::{AppliedPart, LeftOut, Store, StoreError},
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
    pub(super) by_hand: ByHand,
    /// How long this dispatcher is the only one.
    pub(super) tenure: Tenure,
    /// The last position that could be waiting when this dispatcher began: up to here deliveries were possibly sent
    /// before, by a process that ended without writing it down.
    pub(super) possibly_sent_up_to: DeliveryPos,
    /// The time of day when the clock's elapsed time was zero.
    pub(super) began: Timestamp,
}

/// What follows for the lane after a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TurnEnd {
    /// The head ended or is dead; `next` is what stood behind it.
    Ended { next: Option<DeliveryPos> },
    /// The head is tried again at this [`Clock::elapsed`].
    Later { due: Duration, looking: bool },
    /// The customer must be looked up, and this was not the turn to do so.
    NeedsLook,
    /// Only this scan of all customers, or a later one, can tell the customer.
    AwaitsScan(ScanNumber),
    /// A person paused the source of the head.
    SourcePaused(SourceName),
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
    /// What goes with the head in one change.
    pub(super) companions: Vec<Delivery>,
    /// It is at work on one that creates the customer for whom the head waits.
    pub(super) is_ahead: bool,
    /// What heads the lane when all of these are through.
    pub(super) next: Option<DeliveryPos>,
}

impl Context {
    pub(super) fn bindings(&self) -> MutexGuard<'_, Bindings> {
        // Each method of it leaves it in order, also when it panics half way: an entry more or less does no harm.
        self.bindings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Knows nothing of a customer any more, and of what leads there.
    pub(super) fn forget(&self, customer: Option<&CustomerId>, lines: &[FindBy]) {
        self.bindings().erase(customer, lines);
        if let Some(customer) = customer {
            self.directory.lock().forget(customer);
        }
    }

    /// The same for somebody of whom only a hash is known, or not even that: with all look-ups.
    pub(super) fn forget_noted(&self, customer: Option<LaneKey>) {
        self.bindings().clear();
        if let Some(hash) = customer {
            self.directory.lock().forget_hash(hash);
        }
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
        // Those behind it may have been in the same change.
        let most = self.settings.merge_most.get().saturating_add(1);
        let taken = self.store.take(&self.organisation, turn.lane, most).await;
        let batch = match taken {
            Ok(batch) => batch,
            Err(error) => return store_trouble(error),
        };
        let Some(delivery) = batch.first() else {
            return Ok(TurnEnd::Ended { next: None });
        };
        let next = batch.get(1).map(|next| next.pos);
        let doubt = customer
            .clone()
            .map(|customer| (customer, parts_of(&batch)));
        let account = Account {
            delivery,
            at: self.clock.now(),
            took: Duration::ZERO,
            customer,
            error: None,
            refused_with: 0,
            confirmed: Vec::new(),
            carried: Vec::new(),
            left_out: None,
            doubt,
        };
        let decision = self.decide(delivery, &Outcome::Panicked, Duration::ZERO, panics, random);
        let recorded = self.record(account, decision).await;
        self.turn_end(recorded, delivery, next, self.client.key_number())
    }

    /// Whether a request for this delivery may have left before this attempt.
    pub(super) fn is_possibly_sent(&self, delivery: &Delivery) -> bool {
        delivery.attempts > 0 || delivery.pos <= self.possibly_sent_up_to
    }

    /// The time of day after this much time, on a clock that nobody set meanwhile.
    pub(super) fn time_of(&self, elapsed: Duration) -> Timestamp {
        SignedDuration::try_from(elapsed)
            .ok()
            .and_then(|elapsed| self.began.checked_add(elapsed).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// Now, for what is asked from here on.
    pub(super) fn as_of_now(&self) -> AsOf {
        AsOf {
            accepted: *self.store.arrivals().borrow(),
            redeliveries: self.by_hand.redeliveries(),
        }
    }

    fn decide(
        &self,
        delivery: &Delivery,
        outcome: &Outcome,
        took: Duration,
        panics: u32,
        random: f64,
    ) -> Decision {
        // Who has it sent again wants its customer looked for as long as for a new one.
        let began = delivery
            .redelivery
            .map_or(delivery.accepted_at, |redelivery| redelivery.at);
        let began = self.by_hand.counts_from(&delivery.source, began);
        // A clock that is set ahead, for a moment or for good, must not end the patience with all who are looked for.
        let now = self.clock.now().min(self.time_of(self.clock.elapsed()));
        let age = now.duration_since(began);
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
        head: &Delivery,
        next: Option<DeliveryPos>,
        key: KeyNumber,
    ) -> Result<TurnEnd, StoreError> {
        match recorded {
            Ok(Recorded::Ended) => Ok(TurnEnd::Ended { next }),
            // What is there now is for the next turn to find out, from the first of the lane on.
            Ok(Recorded::NotOpen) => Ok(TurnEnd::Ended {
                next: Some(next.map_or(head.pos, |next| next.min(head.pos))),
            }),
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
            companions: Vec::new(),
            is_ahead: false,
            next: None,
        }
    }

    /// Makes the attempt. An error is one after which the store takes no more work at all.
    pub(super) async fn run(mut self) -> Result<TurnEnd, StoreError> {
        let context = Arc::clone(&self.context);
        let taken = context
            .store
            .take(&context.organisation, self.turn.lane, 2)
            .await;
        let (mut delivery, next) = match head_and_next(taken) {
            Ok(Some(taken)) => taken,
            Ok(None) => return Ok(TurnEnd::Ended { next: None }),
            Err(error) => return store_trouble(error),
        };
        if context.by_hand.is_paused(&delivery.source) {
            return Ok(TurnEnd::SourcePaused(delivery.source));
        }
        self.next = next;
        let mut brought = self.bring(&delivery).await;
        if let Ok(Effort::Came(Outcome::Missing(_))) = brought {
            match self.creator_behind(&delivery).await {
                Ok(None) => {}
                Ok(Some(creator)) => {
                    delivery = creator;
                    brought = self.bring(&delivery).await;
                }
                Err(error) => return store_trouble(error),
            }
        }
        if let Ok(Effort::LastFirst(last)) = brought {
            delivery = *last;
            brought = self.bring(&delivery).await;
        }
        match brought {
            Ok(Effort::LastFirst(_)) => Ok(TurnEnd::GivenBack),
            Ok(Effort::Done {
                is_sent,
                shares,
                confirmed,
                left_out,
            }) => {
                let known = (confirmed, left_out);
                self.settle(&delivery, is_sent, &shares, known).await
            }
            Ok(Effort::Erased) => {
                let account = self.account(&delivery, None, None);
                let recorded = context.end(account, End::Erased, None).await;
                context.turn_end(recorded, &delivery, self.next, self.key)
            }
            Ok(Effort::Came(outcome)) => self.record(&delivery, &outcome).await,
            Err(Stop::End(end)) => Ok(end),
            Err(Stop::Store(error)) => store_trouble(error),
        }
    }

    /// Writes down that the head and its companions are through.
    async fn settle(
        self,
        head: &Delivery,
        is_sent: bool,
        shares: &[Share],
        (confirmed, left_out): (Vec<AppliedPart>, Option<LeftOut>),
    ) -> Result<TurnEnd, StoreError> {
        let context = &self.context;
        let ends = batch::ends(head, &self.companions, shares, is_sent);
        let account = Account {
            confirmed,
            carried: ends.others,
            left_out,
            ..self.account(ends.carrier, None, None)
        };
        let recorded = if is_sent {
            let outcome = Outcome::Confirmed;
            let decision = context.decide(ends.carrier, &outcome, self.took, 0, self.random);
            context.record(account, decision).await
        } else {
            context.end(account, ends.end, None).await
        };
        context.turn_end(recorded, head, self.next, self.key)
    }

    /// Writes down what became of an effort that came to nothing.
    async fn record(self, head: &Delivery, outcome: &Outcome) -> Result<TurnEnd, StoreError> {
        let context = &self.context;
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
        let is_uncertain = self.is_in_doubt
            || self
                .batch(head)
                .any(|delivery| context.is_possibly_sent(delivery));
        let doubt = self
            .customer
            .clone()
            .filter(|_| is_uncertain)
            .map(|customer| (customer, parts_of(self.batch(head))));
        if is_of_one(outcome) && !self.companions.is_empty() {
            return self.part_for_good(head, error, doubt).await;
        }
        let decision = context.decide(head, outcome, self.took, 0, self.random);
        let account = self.account(head, error, doubt);
        let recorded = context.record(account, decision).await;
        context.turn_end(recorded, head, self.next, self.key)
    }

    /// Writes down of each in the batch that it was refused together with the others, so that each goes by itself from
    /// here on, also after a restart. It is the head's turn again.
    async fn part_for_good(
        &self,
        head: &Delivery,
        error: Option<&CallError>,
        doubt: Option<(CustomerId, Vec<PartKey>)>,
    ) -> Result<TurnEnd, StoreError> {
        let context = &self.context;
        let others = self.companions.len();
        for delivery in self.batch(head) {
            let decision = Decision::Retry {
                state: DeliveryState::Waiting,
                wait: Duration::ZERO,
                // By this they are told from what met trouble together.
                spent: Duration::ZERO,
            };
            let account = Account {
                refused_with: others,
                ..self.account(delivery, error, doubt.clone())
            };
            if let Err(error) = context.record(account, decision).await {
                return store_trouble(error);
            }
        }
        Ok(TurnEnd::Ended {
            next: Some(head.pos),
        })
    }

    fn account<'a>(
        &self,
        delivery: &'a Delivery,
        error: Option<&'a CallError>,
        doubt: Option<(CustomerId, Vec<PartKey>)>,
    ) -> Account<'a> {
        Account {
            delivery,
            at: self.at.unwrap_or_else(|| self.context.clock.now()),
            took: self.took,
            customer: self.customer.clone(),
            error,
            refused_with: 0,
            confirmed: Vec::new(),
            carried: Vec::new(),
            left_out: None,
            doubt,
        }
    }
}

/// Whether it is the change that Quentli does not take. One of several may be to blame, and not the others.
const fn is_of_one(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Failed(error) => matches!(error.kind, CallErrorKind::Refused),
        Outcome::Forbidden(_) => true,
        _ => false,
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
        StoreError::OutcomeUnknown { .. }
        | StoreError::Closed { .. }
        | StoreError::NotHeld { .. } => Err(error),
    }
}

fn parts_of<'a>(deliveries: impl IntoIterator<Item = &'a Delivery>) -> Vec<PartKey> {
    let parts = deliveries
        .into_iter()
        .flat_map(|delivery| delivery.patch.parts());
    let parts: BTreeSet<PartKey> = parts.map(|(part, _)| part).collect();
    parts.into_iter().collect()
}
