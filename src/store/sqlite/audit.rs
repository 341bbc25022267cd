//! The audit log: written by the thread that writes, bounded at each write.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{
    SqliteStore, decode,
    fault::Fault,
    group::Group,
    rows::{json, millis},
    writer::{Call, Job},
};
use crate::{
    event::OperatorName,
    store::{
        AUDIT_ENTRIES, AUDIT_KEPT_FOR, Act, AuditEntry, AuditFilter, AuditId, AuditLog,
        NewAuditEntry, StoreError,
    },
};

/// How many entries one write looks at to remove what is too old.
const TIDIED: u32 = 100;

const INSERT: &str =
    "INSERT INTO audit (at, act, by, what, count) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";

const TOO_MANY: &str = "DELETE FROM audit WHERE id <= ?1";

/// The first so many, since a clock that was wrong may have put anything between them.
const OLDEST: &str = "SELECT id, at FROM audit ORDER BY id LIMIT ?1";

const ALL: &str = "
    SELECT id, at, act, by, what, count FROM audit WHERE id < ?1 ORDER BY id DESC";

/// The row of `audit`.
pub(super) struct AuditRow {
    at: i64,
    act: Act,
    by: Option<OperatorName>,
    what: String,
    count: i64,
}

impl AuditRow {
    fn new(entry: &NewAuditEntry) -> Result<Self, StoreError> {
        Ok(Self {
            at: millis(entry.at),
            act: entry.act,
            by: entry.by.clone(),
            what: json(&entry.what)?,
            count: i64::try_from(entry.count).unwrap_or(i64::MAX),
        })
    }
}

impl Group<'_> {
    pub(super) fn record_act(&self, row: &AuditRow) -> Result<AuditId, Fault> {
        let id: i64 = self.connection.prepare_cached(INSERT)?.query_row(
            params![
                row.at,
                row.act.as_str(),
                row.by.as_ref().map(OperatorName::as_str),
                row.what,
                row.count,
            ],
            |row| row.get(0),
        )?;
        self.connection
            .prepare_cached(TOO_MANY)?
            .execute([id - i64::from(AUDIT_ENTRIES)])?;
        let expired = row.at - decode::duration_millis(AUDIT_KEPT_FOR);
        let mut delete = self
            .connection
            .prepare_cached("DELETE FROM audit WHERE id = ?1")?;
        for (old, at) in self.oldest_acts()? {
            if at < expired {
                delete.execute([old])?;
            }
        }
        Ok(AuditId(id))
    }

    fn oldest_acts(&self) -> Result<Vec<(i64, i64)>, Fault> {
        let mut oldest = self.connection.prepare_cached(OLDEST)?;
        let rows: Result<Vec<_>, _> = oldest
            .query_map([TIDIED], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect();
        Ok(rows?)
    }
}

#[async_trait]
impl AuditLog for SqliteStore {
    async fn record_act(&self, entry: NewAuditEntry) -> Result<AuditId, StoreError> {
        self.health.is_open()?;
        let (call, reply) = Call::new(AuditRow::new(&entry)?);
        if self.writes.send(Job::Audit(call)).await.is_err() {
            return Err(self.gone());
        }
        self.answer(reply).await
    }

    async fn acts(&self, filter: AuditFilter, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.read_for_people(move |connection| acts(connection, filter, limit))
            .await
    }
}

/// The log is bounded, so looking for one kind of act walks it.
fn acts(
    connection: &Connection,
    filter: AuditFilter,
    limit: u32,
) -> Result<Vec<AuditEntry>, Fault> {
    let before = filter.before.map_or(i64::MAX, |id| id.0);
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut statement = connection.prepare_cached(ALL)?;
    let mut rows = statement.query([before])?;
    let mut entries = Vec::new();
    while entries.len() < most {
        let Some(row) = rows.next()? else { break };
        let act = Act::from_word(row.get_ref(2)?.as_str()?)
            .ok_or_else(|| Fault::Call("a stored act cannot be read".to_owned()))?;
        if filter.act.is_some_and(|wanted| wanted != act) {
            continue;
        }
        let by: Option<String> = row.get(3)?;
        entries.push(AuditEntry {
            id: AuditId(row.get(0)?),
            at: decode::time(row.get(1)?)?,
            act,
            by: by.map(|by| decode::text(&by, "operator")).transpose()?,
            what: decode::json(row.get_ref(4)?.as_str()?, "act")?,
            count: u64::try_from(row.get::<_, i64>(5)?).unwrap_or_default(),
        });
    }
    Ok(entries)
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 3] = [TOO_MANY, OLDEST, ALL];
