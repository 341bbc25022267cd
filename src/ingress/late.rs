//! Accepts requests later that were refused when they came: after a secret was mistyped, or a clock was wrong.
//!
//! A kept request is verified again with what its source's file says *now*, at the time at which it *came*: its
//! signed time is judged by that moment, or nothing older than some minutes could ever be accepted. That opens no
//! door: the moment is the one that our own clock wrote down, so a request whose signed time was wrong then is wrong
//! for ever; nothing is accepted that would not have been accepted had the settings been right at once; and requests
//! are kept for a week at most. Whoever sends something twice meets the same dedup keys as with live requests.
//!
//! Who called is judged by what was known when it came, too: its address by the source's allow-list of now, and the
//! header of a client certificate counts only where a proxy that was trusted then handed it on.
//!
//! What passes goes the way of every event ([`Ingress::take_in`]), and loses its kept request after that. A crash in
//! between leaves both, and the next try finds a duplicate.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{Ingress, admission::may_call, refusal::Refusal, take_in::Done};
use crate::{
    event::{EventSeq, SourceName},
    problem::Problem,
    source::Lookup,
    store::{Acceptance, KeptRequest, RefusedId, RefusedRecord, StoreError},
    telemetry::RequestResult,
    verify::{self, Peer, Received},
};

/// What became of a request that was to be accepted later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    Accepted(EventSeq),
    /// It had come another time, and was accepted then.
    Duplicate(EventSeq),
    /// It is still refused, for this reason, and stays.
    Refused(&'static str),
}

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum NotTried {
    #[error("there is no such request")]
    Unknown,
    #[error("it is not kept whole (any more), so it cannot be verified again")]
    NotKept,
    #[error("it was accepted before, as event {0}")]
    Accepted(EventSeq),
    #[error("its source has no file any more, or one with mistakes")]
    NoSource,
    #[error("the gateway cannot take events now")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LateCounts {
    pub accepted: u64,
    pub duplicate: u64,
    pub refused: u64,
    /// The last one that was tried; more may come after it.
    pub last: Option<RefusedId>,
    /// Whether there are more.
    pub more: bool,
}

impl Ingress {
    /// A kept request as it came, with its record.
    ///
    /// # Errors
    /// It is not there, or not whole.
    pub async fn kept(&self, id: RefusedId) -> Result<(RefusedRecord, Received), NotTried> {
        let record = self.refused.refused_one(id).await?;
        let record = record.ok_or(NotTried::Unknown)?;
        let Some(kept) = self.refused.kept_request(id).await? else {
            return Err(record
                .accepted
                .map_or(NotTried::NotKept, NotTried::Accepted));
        };
        let received = self.received(kept).ok_or(NotTried::NotKept)?;
        Ok((record, received))
    }

    /// Tries a kept request again.
    ///
    /// # Errors
    /// It is not there, or nothing can be taken now. Nothing was changed.
    pub async fn accept_later(&self, id: RefusedId) -> Result<Late, NotTried> {
        let (record, received) = self.kept(id).await?;
        let Lookup::Ready(source) = self.sources.get(&record.source) else {
            return Err(NotTried::NoSource);
        };
        let Ok(turn) = self.turns.acquire().await else {
            return Err(NotTried::Busy);
        };
        let done = if may_call(&source, received.peer) {
            self.take_in(&source, received, turn).await
        } else {
            Err(Problem::NotAllowed.into())
        };
        let late = match done {
            // Nobody waits for the answer any more.
            Ok(Done::Handshake(_)) => {
                let reason = verify::Refusal::HandshakeLate.as_str();
                let status = Problem::HandshakeRefused.status().as_u16();
                self.refused.refused_again(id, reason, status).await?;
                Late::Refused(reason)
            }
            Ok(Done::Stored(acceptance, _)) => {
                self.count(source.name(), &acceptance);
                let (late, event) = match acceptance {
                    Acceptance::Accepted { event, .. } => (Late::Accepted(event), event),
                    Acceptance::Duplicate { event, .. } => (Late::Duplicate(event), event),
                };
                self.refused.accepted_later(id, event).await?;
                late
            }
            // What passes by itself says nothing of the request.
            Err(Refusal { problem, .. })
                if problem.status().is_server_error()
                    || problem.status() == StatusCode::TOO_MANY_REQUESTS =>
            {
                return Err(NotTried::Busy);
            }
            Err(Refusal {
                problem, reason, ..
            }) => {
                let status = problem.status().as_u16();
                self.refused.refused_again(id, reason, status).await?;
                Late::Refused(reason)
            }
        };
        let (result, reason, event) = match late {
            Late::Accepted(event) => (RequestResult::Accepted, "", Some(event.0)),
            Late::Duplicate(event) => (RequestResult::Duplicate, "", Some(event.0)),
            Late::Refused(reason) => (RequestResult::Refused, reason, None),
        };
        self.metrics.rejected_tried_again(source.name(), result);
        tracing::info!(
            rejected.id = id.0,
            source = source.name().as_str(),
            event.id = event,
            result = result.as_str(),
            reason,
            "an operator had a rejected request tried again"
        );
        Ok(late)
    }

    /// Tries up to `limit` kept requests of a source again, oldest first, beginning after `after`.
    ///
    /// # Errors
    /// Nothing can be taken now; those before stay accepted, and trying them again does no harm.
    pub async fn accept_all_later(
        &self,
        source: &SourceName,
        after: RefusedId,
        limit: u32,
    ) -> Result<LateCounts, NotTried> {
        let ids = self
            .refused
            .kept_of(source, after, limit.saturating_add(1))
            .await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut counts = LateCounts {
            more: ids.len() > most,
            ..LateCounts::default()
        };
        for id in ids.into_iter().take(most) {
            counts.last = Some(id);
            match self.accept_later(id).await {
                Ok(Late::Accepted(_)) => counts.accepted += 1,
                Ok(Late::Duplicate(_)) => counts.duplicate += 1,
                Ok(Late::Refused(_)) => counts.refused += 1,
                // Its time came, or somebody else was faster.
                Err(NotTried::Unknown | NotTried::NotKept | NotTried::Accepted(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(counts)
    }

    /// The request as it came. `None` for what no request can be, which is not kept.
    fn received(&self, kept: KeptRequest) -> Option<Received> {
        let mut headers = HeaderMap::with_capacity(kept.headers.len());
        for (name, value) in &kept.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(Received {
            public_url: self.public_address(&headers, &kept.path_and_query),
            method: Method::from_bytes(kept.method.as_bytes()).ok()?,
            path_and_query: kept.path_and_query,
            headers,
            body: kept.body,
            received_at: kept.received_at,
            peer: Peer {
                client: kept.client,
                through_trusted_proxy: kept.through_trusted_proxy,
            },
        })
    }
}

/// All that is needed to verify a request again.
pub(super) fn keep(received: &Received) -> KeptRequest {
    let headers = received.headers.iter();
    KeptRequest {
        received_at: received.received_at,
        method: received.method.as_str().to_owned(),
        path_and_query: received.path_and_query.clone(),
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect(),
        body: received.body.clone(),
        client: received.peer.client,
        through_trusted_proxy: received.peer.through_trusted_proxy,
    }
}
