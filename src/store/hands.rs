//! What people do with open deliveries, and with delivering: have them sent again, discard what is not wanted, stop and
//! start an organisation or a source.
//!
//! The contract of the store holds here too: durable, atomic, ordered, accounted, timed, private. Many deliveries are
//! changed a page at a time, each page in one step, so a crash in between leaves whole pages behind and nothing half
//! done. Every change raises the [revision](Delivery::revision) of its delivery: what becomes of an attempt that took
//! it before then changes nothing any more.

mod remap;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{LaneHead, StoreError};
use crate::{
    customer::CustomerId,
    event::{
        Delivery, DeliveryPos, DeliveryState, EventSeq, LaneKey, OrganisationName, Redelivery,
        SourceName,
    },
};

pub(in crate::store) use self::remap::{GONE, Places, Plan, Remap, step};
pub use self::remap::{RemapResult, RemapStep, Remapped, Remapping, StoredEvent};

/// The most deliveries of one call.
pub const MOST_CHANGED: usize = 1000;

/// An open delivery, for a person to decide about.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenDelivery {
    pub pos: DeliveryPos,
    pub event: EventSeq,
    pub item: u32,
    pub number: u32,
    pub source: SourceName,
    pub organisation: OrganisationName,
    pub state: DeliveryState,
    /// Why it is dead; see [`DeadReason::code`](crate::event::DeadReason::code).
    pub code: Option<String>,
    /// The customer's identifier, where an attempt found it or the mapping named it.
    pub customer: Option<CustomerId>,
    /// What would be sent. `None` where the mapping failed, or gave nothing to find the customer by.
    pub delivery: Option<Delivery>,
}

/// Which open deliveries are asked for: those for which all of it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenFilter {
    /// Those in one of these states; none are all.
    pub states: Vec<DeliveryState>,
    pub source: Option<SourceName>,
    pub organisation: Option<OrganisationName>,
    /// Why they are dead.
    pub code: Option<String>,
    /// As [`OpenDelivery::customer`].
    pub customer: Option<CustomerId>,
    pub event: Option<EventSeq>,
    /// Accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    pub until: Option<Timestamp>,
    /// With this position or an earlier one.
    pub up_to: Option<DeliveryPos>,
}

impl OpenFilter {
    /// Whether a delivery of which this is known can pass: all that is asked, but for its customer and where it stands in the
    /// order.
    pub(in crate::store) fn takes(
        &self,
        state: DeliveryState,
        source: &SourceName,
        organisation: &OrganisationName,
        code: Option<&str>,
        accepted_at: Timestamp,
    ) -> bool {
        (self.states.is_empty() || self.states.contains(&state))
            && self.source.as_ref().is_none_or(|wanted| wanted == source)
            && self
                .organisation
                .as_ref()
                .is_none_or(|wanted| wanted == organisation)
            && self
                .code
                .as_deref()
                .is_none_or(|wanted| Some(wanted) == code)
            && self.since.is_none_or(|since| since <= accepted_at)
            && self.until.is_none_or(|until| accepted_at < until)
    }
}

/// Some of the deliveries that were asked for, in the order of acceptance.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenPage {
    pub deliveries: Vec<OpenDelivery>,
    /// Look on after this position; `None`: there are no more.
    pub next: Option<DeliveryPos>,
}

/// What is stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PauseScope {
    Organisation(OrganisationName),
    Source(SourceName),
}

impl fmt::Display for PauseScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organisation(name) => write!(f, "organisation {name}"),
            Self::Source(name) => write!(f, "source {name}"),
        }
    }
}

impl PauseScope {
    /// As which kind and name it is stored.
    pub(in crate::store) fn columns(&self) -> (&'static str, &str) {
        match self {
            Self::Organisation(name) => ("organisation", name.as_str()),
            Self::Source(name) => ("source", name.as_str()),
        }
    }
}

/// That a person stopped something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub scope: PauseScope,
    pub at: Timestamp,
    /// `None` while it lasts.
    pub ended_at: Option<Timestamp>,
    /// Who, as they said.
    pub by: Option<String>,
    pub reason: Option<String>,
}

/// What a person had sent again, as the dispatcher must know it; the engine says whether something new waits in its lane.
pub(in crate::store) const fn sent_again(
    organisation: OrganisationName,
    lane: LaneKey,
    pos: DeliveryPos,
    how: Redelivery,
) -> LaneHead {
    LaneHead {
        organisation,
        lane,
        pos,
        state: DeliveryState::Waiting,
        next_attempt: how.at,
        redelivered: true,
        is_untried_again: true,
    }
}

/// Refuses more than [`MOST_CHANGED`].
pub(in crate::store) fn bounded(positions: &[DeliveryPos]) -> Result<(), StoreError> {
    if positions.len() <= MOST_CHANGED {
        return Ok(());
    }
    Err(StoreError::Broken {
        what: format!("more than {MOST_CHANGED} deliveries in one change"),
    })
}

/// What people may do. See the module's contract.
#[async_trait]
pub trait Hands: Send + Sync + fmt::Debug {
    /// Up to `limit` open deliveries behind `after`, in the order of acceptance. A call looks at a bounded number of
    /// them, so a page may have few or none and still have a next one.
    async fn open_deliveries(
        &self,
        filter: OpenFilter,
        after: DeliveryPos,
        limit: u32,
    ) -> Result<OpenPage, StoreError>;

    /// The greatest position that was ever given, whatever became of its delivery.
    async fn newest(&self) -> Result<DeliveryPos, StoreError>;

    /// The open delivery at a position.
    async fn open_delivery(&self, pos: DeliveryPos) -> Result<Option<OpenDelivery>, StoreError>;

    /// Has open deliveries sent again, each at its own place in its lane: due at once, its attempts and its budget as
    /// new, its earlier attempts kept. What was dead waits again, what waited does not wait for its time any more, and
    /// what is looked for is looked for now. Of what was in a lane, and so perhaps sent, the customer's parts are in
    /// doubt from here on, as with [`Hands::discard`]. Nothing is counted as new. Leaves out those that are not open,
    /// and those without anything to send. Gives the others, as the dispatcher must know them.
    ///
    /// # Errors
    /// Nothing was changed; also where more than [`MOST_CHANGED`] are asked for.
    async fn redeliver(
        &self,
        positions: Vec<DeliveryPos>,
        how: Redelivery,
    ) -> Result<Vec<LaneHead>, StoreError>;

    /// Up to `limit` deliveries behind `after` and up to `up_to` that a source only observed, as they would be if they
    /// were put into their lanes; oldest first.
    async fn observed_deliveries(
        &self,
        source: SourceName,
        after: DeliveryPos,
        up_to: DeliveryPos,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Puts what a source only observed into its lanes, each at its own place, as redelivered: it is not dropped any more.
    /// Leaves out those that are not there (any more). Gives the others, as the dispatcher must know them.
    ///
    /// # Errors
    /// As [`Hands::redeliver`].
    async fn send_observed(
        &self,
        source: SourceName,
        positions: Vec<DeliveryPos>,
        how: Redelivery,
    ) -> Result<Vec<LaneHead>, StoreError>;

    /// Ends open deliveries as [`End::Discarded`](crate::event::End::Discarded). Of those that were perhaps sent, since
    /// they were in a lane, the parts are in doubt from here on, where it is known of whom; else they were
    /// [doubted](super::Store::doubt) before they left. Leaves out those that are not open, and gives the others.
    ///
    /// # Errors
    /// As [`Hands::redeliver`].
    async fn discard(
        &self,
        positions: Vec<DeliveryPos>,
        reason: Option<String>,
        at: Timestamp,
    ) -> Result<Vec<DeliveryPos>, StoreError>;

    /// An accepted request, to be mapped again.
    async fn stored_event(&self, event: EventSeq) -> Result<Option<StoredEvent>, StoreError>;

    /// What [`Hands::remap`] would do. Changes nothing.
    async fn would_remap(&self, remapping: Remapping) -> Result<Remapped, StoreError>;

    /// Puts what a mapping makes of a stored event in the place of what is open of it, as the module `remap` says, and
    /// notes the mapping. What was dead or waiting and has something to send waits at its own place, as redelivered;
    /// what is new waits at the end of its lane, and yet is no newer than the first of its event
    /// ([`Delivery::place`]).
    async fn remap(&self, remapping: Remapping) -> Result<Remapped, StoreError>;

    /// Writes down that something is stopped. `false` where it is already; that stays as it is.
    async fn pause(&self, pause: Pause) -> Result<bool, StoreError>;

    /// Writes down that something is not stopped any more. `false` where it was not.
    async fn resume(&self, scope: PauseScope, at: Timestamp) -> Result<bool, StoreError>;

    /// The last pause of whatever was ever stopped, organisations first, each kind by name.
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError>;
}
