//! What a move reads is all there is, and it is read by index.

use jiff::Timestamp;
use rusqlite::Connection;

use super::file::plan;
use crate::store::{
    moving::tables::{Kind, TABLES},
    sqlite::{migrations, origin::page_sql},
};

fn newest() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrations::run(&mut connection, Timestamp::UNIX_EPOCH).unwrap();
    connection
}

#[test]
fn the_list_names_every_table_and_column() {
    let connection = newest();
    let mut names = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
        .unwrap();
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for name in &names {
        let is_listed = TABLES.iter().any(|table| table.name == name);
        assert!(is_listed || name == "moved", "{name} is not moved");
    }
    for table in &TABLES {
        let mut info = connection
            .prepare("SELECT name, type, pk FROM pragma_table_info(?1)")
            .unwrap();
        let found: Vec<(String, String, i64)> = info
            .query_map([table.name], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut columns: Vec<(String, &str)> = table
            .columns
            .iter()
            .map(|(name, kind)| {
                let sql = match kind {
                    Kind::Integer | Kind::Flag => "INTEGER",
                    Kind::Text => "TEXT",
                    Kind::Bytes => "BLOB",
                };
                ((*name).to_owned(), sql)
            })
            .collect();
        let mut key: Vec<(i64, &str)> = found
            .iter()
            .filter(|(_, _, place)| *place > 0)
            .map(|(name, _, place)| (*place, name.as_str()))
            .collect();
        key.sort_unstable();
        let key: Vec<&str> = key.iter().map(|(_, name)| *name).collect();
        assert_eq!(key, table.key, "the key of {}", table.name);
        let mut found: Vec<(String, &str)> = found
            .iter()
            .map(|(name, sql, _)| (name.clone(), sql.as_str()))
            .collect();
        columns.sort();
        found.sort();
        assert_eq!(found, columns, "the columns of {}", table.name);
    }
}

#[test]
fn pages_are_read_by_the_key_and_never_sorted() {
    let connection = newest();
    for table in &TABLES {
        for is_behind_a_key in [false, true] {
            let plan = plan(&connection, &page_sql(table, is_behind_a_key));
            assert!(!plan.contains("TEMP B-TREE"), "{}: {plan}", table.name);
            let way = if is_behind_a_key { "SEARCH" } else { "SCAN" };
            assert!(plan.contains(way), "{}: {plan}", table.name);
        }
    }
}
