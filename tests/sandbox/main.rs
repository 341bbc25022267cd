//! The client of Quentli and the sandbox, against each other and over real connections.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as expected"
)]

mod calls;
mod control;
mod faults;
mod foreign;
mod proxy;
mod support;

#[path = "../support/schema.rs"]
mod schema;
