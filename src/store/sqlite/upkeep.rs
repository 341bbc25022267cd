//! The upkeep of the file: its calendar, and what is asked of the writer and of the readers about it.

mod prune;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    SqliteStore, decode,
    fault::Fault,
    group::Group,
    rows::millis,
    writer::{Call, Job},
};
use crate::store::{
    StoreError,
    upkeep::{Ahead, Calendar, Prune, Pruned, Retained, Upkeep},
};

/// How far the date moves on between two marks, in milliseconds.
const MARK_EVERY: i64 = 3_600_000;

/// A piece of upkeep.
pub(super) enum UpkeepChange {
    Calendar {
        calendar: Calendar,
        forget_before: i64,
    },
    Prune(Prune),
}

impl UpkeepChange {
    /// About how many bytes it takes in the log.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Calendar { .. } => 1024,
            Self::Prune(prune) => u64::from(prune.rows).saturating_mul(4096),
        }
    }
}

const CALENDAR: &str = "SELECT date, ahead_since, ahead_seen FROM upkeep";
const SET_CALENDAR: &str = "UPDATE upkeep SET date = ?1, ahead_since = ?2, ahead_seen = ?3";
const MARK: &str = "
    INSERT INTO upkeep_mark (at, event)
    SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM upkeep_mark WHERE at > ?1 - ?3)";
const FORGET_MARKS: &str = "
    DELETE FROM upkeep_mark WHERE at < (SELECT max(at) FROM upkeep_mark WHERE at <= ?1)";

/// The number that all events are below that were accepted by then.
const ACCEPTED_BY: &str = "SELECT event FROM upkeep_mark WHERE at <= ?1 ORDER BY at DESC LIMIT 1";

fn calendar(connection: &Connection) -> Result<Option<Calendar>, Fault> {
    let (date, since, seen): (Option<i64>, Option<i64>, Option<i64>) = connection
        .prepare_cached(CALENDAR)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
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

/// Every event that is old enough has a smaller number; 1 where none can be.
fn accepted_by(connection: &Connection, date: Timestamp, age: Duration) -> Result<i64, Fault> {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let number = connection
        .prepare_cached(ACCEPTED_BY)?
        .query_row([millis(date).saturating_sub(age)], |row| row.get(0))
        .optional()?;
    Ok(number.unwrap_or(1))
}

/// Everything up to this event was looked at.
fn looked_at(connection: &Connection, kind: Retained) -> Result<i64, Fault> {
    let sql = match kind {
        Retained::Bodies => "SELECT bodies FROM upkeep",
        Retained::DedupKeys => "SELECT dedup_keys FROM upkeep",
        Retained::History => "SELECT history FROM upkeep",
    };
    Ok(connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))?)
}

impl Group<'_> {
    pub(super) fn upkeep(&mut self, change: &UpkeepChange) -> Result<Pruned, Fault> {
        match change {
            UpkeepChange::Calendar {
                calendar,
                forget_before,
            } => self.set_calendar(calendar, *forget_before),
            UpkeepChange::Prune(prune) => self.prune(prune),
        }
    }

    fn set_calendar(&self, calendar: &Calendar, forget_before: i64) -> Result<Pruned, Fault> {
        let date = millis(calendar.date);
        self.connection
            .prepare_cached(SET_CALENDAR)?
            .execute(params![
                date,
                calendar.ahead.map(|ahead| millis(ahead.since)),
                calendar.ahead.map(|ahead| millis(ahead.seen)),
            ])?;
        self.connection.prepare_cached(MARK)?.execute(params![
            date,
            self.sum.numbers.event,
            MARK_EVERY
        ])?;
        self.connection
            .prepare_cached(FORGET_MARKS)?
            .execute([forget_before])?;
        Ok(Pruned::default())
    }
}

impl SqliteStore {
    async fn upkeep(&self, change: UpkeepChange) -> Result<Pruned, StoreError> {
        self.health.is_open()?;
        // What is accepted comes first: it gets the whole second half of the queue.
        if self.writes.capacity() < self.writes.max_capacity() / 2 {
            return Err(StoreError::Unavailable {
                what: "too many writes are waiting".to_owned(),
            });
        }
        let (call, reply) = Call::new(change);
        if self.writes.send(Job::Upkeep(call)).await.is_err() {
            return Err(self.gone());
        }
        self.answer(reply).await
    }
}

#[async_trait]
impl Upkeep for SqliteStore {
    async fn calendar(&self) -> Result<Option<Calendar>, StoreError> {
        self.read(calendar).await
    }

    async fn set_calendar(
        &self,
        calendar: Calendar,
        forget_before: Timestamp,
    ) -> Result<(), StoreError> {
        let forget_before = millis(forget_before);
        let change = UpkeepChange::Calendar {
            calendar,
            forget_before,
        };
        self.upkeep(change).await.map(drop)
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        self.upkeep(UpkeepChange::Prune(prune)).await
    }

    async fn overdue(
        &self,
        kind: Retained,
        date: Timestamp,
        age: Duration,
    ) -> Result<u64, StoreError> {
        self.read(move |connection| {
            let last = accepted_by(connection, date, age)? - 1;
            let overdue = last.saturating_sub(looked_at(connection, kind)?);
            Ok(u64::try_from(overdue).unwrap_or_default())
        })
        .await
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 10] = [
    ACCEPTED_BY,
    FORGET_MARKS,
    prune::DUE,
    prune::LATER,
    prune::BODY,
    prune::LATEST_END,
    prune::DELETE_OBSERVED,
    prune::DELETE_HISTORY,
    prune::DELETE_ATTEMPTS,
    prune::DELETE_EVENT,
];
