//! The secrets that senders named in their handshakes: one for each source, kept until a person takes it away.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::{decode, fault::Fault, group::Group};
use crate::{event::SourceName, store::Learned};

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
