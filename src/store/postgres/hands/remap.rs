//! Puts what a mapping makes of a stored event now in the place of what is open of it.
//!
//! The event's row is locked first, so that two of them follow each other. The lock of `meta` is taken last and only for what
//! needs new positions, and before keys are taken, in the order of those who accept.

use std::collections::{BTreeMap, BTreeSet};

use super::read;
use crate::{
    customer::CustomerId,
    event::{DedupKey, DeliveryPos, DeliveryState, End, LaneKey, NewerData},
    store::{
        LaneHead, OpenDelivery, Remapped, decode,
        hands::{GONE, Places, Plan, Remap, step},
        postgres::{
            accept::Numbers,
            fault::Fault,
            insert::{Inserts, text},
            session::{Session, Step},
        },
        rows::{DeliveryRow, FateRow, UpdateColumns, millis},
    },
};

const LOCK_EVENT: &str = "SELECT dedup_keys FROM event WHERE seq = $1 FOR UPDATE";
const LOCK_OPEN: &str = "SELECT 1 FROM delivery WHERE event = $1 ORDER BY pos FOR UPDATE";

// What was left out of an update is of no outcome of the mapping: it stays, as if it had ended.
const PLACES: &str = "
    SELECT item, number, CASE WHEN code = 'conflict' THEN NULL ELSE pos END FROM delivery WHERE event = $1
    UNION ALL
    SELECT item, number, NULL FROM history WHERE event = $1";

const HELD_KEYS: &str = "SELECT key FROM dedup WHERE key = ANY($1)";

const TAKE_KEYS: &str = "
    INSERT INTO dedup (key, event) SELECT key, $2::bigint FROM unnest($1::bytea[]) AS given (key) ORDER BY key
    ON CONFLICT DO NOTHING RETURNING key";

const NUMBERS: &str = "
    UPDATE meta SET next_delivery = next_delivery + $1 RETURNING next_delivery - $1";

const NOTE_MAPPING: &str = "UPDATE event SET mapping = $2, dedup_keys = $3 WHERE seq = $1";

const TAKE_CONTENTS: &str = "
    UPDATE delivery SET lane = given.lane, state = given.state, next_attempt = $1, spent = 0, earlier_attempts = attempts,
                        order_by = given.order_by, rule = given.rule, code = given.code, trouble = given.trouble,
                        warnings = given.warnings, fields = given.fields, customer = given.customer, patch = given.patch,
                        redelivered_at = $1, overwrites = $2, revision = revision + 1
    FROM unnest($3::bigint[], $4::bytea[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[],
                $11::text[], $12::text[], $13::text[])
      AS given (pos, lane, state, order_by, rule, code, trouble, warnings, fields, customer, patch)
    WHERE delivery.pos = given.pos";

const DROP: &str = r#"
    INSERT INTO history (event, item, number, source, organisation, "end", at, attempts, customer, rule, reason, warnings)
    SELECT event, item, number, source, organisation, 'dropped', $1::bigint, attempts, given.customer, given.rule, given.reason,
           given.warnings
    FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[]) AS given (pos, customer, rule, reason, warnings)
         JOIN delivery ON delivery.pos = given.pos"#;

const MARK_NEW: &str = "
    UPDATE delivery SET redelivered_at = $2, overwrites = $3, place = $4 WHERE pos = ANY($1)";

/// What would be done.
pub(super) async fn foreseen(session: &Session, remap: &Remap) -> Result<Remapped, Fault> {
    let places = places(session, remap.event).await?;
    let steps = planned(session, remap, &places).await?;
    Ok(Remapped {
        steps: steps.iter().map(step).collect(),
        heads: Vec::new(),
    })
}

async fn places(session: &Session, event: i64) -> Result<Places, Fault> {
    let mut places = Places::new();
    for row in &session.query(PLACES, &[&event]).await? {
        let item = decode::small(row.try_get(0)?)?;
        let number = decode::small(row.try_get(1)?)?;
        places.insert((item, number), row.try_get(2)?);
    }
    Ok(places)
}

/// The plan, by who holds the keys now.
async fn planned<'r>(
    session: &Session,
    remap: &'r Remap,
    places: &Places,
) -> Result<Vec<Plan<'r, DeliveryRow>>, Fault> {
    let asked: Vec<&[u8]> = remap
        .groups_beside(places)
        .map(|group| group.key.as_bytes().as_slice())
        .collect();
    let mut held = BTreeSet::new();
    if !asked.is_empty() {
        for row in &session.query(HELD_KEYS, &[&asked]).await? {
            held.insert(key(row.try_get(0)?)?);
        }
    }
    remap.planned(places, |key| Ok(!held.contains(key.as_bytes())))
}

fn key(bytes: &[u8]) -> Result<[u8; 16], Fault> {
    Ok(decode::bytes(bytes, "key")?)
}

impl Step {
    /// What was done, and the greatest new position that waits.
    pub(super) async fn remap(&mut self, remap: &Remap) -> Result<(Remapped, Option<i64>), Fault> {
        let nothing = (Remapped::default(), None);
        let Some(event) = self.query_opt(LOCK_EVENT, &[&remap.event]).await? else {
            return Ok(nothing);
        };
        self.query(LOCK_OPEN, &[&remap.event]).await?;
        let places = places(self.session(), remap.event).await?;
        let steps = planned(self.session(), remap, &places).await?;
        if steps.is_empty() {
            return Ok(nothing);
        }
        let open = self.change_open(remap, &steps).await?;

        let mut inserts = Inserts::new(self.numbers(&steps).await?);
        let mut keys: Vec<u8> = event.try_get(0)?;
        // Somebody may have taken some of them meanwhile.
        let taken = self.take_keys(remap, &places, &mut keys).await?;
        let steps = remap.planned(&places, |key| {
            Ok::<_, Fault>(taken.contains(key.as_bytes()))
        })?;
        let mapping = remap.rows.mapping.as_bytes().as_slice();
        self.execute(NOTE_MAPPING, &[&remap.event, &mapping, &keys])
            .await?;
        let remapped = Remapped {
            steps: steps.iter().map(step).collect(),
            heads: self
                .insert_new(remap, &places, &steps, &open, &mut inserts)
                .await?,
        };
        Ok((remapped, inserts.arrived))
    }

    /// Open deliveries take what the mapping gives at their places now, or end. Gives them as they were.
    async fn change_open(
        &mut self,
        remap: &Remap,
        steps: &[Plan<'_, DeliveryRow>],
    ) -> Result<BTreeMap<i64, OpenDelivery>, Fault> {
        let positions: Vec<i64> = steps.iter().filter_map(|plan| plan.pos).collect();
        let open = read::opened(self.session(), &positions).await?;
        self.doubt_of_open(&open).await?;
        let open = open.into_iter().map(|open| (open.pos.0, open));
        let open: BTreeMap<i64, OpenDelivery> = open.collect();
        let mut contents = Contents::default();
        let mut dropped = Dropped::default();
        for plan in steps {
            let Some(before) = plan.pos.and_then(|pos| open.get(&pos)) else {
                continue;
            };
            let tally = self.of_source(before.source.as_str());
            tally.leaves(before.state);
            match plan.after {
                Some(after) if !after.fate.is_end() => {
                    tally.enters(contents.push(before.pos, after));
                }
                after => {
                    tally.ends(End::Dropped);
                    dropped.push(before, after);
                }
            }
        }
        self.take_contents(remap, &contents).await?;
        self.drop_open(remap, &dropped).await?;
        Ok(open)
    }

    async fn take_contents(&self, remap: &Remap, contents: &Contents<'_>) -> Result<(), Fault> {
        if contents.pos.is_empty() {
            return Ok(());
        }
        self.execute(
            TAKE_CONTENTS,
            &[
                &millis(remap.how.at),
                &(remap.how.newer == NewerData::Overwritten),
                &contents.pos,
                &contents.lane,
                &contents.state,
                &contents.order_by,
                &contents.rule,
                &contents.code,
                &contents.trouble,
                &contents.warnings,
                &contents.fields,
                &contents.customer,
                &contents.patch,
            ],
        )
        .await?;
        Ok(())
    }

    async fn drop_open(&self, remap: &Remap, dropped: &Dropped<'_>) -> Result<(), Fault> {
        if !dropped.pos.is_empty() {
            self.execute(
                DROP,
                &[
                    &millis(remap.how.at),
                    &dropped.pos,
                    &dropped.customer,
                    &dropped.rule,
                    &dropped.reason,
                    &dropped.warnings,
                ],
            )
            .await?;
        }
        self.delete_open(&dropped.pos).await?;
        self.delete_open(&dropped.observed).await
    }

    /// Takes positions for what needs a new one; the lock of `meta` is held from here on.
    async fn numbers(&self, steps: &[Plan<'_, DeliveryRow>]) -> Result<Numbers, Fault> {
        let needs_one = |plan: &&Plan<'_, DeliveryRow>| match plan.after.map(|after| &after.fate) {
            Some(FateRow::Observed { .. }) => true,
            Some(FateRow::Waiting { .. } | FateRow::Dead { .. }) => plan.pos.is_none(),
            Some(FateRow::Dropped { .. }) | None => false,
        };
        let count = i64::try_from(steps.iter().filter(needs_one).count()).unwrap_or(i64::MAX);
        let mut numbers = Numbers::default();
        if count > 0 {
            let row = self.query_opt(NUMBERS, &[&count]).await?;
            let row = row.ok_or_else(|| Fault::Call("the row of `meta` is missing".to_owned()))?;
            numbers.delivery = row.try_get(0)?;
        }
        Ok(numbers)
    }

    /// Takes the keys of items that are new, as far as nobody holds them, and puts them behind those that the event holds.
    async fn take_keys(
        &self,
        remap: &Remap,
        places: &Places,
        keys: &mut Vec<u8>,
    ) -> Result<BTreeSet<[u8; 16]>, Fault> {
        let asked: Vec<DedupKey> = remap.groups_beside(places).map(|group| group.key).collect();
        let mut taken = BTreeSet::new();
        if asked.is_empty() {
            return Ok(taken);
        }
        let bytes: Vec<&[u8]> = asked.iter().map(|key| key.as_bytes().as_slice()).collect();
        for row in &self.query(TAKE_KEYS, &[&bytes, &remap.event]).await? {
            let key = key(row.try_get(0)?)?;
            keys.extend(key);
            taken.insert(key);
        }
        Ok(taken)
    }

    /// Writes what is new, and what its source only observes now. Gives all that waits.
    async fn insert_new<'r>(
        &mut self,
        remap: &'r Remap,
        places: &Places,
        steps: &[Plan<'r, DeliveryRow>],
        open: &BTreeMap<i64, OpenDelivery>,
        inserts: &mut Inserts<'r>,
    ) -> Result<Vec<LaneHead>, Fault> {
        let first = places.values().flatten().min().copied();
        let (event, rows) = (remap.event, &remap.rows);
        let (mut heads, mut new) = (Vec::new(), Vec::new());
        for plan in steps {
            let Some(after) = plan.after else { continue };
            match (&after.fate, plan.pos) {
                (FateRow::Observed { update, order_by }, pos) => {
                    let place = pos.map_or(first, |pos| Some(place_of(open.get(&pos), pos)));
                    if pos.is_none() {
                        let tally = self.of_source(rows.source.as_str());
                        tally.created += 1;
                        tally.ends(End::Dropped);
                    }
                    inserts.observe(event, rows, after, (update, *order_by), place);
                }
                (FateRow::Waiting { update, .. }, Some(pos)) => {
                    heads.extend(remap.head(pos, Some(update)));
                }
                (FateRow::Dead { .. } | FateRow::Dropped { .. }, Some(_)) => {}
                (fate, None) => {
                    let pos = inserts.next_position();
                    inserts.delivery(event, rows, after, self.tallies());
                    if !fate.is_end() {
                        new.push(pos);
                    }
                    if let FateRow::Waiting { update, .. } = fate {
                        heads.extend(remap.head(pos, Some(update)));
                    }
                }
            }
        }
        for insert in inserts.statements() {
            self.execute(insert.sql, &insert.columns).await?;
        }
        if !new.is_empty() {
            let overwrites = remap.how.newer == NewerData::Overwritten;
            self.execute(
                MARK_NEW,
                &[&new, &millis(remap.how.at), &overwrites, &first],
            )
            .await?;
        }
        self.look_for_new(heads).await
    }
}

/// As of which position an open delivery counted.
fn place_of(open: Option<&OpenDelivery>, pos: i64) -> i64 {
    let delivery = open.and_then(|open| open.delivery.as_ref());
    let place = delivery.and_then(|delivery| delivery.counts_as_of);
    place.unwrap_or(DeliveryPos(pos)).0
}

/// What open deliveries take, column by column.
#[derive(Default)]
struct Contents<'r> {
    pos: Vec<i64>,
    lane: Vec<Option<&'r [u8]>>,
    state: Vec<&'static str>,
    order_by: Vec<Option<i64>>,
    rule: Vec<Option<String>>,
    code: Vec<Option<&'static str>>,
    trouble: Vec<Option<String>>,
    warnings: Vec<Option<&'r str>>,
    fields: Vec<Option<&'r str>>,
    customer: Vec<Option<&'r str>>,
    patch: Vec<Option<&'r str>>,
}

impl<'r> Contents<'r> {
    /// Gives the state that it has from here on.
    fn push(&mut self, pos: DeliveryPos, after: &'r DeliveryRow) -> DeliveryState {
        let (state, update, order_by, dead) = match &after.fate {
            FateRow::Waiting { update, order_by } => {
                (DeliveryState::Waiting, Some(update), *order_by, None)
            }
            FateRow::Dead {
                code,
                trouble,
                update,
            } => {
                let dead = Some((*code, text(trouble).into_owned()));
                (DeliveryState::Dead, update.as_ref(), None, dead)
            }
            FateRow::Dropped { .. } | FateRow::Observed { .. } => {
                (DeliveryState::Dead, None, None, None)
            }
        };
        let column = |column: fn(&UpdateColumns) -> &str| update.map(column);
        let lane = update.and_then(|update| update.lane.as_ref());
        let (code, trouble) = dead.unzip();
        self.pos.push(pos.0);
        self.lane
            .push(lane.map(|lane: &LaneKey| lane.as_bytes().as_slice()));
        self.state.push(state.as_str());
        self.order_by.push(order_by);
        self.rule
            .push(after.rule.as_deref().map(|rule| text(rule).into_owned()));
        self.code.push(code);
        self.trouble.push(trouble);
        self.warnings.push(after.warnings.as_deref());
        self.fields.push(column(|update| &update.fields));
        self.customer.push(column(|update| &update.customer));
        self.patch.push(column(|update| &update.patch));
        state
    }
}

/// Open deliveries that end, column by column.
#[derive(Default)]
struct Dropped<'r> {
    pos: Vec<i64>,
    customer: Vec<Option<String>>,
    rule: Vec<Option<String>>,
    reason: Vec<String>,
    warnings: Vec<Option<&'r str>>,
    /// Those whose source observes now: their history is written with what is kept of them, and at a position of its own,
    /// since an attempt may still have the old one.
    observed: Vec<i64>,
}

impl<'r> Dropped<'r> {
    fn push(&mut self, open: &OpenDelivery, after: Option<&'r DeliveryRow>) {
        let reason = match after.map(|after| &after.fate) {
            Some(FateRow::Observed { .. }) => {
                self.observed.push(open.pos.0);
                return;
            }
            Some(FateRow::Dropped { reason }) => reason,
            Some(FateRow::Waiting { .. } | FateRow::Dead { .. }) | None => GONE,
        };
        let rule = after.and_then(|after| after.rule.as_deref());
        self.pos.push(open.pos.0);
        self.customer
            .push(open.customer.as_ref().map(CustomerId::to_string));
        self.rule.push(rule.map(|rule| text(rule).into_owned()));
        self.reason.push(text(reason).into_owned());
        self.warnings
            .push(after.and_then(|after| after.warnings.as_deref()));
    }
}

#[cfg(test)]
pub(super) const PLANNED: [&str; 8] = [
    LOCK_EVENT,
    LOCK_OPEN,
    PLACES,
    HELD_KEYS,
    NOTE_MAPPING,
    TAKE_CONTENTS,
    DROP,
    MARK_NEW,
];
