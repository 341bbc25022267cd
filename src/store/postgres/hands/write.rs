//! Writes what a person changes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::read;
use crate::{
    customer::CustomerId,
    event::{DeliveryPos, DeliveryState, End, NewerData, Redelivery},
    store::{
        LaneHead, MOST_OF_LANE, OpenDelivery, Pause, PauseScope,
        hands::sent_again,
        postgres::{fault::Fault, insert::text, session::Step},
        rows::millis,
    },
};

const LOCK: &str = "SELECT 1 FROM delivery WHERE pos = ANY($1) ORDER BY pos FOR UPDATE";

// What has no lane, customer or patch cannot be sent, however often; it is not among these.
const REVIVE: &str = "
    UPDATE delivery SET state = 'waiting', next_attempt = $2, spent = 0, earlier_attempts = attempts, code = NULL,
                        trouble = NULL, redelivered_at = $2, overwrites = $3, revision = revision + 1
    WHERE pos = ANY($1)";

/// Whether nothing new waits at the end of lanes and among the first of them.
const NOTHING_NEW: &str = "
    SELECT coalesce((SELECT redelivered_at IS NOT NULL FROM delivery
                     WHERE delivery.organisation = given.organisation AND delivery.lane = given.lane AND state <> 'dead'
                     ORDER BY pos DESC LIMIT 1), false)
           AND NOT EXISTS (SELECT 1 FROM (SELECT redelivered_at FROM delivery
                                          WHERE delivery.organisation = given.organisation AND delivery.lane = given.lane
                                            AND state <> 'dead'
                                          ORDER BY pos LIMIT $3) AS first
                           WHERE redelivered_at IS NULL)
    FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS given (organisation, lane, place) ORDER BY place";

const INSERT_HISTORY: &str = r#"
    INSERT INTO history (event, item, number, source, organisation, "end", at, attempts, customer, rule, reason, fields, warnings)
    SELECT event, item, number, source, organisation, $3::text, $4::bigint, attempts, given.customer, rule, $5::text, fields,
           warnings
    FROM unnest($1::bigint[], $2::text[]) AS given (pos, customer) JOIN delivery ON delivery.pos = given.pos"#;

const DELETE: &str = "DELETE FROM delivery WHERE pos = ANY($1)";

// In the order of the parts, as they are confirmed.
const DOUBT: &str = "
    WITH known AS (
      SELECT organisation, customer, part FROM applied
      WHERE (organisation, customer, part) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[])) AND NOT in_doubt
      ORDER BY organisation, customer, part FOR UPDATE
    )
    UPDATE applied SET in_doubt = true FROM known
    WHERE applied.organisation = known.organisation AND applied.customer = known.customer AND applied.part = known.part";

const PAUSE: &str = "
    INSERT INTO pause (kind, name, at, by, reason) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (kind, name) DO UPDATE SET at = excluded.at, ended_at = NULL, by = excluded.by, reason = excluded.reason
    WHERE pause.ended_at IS NOT NULL";

const RESUME: &str =
    "UPDATE pause SET ended_at = $3 WHERE kind = $1 AND name = $2 AND ended_at IS NULL";

impl Step {
    /// Gives those that were put back in the order in which they were asked for.
    pub(super) async fn redeliver(
        &mut self,
        positions: &[DeliveryPos],
        how: Redelivery,
    ) -> Result<Vec<LaneHead>, Fault> {
        let asked: Vec<i64> = positions.iter().map(|pos| pos.0).collect();
        self.query(LOCK, &[&asked]).await?;
        let mut open = read::opened(self.session(), &asked).await?;
        open.retain(|open| open.delivery.is_some());
        self.doubt_of_open(&open).await?;
        let found: Vec<i64> = open.iter().map(|open| open.pos.0).collect();
        let overwrites = how.newer == NewerData::Overwritten;
        self.execute(REVIVE, &[&found, &millis(how.at), &overwrites])
            .await?;
        let mut revived = BTreeMap::new();
        for open in open {
            let tally = self.of_source(open.source.as_str());
            tally.leaves(open.state);
            tally.enters(DeliveryState::Waiting);
            let Some(delivery) = open.delivery else {
                continue;
            };
            let head = sent_again(open.organisation, delivery.lane, open.pos, how);
            revived.insert(open.pos, head);
        }
        let heads = positions.iter().filter_map(|pos| revived.remove(pos));
        self.look_for_new(heads.collect()).await
    }

    /// Says of each head whether something new waits in its lane, once all of them are there.
    pub(super) async fn look_for_new(
        &self,
        mut heads: Vec<LaneHead>,
    ) -> Result<Vec<LaneHead>, Fault> {
        if heads.is_empty() {
            return Ok(heads);
        }
        let organisations: Vec<&str> = heads
            .iter()
            .map(|head| head.organisation.as_str())
            .collect();
        let lanes: Vec<&[u8]> = heads
            .iter()
            .map(|head| head.lane.as_bytes().as_slice())
            .collect();
        let rows = self
            .query(
                NOTHING_NEW,
                &[&organisations, &lanes, &i64::from(MOST_OF_LANE)],
            )
            .await?;
        for (head, row) in heads.iter_mut().zip(&rows) {
            head.redelivered = row.try_get(0)?;
        }
        Ok(heads)
    }

    /// Gives those that ended in the order in which they were asked for.
    pub(super) async fn discard(
        &mut self,
        positions: &[DeliveryPos],
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<Vec<DeliveryPos>, Fault> {
        let asked: Vec<i64> = positions.iter().map(|pos| pos.0).collect();
        self.query(LOCK, &[&asked]).await?;
        let open = read::opened(self.session(), &asked).await?;
        let found: Vec<i64> = open.iter().map(|open| open.pos.0).collect();
        let customers: Vec<Option<&str>> = open
            .iter()
            .map(|open| open.customer.as_ref().map(CustomerId::as_str))
            .collect();
        let end = End::Discarded.as_str();
        self.execute(
            INSERT_HISTORY,
            &[&found, &customers, &end, &millis(at), &reason.map(text)],
        )
        .await?;
        self.delete_open(&found).await?;
        self.doubt_of_open(&open).await?;
        let mut ended = BTreeSet::new();
        for open in open {
            let tally = self.of_source(open.source.as_str());
            tally.leaves(open.state);
            tally.ends(End::Discarded);
            ended.insert(open.pos);
        }
        let discarded = positions.iter().copied();
        Ok(discarded.filter(|pos| ended.remove(pos)).collect())
    }

    pub(super) async fn delete_open(&self, positions: &[i64]) -> Result<(), Fault> {
        if !positions.is_empty() {
            self.execute(DELETE, &[&positions]).await?;
        }
        Ok(())
    }

    /// What is in a lane was perhaps sent, by a process that was killed before it could say so. Where nobody knows whose it
    /// is, the doubt was written before the request left.
    pub(super) async fn doubt_of_open(&self, open: &[OpenDelivery]) -> Result<(), Fault> {
        let mut doubted: (Vec<&str>, Vec<&str>, Vec<String>) = Default::default();
        for open in open {
            let (Some(delivery), Some(customer)) = (&open.delivery, &open.customer) else {
                continue;
            };
            if open.state == DeliveryState::Dead {
                continue;
            }
            for (part, _value) in delivery.patch.parts() {
                doubted.0.push(open.organisation.as_str());
                doubted.1.push(customer.as_str());
                doubted.2.push(text(&part.to_string()).into_owned());
            }
        }
        if !doubted.0.is_empty() {
            self.execute(DOUBT, &[&doubted.0, &doubted.1, &doubted.2])
                .await?;
        }
        Ok(())
    }

    pub(super) async fn pause(&self, pause: &Pause) -> Result<bool, Fault> {
        let (kind, name) = pause.scope.columns();
        let by = pause.by.as_deref().map(text);
        let reason = pause.reason.as_deref().map(text);
        let written = self
            .execute(PAUSE, &[&kind, &name, &millis(pause.at), &by, &reason])
            .await?;
        Ok(written > 0)
    }

    pub(super) async fn resume(&self, scope: &PauseScope, at: Timestamp) -> Result<bool, Fault> {
        let (kind, name) = scope.columns();
        let ended = self.execute(RESUME, &[&kind, &name, &millis(at)]).await?;
        Ok(ended > 0)
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 6] = [LOCK, REVIVE, NOTHING_NEW, INSERT_HISTORY, DELETE, DOUBT];
