//! The index of all lanes with something open: which delivery heads each, when it is due, whose turn it is.
//!
//! It holds some tens of bytes for a lane and nothing of its patches, so a million waiting deliveries fit. The store
//! is the truth about what a lane holds; the index may be wrong about a head's position and nothing worse follows
//! than an attempt that finds out.
//!
//! **Turns.** Lanes are served in the order in which they became due, and a lane whose head ended goes behind those
//! that are due already, so a long lane keeps nobody waiting. Lanes stand in three queues: those whose head can
//! probably be sent, those whose customer must be looked up first, and those whose customer was not there the last
//! time. While several queues wait, each lesser one gets one turn in five.
//!
//! **Customers.** Two lanes can lead to the same customer, one by username and one by e-mail address. From the moment
//! that is known they are *bound* and behave as one: only the lane with the earliest head may *claim* the customer,
//! one at a time, and the others are *held* until it is their turn.

mod customers;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use self::customers::Customers;
use super::share::Share;
use crate::{
    customer::CustomerId,
    event::{DeliveryPos, LaneKey},
};

/// Which queue a lane stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Nothing is known against sending its head.
    Send,
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
    look: BTreeSet<Place>,
    look_again: BTreeSet<Place>,
    /// Lanes with an attempt on its way, with what arrived in them meanwhile.
    in_flight: HashMap<LaneKey, Option<DeliveryPos>>,
    customers: Customers,
    looks: Share,
    repeated_looks: Share,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    head: DeliveryPos,
    due: Millis,
    queue: Queue,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Queued,
    InFlight,
    /// Until the earlier lanes of the same customer are through.
    Held,
}

/// Half the size of a `Duration`. Rounded up, so that nothing is due too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Millis(u64);

/// In the order of service.
type Place = (Millis, DeliveryPos, LaneKey);

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
            look: BTreeSet::new(),
            look_again: BTreeSet::new(),
            in_flight: HashMap::new(),
            customers: Customers::default(),
            looks: Share::one_in(5),
            repeated_looks: Share::one_in(5),
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

    /// A delivery is open in a lane: found in the store at start or by a sweep, or newly arrived. `looking` is
    /// whether its customer was not found before.
    pub(super) fn open(&mut self, lane: LaneKey, pos: DeliveryPos, due: Duration, looking: bool) {
        let Some(known) = self.by_key.get(&lane) else {
            let queue = if looking {
                Queue::LookAgain
            } else {
                Queue::Send
            };
            self.by_key.insert(
                lane,
                Lane {
                    head: pos,
                    due: due.into(),
                    queue,
                    standing: Standing::Queued,
                },
            );
            self.enqueue(lane);
            return;
        };
        let is_earlier = pos < known.head;
        match known.standing {
            Standing::InFlight => {
                let arrived = self.in_flight.entry(lane).or_default();
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
            Standing::Queued | Standing::Held => {}
        }
    }

    /// When the next lane is due; `None` when none is queued.
    pub(super) fn next_due(&self) -> Option<Duration> {
        [&self.send, &self.look, &self.look_again]
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
        let queue = if sends && !(looks && self.looks.is_lessers_turn()) {
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
        self.in_flight.insert(lane, None);
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
            if self.by_key.contains_key(sibling) && self.customers.of(*sibling).is_none() {
                self.bind(*sibling, customer);
                self.no_longer_missing(*sibling, now);
            }
        }
        self.first_of(customer) == Some(lane) && self.customers.claim(lane)
    }

    /// The head of a lane in flight ended or is dead; `next` is what the store then showed behind it.
    pub(super) fn ended(&mut self, lane: LaneKey, next: Option<DeliveryPos>, now: Duration) {
        let arrived = self.in_flight.remove(&lane).flatten();
        let head = match (next, arrived) {
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
            lane.queue = Queue::Send;
        });
        self.queue_again(lane);
    }

    /// The head of a lane in flight is to be tried again at `due`; `looking`: because its customer was not found.
    pub(super) fn later(&mut self, lane: LaneKey, due: Duration, looking: bool) {
        self.in_flight.remove(&lane);
        self.update(lane, |lane| {
            lane.due = due.into();
            lane.queue = if looking {
                Queue::LookAgain
            } else {
                Queue::Send
            };
        });
        if looking {
            self.unbind(lane);
        }
        self.queue_again(lane);
    }

    /// The head of a lane in flight was not tried, since its customer must be looked up first.
    pub(super) fn needs_look(&mut self, lane: LaneKey) {
        self.in_flight.remove(&lane);
        // Else every fourth of many unknown customers would take a turn from those behind them.
        self.looks.give_back();
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
        self.settle_customer_of(lane);
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
