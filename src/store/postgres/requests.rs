//! Reads whole requests, newest first.

use async_trait::async_trait;
use bytes::Bytes;
use tokio_postgres::Row;

use super::{PostgresStore, fault::Fault, session::Session};
use crate::{
    event::{EventSeq, SourceName},
    store::{RequestPage, StoreError, StoredRequest, StoredRequests, decode},
};

/// Rows that one page looks at; those without a body cost little.
const MOST_ROWS: i64 = 5_000;
/// Bytes of bodies in one page, but for the last.
const MOST_BYTES: i64 = 4 << 20;

// Lengths are known without reading the bodies, and only those of the page are read.
const BEFORE: &str = "
    SELECT seq, received_at, content_type, headers, body FROM
      (SELECT *, sum(length(body)) OVER (ORDER BY seq DESC) - length(body) AS before FROM
         (SELECT seq, received_at, content_type, headers, body FROM
            (SELECT seq, received_at, content_type, headers, body FROM event
             WHERE source = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3) AS looked_at
          WHERE body IS NOT NULL ORDER BY seq DESC LIMIT $4) AS kept) AS page
    WHERE before < $5::bigint ORDER BY seq DESC";

/// The last row that a page looks at which ends for having looked at enough.
const LAST_LOOKED_AT: &str = "
    SELECT seq FROM event WHERE source = $1 AND seq < $2 ORDER BY seq DESC OFFSET $3::bigint - 1 LIMIT 1";

#[async_trait]
impl StoredRequests for PostgresStore {
    async fn latest_requests(
        &self,
        source: &SourceName,
        before: Option<EventSeq>,
        limit: u32,
    ) -> Result<RequestPage, StoreError> {
        read!(self.people, |session| latest(
            session, source, before, limit
        ))
    }
}

async fn latest(
    session: &Session,
    source: &SourceName,
    before: Option<EventSeq>,
    limit: u32,
) -> Result<RequestPage, Fault> {
    let before = before.map_or(i64::MAX, |event| event.0);
    let source = source.as_str();
    let rows = session
        .query(
            BEFORE,
            &[&source, &before, &MOST_ROWS, &i64::from(limit), &MOST_BYTES],
        )
        .await?;
    let requests: Result<Vec<StoredRequest>, Fault> = rows.iter().map(request).collect();
    let requests = requests?;
    let bytes: usize = requests.iter().map(|request| request.body.len()).sum();
    let is_full = requests.len() >= usize::try_from(limit).unwrap_or(usize::MAX)
        || i64::try_from(bytes).unwrap_or(i64::MAX) >= MOST_BYTES;
    let next = match requests.last() {
        Some(last) if is_full => Some(last.event),
        _ => {
            let last = session
                .query_opt(LAST_LOOKED_AT, &[&source, &before, &MOST_ROWS])
                .await?;
            last.map(|row| row.try_get(0)).transpose()?.map(EventSeq)
        }
    };
    Ok(RequestPage { requests, next })
}

fn request(row: &Row) -> Result<StoredRequest, Fault> {
    let headers: Option<&str> = row.try_get(3)?;
    let body: Vec<u8> = row.try_get(4)?;
    Ok(StoredRequest {
        event: EventSeq(row.try_get(0)?),
        received_at: decode::time(row.try_get(1)?)?,
        content_type: row.try_get(2)?,
        headers: match headers {
            Some(text) => decode::json(text, "headers")?,
            None => Vec::new(),
        },
        body: Bytes::from(body),
    })
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 2] = [BEFORE, LAST_LOOKED_AT];
