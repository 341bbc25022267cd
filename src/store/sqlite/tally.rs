//! The counters in the file.

use rusqlite::{Connection, Row, params_from_iter, types::Value};

use crate::store::{
    Totals,
    sqlite::fault::Fault,
    tally::{self, Tally},
};

/// Adds what changed of a source.
pub(super) fn add(connection: &Connection, source: &str, tally: &Tally) -> Result<(), Fault> {
    let figures = tally.figures().map(Value::Integer);
    let columns = std::iter::once(Value::Text(source.to_owned())).chain(figures);
    connection
        .prepare_cached(ADD)?
        .execute(params_from_iter(columns))?;
    Ok(())
}

const ADD: &str = "
    INSERT INTO counter (source, accepted, duplicate, known_groups, created, waiting, looking, dead,
                         delivered, unchanged, stale, superseded, dropped, discarded, erased)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
    ON CONFLICT (source) DO UPDATE SET
      accepted = accepted + excluded.accepted,
      duplicate = duplicate + excluded.duplicate,
      known_groups = known_groups + excluded.known_groups,
      created = created + excluded.created,
      waiting = waiting + excluded.waiting,
      looking = looking + excluded.looking,
      dead = dead + excluded.dead,
      delivered = delivered + excluded.delivered,
      unchanged = unchanged + excluded.unchanged,
      stale = stale + excluded.stale,
      superseded = superseded + excluded.superseded,
      dropped = dropped + excluded.dropped,
      discarded = discarded + excluded.discarded,
      erased = erased + excluded.erased";

const READ: &str = "
    SELECT source, accepted, duplicate, known_groups, created, waiting, looking, dead,
           delivered, unchanged, stale, superseded, dropped, discarded, erased
    FROM counter ORDER BY source";

/// The figures of every source, by name.
pub(super) fn by_source(connection: &Connection) -> Result<Vec<(String, Totals)>, Fault> {
    let mut statement = connection.prepare_cached(READ)?;
    let mut rows = statement.query([])?;
    let mut sources = Vec::new();
    while let Some(row) = rows.next()? {
        sources.push((row.get(0)?, totals(row)?));
    }
    Ok(sources)
}

fn totals(row: &Row<'_>) -> Result<Totals, Fault> {
    let mut figures = [0; 14];
    for (column, figure) in (1..).zip(figures.iter_mut()) {
        *figure = row.get(column)?;
    }
    Ok(tally::totals(figures)?)
}
