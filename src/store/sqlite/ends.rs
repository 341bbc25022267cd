//! Writes what became of a delivery: its end, its next attempt, or that a person must look.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::{decode, fault::Fault, group::Group, rows::millis};
use crate::{
    customer::{CustomerId, PartKey},
    event::{Attempt, DeliveryState, End, OrganisationName},
    store::{Bury, Finish, Retry, taken::Taken},
};

/// What became of a delivery of an organisation.
pub(super) struct Change {
    pub(super) organisation: OrganisationName,
    pub(super) what: What,
}

pub(super) enum What {
    Finish(Finish),
    Retry(Retry),
    Bury(Bury),
    Doubt(CustomerId, Vec<PartKey>),
}

/// An open delivery, as far as it must be known to change it.
pub(super) struct Opened {
    pub(super) source: String,
    pub(super) event: i64,
    pub(super) item: i64,
    pub(super) number: i64,
    pub(super) state: DeliveryState,
    pub(super) revision: u32,
    pub(super) accepted_at: Timestamp,
}

impl Opened {
    fn read(row: &Row<'_>) -> Result<Self, Fault> {
        Ok(Self {
            source: row.get(0)?,
            event: row.get(1)?,
            item: row.get(2)?,
            number: row.get(3)?,
            state: decode::state(&row.get::<_, String>(4)?)?,
            revision: row.get(5)?,
            accepted_at: decode::time(row.get(6)?)?,
        })
    }

    /// Whether it is what an attempt took, and not another one that was given its position after the database lost it.
    fn is(&self, accepted_at: Timestamp, revision: u32) -> bool {
        millis(self.accepted_at) == millis(accepted_at) && self.revision == revision
    }
}

const FIND: &str = "SELECT source, event, item, number, state, revision, accepted_at FROM delivery WHERE pos = ?1 AND organisation = ?2";

const INSERT_HISTORY: &str = "
    INSERT INTO history (event, item, number, source, organisation, \"end\", at, attempts, customer, rule, reason, fields, warnings)
    SELECT event, item, number, source, organisation, ?2, ?3, max(attempts, ?4), ?5, rule, ?6,
           iif(?2 = 'erased', NULL, fields), iif(?2 = 'erased', NULL, warnings)
    FROM delivery WHERE pos = ?1";

const UPDATE_RETRIED: &str = "
    UPDATE delivery SET state = ?2, next_attempt = ?3, spent = ?4, attempts = max(attempts, ?5), trouble = ?6
    WHERE pos = ?1";

const UPDATE_BURIED: &str = "
    UPDATE delivery SET state = 'dead', code = ?2, trouble = ?3, attempts = max(attempts, ?4) WHERE pos = ?1";

// A lane has one attempt at a time, so none was numbered since; but where it was mapped again into another lane, the record of
// its attempt there may take this one's place.
const NOTE_EARLIER: &str = "
    UPDATE delivery SET attempts = ?2, earlier_attempts = ?2
    WHERE pos = ?1 AND attempts = ?2 - 1 AND earlier_attempts = attempts";

// An attempt told again replaces what was told of it.
const UPSERT_ATTEMPT: &str = "
    INSERT OR REPLACE INTO attempt (event, item, number, attempt, at, took, status, outcome, message, customer)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

impl Group<'_> {
    /// Whether there was such an open delivery; if not, nothing changes.
    pub(super) fn change(&mut self, change: &Change) -> Result<bool, Fault> {
        match &change.what {
            What::Finish(finish) => self.finish(&change.organisation, finish),
            What::Retry(retry) => self.retry(&change.organisation, retry),
            What::Bury(bury) => self.bury(&change.organisation, bury),
            What::Doubt(customer, parts) => {
                self.doubt(&change.organisation, customer, parts)?;
                Ok(true)
            }
        }
    }

    pub(super) fn finish(
        &mut self,
        organisation: &OrganisationName,
        finish: &Finish,
    ) -> Result<bool, Fault> {
        let opened = self.find(organisation, finish.pos.0)?;
        let Some(opened) = self.as_taken(opened, finish.into())? else {
            // A person ended or changed it meanwhile, and yet Quentli has these values now.
            if let Some(customer) = &finish.customer {
                let parts = finish.confirmed.iter().map(|applied| &applied.part);
                self.doubt(organisation, customer, parts)?;
            }
            return Ok(false);
        };
        let attempts = attempt_number(finish.attempt.as_ref());
        let reason = finish.reason.as_deref();
        self.write_end(finish, finish.pos.0, finish.end, reason, attempts)?;
        match &finish.left_out {
            Some(left_out) => self.leave_out(&opened, finish, left_out)?,
            None => self.delete(finish.pos.0)?,
        }
        self.write_attempt(&opened, finish.attempt.as_ref())?;
        self.forget_attempts(&opened, finish.end)?;
        match &finish.customer {
            Some(customer) => self.confirm(organisation, customer, &finish.confirmed)?,
            None if finish.confirmed.is_empty() => {}
            None => return Err(Fault::Call("confirmed parts of no customer".to_owned())),
        }
        let tally = self.sum.of_source(&opened.source);
        tally.leaves(opened.state);
        tally.ends(finish.end);
        for carried in &finish.carried {
            let opened = self.find(organisation, carried.pos.0)?;
            let Some(opened) =
                opened.filter(|opened| opened.is(carried.accepted_at, carried.revision))
            else {
                continue;
            };
            let reason = carried.reason.as_deref();
            self.end(finish, carried.pos.0, carried.end, reason, 0)?;
            self.forget_attempts(&opened, carried.end)?;
            let tally = self.sum.of_source(&opened.source);
            tally.leaves(opened.state);
            tally.ends(carried.end);
        }
        Ok(true)
    }

    /// Those of whoever is erased go with the delivery: whoever searches for the person later finds it ended.
    fn forget_attempts(&self, opened: &Opened, end: End) -> Result<(), Fault> {
        if end == End::Erased {
            self.delete_attempts(opened.event, opened.item, opened.number)?;
        }
        Ok(())
    }

    /// Moves a delivery into its history.
    pub(super) fn end(
        &self,
        finish: &Finish,
        pos: i64,
        end: End,
        reason: Option<&str>,
        attempts: u32,
    ) -> Result<(), Fault> {
        self.write_end(finish, pos, end, reason, attempts)?;
        self.delete(pos)
    }

    fn delete(&self, pos: i64) -> Result<(), Fault> {
        self.connection
            .prepare_cached("DELETE FROM delivery WHERE pos = ?1")?
            .execute([pos])?;
        Ok(())
    }

    fn write_end(
        &self,
        finish: &Finish,
        pos: i64,
        end: End,
        reason: Option<&str>,
        attempts: u32,
    ) -> Result<(), Fault> {
        self.connection
            .prepare_cached(INSERT_HISTORY)?
            .execute(params![
                pos,
                end.as_str(),
                millis(finish.at),
                attempts,
                finish.customer.as_ref().map(CustomerId::as_str),
                reason,
            ])?;
        Ok(())
    }

    fn retry(&mut self, organisation: &OrganisationName, retry: &Retry) -> Result<bool, Fault> {
        if retry.state == DeliveryState::Dead {
            return Err(Fault::Call("a retry of a dead delivery".to_owned()));
        }
        self.note_doubt(organisation, retry.doubt.as_ref())?;
        let Some(opened) = self.find_in_lane(organisation, retry.into())? else {
            return Ok(false);
        };
        self.connection
            .prepare_cached(UPDATE_RETRIED)?
            .execute(params![
                retry.pos.0,
                retry.state.as_str(),
                millis(retry.next_attempt),
                decode::duration_millis(retry.spent),
                retry.attempt.number,
                retry.attempt.message,
            ])?;
        self.write_attempt(&opened, Some(&retry.attempt))?;
        let tally = self.sum.of_source(&opened.source);
        tally.leaves(opened.state);
        tally.enters(retry.state);
        Ok(true)
    }

    fn bury(&mut self, organisation: &OrganisationName, bury: &Bury) -> Result<bool, Fault> {
        self.note_doubt(organisation, bury.doubt.as_ref())?;
        let Some(opened) = self.find_in_lane(organisation, bury.into())? else {
            return Ok(false);
        };
        self.connection
            .prepare_cached(UPDATE_BURIED)?
            .execute(params![
                bury.pos.0,
                bury.reason.code,
                bury.reason.message,
                attempt_number(bury.attempt.as_ref()),
            ])?;
        self.write_attempt(&opened, bury.attempt.as_ref())?;
        let tally = self.sum.of_source(&opened.source);
        tally.leaves(opened.state);
        tally.enters(DeliveryState::Dead);
        Ok(true)
    }

    /// Also where the delivery is not open any more: what it may have left at Quentli stays.
    fn note_doubt(
        &self,
        organisation: &OrganisationName,
        doubt: Option<&(CustomerId, Vec<PartKey>)>,
    ) -> Result<(), Fault> {
        match doubt {
            Some((customer, parts)) => self.doubt(organisation, customer, parts),
            None => Ok(()),
        }
    }

    pub(super) fn find(
        &self,
        organisation: &OrganisationName,
        pos: i64,
    ) -> Result<Option<Opened>, Fault> {
        self.connection
            .prepare_cached(FIND)?
            .query_row(params![pos, organisation.as_str()], |row| {
                Ok(Opened::read(row))
            })
            .optional()?
            .transpose()
    }

    fn find_in_lane(
        &self,
        organisation: &OrganisationName,
        taken: Taken<'_>,
    ) -> Result<Option<Opened>, Fault> {
        let opened = self.find(organisation, taken.pos.0)?;
        let opened = self.as_taken(opened, taken)?;
        Ok(opened.filter(|opened| opened.state != DeliveryState::Dead))
    }

    /// An open delivery, if it is as an attempt took it. If a person changed it meanwhile, the attempt changes nothing of it any
    /// more, and yet was made: it is written down among the earlier ones.
    fn as_taken(&self, opened: Option<Opened>, taken: Taken<'_>) -> Result<Option<Opened>, Fault> {
        let Some(opened) = opened else {
            return Ok(None);
        };
        if opened.is(taken.accepted_at, taken.revision) {
            return Ok(Some(opened));
        }
        if millis(opened.accepted_at) == millis(taken.accepted_at)
            && let Some(attempt) = taken.attempt
        {
            let noted = self
                .connection
                .prepare_cached(NOTE_EARLIER)?
                .execute(params![taken.pos.0, attempt.number])?;
            if noted > 0 {
                self.write_attempt(&opened, Some(attempt))?;
            }
        }
        Ok(None)
    }

    fn write_attempt(&self, opened: &Opened, attempt: Option<&Attempt>) -> Result<(), Fault> {
        let Some(attempt) = attempt else {
            return Ok(());
        };
        self.connection
            .prepare_cached(UPSERT_ATTEMPT)?
            .execute(params![
                opened.event,
                opened.item,
                opened.number,
                attempt.number,
                millis(attempt.at),
                decode::duration_millis(attempt.took),
                attempt.status,
                attempt.outcome.as_str(),
                attempt.message,
                attempt.customer.as_ref().map(CustomerId::as_str),
            ])?;
        Ok(())
    }
}

fn attempt_number(attempt: Option<&Attempt>) -> u32 {
    attempt.map_or(0, |attempt| attempt.number)
}
