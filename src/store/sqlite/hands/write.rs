//! Writes what a person changes.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{HandsChange, HandsOutcome, read};
use crate::{
    event::{DeliveryPos, DeliveryState, End, LaneKey, NewerData, OrganisationName, Redelivery},
    store::{
        Finish, LaneHead, OpenDelivery, Pause, PauseScope,
        sqlite::{decode, fault::Fault, group::Group, rows::millis},
    },
};

// What has no lane, customer or patch cannot be sent, however often.
const REVIVE: &str = "
    UPDATE delivery SET state = 'waiting', next_attempt = ?2, spent = 0, earlier_attempts = attempts, code = NULL,
                        trouble = NULL, redelivered_at = ?2, overwrites = ?3, revision = revision + 1
    WHERE pos = ?1 AND state = 'dead' AND lane IS NOT NULL AND customer IS NOT NULL AND patch IS NOT NULL
    RETURNING source, organisation, lane";

const PAUSE: &str = "
    INSERT INTO pause (kind, name, at, by, reason) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (kind, name) DO UPDATE SET at = excluded.at, ended_at = NULL, by = excluded.by, reason = excluded.reason
    WHERE ended_at IS NOT NULL";

const RESUME: &str =
    "UPDATE pause SET ended_at = ?3 WHERE kind = ?1 AND name = ?2 AND ended_at IS NULL";

impl Group<'_> {
    pub(in crate::store::sqlite) fn by_hand(
        &mut self,
        change: &HandsChange,
    ) -> Result<HandsOutcome, Fault> {
        match change {
            HandsChange::Redeliver { positions, how } => {
                let mut heads = Vec::new();
                for pos in positions {
                    heads.extend(self.revive(*pos, *how)?);
                }
                Ok(HandsOutcome::Revived(heads))
            }
            HandsChange::SendObserved {
                source,
                positions,
                how,
            } => {
                let mut heads = Vec::new();
                for pos in positions {
                    heads.extend(self.send_observed(source, *pos, *how)?);
                }
                Ok(HandsOutcome::Revived(heads))
            }
            HandsChange::Discard {
                positions,
                reason,
                at,
            } => {
                let mut discarded = Vec::new();
                for pos in positions {
                    if self.discard(*pos, reason.as_deref(), *at)? {
                        discarded.push(*pos);
                    }
                }
                Ok(HandsOutcome::Discarded(discarded))
            }
            HandsChange::Remap(remap) => self.remap(remap).map(HandsOutcome::Remapped),
            HandsChange::Pause(pause) => self.pause(pause).map(HandsOutcome::Done),
            HandsChange::Resume(scope, at) => {
                let (kind, name) = columns(scope);
                let ended = self.connection.prepare_cached(RESUME)?.execute(params![
                    kind,
                    name,
                    millis(*at)
                ])?;
                Ok(HandsOutcome::Done(ended > 0))
            }
        }
    }

    fn revive(&mut self, pos: DeliveryPos, how: Redelivery) -> Result<Option<LaneHead>, Fault> {
        let read = |row: &Row<'_>| -> rusqlite::Result<(String, String, [u8; 16])> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        };
        let revived = self
            .connection
            .prepare_cached(REVIVE)?
            .query_row(
                params![pos.0, millis(how.at), how.newer == NewerData::Overwritten],
                read,
            )
            .optional()?;
        let Some((source, organisation, lane)) = revived else {
            return Ok(None);
        };
        let tally = self.sum.of_source(&source);
        tally.leaves(DeliveryState::Dead);
        tally.enters(DeliveryState::Waiting);
        Ok(Some(LaneHead {
            organisation: decode::text(&organisation, "organisation")?,
            lane: LaneKey::from_bytes(lane),
            pos,
            state: DeliveryState::Waiting,
            next_attempt: how.at,
            redelivered: true,
        }))
    }

    fn discard(
        &mut self,
        pos: DeliveryPos,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let Some(open) = read::one(self.connection, pos)? else {
            return Ok(false);
        };
        let organisation: &OrganisationName = &open.organisation;
        let Some(opened) = self.find(organisation, pos.0)? else {
            return Ok(false);
        };
        let finish = Finish {
            pos,
            revision: opened.revision,
            end: End::Discarded,
            reason: reason.map(str::to_owned),
            customer: open.customer.clone(),
            at,
            attempt: None,
            confirmed: Vec::new(),
            carried: Vec::new(),
            left_out: None,
        };
        if !self.finish(organisation, &finish)? {
            return Ok(false);
        }
        self.doubt_of_open(&open)?;
        Ok(true)
    }

    /// What is in a lane was perhaps sent, by a process that was killed before it could say so. Where nobody knows whose it
    /// is, the doubt was written before the request left.
    pub(super) fn doubt_of_open(&self, open: &OpenDelivery) -> Result<(), Fault> {
        if open.state == DeliveryState::Dead {
            return Ok(());
        }
        let Some(delivery) = &open.delivery else {
            return Ok(());
        };
        let parts = delivery.patch.parts();
        let parts = parts.iter().map(|(part, _)| part);
        open.customer.as_ref().map_or(Ok(()), |customer| {
            self.doubt(&open.organisation, customer, parts)
        })
    }

    fn pause(&self, pause: &Pause) -> Result<bool, Fault> {
        let (kind, name) = columns(&pause.scope);
        let written = self.connection.prepare_cached(PAUSE)?.execute(params![
            kind,
            name,
            millis(pause.at),
            pause.by,
            pause.reason
        ])?;
        Ok(written > 0)
    }
}

fn columns(scope: &PauseScope) -> (&'static str, &str) {
    match scope {
        PauseScope::Organisation(name) => ("organisation", name.as_str()),
        PauseScope::Source(name) => ("source", name.as_str()),
    }
}
