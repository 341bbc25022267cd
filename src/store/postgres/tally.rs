//! The counters in the database. A writer adds to rows of its own slot, so that writers do not wait for each other; what counts
//! is the sum.

use tokio_postgres::{Row, types::ToSql};

use super::{fault::Fault, insert::Insert, session::Session};
use crate::{
    event::SourceName,
    store::{
        Totals, decode,
        tally::{self, Tallies},
    },
};

const ADD: &str = "
    INSERT INTO counter (source, slot, accepted, duplicate, known_groups, created, waiting, looking, dead,
                         delivered, unchanged, stale, superseded, dropped, discarded, erased)
    SELECT given.source, $1, given.a, given.b, given.c, given.d, given.e, given.f, given.g, given.h, given.i, given.j, given.k,
           given.l, given.m, given.n
    FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
                $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[])
      AS given (source, a, b, c, d, e, f, g, h, i, j, k, l, m, n)
    ORDER BY given.source
    ON CONFLICT (source, slot) DO UPDATE SET
      accepted = counter.accepted + excluded.accepted,
      duplicate = counter.duplicate + excluded.duplicate,
      known_groups = counter.known_groups + excluded.known_groups,
      created = counter.created + excluded.created,
      waiting = counter.waiting + excluded.waiting,
      looking = counter.looking + excluded.looking,
      dead = counter.dead + excluded.dead,
      delivered = counter.delivered + excluded.delivered,
      unchanged = counter.unchanged + excluded.unchanged,
      stale = counter.stale + excluded.stale,
      superseded = counter.superseded + excluded.superseded,
      dropped = counter.dropped + excluded.dropped,
      discarded = counter.discarded + excluded.discarded,
      erased = counter.erased + excluded.erased";

const READ: &str = "
    SELECT source, sum(accepted)::bigint, sum(duplicate)::bigint, sum(known_groups)::bigint, sum(created)::bigint,
           sum(waiting)::bigint, sum(looking)::bigint, sum(dead)::bigint, sum(delivered)::bigint, sum(unchanged)::bigint,
           sum(stale)::bigint, sum(superseded)::bigint, sum(dropped)::bigint, sum(discarded)::bigint, sum(erased)::bigint
    FROM counter GROUP BY source ORDER BY source";

/// What changed of each source, column by column; in the order of names, so that two writers of one slot cannot wait for each
/// other in a circle.
pub(super) struct Columns<'a> {
    slot: i16,
    sources: Vec<&'a str>,
    figures: [Vec<i64>; 14],
}

impl<'a> Columns<'a> {
    pub(super) fn new(slot: i16, tallies: &'a Tallies) -> Self {
        let mut sources = Vec::new();
        let mut figures: [Vec<i64>; 14] = Default::default();
        for (source, tally) in tallies.changes() {
            sources.push(source);
            for (column, figure) in figures.iter_mut().zip(tally.figures()) {
                column.push(figure);
            }
        }
        Self {
            slot,
            sources,
            figures,
        }
    }

    /// Adds them; nothing where nothing changed.
    pub(super) fn statement(&self) -> Option<Insert<'_>> {
        if self.sources.is_empty() {
            return None;
        }
        let mut columns: Vec<&(dyn ToSql + Sync)> = vec![&self.slot, &self.sources];
        for figures in &self.figures {
            columns.push(figures);
        }
        Some(Insert { sql: ADD, columns })
    }
}

/// The figures of every source, by name.
pub(super) async fn by_source(session: &Session) -> Result<Vec<(SourceName, Totals)>, Fault> {
    let rows = session.query(READ, &[]).await?;
    let sources = rows.iter().map(|row| {
        let source = decode::text(row.try_get(0)?, "source")?;
        Ok((source, totals(row)?))
    });
    sources.collect()
}

fn totals(row: &Row) -> Result<Totals, Fault> {
    let mut figures = [0; 14];
    for (column, figure) in (1..).zip(figures.iter_mut()) {
        *figure = row.try_get(column)?;
    }
    Ok(tally::totals(figures)?)
}
