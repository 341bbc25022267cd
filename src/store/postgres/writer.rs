//! The one task that accepts. It takes all requests that wait, puts them into one transaction, and answers them when that is
//! committed; meanwhile the next gather. No request waits for company.
//!
//! Requests of a group do not share their fate unless the server does: when one of them cannot be (a broken value), the
//! transaction is rolled back, and each is tried alone.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    accept::{self, Asked, Given},
    connect::Lender,
    durable::Trust,
    fault::Fault,
    session::Session,
    watcher::announce,
};
use crate::{
    event::DeliveryPos,
    store::{Acceptance, KnownRequest, StoreError, health::Health, rows::EventRows},
};

/// What is asked of the writer.
pub(super) enum Job {
    Accept(Call<EventRows, Acceptance>),
    Known(Call<KnownRequest, Option<Acceptance>>),
}

/// What one call brings, and who waits for the answer.
pub(super) struct Call<I, O> {
    pub(super) input: Box<I>,
    reply: oneshot::Sender<Result<O, StoreError>>,
}

pub(super) type Reply<O> = oneshot::Receiver<Result<O, StoreError>>;

impl<I, O> Call<I, O> {
    pub(super) fn new(input: I) -> (Self, Reply<O>) {
        let (reply, answer) = oneshot::channel();
        let call = Self {
            input: Box::new(input),
            reply,
        };
        (call, answer)
    }

    fn answer(self, answer: Result<O, Fault>) {
        // Nobody waits any more when the caller was dropped; the work is done all the same.
        drop(self.reply.send(answer.map_err(Fault::error)));
    }
}

impl Job {
    fn asked(&self) -> Asked<'_> {
        match self {
            Self::Accept(call) => Asked::Accept(&call.input),
            Self::Known(call) => Asked::Known(&call.input),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Accept(call) => call.input.size(),
            Self::Known(_) => 0,
        }
    }

    fn answer(self, given: Result<Given, Fault>) {
        let mixed = || Fault::Call("a call got the answer of another".to_owned());
        match self {
            Self::Accept(call) => call.answer(given.and_then(|given| given.ok_or_else(mixed))),
            Self::Known(call) => call.answer(given),
        }
    }
}

/// How much goes into one transaction.
const MOST_CALLS: usize = 256;
const MOST_BYTES: u64 = 8 << 20;

pub(super) struct Writer {
    pub(super) pool: Lender,
    pub(super) slot: i16,
    pub(super) arrivals: Arc<watch::Sender<DeliveryPos>>,
    pub(super) health: Arc<Health>,
    pub(super) trust: Arc<Trust>,
}

impl Writer {
    /// Works until all senders are gone and everything asked before is answered.
    pub(super) async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        while let Some(first) = jobs.recv().await {
            let mut bytes = first.size();
            group.push(first);
            while group.len() < MOST_CALLS
                && bytes < MOST_BYTES
                && let Ok(next) = jobs.try_recv()
            {
                bytes = bytes.saturating_add(next.size());
                group.push(next);
            }
            self.write(&mut group).await;
        }
    }

    async fn write(&self, group: &mut Vec<Job>) {
        match self.commit(group).await {
            Ok(answers) => {
                for (job, answer) in group.drain(..).zip(answers) {
                    job.answer(Ok(answer));
                }
            }
            Err(Fault::Call(_)) if group.len() > 1 => {
                for job in group.drain(..) {
                    let alone = self.commit(std::slice::from_ref(&job)).await;
                    job.answer(alone.and_then(|mut answers| {
                        let none = || Fault::Call("a call got no answer".to_owned());
                        answers.pop().ok_or_else(none)
                    }));
                }
            }
            Err(fault) => {
                for job in group.drain(..) {
                    job.answer(Err(fault.clone()));
                }
            }
        }
    }

    /// The answers, in the order of the jobs, when they are durable.
    async fn commit(&self, group: &[Job]) -> Result<Vec<Given>, Fault> {
        let committed = async {
            let session = Session::new(self.pool.get().await?);
            let asked: Vec<Asked<'_>> = group.iter().map(Job::asked).collect();
            accept::accept(&session, self.slot, &self.trust, &asked).await
        }
        .await;
        match committed {
            Ok(done) => {
                self.health.recovered();
                announce(&self.arrivals, done.newest);
                Ok(done.answers)
            }
            Err(fault) => {
                if let Fault::Moment(what) = &fault {
                    self.health.trouble(what.clone());
                }
                Err(fault)
            }
        }
    }
}
