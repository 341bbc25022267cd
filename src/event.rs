//! The vocabulary of the journey: sources, events, items, updates, deliveries, attempts and their states.
//!
//! Everything here is plain data that any module may hold. Values whose existence is a proof (a checked name, a
//! key of the right length) have private fields and one fallible way in. This module knows no other module but
//! [`crate::customer`], does no I/O and reads no clock.

mod delivery;
mod key;
mod name;
mod operator;
mod update;

pub use delivery::{
    Attempt, AttemptOutcome, DEAD_REASONS, DeadReason, Delivery, DeliveryPos, DeliveryState, End,
    EventSeq, NewerData, OBSERVED, Redelivery,
};
pub use key::{DedupKey, DedupKeyBuilder, LaneKey, MappingHash};
pub use name::{InvalidName, InvalidReplicaName, OrganisationName, ReplicaName, SourceName};
pub use operator::{InvalidOperatorName, OperatorName};
pub use update::{Failure, ItemOutcome, Mapped, MappedItem, OrderBy, Update};
