//! Why deliveries are dead: the causes that there are, found by seeking from one to the next.

use rusqlite::{Connection, params};

use crate::{
    event::EventSeq,
    store::{
        ArchiveFilter, DeadCause, MOST_COUNTED,
        sqlite::{decode, fault::Fault},
    },
};

const NEXT: &str = "
    SELECT source, code, event FROM delivery INDEXED BY delivery_dead_cause
    WHERE state = 'dead' AND (source, code) > (?1, ?2) ORDER BY source, code, event LIMIT 1";

const LAST: &str = "
    SELECT event FROM delivery INDEXED BY delivery_dead_cause
    WHERE state = 'dead' AND source = ?1 AND code = ?2 ORDER BY event DESC LIMIT 1";

const COUNT: &str = "
    SELECT count(*) FROM
      (SELECT 1 FROM delivery INDEXED BY delivery_dead_cause
       WHERE state = 'dead' AND source = ?1 AND code = ?2 LIMIT ?3)";

/// A cause, with the first event that has it.
pub(super) struct Cause {
    pub(super) source: String,
    pub(super) code: String,
    first: i64,
}

/// The causes that a filter lets pass, by source and code.
pub(super) fn of(connection: &Connection, filter: &ArchiveFilter) -> Result<Vec<Cause>, Fault> {
    let mut statement = connection.prepare_cached(NEXT)?;
    let (mut source, mut code) = (String::new(), String::new());
    let mut causes = Vec::new();
    loop {
        let mut rows = statement.query(params![source, code])?;
        let Some(row) = rows.next()? else { break };
        (source, code) = (row.get(0)?, row.get(1)?);
        let is_wanted = filter
            .source
            .as_ref()
            .is_none_or(|wanted| wanted.as_str() == source)
            && filter.reason.as_ref().is_none_or(|wanted| *wanted == code);
        if is_wanted {
            causes.push(Cause {
                source: source.clone(),
                code: code.clone(),
                first: row.get(2)?,
            });
        }
    }
    Ok(causes)
}

pub(super) fn all(connection: &Connection) -> Result<Vec<DeadCause>, Fault> {
    let mut last = connection.prepare_cached(LAST)?;
    let mut count = connection.prepare_cached(COUNT)?;
    let causes = of(connection, &ArchiveFilter::default())?.into_iter();
    let causes = causes.map(|cause| {
        let key = params![cause.source, cause.code];
        Ok(DeadCause {
            source: decode::text(&cause.source, "source")?,
            first: EventSeq(cause.first),
            last: EventSeq(last.query_row(key, |row| row.get(0))?),
            count: count.query_row(params![cause.source, cause.code, MOST_COUNTED], |row| {
                row.get(0)
            })?,
            code: cause.code,
        })
    });
    causes.collect()
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 3] = [NEXT, LAST, COUNT];
