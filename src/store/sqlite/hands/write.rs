//! Writes what a person changes.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::params;

use super::{HandsChange, HandsOutcome, read};
use crate::{
    event::{DeliveryPos, DeliveryState, End, NewerData, OrganisationName, Redelivery},
    store::{
        Finish, LaneHead, OpenDelivery, Pause,
        hands::sent_again,
        sqlite::{fault::Fault, group::Group, queue::is_redelivered, rows::millis},
    },
};

const REVIVE: &str = "
    UPDATE delivery SET state = 'waiting', next_attempt = ?2, spent = 0, earlier_attempts = attempts, code = NULL,
                        trouble = NULL, redelivered_at = ?2, overwrites = ?3, revision = revision + 1
    WHERE pos = ?1";

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
                self.look_for_new(&mut heads)?;
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
                self.look_for_new(&mut heads)?;
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
                let (kind, name) = scope.columns();
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
        let Some(open) = read::one(self.connection, pos)? else {
            return Ok(None);
        };
        // What has no lane, customer or patch cannot be sent, however often.
        let Some(delivery) = &open.delivery else {
            return Ok(None);
        };
        self.doubt_of_open(&open)?;
        self.connection.prepare_cached(REVIVE)?.execute(params![
            pos.0,
            millis(how.at),
            how.newer == NewerData::Overwritten
        ])?;
        let tally = self.sum.of_source(open.source.as_str());
        tally.leaves(open.state);
        tally.enters(DeliveryState::Waiting);
        Ok(Some(sent_again(open.organisation, delivery.lane, pos, how)))
    }

    /// Says of each head whether something new waits in its lane, once all of them are there.
    pub(super) fn look_for_new(&self, heads: &mut [LaneHead]) -> Result<(), Fault> {
        let mut lanes = HashMap::new();
        for head in heads {
            let lane = (head.organisation.clone(), head.lane);
            head.redelivered = if let Some(known) = lanes.get(&lane) {
                *known
            } else {
                let found = is_redelivered(self.connection, &head.organisation, head.lane)?;
                lanes.insert(lane, found);
                found
            };
        }
        Ok(())
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
            accepted_at: opened.accepted_at,
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
        let (kind, name) = pause.scope.columns();
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
