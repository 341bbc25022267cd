//! Which delivery an attempt took, as far as what became of it must know it again. For any engine.

use jiff::Timestamp;

use super::{Bury, Finish, Retry};
use crate::event::{Attempt, DeliveryPos};

#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    pub(super) pos: DeliveryPos,
    pub(super) accepted_at: Timestamp,
    pub(super) revision: u32,
    /// If one was made.
    pub(super) attempt: Option<&'a Attempt>,
}

impl<'a> From<&'a Finish> for Taken<'a> {
    fn from(finish: &'a Finish) -> Self {
        Self {
            pos: finish.pos,
            accepted_at: finish.accepted_at,
            revision: finish.revision,
            attempt: finish.attempt.as_ref(),
        }
    }
}

impl<'a> From<&'a Retry> for Taken<'a> {
    fn from(retry: &'a Retry) -> Self {
        Self {
            pos: retry.pos,
            accepted_at: retry.accepted_at,
            revision: retry.revision,
            attempt: Some(&retry.attempt),
        }
    }
}

impl<'a> From<&'a Bury> for Taken<'a> {
    fn from(bury: &'a Bury) -> Self {
        Self {
            pos: bury.pos,
            accepted_at: bury.accepted_at,
            revision: bury.revision,
            attempt: bury.attempt.as_ref(),
        }
    }
}
