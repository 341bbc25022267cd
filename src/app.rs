//! Builds all parts from the configuration and hands them to each other: the only place that knows every part.

mod duties;
mod facts;
mod following;
mod parts;
mod pauses;
mod reading;
mod reload;
mod running;

pub use parts::StartError;
pub use running::{App, Ended, start};

/// Whether a source that does not load keeps the gateway from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// It answers 503 while the others run.
    Lenient,
    Strict,
}
