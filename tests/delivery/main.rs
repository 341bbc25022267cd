//! The dispatcher against the sandbox and a store on disk: what reaches Quentli, when, and what is written down.
//!
//! Time is driven by hand, so that hours of waiting pass in moments; answers and commits take the time they take, so
//! that tests wait for states and never for time.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected may panic, also in the functions that tests share"
)]

mod ahead;
mod backlog;
mod by_hand;
mod contact;
mod customers;
mod directory;
mod echoes;
mod fairness;
mod log;
mod merging;
mod order;
mod outage;
mod outcomes;
mod restart;
mod support;
mod terms;
mod unchanged;

#[path = "../support/schema.rs"]
mod schema;
