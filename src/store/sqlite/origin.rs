//! The side of a move that a store leaves: a data directory that is held meanwhile, read page by page, and marked.
//!
//! From the first page on the file says that its store is on its way, so that no gateway works with it in between: what is there
//! already would not follow.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params, types::Value, types::ValueRef};
use sha2::{Digest as _, Sha256};

use super::{
    OpenError,
    directory::{DATABASE, DataDirectory},
    open,
};
use crate::{
    clock::Clock,
    store::moving::{
        page::{Column, Key, KeyPart, Page, PageLimit},
        tables::{TABLES, Table},
    },
};

/// How long other programs may hold the file.
const BUSY: Duration = Duration::from_secs(5);

/// What a file says of its own move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Mark {
    pub(in crate::store) token: [u8; 16],
    /// The database, for people.
    pub(in crate::store) to: String,
    pub(in crate::store) has_ended: bool,
}

/// A store that no gateway works with as long as this lives.
#[derive(Debug)]
pub(in crate::store) struct Origin {
    writer: Connection,
    reader: Connection,
    // Last: given back after the connections are closed.
    _directory: DataDirectory,
}

impl Origin {
    /// Takes the directory and brings the file to the newest format. Blocks.
    pub(in crate::store) fn take(directory: &Path, clock: &Clock) -> Result<Self, OpenError> {
        if !directory.join(DATABASE).exists() {
            return Err(OpenError::Missing {
                path: directory.to_owned(),
            });
        }
        let directory = DataDirectory::take(directory)?;
        let path = directory.database();
        let writer = open::newest(&path, BUSY, clock)?;
        let reader = open::reader(&path, BUSY)?;
        Ok(Self {
            writer,
            reader,
            _directory: directory,
        })
    }

    /// Tells this store from every other, over all its moves.
    pub(in crate::store) fn identity(&self) -> rusqlite::Result<[u8; 32]> {
        identity(&self.reader)
    }

    pub(in crate::store) fn mark(&self) -> rusqlite::Result<Option<Mark>> {
        mark(&self.writer)
    }

    /// Says that the store is on its way.
    pub(in crate::store) fn begin(
        &self,
        token: &[u8; 16],
        to: &str,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let sql =
            "INSERT OR REPLACE INTO moved (id, token, \"to\", began_at) VALUES (1, ?1, ?2, ?3)";
        let begun = self
            .writer
            .execute(sql, params![token, to, now.as_millisecond()]);
        begun.map(drop)
    }

    /// Says that it is there.
    pub(in crate::store) fn end(&self, now: Timestamp) -> rusqlite::Result<()> {
        let sql = "UPDATE moved SET ended_at = coalesce(ended_at, ?1)";
        self.writer.execute(sql, [now.as_millisecond()]).map(drop)
    }

    /// Makes it a store that a gateway works with again.
    pub(in crate::store) fn undo(&self) -> rusqlite::Result<()> {
        self.writer.execute("DELETE FROM moved", []).map(drop)
    }

    /// Rows of each table, in the order of the list.
    pub(in crate::store) fn counts(&self) -> rusqlite::Result<Vec<u64>> {
        counts(&self.reader)
    }

    /// The greatest number that each table which numbers itself ever gave.
    pub(in crate::store) fn greatest_numbers(&self) -> rusqlite::Result<Vec<(&'static str, i64)>> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
        let numbered = TABLES.iter().filter(|table| table.numbers_itself);
        let greatest = |table: &Table| -> rusqlite::Result<_> {
            let found = self.reader.query_row(sql, [table.name], |row| row.get(0));
            Ok((table.name, found.optional()?.unwrap_or(0)))
        };
        numbered.map(greatest).collect()
    }

    /// The rows behind a key, as many as go on a page.
    pub(in crate::store) fn page(
        &self,
        table: &'static Table,
        after: Option<&Key>,
        limit: PageLimit,
    ) -> rusqlite::Result<Page> {
        let mut statement = self
            .reader
            .prepare_cached(&page_sql(table, after.is_some()))?;
        let key = after
            .map_or(&[][..], |key| &key.0)
            .iter()
            .map(|part| match part {
                KeyPart::Integer(number) => Value::Integer(*number),
                KeyPart::Text(text) => Value::Text(text.clone()),
                KeyPart::Bytes(bytes) => Value::Blob(bytes.clone()),
            });
        let mut rows = statement.query(rusqlite::params_from_iter(key))?;
        let mut page = Page {
            table,
            columns: Vec::with_capacity(table.columns.len()),
            rows: 0,
            is_last: false,
        };
        let kinds = table.columns.iter().map(|(_, kind)| *kind);
        page.columns.extend(kinds.map(Column::new));
        let mut bytes = 0;
        while page.rows < limit.rows && bytes < limit.bytes {
            let Some(row) = rows.next()? else {
                page.is_last = true;
                break;
            };
            for (at, column) in page.columns.iter_mut().enumerate() {
                bytes += size(row.get_ref(at)?);
                match column {
                    Column::Integers(values) => values.push(row.get(at)?),
                    Column::Texts(values) => values.push(row.get(at)?),
                    Column::Bytes(values) => values.push(row.get(at)?),
                    Column::Flags(values) => values.push(row.get(at)?),
                }
            }
            page.rows += 1;
        }
        Ok(page)
    }
}

fn identity(connection: &Connection) -> rusqlite::Result<[u8; 32]> {
    let sql = "SELECT value_key, created_at FROM meta";
    connection.query_row(sql, [], |row| {
        let (key, at): ([u8; 32], i64) = (row.get(0)?, row.get(1)?);
        Ok(Sha256::new()
            .chain_update(b"quentli-gateway store\0")
            .chain_update(key)
            .chain_update(at.to_be_bytes())
            .finalize()
            .into())
    })
}

/// What a file says of its own move; a file of an earlier format says nothing.
pub(super) fn mark(connection: &Connection) -> rusqlite::Result<Option<Mark>> {
    if !has_table(connection, "moved")? {
        return Ok(None);
    }
    let sql = "SELECT token, \"to\", ended_at IS NOT NULL FROM moved";
    let read = connection.query_row(sql, [], |row| {
        Ok(Mark {
            token: row.get(0)?,
            to: row.get(1)?,
            has_ended: row.get(2)?,
        })
    });
    read.optional()
}

/// What a move would find.
#[derive(Debug)]
pub(in crate::store) struct Seen {
    /// Rows of each table, in the order of the list.
    pub(in crate::store) counts: Vec<u64>,
    pub(in crate::store) mark: Option<Mark>,
    /// As [`Origin::identity`]; a file that nothing was written to has none.
    pub(in crate::store) identity: Option<[u8; 32]>,
}

/// Looks at a store without taking the directory. A gateway may run on it.
pub(in crate::store) fn look(directory: &Path) -> Result<Seen, OpenError> {
    let path = directory.join(DATABASE);
    if !path.exists() {
        return Err(OpenError::Missing {
            path: directory.to_owned(),
        });
    }
    let connection = open::looker(&path, BUSY)?;
    let look = || {
        let is_made = has_table(&connection, "meta")?;
        Ok(Seen {
            counts: counts(&connection)?,
            mark: mark(&connection)?,
            identity: is_made.then(|| identity(&connection)).transpose()?,
        })
    };
    look().map_err(OpenError::sqlite("read", &path))
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let found = connection.query_row(sql, [name], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

fn counts(connection: &Connection) -> rusqlite::Result<Vec<u64>> {
    let count = |table: &Table| {
        if !has_table(connection, table.name)? {
            return Ok(0);
        }
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        Ok(u64::try_from(rows).unwrap_or_default())
    };
    TABLES.iter().map(count).collect()
}

pub(super) fn page_sql(table: &Table, is_behind_a_key: bool) -> String {
    let (columns, name, key) = (table.column_list(), table.name, table.key_list());
    let places: Vec<String> = (1..=table.key.len()).map(|at| format!("?{at}")).collect();
    let behind = if is_behind_a_key {
        format!(" WHERE ({key}) > ({})", places.join(", "))
    } else {
        String::new()
    };
    format!("SELECT {columns} FROM {name}{behind} ORDER BY {key}")
}

/// About what a value takes in memory and on the way.
fn size(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() + 32,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 16,
    }
}
