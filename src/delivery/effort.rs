//! What an attempt does at Quentli: find the customer, send what needs sending, understand the answer.

use std::sync::Arc;

use super::{
    attempt::{Attempt, TurnEnd},
    decision::{Outcome, may_be_applied},
    permits::{RequestKind, Shut, Word},
    seek::{Afresh, Sought},
};
use crate::{
    customer::{CustomerId, OnMissing, Patch},
    dedup::{self, Known, Selection},
    event::{Delivery, End, LaneKey},
    quentli::{CallError, CallErrorKind},
    store::{AppliedPart, StoreError},
    telemetry::ApiCall,
};

/// How far an effort came.
pub(super) enum Effort {
    /// Quentli confirmed this.
    Sent(Patch),
    /// Nothing needed sending.
    Spared {
        end: End,
        confirmed: Vec<AppliedPart>,
    },
    Came(Outcome),
}

/// Why an effort stopped without an outcome.
pub(super) enum Stop {
    End(TurnEnd),
    Store(StoreError),
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

impl Attempt {
    /// Brings a delivery to Quentli. What is remembered of customers can be wrong by now: one that turns out to be
    /// gone, and one that turns out to exist when it is to be created, are looked for once more.
    pub(super) async fn bring(&mut self, delivery: &Delivery) -> Result<Effort, Stop> {
        let mut gone: Option<(CustomerId, CallError)> = None;
        let mut not_created: Option<CallError> = None;
        loop {
            let afresh = if not_created.is_some() {
                Afresh::Everything
            } else if gone.is_some() {
                Afresh::Identifier
            } else {
                Afresh::Nothing
            };
            let (customer, siblings) = match self.seek(delivery, afresh).await? {
                Sought::Found { customer, siblings } => (customer, siblings),
                Sought::Not(outcome) => return Ok(Effort::Came(outcome)),
                Sought::Nobody => {
                    if let Some(refusal) = not_created {
                        return Ok(Effort::Came(Outcome::Failed(refusal)));
                    }
                    let OnMissing::Create(fields) = &delivery.customer.on_missing else {
                        let answer = gone.map(|(_, answer)| answer);
                        return Ok(Effort::Came(Outcome::Missing(answer)));
                    };
                    match self.create(delivery, fields).await? {
                        Ok(effort) => return Ok(effort),
                        Err(refusal) => not_created = Some(refusal),
                    }
                    continue;
                }
            };
            if let Some((_, answer)) = gone.take_if(|(gone, _)| *gone == customer) {
                return Ok(Effort::Came(Outcome::Missing(Some(answer))));
            }
            self.claim(delivery, &customer, siblings).await?;
            let patch = match self.select(delivery, &customer).await? {
                Selection::Send(patch) => patch,
                Selection::Nothing { end, confirmed } => {
                    return Ok(Effort::Spared { end, confirmed });
                }
            };
            match self.change(&customer, &patch).await? {
                Ok(()) => return Ok(Effort::Sent(patch)),
                Err(answer) if answer.kind == CallErrorKind::NotFound => {
                    self.context.bindings().forget(&customer);
                    if gone.is_some() || delivery.customer.find.is_empty() {
                        return Ok(Effort::Came(Outcome::Missing(Some(answer))));
                    }
                    self.customer = None;
                    gone = Some((customer, answer));
                }
                Err(answer) => return Ok(Effort::Came(self.of_failure(answer).await?)),
            }
        }
    }

    /// Sends a change for a customer whom this attempt has claimed.
    pub(super) async fn change(
        &mut self,
        customer: &CustomerId,
        patch: &Patch,
    ) -> Result<Result<(), CallError>, Stop> {
        let context = Arc::clone(&self.context);
        let who = LaneKey::of("id", customer.as_str());
        let request = context.client.update(customer, patch);
        let answer = self.call(ApiCall::Update, who, request).await?;
        let is_in_doubt = answer
            .as_ref()
            .is_err_and(|error| may_be_applied(error.kind));
        if answer.is_ok() || is_in_doubt {
            context.bindings().changed(customer, patch);
        }
        self.is_in_doubt |= is_in_doubt;
        Ok(answer.map(|_| ()))
    }

    /// Has the customer to itself from here on, or stops.
    pub(super) async fn claim(
        &mut self,
        delivery: &Delivery,
        customer: &CustomerId,
        siblings: Vec<LaneKey>,
    ) -> Result<(), Stop> {
        let permits = &self.context.permits;
        let is_granted = permits
            .claim(self.turn.lane, delivery.pos, customer, siblings)
            .await?;
        if !is_granted {
            return Err(Stop::End(TurnEnd::NotItsTurn));
        }
        self.customer = Some(customer.clone());
        Ok(())
    }

    /// What a failed call means. A refusal of the key is judged by whether another call is refused as well; not where
    /// the key was replaced meanwhile, since then the two calls say nothing of each other.
    pub(super) async fn of_failure(&mut self, error: CallError) -> Result<Outcome, Stop> {
        if !is_refusal_of_key(error.kind) {
            return Ok(Outcome::Failed(error));
        }
        let context = Arc::clone(&self.context);
        let lane = self.turn.lane;
        let probe = self
            .call(ApiCall::Probe, lane, context.client.probe())
            .await?;
        if context.client.key_number() != self.key {
            return Err(Stop::End(TurnEnd::GivenBack));
        }
        Ok(match probe {
            Ok(()) => Outcome::Forbidden(error),
            Err(probe) if is_refusal_of_key(probe.kind) => Outcome::KeyRefused(error),
            Err(_) => Outcome::Failed(error),
        })
    }

    /// Makes one request, when it may leave, and tells at once what came back. `of` is whose trouble it would be.
    pub(super) async fn call<T>(
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
        let possibly_sent = self.is_possibly_sent(delivery);
        Ok(dedup::select(
            delivery,
            &known,
            possibly_sent,
            context.clock.now(),
        ))
    }
}

const fn is_refusal_of_key(kind: CallErrorKind) -> bool {
    matches!(kind, CallErrorKind::Unauthorized | CallErrorKind::Forbidden)
}
