//! Brings deliveries to Quentli, one at a time for each customer, and records what became of them.

mod attempt;
mod backoff;
mod bindings;
mod breaker;
mod decision;
mod dispatcher;
mod effort;
mod intake;
mod lanes;
mod pace;
mod pause;
mod permits;
mod recorder;
mod seek;
mod settings;
mod share;
mod status;

pub use backoff::Backoff;
pub use decision::Policy;
pub use dispatcher::{Dispatcher, Parts};
pub use settings::Settings;
pub use status::{Handle, PauseReason, State, Status};
