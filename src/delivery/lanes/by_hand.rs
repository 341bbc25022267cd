//! What people change of lanes: deliveries come back before others, and sources are stopped and started.

use std::time::Duration;

use super::{Lanes, Meanwhile, Queue, Standing};
use crate::event::{DeliveryPos, LaneKey, SourceName};

impl Lanes {
    /// Lanes in which only waits what a person had sent again.
    pub(in crate::delivery) fn redelivering(&self) -> usize {
        self.redeliver.len()
    }

    /// What a person had sent again while an attempt was on its way comes before the head that was tried.
    pub(super) fn overtake_late(&mut self, lane: LaneKey, meanwhile: Meanwhile, now: Duration) {
        let head = self.by_key.get(&lane).map(|lane| lane.head);
        if let Some((arrived, head)) = meanwhile.arrived.zip(head)
            && arrived < head
        {
            self.overtake(lane, arrived, now);
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

    /// A delivery is put before the head of a lane.
    pub(super) fn overtake(&mut self, lane: LaneKey, pos: DeliveryPos, due: Duration) {
        let Some(known) = self.by_key.get(&lane).copied() else {
            return;
        };
        match known.standing {
            Standing::InFlight => {
                let arrived = &mut self.in_flight.entry(lane).or_default().arrived;
                *arrived = Some(arrived.map_or(pos, |earliest| earliest.min(pos)));
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
        let Some(known) = self.by_key.get(&lane).copied() else {
            return;
        };
        let is_queued = known.standing == Standing::Queued;
        if is_queued {
            self.dequeue(lane);
        }
        self.update(lane, |lane| {
            lane.redelivered = false;
            if lane.queue == Queue::Redeliver {
                lane.queue = Queue::Send;
            }
        });
        if is_queued {
            self.enqueue(lane);
        }
    }
}
