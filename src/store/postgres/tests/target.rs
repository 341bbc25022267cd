//! What a move writes to is all there is.

use super::{Database, server};
use crate::store::moving::tables::{Kind, OF_REPLICAS, TABLES};

/// Tables that are about the database and no part of a store.
const OF_THE_DATABASE: [&str; 2] = ["format", "moving"];

#[tokio::test]
async fn the_list_of_a_move_names_every_table_and_column() {
    let Some(database) = Database::new().await else {
        return;
    };
    drop(database.open().await);
    let client = server::client(&database.server.url(&database.name)).await;
    let sql = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
               WHERE table_schema = 'quentli_gateway' ORDER BY 1, 2";
    let mut found: Vec<[String; 3]> = Vec::new();
    for row in client.query(sql, &[]).await.unwrap() {
        let [table, column, sql]: [String; 3] = [0, 1, 2].map(|at| row.get(at));
        if !OF_REPLICAS.contains(&&*table) && !OF_THE_DATABASE.contains(&&*table) {
            found.push([table, column, sql.replace("smallint", "bigint")]);
        }
    }
    let mut listed = Vec::new();
    for table in &TABLES {
        for (column, kind) in table.columns {
            let sql = match kind {
                Kind::Integer => "bigint",
                Kind::Text => "text",
                Kind::Bytes => "bytea",
                Kind::Flag => "boolean",
            };
            listed.push([table.name, column, sql].map(str::to_owned));
        }
        if let Some((column, _)) = table.added {
            listed.push([table.name, column, "bigint"].map(str::to_owned));
        }
    }
    listed.sort();
    assert_eq!(found, listed);
}
