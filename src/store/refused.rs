//! Requests that were refused, kept so that somebody can look at them, and, where the source asks for it, whole, so
//! that they can be accepted later.
//!
//! The contract of the store holds here too: durable, atomic, timed, private. What is different: these rows are of
//! little worth. They are bounded for each source, the oldest go first, and a store that has enough to do refuses them
//! ([`StoreError::Unavailable`]) instead of letting them wait.

pub(super) mod rows;

use std::{fmt, net::IpAddr, str::FromStr};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::event::{EventSeq, SourceName};

/// The number of a refused request; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefusedId(pub i64);

impl fmt::Display for RefusedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RefusedId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What may be shown of a request: no body, no secret, and no value of a header that could be one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFacts {
    pub method: String,
    /// Names, in the order in which they came, and the values of some.
    pub headers: Vec<(String, Option<String>)>,
    /// Names of the query's parameters.
    pub query: Vec<String>,
    /// `None` where the body was not read.
    pub body_bytes: Option<u64>,
    /// A keyed hash of the body, in hexadecimal: the same for the same body, and of no use to guess one.
    pub body_hash: Option<String>,
    /// Who sent it: the address of the connection, or what trusted proxies say of it.
    pub client: Option<IpAddr>,
}

/// A refused request to write down, perhaps several equal ones.
#[derive(Clone, Debug)]
pub struct NewRefused {
    pub source: SourceName,
    /// Requests of a source with the same mark become one row that counts them.
    pub mark: [u8; 16],
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// At least 1.
    pub times: u64,
    /// The code that log and metric have.
    pub reason: &'static str,
    /// What the sender was answered.
    pub status: u16,
    pub facts: RequestFacts,
    /// The whole request and until when it is kept.
    pub kept: Option<(KeptRequest, Timestamp)>,
}

/// All that is needed to verify a request again. Its `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptRequest {
    pub received_at: Timestamp,
    pub method: String,
    pub path_and_query: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Bytes,
    /// Who sent it, and whether one of our own proxies handed it on, as was decided when it came.
    pub client: IpAddr,
    pub through_trusted_proxy: bool,
}

impl KeptRequest {
    /// About how many bytes it takes on disk.
    pub fn size(&self) -> u64 {
        let headers = self.headers.iter().map(|(name, value)| {
            let coded = value.len().saturating_mul(4) / 3;
            name.len().saturating_add(coded).saturating_add(16)
        });
        let size = headers.fold(
            self.body.len() + self.path_and_query.len() + 256,
            usize::saturating_add,
        );
        u64::try_from(size).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for KeptRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptRequest")
            .field("received_at", &self.received_at)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A refused request as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecord {
    pub id: RefusedId,
    pub source: SourceName,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub times: u64,
    pub reason: String,
    pub status: u16,
    pub facts: RequestFacts,
    /// Until when the whole request is kept, where it is.
    pub kept_until: Option<Timestamp>,
    /// The event that it became when it was accepted later.
    pub accepted: Option<EventSeq>,
}

/// Which refused requests are asked for.
#[derive(Clone, Debug, Default)]
pub struct RefusedFilter {
    pub source: Option<SourceName>,
    pub reason: Option<String>,
    /// Only those with a smaller number: the next page.
    pub before: Option<RefusedId>,
}

/// How much is kept of each source; the oldest go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedLimits {
    /// Rows whose request is not kept.
    pub rows: u32,
    /// Whole requests.
    pub kept: u32,
    /// Bytes of all whole requests together.
    pub kept_bytes: u64,
}

/// How much is there of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedFigures {
    pub rows: u64,
    pub kept: u64,
    pub kept_bytes: u64,
}

/// The refused requests of a store.
#[async_trait]
pub trait RefusedRequests: Send + Sync + fmt::Debug {
    /// Writes a batch, and removes of its sources what is too much then. Refused while the store has enough to do.
    async fn record_refused(
        &self,
        batch: Vec<NewRefused>,
        limits: RefusedLimits,
    ) -> Result<(), StoreError>;

    /// Up to `limit` of them, newest first.
    async fn refused(
        &self,
        filter: RefusedFilter,
        limit: u32,
    ) -> Result<Vec<RefusedRecord>, StoreError>;

    /// One of them.
    async fn refused_one(&self, id: RefusedId) -> Result<Option<RefusedRecord>, StoreError>;

    /// The whole request, while it is kept.
    async fn kept_request(&self, id: RefusedId) -> Result<Option<KeptRequest>, StoreError>;

    /// Up to `limit` of a source whose whole request is kept, with a greater number than `after`, oldest first.
    async fn kept_of(
        &self,
        source: &SourceName,
        after: RefusedId,
        limit: u32,
    ) -> Result<Vec<RefusedId>, StoreError>;

    /// Writes down which event it became, and drops the whole request. `false` where it was not kept any more.
    async fn accepted_later(&self, id: RefusedId, event: EventSeq) -> Result<bool, StoreError>;

    /// Writes down why it was refused once more. `false` where it was not kept any more.
    async fn refused_again(
        &self,
        id: RefusedId,
        reason: &'static str,
        status: u16,
    ) -> Result<bool, StoreError>;

    /// Drops whole requests that were kept until `now`, and what is more than `limits` of any source.
    async fn tidy_refused(&self, now: Timestamp, limits: RefusedLimits) -> Result<(), StoreError>;

    /// How much there is of each source, by name.
    async fn refused_figures(&self) -> Result<Vec<(SourceName, RefusedFigures)>, StoreError>;
}
