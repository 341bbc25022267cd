//! The side of a move that receives a store: tables that no gateway works with until the move is through.
//!
//! How far it came stands in `moving`, and grows in the transaction that writes a page, so that what is there and what is said to
//! be there never differ; each page says which place it goes on from, so a page that comes late or twice changes nothing.

use std::{borrow::Cow, fmt::Write as _};

use deadpool_postgres::{Object, Pool};
use tokio_postgres::types::ToSql;

use super::{
    Durability, OpenError, PostgresAddress,
    connect::{self, SCHEMA},
    fault::Fault,
    insert, migrations,
    session::{Session, Step},
};
use crate::store::{
    StoreError,
    moving::{
        page::{Column, Page, Place},
        tables::{Kind, OF_REPLICAS, TABLES, Table},
    },
};

/// What a move calls itself where the server lists its sessions; a gateway has the name without the last word.
const NAME: &str = "quentli-gateway migrate-store";

/// Why a database does not take a store, or takes it no further.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum TargetError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the table `{table}` is not empty")]
    Occupied { table: &'static str },
    #[error("it holds a part of another store")]
    AnotherStore,
    #[error("{gateways} gateways work with it")]
    InUse { gateways: i64 },
    #[error("somebody else went on with the move, or emptied the database")]
    Overtaken,
}

impl From<Fault> for TargetError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.error())
    }
}

impl From<tokio_postgres::Error> for TargetError {
    fn from(error: tokio_postgres::Error) -> Self {
        Fault::from(error).into()
    }
}

/// Which store, and which of its moves.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Identity {
    pub(in crate::store) store: [u8; 32],
    pub(in crate::store) token: [u8; 16],
}

/// How a database stands to a move.
#[derive(Debug)]
pub(in crate::store) enum Standing {
    /// Nothing of any store is in it.
    Empty,
    /// A part of the store: a move that was begun under this token.
    Begun {
        token: [u8; 16],
        place: Place,
        rows: u64,
    },
    /// What an abandoned move of the same store left. It is thrown away.
    Abandoned,
    /// The whole store, by the move of this token; gateways may work with it.
    Finished { token: [u8; 16] },
}

/// A database that takes a store.
#[derive(Debug)]
pub(in crate::store) struct Target {
    pool: Pool,
}

impl Target {
    /// Connects, and looks at the server. Nothing is changed.
    pub(in crate::store) async fn connect(
        address: &PostgresAddress,
        durability: Durability,
    ) -> Result<Self, OpenError> {
        let mut address = address.clone();
        address.config.application_name(NAME);
        let pool = connect::fit(&address, durability).await?;
        Ok(Self { pool })
    }

    /// Makes the tables where they are missing.
    pub(in crate::store) async fn prepare(
        &self,
        address: &PostgresAddress,
    ) -> Result<(), OpenError> {
        let database = address.told();
        let client = self.pool.get().await;
        let client = client.map_err(|error| connect::refused(&database, &error))?;
        migrations::run(&client, &database).await
    }

    /// How the database stands to a move of this store. Nothing is changed.
    ///
    /// # Errors
    /// As of [`Target::begin`].
    pub(in crate::store) async fn standing(
        &self,
        store: &[u8; 32],
    ) -> Result<Standing, TargetError> {
        let session = self.session().await?;
        let sql = "SELECT to_regclass($1) IS NOT NULL";
        let has_tables = session
            .query_opt(sql, &[&format!("{SCHEMA}.moving")])
            .await?;
        let has_tables = has_tables.map(|row| row.try_get(0)).transpose()?;
        if has_tables != Some(true) {
            return Ok(Standing::Empty);
        }
        standing(&session, store).await
    }

    /// Begins the move, or finds the place to go on from: what it gives is `Begun` or `Finished`, and of this token.
    ///
    /// # Errors
    /// Gateways work with the database, or it holds something else.
    pub(in crate::store) async fn begin(
        &self,
        identity: &Identity,
    ) -> Result<Standing, TargetError> {
        // As a gateway that starts does: it waits for this, and sees that it was begun.
        let step = self.patient_step().await?;
        let lock = format!("SELECT pg_advisory_xact_lock({})", migrations::LOCK);
        step.session().run(&lock).await?;
        let standing = standing(step.session(), &identity.store).await?;
        match &standing {
            Standing::Begun { token, .. } if *token == identity.token => return Ok(standing),
            Standing::Finished { token } if *token == identity.token => return Ok(standing),
            Standing::Finished { .. } => return Err(TargetError::Occupied { table: "event" }),
            Standing::Empty | Standing::Begun { .. } | Standing::Abandoned => {}
        }
        step.session().run(&clear_sql()).await?;
        let place = Place::start();
        let (table, after) = place.written();
        let (store, token) = (identity.store.as_slice(), identity.token.as_slice());
        step.execute(
            "INSERT INTO moving (id, store, token, release, part, after, rows) VALUES (1, $1, $2, $3, $4, $5, 0)",
            &[&store, &token, &env!("CARGO_PKG_VERSION"), &table, &after],
        )
        .await?;
        step.commit().await?;
        Ok(Standing::Begun {
            token: identity.token,
            place,
            rows: 0,
        })
    }

    /// Writes a page that goes on from this place.
    pub(in crate::store) async fn write(
        &self,
        identity: &Identity,
        from: &Place,
        page: &Page,
    ) -> Result<(), TargetError> {
        let step = self.patient_step().await?;
        let ((part, after), (next, next_after)) = (from.written(), page.end().written());
        let rows = i64::try_from(page.rows).unwrap_or(i64::MAX);
        let token = identity.token.as_slice();
        let moved_on = step
            .execute(
                "UPDATE moving SET part = $1, after = $2, rows = rows + $3
                 WHERE token = $4 AND part = $5 AND after IS NOT DISTINCT FROM $6 AND finished_at IS NULL",
                &[&next, &next_after, &rows, &token, &part, &after],
            )
            .await?;
        if moved_on != 1 {
            return Err(TargetError::Overtaken);
        }
        if page.rows > 0 {
            let columns: Vec<Array<'_>> = page.columns.iter().map(array).collect();
            let mut given: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(columns.len());
            for column in &columns {
                given.push(&**column);
            }
            step.execute(&insert_sql(page.table), &given).await?;
        }
        step.commit().await?;
        Ok(())
    }

    /// Rows of each table, in the order of the list.
    pub(in crate::store) async fn counts(&self) -> Result<Vec<u64>, TargetError> {
        let step = self.patient_step().await?;
        let mut counts = Vec::with_capacity(TABLES.len());
        for table in &TABLES {
            let sql = format!("SELECT count(*) FROM {}", table.name);
            let count: i64 = step
                .session()
                .client()?
                .query_one(&sql, &[])
                .await?
                .try_get(0)?;
            counts.push(u64::try_from(count).unwrap_or_default());
        }
        step.commit().await?;
        Ok(counts)
    }

    /// Lets the tables that number themselves go on after these, and has the server look at what it got, so that its first plans
    /// are good.
    pub(in crate::store) async fn settle(
        &self,
        greatest: &[(&'static str, i64)],
    ) -> Result<(), TargetError> {
        let step = self.patient_step().await?;
        for (table, number) in greatest {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{SCHEMA}.{table}', 'id'), greatest($1::bigint, 1), $1 > 0)"
            );
            step.query_opt(&sql, &[number]).await?;
        }
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        let sql = format!("ANALYZE {}", names.join(", "));
        step.session().client()?.batch_execute(&sql).await?;
        step.commit().await?;
        Ok(())
    }

    /// Lets gateways work with the database.
    pub(in crate::store) async fn release(&self, identity: &Identity) -> Result<(), TargetError> {
        let step = self.patient_step().await?;
        let token = identity.token.as_slice();
        let released = step
            .execute(
                "UPDATE moving SET finished_at = coalesce(finished_at, clock_timestamp()) WHERE token = $1 AND part = ''",
                &[&token],
            )
            .await?;
        if released != 1 {
            return Err(TargetError::Overtaken);
        }
        step.commit().await?;
        Ok(())
    }

    async fn session(&self) -> Result<Session, TargetError> {
        let client = self.pool.get().await.map_err(Fault::from)?;
        Ok(Session::new(client))
    }

    /// A transaction in which the server lets a statement take its time.
    async fn patient_step(&self) -> Result<Step, TargetError> {
        let client = self.pool.get().await.map_err(Fault::from)?;
        let step = Step::begin(client).await?;
        step.session()
            .run("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            .await?;
        Ok(step)
    }
}

/// Refuses a database that is still on its way to be a store.
pub(super) async fn is_whole(client: &Object, database: &str) -> Result<(), OpenError> {
    let sql = "SELECT 1 FROM moving WHERE finished_at IS NULL";
    let unfinished = client.query_opt(sql, &[]).await;
    let unfinished = unfinished.map_err(|error| migrations::refused(&error, database))?;
    match unfinished {
        None => Ok(()),
        Some(_) => Err(OpenError::Moving {
            database: database.to_owned(),
        }),
    }
}

async fn standing(session: &Session, store: &[u8; 32]) -> Result<Standing, TargetError> {
    let sql =
        "SELECT store, token, release, part, after, rows, finished_at IS NOT NULL FROM moving";
    let Some(row) = session.query_opt(sql, &[]).await? else {
        is_unused(session).await?;
        is_empty(session).await?;
        return Ok(Standing::Empty);
    };
    let (is_finished, is_same) = (
        row.try_get::<_, bool>(6)?,
        row.try_get::<_, &[u8]>(0)? == store,
    );
    // Once it is through, gateways are meant to.
    if !is_finished {
        is_unused(session).await?;
    }
    let token = <[u8; 16]>::try_from(row.try_get::<_, &[u8]>(1)?).ok();
    match (is_finished, is_same, token) {
        (true, true, Some(token)) => Ok(Standing::Finished { token }),
        (true, ..) => Err(TargetError::Occupied { table: "event" }),
        (false, false, _) => Err(TargetError::AnotherStore),
        (false, true, token) => {
            let place = Place::read(row.try_get(3)?, row.try_get(4)?);
            // Another release may have other columns.
            let is_ours = row.try_get::<_, &str>(2)? == env!("CARGO_PKG_VERSION");
            let rows = u64::try_from(row.try_get::<_, i64>(5)?).unwrap_or_default();
            Ok(match token.zip(place).filter(|_| is_ours) {
                Some((token, place)) => Standing::Begun { token, place, rows },
                None => Standing::Abandoned,
            })
        }
    }
}

/// Refuses a database that anything was stored in.
async fn is_empty(session: &Session) -> Result<(), TargetError> {
    for table in TABLES.iter().filter(|table| !table.is_made_by_starting) {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
        if session.query_opt(&sql, &[]).await?.is_some() {
            return Err(TargetError::Occupied { table: table.name });
        }
    }
    // What was accepted may be gone again.
    let sql = "SELECT 1 FROM meta WHERE next_event > 1";
    match session.query_opt(sql, &[]).await? {
        None => Ok(()),
        Some(_) => Err(TargetError::Occupied { table: "meta" }),
    }
}

/// Refuses a database that gateways work with, or will again when they reach it.
async fn is_unused(session: &Session) -> Result<(), TargetError> {
    let sql = "
        SELECT greatest(
          (SELECT count(*) FROM replica WHERE expires_at > clock_timestamp()),
          (SELECT count(DISTINCT coalesce(client_addr::text, '')) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = $1))";
    let row = session.query_opt(sql, &[&connect::APPLICATION]).await?;
    match row.map(|row| row.try_get(0)).transpose()? {
        None | Some(0) => Ok(()),
        Some(gateways) => Err(TargetError::InUse { gateways }),
    }
}

fn clear_sql() -> String {
    let ours = TABLES.iter().map(|table| table.name);
    let names: Vec<&str> = ours.chain(OF_REPLICAS).chain(["moving"]).collect();
    format!("TRUNCATE {}", names.join(", "))
}

fn insert_sql(table: &Table) -> String {
    let mut sql = format!("INSERT INTO {} ({}", table.name, table.column_list());
    if let Some((column, _)) = table.added {
        push(&mut sql, format_args!(", {column}"));
    }
    sql.push_str(") SELECT given.*");
    if let Some((_, value)) = table.added {
        push(&mut sql, format_args!(", {value}"));
    }
    sql.push_str(" FROM unnest(");
    for (at, (_, kind)) in table.columns.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        push(
            &mut sql,
            format_args!("{comma}${}::{}[]", at + 1, sql_type(*kind)),
        );
    }
    sql.push_str(") AS given");
    sql
}

fn push(sql: &mut String, text: std::fmt::Arguments<'_>) {
    sql.write_fmt(text).expect("a text grows");
}

const fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "bigint",
        Kind::Text => "text",
        Kind::Bytes => "bytea",
        Kind::Flag => "boolean",
    }
}

type Array<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A column as a parameter; texts as PostgreSQL keeps them.
fn array(column: &Column) -> Array<'_> {
    match column {
        Column::Integers(values) => Box::new(values),
        Column::Bytes(values) => Box::new(values),
        Column::Flags(values) => Box::new(values),
        Column::Texts(values) => {
            let kept = values
                .iter()
                .map(|value| value.as_deref().map(insert::text));
            Box::new(kept.collect::<Vec<Option<Cow<'_, str>>>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_written_in_one_statement() {
        let table = TABLES.iter().find(|table| table.name == "counter").unwrap();
        let sql = insert_sql(table);
        assert!(
            sql.contains(
                "\"erased\", slot) SELECT given.*, 0 FROM unnest($1::text[], $2::bigint[]"
            ),
            "{sql}"
        );
        assert!(sql.ends_with("$15::bigint[]) AS given"), "{sql}");
    }
}
