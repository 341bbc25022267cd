//! Reads refused requests: for people, and for accepting them later.

use std::collections::BTreeMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    event::{EventSeq, SourceName},
    store::{
        KeptRequest, RefusedFigures, RefusedFilter, RefusedId, RefusedRecord,
        refused::rows,
        sqlite::{decode, fault::Fault},
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

pub(super) const ALL: &str = records!("WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
pub(super) const OF_SOURCE: &str =
    records!("INDEXED BY refused_source WHERE id < ?1 AND source = ?3 ORDER BY id DESC LIMIT ?2");
pub(super) const OF_REASON: &str =
    records!("INDEXED BY refused_reason WHERE id < ?1 AND reason = ?3 ORDER BY id DESC LIMIT ?2");
// The `+` keeps the reason from being looked up: rows of a source are few.
pub(super) const OF_BOTH: &str = records!(
    "INDEXED BY refused_source WHERE id < ?1 AND source = ?3 AND +reason = ?4 ORDER BY id DESC LIMIT ?2"
);
const ONE: &str = records!("WHERE id = ?1");

const KEPT_REQUEST: &str = "
    SELECT received_at, method, target, client, by_proxy, headers, body FROM refused_request WHERE id = ?1";

pub(super) const KEPT_OF: &str = "
    SELECT id FROM refused_request INDEXED BY refused_request_source
    WHERE source = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

pub(super) fn list(
    connection: &Connection,
    filter: &RefusedFilter,
    limit: u32,
) -> Result<Vec<RefusedRecord>, Fault> {
    let before = filter.before.map_or(i64::MAX, |id| id.0);
    let source = filter.source.as_ref().map(SourceName::as_str);
    let mut statement = connection.prepare_cached(match (source, &filter.reason) {
        (None, None) => ALL,
        (Some(_), None) => OF_SOURCE,
        (None, Some(_)) => OF_REASON,
        (Some(_), Some(_)) => OF_BOTH,
    })?;
    let mut rows = match (source, &filter.reason) {
        (None, None) => statement.query(params![before, limit])?,
        (Some(source), None) => statement.query(params![before, limit, source])?,
        (None, Some(reason)) => statement.query(params![before, limit, reason])?,
        (Some(source), Some(reason)) => statement.query(params![before, limit, source, reason])?,
    };
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(records)
}

pub(super) fn one(connection: &Connection, id: RefusedId) -> Result<Option<RefusedRecord>, Fault> {
    let mut statement = connection.prepare_cached(ONE)?;
    let mut rows = statement.query([id.0])?;
    rows.next()?.map(record).transpose()
}

pub(super) fn kept_request(
    connection: &Connection,
    id: RefusedId,
) -> Result<Option<KeptRequest>, Fault> {
    connection
        .prepare_cached(KEPT_REQUEST)?
        .query_row([id.0], |row| Ok(request(row)))
        .optional()?
        .transpose()
}

pub(super) fn kept_of(
    connection: &Connection,
    source: &SourceName,
    after: RefusedId,
    limit: u32,
) -> Result<Vec<RefusedId>, Fault> {
    let mut statement = connection.prepare_cached(KEPT_OF)?;
    let ids: Result<Vec<_>, _> = statement
        .query_map(params![source.as_str(), after.0, limit], |row| {
            row.get(0).map(RefusedId)
        })?
        .collect();
    Ok(ids?)
}

pub(super) fn figures(connection: &Connection) -> Result<Vec<(SourceName, RefusedFigures)>, Fault> {
    let mut sources: BTreeMap<String, RefusedFigures> = BTreeMap::new();
    let mut rows = connection.prepare_cached(
        "SELECT source, count(*) FROM refused INDEXED BY refused_source GROUP BY source",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        sources.entry(row.get(0)?).or_default().rows = count(row.get(1)?);
    }
    let mut kept = connection.prepare_cached(
        "SELECT source, count(*), sum(bytes) FROM refused_request INDEXED BY refused_request_source GROUP BY source",
    )?;
    let mut kept = kept.query([])?;
    while let Some(row) = kept.next()? {
        let figures = sources.entry(row.get(0)?).or_default();
        figures.kept = count(row.get(1)?);
        figures.kept_bytes = count(row.get(2)?);
    }
    let named = sources
        .into_iter()
        .map(|(source, figures)| Ok((decode::text(&source, "source")?, figures)));
    named.collect()
}

fn count(figure: i64) -> u64 {
    u64::try_from(figure).unwrap_or_default()
}

fn record(row: &Row<'_>) -> Result<RefusedRecord, Fault> {
    Ok(RefusedRecord {
        id: RefusedId(row.get(0)?),
        source: decode::text(row.get_ref(1)?.as_str()?, "source")?,
        first_at: decode::time(row.get(2)?)?,
        last_at: decode::time(row.get(3)?)?,
        times: count(row.get(4)?),
        reason: row.get(5)?,
        status: row.get(6)?,
        accepted: row.get::<_, Option<i64>>(7)?.map(EventSeq),
        facts: decode::json(row.get_ref(8)?.as_str()?, "fact")?,
        kept_until: row
            .get::<_, Option<i64>>(9)?
            .map(decode::time)
            .transpose()?,
    })
}

/// From columns with the names of the table's.
pub(in crate::store::sqlite) fn request(row: &Row<'_>) -> Result<KeptRequest, Fault> {
    Ok(KeptRequest {
        received_at: decode::time(row.get("received_at")?)?,
        method: row.get("method")?,
        path_and_query: row.get("target")?,
        client: decode::text(row.get_ref("client")?.as_str()?, "address")?,
        through_trusted_proxy: row.get("by_proxy")?,
        headers: rows::headers(row.get_ref("headers")?.as_str()?)?,
        body: Bytes::from(row.get::<_, Vec<u8>>("body")?),
    })
}
