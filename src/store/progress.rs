//! How far a delivery has come, from the columns that say so, in any engine.

use std::time::Duration;

use super::decode::{self, Unreadable};
use crate::event::{DeliveryPos, NewerData, Redelivery};

/// The columns, as they stand in the table `delivery`.
pub(super) struct ProgressColumns {
    pub(super) attempts: u32,
    pub(super) spent: i64,
    pub(super) earlier_attempts: u32,
    pub(super) redelivered_at: Option<i64>,
    pub(super) overwrites: bool,
    pub(super) revision: u32,
    pub(super) place: Option<i64>,
}

/// What they mean.
pub(super) struct Progress {
    /// Since a person last had it sent again.
    pub(super) attempts: u32,
    pub(super) earlier_attempts: u32,
    pub(super) spent: Duration,
    pub(super) redelivery: Option<Redelivery>,
    pub(super) revision: u32,
    pub(super) counts_as_of: Option<DeliveryPos>,
}

impl ProgressColumns {
    pub(super) fn read(self) -> Result<Progress, Unreadable> {
        let newer = if self.overwrites {
            NewerData::Overwritten
        } else {
            NewerData::Kept
        };
        let redelivery = self
            .redelivered_at
            .map(|at| decode::time(at).map(|at| Redelivery { at, newer }))
            .transpose()?;
        Ok(Progress {
            attempts: self.attempts.saturating_sub(self.earlier_attempts),
            earlier_attempts: self.earlier_attempts,
            spent: decode::duration(self.spent)?,
            redelivery,
            revision: self.revision,
            counts_as_of: self.place.map(DeliveryPos),
        })
    }
}
