//! What sources in the mode `observe` would have sent. The deliveries have ended as dropped with the reason
//! [`OBSERVED`](crate::event::OBSERVED); their updates are kept here as long as the bodies of their events, or
//! until somebody [has them sent](super::Hands::send_observed).

use async_trait::async_trait;

use super::StoreError;
use crate::{
    customer::{CustomerReference, Patch},
    event::{EventSeq, OrderBy, SourceName},
};

/// An update that was not sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedUpdate {
    pub place: ObservedPlace,
    pub customer: CustomerReference,
    pub patch: Patch,
    pub order_by: Option<OrderBy>,
}

/// Which delivery it would have been; in the order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservedPlace {
    pub event: EventSeq,
    pub item: u32,
    pub number: u32,
}

/// Reads updates that were observed.
#[async_trait]
pub trait ObservedUpdates: Send + Sync + std::fmt::Debug {
    /// Up to `limit` updates of a source that come after a place, oldest first.
    async fn observed(
        &self,
        source: &SourceName,
        after: Option<ObservedPlace>,
        limit: u32,
    ) -> Result<Vec<ObservedUpdate>, StoreError>;
}
