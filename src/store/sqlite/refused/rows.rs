//! A refused request as the rows it becomes. Made by the task that calls, so that the thread that writes has only
//! statements to run.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use rusqlite::Row;

use crate::{
    event::SourceName,
    store::{
        KeptRequest, NewRefused, StoreError,
        sqlite::{
            decode,
            fault::Fault,
            rows::{json, millis},
        },
    },
};

/// The row of `refused`, and what comes with it.
pub(in crate::store::sqlite) struct RefusedRow {
    pub(super) source: SourceName,
    pub(super) mark: [u8; 16],
    pub(super) first_at: i64,
    pub(super) last_at: i64,
    pub(super) times: i64,
    pub(super) reason: &'static str,
    pub(super) status: u16,
    pub(super) facts: String,
    pub(super) request: Option<RequestRow>,
}

/// The row of `refused_request`.
pub(super) struct RequestRow {
    pub(super) received_at: i64,
    pub(super) expires_at: i64,
    pub(super) bytes: i64,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) client: String,
    pub(super) by_proxy: bool,
    pub(super) headers: String,
    pub(super) body: Bytes,
}

impl RefusedRow {
    pub(super) fn new(refused: NewRefused) -> Result<Self, StoreError> {
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
    pub(super) fn size(&self) -> u64 {
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

/// The opposite of [`RequestRow`], from the columns that `KEPT_REQUEST` in `read.rs` names.
pub(in crate::store::sqlite) fn request(row: &Row<'_>) -> Result<KeptRequest, Fault> {
    let coded: Vec<(String, String)> = decode::json(&row.get::<_, String>("headers")?, "header")?;
    let headers: Result<Vec<_>, Fault> = coded
        .into_iter()
        .map(|(name, value)| {
            let value = BASE64_STANDARD
                .decode(value)
                .map_err(|_| Fault::Call("a stored header cannot be read".to_owned()))?;
            Ok((name, value))
        })
        .collect();
    let client: String = row.get("client")?;
    Ok(KeptRequest {
        received_at: decode::time(row.get("received_at")?)?,
        method: row.get("method")?,
        path_and_query: row.get("target")?,
        client: client
            .parse()
            .map_err(|_| Fault::Call("a stored address cannot be read".to_owned()))?,
        through_trusted_proxy: row.get("by_proxy")?,
        headers: headers?,
        body: Bytes::from(row.get::<_, Vec<u8>>("body")?),
    })
}
