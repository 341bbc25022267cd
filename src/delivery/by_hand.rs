//! What people change while delivery goes on: left here by the handle, taken up by the dispatcher.
//!
//! Nothing here is the truth about it. What was sent again stands in the store and is found by the next sweep; what is
//! paused stands there, too, and is told at the start.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::bindings::AsOf;
use crate::{
    customer::{CustomerId, FindBy},
    event::{Delivery, DeliveryPos, LaneKey, SourceName},
    store::{ErasedCustomer, LaneHead},
};

/// Heads that wait to be taken up, and that are remembered; where there are more, all lanes are read again.
const MOST_REVIVED: usize = 10_000;
/// Customers whose erasing is remembered: for attempts that are on their way, so the latest are enough.
const MOST_ERASED: usize = 10_000;

/// Shared by the handle, the dispatcher and its attempts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct ByHand(Arc<Mutex<Changes>>);

#[derive(Debug, Default)]
struct Changes {
    revived: Revived,
    /// How many times a person had something sent again, and as of which time each of the latest was.
    redeliveries: u64,
    again: HashMap<DeliveryPos, u64>,
    /// Those that are not among the latest count as of this time.
    again_at_least: u64,
    paused: HashSet<SourceName>,
    /// Not paused any more, and not yet told to the lanes.
    started: Vec<SourceName>,
    /// When time began to count again, after the last pause of the whole organisation and of each source.
    resumed: Option<Timestamp>,
    resumed_sources: HashMap<SourceName, Timestamp>,
    /// Hashes of erased customers, and the last delivery that may have been on its way when that was asked.
    erased: HashMap<LaneKey, DeliveryPos>,
    /// Up to where deliveries are erased of customers of whom not even a hash is known.
    erased_nameless: Option<DeliveryPos>,
    /// Not yet gone from the memory of look-ups.
    forgotten: Vec<Forgotten>,
}

/// Somebody whom nothing is to be known of any more.
#[derive(Debug)]
pub(super) enum Forgotten {
    Named {
        id: Option<CustomerId>,
        lines: Vec<FindBy>,
    },
    /// Of whom another replica knows more: the hash of the identifier, where there is one.
    Noted(Option<LaneKey>),
}

/// What was sent again and is not yet in the index of lanes.
#[derive(Debug, Default)]
pub(super) struct Revived {
    pub(super) heads: Vec<LaneHead>,
    /// They were too many: whatever the index lacks must be read.
    pub(super) too_many: bool,
}

impl ByHand {
    /// A dispatcher begins, which will read everything there is and has nothing to forget.
    pub(super) fn begin(&self) {
        let mut changes = self.lock();
        changes.revived = Revived::default();
        changes.started.clear();
        changes.forgotten.clear();
    }

    /// Something was changed that nobody tells in particular.
    pub(super) fn changed_elsewhere(&self) {
        // Any of them may have been sent again.
        self.about_to_send_again();
        self.lock().revived.too_many = true;
    }

    /// Something is about to be sent again, and may be taken up from the store before [`ByHand::revive`] tells what: no
    /// look-up from before counts for anything that was ever sent again.
    pub(super) fn about_to_send_again(&self) {
        let mut changes = self.lock();
        changes.redeliveries = changes.redeliveries.saturating_add(1);
        changes.again.clear();
        changes.again_at_least = changes.redeliveries;
    }

    /// Customers were erased by another replica; whether one of them is news.
    pub(super) fn note_erased(&self, erased: &[ErasedCustomer]) -> bool {
        let mut changes = self.lock();
        let mut is_news = false;
        for ErasedCustomer { customer, up_to } in erased {
            let is_known = match customer {
                Some(hash) => changes.erased.get(hash).is_some_and(|known| known >= up_to),
                None => changes.erased_nameless >= Some(*up_to),
            };
            if is_known {
                continue;
            }
            is_news = true;
            match customer {
                Some(hash) => changes.remember_erased(*hash, *up_to),
                None => changes.erased_nameless = Some(*up_to),
            }
            changes.forgotten.push(Forgotten::Noted(*customer));
        }
        is_news
    }

    pub(super) fn revive(&self, heads: Vec<LaneHead>) {
        let mut changes = self.lock();
        let redeliveries = changes.redeliveries.saturating_add(1);
        changes.redeliveries = redeliveries;
        if changes.again.len() + heads.len() > MOST_REVIVED {
            changes.again.clear();
            changes.again_at_least = redeliveries;
        }
        let again = heads.iter().map(|head| (head.pos, redeliveries));
        changes.again.extend(again);
        if changes.revived.heads.len() + heads.len() > MOST_REVIVED {
            changes.revived.too_many = true;
        } else {
            changes.revived.heads.extend(heads);
        }
    }

    /// How many times a person had something sent again.
    pub(super) fn redeliveries(&self) -> u64 {
        self.lock().redeliveries
    }

    /// Since when it counts for a delivery that somebody was not found: since it was accepted, or had sent again.
    pub(super) fn asks_since(&self, delivery: &Delivery) -> AsOf {
        let mut since = AsOf::from(delivery.pos);
        if delivery.redelivery.is_some() {
            let changes = self.lock();
            let again = changes.again.get(&delivery.pos).copied();
            since.redeliveries = again.unwrap_or(changes.again_at_least);
        }
        since
    }

    pub(super) fn pause(&self, source: &SourceName) {
        self.lock().paused.insert(source.clone());
    }

    pub(super) fn resume(&self, source: &SourceName, at: Timestamp) {
        let mut changes = self.lock();
        let was_paused = changes.paused.remove(source);
        let known = changes.resumed_sources.get(source);
        if was_paused || known.is_none_or(|known| *known < at) {
            changes.resumed_sources.insert(source.clone(), at);
        }
        if was_paused {
            changes.started.push(source.clone());
        }
    }

    /// The whole organisation was not paused any more at this time, before this process began to count.
    pub(super) fn resumed_before(&self, at: Timestamp) {
        let mut changes = self.lock();
        changes.resumed = changes.resumed.max(Some(at));
    }

    /// The whole organisation is not paused any more.
    pub(super) fn resumed(&self, at: Timestamp) {
        self.lock().resumed = Some(at);
    }

    /// A customer is erased, with all deliveries up to this position.
    pub(super) fn erase(&self, forgotten: Forgotten, up_to: DeliveryPos) {
        let mut changes = self.lock();
        if let Forgotten::Named { id: Some(id), .. } = &forgotten {
            changes.remember_erased(hash_of(id), up_to);
        }
        changes.forgotten.push(forgotten);
    }

    /// Whether the customer was erased after this delivery was accepted.
    pub(super) fn is_erased(&self, customer: &CustomerId, pos: DeliveryPos) -> bool {
        let changes = self.lock();
        let up_to = changes.erased.get(&hash_of(customer));
        up_to.is_some_and(|up_to| pos <= *up_to)
    }

    pub(super) fn take_forgotten(&self) -> Vec<Forgotten> {
        std::mem::take(&mut self.lock().forgotten)
    }

    pub(super) fn take_revived(&self) -> Revived {
        std::mem::take(&mut self.lock().revived)
    }

    pub(super) fn take_started(&self) -> Vec<SourceName> {
        std::mem::take(&mut self.lock().started)
    }

    pub(super) fn is_paused(&self, source: &SourceName) -> bool {
        self.lock().paused.contains(source)
    }

    /// Since when time counts for a delivery of a source that began to wait at `began`.
    pub(super) fn counts_from(&self, source: &SourceName, began: Timestamp) -> Timestamp {
        let changes = self.lock();
        let of_source = changes.resumed_sources.get(source).copied();
        [changes.resumed, of_source]
            .into_iter()
            .flatten()
            .fold(began, Timestamp::max)
    }

    fn lock(&self) -> MutexGuard<'_, Changes> {
        // Each method leaves it in order.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    fn remember_erased(&mut self, hash: LaneKey, up_to: DeliveryPos) {
        if self.erased.len() >= MOST_ERASED && !self.erased.contains_key(&hash) {
            let oldest = self.erased.iter().min_by_key(|(_, pos)| **pos);
            if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                self.erased.remove(&oldest);
            }
        }
        self.erased.insert(hash, up_to);
    }
}

fn hash_of(customer: &CustomerId) -> LaneKey {
    LaneKey::of("id", customer.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erase(by_hand: &ByHand, id: &str, up_to: i64) {
        let forgotten = Forgotten::Named {
            id: Some(id.parse().unwrap()),
            lines: Vec::new(),
        };
        by_hand.erase(forgotten, DeliveryPos(up_to));
    }

    fn is_erased(by_hand: &ByHand, id: &str, pos: i64) -> bool {
        by_hand.is_erased(&id.parse().unwrap(), DeliveryPos(pos))
    }

    #[test]
    fn an_erased_customer_is_erased_up_to_what_was_accepted_by_then() {
        let by_hand = ByHand::default();
        erase(&by_hand, "cus_1", 7);
        let asked = [("cus_1", 7), ("cus_1", 8), ("cus_2", 7)];
        let erased = asked.map(|(id, pos)| is_erased(&by_hand, id, pos));
        assert_eq!(erased, [true, false, false]);
        assert_eq!(by_hand.take_forgotten().len(), 1);
        assert!(is_erased(&by_hand, "cus_1", 7), "also when it is forgotten");
    }

    #[test]
    fn a_look_up_from_before_does_not_count_for_what_is_sent_again_before_it_is_told() {
        let by_hand = ByHand::default();
        let before = by_hand.redeliveries();
        by_hand.about_to_send_again();
        assert!(by_hand.lock().again_at_least > before);
        assert_eq!(by_hand.redeliveries(), by_hand.lock().again_at_least);
        assert!(!by_hand.take_revived().too_many, "nothing is read again");
    }

    #[test]
    fn only_the_latest_erasings_are_remembered() {
        let by_hand = ByHand::default();
        for number in 1..=10_001 {
            erase(&by_hand, &format!("cus_{number}"), number);
        }
        assert!(!is_erased(&by_hand, "cus_1", 1));
        assert!(is_erased(&by_hand, "cus_2", 2));
        assert!(is_erased(&by_hand, "cus_10001", 10_001));
        assert_eq!(by_hand.lock().erased.len(), MOST_ERASED);
    }
}
