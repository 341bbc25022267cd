//! The numbered steps that bring the tables from any earlier format to the newest. Forward only, one replica at a time.
//!
//! A step must leave tables that the release before can still work with, since during an upgrade both run side by side: it adds,
//! and what it takes away no release has used for a while.

use deadpool_postgres::Object;

use super::{
    connect::{OpenError, SCHEMA},
    fault::told,
};

struct Format {
    sql: &'static str,
    /// The oldest format whose release can still work with the tables after this step.
    usable_from: i64,
}

/// In order; a step that was released is never changed again.
const STEPS: [Format; 1] = [Format {
    sql: include_str!("migrations/0001_first.sql"),
    usable_from: 1,
}];

/// Of the lock that lets one replica at a time migrate: "QGAT".
pub(super) const LOCK: i64 = 0x5147_4154;

/// The format that this release reads and writes.
pub(super) fn newest() -> i64 {
    i64::try_from(STEPS.len()).expect("there are few steps")
}

/// Takes the missing steps, all or none, and waits for a replica that is doing so.
pub(super) async fn run(client: &Object, database: &str) -> Result<(), OpenError> {
    let failed = |error: tokio_postgres::Error| refused(&error, database);
    // Locks of a transaction, since those of a session do not pass every pooler; long statements, since tables may be large.
    let begin = format!(
        "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '1min';
         SELECT pg_advisory_xact_lock({LOCK})"
    );
    client.batch_execute(&begin).await.map_err(failed)?;
    let done = steps(client).await;
    match done {
        Ok(()) => client.batch_execute("COMMIT").await.map_err(failed),
        Err(error) => {
            // The error is what counts; a connection that cannot roll back is thrown away by the server.
            drop(client.batch_execute("ROLLBACK").await);
            match error {
                Trouble::Open(error) => Err(error),
                Trouble::Database(error) => Err(failed(error)),
            }
        }
    }
}

enum Trouble {
    Open(OpenError),
    Database(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

async fn steps(client: &Object) -> Result<(), Trouble> {
    let is_there = client
        .query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&SCHEMA])
        .await?
        .is_some();
    if !is_there {
        client
            .batch_execute(&format!("CREATE SCHEMA {SCHEMA}"))
            .await?;
    }
    client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS format (
               number bigint PRIMARY KEY, usable_from bigint NOT NULL, release text NOT NULL,
               at timestamptz NOT NULL DEFAULT now())",
        )
        .await?;
    let row = client
        .query_one(
            "SELECT coalesce(max(number), 0), coalesce(max(usable_from), 0) FROM format",
            &[],
        )
        .await?;
    let found: i64 = row.try_get(0)?;
    if row.try_get::<_, i64>(1)? > newest() {
        return Err(Trouble::Open(OpenError::Newer {
            found,
            known: newest(),
        }));
    }
    let done = usize::try_from(found).unwrap_or_default();
    for (number, step) in (1_i64..).zip(STEPS).skip(done) {
        client.batch_execute(step.sql).await?;
        client
            .execute(
                "INSERT INTO format (number, usable_from, release) VALUES ($1, $2, $3)",
                &[&number, &step.usable_from, &env!("CARGO_PKG_VERSION")],
            )
            .await?;
    }
    if found == 0 {
        let value_key: [u8; 32] = rand::random();
        client
            .execute(
                "INSERT INTO meta (id, created_at, value_key, next_event, next_delivery)
                 VALUES (1, (extract(epoch FROM now()) * 1000)::bigint, $1, 1, 1)",
                &[&value_key.as_slice()],
            )
            .await?;
    }
    Ok(())
}

pub(super) fn refused(error: &tokio_postgres::Error, database: &str) -> OpenError {
    let Some(refusal) = error.as_db_error() else {
        return OpenError::Unreachable {
            database: database.to_owned(),
            what: error.to_string(),
        };
    };
    match refusal.code().code() {
        "42501" => OpenError::Forbidden {
            database: database.to_owned(),
            what: "create a schema or its tables",
        },
        _ => OpenError::Migration {
            what: told(refusal),
        },
    }
}
