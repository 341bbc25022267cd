//! What of a change is worth sending, judged by what Quentli confirmed before.
//!
//! Each part (a field, or one key of the metadata) is judged by itself. It is *unchanged* when its value is the one
//! that Quentli last confirmed, not too long ago, since people also edit in Quentli. What was sent without an answer is
//! in doubt: then nothing is known of the part, and it is sent.
//!
//! It is *stale* when something newer was applied to it already. Of two versions of one source the greater is newer,
//! whatever other sources wrote meanwhile. Where there are no versions, or another source wrote last, what was accepted
//! later is newer: a delivery can come after a later one when its customer was known too late to be the same, or when a
//! person has it sent again. A person may also want it sent over what is newer.
//!
//! Values are compared by a keyed hash, so that the record of what was applied holds nobody's address.

use std::{cmp::Ordering, collections::BTreeMap, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use crate::{
    customer::{Field, FieldValue, PartKey, Patch},
    event::{Delivery, End, NewerData, Redelivery},
    store::AppliedPart,
};

/// What is known of a customer's record.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub applied: &'a [AppliedPart],
    /// The key of their hashes.
    pub value_key: &'a [u8; 32],
    /// Confirmed values older than this are not relied on; with zero none is.
    pub max_age: Duration,
}

/// A delivery that is to be sent, by itself or with others of the same customer.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub delivery: &'a Delivery,
    /// It is sent again even where nothing seems to change: what Quentli has now is not known.
    pub possibly_sent: bool,
}

/// What is left of one or more deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What is to be sent: the parts that are neither unchanged nor stale. May be empty.
    pub patch: Patch,
    /// What each delivery has to do with it, in their order.
    pub shares: Vec<Share>,
    /// Its parts, as they are when Quentli confirms them.
    sent: Vec<AppliedPart>,
    /// Parts whose confirmed value stays, and that are as new as these deliveries from now on.
    unchanged: Vec<AppliedPart>,
}

/// What one of several deliveries has to do with what becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// It has a part that is not stale, though a later one may have set it anew.
    pub counts: bool,
    /// It has a part that is stale.
    pub is_stale: bool,
}

impl Share {
    /// How a delivery ends of which nothing is to be sent.
    pub const fn end(self) -> End {
        if self.is_stale {
            End::Stale
        } else {
            End::Unchanged
        }
    }
}

impl Selection {
    /// Leaves these fields out of what is to be sent, and gives them.
    #[must_use]
    pub fn leave_out(&mut self, fields: &[Field]) -> Patch {
        self.sent
            .retain(|part| !fields.contains(&part.part.field()));
        self.patch.take_out(fields)
    }

    /// What is known when Quentli has confirmed the patch at `at`.
    pub fn confirmed(mut self, at: Timestamp) -> Vec<AppliedPart> {
        for part in &mut self.sent {
            part.at = at;
        }
        self.sent.append(&mut self.unchanged);
        self.sent
    }
}

/// A part that some of the deliveries set.
struct Slot<'a> {
    /// In the order in which the parts first stand in the deliveries.
    place: usize,
    known: Option<&'a AppliedPart>,
    /// As the deliveries so far would leave it, one after the other.
    now: Option<AppliedPart>,
    /// Who set it last.
    winner: Option<&'a Delivery>,
    possibly_sent: bool,
}

/// Chooses what of some deliveries of one customer, in the order of acceptance, is to be sent. It is what sending them
/// one after the other would leave: of each part the last value that was not stale in its turn.
pub fn select(candidates: &[Candidate<'_>], known: &Known<'_>, now: Timestamp) -> Selection {
    let applied: BTreeMap<&PartKey, &AppliedPart> = known
        .applied
        .iter()
        .map(|applied| (&applied.part, applied))
        .collect();
    let mut slots: BTreeMap<PartKey, Slot<'_>> = BTreeMap::new();
    let mut shares = Vec::with_capacity(candidates.len());
    for Candidate {
        delivery,
        possibly_sent,
    } in candidates
    {
        let mut share = Share::default();
        for part in confirmed(delivery, &delivery.patch, known.value_key, now) {
            let place = slots.len();
            let slot = slots.entry(part.part.clone()).or_insert_with_key(|key| {
                let known = applied.get(key).copied();
                Slot {
                    place,
                    known,
                    now: known.cloned(),
                    winner: None,
                    possibly_sent: false,
                }
            });
            slot.possibly_sent |= possibly_sent;
            let there = slot.now.take();
            if there
                .as_ref()
                .is_some_and(|there| is_overtaken(delivery, there))
            {
                share.is_stale = true;
                slot.now = there;
            } else {
                share.counts = true;
                slot.winner = Some(delivery);
                slot.now = Some(after(there, part));
            }
        }
        shares.push(share);
    }
    let mut slots: Vec<(PartKey, Slot<'_>)> = slots.into_iter().collect();
    slots.sort_by_key(|(_, slot)| slot.place);
    let mut selection = Selection {
        shares,
        ..Selection::default()
    };
    let mut metadata = Vec::new();
    for (key, slot) in slots {
        let (Some(winner), Some(part)) = (slot.winner, slot.now) else {
            continue;
        };
        let unchanged = slot.known.filter(|known_part| {
            !slot.possibly_sent
                && known_part.value == part.value
                && is_reliable(known_part, known.max_age, now)
        });
        if let Some(AppliedPart { at, .. }) = unchanged {
            selection.unchanged.push(AppliedPart { at: *at, ..part });
            continue;
        }
        selection.sent.push(part);
        match (&key, winner.patch.get(key.field())) {
            (PartKey::Metadata(key), Some(FieldValue::Metadata(entries))) => {
                metadata.extend(entries.iter().find(|entry| entry.key == *key).cloned());
            }
            (PartKey::Field(field), Some(value)) => {
                set(&mut selection.patch, *field, value.clone());
            }
            _ => {}
        }
    }
    if !metadata.is_empty() {
        let metadata = FieldValue::Metadata(metadata);
        set(&mut selection.patch, Field::Metadata, metadata);
    }
    selection
}

/// What is known of a part once a delivery is applied to it.
fn after(there: Option<AppliedPart>, part: AppliedPart) -> AppliedPart {
    let Some(there) = there else { return part };
    let mut versions = there.versions;
    for (source, version) in part.versions {
        match versions.iter_mut().find(|(of, _)| *of == source) {
            Some((_, known)) => *known = version.max(*known),
            None => versions.push((source, version)),
        }
    }
    AppliedPart {
        pos: part.pos.max(there.pos),
        versions,
        ..part
    }
}

/// The parts of a patch of this delivery, as confirmed at `at`.
pub fn confirmed(
    delivery: &Delivery,
    sent: &Patch,
    value_key: &[u8; 32],
    at: Timestamp,
) -> Vec<AppliedPart> {
    let version = delivery
        .order_by
        .map(|version| (delivery.source.clone(), version));
    sent.parts()
        .into_iter()
        .map(|(part, value)| AppliedPart {
            value: value_hash(value_key, &part, &value),
            part,
            is_in_doubt: false,
            source: delivery.source.clone(),
            at,
            pos: delivery.place(),
            versions: version.iter().cloned().collect(),
        })
        .collect()
}

/// Whether something newer than the delivery was applied to the part.
fn is_overtaken(delivery: &Delivery, applied: &AppliedPart) -> bool {
    let overwrites = |again: Redelivery| again.newer == NewerData::Overwritten;
    if delivery.redelivery.is_some_and(overwrites) {
        return false;
    }
    let version = applied.version_of(&delivery.source);
    let order = delivery.order_by.zip(version).map(|(a, b)| a.cmp(&b));
    match order {
        Some(Ordering::Less) => true,
        Some(Ordering::Greater) if applied.source == delivery.source => false,
        Some(_) | None => applied.pos > delivery.place(),
    }
}

/// Whether Quentli certainly has the value still. A time of confirmation in the future, left by a clock that was set
/// back, is not relied on.
fn is_reliable(applied: &AppliedPart, max_age: Duration, now: Timestamp) -> bool {
    let age = now.duration_since(applied.at);
    let is_recent =
        !age.is_negative() && SignedDuration::try_from(max_age).is_ok_and(|most| age <= most);
    is_recent && !max_age.is_zero() && !applied.is_in_doubt
}

fn set(patch: &mut Patch, field: Field, value: FieldValue) {
    patch
        .set(field, value)
        .expect("the value came from the same field of another patch");
}

/// A hash of a part's canonical value, the same only for the same part, value and key.
fn value_hash(key: &[u8; 32], part: &PartKey, value: &str) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    let part = part.to_string();
    let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
    mac.update(&length.to_be_bytes());
    mac.update(part.as_bytes());
    mac.update(value.as_bytes());
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(mac.finalize().into_bytes()) {
        *to = from;
    }
    half
}

#[cfg(test)]
mod tests;
