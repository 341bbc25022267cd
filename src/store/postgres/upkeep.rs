//! The upkeep of the database: its calendar, and what is removed by age.
//!
//! Who does it holds a lease, and a former holder may still be at it: each change begins with the lock of the row of `upkeep`, so
//! that two do not remove at a time.

mod prune;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    PostgresStore,
    fault::Fault,
    session::{Session, Step},
};
use crate::store::{
    StoreError, decode,
    rows::millis,
    upkeep::{Ahead, Calendar, Prune, Pruned, Retained, Upkeep},
};

/// How far the date moves on between two marks, in milliseconds.
const MARK_EVERY: i64 = 3_600_000;

const CALENDAR: &str = "SELECT date, ahead_since, ahead_seen FROM upkeep";

// Also what a former holder of the lease sets late does not turn the date back.
const SET_CALENDAR: &str = "
    UPDATE upkeep SET date = $1, ahead_since = $2, ahead_seen = $3 WHERE date IS NULL OR date <= $1";

// Whoever is accepting now has numbers from `next_event` on.
const MARK: &str = "
    INSERT INTO upkeep_mark (at, event)
    SELECT $1, next_event FROM meta WHERE NOT EXISTS (SELECT 1 FROM upkeep_mark WHERE at > $1 - $2::bigint)
    ON CONFLICT DO NOTHING";

const FORGET_MARKS: &str = "
    DELETE FROM upkeep_mark WHERE at < (SELECT max(at) FROM upkeep_mark WHERE at <= $1)";

/// Everything up to these events was looked at, by kind; and the number that all events are below that were accepted by then,
/// 1 where none can be.
macro_rules! cursors {
    ($lock:literal) => {
        concat!(
            "
    SELECT bodies, dedup_keys, history,
           coalesce((SELECT event FROM upkeep_mark WHERE at <= $1 ORDER BY at DESC LIMIT 1), 1)
    FROM upkeep",
            $lock
        )
    };
}

const CURSORS: &str = cursors!("");
const LOCK_CURSORS: &str = cursors!(" FOR UPDATE");

/// Which events are looked at for the first time: those after `begin`, before `end`.
struct Cursor {
    begin: i64,
    end: i64,
}

impl Cursor {
    /// The parameter of the statement.
    fn accepted_by(date: Timestamp, age: Duration) -> i64 {
        millis(date).saturating_sub(decode::duration_millis(age))
    }

    fn read(row: Option<&tokio_postgres::Row>, kind: Retained) -> Result<Self, Fault> {
        let row = row.ok_or_else(|| Fault::Call("the row of `upkeep` is missing".to_owned()))?;
        let column = match kind {
            Retained::Bodies => 0,
            Retained::DedupKeys => 1,
            Retained::History => 2,
        };
        Ok(Self {
            begin: row.try_get::<_, i64>(column)?,
            end: row.try_get(3)?,
        })
    }
}

async fn calendar(session: &Session) -> Result<Option<Calendar>, Fault> {
    let Some(row) = session.query_opt(CALENDAR, &[]).await? else {
        return Ok(None);
    };
    let date: Option<i64> = row.try_get(0)?;
    let since: Option<i64> = row.try_get(1)?;
    let seen: Option<i64> = row.try_get(2)?;
    let Some(date) = date else { return Ok(None) };
    let ahead = match since.zip(seen) {
        Some((since, seen)) => Some(Ahead {
            since: decode::time(since)?,
            seen: decode::time(seen)?,
        }),
        None => None,
    };
    Ok(Some(Calendar {
        date: decode::time(date)?,
        ahead,
    }))
}

async fn overdue(
    session: &Session,
    kind: Retained,
    date: Timestamp,
    age: Duration,
) -> Result<u64, Fault> {
    let accepted_by = Cursor::accepted_by(date, age);
    let row = session.query_opt(CURSORS, &[&accepted_by]).await?;
    let cursor = Cursor::read(row.as_ref(), kind)?;
    let overdue = (cursor.end - 1).saturating_sub(cursor.begin);
    Ok(u64::try_from(overdue).unwrap_or_default())
}

impl Step {
    async fn set_calendar(
        &self,
        calendar: &Calendar,
        forget_before: Timestamp,
    ) -> Result<(), Fault> {
        let date = millis(calendar.date);
        let since = calendar.ahead.map(|ahead| millis(ahead.since));
        let seen = calendar.ahead.map(|ahead| millis(ahead.seen));
        let is_set = self.execute(SET_CALENDAR, &[&date, &since, &seen]).await? == 1;
        if is_set {
            self.execute(MARK, &[&date, &MARK_EVERY]).await?;
            self.execute(FORGET_MARKS, &[&millis(forget_before)])
                .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Upkeep for PostgresStore {
    async fn calendar(&self) -> Result<Option<Calendar>, StoreError> {
        read!(self.people, |session| calendar(session))
    }

    async fn set_calendar(
        &self,
        calendar: Calendar,
        forget_before: Timestamp,
    ) -> Result<(), StoreError> {
        change!(self.people, |step| step
            .set_calendar(&calendar, forget_before))
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        self.has_time()?;
        let piece = change!(self.people, |step| step.prune_next(&prune))?;
        if piece.is_full() {
            return Ok(piece.done());
        }
        // A transaction of its own, so that each takes its events in their order.
        let piece = change!(self.people, |step| step.prune_later(piece))?;
        Ok(piece.done())
    }

    async fn overdue(
        &self,
        kind: Retained,
        date: Timestamp,
        age: Duration,
    ) -> Result<u64, StoreError> {
        read!(self.people, |session| overdue(session, kind, date, age))
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 13] = [
    CURSORS,
    FORGET_MARKS,
    prune::DUE,
    prune::LATER,
    prune::BODIES,
    prune::DELETE_OBSERVED,
    prune::KEYS,
    prune::OPEN,
    prune::ENDS,
    prune::LATEST_END,
    prune::DELETE_ATTEMPTS,
    prune::DELETE_HISTORY,
    prune::DELETE_EVENTS,
];
