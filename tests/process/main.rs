//! The executable as a process: killed, stopped, started again, misconfigured.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: a surprise ends the test"
)]

mod commands;
mod kill;
mod privacy;
mod stop;

#[path = "../support/support.rs"]
mod support;
