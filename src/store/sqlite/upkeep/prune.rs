//! Removes what is old, a bounded piece at a time: from the oldest event on, each kind behind a cursor of its own, and
//! then what was old before but still needed.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};

use super::{accepted_by, looked_at};
use crate::store::{
    sqlite::{fault::Fault, group::Group, rows::millis},
    upkeep::{Prune, Pruned, Retained},
};

/// When to look again at an event with open deliveries, in milliseconds: a day.
const OPEN_AGAIN: i64 = 24 * 3_600_000;
/// A body of so many bytes counts as one row more.
const BYTES_A_ROW: i64 = 8192;

pub(super) const DUE: &str =
    "SELECT seq FROM event WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?3";
pub(super) const LATER: &str = "
    SELECT due, event FROM upkeep_later WHERE kind = ?1 AND due <= ?2 ORDER BY due, event LIMIT ?3";
pub(super) const BODY: &str = "
    SELECT length(body), EXISTS (SELECT 1 FROM delivery WHERE delivery.event = seq) FROM event WHERE seq = ?1";
const DROP_BODY: &str = "UPDATE event SET body = NULL, headers = NULL WHERE seq = ?1";
/// What the source of the event only observed, which says the same as the body.
pub(super) const DELETE_OBSERVED: &str = "
    DELETE FROM observed WHERE source = (SELECT source FROM event WHERE seq = ?1) AND event = ?1 AND (item, number) IN
      (SELECT item, number FROM observed
       WHERE source = (SELECT source FROM event WHERE seq = ?1) AND event = ?1 LIMIT ?2)";
const KEYS: &str = "SELECT dedup_keys FROM event WHERE seq = ?1";
const KEEP_KEYS: &str = "UPDATE event SET dedup_keys = ?2 WHERE seq = ?1";
const DELETE_KEY: &str = "DELETE FROM dedup WHERE key = ?1 AND event = ?2";
pub(super) const LATEST_END: &str = "
    SELECT max(at), EXISTS (SELECT 1 FROM delivery WHERE delivery.event = ?1) FROM history WHERE event = ?1";
pub(super) const DELETE_HISTORY: &str = "
    DELETE FROM history WHERE event = ?1 AND (item, number) IN
      (SELECT item, number FROM history WHERE event = ?1 LIMIT ?2)";
pub(super) const DELETE_ATTEMPTS: &str = "
    DELETE FROM attempt WHERE event = ?1 AND (item, number, attempt) IN
      (SELECT item, number, attempt FROM attempt WHERE event = ?1 LIMIT ?2)";
/// An event of which nothing is left that anybody needs.
pub(super) const DELETE_EVENT: &str = "
    DELETE FROM event WHERE seq = ?1 AND body IS NULL AND dedup_keys = x''
      AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.event = seq)
      AND NOT EXISTS (SELECT 1 FROM history WHERE history.event = seq)";

/// How an event was left.
enum Left {
    /// Nothing of the kind.
    Nothing,
    /// What is still needed, until then.
    Until(i64),
    /// Some, since enough was done.
    Some,
}

/// Whether an event was looked at before.
#[derive(Clone, Copy)]
enum Look {
    First,
    Again,
}

/// One call.
struct Piece<'p> {
    prune: &'p Prune,
    date: i64,
    age: i64,
    /// What may still be done.
    rows: i64,
    done: Pruned,
}

impl Piece<'_> {
    fn takes(&mut self, rows: usize) {
        self.rows -= i64::try_from(rows).unwrap_or(i64::MAX);
    }

    const fn is_full(&self) -> bool {
        self.rows <= 0
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

fn as_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Group<'_> {
    pub(super) fn prune(&self, prune: &Prune) -> Result<Pruned, Fault> {
        let mut piece = Piece {
            prune,
            date: millis(prune.date),
            age: as_millis(prune.age),
            rows: i64::from(prune.rows),
            done: Pruned::default(),
        };
        self.prune_next(&mut piece)?;
        if !piece.is_full() {
            self.prune_later(&mut piece)?;
        }
        piece.done.more = piece.is_full();
        Ok(piece.done)
    }

    /// Events that are looked at for the first time.
    fn prune_next(&self, piece: &mut Piece<'_>) -> Result<(), Fault> {
        let kind = piece.prune.kind;
        let end = accepted_by(self.connection, piece.prune.date, piece.prune.age)?;
        let begin = looked_at(self.connection, kind)?;
        let mut cursor = begin;
        let events: Vec<i64> = self
            .connection
            .prepare_cached(DUE)?
            .query_map(params![begin, end, piece.rows], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for event in events {
            if piece.is_full() {
                break;
            }
            match self.prune_event(event, piece, Look::First)? {
                Left::Nothing => {}
                Left::Until(due) => self.look_later(kind, due, event)?,
                Left::Some => break,
            }
            cursor = event;
        }
        if !piece.is_full() {
            // Numbers behind the last of them are of events that are gone.
            cursor = cursor.max(end - 1);
        }
        if cursor != begin {
            let sql = match kind {
                Retained::Bodies => "UPDATE upkeep SET bodies = ?1",
                Retained::DedupKeys => "UPDATE upkeep SET dedup_keys = ?1",
                Retained::History => "UPDATE upkeep SET history = ?1",
            };
            self.connection.prepare_cached(sql)?.execute([cursor])?;
        }
        Ok(())
    }

    /// Events that were needed when they were looked at before.
    fn prune_later(&self, piece: &mut Piece<'_>) -> Result<(), Fault> {
        let kind = piece.prune.kind;
        let events: Vec<(i64, i64)> = self
            .connection
            .prepare_cached(LATER)?
            .query_map(params![kind.as_str(), piece.date, piece.rows], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<_, _>>()?;
        for (due, event) in events {
            if piece.is_full() {
                break;
            }
            let again = match self.prune_event(event, piece, Look::Again)? {
                Left::Nothing => None,
                Left::Until(due) => Some(due),
                Left::Some => break,
            };
            self.connection
                .prepare_cached(
                    "DELETE FROM upkeep_later WHERE kind = ?1 AND due = ?2 AND event = ?3",
                )?
                .execute(params![kind.as_str(), due, event])?;
            if let Some(due) = again {
                self.look_later(kind, due, event)?;
            }
        }
        Ok(())
    }

    fn look_later(&self, kind: Retained, due: i64, event: i64) -> Result<(), Fault> {
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO upkeep_later (kind, due, event) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![kind.as_str(), due, event])?;
        Ok(())
    }

    fn prune_event(&self, event: i64, piece: &mut Piece<'_>, look: Look) -> Result<Left, Fault> {
        piece.takes(1);
        let left = match piece.prune.kind {
            Retained::Bodies => self.prune_body(event, piece)?,
            Retained::DedupKeys => self.prune_keys(event, piece)?,
            Retained::History => self.prune_history(event, piece, look)?,
        };
        if matches!(left, Left::Nothing) {
            let deleted = self
                .connection
                .prepare_cached(DELETE_EVENT)?
                .execute([event])?;
            piece.done.events += count(deleted);
        }
        Ok(left)
    }

    fn prune_body(&self, event: i64, piece: &mut Piece<'_>) -> Result<Left, Fault> {
        let found: Option<(Option<i64>, bool)> = self
            .connection
            .prepare_cached(BODY)?
            .query_row([event], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((Some(bytes), is_open)) = found else {
            return Ok(Left::Nothing);
        };
        if is_open {
            return Ok(Left::Until(piece.date.saturating_add(OPEN_AGAIN)));
        }
        let observed = self
            .connection
            .prepare_cached(DELETE_OBSERVED)?
            .execute(params![event, piece.rows.max(1)])?;
        piece.takes(observed);
        if observed > 0 && piece.is_full() {
            return Ok(Left::Some);
        }
        self.connection
            .prepare_cached(DROP_BODY)?
            .execute([event])?;
        piece.rows -= bytes / BYTES_A_ROW;
        piece.done.bodies += 1;
        Ok(Left::Nothing)
    }

    fn prune_keys(&self, event: i64, piece: &mut Piece<'_>) -> Result<Left, Fault> {
        let keys: Option<Vec<u8>> = self
            .connection
            .prepare_cached(KEYS)?
            .query_row([event], |row| row.get(0))
            .optional()?;
        let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
            return Ok(Left::Nothing);
        };
        let (each, _) = keys.as_chunks::<16>();
        let some = usize::try_from(piece.rows.max(1)).unwrap_or(usize::MAX);
        let mut delete = self.connection.prepare_cached(DELETE_KEY)?;
        let mut gone = 0_usize;
        for key in each.iter().take(some) {
            piece.done.dedup_keys += count(delete.execute(params![key, event])?);
            gone += 1;
        }
        piece.takes(gone);
        let rest = each.get(gone..).unwrap_or_default().as_flattened();
        self.connection
            .prepare_cached(KEEP_KEYS)?
            .execute(params![event, rest])?;
        Ok(if rest.is_empty() {
            self.connection
                .prepare_cached("DELETE FROM reused_id WHERE event = ?1")?
                .execute([event])?;
            Left::Nothing
        } else {
            Left::Some
        })
    }

    fn prune_history(&self, event: i64, piece: &mut Piece<'_>, look: Look) -> Result<Left, Fault> {
        let (latest, is_open): (Option<i64>, bool) = self
            .connection
            .prepare_cached(LATEST_END)?
            .query_row([event], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if is_open {
            return Ok(Left::Until(piece.date.saturating_add(OPEN_AGAIN)));
        }
        // An end in the future was written by a clock that was wrong; it counts from the first look.
        let ended = latest.filter(|at| *at <= piece.date || matches!(look, Look::First));
        let due = ended.map(|at| at.min(piece.date).saturating_add(piece.age));
        if let Some(due) = due.filter(|due| *due > piece.date) {
            return Ok(Left::Until(due));
        }
        for (sql, figure) in [
            (DELETE_ATTEMPTS, &mut piece.done.attempts),
            (DELETE_HISTORY, &mut piece.done.history),
        ] {
            let some = piece.rows.max(1);
            let gone = self
                .connection
                .prepare_cached(sql)?
                .execute(params![event, some])?;
            *figure += count(gone);
            let gone = i64::try_from(gone).unwrap_or(i64::MAX);
            piece.rows -= gone;
            if gone >= some {
                return Ok(Left::Some);
            }
        }
        Ok(Left::Nothing)
    }
}
