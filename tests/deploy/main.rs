//! The files under `deploy/` with the programs they are for: a real HAProxy before real gateways, and alerts and panels
//! against the metrics that there are.
//!
//! Without HAProxy its tests are left out, aloud. What needs no gateway is checked by the scripts in `deploy/check`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests: a surprise ends the test"
)]

mod balancer;
mod haproxy;
mod metrics;

#[path = "../support/support.rs"]
mod support;

/// The text of a file of the project.
fn file(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}
