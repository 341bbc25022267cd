//! The numbered steps that bring the tables from any earlier format to the newest. Forward only, one replica at a time.
//!
//! A step must leave tables that the release before can still work with, since during an upgrade both run side by side: it adds,
//! and what it takes away no release has used for a while. Each says from which format on releases can go on after it.
//!
//! # Promises
//!
//! - **All or none.** The missing steps and what is noted of them are one transaction, under a lock that one replica has.
//! - **Nobody waits for ever, or in silence.** A replica that is stopped in the middle of a step loses its transaction after
//!   seconds, one that is killed at once; who waits says so.
//! - **Gateways that work go on.** A step gives up after a moment where it waits for what they do, so that they do not queue up
//!   behind it, and tries again. Where they could not go on after it, it is not taken while they are there.
//! - **A release that the tables are no longer for** does not start ([`OpenError::Newer`]), and stops where it runs
//!   ([`is_too_old`]).
//!
//! # Writing a step
//!
//! Where it changes several tables it locks them first, `lease` and `meta` before all others: claims and the ends of deliveries
//! begin at the one, accepting at the other, so nobody waits in a circle. What is written to a large table, an index among it,
//! keeps gateways from accepting for as long. A word that is new in a column which the release before reads (a state, an end)
//! is written by the release after the one that learned to read it.

use std::time::Duration;

use deadpool_postgres::Object;

use super::{
    connect::{OpenError, SCHEMA},
    fault::told,
};

/// A step, and what it leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) sql: &'static str,
    /// The oldest format whose release can still work with the tables after this step.
    pub(super) usable_from: i64,
}

/// In order; a step that was released is never changed again.
pub(super) const FORMATS: [Format; 3] = [
    Format {
        sql: include_str!("migrations/0001_first.sql"),
        usable_from: 1,
    },
    Format {
        sql: include_str!("migrations/0002_replica_format.sql"),
        usable_from: 1,
    },
    Format {
        sql: include_str!("migrations/0003_dead_organisation.sql"),
        usable_from: 1,
    },
];

/// Of the lock that lets one replica at a time migrate: "QGAT".
pub(super) const LOCK: i64 = 0x5147_4154;

/// How long somebody waits for another replica before it says so, and says so again.
const SAY_AFTER: Duration = Duration::from_secs(2);
/// How often a step is tried, and the pause in between. A replica that was killed is not counted any more well before that.
const TRIES: u32 = 25;
const PAUSE: Duration = Duration::from_secs(1);

/// The format that this release reads and writes.
pub(super) fn newest() -> i64 {
    number_of(&FORMATS)
}

fn number_of(formats: &[Format]) -> i64 {
    i64::try_from(formats.len()).expect("there are few steps")
}

/// Whether tables are no longer for this release, whose oldest usable format this is.
pub(super) fn is_too_old(usable_from: i64) -> bool {
    usable_from > newest()
}

/// Takes the missing steps, all or none, and waits for a replica that is doing so.
pub(super) async fn run(client: &Object, database: &str) -> Result<(), OpenError> {
    take(client, database, &FORMATS, TRIES).await
}

/// The same with the steps of some release.
pub(super) async fn take(
    client: &Object,
    database: &str,
    formats: &[Format],
    tries: u32,
) -> Result<(), OpenError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let Err(trouble) = take_once(client, formats).await else {
            return Ok(());
        };
        // The trouble is what counts; a connection that cannot roll back is thrown away by the server.
        drop(client.batch_execute("ROLLBACK").await);
        let may_pass = trouble.may_pass();
        let error = match trouble {
            Trouble::Open(error) => error,
            Trouble::Database(error) => refused(&error, database),
        };
        if !may_pass || attempts >= tries {
            return Err(error);
        }
        tracing::info!(cause = %error, "the tables cannot be brought to the newest format at the moment; trying again");
        tokio::time::sleep(PAUSE).await;
    }
}

#[derive(Debug)]
enum Trouble {
    Open(OpenError),
    Database(tokio_postgres::Error),
}

impl Trouble {
    /// Somebody else works with a table, or is about to go.
    fn may_pass(&self) -> bool {
        match self {
            Self::Open(error) => matches!(error, OpenError::OlderRun { .. }),
            Self::Database(error) => error
                .code()
                .is_some_and(|code| ["55P03", "40P01"].contains(&code.code())),
        }
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// One transaction.
async fn take_once(client: &Object, formats: &[Format]) -> Result<(), Trouble> {
    begin(client).await?;
    steps(client, formats).await?;
    Ok(client.batch_execute("COMMIT").await?)
}

/// Begins, alone: waits until no other replica is at it.
async fn begin(client: &Object) -> Result<(), tokio_postgres::Error> {
    // Statements may be long, since tables may be large. The server looks whether this process is still there meanwhile, where
    // its system lets it.
    client
        .batch_execute(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '10s';
             DO $$ BEGIN SET LOCAL client_connection_check_interval = '1s'; EXCEPTION WHEN OTHERS THEN NULL; END $$",
        )
        .await?;
    // Locks of a transaction, since those of a session do not pass every pooler.
    let lock = format!("SELECT pg_advisory_xact_lock({LOCK})");
    let locked = client.batch_execute(&lock);
    tokio::pin!(locked);
    loop {
        if let Ok(locked) = tokio::time::timeout(SAY_AFTER, &mut locked).await {
            locked?;
            break;
        }
        tracing::info!("waiting for another replica, which brings the tables to the newest format");
    }
    client.batch_execute("SET LOCAL lock_timeout = '2s'").await
}

async fn steps(client: &Object, formats: &[Format]) -> Result<(), Trouble> {
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
    let known = number_of(formats);
    if row.try_get::<_, i64>(1)? > known {
        return Err(Trouble::Open(OpenError::Newer { found, known }));
    }
    let done = usize::try_from(found).unwrap_or_default();
    for (number, format) in (1_i64..).zip(formats).skip(done) {
        // Before the third there was no saying who is there, and no need to.
        if number > 2 {
            nobody_is_left_behind(client, format.usable_from).await?;
        }
        tracing::info!(format = number, "bringing the tables to a newer format");
        client.batch_execute(format.sql).await?;
        client
            .execute(
                "INSERT INTO format (number, usable_from, release) VALUES ($1, $2, $3)",
                &[&number, &format.usable_from, &env!("CARGO_PKG_VERSION")],
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

/// Refuses while replicas are there whose release could not go on with tables that are usable from this format on.
async fn nobody_is_left_behind(client: &Object, usable_from: i64) -> Result<(), Trouble> {
    let sql = "SELECT string_agg(format('%s (%s)', name, version), ', ' ORDER BY name) FROM replica
               WHERE coalesce(format, 1) < $1 AND expires_at > clock_timestamp()";
    let row = client.query_one(sql, &[&usable_from]).await?;
    match row.try_get(0)? {
        None => Ok(()),
        Some(replicas) => Err(Trouble::Open(OpenError::OlderRun { replicas })),
    }
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
