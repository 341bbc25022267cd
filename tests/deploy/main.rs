//! The files under `deploy/` with the programs they are for: a real HAProxy and a real nginx before real gateways, and alerts
//! and panels against the metrics that there are.
//!
//! Without such a program its tests are left out, aloud. What needs no gateway is checked by the scripts in `deploy/check`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests: a surprise ends the test"
)]

mod balancer;
mod haproxy;
mod metrics;
mod nginx;
mod program;

#[path = "../support/support.rs"]
mod support;

use program::{file, free_port, program};
