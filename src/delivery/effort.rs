//! What an attempt does at Quentli: find the customer, send what needs sending, understand the answer.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    attempt::{Attempt, Context, TurnEnd},
    batch::{is_part_of, met_trouble_enough},
    contact::may_be_conflict,
    decision::{Outcome, may_be_applied},
    directory::Mark,
    permits::{RequestKind, Shut, Word},
    seek::{Afresh, Sought},
};
use crate::{
    customer::{CustomerId, OnMissing, PartKey, Patch},
    dedup::{self, Candidate, Known, Selection, Share},
    event::{Delivery, LaneKey},
    quentli::{CallError, CallErrorKind, Customer},
    store::{AppliedPart, LeftOut, StoreError},
    telemetry::ApiCall,
};

/// How far an effort came.
pub(super) enum Effort {
    /// Quentli confirmed it, or nothing needed sending.
    Done {
        is_sent: bool,
        /// Of the head and what went with it.
        shares: Vec<Share>,
        /// What is known now.
        confirmed: Vec<AppliedPart>,
        /// What Quentli did not take of the head, which then went by itself.
        left_out: Option<LeftOut>,
    },
    Came(Outcome),
    /// The head and what goes with it met trouble again and again: this one, the last of them, goes by itself first.
    LastFirst(Box<Delivery>),
    /// Its customer was erased after it was accepted; nothing was sent.
    Erased,
}

/// A request that was made.
pub(super) struct Asked<T> {
    pub(super) answer: Result<T, CallError>,
    /// When it left.
    pub(super) at: Timestamp,
    pub(super) took: Duration,
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
    /// Brings a delivery to Quentli. A refusal that says nothing against the key counts only when it is heard twice: a key
    /// may be refused for a moment, also by one of several servers, and be good again when it is probed. What went
    /// together with others is asked about again one by one.
    pub(super) async fn bring(&mut self, delivery: &Delivery) -> Result<Effort, Stop> {
        match self.bring_once(delivery).await? {
            Effort::Came(Outcome::Forbidden(_)) if self.companions.is_empty() => {
                self.bring_once(delivery).await
            }
            effort => Ok(effort),
        }
    }

    /// Brings a delivery to Quentli. What is remembered of customers can be wrong by now: one that turns out to be
    /// gone, and one that turns out to exist when it is to be created, are looked for once more.
    async fn bring_once(&mut self, delivery: &Delivery) -> Result<Effort, Stop> {
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
                    let refusal = match not_created.take() {
                        Some(refusal) if !may_be_conflict(delivery, &refusal) => {
                            return Ok(Effort::Came(Outcome::Failed(refusal)));
                        }
                        refusal => refusal,
                    };
                    let OnMissing::Create(fields) = &delivery.customer.on_missing else {
                        let answer = gone.map(|(_, answer)| answer);
                        return Ok(Effort::Came(Outcome::Missing(answer)));
                    };
                    match self.create(delivery, fields, refusal.as_ref()).await? {
                        Ok(effort) => return Ok(effort),
                        Err(again) if refusal.is_some() => {
                            return Ok(Effort::Came(Outcome::Failed(again)));
                        }
                        Err(refusal) => not_created = Some(refusal),
                    }
                    continue;
                }
            };
            if let Some((_, answer)) = gone.take_if(|(gone, _)| *gone == customer) {
                return Ok(Effort::Came(Outcome::Missing(Some(answer))));
            }
            let others = self.claim(delivery, &customer, siblings).await?;
            if self.context.by_hand.is_erased(&customer, delivery.pos) {
                return Ok(Effort::Erased);
            }
            self.gather(delivery, &customer, others).await?;
            if gone.is_some() || not_created.is_some() {
                self.part();
            }
            let batch = self.batch(delivery);
            let (mut selection, mut confirmed) = self.select(batch, &customer).await?;
            if !self.goes_alone() && met_trouble_enough(delivery) && !selection.patch.is_empty() {
                if let Some(last) = self.last_of_troubled(delivery) {
                    let (alone, _) = self.select(std::iter::once(last), &customer).await?;
                    if is_part_of(&alone.patch, &selection.patch)
                        && let Some(last) = self.last_goes_first(delivery)
                    {
                        return Ok(Effort::LastFirst(Box::new(last)));
                    }
                }
                self.part();
                (selection, confirmed) = self.select(self.batch(delivery), &customer).await?;
            }
            let is_sent = !selection.patch.is_empty();
            let answer = if is_sent {
                // Before it leaves: who this process dies over, or a person ends meanwhile, may name the customer by a key of
                // which nobody knows later whose it was.
                if !confirmed.is_empty() {
                    let context = &self.context;
                    let doubt = context
                        .store
                        .doubt(&context.organisation, &customer, confirmed);
                    doubt.await?;
                }
                self.change(&customer, &selection.patch).await?
            } else {
                Ok(())
            };
            match answer {
                Ok(()) => {
                    return Ok(Effort::Done {
                        is_sent,
                        shares: std::mem::take(&mut selection.shares),
                        confirmed: selection.confirmed(self.context.clock.now()),
                        left_out: None,
                    });
                }
                Err(answer) if answer.kind == CallErrorKind::NotFound => {
                    self.context.bindings().forget(&customer);
                    self.context.directory.lock().forget(&customer);
                    self.part();
                    if gone.is_some() || delivery.customer.find.is_empty() {
                        return Ok(Effort::Came(Outcome::Missing(Some(answer))));
                    }
                    self.customer = None;
                    gone = Some((customer, answer));
                }
                Err(answer) if self.goes_alone() && may_be_conflict(delivery, &answer) => {
                    return self
                        .change_without_contact(delivery, &customer, selection, answer)
                        .await;
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
        if answer.is_ok() {
            context.note_change(customer, patch).await;
        }
        self.is_in_doubt |= is_in_doubt;
        Ok(answer.map(|_| ()))
    }

    /// Has the customer to itself from here on, or stops. Gives the other lanes in which something waits for it.
    pub(super) async fn claim(
        &mut self,
        delivery: &Delivery,
        customer: &CustomerId,
        siblings: Vec<LaneKey>,
    ) -> Result<Vec<LaneKey>, Stop> {
        let permits = &self.context.permits;
        // What goes ahead does so in the place of the head.
        let head = self.next.filter(|_| self.is_ahead);
        let head = head.map_or(delivery.pos, |head| head.min(delivery.pos));
        let granted = permits
            .claim(self.turn.lane, head, customer, siblings)
            .await?;
        let others = granted.ok_or(Stop::End(TurnEnd::NotItsTurn))?;
        self.customer = Some(customer.clone());
        Ok(others)
    }

    /// What a failed call means. A refusal of the key is judged by whether another call is refused as well; not where
    /// the key was replaced meanwhile, since then the two calls say nothing of each other.
    pub(super) async fn of_failure(&mut self, error: CallError) -> Result<Outcome, Stop> {
        if !error.kind.is_refusal_of_key() {
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
            Err(probe) if probe.kind.is_refusal_of_key() => Outcome::KeyRefused(error),
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
        let asked = self.context.ask(call, of, request).await?;
        self.at.get_or_insert(asked.at);
        self.took = self.took.saturating_add(asked.took);
        Ok(asked.answer)
    }

    /// What of a batch is to be sent, and which parts of that had a value that Quentli confirmed.
    async fn select<'d>(
        &self,
        batch: impl Iterator<Item = &'d Delivery>,
        customer: &CustomerId,
    ) -> Result<(Selection, Vec<PartKey>), StoreError> {
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
        let candidates: Vec<Candidate<'_>> = batch
            .map(|delivery| Candidate {
                delivery,
                possibly_sent: context.is_possibly_sent(delivery),
            })
            .collect();
        let selection = dedup::select(&candidates, &known, context.clock.now());
        let sent = selection.patch.parts().into_iter().map(|(part, _)| part);
        let confirmed = sent.filter(|part| {
            let is_meant = |known: &AppliedPart| known.part == *part && !known.is_in_doubt;
            applied.iter().any(is_meant)
        });
        let confirmed = confirmed.collect();
        Ok((selection, confirmed))
    }
}

impl Context {
    /// Makes one request, when it may leave, and tells at once what came back. `of` is whose trouble it would be.
    pub(super) async fn ask<T>(
        &self,
        call: ApiCall,
        of: LaneKey,
        request: impl Future<Output = Result<T, CallError>>,
    ) -> Result<Asked<T>, Shut> {
        let kind = match call {
            ApiCall::Find | ApiCall::Get => RequestKind::Look,
            ApiCall::List => RequestKind::Page,
            ApiCall::Update | ApiCall::Create | ApiCall::Probe => RequestKind::Change,
        };
        self.permits.request(kind).await?;
        // As late as can be: a process may have been stopped since it got leave.
        if !self.tenure.covers(self.clock.elapsed()) {
            return Err(Shut);
        }
        let at = self.clock.now();
        let started = self.clock.elapsed();
        let answer = request.await;
        let took = self.clock.elapsed().saturating_sub(started);
        self.metrics.call(&self.organisation, call, took);
        self.permits.heard(of, Word::of(&answer)).await;
        Ok(Asked { answer, at, took })
    }

    /// Keeps the directory up to what we changed of a customer, and Quentli confirmed.
    pub(super) async fn note_change(&self, customer: &CustomerId, patch: &Patch) {
        let keys = self.directory.lock().keys();
        if let Some(row) = keys.row_of_change(customer, patch) {
            let lanes = self.directory.lock().change(row);
            self.permits.appeared(lanes).await;
        }
    }

    /// Keeps the directory up to what Quentli showed of a customer in answer to a request that left at `mark`.
    pub(super) async fn note_record(&self, customer: &Customer, mark: Mark) {
        let keys = self.directory.lock().keys();
        if let Some(row) = keys.row(customer) {
            let lanes = self.directory.lock().learn(row, mark);
            self.permits.appeared(lanes).await;
        }
    }
}
