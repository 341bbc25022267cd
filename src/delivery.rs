//! Brings deliveries to Quentli, one at a time for each customer, and records what became of them.

mod backoff;
mod bindings;
mod breaker;
mod decision;
mod lanes;
mod pace;
mod share;

pub use backoff::Backoff;
pub use decision::Policy;
