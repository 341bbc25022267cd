//! What a move copies: the tables of both engines with their columns, in one place.
//!
//! Both have the same tables, columns and keys, but for those that are named here as one's own. A test compares this list with
//! both schemas.

/// How the values of a column are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    /// A number in both.
    Integer,
    Text,
    Bytes,
    /// 0 or 1 in SQLite, `boolean` in PostgreSQL.
    Flag,
}

use Kind::{Bytes, Flag, Integer, Text};

/// A table, read and written by [`Table::key`].
#[derive(Debug)]
pub(in crate::store) struct Table {
    pub(in crate::store) name: &'static str,
    /// In the order in which pages hold them.
    pub(in crate::store) columns: &'static [(&'static str, Kind)],
    /// Its primary key in SQLite: the order in which it is read.
    pub(in crate::store) key: &'static [&'static str],
    /// A column that only PostgreSQL has, with the value that every row gets.
    pub(in crate::store) added: Option<(&'static str, i64)>,
    /// Has rows in a database on which a gateway was started and nothing arrived. What is there is thrown away.
    pub(in crate::store) is_made_by_starting: bool,
    /// Its key numbers itself, and goes on after the greatest that there ever was.
    pub(in crate::store) numbers_itself: bool,
}

const fn table(
    name: &'static str,
    key: &'static [&'static str],
    columns: &'static [(&'static str, Kind)],
) -> Table {
    Table {
        name,
        columns,
        key,
        added: None,
        is_made_by_starting: false,
        numbers_itself: false,
    }
}

/// What only PostgreSQL has: what replicas tell each other, and of what they know where they are. A move leaves it empty.
pub(in crate::store) const OF_REPLICAS: [&str; 4] = ["lease", "replica", "change", "erased"];

/// In the order of a move. `meta` is last: without it nothing works on a database.
pub(in crate::store) const TABLES: [Table; 20] = [
    table(
        "event",
        &["seq"],
        &[
            ("seq", Integer),
            ("received_at", Integer),
            ("source", Text),
            ("organisation", Text),
            ("mapping", Bytes),
            ("dedup_keys", Bytes),
            ("content_type", Text),
            ("headers", Text),
            ("body_hash", Bytes),
            ("body", Bytes),
        ],
    ),
    table(
        "event_hour",
        &["first"],
        &[("first", Integer), ("hour", Integer)],
    ),
    table("dedup", &["key"], &[("key", Bytes), ("event", Integer)]),
    table(
        "reused_id",
        &["event"],
        &[
            ("event", Integer),
            ("source", Text),
            ("times", Integer),
            ("first_at", Integer),
            ("last_at", Integer),
        ],
    ),
    table(
        "delivery",
        &["pos"],
        &[
            ("pos", Integer),
            ("organisation", Text),
            ("lane", Bytes),
            ("state", Text),
            ("next_attempt", Integer),
            ("event", Integer),
            ("item", Integer),
            ("number", Integer),
            ("source", Text),
            ("accepted_at", Integer),
            ("attempts", Integer),
            ("spent", Integer),
            ("order_by", Integer),
            ("rule", Text),
            ("code", Text),
            ("trouble", Text),
            ("warnings", Text),
            ("fields", Text),
            ("customer", Text),
            ("patch", Text),
            ("redelivered_at", Integer),
            ("overwrites", Flag),
            ("earlier_attempts", Integer),
            ("revision", Integer),
            ("place", Integer),
        ],
    ),
    table(
        "history",
        &["event", "item", "number"],
        &[
            ("event", Integer),
            ("item", Integer),
            ("number", Integer),
            ("source", Text),
            ("organisation", Text),
            ("end", Text),
            ("at", Integer),
            ("attempts", Integer),
            ("customer", Text),
            ("rule", Text),
            ("reason", Text),
            ("fields", Text),
            ("warnings", Text),
        ],
    ),
    table(
        "attempt",
        &["event", "item", "number", "attempt"],
        &[
            ("event", Integer),
            ("item", Integer),
            ("number", Integer),
            ("attempt", Integer),
            ("at", Integer),
            ("took", Integer),
            ("status", Integer),
            ("outcome", Text),
            ("message", Text),
            ("customer", Text),
        ],
    ),
    table(
        "applied",
        &["organisation", "customer", "part"],
        &[
            ("organisation", Text),
            ("customer", Text),
            ("part", Text),
            ("value", Bytes),
            ("source", Text),
            ("at", Integer),
            ("in_doubt", Flag),
            ("pos", Integer),
        ],
    ),
    table(
        "applied_version",
        &["organisation", "customer", "part", "source"],
        &[
            ("organisation", Text),
            ("customer", Text),
            ("part", Text),
            ("source", Text),
            ("order_by", Integer),
        ],
    ),
    Table {
        added: Some(("slot", 0)),
        ..table(
            "counter",
            &["source"],
            &[
                ("source", Text),
                ("accepted", Integer),
                ("duplicate", Integer),
                ("known_groups", Integer),
                ("created", Integer),
                ("waiting", Integer),
                ("looking", Integer),
                ("dead", Integer),
                ("delivered", Integer),
                ("unchanged", Integer),
                ("stale", Integer),
                ("superseded", Integer),
                ("dropped", Integer),
                ("discarded", Integer),
                ("erased", Integer),
            ],
        )
    },
    Table {
        numbers_itself: true,
        ..table(
            "refused",
            &["id"],
            &[
                ("id", Integer),
                ("source", Text),
                ("mark", Bytes),
                ("first_at", Integer),
                ("last_at", Integer),
                ("times", Integer),
                ("reason", Text),
                ("status", Integer),
                ("kept", Flag),
                ("accepted", Integer),
                ("facts", Text),
            ],
        )
    },
    table(
        "refused_request",
        &["id"],
        &[
            ("id", Integer),
            ("source", Text),
            ("received_at", Integer),
            ("expires_at", Integer),
            ("bytes", Integer),
            ("method", Text),
            ("target", Text),
            ("client", Text),
            ("by_proxy", Flag),
            ("headers", Text),
            ("body", Bytes),
        ],
    ),
    table(
        "learned_secret",
        &["source"],
        &[("source", Text), ("secret", Text), ("at", Integer)],
    ),
    Table {
        is_made_by_starting: true,
        ..table(
            "upkeep",
            &["id"],
            &[
                ("id", Integer),
                ("date", Integer),
                ("ahead_since", Integer),
                ("ahead_seen", Integer),
                ("bodies", Integer),
                ("dedup_keys", Integer),
                ("history", Integer),
            ],
        )
    },
    Table {
        is_made_by_starting: true,
        ..table(
            "upkeep_mark",
            &["at"],
            &[("at", Integer), ("event", Integer)],
        )
    },
    table(
        "upkeep_later",
        &["kind", "due", "event"],
        &[("kind", Text), ("due", Integer), ("event", Integer)],
    ),
    Table {
        numbers_itself: true,
        ..table(
            "audit",
            &["id"],
            &[
                ("id", Integer),
                ("at", Integer),
                ("act", Text),
                ("by", Text),
                ("what", Text),
                ("count", Integer),
            ],
        )
    },
    table(
        "pause",
        &["kind", "name"],
        &[
            ("kind", Text),
            ("name", Text),
            ("at", Integer),
            ("ended_at", Integer),
            ("by", Text),
            ("reason", Text),
        ],
    ),
    table(
        "observed",
        &["source", "event", "item", "number"],
        &[
            ("source", Text),
            ("event", Integer),
            ("item", Integer),
            ("number", Integer),
            ("order_by", Integer),
            ("customer", Text),
            ("patch", Text),
            ("pos", Integer),
            ("place", Integer),
        ],
    ),
    Table {
        is_made_by_starting: true,
        ..table(
            "meta",
            &["id"],
            &[
                ("id", Integer),
                ("created_at", Integer),
                ("value_key", Bytes),
                ("next_event", Integer),
                ("next_delivery", Integer),
            ],
        )
    },
];

impl Table {
    /// The places of the key's columns among all.
    pub(in crate::store) fn key_places(&self) -> impl Iterator<Item = usize> {
        self.key.iter().filter_map(|key| {
            let mut names = self.columns.iter();
            names.position(|(name, _)| name == key)
        })
    }

    /// Its columns as SQL of either engine, of which some names are words.
    pub(in crate::store) fn column_list(&self) -> String {
        quoted(self.columns.iter().map(|(name, _)| *name))
    }

    pub(in crate::store) fn key_list(&self) -> String {
        quoted(self.key.iter().copied())
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}
