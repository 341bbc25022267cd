//! A refused request as the rows it becomes, in any engine. Made by the task that calls, so that the one that writes has only
//! statements to run.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;

use super::NewRefused;
use crate::{
    event::SourceName,
    store::{
        StoreError,
        decode::{self, Unreadable},
        rows::{json, millis},
    },
};

/// The row of `refused`, and what comes with it.
pub(in crate::store) struct RefusedRow {
    pub(in crate::store) source: SourceName,
    pub(in crate::store) mark: [u8; 16],
    pub(in crate::store) first_at: i64,
    pub(in crate::store) last_at: i64,
    pub(in crate::store) times: i64,
    pub(in crate::store) reason: &'static str,
    pub(in crate::store) status: u16,
    pub(in crate::store) facts: String,
    pub(in crate::store) request: Option<RequestRow>,
}

/// The row of `refused_request`.
pub(in crate::store) struct RequestRow {
    pub(in crate::store) received_at: i64,
    pub(in crate::store) expires_at: i64,
    pub(in crate::store) bytes: i64,
    pub(in crate::store) method: String,
    pub(in crate::store) target: String,
    pub(in crate::store) client: String,
    pub(in crate::store) by_proxy: bool,
    pub(in crate::store) headers: String,
    pub(in crate::store) body: Bytes,
}

impl RefusedRow {
    pub(in crate::store) fn new(refused: NewRefused) -> Result<Self, StoreError> {
        let request = refused.kept.map(|(request, until)| {
            Ok(RequestRow {
                received_at: millis(request.received_at),
                expires_at: millis(until),
                bytes: i64::try_from(request.size()).unwrap_or(i64::MAX),
                headers: encode(&request.headers)?,
                method: request.method,
                target: request.path_and_query,
                client: request.client.to_string(),
                by_proxy: request.through_trusted_proxy,
                body: request.body,
            })
        });
        Ok(Self {
            source: refused.source,
            mark: refused.mark,
            first_at: millis(refused.first_at),
            last_at: millis(refused.last_at),
            times: i64::try_from(refused.times).unwrap_or(i64::MAX),
            reason: refused.reason,
            status: refused.status,
            facts: json(&refused.facts)?,
            request: request.transpose()?,
        })
    }

    /// About how many bytes it takes on disk.
    pub(in crate::store) fn size(&self) -> u64 {
        let request = self.request.as_ref().map_or(0, |request| request.bytes);
        let facts = u64::try_from(self.facts.len()).unwrap_or(u64::MAX);
        facts
            .saturating_add(u64::try_from(request).unwrap_or_default())
            .saturating_add(256)
    }
}

fn encode(headers: &[(String, Vec<u8>)]) -> Result<String, StoreError> {
    let coded: Vec<(&str, String)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), BASE64_STANDARD.encode(value)))
        .collect();
    json(&coded)
}

/// The column `headers` of [`RequestRow`], read back.
pub(in crate::store) fn headers(text: &str) -> Result<Vec<(String, Vec<u8>)>, Unreadable> {
    let coded: Vec<(String, String)> = decode::json(text, "header")?;
    let headers = coded.into_iter().map(|(name, value)| {
        let value = decode::base64(&value, "header")?;
        Ok((name, value))
    });
    headers.collect()
}
