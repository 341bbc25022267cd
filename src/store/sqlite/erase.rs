//! Erases a person: pages of events are searched by a reader, and what was found in them is removed by the writer.

mod search;

use async_trait::async_trait;
use rusqlite::{Row, params};

use super::{
    SqliteStore, decode,
    fault::Fault,
    group::Group,
    rows::millis,
    writer::{Call, Job},
};
use crate::{
    customer::{CustomerId, CustomerReference},
    event::{DeliveryState, End},
    store::{
        StoreError,
        erase::{EraseAfter, ErasePage, Erased, ErasedPage, Erasure, Person},
    },
};

/// What the reader found in a page.
pub(super) struct Erasing {
    page: ErasePage,
    events: Vec<search::Found>,
    refused: Vec<search::Kept>,
    next: Option<EraseAfter>,
}

// What Quentli left out has a number of its own, and the attempt is told of the delivery that it came from.
const OPEN_OF: &str = "
    SELECT pos, item, number, source, state, customer,
           EXISTS (SELECT 1 FROM attempt WHERE attempt.event = delivery.event AND attempt.item = delivery.item
                     AND (attempt.number = delivery.number OR delivery.code = 'conflict') AND attempt.customer = ?2)
    FROM delivery WHERE event = ?1 AND organisation = ?3";
const ENDED: &str = "
    INSERT INTO history (event, item, number, source, organisation, \"end\", at, attempts)
    SELECT event, item, number, source, organisation, ?2, ?3, 0 FROM delivery WHERE pos = ?1";
const DELETE_OPEN: &str = "DELETE FROM delivery WHERE pos = ?1";
const DELETE_ATTEMPTS: &str = "DELETE FROM attempt WHERE event = ?1 AND item = ?2 AND number = ?3";
// What a person gave up has no customer, and may have been tried.
const ENDED_OF: &str = "
    SELECT item, number FROM history
    WHERE event = ?1 AND organisation = ?2
      AND (customer = ?3
           OR (customer IS NULL
               AND EXISTS (SELECT 1 FROM attempt WHERE attempt.event = history.event AND attempt.item = history.item
                             AND attempt.number = history.number AND attempt.customer = ?3)))";
/// Ended without a customer: of an event that tells of nobody else it is the person's, also where nobody was found.
const ENDED_OF_NOBODY: &str = "
    SELECT item, number FROM history WHERE event = ?1 AND organisation = ?2 AND customer IS NULL AND \"end\" <> 'erased'";
/// What ended while the events were being searched.
const ENDED_MEANWHILE: &str = "
    SELECT DISTINCT event FROM history WHERE organisation = ?1 AND customer = ?2 ORDER BY event LIMIT 1000";
const DELETE_ENDED: &str = "DELETE FROM history WHERE event = ?1 AND item = ?2 AND number = ?3";
const OBSERVED_OF: &str = "
    SELECT source, item, number, customer FROM observed
    WHERE source = (SELECT source FROM event WHERE seq = ?1) AND event = ?1";
const DELETE_OBSERVED: &str =
    "DELETE FROM observed WHERE source = ?1 AND event = ?2 AND item = ?3 AND number = ?4";
const DELETE_APPLIED: &str = "DELETE FROM applied WHERE organisation = ?1 AND customer = ?2";
const DELETE_VERSIONS: &str =
    "DELETE FROM applied_version WHERE organisation = ?1 AND customer = ?2";
const DROP_BODY: &str =
    "UPDATE event SET body = NULL, headers = NULL WHERE seq = ?1 AND body IS NOT NULL";
/// What a delivery that could not be mapped quotes of a body that is gone now.
const UNQUOTE: &str = "UPDATE delivery SET trouble = ?2 WHERE event = ?1 AND patch IS NULL";
const UNQUOTED: &str = "the body of its event was removed when a customer was erased";

impl Group<'_> {
    pub(super) fn erase(&mut self, work: &Erasing) -> Result<ErasedPage, Fault> {
        if !work.is_dry_run() {
            return self.erase_page(work);
        }
        let before = self.sum.clone();
        self.connection
            .prepare_cached("SAVEPOINT dry")?
            .execute([])?;
        let done = self.erase_page(work);
        for sql in ["ROLLBACK TO dry", "RELEASE dry"] {
            self.connection.prepare_cached(sql)?.execute([])?;
        }
        self.sum = before;
        done
    }

    fn erase_page(&mut self, work: &Erasing) -> Result<ErasedPage, Fault> {
        let mut done = ErasedPage {
            next: work.next,
            ..ErasedPage::default()
        };
        for found in &work.events {
            self.erase_event(work, found, &mut done)?;
        }
        for kept in &work.refused {
            done.erased.refused += u64::from(self.forget_request(kept.id)?);
        }
        if work.next.is_none()
            && let Some(id) = &work.page.person.id
        {
            self.erase_rest(work, id, &mut done)?;
        }
        Ok(done)
    }

    /// What stands under the identifier and with no event that was searched.
    fn erase_rest(
        &mut self,
        work: &Erasing,
        id: &CustomerId,
        done: &mut ErasedPage,
    ) -> Result<(), Fault> {
        let organisation = work.page.person.organisation.as_str();
        if !work.is_dry_run() {
            // Counting leaves it all there, and it was counted.
            let events: Vec<i64> = self
                .connection
                .prepare_cached(ENDED_MEANWHILE)?
                .query_map(params![organisation, id.as_str()], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for event in events {
                let found = search::Found {
                    event,
                    is_single: false,
                    bytes: 0,
                };
                self.erase_event(work, &found, done)?;
            }
        }
        for sql in [DELETE_APPLIED, DELETE_VERSIONS] {
            let gone = self
                .connection
                .prepare_cached(sql)?
                .execute(params![organisation, id.as_str()])?;
            done.erased.applied += count(gone);
        }
        Ok(())
    }

    fn erase_event(
        &mut self,
        work: &Erasing,
        found: &search::Found,
        done: &mut ErasedPage,
    ) -> Result<(), Fault> {
        let person = &work.page.person;
        let mut here = Erased {
            events: 1,
            ..Erased::default()
        };
        for open in self.open_of(found, person)? {
            self.connection.prepare_cached(ENDED)?.execute(params![
                open.pos,
                End::Erased.as_str(),
                millis(work.page.at)
            ])?;
            self.connection
                .prepare_cached(DELETE_OPEN)?
                .execute([open.pos])?;
            here.attempts += self.delete_attempts(found.event, open.item, open.number)?;
            here.deliveries += 1;
            let tally = self.sum.of_source(&open.source);
            tally.leaves(open.state);
            tally.ends(End::Erased);
            let source = decode::text(&open.source, "source")?;
            match done.ended.iter_mut().find(|(known, _)| *known == source) {
                Some((_, times)) => *times += 1,
                None => done.ended.push((source, 1)),
            }
        }
        for (item, number) in self.ended_of(found, person)? {
            self.connection
                .prepare_cached(DELETE_ENDED)?
                .execute(params![found.event, item, number])?;
            here.attempts += self.delete_attempts(found.event, item, number)?;
            here.history += 1;
        }
        here.observed += self.erase_observed(found.event, person)?;
        let dropped = self
            .connection
            .prepare_cached(DROP_BODY)?
            .execute([found.event])?;
        here.bodies += count(dropped);
        self.connection
            .prepare_cached(UNQUOTE)?
            .execute(params![found.event, UNQUOTED])?;
        done.erased = done.erased.plus(&here);
        Ok(())
    }

    /// The open deliveries for the person; and, where the body tells of the person and of nothing else, what could not be
    /// mapped of it.
    fn open_of(&self, found: &search::Found, person: &Person) -> Result<Vec<Open>, Fault> {
        let id = person.id.as_ref().map(CustomerId::as_str);
        let mut statement = self.connection.prepare_cached(OPEN_OF)?;
        let mut rows = statement.query(params![found.event, id, person.organisation.as_str()])?;
        let mut open = Vec::new();
        while let Some(row) = rows.next()? {
            let reference = row
                .get::<_, Option<String>>(5)?
                .map(|text| decode::json::<CustomerReference>(&text, "customer"))
                .transpose()?;
            let is_meant = row.get::<_, bool>(6)?
                || reference.map_or(found.is_single, |reference| person.is_meant_by(&reference));
            if is_meant {
                open.push(Open {
                    pos: row.get(0)?,
                    item: row.get(1)?,
                    number: row.get(2)?,
                    source: row.get(3)?,
                    state: decode::state(row.get_ref(4)?.as_str()?)?,
                });
            }
        }
        Ok(open)
    }

    fn ended_of(&self, found: &search::Found, person: &Person) -> Result<Vec<(i64, i64)>, Fault> {
        let organisation = person.organisation.as_str();
        let place = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let mut places: Vec<(i64, i64)> = Vec::new();
        if let Some(id) = &person.id {
            let mut statement = self.connection.prepare_cached(ENDED_OF)?;
            let of_id = params![found.event, organisation, id.as_str()];
            for found in statement.query_map(of_id, place)? {
                places.push(found?);
            }
        }
        if found.is_single {
            let mut statement = self.connection.prepare_cached(ENDED_OF_NOBODY)?;
            for found in statement.query_map(params![found.event, organisation], place)? {
                places.push(found?);
            }
        }
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }

    pub(super) fn delete_attempts(&self, event: i64, item: i64, number: i64) -> Result<u64, Fault> {
        let gone = self
            .connection
            .prepare_cached(DELETE_ATTEMPTS)?
            .execute(params![event, item, number])?;
        Ok(count(gone))
    }

    fn erase_observed(&self, event: i64, person: &Person) -> Result<u64, Fault> {
        let mut statement = self.connection.prepare_cached(OBSERVED_OF)?;
        let mut rows = statement.query([event])?;
        let mut gone = 0;
        while let Some(row) = rows.next()? {
            let (source, item, number): (String, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let reference: CustomerReference = decode::json(row.get_ref(3)?.as_str()?, "customer")?;
            if person.is_meant_by(&reference) {
                gone += count(
                    self.connection
                        .prepare_cached(DELETE_OBSERVED)?
                        .execute(params![source, event, item, number])?,
                );
            }
        }
        Ok(gone)
    }
}

struct Open {
    pos: i64,
    item: i64,
    number: i64,
    source: String,
    state: DeliveryState,
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

impl Erasing {
    /// About how many bytes it takes in the log, where what is removed is overwritten.
    pub(super) fn size(&self) -> u64 {
        let events = self.events.iter().map(|found| found.bytes);
        let refused = self.refused.iter().map(|kept| kept.bytes);
        events
            .chain(refused)
            .map(|bytes| bytes.saturating_add(8192))
            .fold(0, u64::saturating_add)
    }

    /// Whether it only counts.
    pub(super) const fn is_dry_run(&self) -> bool {
        self.page.dry_run
    }
}

#[async_trait]
impl Erasure for SqliteStore {
    async fn erase(&self, page: ErasePage) -> Result<ErasedPage, StoreError> {
        let work = self
            .read(move |connection| search::page(connection, page))
            .await?;
        let (call, reply) = Call::new(work);
        if self.writes.send(Job::Erase(call)).await.is_err() {
            return Err(self.gone());
        }
        self.answer(reply).await
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 17] = [
    OPEN_OF,
    ENDED,
    DELETE_OPEN,
    DELETE_ATTEMPTS,
    ENDED_OF,
    ENDED_OF_NOBODY,
    ENDED_MEANWHILE,
    DELETE_ENDED,
    OBSERVED_OF,
    DELETE_OBSERVED,
    UNQUOTE,
    DELETE_APPLIED,
    search::PAGE,
    search::KEPT,
    search::IN_HISTORY,
    search::REFERENCES,
    search::DELIVERIES,
];
