//! What became of events, for people: lists of events and of deliveries, a page at a time, and one event whole.
//!
//! Pages are cheap however much is stored. What an index serves is read by that index; every other combination of
//! conditions is a walk along the order of acceptance, which ends after a bounded number of rows and says so: such a
//! page may hold few or no entries and still have a next one. Nothing is counted by reading a table.
//!
//! The contract of the store holds here too. Reads for people have a reader of their own, so they never keep a
//! delivery waiting. What they give is personal data in part; whoever shows it decides what to hide.

pub(in crate::store) mod walk;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{DeliveryRecord, StoreError};
use crate::{
    customer::{CustomerId, CustomerReference, Patch},
    event::{
        DedupKey, DeliveryState, End, EventSeq, MappingHash, OrderBy, OrganisationName, SourceName,
    },
};

/// About how many rows one page may cost. What is reached by more goes to the next page.
pub const MOST_LOOKED_AT: u64 = 20_000;
/// How many deliveries of one event are counted for a list.
pub const MOST_COUNTED: u32 = 1_000;

/// Which events or deliveries are asked for: those for which all of it holds. Of events, those with such a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveFilter {
    pub event: Option<EventSeq>,
    pub source: Option<SourceName>,
    pub organisation: Option<OrganisationName>,
    pub standing: Option<StandingFilter>,
    /// The code of a dead delivery, or the reason of one that ended.
    pub reason: Option<String>,
    pub customer: Option<CustomerId>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
}

impl ArchiveFilter {
    /// Whether it says anything of deliveries that their event does not have.
    pub const fn is_about_deliveries(&self) -> bool {
        self.standing.is_some() || self.reason.is_some() || self.customer.is_some()
    }
}

/// Where a delivery must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandingFilter {
    Open(DeliveryState),
    Ended(End),
}

impl StandingFilter {
    /// The word used in code, metrics, pages and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open(state) => state.as_str(),
            Self::Ended(end) => end.as_str(),
        }
    }

    /// All there are, those of open deliveries first.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        let open = DeliveryState::ALL.into_iter().map(Self::Open);
        open.chain(End::ALL.into_iter().map(Self::Ended))
    }
}

/// The place of a delivery in the order of acceptance, by which pages go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryPlace {
    pub event: EventSeq,
    pub item: u32,
    pub number: u32,
}

impl DeliveryPlace {
    /// The place behind all deliveries of an event, in an order.
    pub const fn end_of(event: EventSeq, order: Order) -> Self {
        let last = match order {
            Order::NewestFirst => 0,
            Order::OldestFirst => u32::MAX,
        };
        Self {
            event,
            item: last,
            number: last,
        }
    }
}

/// In which order a list is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
}

/// Some of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<Entry> {
    pub entries: Vec<Entry>,
    /// Go on behind this place, also where it is not that of an entry. `None`: there are no more.
    pub next: Option<DeliveryPlace>,
    /// About how many rows were looked at.
    pub looked_at: u64,
}

/// A delivery in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedDelivery {
    pub record: DeliveryRecord,
    /// When its event was received. `None` where the event is not kept any more.
    pub received_at: Option<Timestamp>,
}

/// What is kept of a request besides its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFacts {
    pub seq: EventSeq,
    pub received_at: Timestamp,
    pub source: SourceName,
    pub organisation: OrganisationName,
    pub mapping: MappingHash,
    pub content_type: Option<String>,
    /// Those that mapping or verification need; values may be personal data.
    pub headers: Vec<(String, String)>,
    /// SHA-256.
    pub body_hash: [u8; 32],
    /// `None` where the body is not kept any more.
    pub body_bytes: Option<u64>,
}

/// An event in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedEvent {
    pub facts: EventFacts,
    pub deliveries: DeliveryCounts,
}

/// How the deliveries of an event stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Those that there are some of.
    pub counts: Vec<(StandingFilter, u32)>,
    /// Whether there are more deliveries than were counted, [`MOST_COUNTED`].
    pub is_cut: bool,
}

impl DeliveryCounts {
    /// Adds up how many stand where, up to [`MOST_COUNTED`], the first first.
    pub(in crate::store) fn of(found: impl IntoIterator<Item = (StandingFilter, u32)>) -> Self {
        let mut counted = Self::default();
        let mut left = MOST_COUNTED;
        let mut counts: Vec<_> = StandingFilter::all().map(|each| (each, 0)).collect();
        for (standing, count) in found {
            let taken = count.min(left);
            left -= taken;
            counted.is_cut |= taken < count;
            for (each, sum) in &mut counts {
                if *each == standing {
                    *sum += taken;
                }
            }
        }
        counts.retain(|(_, count)| *count > 0);
        counted.counts = counts;
        counted
    }
}

/// What an open delivery would send, or one that was only observed would have sent.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptUpdate {
    pub customer: CustomerReference,
    pub patch: Patch,
    pub order_by: Option<OrderBy>,
}

/// Dead deliveries with the same cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadCause {
    pub source: SourceName,
    /// See [`DeadReason::code`](crate::event::DeadReason::code).
    pub code: String,
    /// How many, up to [`MOST_COUNTED`]; so many may be more.
    pub count: u32,
    /// The events of the first and of the last of them.
    pub first: EventSeq,
    pub last: EventSeq,
}

/// What people may look up. See the module's contract.
#[async_trait]
pub trait Archive: Send + Sync + fmt::Debug {
    /// Up to `limit` events behind `after`.
    async fn events(
        &self,
        filter: ArchiveFilter,
        order: Order,
        after: Option<DeliveryPlace>,
        limit: u32,
    ) -> Result<Page<ListedEvent>, StoreError>;

    /// Up to `limit` deliveries behind `after`, whatever became of them.
    async fn deliveries(
        &self,
        filter: ArchiveFilter,
        order: Order,
        after: Option<DeliveryPlace>,
        limit: u32,
    ) -> Result<Page<ListedDelivery>, StoreError>;

    /// One event.
    async fn event(&self, seq: EventSeq) -> Result<Option<ListedEvent>, StoreError>;

    /// The update of a delivery of a source, while it is kept: as long as it is open, or where it was only observed.
    async fn kept_update(
        &self,
        source: &SourceName,
        place: DeliveryPlace,
    ) -> Result<Option<KeptUpdate>, StoreError>;

    /// The event that holds a dedup key.
    async fn holder(&self, key: DedupKey) -> Result<Option<EventSeq>, StoreError>;

    /// Whether there is a delivery of an organisation: an open one, or one that ended for a known customer. Of others that
    /// ended no index tells.
    async fn knows(&self, organisation: &OrganisationName) -> Result<bool, StoreError>;

    /// Why deliveries are dead, by source and code.
    async fn dead_causes(&self) -> Result<Vec<DeadCause>, StoreError>;
}
