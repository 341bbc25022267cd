//! Which events were received in a time: the hours of their numbers, by `event_hour`.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::{
    archive::walk,
    sqlite::{fault::Fault, group::Group},
};

const HOUR: i64 = 3_600_000;

const LAST: &str = "SELECT hour FROM event_hour ORDER BY first DESC LIMIT 1";

/// All of them: a row for each hour of the history that is kept.
const ALL: &str = "SELECT first, hour FROM event_hour ORDER BY first";

/// Runs that ended before the first event that is still there.
const FORGET: &str = "
    DELETE FROM event_hour WHERE first <
      (SELECT max(first) FROM event_hour WHERE first <= (SELECT min(seq) FROM event))";

/// The hour in which the last event was received.
pub(in crate::store::sqlite) fn last(connection: &Connection) -> Result<Option<i64>, Fault> {
    Ok(connection
        .query_row(LAST, [], |row| row.get(0))
        .optional()?)
}

impl Group<'_> {
    /// Notes the hour of an event before it is written.
    pub(in crate::store::sqlite) fn note_hour(
        &mut self,
        seq: i64,
        received_at: i64,
    ) -> Result<(), Fault> {
        let hour = received_at.div_euclid(HOUR);
        if self.sum.numbers.hour == Some(hour) {
            return Ok(());
        }
        self.connection
            .prepare_cached("INSERT INTO event_hour (first, hour) VALUES (?1, ?2)")?
            .execute(params![seq, hour])?;
        self.connection.prepare_cached(FORGET)?.execute([])?;
        self.sum.numbers.hour = Some(hour);
        Ok(())
    }
}

/// As [`walk::range`].
pub(super) fn range(
    connection: &Connection,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Option<(i64, i64)>, Fault> {
    let mut statement = connection.prepare_cached(ALL)?;
    let runs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(walk::range(runs, since, until)?)
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 3] = [LAST, ALL, FORGET];
