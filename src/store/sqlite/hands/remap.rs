//! Puts what a mapping makes of a stored event now in the place of what is open of it.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::read;
use crate::{
    event::{DeliveryPos, DeliveryState, End, LaneKey, NewerData},
    store::{
        Finish, LaneHead, Remapped,
        hands::{GONE, Places, Plan, Remap, step},
        sqlite::{
            fault::Fault,
            group::Group,
            rows::{DeliveryRow, FateRow, millis},
        },
    },
};

// What was left out of an update is of no outcome of the mapping: it stays, as if it had ended.
pub(super) const OPEN_PLACES: &str = "
    SELECT item, number, CASE WHEN code = 'conflict' THEN NULL ELSE pos END
    FROM delivery INDEXED BY delivery_event WHERE event = ?1";
pub(super) const ENDED_PLACES: &str = "SELECT item, number FROM history WHERE event = ?1";
const HOLDER: &str = "SELECT 1 FROM dedup WHERE key = ?1";

const TAKE_CONTENTS: &str = "
    UPDATE delivery SET lane = ?2, state = ?3, next_attempt = ?4, spent = 0, earlier_attempts = attempts, order_by = ?5,
                        rule = ?6, code = ?7, trouble = ?8, warnings = ?9, fields = ?10, customer = ?11, patch = ?12,
                        redelivered_at = ?4, overwrites = ?13, revision = revision + 1
    WHERE pos = ?1";

const MARK_NEW: &str =
    "UPDATE delivery SET redelivered_at = ?2, overwrites = ?3, place = ?4 WHERE pos = ?1";

const NOTE_RULE: &str =
    "UPDATE delivery SET rule = ?2, warnings = ?3, fields = NULL WHERE pos = ?1";
const KEYS: &str = "SELECT dedup_keys FROM event WHERE seq = ?1";
const NOTE_MAPPING: &str = "UPDATE event SET mapping = ?2, dedup_keys = ?3 WHERE seq = ?1";

fn planned<'r>(
    connection: &Connection,
    remap: &'r Remap,
    places: &Places,
) -> Result<Vec<Plan<'r, DeliveryRow>>, Fault> {
    remap.planned(places, |key| {
        let holder = connection
            .prepare_cached(HOLDER)?
            .query_row([key.as_bytes()], |_row| Ok(()))
            .optional()?;
        Ok(holder.is_none())
    })
}

/// What would be done.
pub(super) fn foreseen(connection: &Connection, remap: &Remap) -> Result<Remapped, Fault> {
    let places = places(connection, remap.event)?;
    let steps = planned(connection, remap, &places)?;
    Ok(Remapped {
        steps: steps.iter().map(step).collect(),
        heads: Vec::new(),
    })
}

fn places(connection: &Connection, event: i64) -> Result<Places, Fault> {
    let mut places = Places::new();
    let mut open = connection.prepare_cached(OPEN_PLACES)?;
    let mut rows = open.query([event])?;
    while let Some(row) = rows.next()? {
        places.insert((row.get(0)?, row.get(1)?), row.get(2)?);
    }
    let mut ended = connection.prepare_cached(ENDED_PLACES)?;
    let mut rows = ended.query([event])?;
    while let Some(row) = rows.next()? {
        places.insert((row.get(0)?, row.get(1)?), None);
    }
    Ok(places)
}

impl Group<'_> {
    pub(super) fn remap(&mut self, remap: &Remap) -> Result<Remapped, Fault> {
        let places = places(self.connection, remap.event)?;
        let steps = planned(self.connection, remap, &places)?;
        let mut remapped = Remapped {
            steps: steps.iter().map(step).collect(),
            heads: Vec::new(),
        };
        if steps.is_empty() {
            return Ok(remapped);
        }
        let first = places.values().flatten().min().copied();
        let items: Vec<u32> = steps.iter().map(|step| step.place.0).collect();
        let keys = self.hold_keys(remap, &places, &items)?;
        self.connection
            .prepare_cached(NOTE_MAPPING)?
            .execute(params![remap.event, remap.rows.mapping.as_bytes(), keys])?;
        for plan in &steps {
            let head = match (plan.pos, plan.after) {
                (Some(pos), after) => self.take_contents(remap, pos, after)?,
                (None, Some(after)) => self.add(remap, after, first)?,
                (None, None) => None,
            };
            remapped.heads.extend(head);
        }
        self.look_for_new(&mut remapped.heads)?;
        Ok(remapped)
    }

    /// Holds the keys of items that are new; gives all that the event holds, one behind the other.
    fn hold_keys(
        &mut self,
        remap: &Remap,
        places: &Places,
        items: &[u32],
    ) -> Result<Vec<u8>, Fault> {
        let mut keys: Vec<u8> = self
            .connection
            .prepare_cached(KEYS)?
            .query_row([remap.event], |row| row.get(0))?;
        for group in remap.groups_beside(places) {
            let is_taken = group
                .deliveries
                .iter()
                .any(|each| items.contains(&each.item));
            if is_taken && self.take_key(group.key, remap.event)? {
                keys.extend(group.key.as_bytes());
            }
        }
        Ok(keys)
    }

    /// An open delivery takes what the mapping gives at its place now.
    fn take_contents(
        &mut self,
        remap: &Remap,
        pos: i64,
        after: Option<&DeliveryRow>,
    ) -> Result<Option<LaneHead>, Fault> {
        let Some(open) = read::one(self.connection, DeliveryPos(pos))? else {
            return Ok(None);
        };
        let organisation = &open.organisation;
        let Some(opened) = self.find(organisation, pos)? else {
            return Ok(None);
        };
        self.doubt_of_open(&open)?;
        if let Some(after) = after
            && let FateRow::Observed { update, order_by } = &after.fate
        {
            // As a new one would be: it ends at once, and its update is kept. An attempt may still have the old position.
            self.connection
                .prepare_cached("DELETE FROM delivery WHERE pos = ?1")?
                .execute([pos])?;
            let tally = self.sum.of_source(&opened.source);
            tally.leaves(opened.state);
            tally.ends(End::Dropped);
            let place = open.delivery.as_ref().and_then(|open| open.counts_as_of);
            let place = place.map_or(pos, |place| place.0);
            self.observe(
                remap.event,
                &remap.rows,
                after,
                update,
                *order_by,
                Some(place),
            )?;
            return Ok(None);
        }
        let (state, code, trouble, update, order_by) = match after.map(|after| &after.fate) {
            Some(FateRow::Waiting { update, order_by }) => {
                (DeliveryState::Waiting, None, None, Some(update), *order_by)
            }
            Some(FateRow::Dead {
                code,
                trouble,
                update,
            }) => (
                DeliveryState::Dead,
                Some(*code),
                Some(trouble),
                update.as_ref(),
                None,
            ),
            ended @ (Some(FateRow::Dropped { .. } | FateRow::Observed { .. }) | None) => {
                let reason = match ended {
                    Some(FateRow::Dropped { reason }) => reason.clone(),
                    _ => GONE.to_owned(),
                };
                self.connection.prepare_cached(NOTE_RULE)?.execute(params![
                    pos,
                    after.and_then(|after| after.rule.as_ref()),
                    after.and_then(|after| after.warnings.as_ref()),
                ])?;
                let finish = Finish {
                    pos: DeliveryPos(pos),
                    accepted_at: opened.accepted_at,
                    revision: opened.revision,
                    end: End::Dropped,
                    reason: Some(reason),
                    customer: open.customer.clone(),
                    at: remap.how.at,
                    attempt: None,
                    confirmed: Vec::new(),
                    carried: Vec::new(),
                    left_out: None,
                };
                self.finish(organisation, &finish)?;
                return Ok(None);
            }
        };
        let lane = update.and_then(|update| update.lane);
        self.connection
            .prepare_cached(TAKE_CONTENTS)?
            .execute(params![
                pos,
                lane.as_ref().map(LaneKey::as_bytes),
                state.as_str(),
                millis(remap.how.at),
                order_by,
                after.and_then(|after| after.rule.as_ref()),
                code,
                trouble,
                after.and_then(|after| after.warnings.as_ref()),
                update.map(|update| &update.fields),
                update.map(|update| &update.customer),
                update.map(|update| &update.patch),
                remap.how.newer == NewerData::Overwritten,
            ])?;
        let tally = self.sum.of_source(&opened.source);
        tally.leaves(opened.state);
        tally.enters(state);
        if state != DeliveryState::Waiting {
            return Ok(None);
        }
        Ok(remap.head(pos, update))
    }

    /// A delivery where none was.
    fn add(
        &mut self,
        remap: &Remap,
        delivery: &DeliveryRow,
        place: Option<i64>,
    ) -> Result<Option<LaneHead>, Fault> {
        if let FateRow::Observed { update, order_by } = &delivery.fate {
            let tally = self.sum.of_source(remap.rows.source.as_str());
            tally.created += 1;
            tally.ends(End::Dropped);
            self.observe(remap.event, &remap.rows, delivery, update, *order_by, place)?;
            return Ok(None);
        }
        let pos = self.sum.numbers.delivery;
        self.insert_delivery(remap.event, &remap.rows, delivery)?;
        if self.sum.numbers.delivery == pos {
            // It ended at once.
            return Ok(None);
        }
        self.connection.prepare_cached(MARK_NEW)?.execute(params![
            pos,
            millis(remap.how.at),
            remap.how.newer == NewerData::Overwritten,
            place
        ])?;
        match &delivery.fate {
            FateRow::Waiting { update, .. } => Ok(remap.head(pos, Some(update))),
            FateRow::Dead { .. } | FateRow::Dropped { .. } | FateRow::Observed { .. } => Ok(None),
        }
    }
}
