//! A stretch of a table on its way from one engine to the other, column by column, and the place up to which a table has gone.

use serde_json::Value;

use super::tables::{Kind, TABLES, Table};

/// How much goes in one transaction.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct PageLimit {
    pub(in crate::store) rows: usize,
    /// A page that has reached so many takes no more rows. One row may be larger.
    pub(in crate::store) bytes: usize,
}

/// The values of one column of a page.
#[derive(Debug)]
pub(in crate::store) enum Column {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Flags(Vec<Option<bool>>),
}

impl Column {
    pub(in crate::store) const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Integer => Self::Integers(Vec::new()),
            Kind::Text => Self::Texts(Vec::new()),
            Kind::Bytes => Self::Bytes(Vec::new()),
            Kind::Flag => Self::Flags(Vec::new()),
        }
    }

    /// The last value, where it can be in a key.
    fn last(&self) -> Option<KeyPart> {
        match self {
            Self::Integers(values) => values.last().copied().flatten().map(KeyPart::Integer),
            Self::Texts(values) => values.last().cloned().flatten().map(KeyPart::Text),
            Self::Bytes(values) => values.last().cloned().flatten().map(KeyPart::Bytes),
            Self::Flags(_) => None,
        }
    }
}

/// Rows of one table, in the order of its key.
#[derive(Debug)]
pub(in crate::store) struct Page {
    pub(in crate::store) table: &'static Table,
    pub(in crate::store) columns: Vec<Column>,
    pub(in crate::store) rows: usize,
    /// Whether the table has no more rows.
    pub(in crate::store) is_last: bool,
}

impl Page {
    /// Where the move stands once this page is there.
    pub(in crate::store) fn end(&self) -> Place {
        if self.is_last {
            return Place::after_table(self.table);
        }
        let parts = self.table.key_places();
        let key = parts
            .filter_map(|at| self.columns.get(at)?.last())
            .collect();
        Place {
            table: Some(self.table),
            after: Some(Key(key)),
        }
    }
}

/// The primary key of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Key(pub(in crate::store) Vec<KeyPart>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum KeyPart {
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Key {
    /// As one text without U+0000, which PostgreSQL does not keep.
    fn written(&self) -> String {
        let part = |part: &KeyPart| match part {
            KeyPart::Integer(number) => Value::from(*number),
            KeyPart::Text(text) => Value::from(text.as_str()),
            KeyPart::Bytes(bytes) => Value::from(hex::encode(bytes)),
        };
        Value::Array(self.0.iter().map(part).collect()).to_string()
    }

    fn read(table: &Table, text: &str) -> Option<Self> {
        let Ok(Value::Array(parts)) = serde_json::from_str(text) else {
            return None;
        };
        let kinds: Vec<Kind> = table
            .key_places()
            .filter_map(|at| table.columns.get(at).map(|(_, kind)| *kind))
            .collect();
        if parts.len() != kinds.len() {
            return None;
        }
        let part = |(part, kind): (&Value, &Kind)| match kind {
            Kind::Integer => part.as_i64().map(KeyPart::Integer),
            Kind::Text => part.as_str().map(|text| KeyPart::Text(text.to_owned())),
            Kind::Bytes => hex::decode(part.as_str()?).ok().map(KeyPart::Bytes),
            Kind::Flag => None,
        };
        let parts: Option<Vec<KeyPart>> = parts.iter().zip(&kinds).map(part).collect();
        parts.map(Self)
    }
}

/// How far a move has come: everything before it is there.
#[derive(Clone, Debug)]
pub(in crate::store) struct Place {
    /// The table it is at; `None` after the last.
    pub(in crate::store) table: Option<&'static Table>,
    /// The last row of that table that is there.
    pub(in crate::store) after: Option<Key>,
}

impl Place {
    pub(in crate::store) fn start() -> Self {
        Self {
            table: TABLES.first(),
            after: None,
        }
    }

    fn after_table(table: &Table) -> Self {
        let mut tables = TABLES.iter().skip_while(|other| other.name != table.name);
        tables.next();
        Self {
            table: tables.next(),
            after: None,
        }
    }

    /// As two texts that [`Place::read`] understands.
    pub(in crate::store) fn written(&self) -> (&'static str, Option<String>) {
        let table = self.table.map_or("", |table| table.name);
        (table, self.after.as_ref().map(Key::written))
    }

    pub(in crate::store) fn read(table: &str, after: Option<&str>) -> Option<Self> {
        if table.is_empty() {
            return Some(Self {
                table: None,
                after: None,
            });
        }
        let table = TABLES.iter().find(|known| known.name == table)?;
        let after = match after {
            Some(text) => Some(Key::read(table, text)?),
            None => None,
        };
        Some(Self {
            table: Some(table),
            after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> &'static Table {
        TABLES.iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn a_place_is_read_back_as_it_was_written() {
        let text = |text: &str| KeyPart::Text(text.to_owned());
        let keys = [
            ("event", vec![KeyPart::Integer(i64::MAX)]),
            ("dedup", vec![KeyPart::Bytes(vec![0, 255, 10])]),
            (
                "applied",
                vec![text("norte"), text("cus_1"), text("metadata.\0\"ñ")],
            ),
        ];
        for (table, key) in keys {
            let place = Place {
                table: Some(named(table)),
                after: Some(Key(key)),
            };
            let (written, after) = place.written();
            assert!(!after.as_ref().unwrap().contains('\0'));
            let read = Place::read(written, after.as_deref()).unwrap();
            assert_eq!(read.table.unwrap().name, table);
            assert_eq!(read.after, place.after);
        }
    }

    #[test]
    fn a_place_that_is_not_of_this_list_is_not_understood() {
        for (table, after) in [
            ("song", None),
            ("event", Some("[\"a\"]")),
            ("event", Some("[]")),
            ("dedup", Some("[\"zz\"]")),
            ("dedup", Some("nonsense")),
        ] {
            assert!(Place::read(table, after).is_none(), "{table} {after:?}");
        }
    }

    #[test]
    fn the_tables_follow_each_other_to_the_end() {
        let mut place = Place::start();
        let mut seen = Vec::new();
        while let Some(table) = place.table {
            seen.push(table.name);
            place = Place::after_table(table);
        }
        assert_eq!(seen.len(), TABLES.len());
        assert_eq!(seen.last(), Some(&"meta"));
    }
}
