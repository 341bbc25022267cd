//! Erases a person: pages of events are searched, and what was found in them is removed in a transaction.
//!
//! What is removed cannot be read with SQL any more, but PostgreSQL does not overwrite it: it stays in the files of the database
//! until vacuum has made room of it and something else is written there, and longer in archived logs, replicas and backups.

mod search;

use std::collections::HashMap;

use async_trait::async_trait;
use tokio_postgres::types::ToSql;

use super::{
    PostgresStore,
    fault::Fault,
    session::{Session, Step},
};
use crate::{
    customer::{CustomerId, CustomerReference},
    event::{End, SourceName},
    store::{
        StoreError, decode,
        erase::{EraseAfter, ErasePage, Erased, ErasedPage, Erasure, Person},
        rows::millis,
    },
};

/// What was found in a page.
struct Erasing {
    page: ErasePage,
    events: Vec<search::Found>,
    /// Refused requests that were kept whole.
    refused: Vec<i64>,
    next: Option<EraseAfter>,
}

// Against upkeep, in its order.
const HOLD: &str = "SELECT seq FROM event WHERE seq = ANY($1) ORDER BY seq FOR UPDATE";

// What Quentli left out has a number of its own, and the attempt is told of the delivery that it came from.
const OPEN_OF: &str = "
    SELECT pos, event, customer,
           EXISTS (SELECT 1 FROM attempt WHERE attempt.event = delivery.event AND attempt.item = delivery.item
                     AND (attempt.number = delivery.number OR delivery.code = 'conflict') AND attempt.customer = $2)
    FROM delivery WHERE event = ANY($1) AND organisation = $3";

// What has ended meanwhile is not among it.
const END_OPEN: &str = r#"
    WITH open AS (SELECT pos FROM delivery WHERE pos = ANY($1) ORDER BY pos FOR UPDATE),
    gone AS (
      DELETE FROM delivery USING open WHERE delivery.pos = open.pos
      RETURNING event, item, number, source, organisation, state),
    ended AS (
      INSERT INTO history (event, item, number, source, organisation, "end", at, attempts)
      SELECT event, item, number, source, organisation, $2::text, $3::bigint, 0 FROM gone)
    SELECT event, item, number, source, state FROM gone"#;

// Ended without a customer: of an event that tells of nobody else it is the person's, also where nobody was found. What a
// person gave up has no customer, and may have been tried.
const DELETE_ENDED: &str = r#"
    DELETE FROM history USING unnest($1::bigint[], $2::boolean[]) AS given (event, is_single)
    WHERE history.event = given.event AND organisation = $3
      AND (customer = $4
           OR (customer IS NULL AND "end" <> 'erased'
               AND (given.is_single
                    OR EXISTS (SELECT 1 FROM attempt WHERE attempt.event = history.event AND attempt.item = history.item
                                 AND attempt.number = history.number AND attempt.customer = $4))))
    RETURNING history.event, item, number"#;

const DELETE_ATTEMPTS: &str = "
    DELETE FROM attempt USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS given (event, item, number)
    WHERE attempt.event = given.event AND attempt.item = given.item AND attempt.number = given.number";

/// What ended while the events were being searched.
const ENDED_MEANWHILE: &str = "
    SELECT DISTINCT event FROM history WHERE organisation = $1 AND customer = $2 ORDER BY event LIMIT 1000";

const OBSERVED_OF: &str = "
    SELECT observed.source, event, item, number, customer
    FROM event JOIN observed ON observed.source = event.source AND observed.event = event.seq WHERE event.seq = ANY($1)";

const DELETE_OBSERVED: &str = "
    WITH old AS (
      SELECT observed.source, observed.event, observed.item, observed.number
      FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS given (source, event, item, number)
      JOIN observed USING (source, event, item, number)
      ORDER BY observed.event, observed.item, observed.number FOR UPDATE OF observed)
    DELETE FROM observed USING old
    WHERE observed.source = old.source AND observed.event = old.event AND observed.item = old.item AND observed.number = old.number";

const DROP_BODIES: &str =
    "UPDATE event SET body = NULL, headers = NULL WHERE seq = ANY($1) AND body IS NOT NULL";

/// What deliveries that could not be mapped quote of bodies that are gone now.
const UNQUOTE: &str = "
    WITH quoting AS (SELECT pos FROM delivery WHERE event = ANY($1) AND patch IS NULL ORDER BY pos FOR UPDATE)
    UPDATE delivery SET trouble = $2 FROM quoting WHERE delivery.pos = quoting.pos";
const UNQUOTED: &str = "the body of its event was removed when a customer was erased";

const DELETE_APPLIED: &str = "
    WITH old AS (SELECT part FROM applied WHERE organisation = $1 AND customer = $2 ORDER BY part FOR UPDATE)
    DELETE FROM applied USING old WHERE organisation = $1 AND customer = $2 AND applied.part = old.part";
const DELETE_VERSIONS: &str = "
    WITH old AS (
      SELECT part, source FROM applied_version WHERE organisation = $1 AND customer = $2 ORDER BY part, source FOR UPDATE)
    DELETE FROM applied_version USING old
    WHERE organisation = $1 AND customer = $2 AND applied_version.part = old.part AND applied_version.source = old.source";

impl Step {
    async fn erase_page(&mut self, work: &Erasing) -> Result<ErasedPage, Fault> {
        let mut done = ErasedPage {
            next: work.next,
            ..ErasedPage::default()
        };
        if !work.page.dry_run && work.page.after == EraseAfter::NOTHING {
            self.settled(&work.page.person.organisation).await?;
        }
        self.erase_events(work, &work.events, &mut done).await?;
        if !work.refused.is_empty() {
            done.erased.refused = self.forget_requests(&work.refused).await?;
        }
        if work.next.is_none()
            && let Some(id) = &work.page.person.id
        {
            self.erase_rest(work, id, &mut done).await?;
        }
        Ok(done)
    }

    /// What stands under the identifier and with no event that was searched.
    async fn erase_rest(
        &mut self,
        work: &Erasing,
        id: &CustomerId,
        done: &mut ErasedPage,
    ) -> Result<(), Fault> {
        let organisation = work.page.person.organisation.as_str();
        // A dry run left those of earlier pages where they are, and counted them.
        if !work.page.dry_run {
            let rows = self
                .query(ENDED_MEANWHILE, &[&organisation, &id.as_str()])
                .await?;
            let mut events = Vec::with_capacity(rows.len());
            for row in &rows {
                events.push(search::Found {
                    event: row.try_get(0)?,
                    is_single: false,
                });
            }
            self.erase_events(work, &events, done).await?;
        }
        for sql in [DELETE_APPLIED, DELETE_VERSIONS] {
            done.erased.applied += self.execute(sql, &[&organisation, &id.as_str()]).await?;
        }
        Ok(())
    }

    async fn erase_events(
        &mut self,
        work: &Erasing,
        found: &[search::Found],
        done: &mut ErasedPage,
    ) -> Result<(), Fault> {
        if found.is_empty() {
            return Ok(());
        }
        let person = &work.page.person;
        let events: Vec<i64> = found.iter().map(|found| found.event).collect();
        self.query(HOLD, &[&events]).await?;
        let mut here = Erased {
            events: u64::try_from(found.len()).unwrap_or(u64::MAX),
            ..Erased::default()
        };
        let mut places = Places::default();
        let open = self.open_of(found, &events, person).await?;
        here.deliveries = self.end_open(work, &open, &mut places, done).await?;
        here.history = self
            .delete_ended(found, &events, person, &mut places)
            .await?;
        if !places.event.is_empty() {
            let places: [&(dyn ToSql + Sync); 3] = [&places.event, &places.item, &places.number];
            here.attempts = self.execute(DELETE_ATTEMPTS, &places).await?;
        }
        here.observed = self.erase_observed(&events, person).await?;
        here.bodies = self.execute(DROP_BODIES, &[&events]).await?;
        self.execute(UNQUOTE, &[&events, &UNQUOTED]).await?;
        done.erased = done.erased.plus(&here);
        Ok(())
    }

    /// The positions of open deliveries for the person; and, where the body tells of the person and of nothing else, of what
    /// could not be mapped of it.
    async fn open_of(
        &self,
        found: &[search::Found],
        events: &[i64],
        person: &Person,
    ) -> Result<Vec<i64>, Fault> {
        let single: HashMap<i64, bool> = found
            .iter()
            .map(|found| (found.event, found.is_single))
            .collect();
        let id = person.id.as_ref().map(CustomerId::as_str);
        let rows = self
            .query(OPEN_OF, &[&events, &id, &person.organisation.as_str()])
            .await?;
        let mut open = Vec::new();
        for row in &rows {
            let event: i64 = row.try_get(1)?;
            let reference = row
                .try_get::<_, Option<&str>>(2)?
                .map(|text| decode::json::<CustomerReference>(text, "customer"))
                .transpose()?;
            let is_meant = row.try_get(3)?
                || reference.map_or_else(
                    || single.get(&event) == Some(&true),
                    |reference| person.is_meant_by(&reference),
                );
            if is_meant {
                open.push(row.try_get(0)?);
            }
        }
        Ok(open)
    }

    async fn end_open(
        &mut self,
        work: &Erasing,
        open: &[i64],
        places: &mut Places,
        done: &mut ErasedPage,
    ) -> Result<u64, Fault> {
        if open.is_empty() {
            return Ok(0);
        }
        let at = millis(work.page.at);
        let rows = self
            .query(END_OPEN, &[&open, &End::Erased.as_str(), &at])
            .await?;
        for row in &rows {
            places.add(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let name: &str = row.try_get(3)?;
            let tally = self.of_source(name);
            tally.leaves(decode::state(row.try_get(4)?)?);
            tally.ends(End::Erased);
            let source: SourceName = decode::text(name, "source")?;
            match done.ended.iter_mut().find(|(known, _)| *known == source) {
                Some((_, times)) => *times += 1,
                None => done.ended.push((source, 1)),
            }
        }
        Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }

    async fn delete_ended(
        &self,
        found: &[search::Found],
        events: &[i64],
        person: &Person,
        places: &mut Places,
    ) -> Result<u64, Fault> {
        let single: Vec<bool> = found.iter().map(|found| found.is_single).collect();
        let id = person.id.as_ref().map(CustomerId::as_str);
        let organisation = person.organisation.as_str();
        let rows = self
            .query(DELETE_ENDED, &[&events, &single, &organisation, &id])
            .await?;
        for row in &rows {
            places.add(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        }
        Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }

    async fn erase_observed(&self, events: &[i64], person: &Person) -> Result<u64, Fault> {
        let rows = self.query(OBSERVED_OF, &[&events]).await?;
        let mut sources: Vec<&str> = Vec::new();
        let mut places = Places::default();
        for row in &rows {
            let reference: CustomerReference = decode::json(row.try_get(4)?, "customer")?;
            if person.is_meant_by(&reference) {
                sources.push(row.try_get(0)?);
                places.add(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            }
        }
        if sources.is_empty() {
            return Ok(0);
        }
        let columns: [&(dyn ToSql + Sync); 4] =
            [&sources, &places.event, &places.item, &places.number];
        self.execute(DELETE_OBSERVED, &columns).await
    }
}

/// Which deliveries, column by column.
#[derive(Default)]
struct Places {
    event: Vec<i64>,
    item: Vec<i64>,
    number: Vec<i64>,
}

impl Places {
    fn add(&mut self, event: i64, item: i64, number: i64) {
        self.event.push(event);
        self.item.push(item);
        self.number.push(number);
    }
}

#[async_trait]
impl Erasure for PostgresStore {
    async fn erase(&self, page: ErasePage) -> Result<ErasedPage, StoreError> {
        let erase = async {
            let session = Session::new(self.pools.people.get().await?);
            let work = search::page(&session, page).await?;
            drop(session);
            let client = self.pools.people.get().await?;
            let mut step = Step::begin(client).await?;
            let done = step.erase_page(&work).await?;
            if work.page.dry_run {
                step.undo().await?;
            } else {
                step.commit().await?;
            }
            Ok(done)
        };
        self.answer_to(erase).await
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 15] = [
    OPEN_OF,
    END_OPEN,
    DELETE_ENDED,
    DELETE_ATTEMPTS,
    ENDED_MEANWHILE,
    OBSERVED_OF,
    DELETE_OBSERVED,
    UNQUOTE,
    DELETE_APPLIED,
    DELETE_VERSIONS,
    search::PAGE,
    search::KEPT,
    search::IN_HISTORY,
    search::REFERENCES,
    search::DELIVERIES,
];
