//! Writes refused requests, and removes what is too much or too old.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, params};

use super::RefusedChange;
use crate::store::{
    RefusedId, RefusedLimits,
    refused::rows::{RefusedRow, RequestRow},
    sqlite::{fault::Fault, group::Group},
};

const UPSERT: &str = "
    INSERT INTO refused (source, mark, first_at, last_at, times, reason, status, kept, facts)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (source, mark) DO UPDATE SET
      last_at = max(last_at, excluded.last_at),
      times = times + excluded.times,
      kept = max(kept, excluded.kept)
    RETURNING id";

// The request that came first stays: a signed time is judged by when it came.
const INSERT_REQUEST: &str = "
    INSERT INTO refused_request (id, source, received_at, expires_at, bytes, method, target, client, by_proxy, headers, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT DO NOTHING";

/// Rows beyond the newest so many, of those without a whole request.
pub(super) const TRIM: &str = "
    DELETE FROM refused WHERE id IN
      (SELECT id FROM refused INDEXED BY refused_bare WHERE source = ?1 AND kept = 0
       ORDER BY id DESC LIMIT -1 OFFSET ?2)";

pub(super) const SUM: &str = "
    SELECT count(*), coalesce(sum(bytes), 0) FROM refused_request INDEXED BY refused_request_source WHERE source = ?1";

/// Those that do not fit any more when the newest are taken first.
const TOO_MUCH: &str = "
    SELECT id FROM
      (SELECT id, sum(bytes) OVER newest AS bytes, row_number() OVER newest AS number
       FROM refused_request INDEXED BY refused_request_source WHERE source = ?1
       WINDOW newest AS (ORDER BY id DESC))
    WHERE bytes > ?2 OR number > ?3";

pub(super) const EXPIRED: &str =
    "SELECT id FROM refused_request INDEXED BY refused_request_expiry WHERE expires_at <= ?1";

impl Group<'_> {
    /// Whether there was something to change; of a batch and of tidying: whether whole requests were dropped.
    pub(in crate::store::sqlite) fn change_refused(
        &self,
        change: &RefusedChange,
    ) -> Result<bool, Fault> {
        match change {
            RefusedChange::Record { rows, limits } => {
                self.record_refused(rows)?;
                let sources: BTreeSet<&str> = rows.iter().map(|row| row.source.as_str()).collect();
                let mut has_dropped = false;
                for source in sources {
                    has_dropped |= self.trim_refused(source, limits)?;
                }
                Ok(has_dropped)
            }
            RefusedChange::Accepted { id, event } => {
                if !self.forget_request(id.0)? {
                    return Ok(false);
                }
                self.connection
                    .prepare_cached("UPDATE refused SET accepted = ?2 WHERE id = ?1")?
                    .execute(params![id.0, event.0])?;
                Ok(true)
            }
            RefusedChange::Again { id, reason, status } => self.refused_again(*id, reason, *status),
            RefusedChange::Tidy { now, limits } => {
                let mut has_dropped = false;
                for id in self.ids(EXPIRED, params![now])? {
                    has_dropped |= self.forget_request(id)?;
                }
                for source in self.refused_sources()? {
                    has_dropped |= self.trim_refused(&source, limits)?;
                }
                Ok(has_dropped)
            }
        }
    }

    fn record_refused(&self, rows: &[RefusedRow]) -> Result<(), Fault> {
        let mut upsert = self.connection.prepare_cached(UPSERT)?;
        for row in rows {
            let id: i64 = upsert.query_row(
                params![
                    row.source.as_str(),
                    row.mark,
                    row.first_at,
                    row.last_at,
                    row.times,
                    row.reason,
                    row.status,
                    row.request.is_some(),
                    row.facts,
                ],
                |row| row.get(0),
            )?;
            if let Some(request) = &row.request {
                self.insert_request(id, row.source.as_str(), request)?;
            }
        }
        Ok(())
    }

    fn insert_request(&self, id: i64, source: &str, request: &RequestRow) -> Result<(), Fault> {
        self.connection
            .prepare_cached(INSERT_REQUEST)?
            .execute(params![
                id,
                source,
                request.received_at,
                request.expires_at,
                request.bytes,
                request.method,
                request.target,
                request.client,
                request.by_proxy,
                request.headers,
                &*request.body,
            ])?;
        Ok(())
    }

    /// Brings what is there of a source within the limits. Whether whole requests were dropped.
    fn trim_refused(&self, source: &str, limits: &RefusedLimits) -> Result<bool, Fault> {
        let mut has_dropped = false;
        let (count, bytes): (i64, i64) = self
            .connection
            .prepare_cached(SUM)?
            .query_row([source], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let most_bytes = i64::try_from(limits.kept_bytes).unwrap_or(i64::MAX);
        if count > i64::from(limits.kept) || bytes > most_bytes {
            for id in self.ids(TOO_MUCH, params![source, most_bytes, limits.kept])? {
                has_dropped |= self.forget_request(id)?;
            }
        }
        self.connection
            .prepare_cached(TRIM)?
            .execute(params![source, limits.rows])?;
        Ok(has_dropped)
    }

    /// Drops a whole request; what may be shown of it stays. Whether there was one.
    pub(in crate::store::sqlite) fn forget_request(&self, id: i64) -> Result<bool, Fault> {
        let dropped = self
            .connection
            .prepare_cached("DELETE FROM refused_request WHERE id = ?1")?
            .execute([id])?;
        self.connection
            .prepare_cached("UPDATE refused SET kept = 0 WHERE id = ?1")?
            .execute([id])?;
        Ok(dropped == 1)
    }

    fn refused_again(&self, id: RefusedId, reason: &str, status: u16) -> Result<bool, Fault> {
        let kept = self
            .connection
            .prepare_cached("SELECT 1 FROM refused_request WHERE id = ?1")?
            .query_row([id.0], |_row| Ok(()))
            .optional()?;
        if kept.is_none() {
            return Ok(false);
        }
        self.connection
            .prepare_cached("UPDATE refused SET reason = ?2, status = ?3 WHERE id = ?1")?
            .execute(params![id.0, reason, status])?;
        Ok(true)
    }

    fn ids(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<i64>, Fault> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let ids: Result<Vec<i64>, _> = statement.query_map(parameters, |row| row.get(0))?.collect();
        Ok(ids?)
    }

    fn refused_sources(&self) -> Result<Vec<String>, Fault> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT DISTINCT source FROM refused INDEXED BY refused_source")?;
        let sources: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0))?.collect();
        Ok(sources?)
    }
}
