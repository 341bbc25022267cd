//! The secrets that senders named in their handshakes: one for each source, kept until a person takes it away.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::{
    fault::Fault,
    session::{Session, Step},
};
use crate::{
    event::SourceName,
    store::{Learned, decode},
};

// Of several at once, on whatever replica, one is first.
const INSERT: &str =
    "INSERT INTO learned_secret (source, secret, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT secret FROM learned_secret WHERE source = $1";
const DELETE: &str = "DELETE FROM learned_secret WHERE source = $1";
const ALL: &str = "SELECT source, secret FROM learned_secret ORDER BY source";

impl Step {
    pub(super) async fn learn_secret(
        &self,
        source: &SourceName,
        secret: &SecretString,
        at: Timestamp,
    ) -> Result<Learned, Fault> {
        let (source, named) = (source.as_str(), secret.expose_secret());
        let inserted = self
            .execute(INSERT, &[&source, &named, &at.as_millisecond()])
            .await?;
        if inserted > 0 {
            return Ok(Learned::New);
        }
        let Some(row) = self.query_opt(FIND, &[&source]).await? else {
            return Err(Fault::Moment("a secret was forgotten meanwhile".to_owned()));
        };
        let known = SecretString::from(row.try_get::<_, String>(0)?);
        let is_same = known.expose_secret().as_bytes().ct_eq(named.as_bytes());
        Ok(if is_same.into() {
            Learned::Same
        } else {
            Learned::Other
        })
    }

    pub(super) async fn forget_secret(&self, source: &SourceName) -> Result<bool, Fault> {
        Ok(self.execute(DELETE, &[&source.as_str()]).await? > 0)
    }
}

pub(super) async fn all(session: &Session) -> Result<Vec<(SourceName, SecretString)>, Fault> {
    let rows = session.query(ALL, &[]).await?;
    let secret = |row: &tokio_postgres::Row| {
        let source = decode::text(row.try_get(0)?, "source")?;
        Ok((source, SecretString::from(row.try_get::<_, String>(1)?)))
    };
    rows.iter().map(secret).collect()
}
