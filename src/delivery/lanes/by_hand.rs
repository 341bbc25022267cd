//! What people change of lanes: deliveries come back before others, and sources are stopped and started.

use std::time::Duration;

use super::{Lanes, Meanwhile, Queue, Standing};
use crate::event::{DeliveryPos, LaneKey, SourceName};

impl Lanes {
    /// Lanes in which only waits what a person had sent again.
    pub(in crate::delivery) fn redelivering(&self) -> usize {
        self.redeliver.len()
    }

    /// A person had a delivery sent again: it waits neither for its time nor for its customer, only for those before it.
    /// `queue` is [`Queue::Redeliver`] where nothing else waits in the lane.
    pub(in crate::delivery) fn revived(
        &mut self,
        lane: LaneKey,
        pos: DeliveryPos,
        due: Duration,
        queue: Queue,
    ) {
        match self.by_key.get(&lane).map(|lane| lane.head) {
            Some(head) if pos <= head => {
                if queue == Queue::Redeliver {
                    self.lower(lane);
                } else {
                    self.lift(lane);
                }
                self.overtake(lane, pos, due);
            }
            Some(_) | None => self.open(lane, pos, due, queue),
        }
    }

    /// The first of a lane was found to be sent again by a person and not tried since. Where an attempt is on its way it is
    /// being tried, or was before it was sent again and then comes at once.
    pub(in crate::delivery) fn found_again(
        &mut self,
        lane: LaneKey,
        pos: DeliveryPos,
        due: Duration,
        queue: Queue,
    ) {
        if self.in_flight.contains_key(&lane) {
            self.open(lane, pos, due, queue);
        } else {
            self.revived(lane, pos, due, queue);
        }
    }

    /// What a person had sent again while an attempt was on its way comes before the head that was tried, or is that
    /// and comes at once.
    pub(super) fn overtake_late(&mut self, lane: LaneKey, meanwhile: Meanwhile, now: Duration) {
        let Some(head) = self.by_key.get(&lane).map(|lane| lane.head) else {
            return;
        };
        let arrived = meanwhile.arrived.filter(|arrived| *arrived < head);
        let revived = meanwhile.revived.filter(|revived| *revived <= head);
        if let Some(first) = arrived.into_iter().chain(revived).min() {
            self.overtake(lane, first, now);
        }
    }

    /// The head of a lane in flight was not tried, since a person paused its source.
    pub(in crate::delivery) fn stop(&mut self, lane: LaneKey, source: SourceName, now: Duration) {
        let meanwhile = self.in_flight.remove(&lane).unwrap_or_default();
        self.customers.release(lane);
        self.update(lane, |lane| lane.standing = Standing::Stopped);
        self.stopped.insert(lane, source);
        self.overtake_late(lane, meanwhile, now);
    }

    /// Lanes whose head is of a paused source.
    pub(in crate::delivery) fn stopped(&self) -> usize {
        self.stopped.len()
    }

    /// A source is not paused any more.
    pub(in crate::delivery) fn started(&mut self, source: &SourceName, now: Duration) {
        for lane in self.stopped.take(source) {
            self.update(lane, |lane| lane.due = lane.due.min(now.into()));
            self.queue_again(lane);
        }
    }

    /// A delivery is put before the head of a lane, or is the head and waits no more.
    pub(super) fn overtake(&mut self, lane: LaneKey, pos: DeliveryPos, due: Duration) {
        let Some(known) = self.by_key.get(&lane).copied() else {
            return;
        };
        match known.standing {
            Standing::InFlight => {
                let meanwhile = self.in_flight.entry(lane).or_default();
                for earliest in [&mut meanwhile.arrived, &mut meanwhile.revived] {
                    *earliest = Some(earliest.map_or(pos, |earliest| earliest.min(pos)));
                }
                return;
            }
            Standing::Queued => self.dequeue(lane),
            Standing::Parked => drop(self.parked.remove(lane)),
            Standing::Stopped => self.stopped.remove(lane),
            Standing::Held => {
                self.update(lane, |lane| lane.head = pos);
                self.settle_customer_of(lane);
                return;
            }
        }
        self.update(lane, |lane| {
            lane.head = pos;
            lane.due = lane.due.min(due.into());
            lane.queue = lane.sends();
            lane.standing = Standing::Queued;
        });
        self.enqueue(lane);
    }

    /// Something newly accepted waits in a lane, or behind it.
    pub(super) fn lift(&mut self, lane: LaneKey) {
        self.sort(lane, false);
    }

    /// Nothing waits in a lane any more but what a person had sent again. In another lane of its customer there may be
    /// something new: such a one stays.
    fn lower(&mut self, lane: LaneKey) {
        if self.others_of(lane).is_empty() {
            self.sort(lane, true);
        }
    }

    fn sort(&mut self, lane: LaneKey, redelivered: bool) {
        let Some(known) = self.by_key.get(&lane).copied() else {
            return;
        };
        let is_queued = known.standing == Standing::Queued;
        if is_queued {
            self.dequeue(lane);
        }
        self.update(lane, |lane| {
            lane.redelivered = redelivered;
            if matches!(lane.queue, Queue::Send | Queue::Redeliver) {
                lane.queue = lane.sends();
            }
        });
        if is_queued {
            self.enqueue(lane);
        }
    }
}
