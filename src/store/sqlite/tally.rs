//! Figures of one source that change together; summed up over a group of calls and written once.

use rusqlite::{Connection, Row, params};

use crate::{
    event::{DeliveryState, End},
    store::{Totals, sqlite::fault::Fault},
};

/// Changes of the counters of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) accepted: i64,
    pub(super) duplicate: i64,
    pub(super) known_groups: i64,
    pub(super) created: i64,
    waiting: i64,
    looking: i64,
    dead: i64,
    ended: [i64; 7],
}

impl Tally {
    /// A delivery enters a state.
    pub(super) fn enters(&mut self, state: DeliveryState) {
        *self.standing(state) += 1;
    }

    /// A delivery leaves a state.
    pub(super) fn leaves(&mut self, state: DeliveryState) {
        *self.standing(state) -= 1;
    }

    pub(super) fn ends(&mut self, end: End) {
        for (figure, each) in self.ended.iter_mut().zip(End::ALL) {
            if each == end {
                *figure += 1;
            }
        }
    }

    /// A delivery is open again after all.
    pub(super) fn reopens(&mut self, end: End) {
        for (figure, each) in self.ended.iter_mut().zip(End::ALL) {
            if each == end {
                *figure -= 1;
            }
        }
    }

    fn standing(&mut self, state: DeliveryState) -> &mut i64 {
        match state {
            DeliveryState::Waiting => &mut self.waiting,
            DeliveryState::Looking => &mut self.looking,
            DeliveryState::Dead => &mut self.dead,
        }
    }

    pub(super) fn write(&self, connection: &Connection, source: &str) -> Result<(), Fault> {
        if *self == Self::default() {
            return Ok(());
        }
        let [
            delivered,
            unchanged,
            stale,
            superseded,
            dropped,
            discarded,
            erased,
        ] = self.ended;
        connection.prepare_cached(ADD)?.execute(params![
            source,
            self.accepted,
            self.duplicate,
            self.known_groups,
            self.created,
            self.waiting,
            self.looking,
            self.dead,
            delivered,
            unchanged,
            stale,
            superseded,
            dropped,
            discarded,
            erased,
        ])?;
        Ok(())
    }
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
    let figure = |column: usize| -> Result<u64, Fault> {
        u64::try_from(row.get::<_, i64>(column)?)
            .map_err(|_| Fault::Call("a counter is below zero".to_owned()))
    };
    let mut ended = [0; 7];
    for (column, end) in (8..).zip(ended.iter_mut()) {
        *end = figure(column)?;
    }
    Ok(Totals {
        accepted: figure(1)?,
        duplicate: figure(2)?,
        known_groups: figure(3)?,
        created: figure(4)?,
        waiting: figure(5)?,
        looking: figure(6)?,
        dead: figure(7)?,
        ended,
    })
}
