//! A delivery: our task to bring one update to Quentli, its states, its ends and its attempts.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use super::{LaneKey, OrderBy, OrganisationName, SourceName};
use crate::customer::{CustomerId, CustomerReference, Patch};

/// The number of an accepted request, in the order of acceptance. Never used again, also after pruning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventSeq(pub i64);

/// The place of a delivery in the order of acceptance. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryPos(pub i64);

impl fmt::Display for EventSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DeliveryPos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an unfinished delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// In its customer's lane.
    Waiting,
    /// Its customer was not found yet; it does not hold the lane of anybody else.
    Looking,
    /// Needs a person.
    Dead,
}

impl DeliveryState {
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Looking, Self::Dead];

    /// The word used in code, metrics, pages and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Looking => "looking",
            Self::Dead => "dead",
        }
    }
}

/// How a delivery ended; every delivery that is not waiting, looking or dead has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Quentli confirmed it.
    Delivered,
    /// Every field already had this confirmed value; nothing was sent.
    Unchanged,
    /// Nothing was left to send, and some field was older than what is there.
    Stale,
    /// Merged into a later delivery of the same customer, which carried it.
    Superseded,
    /// By a rule, or because the selection was empty.
    Dropped,
    /// By a person.
    Discarded,
    /// By a person, with everything known of the customer.
    Erased,
}

impl End {
    pub const ALL: [Self; 7] = [
        Self::Delivered,
        Self::Unchanged,
        Self::Stale,
        Self::Superseded,
        Self::Dropped,
        Self::Discarded,
        Self::Erased,
    ];

    /// The word used in code, metrics, pages and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Superseded => "superseded",
            Self::Dropped => "dropped",
            Self::Discarded => "discarded",
            Self::Erased => "erased",
        }
    }
}

/// The reason of deliveries that ended as [`End::Dropped`] because their source only observes.
pub const OBSERVED: &str = "observed";

/// The codes of [`DeadReason`], all there are.
pub const DEAD_REASONS: [&str; 10] = [
    "mapping",
    "no-customer-reference",
    "customer-not-found",
    "customer-ambiguous",
    "refused",
    "conflict",
    "forbidden",
    "retries-exhausted",
    "unreadable",
    "bug",
];

/// Why a delivery is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadReason {
    /// One of [`DEAD_REASONS`], for metrics and filters.
    pub code: &'static str,
    /// For a person. May quote values of the event or Quentli's own words: kept and shown, never logged.
    pub message: String,
}

/// An unfinished delivery, as the store holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub pos: DeliveryPos,
    pub event: EventSeq,
    /// 0-based place of the item in its body, and of the update in its item.
    pub item: u32,
    pub number: u32,
    pub source: SourceName,
    pub organisation: OrganisationName,
    pub lane: LaneKey,
    pub customer: CustomerReference,
    pub patch: Patch,
    pub order_by: Option<OrderBy>,
    /// When its event was received. With the position it says which delivery this is, also where a database that lost what it
    /// had committed gives the position once more.
    pub accepted_at: Timestamp,
    /// Attempts made so far, since a person last had it sent again.
    pub attempts: u32,
    /// Attempts made before that; numbers of attempts go on from here.
    pub earlier_attempts: u32,
    /// How much of the retry budget is used: our own waits and attempts, not pauses or others' turns.
    pub spent: Duration,
    /// That a person had it sent again, where one did.
    pub redelivery: Option<Redelivery>,
    /// Grows with each change that a person makes of it: what became of an attempt counts only for the delivery as the
    /// attempt took it.
    pub revision: u32,
    /// For one that was made of an older event: as of which position it counts. See [`Delivery::place`].
    pub counts_as_of: Option<DeliveryPos>,
}

impl Delivery {
    /// Where it stands among what was accepted before and after it: its own position, or, for one that was made of an
    /// older event, that of the first of the event.
    pub fn place(&self) -> DeliveryPos {
        self.counts_as_of.unwrap_or(self.pos)
    }
}

/// That a person had a delivery sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redelivery {
    pub at: Timestamp,
    pub newer: NewerData,
}

/// What a delivery that is sent again does to parts of the customer's record to which something was applied that was
/// accepted after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NewerData {
    /// They are left out.
    Kept,
    /// They are sent all the same, as a person wanted it.
    Overwritten,
}

/// One attempt to bring a delivery to Quentli, for the history a person reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    pub at: Timestamp,
    pub took: Duration,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    pub outcome: AttemptOutcome,
    /// Quentli's message or the error's chain; never our own body.
    pub message: Option<String>,
    pub customer: Option<CustomerId>,
}

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    Delivered,
    Retry,
    Dead,
}

impl AttemptOutcome {
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Retry, Self::Dead];

    /// The word used in code, metrics, pages and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry => "retry",
            Self::Dead => "dead",
        }
    }
}
