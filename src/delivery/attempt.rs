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
    decision::{Decision, Facts, Outcome, decide, may_be_applied},
    lanes::Turn,
    permits::{Permits, RequestKind, Shut, Word},
    recorder::{Account, Recorded},
};
use crate::{
    clock::Clock,
    customer::{CustomerId, FindBy, PartKey, Patch},
    dedup::{self, Known, Selection},
    event::{Delivery, DeliveryPos, End, LaneKey, OrganisationName},
    quentli::{CallError, CallErrorKind, Client, Customer, Found, Search},
    store::{AppliedPart, Store, StoreError},
    telemetry::{ApiCall, Metrics},
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
    /// Another lane is at work on the customer, or comes first.
    NotItsTurn,
    /// The dispatcher wants nothing more to be sent.
    GivenBack,
    /// Quentli refuses the key.
    KeyRefused,
    /// The store could not read; again in a moment.
    StoreAway,
    /// The store cannot read or write this one at all.
    Broken,
}

/// One attempt on its way.
pub(super) struct Attempt {
    context: Arc<Context>,
    turn: Turn,
    /// Drawn evenly from 0 to 1.
    random: f64,
    /// When its first request left.
    at: Option<Timestamp>,
    /// Time spent in requests; waiting for leave does not count.
    took: Duration,
    customer: Option<CustomerId>,
    /// Whether a change left whose outcome is not known.
    is_in_doubt: bool,
}

/// Why an attempt stopped without an outcome.
enum Stop {
    End(TurnEnd),
    Store(StoreError),
}

/// Who the customer is.
enum Sought {
    Found {
        customer: CustomerId,
        /// Other lanes that lead to the same customer.
        siblings: Vec<LaneKey>,
    },
    Nobody,
    /// It could not be found out, and this is why.
    Not(Outcome),
}

/// How far the effort to change a customer came.
enum Effort {
    Sent(Patch),
    /// Nothing needed sending.
    Spared {
        end: End,
        confirmed: Vec<AppliedPart>,
    },
    Came(Outcome),
}

impl From<Shut> for Stop {
    fn from(Shut: Shut) -> Self {
        Self::End(TurnEnd::GivenBack)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
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
        self.turn_end(recorded, next)
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
    ) -> Result<TurnEnd, StoreError> {
        match recorded {
            Ok(Recorded::Ended) => Ok(TurnEnd::Ended { next }),
            Ok(Recorded::Later { wait, looking }) => Ok(TurnEnd::Later {
                due: self.clock.elapsed().saturating_add(wait),
                looking,
            }),
            Ok(Recorded::Untouched) => Ok(TurnEnd::KeyRefused),
            Err(error) => store_trouble(error),
        }
    }
}

impl Attempt {
    pub(super) fn new(context: Arc<Context>, turn: Turn, random: f64) -> Self {
        Self {
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
                context.turn_end(ended, next)
            }
            Ok(Effort::Sent(patch)) => {
                let outcome = Outcome::Confirmed;
                self.record(&delivery, next, &outcome, Some(&patch)).await
            }
            Ok(Effort::Came(outcome)) => self.record(&delivery, next, &outcome, None).await,
            Err(Stop::End(end)) => Ok(end),
            Err(Stop::Store(error)) => store_trouble(error),
        }
    }

    /// Brings a delivery to Quentli. Where the customer turns out to be gone, it is looked for once more.
    async fn bring(&mut self, delivery: &Delivery) -> Result<Effort, Stop> {
        let context = Arc::clone(&self.context);
        let mut gone: Option<(CustomerId, CallError)> = None;
        loop {
            let (customer, siblings) = match self.seek(delivery, gone.is_some()).await? {
                Sought::Found { customer, siblings } => (customer, siblings),
                Sought::Nobody => {
                    let answer = gone.map(|(_, answer)| answer);
                    return Ok(Effort::Came(Outcome::Missing(answer)));
                }
                Sought::Not(outcome) => return Ok(Effort::Came(outcome)),
            };
            if let Some((_, answer)) = gone.take_if(|(gone, _)| *gone == customer) {
                return Ok(Effort::Came(Outcome::Missing(Some(answer))));
            }
            let is_ours = context
                .permits
                .claim(self.turn.lane, delivery.pos, &customer, siblings)
                .await?;
            if !is_ours {
                return Err(Stop::End(TurnEnd::NotItsTurn));
            }
            self.customer = Some(customer.clone());
            let patch = match self.select(delivery, &customer).await? {
                Selection::Send(patch) => patch,
                Selection::Nothing { end, confirmed } => {
                    return Ok(Effort::Spared { end, confirmed });
                }
            };
            let who = LaneKey::of("id", customer.as_str());
            let sent = context.client.update(&customer, &patch);
            let answer = self.call(ApiCall::Update, who, sent).await?;
            match answer {
                Ok(_) => {
                    context.bindings().changed(&customer, &patch);
                    return Ok(Effort::Sent(patch));
                }
                Err(error) if error.kind == CallErrorKind::NotFound => {
                    context.bindings().forget(&customer);
                    if gone.is_some() || delivery.customer.find.is_empty() {
                        return Ok(Effort::Came(Outcome::Missing(Some(error))));
                    }
                    self.customer = None;
                    gone = Some((customer, error));
                }
                Err(error) => {
                    if may_be_applied(error.kind) {
                        self.is_in_doubt = true;
                        context.bindings().changed(&customer, &patch);
                    }
                    return Ok(Effort::Came(self.of_failure(error).await?));
                }
            }
        }
    }

    /// Finds the customer: by identifier, else by the lines in their order. `again`: who was
    /// found before turned out to be gone.
    async fn seek(&mut self, delivery: &Delivery, again: bool) -> Result<Sought, Stop> {
        if let Some(id) = &delivery.customer.id
            && !again
        {
            return Ok(Sought::Found {
                customer: id.clone(),
                siblings: Vec::new(),
            });
        }
        let context = Arc::clone(&self.context);
        for line in &delivery.customer.find {
            let now = context.clock.elapsed();
            let known = context.bindings().customer(line, now).cloned();
            if let Some(customer) = known {
                return Ok(Sought::Found {
                    customer,
                    siblings: Vec::new(),
                });
            }
            if context
                .bindings()
                .is_missing(line, delivery.accepted_at, now)
            {
                continue;
            }
            let Some(search) = Search::of(line) else {
                return Ok(Sought::Not(Outcome::Unsearchable));
            };
            if !self.turn.may_look && !again {
                return Err(Stop::End(TurnEnd::NeedsLook));
            }
            let lane = self.turn.lane;
            let asked_at = context.clock.now();
            match self
                .call(ApiCall::Find, lane, context.client.find(search))
                .await?
            {
                Ok(Found::One(customer)) => {
                    let now = context.clock.elapsed();
                    context.bindings().found(line, &customer.id, now);
                    return Ok(Sought::Found {
                        siblings: lanes_of(&customer),
                        customer: customer.id,
                    });
                }
                Ok(Found::None) => {
                    let now = context.clock.elapsed();
                    context.bindings().missed(line, asked_at, now);
                }
                Ok(Found::Several) => return Ok(Sought::Not(Outcome::Ambiguous)),
                Err(error) => return Ok(Sought::Not(self.of_failure(error).await?)),
            }
        }
        Ok(Sought::Nobody)
    }

    async fn select(
        &self,
        delivery: &Delivery,
        customer: &CustomerId,
    ) -> Result<Selection, StoreError> {
        let context = &self.context;
        let applied = context
            .store
            .applied(&context.organisation, customer)
            .await?;
        let known = Known {
            applied: &applied,
            value_key: context.store.value_key(),
            max_age: context.settings.unchanged_for,
        };
        let now = context.clock.now();
        Ok(dedup::select(
            delivery,
            &known,
            self.is_possibly_sent(delivery),
            now,
        ))
    }

    /// What a failed call means. A refusal of the key is judged by whether another call is refused as well.
    async fn of_failure(&mut self, error: CallError) -> Result<Outcome, Stop> {
        if !is_refusal_of_key(error.kind) {
            return Ok(Outcome::Failed(error));
        }
        let context = Arc::clone(&self.context);
        let lane = self.turn.lane;
        let probe = self
            .call(ApiCall::Probe, lane, context.client.probe())
            .await?;
        Ok(match probe {
            Ok(()) => Outcome::Forbidden(error),
            Err(probe) if is_refusal_of_key(probe.kind) => Outcome::KeyRefused(error),
            Err(_) => Outcome::Failed(error),
        })
    }

    /// Makes one request, when it may leave, and tells at once what came back.
    async fn call<T>(
        &mut self,
        call: ApiCall,
        of: LaneKey,
        request: impl Future<Output = Result<T, CallError>>,
    ) -> Result<Result<T, CallError>, Stop> {
        let context = Arc::clone(&self.context);
        let kind = match call {
            ApiCall::Find | ApiCall::Get => RequestKind::Look,
            ApiCall::Update | ApiCall::Create | ApiCall::Probe => RequestKind::Change,
        };
        context.permits.request(kind).await?;
        self.at.get_or_insert_with(|| context.clock.now());
        let started = context.clock.elapsed();
        let answer = request.await;
        let took = context.clock.elapsed().saturating_sub(started);
        self.took = self.took.saturating_add(took);
        context.metrics.call(&context.organisation, call, took);
        context.permits.heard(of, Word::of(&answer)).await;
        Ok(answer)
    }

    async fn record(
        self,
        delivery: &Delivery,
        next: Option<DeliveryPos>,
        outcome: &Outcome,
        sent: Option<&Patch>,
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
            | Outcome::Unsearchable
            | Outcome::Panicked => None,
        };
        let confirmed = sent.map_or_else(Vec::new, |patch| {
            dedup::confirmed(delivery, patch, context.store.value_key(), now)
        });
        let doubt = self
            .customer
            .clone()
            .filter(|_| sent.is_none() && (self.is_in_doubt || self.is_possibly_sent(delivery)))
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
        context.turn_end(recorded, next)
    }

    /// Whether a request for this delivery may have left before this attempt.
    fn is_possibly_sent(&self, delivery: &Delivery) -> bool {
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

/// The lanes in which updates of this customer may wait.
fn lanes_of(customer: &Customer) -> Vec<LaneKey> {
    let by_id = LaneKey::of("id", customer.id.as_str());
    let lines = [
        customer
            .username
            .as_deref()
            .map(|username| FindBy::Username(username.trim().to_owned())),
        customer
            .email
            .as_deref()
            .map(|email| FindBy::Email(email.trim().to_lowercase())),
    ];
    std::iter::once(by_id)
        .chain(lines.into_iter().flatten().map(|line| line.lane()))
        .collect()
}

const fn is_refusal_of_key(kind: CallErrorKind) -> bool {
    matches!(kind, CallErrorKind::Unauthorized | CallErrorKind::Forbidden)
}
