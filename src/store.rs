//! What is durable: accepted events, the deliveries made of them, what became of each, and the keys and values that
//! keep an event from being applied twice.
//!
//! The contract is the set of methods of [`Store`], written in the words of the domain; SQL never leaves this
//! module. It does not know what a mapping or an HTTP request is, and it decides nothing about delivery: it writes
//! down what it is told, all of a call or nothing.
//!
//! Two engines keep the contract: [`sqlite`], a file for one process, and [`postgres`], a database that several share. What is
//! no statement is here once (`rows`, `decode`, `tally`, `progress` and the parts of the traits); `contract` tests both.
//!
//! # Contract
//!
//! - **Durable.** A method that changes something returns `Ok` only after the change is committed and synced to
//!   disk. An error means that nothing of the call will ever be seen, except [`StoreError::OutcomeUnknown`], and except
//!   [`StoreError::Unavailable`] of a database whose connection broke during the commit: then all of it is seen, or nothing.
//! - **Atomic.** Each call is one step for every reader and for a crash.
//! - **Ordered.** [`EventSeq`] and [`DeliveryPos`] grow in the order of acceptance and are never used again. If one
//!   `accept` returned before another began, its numbers are smaller. Where a database lost what it had committed (a failover to a
//!   server that lagged behind, a restored copy) numbers come again; so what became of a delivery is told with the time at which
//!   it was accepted, and counts for no other one.
//! - **Deduplicated.** A dedup key is written in the transaction that writes what it protects. Of several calls with
//!   the same key, at once or one after the other, exactly one stores it. Keys are removed by age alone ([`upkeep`]), and no
//!   setting lets that happen before a captured request has stopped being genuine, which takes up to
//!   `verify::MAX_REPLAY_WINDOW`.
//! - **Accounted.** Counters move in the transaction of what they count: of the deliveries made from accepted
//!   events, `created = waiting + looking + dead + Σ ends` at every commit.
//! - **Leased.** Where several processes work on one store, one at a time delivers for an organisation, and the calls that
//!   say what became of its deliveries are refused to all others ([`Leases`]).
//! - **Timed.** Times and durations are kept to the millisecond, cut off below.
//! - **Private.** No error text carries a body, a patch or a customer's value.

mod applied;
mod archive;
mod audit;
#[cfg(test)]
mod contract;
mod decode;
pub mod erase;
mod hands;
mod health;
mod leases;
pub mod moving;
mod observed;
mod refused;
mod requests;
mod rows;

pub mod postgres;
mod progress;
pub mod sqlite;
mod taken;
mod tally;
pub mod upkeep;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::watch;

use crate::{
    customer::{CustomerId, CustomerReference, PartKey, Patch},
    event::{
        Attempt, DeadReason, DedupKey, Delivery, DeliveryPos, DeliveryState, End, EventSeq,
        LaneKey, MappingHash, OrderBy, OrganisationName, SourceName,
    },
};

pub use self::{
    applied::AppliedPart,
    archive::{
        Archive, ArchiveFilter, DeadCause, DeliveryCounts, DeliveryPlace, EventFacts, KeptUpdate,
        ListedDelivery, ListedEvent, MOST_COUNTED, MOST_LOOKED_AT, Order, Page, StandingFilter,
    },
    audit::{
        AUDIT_ENTRIES, AUDIT_KEPT_FOR, Act, AuditEntry, AuditFilter, AuditId, AuditLog,
        NewAuditEntry,
    },
    hands::{
        Hands, MOST_CHANGED, OpenDelivery, OpenFilter, OpenPage, Pause, PauseScope, RemapResult,
        RemapStep, Remapped, Remapping, StoredEvent,
    },
    leases::{
        Changes, Claim, ErasedCustomer, Lease, LeaseName, Leases, MOST_ERASED, MOST_STATUS_BYTES,
        ProcessId, Replica, ReplicaName, Word,
    },
    observed::{ObservedPlace, ObservedUpdate, ObservedUpdates},
    refused::{
        KeptRequest, NewRefused, RefusedFigures, RefusedFilter, RefusedId, RefusedLimits,
        RefusedRecord, RefusedRequests, RequestFacts,
    },
    requests::{RequestPage, StoredRequest, StoredRequests},
};

/// A verified request, mapped, ready to be stored.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub source: SourceName,
    pub organisation: OrganisationName,
    pub received_at: Timestamp,
    pub content_type: Option<String>,
    /// Only those that mapping or verification need; never credentials.
    pub headers: Vec<(String, String)>,
    /// The raw bytes as they arrived.
    pub body: Bytes,
    pub mapping: MappingHash,
    /// At least one.
    pub groups: Vec<NewGroup>,
}

/// What one dedup key protects: an item of the body, or the whole request.
#[derive(Clone, Debug)]
pub struct NewGroup {
    pub key: DedupKey,
    /// At least one.
    pub deliveries: Vec<NewDelivery>,
}

/// One outcome of the mapping.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// 0-based place of the item in its body, and of the outcome in its item.
    pub item: u32,
    pub number: u32,
    pub rule: Option<String>,
    pub warnings: Vec<String>,
    pub fate: Fate,
}

/// Where a delivery starts.
#[derive(Clone, Debug)]
pub enum Fate {
    /// In its customer's lane.
    Waiting {
        lane: LaneKey,
        customer: CustomerReference,
        patch: Patch,
        order_by: Option<OrderBy>,
    },
    /// Needs a person at once. Where the mapping got as far as an update, it is kept.
    Dead {
        reason: DeadReason,
        update: Option<(CustomerReference, Patch)>,
    },
    /// Ended at once, by a rule or an empty selection.
    Dropped { reason: String },
    /// Ended at once as dropped, since its source only observes; the update is [kept](ObservedUpdates).
    Observed {
        customer: CustomerReference,
        patch: Patch,
        order_by: Option<OrderBy>,
    },
}

/// What [`Store::accept`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Stored, with the groups that were new; `known` groups were left out because their key was there already.
    Accepted {
        event: EventSeq,
        new: u32,
        known: u32,
        /// Deliveries of the new groups that need a person at once.
        dead: u32,
        /// Deliveries of the new groups that ended at once.
        dropped: u32,
    },
    /// Every group was known; nothing was stored but the count.
    Duplicate {
        /// The one that holds the first key.
        event: EventSeq,
        /// How many groups that were.
        known: u32,
        /// Whether the request and that event have one group each, and different bodies.
        differs: bool,
    },
}

/// A request that is probably known, without what would have to be stored of it.
#[derive(Clone, Debug)]
pub struct KnownRequest {
    pub source: SourceName,
    pub received_at: Timestamp,
    /// Of all its groups, in order; at least one.
    pub keys: Vec<DedupKey>,
    /// SHA-256.
    pub body_hash: [u8; 32],
}

/// An event whose id came again with another body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReusedId {
    pub event: EventSeq,
    pub source: SourceName,
    pub times: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// Of a lane, how many deliveries are looked at to find something new among what a person had sent again.
pub const MOST_OF_LANE: u32 = 64;

/// An entry of the index of lanes: the first delivery that waits in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneHead {
    pub organisation: OrganisationName,
    pub lane: LaneKey,
    pub pos: DeliveryPos,
    pub state: DeliveryState,
    /// Not before this time.
    pub next_attempt: Timestamp,
    /// Whether it is there because a person had it sent again; where all of the lane was looked at, whether what is last in
    /// it is, too, and so are the first [`MOST_OF_LANE`].
    pub redelivered: bool,
    /// Whether a person had it sent again and it was not tried since.
    pub is_untried_again: bool,
}

/// The end of a delivery. Of one that ends as erased neither attempts nor fields nor warnings are kept.
#[derive(Clone, Debug)]
pub struct Finish {
    pub pos: DeliveryPos,
    /// Of the delivery that is meant: see [`Delivery::accepted_at`].
    pub accepted_at: Timestamp,
    /// The [`Delivery::revision`] that ended.
    pub revision: u32,
    pub end: End,
    pub reason: Option<String>,
    pub customer: Option<CustomerId>,
    pub at: Timestamp,
    /// The attempt that ended it, where one was made.
    pub attempt: Option<Attempt>,
    /// What Quentli confirmed by its 2xx.
    pub confirmed: Vec<AppliedPart>,
    /// Other deliveries of the same customer that went with it. They end with it, those that are still open.
    pub carried: Vec<Carried>,
    /// Fields that Quentli did not take. They stay as a dead delivery of the same event and item, in the same place of
    /// the order of acceptance; earlier ones of the same customer and source end superseded where it has all their
    /// fields.
    pub left_out: Option<LeftOut>,
}

/// What of a delivery needs a person, while the rest of it has ended.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// Never empty.
    pub patch: Patch,
    pub reason: DeadReason,
    /// For the delivery that ended.
    pub warning: String,
}

/// A delivery that ends with another one.
#[derive(Clone, Debug)]
pub struct Carried {
    pub pos: DeliveryPos,
    /// Of the delivery that is meant: see [`Delivery::accepted_at`].
    pub accepted_at: Timestamp,
    /// The [`Delivery::revision`] that went with it.
    pub revision: u32,
    pub end: End,
    pub reason: Option<String>,
}

/// Another attempt later, or a look for the customer later.
#[derive(Clone, Debug)]
pub struct Retry {
    pub pos: DeliveryPos,
    /// Of the delivery that is meant: see [`Delivery::accepted_at`].
    pub accepted_at: Timestamp,
    /// The [`Delivery::revision`] that was tried.
    pub revision: u32,
    /// [`DeliveryState::Waiting`] or [`DeliveryState::Looking`].
    pub state: DeliveryState,
    pub next_attempt: Timestamp,
    /// The retry budget used so far, this attempt and the wait to come included.
    pub spent: Duration,
    pub attempt: Attempt,
    /// Parts whose value at Quentli is no longer known, of this customer. What is known of them besides stays.
    pub doubt: Option<(CustomerId, Vec<PartKey>)>,
}

/// A delivery that a person must look at.
#[derive(Clone, Debug)]
pub struct Bury {
    pub pos: DeliveryPos,
    /// Of the delivery that is meant: see [`Delivery::accepted_at`].
    pub accepted_at: Timestamp,
    /// The [`Delivery::revision`] that was tried.
    pub revision: u32,
    pub reason: DeadReason,
    pub at: Timestamp,
    pub attempt: Option<Attempt>,
    /// As in [`Retry::doubt`].
    pub doubt: Option<(CustomerId, Vec<PartKey>)>,
}

/// What [`Store::learn_secret`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It is kept.
    New,
    /// It was known already.
    Same,
    /// Another one is known, and stays.
    Other,
}

/// Why the store did not do what it was asked, split by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Try later: the disk is full or nearly so, the queue of writes is full, another program holds the file.
    #[error("the store cannot write now: {what}")]
    Unavailable { what: String },
    /// A commit or its sync failed, so it is not known what is on disk. The store takes no more work; the process
    /// must end and start again, which finds out.
    #[error("the store failed while writing: {what}")]
    OutcomeUnknown { what: String },
    /// The store refused for good: it failed before, or it is closed, or its file is damaged.
    #[error("the store is closed: {what}")]
    Closed { what: String },
    /// The organisation is another process's to deliver for now, or nobody's; see [`Leases`]. Nothing was changed.
    #[error("the lease of {lease} is not held (any more)")]
    NotHeld { lease: LeaseName },
    /// Our bug: a statement or a stored value that cannot be.
    #[error("the store met a broken invariant: {what}")]
    Broken { what: String },
}

/// One delivery of an event, whatever became of it, for people to read.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRecord {
    pub event: EventSeq,
    pub item: u32,
    pub number: u32,
    pub source: SourceName,
    pub organisation: OrganisationName,
    pub rule: Option<String>,
    pub standing: Standing,
    /// The customer's identifier, once known.
    pub customer: Option<CustomerId>,
    /// Names of the fields, never values.
    pub fields: Vec<String>,
    pub attempts: u32,
    pub warnings: Vec<String>,
}

/// Where a delivery stands or how it ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// `next_attempt` means nothing for a dead one; `reason` is its last trouble, where it had one.
    Open {
        pos: DeliveryPos,
        state: DeliveryState,
        next_attempt: Timestamp,
        reason: Option<String>,
    },
    Ended {
        end: End,
        reason: Option<String>,
        at: Timestamp,
    },
}

/// Numbers that add up: of deliveries, `created` is the sum of all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests stored.
    pub accepted: u64,
    /// Requests whose every group was known.
    pub duplicate: u64,
    /// Groups (items) left out of accepted and duplicate requests because they were known.
    pub known_groups: u64,
    pub created: u64,
    pub waiting: u64,
    pub looking: u64,
    pub dead: u64,
    /// One figure for each of [`End::ALL`], in that order.
    pub ended: [u64; 7],
}

impl Totals {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        let mut ended = self.ended;
        for (sum, more) in ended.iter_mut().zip(other.ended) {
            *sum += more;
        }
        Self {
            accepted: self.accepted + other.accepted,
            duplicate: self.duplicate + other.duplicate,
            known_groups: self.known_groups + other.known_groups,
            created: self.created + other.created,
            waiting: self.waiting + other.waiting,
            looking: self.looking + other.looking,
            dead: self.dead + other.dead,
            ended,
        }
    }
}

/// Everything that the program asks of its store: one engine has it all.
pub trait Engine:
    Store
    + Archive
    + AuditLog
    + Hands
    + Leases
    + ObservedUpdates
    + RefusedRequests
    + StoredRequests
    + erase::Erasure
    + upkeep::Upkeep
{
}

impl<T> Engine for T where
    T: Store
        + Archive
        + AuditLog
        + Hands
        + Leases
        + ObservedUpdates
        + RefusedRequests
        + StoredRequests
        + erase::Erasure
        + upkeep::Upkeep
{
}

/// What the rest of the program may ask of a store. See the module's contract.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Stores a request: the event, the dedup keys of its new groups and their deliveries. Groups whose key is
    /// known, also from earlier in the same event, are left out and counted.
    async fn accept(&self, event: NewEvent) -> Result<Acceptance, StoreError>;

    /// Counts a request as the duplicate that it is, as [`Store::accept`] would, if every one of its keys is there. `None`
    /// where one is not: then nothing has changed, and the request is to be accepted.
    async fn known(&self, request: KnownRequest) -> Result<Option<Acceptance>, StoreError>;

    /// The latest events whose id came again with another body, newest first; they are forgotten with their keys.
    async fn reused_ids(&self, limit: u32) -> Result<Vec<ReusedId>, StoreError>;

    /// The greatest [`DeliveryPos`] that may be waiting; changes after each commit that adds one. Look with
    /// [`Store::arrived`] after subscribing and after each change.
    fn arrivals(&self) -> watch::Receiver<DeliveryPos>;

    /// Up to `limit` waiting deliveries of an organisation with a position greater than `after`, in order.
    async fn arrived(
        &self,
        organisation: &OrganisationName,
        after: DeliveryPos,
        limit: u32,
    ) -> Result<Vec<LaneHead>, StoreError>;

    /// The first waiting or looking delivery of each of up to `limit` lanes, in the order of lanes, beginning after
    /// the lane `after`.
    async fn lanes(
        &self,
        organisation: &OrganisationName,
        after: Option<LaneKey>,
        limit: u32,
    ) -> Result<Vec<LaneHead>, StoreError>;

    /// The first `limit` waiting or looking deliveries of a lane, in order; empty when there are none.
    async fn take(
        &self,
        organisation: &OrganisationName,
        lane: LaneKey,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Ends a delivery: it leaves the queue, its history is written, confirmed parts replace what was known of the
    /// customer; but neither a position nor a version becomes smaller. A dead delivery can be finished too, as a person
    /// does who discards it. Finishing a delivery that is not open any more, or not of this organisation, time of acceptance or
    /// revision, returns `false` and changes nothing, but that the parts that are told as confirmed are in doubt from then on;
    /// and where it is open in another revision, since a person had it sent again, the attempt is kept among the earlier ones.
    async fn finish(
        &self,
        organisation: &OrganisationName,
        finish: Finish,
    ) -> Result<bool, StoreError>;

    /// Writes down an attempt and when the next one is due; an attempt of the same number told before is replaced.
    /// `false` as in [`Store::finish`], and for a dead delivery; the doubt holds also then, and the attempt is kept as there.
    async fn retry(
        &self,
        organisation: &OrganisationName,
        retry: Retry,
    ) -> Result<bool, StoreError>;

    /// Sets a delivery aside for a person. `false` as in [`Store::retry`].
    async fn bury(&self, organisation: &OrganisationName, bury: Bury) -> Result<bool, StoreError>;

    /// What is about to be sent of these parts of a customer's record puts what was confirmed of them in doubt: written before
    /// the request leaves, so that it holds whatever becomes of the delivery and of this process.
    async fn doubt(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
        parts: Vec<PartKey>,
    ) -> Result<(), StoreError>;

    /// What is known of a customer's record, by part.
    async fn applied(
        &self,
        organisation: &OrganisationName,
        customer: &CustomerId,
    ) -> Result<Vec<AppliedPart>, StoreError>;

    /// The key for [`AppliedPart::value`], made at random with the store.
    fn value_key(&self) -> &[u8; 32];

    /// All deliveries of an event, by item and number; empty for an event that is not there.
    async fn deliveries_of(&self, event: EventSeq) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// The latest dead deliveries, newest first, of one source or all.
    async fn dead(
        &self,
        source: Option<&SourceName>,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// The attempts of one delivery, first to last, also after its end.
    async fn attempts_of(
        &self,
        event: EventSeq,
        item: u32,
        number: u32,
    ) -> Result<Vec<Attempt>, StoreError>;

    /// The raw body of an event, while it is kept.
    async fn body_of(&self, event: EventSeq) -> Result<Option<Bytes>, StoreError>;

    /// Keeps the secret that a source's sender names, unless the source has one already.
    async fn learn_secret(
        &self,
        source: &SourceName,
        secret: SecretString,
        at: Timestamp,
    ) -> Result<Learned, StoreError>;

    /// Forgets the learned secret of a source, as a person wants it; `false` where there was none.
    async fn forget_secret(&self, source: &SourceName) -> Result<bool, StoreError>;

    /// The learned secrets of all sources, by name.
    async fn learned_secrets(&self) -> Result<Vec<(SourceName, SecretString)>, StoreError>;

    /// The counters, all sources together. Reads no table that grows with the number of events.
    async fn totals(&self) -> Result<Totals, StoreError>;

    /// The counters of each source, by name; as cheap as [`Store::totals`].
    async fn totals_by_source(&self) -> Result<Vec<(SourceName, Totals)>, StoreError>;

    /// When the oldest waiting delivery of an organisation was accepted, but for those behind one that is looking.
    async fn oldest_waiting(
        &self,
        organisation: &OrganisationName,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Whether [`Store::accept`] can be expected to succeed now; what `/ready` asks. Cheap: reads no file.
    fn is_writable(&self) -> Result<(), StoreError>;

    /// Finishes what was asked before, then closes; later calls get [`StoreError::Closed`].
    async fn close(&self);
}
