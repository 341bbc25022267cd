//! A transaction being filled with calls: the connection, and what the calls add up to. When the transaction is rolled
//! back, this is thrown away with it, so memory never runs ahead of the file.

use rusqlite::{Connection, params};

use super::{archive, fault::Fault, tally};
use crate::store::tally::{Tallies, Tally};

/// The next numbers to give; never given twice, also after their rows are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) event: i64,
    pub(super) delivery: i64,
    /// In which the last event was received, counted from 1970. No number, but it stays and goes with them.
    pub(super) hour: Option<i64>,
}

impl Numbers {
    pub(super) fn read(connection: &Connection) -> Result<Self, Fault> {
        let hour = archive::last_hour(connection)?;
        let sql = "SELECT next_event, next_delivery FROM meta";
        Ok(connection.query_row(sql, [], |row| {
            Ok(Self {
                event: row.get(0)?,
                delivery: row.get(1)?,
                hour,
            })
        })?)
    }
}

/// What the calls of a transaction add up to.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    pub(super) numbers: Numbers,
    /// The last delivery that was put into a lane.
    pub(super) arrived: Option<i64>,
    tallies: Tallies,
}

impl Sum {
    pub(super) fn new(numbers: Numbers) -> Self {
        Self {
            numbers,
            arrived: None,
            tallies: Tallies::default(),
        }
    }

    pub(super) fn of_source(&mut self, source: &str) -> &mut Tally {
        self.tallies.of_source(source)
    }

    /// Writes it, before the commit; `before` are the numbers that the file has.
    pub(super) fn write(&self, connection: &Connection, before: Numbers) -> Result<(), Fault> {
        for (source, tally) in self.tallies.changes() {
            tally::add(connection, source, tally)?;
        }
        if self.numbers != before {
            connection
                .prepare_cached("UPDATE meta SET next_event = ?1, next_delivery = ?2")?
                .execute(params![self.numbers.event, self.numbers.delivery])?;
        }
        Ok(())
    }
}

/// A transaction being filled.
pub(super) struct Group<'a> {
    pub(super) connection: &'a Connection,
    pub(super) sum: Sum,
}
