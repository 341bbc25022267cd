//! Which events were received in a time: the hours of their numbers, by `event_hour`.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::store::{
    archive::walk,
    postgres::{fault::Fault, session::Session},
};

/// All of them: a row for each hour of the history that is kept.
const ALL: &str = "SELECT first, hour FROM event_hour ORDER BY first";

/// As [`walk::range`].
pub(super) async fn range(
    session: &Session,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Option<(i64, i64)>, Fault> {
    let rows = session.query(ALL, &[]).await?;
    let run = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    walk::range(rows.iter().map(run), since, until)
}
