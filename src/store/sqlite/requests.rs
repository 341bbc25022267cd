//! Reads whole requests, newest first.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, params};

use super::{SqliteStore, decode, fault::Fault};
use crate::{
    event::{EventSeq, SourceName},
    store::{RequestPage, StoreError, StoredRequest, StoredRequests},
};

/// Rows that one page looks at; those of other sources cost little, since their bodies are not read.
const MOST_ROWS: usize = 5_000;
/// Bytes of bodies in one page, but for the last.
const MOST_BYTES: usize = 4 << 20;

const BEFORE: &str = "
    SELECT seq, source, received_at, content_type, headers, body FROM event
    WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";

#[async_trait]
impl StoredRequests for SqliteStore {
    async fn latest_requests(
        &self,
        source: &SourceName,
        before: Option<EventSeq>,
        limit: u32,
    ) -> Result<RequestPage, StoreError> {
        let source = source.clone();
        self.read(move |connection| latest(connection, &source, before, limit))
            .await
    }
}

fn latest(
    connection: &Connection,
    source: &SourceName,
    before: Option<EventSeq>,
    limit: u32,
) -> Result<RequestPage, Fault> {
    let before = before.map_or(i64::MAX, |event| event.0);
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut page = RequestPage {
        requests: Vec::new(),
        next: None,
    };
    let (mut looked_at, mut bytes) = (0, 0);
    let mut statement = connection.prepare_cached(BEFORE)?;
    let mut rows = statement.query(params![
        before,
        i64::try_from(MOST_ROWS).unwrap_or(i64::MAX)
    ])?;
    while let Some(row) = rows.next()? {
        looked_at += 1;
        let event = EventSeq(row.get(0)?);
        if row.get_ref(1)?.as_str()? == source.as_str()
            && let Some(body) = row.get::<_, Option<Vec<u8>>>(5)?
        {
            bytes += body.len();
            page.requests.push(StoredRequest {
                event,
                received_at: decode::time(row.get(2)?)?,
                content_type: row.get(3)?,
                headers: headers(row.get(4)?)?,
                body: Bytes::from(body),
            });
        }
        if page.requests.len() >= most || bytes >= MOST_BYTES || looked_at == MOST_ROWS {
            page.next = Some(event);
            break;
        }
    }
    Ok(page)
}

fn headers(text: Option<String>) -> Result<Vec<(String, String)>, Fault> {
    text.map_or_else(
        || Ok(Vec::new()),
        |text| Ok(decode::json(&text, "headers")?),
    )
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 1] = [BEFORE];
