//! All that stands in a store, row by row, read beside the gateway that works with it.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::{Value, json};

use crate::{people::ORGANISATIONS, sources::SOURCES};

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) table: String,
    /// By the names of the columns. Bytes that are no text stand as numbers.
    pub(crate) columns: BTreeMap<String, Value>,
}

impl Row {
    pub(crate) fn number(&self, column: &str) -> Option<i64> {
        self.columns.get(column)?.as_i64()
    }

    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.columns.get(column)?.as_str()
    }

    /// Whether one of these words stands in it.
    pub(crate) fn names(&self, words: &[String]) -> bool {
        let mut texts = self.columns.values().filter_map(Value::as_str);
        texts.any(|text| stand_in(words, text))
    }
}

/// Whether one of these words stands in a text.
pub(crate) fn stand_in(words: &[String], text: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    words.iter().any(|word| {
        let pieces: Vec<&str> = text.split(&**word).collect();
        pieces
            .windows(2)
            .any(|around| !joins(around[0].chars().next_back()) && !joins(around[1].chars().next()))
    })
}

/// All rows of a store.
pub(crate) struct Rows(pub(crate) Vec<Row>);

impl Rows {
    pub(crate) fn read(data: &Path) -> Self {
        let path = data.join("gateway.db");
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        // All of it as of one moment.
        connection.execute_batch("BEGIN").unwrap();
        let mut tables = connection
            .prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            )
            .unwrap();
        let names = tables.query_map([], |row| row.get(0)).unwrap();
        let names: Vec<String> = names.map(Result::unwrap).collect();
        let rows = names.iter().flat_map(|name| rows_of(&connection, name));
        Self(rows.collect())
    }

    pub(crate) fn of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Row> {
        self.0.iter().filter(move |row| row.table == table)
    }

    /// The bodies of events, where they are there.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = (i64, Value)> {
        self.of("event").filter_map(|event| {
            let body = serde_json::from_str(event.text("body")?).unwrap();
            Some((event.number("seq")?, body))
        })
    }

    /// The organisation that a row is about, where it is about one.
    pub(crate) fn organisation(&self, row: &Row) -> Option<usize> {
        let name = |name| ORGANISATIONS.iter().position(|each| *each == name);
        if let Some(organisation) = row.text("organisation") {
            return name(organisation);
        }
        if let Some(source) = row.text("source") {
            let source = SOURCES.iter().find(|each| each.name == source)?;
            return Some(source.organisation);
        }
        let event = row.number("event")?;
        let mut events = self.of("event");
        let event = events.find(|each| each.number("seq") == Some(event))?;
        name(event.text("organisation")?)
    }
}

fn rows_of(connection: &Connection, table: &str) -> Vec<Row> {
    let mut select = connection
        .prepare(&format!("SELECT * FROM {table}"))
        .unwrap();
    let names: Vec<String> = select.column_names().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let columns = names.iter().enumerate().map(|(place, name)| {
            let value = match row.get_ref(place)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => json!(number),
                ValueRef::Real(number) => json!(number),
                ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => json!(text),
                    Err(_) => json!(bytes),
                },
            };
            Ok((name.clone(), value))
        });
        Ok(Row {
            table: table.to_owned(),
            columns: columns.collect::<rusqlite::Result<_>>()?,
        })
    };
    let rows = select.query_map([], row).unwrap();
    rows.map(Result::unwrap).collect()
}
