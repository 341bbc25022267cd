//! Why a request is refused: what its sender is told, what the log and the metrics say, and what may be written down of it.

use std::{net::IpAddr, time::Duration};

use http::{header, request::Parts};

use super::{admission::Denied, rejected::Seen};
use crate::{
    problem::Problem,
    verify::{self, Peer, Received},
};

/// Why a request is refused: what the sender is told, and what the log and the metric say.
pub(super) struct Refusal {
    pub(super) problem: Problem,
    pub(super) reason: &'static str,
    /// The request, where it may be written down.
    pub(super) seen: Option<Seen>,
    /// Whether it may be an event whose check failed, so that it can be tried again.
    pub(super) may_be_event: bool,
    /// When to come back, where that is known more exactly than for all problems of the kind.
    pub(super) retry_after: Option<Duration>,
    /// Only where the address is the reason.
    pub(super) client: Option<IpAddr>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            reason: problem.name(),
            seen: None,
            may_be_event: false,
            retry_after: None,
            client: None,
        }
    }
}

impl Refusal {
    /// Refuses before the body was read to the end.
    pub(super) fn of_head(problem: Problem, head: Parts, peer: Peer) -> Self {
        Self {
            seen: Some(Seen::Head(Box::new(head), peer)),
            ..problem.into()
        }
    }

    /// Refuses who may not call, or not now.
    pub(super) fn of_caller(denied: Denied, head: Parts, peer: Peer) -> Self {
        match denied {
            Denied::NotAllowed => Self {
                client: Some(peer.client),
                ..Self::of_head(Problem::NotAllowed, head, peer)
            },
            Denied::TooMany(wait) => Self {
                retry_after: Some(wait),
                ..Self::of_head(Problem::TooManyRequests, head, peer)
            },
        }
    }

    /// Refuses an event whose check failed.
    pub(super) fn of_event(refusal: verify::Refusal, received: Received) -> Self {
        Self {
            may_be_event: true,
            ..Self::of_handshake(refusal, received)
        }
    }

    /// Refuses what asked for something else than to be stored.
    pub(super) fn of_handshake(refusal: verify::Refusal, received: Received) -> Self {
        let problem = if refusal.is_of_handshake() {
            Problem::HandshakeRefused
        } else if refusal == verify::Refusal::NoKeySet {
            // An honest sender sends it again, and by then we may have its keys.
            Problem::SourceUnavailable
        } else if refusal.is_unverifiable() {
            unverifiable(&received)
        } else {
            Problem::NotVerified
        };
        Self {
            problem,
            reason: refusal.as_str(),
            seen: Some(Seen::Whole(Box::new(received))),
            ..problem.into()
        }
    }
}

/// The signature or token stands inside a JSON body that cannot be read: because it is another kind of body, or
/// because it is broken.
fn unverifiable(received: &Received) -> Problem {
    let kind = received
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    match kind {
        Some(kind) if !kind.to_ascii_lowercase().contains("json") => Problem::UnsupportedMediaType,
        _ => Problem::Unreadable,
    }
}
