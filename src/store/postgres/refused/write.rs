//! Writes refused requests, and removes what is too much or too old.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;

use crate::{
    event::EventSeq,
    store::{
        RefusedId, RefusedLimits,
        postgres::{fault::Fault, session::Step},
        refused::rows::{RefusedRow, RequestRow},
    },
};

/// Whole requests that one transaction drops for their age.
pub(super) const MOST_EXPIRED: u64 = 200;

// "QGRF": held to the end of the transaction.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(1363628614)";

const UPSERT: &str = "
    INSERT INTO refused (source, mark, first_at, last_at, times, reason, status, kept, facts)
    SELECT source, mark, first_at, last_at, times, reason, status, kept, facts
    FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::boolean[],
                $9::text[])
      WITH ORDINALITY AS given (source, mark, first_at, last_at, times, reason, status, kept, facts, place)
    ORDER BY place
    ON CONFLICT (source, mark) DO UPDATE SET
      last_at = greatest(refused.last_at, excluded.last_at),
      times = refused.times + excluded.times,
      kept = refused.kept OR excluded.kept
    RETURNING id, source, mark";

// The request that came first stays: a signed time is judged by when it came.
const INSERT_REQUESTS: &str = "
    INSERT INTO refused_request (id, source, received_at, expires_at, bytes, method, target, client, by_proxy, headers, body)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[],
                         $9::boolean[], $10::text[], $11::bytea[])
    ON CONFLICT DO NOTHING";

// Those that do not fit any more when the newest are taken first. What may be shown of them stays.
pub(super) const TOO_MUCH: &str = "
    WITH gone AS (
      DELETE FROM refused_request WHERE id IN
        (SELECT id FROM
           (SELECT id, sum(bytes) OVER newest AS bytes, row_number() OVER newest AS number
            FROM refused_request WHERE source = ANY($1)
            WINDOW newest AS (PARTITION BY source ORDER BY id DESC)) AS each
         WHERE bytes > $2::bigint OR number > $3)
      RETURNING id)
    UPDATE refused SET kept = false FROM gone WHERE refused.id = gone.id";

/// Rows beyond the newest so many, of those without a whole request.
pub(super) const TRIM: &str = "
    DELETE FROM refused WHERE id IN
      (SELECT id FROM
         (SELECT id, row_number() OVER (PARTITION BY source ORDER BY id DESC) AS number
          FROM refused WHERE source = ANY($1) AND NOT kept) AS each
       WHERE number > $2)";

pub(super) const EXPIRED: &str = "
    WITH gone AS (
      DELETE FROM refused_request WHERE id IN
        (SELECT id FROM refused_request WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
      RETURNING id)
    UPDATE refused SET kept = false FROM gone WHERE refused.id = gone.id";

const ACCEPTED: &str = "
    WITH gone AS (DELETE FROM refused_request WHERE id = $1 RETURNING id)
    UPDATE refused SET kept = false, accepted = $2 FROM gone WHERE refused.id = gone.id";

const FORGET: &str = "
    WITH gone AS (DELETE FROM refused_request WHERE id = ANY($1) RETURNING id)
    UPDATE refused SET kept = false FROM gone WHERE refused.id = gone.id";

const AGAIN: &str = "
    UPDATE refused SET reason = $2, status = $3
    WHERE id = $1 AND EXISTS (SELECT 1 FROM refused_request WHERE refused_request.id = $1)";

const SOURCES: &str = "SELECT DISTINCT source FROM refused";

/// A batch in which each mark of a source stands once, in the order in which they came.
pub(super) struct Merged(Vec<RefusedRow>);

impl Merged {
    pub(super) fn new(rows: Vec<RefusedRow>) -> Self {
        let mut merged: Vec<RefusedRow> = Vec::with_capacity(rows.len());
        let mut places = HashMap::new();
        for row in rows {
            let place = *places
                .entry((row.source.clone(), row.mark))
                .or_insert(merged.len());
            match merged.get_mut(place) {
                Some(first) => {
                    first.last_at = first.last_at.max(row.last_at);
                    first.times = first.times.saturating_add(row.times);
                    if first.request.is_none() {
                        first.request = row.request;
                    }
                }
                None => merged.push(row),
            }
        }
        Self(merged)
    }

    fn sources(&self) -> Vec<&str> {
        let mut sources: Vec<&str> = self.0.iter().map(|row| row.source.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }
}

impl Step {
    /// Writes a batch, and brings its sources within the limits.
    pub(super) async fn record_refused(
        &self,
        batch: &Merged,
        limits: &RefusedLimits,
    ) -> Result<(), Fault> {
        if batch.0.is_empty() {
            return Ok(());
        }
        self.query_opt(ONE_AT_A_TIME, &[]).await?;
        let mut rows = Rows::default();
        for row in &batch.0 {
            rows.add(row);
        }
        let written = self.query(UPSERT, &rows.columns()).await?;
        let mut ids: HashMap<(&str, &[u8]), i64> = HashMap::with_capacity(written.len());
        for row in &written {
            ids.insert((row.try_get(1)?, row.try_get(2)?), row.try_get(0)?);
        }
        let mut requests = Requests::default();
        for row in &batch.0 {
            let id = ids.get(&(row.source.as_str(), row.mark.as_slice()));
            if let Some((request, id)) = row.request.as_ref().zip(id) {
                requests.add(*id, row.source.as_str(), request);
            }
        }
        if !requests.id.is_empty() {
            self.execute(INSERT_REQUESTS, &requests.columns()).await?;
        }
        self.trim_refused(&batch.sources(), limits).await
    }

    /// Brings every source within the limits.
    pub(super) async fn trim_all_refused(&self, limits: &RefusedLimits) -> Result<(), Fault> {
        self.query_opt(ONE_AT_A_TIME, &[]).await?;
        let rows = self.query(SOURCES, &[]).await?;
        let sources: Result<Vec<&str>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        self.trim_refused(&sources?, limits).await
    }

    async fn trim_refused(&self, sources: &[&str], limits: &RefusedLimits) -> Result<(), Fault> {
        let bytes = i64::try_from(limits.kept_bytes).unwrap_or(i64::MAX);
        let kept = i64::from(limits.kept);
        self.execute(TOO_MUCH, &[&sources, &bytes, &kept]).await?;
        let rows = i64::from(limits.rows);
        self.execute(TRIM, &[&sources, &rows]).await?;
        Ok(())
    }

    /// Drops some of the whole requests that were kept until then; how many.
    pub(super) async fn drop_expired(&self, now: i64) -> Result<u64, Fault> {
        self.query_opt(ONE_AT_A_TIME, &[]).await?;
        let most = i64::try_from(MOST_EXPIRED).unwrap_or(i64::MAX);
        self.execute(EXPIRED, &[&now, &most]).await
    }

    /// Drops whole requests; what may be shown of them stays. How many there were.
    pub(in crate::store::postgres) async fn forget_requests(
        &self,
        ids: &[i64],
    ) -> Result<u64, Fault> {
        self.query_opt(ONE_AT_A_TIME, &[]).await?;
        self.execute(FORGET, &[&ids]).await
    }

    pub(super) async fn accepted_later(
        &self,
        id: RefusedId,
        event: EventSeq,
    ) -> Result<bool, Fault> {
        self.query_opt(ONE_AT_A_TIME, &[]).await?;
        Ok(self.execute(ACCEPTED, &[&id.0, &event.0]).await? == 1)
    }

    pub(super) async fn refused_again(
        &self,
        id: RefusedId,
        reason: &str,
        status: u16,
    ) -> Result<bool, Fault> {
        self.query_opt(ONE_AT_A_TIME, &[]).await?;
        let status = i64::from(status);
        Ok(self.execute(AGAIN, &[&id.0, &reason, &status]).await? == 1)
    }
}

#[derive(Default)]
struct Rows<'a> {
    source: Vec<&'a str>,
    mark: Vec<&'a [u8]>,
    first_at: Vec<i64>,
    last_at: Vec<i64>,
    times: Vec<i64>,
    reason: Vec<&'static str>,
    status: Vec<i64>,
    kept: Vec<bool>,
    facts: Vec<&'a str>,
}

impl<'a> Rows<'a> {
    fn add(&mut self, row: &'a RefusedRow) {
        self.source.push(row.source.as_str());
        self.mark.push(&row.mark);
        self.first_at.push(row.first_at);
        self.last_at.push(row.last_at);
        self.times.push(row.times);
        self.reason.push(row.reason);
        self.status.push(row.status.into());
        self.kept.push(row.request.is_some());
        self.facts.push(&row.facts);
    }

    fn columns(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.source,
            &self.mark,
            &self.first_at,
            &self.last_at,
            &self.times,
            &self.reason,
            &self.status,
            &self.kept,
            &self.facts,
        ]
    }
}

#[derive(Default)]
struct Requests<'a> {
    id: Vec<i64>,
    source: Vec<&'a str>,
    received_at: Vec<i64>,
    expires_at: Vec<i64>,
    bytes: Vec<i64>,
    method: Vec<&'a str>,
    target: Vec<&'a str>,
    client: Vec<&'a str>,
    by_proxy: Vec<bool>,
    headers: Vec<&'a str>,
    body: Vec<&'a [u8]>,
}

impl<'a> Requests<'a> {
    fn add(&mut self, id: i64, source: &'a str, request: &'a RequestRow) {
        self.id.push(id);
        self.source.push(source);
        self.received_at.push(request.received_at);
        self.expires_at.push(request.expires_at);
        self.bytes.push(request.bytes);
        self.method.push(&request.method);
        self.target.push(&request.target);
        self.client.push(&request.client);
        self.by_proxy.push(request.by_proxy);
        self.headers.push(&request.headers);
        self.body.push(&request.body);
    }

    fn columns(&self) -> [&(dyn ToSql + Sync); 11] {
        [
            &self.id,
            &self.source,
            &self.received_at,
            &self.expires_at,
            &self.bytes,
            &self.method,
            &self.target,
            &self.client,
            &self.by_proxy,
            &self.headers,
            &self.body,
        ]
    }
}
