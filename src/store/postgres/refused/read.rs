//! Reads refused requests: for people, and for accepting them later.

use bytes::Bytes;
use tokio_postgres::Row;

use crate::{
    event::{EventSeq, SourceName},
    store::{
        KeptRequest, RefusedFigures, RefusedFilter, RefusedId, RefusedRecord, decode,
        postgres::{fault::Fault, insert::text, session::Session},
        refused::rows,
    },
};

/// A statement for records, with the columns in the order of `record`.
macro_rules! records {
    ($which:literal) => {
        concat!(
            "
    SELECT id, refused.source, first_at, last_at, times, reason, status, accepted, facts,
           (SELECT expires_at FROM refused_request WHERE refused_request.id = refused.id)
    FROM refused ",
            $which
        )
    };
}

pub(super) const ALL: &str = records!("WHERE id < $1 ORDER BY id DESC LIMIT $2");
pub(super) const OF_SOURCE: &str =
    records!("WHERE id < $1 AND source = $3 ORDER BY id DESC LIMIT $2");
pub(super) const OF_REASON: &str =
    records!("WHERE id < $1 AND reason = $3 ORDER BY id DESC LIMIT $2");
pub(super) const OF_BOTH: &str =
    records!("WHERE id < $1 AND source = $3 AND reason = $4 ORDER BY id DESC LIMIT $2");
const ONE: &str = records!("WHERE id = $1");

const KEPT_REQUEST: &str = "
    SELECT received_at, method, target, client, by_proxy, headers, body FROM refused_request WHERE id = $1";

pub(super) const KEPT_OF: &str =
    "SELECT id FROM refused_request WHERE source = $1 AND id > $2 ORDER BY id LIMIT $3";

const FIGURES: &str = "
    SELECT source, coalesce(rows, 0), coalesce(kept, 0), coalesce(bytes, 0)
    FROM (SELECT source, count(*) AS rows FROM refused GROUP BY source) AS refused
    FULL JOIN (SELECT source, count(*) AS kept, sum(bytes)::bigint AS bytes FROM refused_request GROUP BY source) AS request
      USING (source)
    ORDER BY source";

pub(super) async fn list(
    session: &Session,
    filter: &RefusedFilter,
    limit: u32,
) -> Result<Vec<RefusedRecord>, Fault> {
    let before = filter.before.map_or(i64::MAX, |id| id.0);
    let limit = i64::from(limit);
    let source = filter.source.as_ref().map(SourceName::as_str);
    let reason = filter.reason.as_deref().map(text);
    let rows = match (&source, &reason) {
        (None, None) => session.query(ALL, &[&before, &limit]).await?,
        (Some(source), None) => session.query(OF_SOURCE, &[&before, &limit, source]).await?,
        (None, Some(reason)) => session.query(OF_REASON, &[&before, &limit, reason]).await?,
        (Some(source), Some(reason)) => {
            session
                .query(OF_BOTH, &[&before, &limit, source, reason])
                .await?
        }
    };
    rows.iter().map(record).collect()
}

pub(super) async fn one(session: &Session, id: RefusedId) -> Result<Option<RefusedRecord>, Fault> {
    let row = session.query_opt(ONE, &[&id.0]).await?;
    row.as_ref().map(record).transpose()
}

pub(super) async fn kept_request(
    session: &Session,
    id: RefusedId,
) -> Result<Option<KeptRequest>, Fault> {
    let row = session.query_opt(KEPT_REQUEST, &[&id.0]).await?;
    row.as_ref().map(request).transpose()
}

pub(super) async fn kept_of(
    session: &Session,
    source: &SourceName,
    after: RefusedId,
    limit: u32,
) -> Result<Vec<RefusedId>, Fault> {
    let rows = session
        .query(KEPT_OF, &[&source.as_str(), &after.0, &i64::from(limit)])
        .await?;
    rows.iter()
        .map(|row| Ok(RefusedId(row.try_get(0)?)))
        .collect()
}

pub(super) async fn figures(session: &Session) -> Result<Vec<(SourceName, RefusedFigures)>, Fault> {
    let rows = session.query(FIGURES, &[]).await?;
    let figures = rows.iter().map(|row| {
        let figures = RefusedFigures {
            rows: count(row.try_get(1)?),
            kept: count(row.try_get(2)?),
            kept_bytes: count(row.try_get(3)?),
        };
        Ok((decode::text(row.try_get(0)?, "source")?, figures))
    });
    figures.collect()
}

fn count(figure: i64) -> u64 {
    u64::try_from(figure).unwrap_or_default()
}

fn record(row: &Row) -> Result<RefusedRecord, Fault> {
    let kept_until: Option<i64> = row.try_get(9)?;
    Ok(RefusedRecord {
        id: RefusedId(row.try_get(0)?),
        source: decode::text(row.try_get(1)?, "source")?,
        first_at: decode::time(row.try_get(2)?)?,
        last_at: decode::time(row.try_get(3)?)?,
        times: count(row.try_get(4)?),
        reason: row.try_get(5)?,
        status: decode::status(row.try_get(6)?)?,
        accepted: row.try_get::<_, Option<i64>>(7)?.map(EventSeq),
        facts: decode::json(row.try_get(8)?, "fact")?,
        kept_until: kept_until.map(decode::time).transpose()?,
    })
}

/// From columns with the names of the table's.
pub(in crate::store::postgres) fn request(row: &Row) -> Result<KeptRequest, Fault> {
    let body: Vec<u8> = row.try_get("body")?;
    Ok(KeptRequest {
        received_at: decode::time(row.try_get("received_at")?)?,
        method: row.try_get("method")?,
        path_and_query: row.try_get("target")?,
        client: decode::text(row.try_get("client")?, "address")?,
        through_trusted_proxy: row.try_get("by_proxy")?,
        headers: rows::headers(row.try_get("headers")?)?,
        body: Bytes::from(body),
    })
}
