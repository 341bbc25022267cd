//! The index of all lanes with something open: which delivery heads each, when it is due, whose turn it is.
//!
//! It holds some tens of bytes for a lane and nothing of its patches, so a million waiting deliveries fit. The store
//! is the truth about what a lane holds; the index may be wrong about a head's position and nothing worse follows
//! than an attempt that finds out.
//!
//! **Turns.** Lanes are served in the order in which they became due, and a lane whose head ended goes behind those
//! that are due already, so a long lane keeps nobody waiting. Lanes stand in four queues: those whose head can
//! probably be sent, those whose customer must be looked up first, those whose customer was not there the last
//! time, and those in which only waits what a person had sent again. While several queues wait, each lesser one gets
//! one turn in five.
//!
//! **Redelivered.** A lane leaves the queue of the redelivered as soon as something newly accepted waits in it, or in
//! another lane of its customer: that would wait for thousands of others otherwise. Turns hold back the whole of them;
//! what is sent again shares the rate with nobody but by its turns.
//!
//! **Stopped.** A lane whose head is of a source that a person paused has no turn until that ends. Its customer's other
//! lanes are held behind it, where they are known to be.
//!
//! **Customers.** Two lanes can lead to the same customer, one by username and one by e-mail address. From the moment
//! that is known they are *bound* and behave as one: only the lane with the earliest head may *claim* the customer,
//! one at a time, and the others are *held* until it is their turn.
//!
//! **The directory.** A lane whose customer only a scan of all customers can tell is *parked* until that scan is
//! through, or somebody turns up to whom it may lead. It is bound to nobody meanwhile, so it holds nobody up.

mod by_hand;
mod customers;
mod parked;
mod stopped;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use self::{customers::Customers, parked::Parked, stopped::Stopped};
use super::{directory::ScanNumber, share::Share};
use crate::{
    customer::CustomerId,
    event::{DeliveryPos, LaneKey},
};

/// Most lanes besides its own that a batch is taken from: a customer has a handful of keys.
const OTHERS: usize = 8;

/// Which queue a lane stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Nothing is known against sending its head.
    Send,
    /// The same, and a person had it sent again.
    Redeliver,
    /// Its head's customer must be looked up.
    Look,
    /// Its head's customer was not found.
    LookAgain,
}

/// A lane whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) lane: LaneKey,
    /// The head as far as the index knows.
    pub(super) head: DeliveryPos,
    /// Whether the customer may be looked up in this turn. If not, and it must be, the lane goes to its queue.
    pub(super) may_look: bool,
}

/// What is open, and whose turn it is. Times are [`Clock::elapsed`](crate::clock::Clock::elapsed).
#[derive(Debug)]
pub(super) struct Lanes {
    by_key: HashMap<LaneKey, Lane>,
    send: BTreeSet<Place>,
    redeliver: BTreeSet<Place>,
    look: BTreeSet<Place>,
    look_again: BTreeSet<Place>,
    /// Lanes with an attempt on its way, with what happened meanwhile.
    in_flight: HashMap<LaneKey, Meanwhile>,
    parked: Parked,
    stopped: Stopped,
    customers: Customers,
    looks: Share,
    repeated_looks: Share,
    redeliveries: Share,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    head: DeliveryPos,
    due: Millis,
    queue: Queue,
    standing: Standing,
    /// Nothing is known to wait in it but what a person had sent again.
    redelivered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Queued,
    InFlight,
    /// Until the earlier lanes of the same customer are through.
    Held,
    /// Until the directory can tell its customer.
    Parked,
    /// Until the source of its head is not paused any more.
    Stopped,
}

/// What happened while an attempt was on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Meanwhile {
    /// The earliest delivery that arrived, or that a person had sent again.
    arrived: Option<DeliveryPos>,
    /// The earliest that a person had sent again, be it the one that is being tried.
    revived: Option<DeliveryPos>,
    /// Somebody turned up to whom the lane may lead.
    has_appeared: bool,
}

/// Half the size of a `Duration`. Rounded up, so that nothing is due too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Millis(u64);

/// In the order of service.
type Place = (Millis, DeliveryPos, LaneKey);

impl Lane {
    /// The queue for a head against which nothing is known.
    const fn sends(&self) -> Queue {
        if self.redelivered {
            Queue::Redeliver
        } else {
            Queue::Send
        }
    }
}

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        let up = duration.saturating_add(Duration::from_nanos(999_999));
        Self(u64::try_from(up.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            send: BTreeSet::new(),
            redeliver: BTreeSet::new(),
            look: BTreeSet::new(),
            look_again: BTreeSet::new(),
            in_flight: HashMap::new(),
            parked: Parked::default(),
            stopped: Stopped::default(),
            customers: Customers::default(),
            looks: Share::one_in(5),
            repeated_looks: Share::one_in(5),
            redeliveries: Share::one_in(5),
        }
    }
}

impl Lanes {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Lanes whose head's customer was not found the last time.
    pub(super) fn looking(&self) -> usize {
        self.look_again.len()
    }

    /// Lanes that wait for the directory.
    pub(super) fn parked(&self) -> usize {
        self.parked.len()
    }

    /// A delivery is open in a lane: found in the store at start or by a sweep, newly arrived, or sent again by a
    /// person. `queue` is [`Queue::LookAgain`] where its customer was not found before.
    pub(super) fn open(&mut self, lane: LaneKey, pos: DeliveryPos, due: Duration, queue: Queue) {
        let redelivered = queue == Queue::Redeliver;
        let Some(known) = self.by_key.get(&lane) else {
            self.by_key.insert(
                lane,
                Lane {
                    head: pos,
                    due: due.into(),
                    queue,
                    standing: Standing::Queued,
                    redelivered,
                },
            );
            self.enqueue(lane);
            return;
        };
        let is_earlier = pos < known.head;
        if known.redelivered && !redelivered {
            self.lift(lane);
        } else if redelivered && is_earlier {
            // It waits neither for the time nor for the customer of those behind it.
            self.overtake(lane, pos, due);
            return;
        }
        let Some(known) = self.by_key.get(&lane) else {
            return;
        };
        match known.standing {
            Standing::InFlight => {
                let arrived = &mut self.in_flight.entry(lane).or_default().arrived;
                *arrived = Some(arrived.map_or(pos, |earliest| earliest.min(pos)));
            }
            Standing::Queued if is_earlier => {
                self.dequeue(lane);
                self.update(lane, |lane| lane.head = pos);
                self.enqueue(lane);
            }
            Standing::Held if is_earlier => {
                self.update(lane, |lane| lane.head = pos);
                self.settle_customer_of(lane);
            }
            Standing::Parked if is_earlier => self.update(lane, |lane| lane.head = pos),
            // Its source may be another.
            Standing::Stopped if is_earlier => self.overtake(lane, pos, due),
            Standing::Queued | Standing::Held | Standing::Parked | Standing::Stopped => {}
        }
    }

    /// When the next lane is due; `None` when none is queued.
    pub(super) fn next_due(&self) -> Option<Duration> {
        [&self.send, &self.redeliver, &self.look, &self.look_again]
            .into_iter()
            .filter_map(BTreeSet::first)
            .map(|(due, ..)| Duration::from_millis(due.0))
            .min()
    }

    /// The lane whose turn it is now; it is in flight from here until one of the methods below ends its turn.
    pub(super) fn next(&mut self, now: Duration) -> Option<Turn> {
        let is_due = |queue: &BTreeSet<Place>| {
            queue
                .first()
                .is_some_and(|(due, ..)| Duration::from_millis(due.0) <= now)
        };
        let sends = is_due(&self.send);
        let first_looks = is_due(&self.look);
        let repeated_looks = is_due(&self.look_again);
        let looks = first_looks || repeated_looks;
        let redelivers = is_due(&self.redeliver);
        let others = sends || looks;
        let queue = if redelivers && (!others || self.redeliveries.is_lessers_turn()) {
            Queue::Redeliver
        } else if sends && !(looks && self.looks.is_lessers_turn()) {
            Queue::Send
        } else if first_looks && !(repeated_looks && self.repeated_looks.is_lessers_turn()) {
            Queue::Look
        } else if repeated_looks {
            Queue::LookAgain
        } else {
            return None;
        };
        let (_, head, lane) = self.queue(queue).pop_first()?;
        self.update(lane, |lane| lane.standing = Standing::InFlight);
        self.in_flight.insert(lane, Meanwhile::default());
        Some(Turn {
            lane,
            head,
            may_look: queue != Queue::Send || !is_due(&self.send),
        })
    }

    /// Asks for the customer on behalf of a lane in flight, whose head is `head`. `siblings` are other lanes that
    /// are known to lead to the same customer. `true`: no request for this customer is on its way, none may leave
    /// before the turn of this lane ends, and nothing accepted earlier waits in a lane that is known to be the
    /// customer's. `false`: it is not this lane's turn; end it with [`Lanes::hold`].
    pub(super) fn claim(
        &mut self,
        lane: LaneKey,
        head: DeliveryPos,
        customer: &CustomerId,
        siblings: &[LaneKey],
        now: Duration,
    ) -> bool {
        self.update(lane, |lane| lane.head = head);
        self.bind(lane, customer);
        for sibling in siblings {
            let is_waiting = self
                .by_key
                .get(sibling)
                .is_some_and(|lane| lane.standing != Standing::Parked);
            if is_waiting && self.customers.of(*sibling).is_none() {
                self.bind(*sibling, customer);
                self.no_longer_missing(*sibling, now);
            }
        }
        self.first_of(customer) == Some(lane) && self.customers.claim(lane)
    }

    /// Some of the other lanes that are bound to the customer of this one.
    pub(super) fn others_of(&self, lane: LaneKey) -> Vec<LaneKey> {
        let customer = self.customers.of(lane);
        let lanes = customer.map_or(&[][..], |customer| self.customers.lanes(customer));
        let others = lanes.iter().copied().filter(|other| *other != lane);
        others.take(OTHERS).collect()
    }

    /// The head of a lane in flight ended or is dead; `next` is what the store then showed behind it.
    pub(super) fn ended(&mut self, lane: LaneKey, next: Option<DeliveryPos>, now: Duration) {
        let meanwhile = self.in_flight.remove(&lane).unwrap_or_default();
        let head = match (next, meanwhile.arrived) {
            (Some(next), Some(arrived)) => next.min(arrived),
            (Some(pos), None) | (None, Some(pos)) => pos,
            (None, None) => {
                self.by_key.remove(&lane);
                self.unbind(lane);
                return;
            }
        };
        self.update(lane, |lane| {
            lane.head = head;
            lane.due = now.into();
            lane.queue = lane.sends();
        });
        self.queue_again(lane);
    }

    /// The head of a lane in flight is to be tried again at `due`; `looking`: because its customer was not found.
    pub(super) fn later(&mut self, lane: LaneKey, due: Duration, looking: bool, now: Duration) {
        let meanwhile = self.in_flight.remove(&lane).unwrap_or_default();
        self.update(lane, |lane| {
            lane.due = due.into();
            lane.queue = if looking {
                Queue::LookAgain
            } else {
                lane.sends()
            };
        });
        if looking {
            self.unbind(lane);
        }
        self.queue_again(lane);
        if looking && meanwhile.has_appeared {
            self.no_longer_missing(lane, now);
        }
        self.overtake_late(lane, meanwhile, now);
    }

    /// The head of a lane in flight was not tried, since only this scan, or a later one, can tell its customer.
    pub(super) fn park(&mut self, lane: LaneKey, until: ScanNumber, now: Duration) {
        let meanwhile = self.in_flight.remove(&lane).unwrap_or_default();
        if meanwhile.has_appeared {
            self.look_now(lane, now);
            return;
        }
        self.customers.release(lane);
        self.unbind(lane);
        self.update(lane, |lane| lane.standing = Standing::Parked);
        self.parked.insert(lane, until);
    }

    /// A scan is through: whoever waited for it is looked at again.
    pub(super) fn scanned(&mut self, scan: ScanNumber, now: Duration) {
        for lane in self.parked.take_until(scan) {
            self.look_now(lane, now);
        }
    }

    /// What the directory can tell is not what it was: all who wait for it ask again.
    pub(super) fn ask_again(&mut self, now: Duration) {
        for lane in self.parked.take_all() {
            self.look_now(lane, now);
        }
    }

    /// Somebody turned up to whom a lane may lead. Does nothing to a lane that is not missing anybody.
    pub(super) fn appeared(&mut self, lane: LaneKey, now: Duration) {
        if self.parked.remove(lane) {
            self.look_now(lane, now);
        } else if let Some(meanwhile) = self.in_flight.get_mut(&lane) {
            meanwhile.has_appeared = true;
        } else {
            self.no_longer_missing(lane, now);
        }
    }

    /// Whether the customer of its head was not found, or that is being found out now.
    pub(super) fn may_miss_somebody(&self, lane: LaneKey) -> bool {
        self.by_key.get(&lane).is_some_and(|known| {
            known.queue == Queue::LookAgain || known.standing == Standing::InFlight
        })
    }

    /// A lane that stands in no queue is looked at as soon as it is its turn.
    fn look_now(&mut self, lane: LaneKey, now: Duration) {
        self.update(lane, |lane| {
            lane.queue = Queue::Look;
            lane.due = lane.due.min(now.into());
        });
        self.queue_again(lane);
    }

    /// The head of a lane in flight was not tried, since its customer must be looked up first.
    pub(super) fn needs_look(&mut self, lane: LaneKey) {
        self.in_flight.remove(&lane);
        // Else every fourth of many unknown customers would take a turn from those behind them.
        self.looks.give_back();
        self.redeliveries.give_back();
        self.update(lane, |lane| lane.queue = Queue::Look);
        self.queue_again(lane);
    }

    /// The head of a lane in flight was not tried, through no fault of its own.
    pub(super) fn given_back(&mut self, lane: LaneKey) {
        self.in_flight.remove(&lane);
        self.queue_again(lane);
    }

    /// A lane in flight is left alone until `due`, through no fault of its head.
    pub(super) fn set_aside(&mut self, lane: LaneKey, due: Duration) {
        self.in_flight.remove(&lane);
        self.update(lane, |lane| lane.due = due.into());
        self.queue_again(lane);
    }

    /// The customer whom a lane in flight is at work on.
    pub(super) fn claimed_by(&self, lane: LaneKey) -> Option<&CustomerId> {
        let customer = self.customers.of(lane)?;
        (self.customers.claimant(customer) == Some(lane)).then_some(customer)
    }

    /// The head of a lane in flight waits until the earlier ones of the same customer are through.
    pub(super) fn hold(&mut self, lane: LaneKey) {
        self.in_flight.remove(&lane);
        self.update(lane, |lane| lane.standing = Standing::Held);
        // It may have claimed the customer before an earlier head turned up.
        self.customers.release(lane);
        self.settle_customer_of(lane);
        // It does not wait for those who wait with the first of its customer.
        let is_new = self.by_key.get(&lane).is_some_and(|lane| !lane.redelivered);
        if is_new && let Some(first) = self.customers.of(lane).and_then(|of| self.first_of(of)) {
            self.lift(first);
        }
    }

    fn queue_again(&mut self, lane: LaneKey) {
        self.update(lane, |lane| lane.standing = Standing::Queued);
        self.enqueue(lane);
        self.customers.release(lane);
        self.settle_customer_of(lane);
    }

    fn bind(&mut self, lane: LaneKey, customer: &CustomerId) {
        if let Some(before) = self.customers.bind(lane, customer) {
            self.settle(&before);
        }
    }

    fn unbind(&mut self, lane: LaneKey) {
        if let Some(customer) = self.customers.unbind(lane) {
            self.settle(&customer);
        }
    }

    /// The lane of a customer whose head is the earliest.
    fn first_of(&self, customer: &CustomerId) -> Option<LaneKey> {
        self.customers
            .lanes(customer)
            .iter()
            .filter_map(|lane| Some((self.by_key.get(lane)?.head, *lane)))
            .min()
            .map(|(_, lane)| lane)
    }

    fn settle_customer_of(&mut self, lane: LaneKey) {
        if let Some(customer) = self.customers.of(lane).cloned() {
            self.settle(&customer);
        }
    }

    /// Frees the customer's first lane if it is held and nobody is at work on the customer.
    fn settle(&mut self, customer: &CustomerId) {
        if self.customers.claimant(customer).is_some() {
            return;
        }
        if let Some(first) = self.first_of(customer)
            && self
                .by_key
                .get(&first)
                .is_some_and(|lane| lane.standing == Standing::Held)
        {
            self.update(first, |lane| lane.standing = Standing::Queued);
            self.enqueue(first);
        }
    }

    /// A lane whose customer was not found, and who now turned up through another lane, is looked at now.
    fn no_longer_missing(&mut self, lane: LaneKey, now: Duration) {
        let is_missing = self.by_key.get(&lane).is_some_and(|lane| {
            lane.queue == Queue::LookAgain && lane.standing == Standing::Queued
        });
        if is_missing {
            self.dequeue(lane);
            self.update(lane, |lane| {
                lane.queue = Queue::Look;
                lane.due = lane.due.min(now.into());
            });
            self.enqueue(lane);
        }
    }

    fn update(&mut self, lane: LaneKey, change: impl FnOnce(&mut Lane)) {
        let known = self.by_key.get_mut(&lane);
        debug_assert!(
            known.is_some(),
            "a lane has a turn only while it is in the index"
        );
        if let Some(known) = known {
            change(known);
        }
    }

    fn queue(&mut self, queue: Queue) -> &mut BTreeSet<Place> {
        match queue {
            Queue::Send => &mut self.send,
            Queue::Redeliver => &mut self.redeliver,
            Queue::Look => &mut self.look,
            Queue::LookAgain => &mut self.look_again,
        }
    }

    fn enqueue(&mut self, lane: LaneKey) {
        if let Some(&Lane {
            head, due, queue, ..
        }) = self.by_key.get(&lane)
        {
            self.queue(queue).insert((due, head, lane));
        }
    }

    fn dequeue(&mut self, lane: LaneKey) {
        if let Some(&Lane {
            head, due, queue, ..
        }) = self.by_key.get(&lane)
        {
            self.queue(queue).remove(&(due, head, lane));
        }
    }
}

#[cfg(test)]
mod tests;
