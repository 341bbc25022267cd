//! Removes what is old, a bounded piece at a time: from the oldest event on, each kind behind a cursor of its own, and
//! then what was old before but still needed.
//!
//! A piece holds its events, in the order of their numbers, and takes dedup keys in their order, as accepting does. It never
//! holds the row of `meta`.

use std::collections::{HashMap, HashSet};

use super::{Cursor, LOCK_CURSORS};
use crate::store::{
    postgres::{fault::Fault, session::Step},
    rows::millis,
    upkeep::{Prune, Pruned, Retained},
};

/// When to look again at an event with open deliveries, in milliseconds: a day.
const OPEN_AGAIN: i64 = 24 * 3_600_000;
/// A body of so many bytes counts as one row more.
const BYTES_A_ROW: i64 = 8192;
/// Bytes of a dedup key.
const KEY: i64 = 16;

pub(super) const DUE: &str =
    "SELECT seq FROM event WHERE seq > $1 AND seq < $2 ORDER BY seq LIMIT $3 FOR UPDATE";
const HOLD: &str = "SELECT seq FROM event WHERE seq = ANY($1) ORDER BY seq FOR UPDATE";

pub(super) const LATER: &str = "
    SELECT due, event FROM upkeep_later WHERE kind = $1 AND due <= $2 ORDER BY due, event LIMIT $3";
const LOOK_LATER: &str = "
    INSERT INTO upkeep_later (kind, due, event) SELECT $1, due, event FROM unnest($2::bigint[], $3::bigint[]) AS given (due, event)
    ON CONFLICT DO NOTHING";
const LOOKED_AGAIN: &str = "
    DELETE FROM upkeep_later USING unnest($2::bigint[], $3::bigint[]) AS given (due, event)
    WHERE kind = $1 AND upkeep_later.due = given.due AND upkeep_later.event = given.event";

pub(super) const BODIES: &str = "
    SELECT seq, length(body)::bigint, EXISTS (SELECT 1 FROM delivery WHERE delivery.event = seq) FROM event WHERE seq = ANY($1)";
const DROP_BODIES: &str = "UPDATE event SET body = NULL, headers = NULL WHERE seq = ANY($1)";
/// What the sources of the events only observed, which says the same as the bodies.
pub(super) const DELETE_OBSERVED: &str = "
    WITH old AS (
      SELECT observed.source, observed.event, observed.item, observed.number
      FROM event JOIN observed ON observed.source = event.source AND observed.event = event.seq
      WHERE event.seq = ANY($1) ORDER BY event.seq LIMIT $2 FOR UPDATE OF observed)
    DELETE FROM observed USING old
    WHERE observed.source = old.source AND observed.event = old.event AND observed.item = old.item AND observed.number = old.number";

/// Of each event the first so many bytes of its keys; events behind so many bytes are left out.
pub(super) const KEYS: &str = "
    SELECT seq, substr(dedup_keys, 1, $2::int), length(dedup_keys)::bigint FROM
      (SELECT seq, dedup_keys, sum(length(dedup_keys)) OVER (ORDER BY seq) - length(dedup_keys) AS before
       FROM event WHERE seq = ANY($1)) AS each
    WHERE before < $2::int";
const DELETE_KEYS: &str = "
    WITH old AS (
      SELECT dedup.key FROM unnest($1::bytea[], $2::bigint[]) AS given (key, event) JOIN dedup USING (key, event)
      ORDER BY dedup.key FOR UPDATE OF dedup)
    DELETE FROM dedup USING old WHERE dedup.key = old.key";
const NO_KEYS: &str = "UPDATE event SET dedup_keys = ''::bytea WHERE seq = ANY($1)";
const LESS_KEYS: &str =
    "UPDATE event SET dedup_keys = substr(dedup_keys, 1 + $2::int) WHERE seq = $1";
const DELETE_REUSED: &str = "
    WITH old AS (SELECT event FROM reused_id WHERE event = ANY($1) ORDER BY event FOR UPDATE)
    DELETE FROM reused_id USING old WHERE reused_id.event = old.event";

pub(super) const OPEN: &str = "
    SELECT event FROM unnest($1::bigint[]) AS given (event)
    WHERE EXISTS (SELECT 1 FROM delivery WHERE delivery.event = given.event)";
/// Of the first so many ends.
pub(super) const ENDS: &str = "
    SELECT event, max(at), count(*) FROM
      (SELECT event, at FROM history WHERE event = ANY($1) ORDER BY event, item, number LIMIT $2) AS first
    GROUP BY event";
pub(super) const LATEST_END: &str = "SELECT max(at), count(*) FROM history WHERE event = $1";
pub(super) const DELETE_ATTEMPTS: &str = "
    WITH old AS (
      SELECT event, item, number, attempt FROM attempt WHERE event = ANY($1) ORDER BY event, item, number, attempt LIMIT $2)
    DELETE FROM attempt USING old
    WHERE attempt.event = old.event AND attempt.item = old.item AND attempt.number = old.number AND attempt.attempt = old.attempt";
pub(super) const DELETE_HISTORY: &str = "
    WITH old AS (SELECT event, item, number FROM history WHERE event = ANY($1) ORDER BY event, item, number LIMIT $2)
    DELETE FROM history USING old
    WHERE history.event = old.event AND history.item = old.item AND history.number = old.number";

/// Events of which nothing is left that anybody needs. An id may have come again just before its key went.
pub(super) const DELETE_EVENTS: &str = "
    WITH gone AS (
      DELETE FROM event WHERE seq = ANY($1) AND body IS NULL AND dedup_keys = ''::bytea
        AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.event = seq)
        AND NOT EXISTS (SELECT 1 FROM history WHERE history.event = seq)
      RETURNING seq),
    reused AS (DELETE FROM reused_id USING gone WHERE reused_id.event = gone.seq)
    SELECT count(*) FROM gone";

/// Whether events were looked at before.
#[derive(Clone, Copy)]
enum Look {
    First,
    Again,
}

/// What a call may do, and what it has done.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    kind: Retained,
    date: i64,
    age: i64,
    /// What may still be done.
    rows: i64,
    done: Pruned,
}

impl Piece {
    pub(super) fn new(prune: &Prune) -> Self {
        Self {
            kind: prune.kind,
            date: millis(prune.date),
            age: i64::try_from(prune.age.as_millis()).unwrap_or(i64::MAX),
            rows: i64::from(prune.rows),
            done: Pruned::default(),
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.rows <= 0
    }

    pub(super) fn done(self) -> Pruned {
        Pruned {
            more: self.is_full(),
            ..self.done
        }
    }

    fn takes(&mut self, rows: u64) {
        self.rows = self.rows.saturating_sub(signed(rows));
    }
}

fn signed(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// How a page of events was left.
#[derive(Default)]
struct Looked {
    /// How many of them are done, from the first.
    reached: usize,
    /// Of these, those of which nothing of the kind is left.
    nothing: Vec<i64>,
    /// Of these, those that are still needed, and until when.
    later: Later,
}

#[derive(Default)]
struct Later {
    due: Vec<i64>,
    event: Vec<i64>,
}

impl Later {
    fn add(&mut self, due: i64, event: i64) {
        self.due.push(due);
        self.event.push(event);
    }
}

impl Step {
    /// Events that are looked at for the first time.
    pub(super) async fn prune_next(&self, prune: &Prune) -> Result<Piece, Fault> {
        let mut piece = Piece::new(prune);
        let accepted_by = Cursor::accepted_by(prune.date, prune.age);
        let cursors = self.query_opt(LOCK_CURSORS, &[&accepted_by]).await?;
        let cursor = Cursor::read(cursors.as_ref(), piece.kind)?;
        let due = self
            .query(DUE, &[&cursor.begin, &cursor.end, &piece.rows])
            .await?;
        let events: Result<Vec<i64>, _> = due.iter().map(|row| row.try_get(0)).collect();
        let events = events?;
        let looked = self.look_at(&events, &mut piece, Look::First).await?;
        self.look_later(piece.kind, &looked.later).await?;
        let last = events.get(..looked.reached).and_then(<[i64]>::last);
        let mut reached = last.copied().unwrap_or(cursor.begin);
        if !piece.is_full() {
            // Numbers behind the last of them are of events that are gone.
            reached = reached.max(cursor.end - 1);
        }
        if reached != cursor.begin {
            let sql = match piece.kind {
                Retained::Bodies => "UPDATE upkeep SET bodies = $1",
                Retained::DedupKeys => "UPDATE upkeep SET dedup_keys = $1",
                Retained::History => "UPDATE upkeep SET history = $1",
            };
            self.execute(sql, &[&reached]).await?;
        }
        Ok(piece)
    }

    /// Events that were needed when they were looked at before; with what a piece has left to do.
    pub(super) async fn prune_later(&self, mut piece: Piece) -> Result<Piece, Fault> {
        let kind = piece.kind.as_str();
        // So that two do not look at a time.
        self.query_opt(LOCK_CURSORS, &[&piece.date]).await?;
        let rows = self
            .query(LATER, &[&kind, &piece.date, &piece.rows])
            .await?;
        let mut page: Vec<(i64, i64)> = Vec::with_capacity(rows.len());
        for row in &rows {
            page.push((row.try_get(1)?, row.try_get(0)?));
        }
        page.sort_unstable();
        let events: Vec<i64> = page.iter().map(|(event, _)| *event).collect();
        if events.is_empty() {
            return Ok(piece);
        }
        self.query(HOLD, &[&events]).await?;
        let looked = self.look_at(&events, &mut piece, Look::Again).await?;
        let mut again = Later::default();
        for (event, due) in page.iter().take(looked.reached) {
            again.add(*due, *event);
        }
        self.execute(LOOKED_AGAIN, &[&kind, &again.due, &again.event])
            .await?;
        self.look_later(piece.kind, &looked.later).await?;
        Ok(piece)
    }

    async fn look_later(&self, kind: Retained, later: &Later) -> Result<(), Fault> {
        if !later.event.is_empty() {
            self.execute(LOOK_LATER, &[&kind.as_str(), &later.due, &later.event])
                .await?;
        }
        Ok(())
    }

    /// Removes what may go of these events, which are in order and held.
    async fn look_at(
        &self,
        events: &[i64],
        piece: &mut Piece,
        look: Look,
    ) -> Result<Looked, Fault> {
        if events.is_empty() {
            return Ok(Looked::default());
        }
        let looked = match piece.kind {
            Retained::Bodies => self.prune_bodies(events, piece).await?,
            Retained::DedupKeys => self.prune_keys(events, piece).await?,
            Retained::History => self.prune_history(events, piece, look).await?,
        };
        if !looked.nothing.is_empty() {
            let gone = self.query_opt(DELETE_EVENTS, &[&looked.nothing]).await?;
            let gone: i64 = gone.map_or(Ok(0), |row| row.try_get(0))?;
            piece.done.events += u64::try_from(gone).unwrap_or_default();
        }
        Ok(looked)
    }

    async fn prune_bodies(&self, events: &[i64], piece: &mut Piece) -> Result<Looked, Fault> {
        let mut bodies: HashMap<i64, (i64, bool)> = HashMap::new();
        for row in self.query(BODIES, &[&events]).await? {
            if let Some(bytes) = row.try_get::<_, Option<i64>>(1)? {
                bodies.insert(row.try_get(0)?, (bytes, row.try_get(2)?));
            }
        }
        let old: Vec<i64> = bodies
            .iter()
            .filter(|(_, (_, is_open))| !is_open)
            .map(|(event, _)| *event)
            .collect();
        let mut looked = Looked::default();
        if !old.is_empty() {
            let observed = self.execute(DELETE_OBSERVED, &[&old, &piece.rows]).await?;
            piece.takes(observed);
        }
        let mut dropped: Vec<i64> = Vec::new();
        for event in events {
            if piece.is_full() {
                break;
            }
            piece.takes(1);
            looked.reached += 1;
            match bodies.get(event) {
                Some((_, true)) => {
                    let due = piece.date.saturating_add(OPEN_AGAIN);
                    looked.later.add(due, *event);
                }
                Some((bytes, false)) => {
                    piece.rows -= bytes / BYTES_A_ROW;
                    dropped.push(*event);
                    looked.nothing.push(*event);
                }
                None => looked.nothing.push(*event),
            }
        }
        if !dropped.is_empty() {
            piece.done.bodies += self.execute(DROP_BODIES, &[&dropped]).await?;
        }
        Ok(looked)
    }

    async fn prune_keys(&self, events: &[i64], piece: &mut Piece) -> Result<Looked, Fault> {
        let most = i32::try_from(piece.rows.saturating_mul(KEY)).unwrap_or(i32::MAX);
        let mut keys: HashMap<i64, (Vec<u8>, i64)> = HashMap::new();
        for row in self.query(KEYS, &[&events, &most]).await? {
            keys.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
        }
        let mut looked = Looked::default();
        let mut old: (Vec<&[u8]>, Vec<i64>) = Default::default();
        let (mut emptied, mut partly) = (Vec::new(), None);
        for event in events {
            if piece.is_full() {
                break;
            }
            piece.takes(1);
            let (bytes, length) = keys
                .get(event)
                .map_or((&[][..], 0), |(bytes, length)| (bytes.as_slice(), *length));
            let (each, _) = bytes.as_chunks::<16>();
            let some = usize::try_from(piece.rows.max(1)).unwrap_or(usize::MAX);
            let mut gone = 0_u64;
            for key in each.iter().take(some) {
                old.0.push(key);
                old.1.push(*event);
                gone += 1;
            }
            piece.takes(gone);
            let gone = signed(gone).saturating_mul(KEY);
            if length.saturating_sub(gone) >= KEY {
                partly = Some((*event, i32::try_from(gone).unwrap_or(i32::MAX)));
                break;
            }
            if length > 0 {
                emptied.push(*event);
            }
            looked.reached += 1;
            looked.nothing.push(*event);
        }
        if !old.0.is_empty() {
            piece.done.dedup_keys += self.execute(DELETE_KEYS, &[&old.0, &old.1]).await?;
        }
        if !emptied.is_empty() {
            self.execute(NO_KEYS, &[&emptied]).await?;
            self.execute(DELETE_REUSED, &[&emptied]).await?;
        }
        if let Some((event, gone)) = partly {
            self.execute(LESS_KEYS, &[&event, &gone]).await?;
            piece.rows = 0;
        }
        Ok(looked)
    }

    async fn prune_history(
        &self,
        events: &[i64],
        piece: &mut Piece,
        look: Look,
    ) -> Result<Looked, Fault> {
        let open = self.query(OPEN, &[&events]).await?;
        let open: Result<HashSet<i64>, _> = open.iter().map(|row| row.try_get(0)).collect();
        let open = open?;
        let ends = self.ends_of(events, piece.rows).await?;
        let mut looked = Looked::default();
        let mut costs = 0_i64;
        for event in events {
            let mut cost = 1;
            if open.contains(event) {
                let due = piece.date.saturating_add(OPEN_AGAIN);
                looked.later.add(due, *event);
            } else {
                let (latest, count) = ends.of(event, self).await?;
                // An end in the future was written by a clock that was wrong; it counts from the first look.
                let ended = latest.filter(|at| *at <= piece.date || matches!(look, Look::First));
                let due = ended.map(|at| at.min(piece.date).saturating_add(piece.age));
                if let Some(due) = due.filter(|due| *due > piece.date) {
                    looked.later.add(due, *event);
                } else {
                    // Each may have had an attempt.
                    cost += count.saturating_mul(2);
                    if looked.reached > 0 && costs.saturating_add(cost) > piece.rows {
                        costs = piece.rows;
                        break;
                    }
                    looked.nothing.push(*event);
                }
            }
            looked.reached += 1;
            costs = costs.saturating_add(cost);
            if costs >= piece.rows || ends.cut == Some(*event) {
                costs = piece.rows;
                break;
            }
        }
        let is_enough = costs >= piece.rows;
        piece.takes(u64::try_from(looked.reached).unwrap_or(u64::MAX));
        for (sql, figure) in [
            (DELETE_ATTEMPTS, &mut piece.done.attempts),
            (DELETE_HISTORY, &mut piece.done.history),
        ] {
            if looked.nothing.is_empty() {
                break;
            }
            let some = piece.rows.max(1);
            let gone = self.execute(sql, &[&looked.nothing, &some]).await?;
            *figure += gone;
            piece.rows = piece.rows.saturating_sub(signed(gone));
            if signed(gone) >= some {
                // There may be more: the page is looked at once more.
                piece.rows = 0;
                return Ok(Looked::default());
            }
        }
        if is_enough {
            piece.rows = 0;
        }
        Ok(looked)
    }

    /// The ends of events, up to about so many.
    async fn ends_of(&self, events: &[i64], most: i64) -> Result<Ends, Fault> {
        let most = most.max(1);
        let mut ends = Ends {
            known: HashMap::new(),
            cut: None,
        };
        let mut counted = 0_i64;
        for row in self.query(ENDS, &[&events, &most]).await? {
            let (event, count): (i64, i64) = (row.try_get(0)?, row.try_get(2)?);
            ends.known.insert(event, (row.try_get(1)?, count));
            counted += count;
        }
        if counted >= most {
            ends.cut = ends.known.keys().max().copied();
        }
        Ok(ends)
    }
}

/// When deliveries of events ended last, and how many did.
struct Ends {
    known: HashMap<i64, (Option<i64>, i64)>,
    /// The event of which perhaps not all is known, and of those behind it nothing.
    cut: Option<i64>,
}

impl Ends {
    async fn of(&self, event: &i64, step: &Step) -> Result<(Option<i64>, i64), Fault> {
        if self.cut == Some(*event) {
            let row = step.query_opt(LATEST_END, &[event]).await?;
            let row = row.ok_or_else(|| Fault::Call("an aggregate gave no row".to_owned()))?;
            return Ok((row.try_get(0)?, row.try_get(1)?));
        }
        Ok(self.known.get(event).copied().unwrap_or((None, 0)))
    }
}
