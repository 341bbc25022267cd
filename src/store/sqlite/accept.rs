//! Writes an accepted event: the keys that are new, the event, and the deliveries of the new keys.

use rusqlite::params;

use super::{
    fault::Fault,
    group::Group,
    known::Duplicate,
    rows::{DeliveryRow, EventRows, FateRow, GroupRows, UpdateColumns},
};
use crate::{
    event::{DedupKey, DeliveryState, End, EventSeq, LaneKey},
    store::Acceptance,
};

const INSERT_EVENT: &str = "
    INSERT INTO event (seq, received_at, source, organisation, mapping, dedup_keys, content_type, headers, body_hash, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

const INSERT_DELIVERY: &str = "
    INSERT INTO delivery (pos, organisation, lane, state, next_attempt, event, item, number, source, accepted_at,
                          order_by, rule, code, trouble, warnings, fields, customer, patch)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?5, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

const INSERT_DROPPED: &str = "
    INSERT INTO history (event, item, number, source, organisation, \"end\", at, attempts, rule, reason, warnings)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10)";

/// How many deliveries of these groups have such a fate.
fn fates(groups: &[&GroupRows], is_such: impl Fn(&FateRow) -> bool) -> usize {
    let deliveries = groups.iter().flat_map(|group| &group.deliveries);
    deliveries
        .filter(|delivery| is_such(&delivery.fate))
        .count()
}

impl Group<'_> {
    pub(super) fn accept(&mut self, event: &EventRows) -> Result<Acceptance, Fault> {
        let seq = self.sum.numbers.event;
        let mut new: Vec<&GroupRows> = Vec::with_capacity(event.groups.len());
        for group in &event.groups {
            if self.take_key(group.key, seq)? {
                new.push(group);
            }
        }
        if new.is_empty()
            && let Some(first) = event.groups.first()
        {
            return self.duplicate(&Duplicate {
                source: event.source.as_str(),
                received_at: event.received_at,
                body_hash: &event.body_hash,
                first: first.key,
                groups: event.groups.len(),
            });
        }
        let known = event.groups.len() - new.len();
        let tally = self.sum.of_source(event.source.as_str());
        tally.known_groups += i64::try_from(known).unwrap_or(i64::MAX);
        tally.accepted += 1;
        self.sum.numbers.event += 1;
        self.note_hour(seq, event.received_at)?;
        self.insert_event(seq, event, &new)?;
        for delivery in new.iter().flat_map(|group| &group.deliveries) {
            self.insert_delivery(seq, event, delivery)?;
        }
        let count = |groups: usize| u32::try_from(groups).unwrap_or(u32::MAX);
        Ok(Acceptance::Accepted {
            event: EventSeq(seq),
            new: count(new.len()),
            known: count(known),
            dead: count(fates(&new, |fate| matches!(fate, FateRow::Dead { .. }))),
            dropped: count(fates(&new, FateRow::is_end)),
        })
    }

    /// Whether the key was new, and is now held by the event.
    pub(super) fn take_key(&self, key: DedupKey, seq: i64) -> Result<bool, Fault> {
        let sql = "INSERT INTO dedup (key, event) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let inserted = self
            .connection
            .prepare_cached(sql)?
            .execute(params![key.as_bytes(), seq])?;
        Ok(inserted == 1)
    }

    fn insert_event(&self, seq: i64, event: &EventRows, new: &[&GroupRows]) -> Result<(), Fault> {
        let keys: Vec<u8> = new
            .iter()
            .flat_map(|group| group.key.as_bytes())
            .copied()
            .collect();
        self.connection
            .prepare_cached(INSERT_EVENT)?
            .execute(params![
                seq,
                event.received_at,
                event.source.as_str(),
                event.organisation.as_str(),
                event.mapping.as_bytes(),
                keys,
                event.content_type,
                event.headers,
                event.body_hash,
                &*event.body,
            ])?;
        Ok(())
    }

    pub(super) fn insert_delivery(
        &mut self,
        seq: i64,
        event: &EventRows,
        delivery: &DeliveryRow,
    ) -> Result<(), Fault> {
        let tally = self.sum.of_source(event.source.as_str());
        tally.created += 1;
        match &delivery.fate {
            FateRow::Waiting { update, order_by } => {
                tally.enters(DeliveryState::Waiting);
                let pos = self.open(
                    seq,
                    event,
                    delivery,
                    &Open {
                        state: DeliveryState::Waiting,
                        order_by: *order_by,
                        code: None,
                        trouble: None,
                        update: Some(update),
                    },
                )?;
                self.sum.arrived = Some(pos);
            }
            FateRow::Dead {
                code,
                trouble,
                update,
            } => {
                tally.enters(DeliveryState::Dead);
                self.open(
                    seq,
                    event,
                    delivery,
                    &Open {
                        state: DeliveryState::Dead,
                        order_by: None,
                        code: Some(code),
                        trouble: Some(trouble),
                        update: update.as_ref(),
                    },
                )?;
            }
            FateRow::Observed { update, order_by } => {
                tally.ends(End::Dropped);
                self.observe(seq, event, delivery, update, *order_by, None)?;
            }
            FateRow::Dropped { reason } => {
                tally.ends(End::Dropped);
                self.connection
                    .prepare_cached(INSERT_DROPPED)?
                    .execute(params![
                        seq,
                        delivery.item,
                        delivery.number,
                        event.source.as_str(),
                        event.organisation.as_str(),
                        End::Dropped.as_str(),
                        event.received_at,
                        delivery.rule,
                        reason,
                        delivery.warnings,
                    ])?;
            }
        }
        Ok(())
    }

    /// Writes a row of `delivery` and gives its position.
    fn open(
        &mut self,
        seq: i64,
        event: &EventRows,
        delivery: &DeliveryRow,
        open: &Open<'_>,
    ) -> Result<i64, Fault> {
        let pos = self.sum.numbers.delivery;
        self.sum.numbers.delivery += 1;
        let lane = open.update.and_then(|update| update.lane);
        self.connection
            .prepare_cached(INSERT_DELIVERY)?
            .execute(params![
                pos,
                event.organisation.as_str(),
                lane.as_ref().map(LaneKey::as_bytes),
                open.state.as_str(),
                event.received_at,
                seq,
                delivery.item,
                delivery.number,
                event.source.as_str(),
                open.order_by,
                delivery.rule,
                open.code,
                open.trouble,
                delivery.warnings,
                open.update.map(|update| &update.fields),
                open.update.map(|update| &update.customer),
                open.update.map(|update| &update.patch),
            ])?;
        Ok(pos)
    }
}

/// The columns in which an open delivery differs from another.
struct Open<'a> {
    state: DeliveryState,
    order_by: Option<i64>,
    code: Option<&'static str>,
    trouble: Option<&'a String>,
    update: Option<&'a UpdateColumns>,
}
