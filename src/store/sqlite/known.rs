//! Requests that are known already: counts them, and notices an id that came again with another body.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{decode, fault::Fault, group::Group, rows::millis};
use crate::{
    event::{DedupKey, EventSeq},
    store::{Acceptance, KnownRequest, ReusedId},
};

const HOLDER: &str = "SELECT event FROM dedup WHERE key = ?1";

/// Whether the event had one group, with another body.
const DIFFERS: &str =
    "SELECT body_hash <> ?2 AND length(dedup_keys) = 16 FROM event WHERE seq = ?1";

const REUSED: &str = "
    INSERT INTO reused_id (event, source, times, first_at, last_at) VALUES (?1, ?2, 1, ?3, ?3)
    ON CONFLICT (event) DO UPDATE SET times = times + 1, last_at = max(last_at, excluded.last_at)";

pub(super) const LATEST: &str = "
    SELECT event, source, times, first_at, last_at FROM reused_id ORDER BY event DESC LIMIT ?1";

/// A request whose every key is there.
pub(super) struct Duplicate<'a> {
    pub(super) source: &'a str,
    pub(super) received_at: i64,
    pub(super) body_hash: &'a [u8; 32],
    pub(super) first: DedupKey,
    pub(super) groups: usize,
}

impl Group<'_> {
    /// `None` where a key is not there; then nothing changes.
    pub(super) fn known(&mut self, request: &KnownRequest) -> Result<Option<Acceptance>, Fault> {
        let Some(first) = request.keys.first() else {
            return Ok(None);
        };
        for key in &request.keys {
            if self.held_by(*key)?.is_none() {
                return Ok(None);
            }
        }
        let duplicate = Duplicate {
            source: request.source.as_str(),
            received_at: millis(request.received_at),
            body_hash: &request.body_hash,
            first: *first,
            groups: request.keys.len(),
        };
        self.duplicate(&duplicate).map(Some)
    }

    /// Counts a request whose every key is there.
    pub(super) fn duplicate(&mut self, request: &Duplicate<'_>) -> Result<Acceptance, Fault> {
        let tally = self.sum.of_source(request.source);
        tally.known_groups += i64::try_from(request.groups).unwrap_or(i64::MAX);
        tally.duplicate += 1;
        let Some(event) = self.held_by(request.first)? else {
            return Err(Fault::Call("a known key is held by no event".to_owned()));
        };
        let differs = request.groups == 1 && self.differs(event, request.body_hash)?;
        if differs {
            self.connection.prepare_cached(REUSED)?.execute(params![
                event,
                request.source,
                request.received_at
            ])?;
        }
        Ok(Acceptance::Duplicate {
            event: EventSeq(event),
            known: u32::try_from(request.groups).unwrap_or(u32::MAX),
            differs,
        })
    }

    fn held_by(&self, key: DedupKey) -> Result<Option<i64>, Fault> {
        Ok(self
            .connection
            .prepare_cached(HOLDER)?
            .query_row([key.as_bytes()], |row| row.get(0))
            .optional()?)
    }

    fn differs(&self, event: i64, body_hash: &[u8; 32]) -> Result<bool, Fault> {
        let differs = self
            .connection
            .prepare_cached(DIFFERS)?
            .query_row(params![event, body_hash], |row| row.get(0))
            .optional()?;
        Ok(differs.unwrap_or(false))
    }
}

/// The latest events whose id came again with another body, newest first.
pub(super) fn reused_ids(connection: &Connection, limit: u32) -> Result<Vec<ReusedId>, Fault> {
    let mut statement = connection.prepare_cached(LATEST)?;
    let mut rows = statement.query([limit])?;
    let mut reused = Vec::new();
    while let Some(row) = rows.next()? {
        reused.push(ReusedId {
            event: EventSeq(row.get(0)?),
            source: decode::text(row.get_ref(1)?.as_str()?, "source")?,
            times: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
            first_at: decode::time(row.get(3)?)?,
            last_at: decode::time(row.get(4)?)?,
        });
    }
    Ok(reused)
}
