//! The secrets that senders named in their handshakes: one for each source, kept until a person takes it away.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::sync::mpsc::error::TrySendError;

use super::{
    SqliteStore, decode,
    fault::Fault,
    group::Group,
    writer::{Call, Job},
};
use crate::{
    event::SourceName,
    store::{Learned, StoreError},
};

/// What is asked of the secret of a source.
pub(super) struct SecretChange {
    pub(super) source: SourceName,
    pub(super) what: SecretWhat,
}

pub(super) enum SecretWhat {
    Learn { secret: SecretString, at: Timestamp },
    Forget,
}

/// What came of it.
pub(super) enum SecretOutcome {
    Learned(Learned),
    Forgotten(bool),
}

const FIND: &str = "SELECT secret FROM learned_secret WHERE source = ?1";
const INSERT: &str = "INSERT INTO learned_secret (source, secret, at) VALUES (?1, ?2, ?3)";
const DELETE: &str = "DELETE FROM learned_secret WHERE source = ?1";
const ALL: &str = "SELECT source, secret FROM learned_secret ORDER BY source";

pub(super) async fn learn(
    store: &SqliteStore,
    source: &SourceName,
    secret: SecretString,
    at: Timestamp,
) -> Result<Learned, StoreError> {
    store.disk.permit(0)?;
    match ask(store, source, SecretWhat::Learn { secret, at }).await? {
        SecretOutcome::Learned(learned) => Ok(learned),
        SecretOutcome::Forgotten(_) => Err(other_answer()),
    }
}

pub(super) async fn forget(store: &SqliteStore, source: &SourceName) -> Result<bool, StoreError> {
    match ask(store, source, SecretWhat::Forget).await? {
        SecretOutcome::Forgotten(was_there) => Ok(was_there),
        SecretOutcome::Learned(_) => Err(other_answer()),
    }
}

async fn ask(
    store: &SqliteStore,
    source: &SourceName,
    what: SecretWhat,
) -> Result<SecretOutcome, StoreError> {
    store.health.is_open()?;
    let (call, reply) = Call::new(SecretChange {
        source: source.clone(),
        what,
    });
    match store.writes.try_send(Job::Secret(call)) {
        Ok(()) => store.answer(reply).await,
        Err(TrySendError::Full(_)) => Err(StoreError::Unavailable {
            what: "too many writes are waiting".to_owned(),
        }),
        Err(TrySendError::Closed(_)) => Err(store.gone()),
    }
}

fn other_answer() -> StoreError {
    StoreError::Broken {
        what: "a call got the answer of another".to_owned(),
    }
}

impl Group<'_> {
    pub(super) fn secret(&mut self, change: &SecretChange) -> Result<SecretOutcome, Fault> {
        let source = change.source.as_str();
        match &change.what {
            SecretWhat::Learn { secret, at } => {
                let known = self
                    .connection
                    .prepare_cached(FIND)?
                    .query_row([source], |row| row.get::<_, String>(0))
                    .optional()?
                    .map(SecretString::from);
                let named = secret.expose_secret();
                let Some(known) = known else {
                    self.connection.prepare_cached(INSERT)?.execute(params![
                        source,
                        named,
                        at.as_millisecond()
                    ])?;
                    return Ok(SecretOutcome::Learned(Learned::New));
                };
                let is_same = known.expose_secret().as_bytes().ct_eq(named.as_bytes());
                Ok(SecretOutcome::Learned(if is_same.into() {
                    Learned::Same
                } else {
                    Learned::Other
                }))
            }
            SecretWhat::Forget => {
                let taken = self.connection.prepare_cached(DELETE)?.execute([source])?;
                Ok(SecretOutcome::Forgotten(taken > 0))
            }
        }
    }
}

pub(super) fn all(connection: &Connection) -> Result<Vec<(SourceName, SecretString)>, Fault> {
    let mut statement = connection.prepare_cached(ALL)?;
    let mut rows = statement.query([])?;
    let mut secrets = Vec::new();
    while let Some(row) = rows.next()? {
        let source = decode::text(&row.get::<_, String>(0)?, "source")?;
        secrets.push((source, SecretString::from(row.get::<_, String>(1)?)));
    }
    Ok(secrets)
}
