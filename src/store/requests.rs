//! Accepted requests as they came, to be mapped once more.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::StoreError;
use crate::event::{EventSeq, SourceName};

/// What is needed to map a request again.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRequest {
    pub event: EventSeq,
    pub received_at: Timestamp,
    pub content_type: Option<String>,
    /// Those that mapping needed when it came.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// Names no value: all of it is personal data.
impl std::fmt::Debug for StoredRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredRequest")
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

/// Some requests of a source, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPage {
    pub requests: Vec<StoredRequest>,
    /// Go on before this one; `None` where there are no more.
    pub next: Option<EventSeq>,
}

/// Reads requests whose bodies are still kept.
#[async_trait]
pub trait StoredRequests: Send + Sync + std::fmt::Debug {
    /// Up to `limit` requests of a source that were accepted before `before`, newest first. A page ends early, also
    /// without any, after a bounded number of rows or bytes; there are more as long as it says so.
    async fn latest_requests(
        &self,
        source: &SourceName,
        before: Option<EventSeq>,
        limit: u32,
    ) -> Result<RequestPage, StoreError>;
}
