//! Which lanes are known to lead to the same customer, and which of them is at work on it.

use std::collections::HashMap;

use crate::{customer::CustomerId, event::LaneKey};

/// The lanes that are bound to a customer. Holds nothing of the lanes whose customer is not known yet.
#[derive(Debug, Default)]
pub(super) struct Customers {
    of_lane: HashMap<LaneKey, CustomerId>,
    bound: HashMap<CustomerId, Bound>,
}

#[derive(Debug, Default)]
struct Bound {
    lanes: Vec<LaneKey>,
    claimed_by: Option<LaneKey>,
}

impl Customers {
    /// The customer of a lane.
    pub(super) fn of(&self, lane: LaneKey) -> Option<&CustomerId> {
        self.of_lane.get(&lane)
    }

    /// The lanes of a customer.
    pub(super) fn lanes(&self, customer: &CustomerId) -> &[LaneKey] {
        self.bound
            .get(customer)
            .map_or(&[], |bound| bound.lanes.as_slice())
    }

    /// Binds a lane; gives the other customer it was bound to before.
    pub(super) fn bind(&mut self, lane: LaneKey, customer: &CustomerId) -> Option<CustomerId> {
        if self.of(lane) == Some(customer) {
            return None;
        }
        let before = self.unbind(lane);
        self.of_lane.insert(lane, customer.clone());
        let bound = self.bound.entry(customer.clone()).or_default();
        bound.lanes.push(lane);
        before
    }

    /// Unbinds a lane, which gives up its claim; gives the customer it was bound to.
    pub(super) fn unbind(&mut self, lane: LaneKey) -> Option<CustomerId> {
        self.release(lane);
        let customer = self.of_lane.remove(&lane)?;
        if let Some(bound) = self.bound.get_mut(&customer) {
            bound.lanes.retain(|other| *other != lane);
            if bound.lanes.is_empty() {
                self.bound.remove(&customer);
            }
        }
        Some(customer)
    }

    /// Claims the customer of a bound lane, unless another lane has.
    pub(super) fn claim(&mut self, lane: LaneKey) -> bool {
        let Some(bound) = self.bound_of(lane) else {
            return false;
        };
        *bound.claimed_by.get_or_insert(lane) == lane
    }

    /// Gives up the claim of a lane, where it has one.
    pub(super) fn release(&mut self, lane: LaneKey) {
        if let Some(bound) = self.bound_of(lane) {
            bound.claimed_by.take_if(|claimant| *claimant == lane);
        }
    }

    /// The lane that has claimed a customer.
    pub(super) fn claimant(&self, customer: &CustomerId) -> Option<LaneKey> {
        self.bound.get(customer)?.claimed_by
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.of_lane.is_empty() && self.bound.is_empty()
    }

    fn bound_of(&mut self, lane: LaneKey) -> Option<&mut Bound> {
        let customer = self.of_lane.get(&lane)?;
        self.bound.get_mut(customer)
    }
}
