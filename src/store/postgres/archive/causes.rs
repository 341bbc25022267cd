//! Why deliveries are dead: the causes that there are, found by seeking from one to the next.

use tokio_postgres::Row;

use crate::{
    event::EventSeq,
    store::{
        ArchiveFilter, DeadCause, MOST_COUNTED, decode,
        postgres::{fault::Fault, session::Session},
    },
};

/// A statement that reads from `cause`, which has the sources and codes that there are, each with its first event.
macro_rules! causes {
    ($which:literal) => {
        concat!(
            "
    WITH RECURSIVE cause AS (
      (SELECT source, code, event FROM delivery WHERE state = 'dead' AND code IS NOT NULL ORDER BY source, code, event LIMIT 1)
      UNION ALL
      SELECT next.* FROM cause, LATERAL (
        SELECT source, code, event FROM delivery
        WHERE state = 'dead' AND code IS NOT NULL AND (delivery.source, delivery.code) > (cause.source, cause.code)
        ORDER BY source, code, event LIMIT 1) AS next
    ) ",
            $which
        )
    };
}

const NAMES: &str = causes!("SELECT source, code FROM cause");

const ALL: &str = causes!(
    "SELECT source, code, event,
       (SELECT event FROM delivery
        WHERE state = 'dead' AND delivery.source = cause.source AND delivery.code = cause.code
        ORDER BY event DESC LIMIT 1),
       (SELECT count(*) FROM
         (SELECT 1 FROM delivery
          WHERE state = 'dead' AND delivery.source = cause.source AND delivery.code = cause.code LIMIT $1) AS counted)
     FROM cause ORDER BY source, code"
);

/// The sources and codes that a filter lets pass, each source with its code.
pub(super) async fn of(
    session: &Session,
    filter: &ArchiveFilter,
) -> Result<(Vec<String>, Vec<String>), Fault> {
    let mut causes = (Vec::new(), Vec::new());
    for row in &session.query(NAMES, &[]).await? {
        let (source, code): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let is_wanted = filter
            .source
            .as_ref()
            .is_none_or(|wanted| wanted.as_str() == source)
            && filter.reason.as_ref().is_none_or(|wanted| *wanted == code);
        if is_wanted {
            causes.0.push(source);
            causes.1.push(code);
        }
    }
    Ok(causes)
}

pub(super) async fn all(session: &Session) -> Result<Vec<DeadCause>, Fault> {
    let rows = session.query(ALL, &[&i64::from(MOST_COUNTED)]).await?;
    let cause = |row: &Row| {
        Ok(DeadCause {
            source: decode::text(row.try_get(0)?, "source")?,
            code: row.try_get(1)?,
            first: EventSeq(row.try_get(2)?),
            last: EventSeq(row.try_get(3)?),
            count: decode::small(row.try_get(4)?)?,
        })
    };
    rows.iter().map(cause).collect()
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 2] = [NAMES, ALL];
