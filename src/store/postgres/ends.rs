//! Writes what became of a delivery: its end, its next attempt, or that a person must look.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{fault::Fault, insert::text, session::Step};
use crate::{
    customer::{CustomerId, PartKey},
    event::{Attempt, DeliveryState, End, OrganisationName},
    store::{Bury, Finish, Retry, decode, rows::millis, taken::Taken},
};

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
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            source: row.try_get(0)?,
            event: row.try_get(1)?,
            item: row.try_get(2)?,
            number: row.try_get(3)?,
            state: decode::state(row.try_get(4)?)?,
            revision: decode::small(row.try_get(5)?)?,
            accepted_at: decode::time(row.try_get(6)?)?,
        })
    }

    /// Whether it is what an attempt took, and not another one that was given its position after the database lost it.
    fn is(&self, accepted_at: Timestamp, revision: u32) -> bool {
        millis(self.accepted_at) == millis(accepted_at) && self.revision == revision
    }
}

// Its row is held to the end of the transaction: a person and an attempt cannot both end it.
const FIND: &str = "
    SELECT source, event, item, number, state, revision, accepted_at FROM delivery WHERE pos = $1 AND organisation = $2 FOR UPDATE";

const HOLD: &str = "SELECT 1 FROM delivery WHERE pos = ANY($1) ORDER BY pos FOR UPDATE";

const INSERT_HISTORY: &str = r#"
    INSERT INTO history (event, item, number, source, organisation, "end", at, attempts, customer, rule, reason, fields, warnings)
    SELECT event, item, number, source, organisation, $2::text, $3, greatest(attempts, $4), $5, rule, $6,
           CASE WHEN $2 <> 'erased' THEN fields END, CASE WHEN $2 <> 'erased' THEN warnings END
    FROM delivery WHERE pos = $1"#;

const UPDATE_RETRIED: &str = "
    UPDATE delivery SET state = $2, next_attempt = $3, spent = $4, attempts = greatest(attempts, $5), trouble = $6
    WHERE pos = $1";

const UPDATE_BURIED: &str = "
    UPDATE delivery SET state = 'dead', code = $2, trouble = $3, attempts = greatest(attempts, $4) WHERE pos = $1";

// A lane has one attempt at a time, so none was numbered since; but where it was mapped again into another lane, the record of
// its attempt there may take this one's place.
const NOTE_EARLIER: &str = "
    UPDATE delivery SET attempts = $2, earlier_attempts = $2
    WHERE pos = $1 AND attempts = $2::bigint - 1 AND earlier_attempts = attempts";

// An attempt told again replaces what was told of it.
const UPSERT_ATTEMPT: &str = "
    INSERT INTO attempt (event, item, number, attempt, at, took, status, outcome, message, customer)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (event, item, number, attempt) DO UPDATE SET
      at = excluded.at, took = excluded.took, status = excluded.status, outcome = excluded.outcome,
      message = excluded.message, customer = excluded.customer";

const FORGET_ATTEMPTS: &str = "DELETE FROM attempt WHERE event = $1 AND item = $2 AND number = $3";

impl Step {
    /// Whether there was such an open delivery; if not, nothing changes but what is in doubt.
    pub(super) async fn finish(
        &mut self,
        organisation: &OrganisationName,
        finish: &Finish,
    ) -> Result<bool, Fault> {
        if !finish.carried.is_empty() {
            self.hold(finish).await?;
        }
        let mut opened = self.find(organisation, finish.pos.0).await?;
        if self
            .is_erased(organisation, finish.customer.as_ref(), finish.pos)
            .await?
        {
            opened = None;
        }
        let Some(opened) = self.as_taken(opened, finish.into()).await? else {
            // A person ended or changed it meanwhile, and yet Quentli has these values now.
            if let Some(customer) = &finish.customer {
                let parts = finish.confirmed.iter().map(|applied| &applied.part);
                self.doubt(organisation, customer, parts).await?;
            }
            return Ok(false);
        };
        let attempts = attempt_number(finish.attempt.as_ref());
        let reason = finish.reason.as_deref();
        self.write_end(finish, finish.pos.0, finish.end, reason, attempts)
            .await?;
        match &finish.left_out {
            Some(left_out) => self.leave_out(&opened, finish, left_out).await?,
            None => self.delete(finish.pos.0).await?,
        }
        self.write_attempt(&opened, finish.attempt.as_ref()).await?;
        self.forget_attempts(&opened, finish.end).await?;
        let tally = self.of_source(&opened.source);
        tally.leaves(opened.state);
        tally.ends(finish.end);
        for carried in &finish.carried {
            let opened = self.find(organisation, carried.pos.0).await?;
            let Some(opened) =
                opened.filter(|opened| opened.is(carried.accepted_at, carried.revision))
            else {
                continue;
            };
            let reason = carried.reason.as_deref();
            self.end(finish, carried.pos.0, carried.end, reason, 0)
                .await?;
            self.forget_attempts(&opened, carried.end).await?;
            let tally = self.of_source(&opened.source);
            tally.leaves(opened.state);
            tally.ends(carried.end);
        }
        match &finish.customer {
            Some(customer) => {
                self.confirm(organisation, customer, &finish.confirmed)
                    .await?;
            }
            None if finish.confirmed.is_empty() => {}
            None => return Err(Fault::Call("confirmed parts of no customer".to_owned())),
        }
        Ok(true)
    }

    /// Locks all that ends, in the order in which people do.
    async fn hold(&self, finish: &Finish) -> Result<(), Fault> {
        let carried = finish.carried.iter().map(|carried| carried.pos.0);
        let all: Vec<i64> = carried.chain([finish.pos.0]).collect();
        self.query(HOLD, &[&all]).await?;
        Ok(())
    }

    /// Those of whoever is erased go with the delivery: whoever searches for the person later finds it ended.
    async fn forget_attempts(&self, opened: &Opened, end: End) -> Result<(), Fault> {
        if end == End::Erased {
            self.execute(
                FORGET_ATTEMPTS,
                &[&opened.event, &opened.item, &opened.number],
            )
            .await?;
        }
        Ok(())
    }

    /// Moves a delivery into its history.
    pub(super) async fn end(
        &self,
        finish: &Finish,
        pos: i64,
        end: End,
        reason: Option<&str>,
        attempts: u32,
    ) -> Result<(), Fault> {
        self.write_end(finish, pos, end, reason, attempts).await?;
        self.delete(pos).await
    }

    async fn delete(&self, pos: i64) -> Result<(), Fault> {
        self.execute("DELETE FROM delivery WHERE pos = $1", &[&pos])
            .await?;
        Ok(())
    }

    async fn write_end(
        &self,
        finish: &Finish,
        pos: i64,
        end: End,
        reason: Option<&str>,
        attempts: u32,
    ) -> Result<(), Fault> {
        self.execute(
            INSERT_HISTORY,
            &[
                &pos,
                &end.as_str(),
                &millis(finish.at),
                &i64::from(attempts),
                &finish.customer.as_ref().map(CustomerId::as_str),
                &reason.map(text),
            ],
        )
        .await?;
        Ok(())
    }

    pub(super) async fn retry(
        &mut self,
        organisation: &OrganisationName,
        retry: &Retry,
    ) -> Result<bool, Fault> {
        if retry.state == DeliveryState::Dead {
            return Err(Fault::Call("a retry of a dead delivery".to_owned()));
        }
        // Locks the delivery before the parts, as all others do.
        let opened = self.find_in_lane(organisation, retry.into()).await?;
        self.note_doubt(organisation, retry.doubt.as_ref()).await?;
        let Some(opened) = opened else {
            return Ok(false);
        };
        self.execute(
            UPDATE_RETRIED,
            &[
                &retry.pos.0,
                &retry.state.as_str(),
                &millis(retry.next_attempt),
                &decode::duration_millis(retry.spent),
                &i64::from(retry.attempt.number),
                &retry.attempt.message.as_deref().map(text),
            ],
        )
        .await?;
        self.write_attempt(&opened, Some(&retry.attempt)).await?;
        let tally = self.of_source(&opened.source);
        tally.leaves(opened.state);
        tally.enters(retry.state);
        Ok(true)
    }

    pub(super) async fn bury(
        &mut self,
        organisation: &OrganisationName,
        bury: &Bury,
    ) -> Result<bool, Fault> {
        // Locks the delivery before the parts, as all others do.
        let opened = self.find_in_lane(organisation, bury.into()).await?;
        self.note_doubt(organisation, bury.doubt.as_ref()).await?;
        let Some(opened) = opened else {
            return Ok(false);
        };
        self.execute(
            UPDATE_BURIED,
            &[
                &bury.pos.0,
                &bury.reason.code,
                &text(&bury.reason.message),
                &i64::from(attempt_number(bury.attempt.as_ref())),
            ],
        )
        .await?;
        self.write_attempt(&opened, bury.attempt.as_ref()).await?;
        let tally = self.of_source(&opened.source);
        tally.leaves(opened.state);
        tally.enters(DeliveryState::Dead);
        Ok(true)
    }

    /// Also where the delivery is not open any more: what it may have left at Quentli stays.
    async fn note_doubt(
        &self,
        organisation: &OrganisationName,
        doubt: Option<&(CustomerId, Vec<PartKey>)>,
    ) -> Result<(), Fault> {
        match doubt {
            Some((customer, parts)) => self.doubt(organisation, customer, parts).await,
            None => Ok(()),
        }
    }

    pub(super) async fn find(
        &self,
        organisation: &OrganisationName,
        pos: i64,
    ) -> Result<Option<Opened>, Fault> {
        let row = self
            .query_opt(FIND, &[&pos, &organisation.as_str()])
            .await?;
        row.as_ref().map(Opened::read).transpose()
    }

    async fn find_in_lane(
        &self,
        organisation: &OrganisationName,
        taken: Taken<'_>,
    ) -> Result<Option<Opened>, Fault> {
        let opened = self.find(organisation, taken.pos.0).await?;
        let opened = self.as_taken(opened, taken).await?;
        Ok(opened.filter(|opened| opened.state != DeliveryState::Dead))
    }

    /// An open delivery, if it is as an attempt took it. If a person changed it meanwhile, the attempt changes nothing of it any
    /// more, and yet was made: it is written down among the earlier ones.
    async fn as_taken(
        &self,
        opened: Option<Opened>,
        taken: Taken<'_>,
    ) -> Result<Option<Opened>, Fault> {
        let Some(opened) = opened else {
            return Ok(None);
        };
        if opened.is(taken.accepted_at, taken.revision) {
            return Ok(Some(opened));
        }
        if millis(opened.accepted_at) == millis(taken.accepted_at)
            && let Some(attempt) = taken.attempt
        {
            let number = i64::from(attempt.number);
            let noted = self.execute(NOTE_EARLIER, &[&taken.pos.0, &number]).await?;
            if noted > 0 {
                self.write_attempt(&opened, Some(attempt)).await?;
            }
        }
        Ok(None)
    }

    async fn write_attempt(&self, opened: &Opened, attempt: Option<&Attempt>) -> Result<(), Fault> {
        let Some(attempt) = attempt else {
            return Ok(());
        };
        self.execute(
            UPSERT_ATTEMPT,
            &[
                &opened.event,
                &opened.item,
                &opened.number,
                &i64::from(attempt.number),
                &millis(attempt.at),
                &decode::duration_millis(attempt.took),
                &attempt.status.map(i64::from),
                &attempt.outcome.as_str(),
                &attempt.message.as_deref().map(text),
                &attempt.customer.as_ref().map(CustomerId::as_str),
            ],
        )
        .await?;
        Ok(())
    }
}

fn attempt_number(attempt: Option<&Attempt>) -> u32 {
    attempt.map_or(0, |attempt| attempt.number)
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 3] = [FIND, HOLD, NOTE_EARLIER];
