//! The rows of a group of requests, column by column, as one statement for each table takes them.

use std::borrow::Cow;

use tokio_postgres::types::ToSql;

use super::accept::Numbers;
use crate::{
    event::{DeliveryState, End, LaneKey, OBSERVED},
    store::{
        rows::{DeliveryRow, EventRows, FateRow, GroupRows, UpdateColumns},
        tally::Tallies,
    },
};

const HOUR: i64 = 3_600_000;

const EVENTS: &str = "
    INSERT INTO event (seq, received_at, source, organisation, mapping, dedup_keys, content_type, headers, body_hash, body)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::text[], $8::text[],
                         $9::bytea[], $10::bytea[])";

const DELIVERIES: &str = "
    INSERT INTO delivery (pos, organisation, lane, state, next_attempt, event, item, number, source, accepted_at, order_by,
                          rule, code, trouble, warnings, fields, customer, patch)
    SELECT pos, organisation, lane, state, at, event, item, number, source, at, order_by, rule, code, trouble, warnings, fields,
           customer, patch
    FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
                $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                $17::text[])
      AS given (pos, organisation, lane, state, at, event, item, number, source, order_by, rule, code, trouble, warnings,
                fields, customer, patch)";

const ENDED: &str = r#"
    INSERT INTO history (event, item, number, source, organisation, "end", at, attempts, customer, rule, reason, fields, warnings)
    SELECT event, item, number, source, organisation, 'dropped', at, 0, customer, rule, reason, fields, warnings
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[])
      AS given (event, item, number, source, organisation, at, customer, rule, reason, fields, warnings)"#;

const OBSERVED_UPDATES: &str = "
    INSERT INTO observed (source, event, item, number, order_by, customer, patch, pos, place)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[],
                         $9::bigint[])";

const HOURS: &str = "
    INSERT INTO event_hour (first, hour) SELECT * FROM unnest($1::bigint[], $2::bigint[])";

/// Runs of hours that ended before the first event that is still there.
const FORGET_HOURS: &str = "
    DELETE FROM event_hour WHERE first <
      (SELECT max(first) FROM event_hour WHERE first <= (SELECT min(seq) FROM event))";

pub(super) const REUSED: &str = "
    INSERT INTO reused_id (event, source, times, first_at, last_at)
    SELECT event, min(source), count(*), min(at), max(at) FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS given (event, source, at)
    GROUP BY event ORDER BY event
    ON CONFLICT (event) DO UPDATE SET times = reused_id.times + excluded.times,
                                      last_at = greatest(reused_id.last_at, excluded.last_at)";

/// Statements run with the columns that were collected for them.
#[derive(Default)]
pub(super) struct Inserts<'a> {
    numbers: Numbers,
    /// The greatest position that waits.
    pub(super) arrived: Option<i64>,
    events: Events<'a>,
    deliveries: Deliveries<'a>,
    ended: Ended<'a>,
    observed: Observed<'a>,
    hours: (Vec<i64>, Vec<i64>),
    reused: (Vec<i64>, Vec<&'a str>, Vec<i64>),
}

#[derive(Default)]
struct Events<'a> {
    seq: Vec<i64>,
    received_at: Vec<i64>,
    source: Vec<&'a str>,
    organisation: Vec<&'a str>,
    mapping: Vec<&'a [u8]>,
    dedup_keys: Vec<Vec<u8>>,
    content_type: Vec<Option<&'a str>>,
    headers: Vec<Option<&'a str>>,
    body_hash: Vec<&'a [u8]>,
    body: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Deliveries<'a> {
    pos: Vec<i64>,
    organisation: Vec<&'a str>,
    lane: Vec<Option<Vec<u8>>>,
    state: Vec<&'static str>,
    at: Vec<i64>,
    event: Vec<i64>,
    item: Vec<i64>,
    number: Vec<i64>,
    source: Vec<&'a str>,
    order_by: Vec<Option<i64>>,
    rule: Vec<Option<Cow<'a, str>>>,
    code: Vec<Option<&'static str>>,
    trouble: Vec<Option<Cow<'a, str>>>,
    warnings: Vec<Option<&'a str>>,
    fields: Vec<Option<&'a str>>,
    customer: Vec<Option<&'a str>>,
    patch: Vec<Option<&'a str>>,
}

#[derive(Default)]
struct Ended<'a> {
    event: Vec<i64>,
    item: Vec<i64>,
    number: Vec<i64>,
    source: Vec<&'a str>,
    organisation: Vec<&'a str>,
    at: Vec<i64>,
    customer: Vec<Option<&'a str>>,
    rule: Vec<Option<Cow<'a, str>>>,
    reason: Vec<Cow<'a, str>>,
    fields: Vec<Option<&'a str>>,
    warnings: Vec<Option<&'a str>>,
}

#[derive(Default)]
struct Observed<'a> {
    source: Vec<&'a str>,
    event: Vec<i64>,
    item: Vec<i64>,
    number: Vec<i64>,
    order_by: Vec<Option<i64>>,
    customer: Vec<&'a str>,
    patch: Vec<&'a str>,
    pos: Vec<i64>,
    place: Vec<Option<i64>>,
}

/// A statement and its columns.
pub(super) struct Insert<'s> {
    pub(super) sql: &'static str,
    pub(super) columns: Vec<&'s (dyn ToSql + Sync)>,
}

impl<'a> Inserts<'a> {
    pub(super) fn new(numbers: Numbers) -> Self {
        Self {
            numbers,
            ..Self::default()
        }
    }

    pub(super) fn event(&mut self, seq: i64, event: &'a EventRows, new: &[&GroupRows]) {
        let hour = event.received_at.div_euclid(HOUR);
        if self.numbers.hour != Some(hour) {
            self.numbers.hour = Some(hour);
            self.hours.0.push(seq);
            self.hours.1.push(hour);
        }
        let keys = new.iter().flat_map(|group| group.key.as_bytes());
        let rows = &mut self.events;
        rows.seq.push(seq);
        rows.received_at.push(event.received_at);
        rows.source.push(event.source.as_str());
        rows.organisation.push(event.organisation.as_str());
        rows.mapping.push(event.mapping.as_bytes().as_slice());
        rows.dedup_keys.push(keys.copied().collect());
        rows.content_type.push(event.content_type.as_deref());
        rows.headers.push(event.headers.as_deref());
        rows.body_hash.push(event.body_hash.as_slice());
        rows.body.push(&event.body);
    }

    pub(super) fn delivery(
        &mut self,
        seq: i64,
        event: &'a EventRows,
        delivery: &'a DeliveryRow,
        tallies: &mut Tallies,
    ) {
        let tally = tallies.of_source(event.source.as_str());
        tally.created += 1;
        match &delivery.fate {
            FateRow::Waiting { update, order_by } => {
                tally.enters(DeliveryState::Waiting);
                let pos = self.open(seq, event, delivery, DeliveryState::Waiting, Some(update));
                self.deliveries.order_by.push(*order_by);
                self.deliveries.code.push(None);
                self.deliveries.trouble.push(None);
                self.arrived = Some(pos);
            }
            FateRow::Dead {
                code,
                trouble,
                update,
            } => {
                tally.enters(DeliveryState::Dead);
                self.open(seq, event, delivery, DeliveryState::Dead, update.as_ref());
                self.deliveries.order_by.push(None);
                self.deliveries.code.push(Some(code));
                self.deliveries.trouble.push(Some(text(trouble)));
            }
            FateRow::Dropped { reason } => {
                tally.ends(End::Dropped);
                self.ended(seq, event, delivery, text(reason), None);
            }
            FateRow::Observed { update, order_by } => {
                tally.ends(End::Dropped);
                self.observe(seq, event, delivery, (update, *order_by), None);
            }
        }
    }

    /// A delivery that ends at once because its source observes. It keeps a position of its own, for when it is sent
    /// after all; `place` as [`Delivery::counts_as_of`](crate::event::Delivery::counts_as_of).
    pub(super) fn observe(
        &mut self,
        seq: i64,
        event: &'a EventRows,
        delivery: &'a DeliveryRow,
        (update, order_by): (&'a UpdateColumns, Option<i64>),
        place: Option<i64>,
    ) {
        let reason = Cow::Borrowed(OBSERVED);
        self.ended(seq, event, delivery, reason, Some(update));
        let pos = self.position();
        let rows = &mut self.observed;
        rows.source.push(event.source.as_str());
        rows.event.push(seq);
        rows.item.push(delivery.item.into());
        rows.number.push(delivery.number.into());
        rows.order_by.push(order_by);
        rows.customer.push(&update.customer);
        rows.patch.push(&update.patch);
        rows.pos.push(pos);
        rows.place.push(place);
    }

    /// The position that the next one gets.
    pub(super) const fn next_position(&self) -> i64 {
        self.numbers.delivery
    }

    fn position(&mut self) -> i64 {
        let pos = self.numbers.delivery;
        self.numbers.delivery += 1;
        pos
    }

    /// All columns of an open delivery but `order_by`, `code` and `trouble`.
    fn open(
        &mut self,
        seq: i64,
        event: &'a EventRows,
        delivery: &'a DeliveryRow,
        state: DeliveryState,
        update: Option<&'a UpdateColumns>,
    ) -> i64 {
        let pos = self.position();
        let lane = update.and_then(|update| update.lane);
        let rows = &mut self.deliveries;
        rows.pos.push(pos);
        rows.organisation.push(event.organisation.as_str());
        rows.lane
            .push(lane.as_ref().map(|lane: &LaneKey| lane.as_bytes().to_vec()));
        rows.state.push(state.as_str());
        rows.at.push(event.received_at);
        rows.event.push(seq);
        rows.item.push(delivery.item.into());
        rows.number.push(delivery.number.into());
        rows.source.push(event.source.as_str());
        rows.rule.push(delivery.rule.as_deref().map(text));
        rows.warnings.push(delivery.warnings.as_deref());
        rows.fields
            .push(update.map(|update| update.fields.as_str()));
        rows.customer
            .push(update.map(|update| update.customer.as_str()));
        rows.patch.push(update.map(|update| update.patch.as_str()));
        pos
    }

    fn ended(
        &mut self,
        seq: i64,
        event: &'a EventRows,
        delivery: &'a DeliveryRow,
        reason: Cow<'a, str>,
        update: Option<&'a UpdateColumns>,
    ) {
        let rows = &mut self.ended;
        rows.event.push(seq);
        rows.item.push(delivery.item.into());
        rows.number.push(delivery.number.into());
        rows.source.push(event.source.as_str());
        rows.organisation.push(event.organisation.as_str());
        rows.at.push(event.received_at);
        rows.customer
            .push(update.and_then(|update| update.id.as_deref()));
        rows.rule.push(delivery.rule.as_deref().map(text));
        rows.reason.push(reason);
        rows.fields
            .push(update.map(|update| update.fields.as_str()));
        rows.warnings.push(delivery.warnings.as_deref());
    }

    /// Notes that an event's id came again with another body.
    pub(super) fn reused(&mut self, event: i64, source: &'a str, at: i64) {
        self.reused.0.push(event);
        self.reused.1.push(source);
        self.reused.2.push(at);
    }

    /// Whether an event of this group has one key and another body than this.
    pub(super) fn is_another_body(&self, seq: i64, body_hash: &[u8; 32]) -> bool {
        let rows = &self.events;
        let at = rows.seq.iter().position(|known| *known == seq);
        at.is_some_and(|at| {
            let is_one = rows.dedup_keys.get(at).is_some_and(|keys| keys.len() == 16);
            is_one
                && rows
                    .body_hash
                    .get(at)
                    .is_some_and(|hash| *hash != body_hash)
        })
    }

    /// What there is to write, in an order that can be run.
    pub(super) fn statements<'s>(&'s self) -> Vec<Insert<'s>> {
        let mut statements = Vec::new();
        let mut add = |sql, columns: Vec<&'s (dyn ToSql + Sync)>| {
            statements.push(Insert { sql, columns });
        };
        if !self.events.seq.is_empty() {
            add(EVENTS, self.events.columns().to_vec());
        }
        if !self.deliveries.pos.is_empty() {
            add(DELIVERIES, self.deliveries.columns().to_vec());
        }
        if !self.ended.event.is_empty() {
            add(ENDED, self.ended.columns().to_vec());
        }
        if !self.observed.pos.is_empty() {
            add(OBSERVED_UPDATES, self.observed.columns().to_vec());
        }
        if !self.hours.0.is_empty() {
            add(HOURS, vec![&self.hours.0, &self.hours.1]);
            add(FORGET_HOURS, Vec::new());
        }
        if !self.reused.0.is_empty() {
            add(REUSED, vec![&self.reused.0, &self.reused.1, &self.reused.2]);
        }
        statements
    }
}

impl Events<'_> {
    fn columns(&self) -> [&(dyn ToSql + Sync); 10] {
        [
            &self.seq,
            &self.received_at,
            &self.source,
            &self.organisation,
            &self.mapping,
            &self.dedup_keys,
            &self.content_type,
            &self.headers,
            &self.body_hash,
            &self.body,
        ]
    }
}

impl Deliveries<'_> {
    fn columns(&self) -> [&(dyn ToSql + Sync); 17] {
        [
            &self.pos,
            &self.organisation,
            &self.lane,
            &self.state,
            &self.at,
            &self.event,
            &self.item,
            &self.number,
            &self.source,
            &self.order_by,
            &self.rule,
            &self.code,
            &self.trouble,
            &self.warnings,
            &self.fields,
            &self.customer,
            &self.patch,
        ]
    }
}

impl Ended<'_> {
    fn columns(&self) -> [&(dyn ToSql + Sync); 11] {
        [
            &self.event,
            &self.item,
            &self.number,
            &self.source,
            &self.organisation,
            &self.at,
            &self.customer,
            &self.rule,
            &self.reason,
            &self.fields,
            &self.warnings,
        ]
    }
}

impl Observed<'_> {
    fn columns(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.source,
            &self.event,
            &self.item,
            &self.number,
            &self.order_by,
            &self.customer,
            &self.patch,
            &self.pos,
            &self.place,
        ]
    }
}

/// PostgreSQL's texts hold every character but U+0000.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_hold_any_character() {
        assert_eq!(text("Ana"), "Ana");
        assert_eq!(text("A\0na"), "A\u{fffd}na");
    }
}
