//! The audit log, bounded at each write.

use async_trait::async_trait;
use tokio_postgres::Row;

use super::{
    PostgresStore,
    fault::Fault,
    insert::text,
    session::{Session, Step},
};
use crate::{
    event::OperatorName,
    store::{
        AUDIT_ENTRIES, AUDIT_KEPT_FOR, Act, AuditEntry, AuditFilter, AuditId, AuditLog,
        NewAuditEntry, StoreError, decode,
        rows::{json, millis},
    },
};

/// How many entries one write looks at to remove what is too much or too old.
const TIDIED: i64 = 100;

const INSERT: &str =
    "INSERT INTO audit (at, act, by, what, count) VALUES ($1, $2, $3, $4, $5) RETURNING id";

// Of the first so many, since a clock that was wrong may have put anything between them.
const TIDY: &str = "
    DELETE FROM audit WHERE id = ANY (ARRAY(
      SELECT id FROM (SELECT id, at FROM audit ORDER BY id LIMIT $3) AS oldest WHERE id <= $1 OR at < $2))";

// The log is bounded, so looking for one kind of act walks it.
const ACTS: &str = "
    SELECT id, at, act, by, what, count FROM audit
    WHERE id < $1 AND ($2::text IS NULL OR act = $2) ORDER BY id DESC LIMIT $3";

impl Step {
    async fn record_act(&self, entry: &NewAuditEntry, what: &str) -> Result<AuditId, Fault> {
        let at = millis(entry.at);
        let count = i64::try_from(entry.count).unwrap_or(i64::MAX);
        let by = entry.by.as_ref().map(|by| text(by.as_str()));
        let id: i64 = self
            .query_opt(INSERT, &[&at, &entry.act.as_str(), &by, &what, &count])
            .await?
            .ok_or_else(|| Fault::Call("an insertion gave no row".to_owned()))?
            .try_get(0)?;
        let too_many = id - i64::from(AUDIT_ENTRIES);
        let expired = at.saturating_sub(decode::duration_millis(AUDIT_KEPT_FOR));
        self.execute(TIDY, &[&too_many, &expired, &TIDIED]).await?;
        Ok(AuditId(id))
    }
}

#[async_trait]
impl AuditLog for PostgresStore {
    async fn record_act(&self, entry: NewAuditEntry) -> Result<AuditId, StoreError> {
        let what = json(&entry.what)?;
        change!(self.people, |step| step.record_act(&entry, &what))
    }

    async fn acts(&self, filter: AuditFilter, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        read!(self.people, |session| acts(session, filter, limit))
    }
}

async fn acts(
    session: &Session,
    filter: AuditFilter,
    limit: u32,
) -> Result<Vec<AuditEntry>, Fault> {
    let before = filter.before.map_or(i64::MAX, |id| id.0);
    let act = filter.act.map(Act::as_str);
    let rows = session
        .query(ACTS, &[&before, &act, &i64::from(limit)])
        .await?;
    rows.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<AuditEntry, Fault> {
    let by: Option<&str> = row.try_get(3)?;
    let by: Option<OperatorName> = by.map(|by| decode::text(by, "operator")).transpose()?;
    Ok(AuditEntry {
        id: AuditId(row.try_get(0)?),
        at: decode::time(row.try_get(1)?)?,
        act: Act::from_word(row.try_get(2)?)
            .ok_or_else(|| Fault::Call("a stored act cannot be read".to_owned()))?,
        by,
        what: decode::json(row.try_get(4)?, "act")?,
        count: u64::try_from(row.try_get::<_, i64>(5)?).unwrap_or_default(),
    })
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 2] = [TIDY, ACTS];
