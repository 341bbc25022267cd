//! What an attempt asks of its dispatcher while it runs: a customer to itself, and leave for each request.
//!
//! The dispatcher alone knows the pace, the breaker and who is at work on whom, so attempts ask it by message and
//! share no state with it. A question that is dropped without an answer means: send nothing more, give the delivery
//! back.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::breaker::Failure;
use crate::{
    customer::CustomerId,
    event::{DeliveryPos, LaneKey},
    quentli::{CallError, CallErrorKind},
};

/// From an attempt to its dispatcher.
#[derive(Debug)]
pub(super) enum Message {
    /// May this lane work on this customer now? See [`Lanes::claim`](super::lanes::Lanes::claim). If so, the answer
    /// has the other lanes in which something waits for the customer.
    Claim {
        lane: LaneKey,
        head: DeliveryPos,
        customer: CustomerId,
        siblings: Vec<LaneKey>,
        reply: oneshot::Sender<Option<Vec<LaneKey>>>,
    },
    /// May a request leave? The answer comes when it may.
    Request(Request),
    /// Somebody turned up to whom these lanes may lead.
    Appeared(Vec<LaneKey>),
    /// What came back.
    Heard { of: LaneKey, word: Word },
}

/// A request that waits for leave.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) kind: RequestKind,
    pub(super) reply: oneshot::Sender<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// Looks for a customer; gets its share only while changes wait.
    Look,
    /// Reads a page of the list of customers; shares with looks.
    Page,
    /// Changes a customer, or asks whether the key is at fault.
    Change,
}

/// What an answer, or its absence, says about Quentli as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It is there and at work.
    Answered,
    Throttled {
        retry_after: Option<Duration>,
    },
    Failed(Failure),
}

impl Word {
    pub(super) fn of<T>(result: &Result<T, CallError>) -> Self {
        let Err(error) = result else {
            return Self::Answered;
        };
        match error.kind {
            CallErrorKind::Throttled => Self::Throttled {
                retry_after: error.retry_after,
            },
            CallErrorKind::Connect => Self::Failed(Failure::Unreachable),
            CallErrorKind::Interrupted | CallErrorKind::Unavailable | CallErrorKind::NotQuentli => {
                Self::Failed(Failure::Troubled)
            }
            CallErrorKind::Unauthorized
            | CallErrorKind::Forbidden
            | CallErrorKind::NotFound
            | CallErrorKind::Refused => Self::Answered,
        }
    }
}

/// The dispatcher does not want anything more to be sent.
#[derive(Debug)]
pub(super) struct Shut;

/// An attempt's way to its dispatcher.
#[derive(Clone, Debug)]
pub(super) struct Permits(mpsc::Sender<Message>);

impl Permits {
    /// A way to a dispatcher that reads the other end; at most `capacity` messages wait.
    pub(super) fn new(capacity: usize) -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    pub(super) async fn claim(
        &self,
        lane: LaneKey,
        head: DeliveryPos,
        customer: &CustomerId,
        siblings: Vec<LaneKey>,
    ) -> Result<Option<Vec<LaneKey>>, Shut> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Claim {
            lane,
            head,
            customer: customer.clone(),
            siblings,
            reply,
        };
        self.0.send(message).await.map_err(|_| Shut)?;
        answer.await.map_err(|_| Shut)
    }

    /// Returns when the request may leave.
    pub(super) async fn request(&self, kind: RequestKind) -> Result<(), Shut> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Request(Request { kind, reply });
        self.0.send(message).await.map_err(|_| Shut)?;
        answer.await.map_err(|_| Shut)
    }

    /// Tells which lanes may lead to somebody who turned up.
    pub(super) async fn appeared(&self, lanes: Vec<LaneKey>) {
        if !lanes.is_empty() {
            self.0.send(Message::Appeared(lanes)).await.ok();
        }
    }

    /// Tells what came back from a request about `of`, so that it counts at once.
    pub(super) async fn heard(&self, of: LaneKey, word: Word) {
        // A dispatcher that is gone needs no news.
        self.0.send(Message::Heard { of, word }).await.ok();
    }
}
