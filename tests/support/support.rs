//! What the tests of the whole program share: the real executable with files of its own, a sandbox for Quentli, and
//! waiting for states.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "support of tests: a surprise ends the test"
)]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test binary uses a part of it"
)]

pub(crate) mod children;
pub(crate) mod executable;
pub(crate) mod school;

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

/// How long a state may take to come. Long, because these machines are shared; a test that passes never waits it out.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Looks until `look` gives a value; ends the test with what was seen last.
pub(crate) async fn until<T, S: std::fmt::Debug>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, S>,
) -> T {
    let started = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => {
                assert!(
                    started.elapsed() < PATIENCE,
                    "waited {PATIENCE:?} for {what}; last seen: {seen:?}"
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// The seed of a random test: a new one, or that of the variable, so that a failure can be run again.
pub(crate) fn seed(variable: &str) -> u64 {
    let seed = std::env::var(variable)
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    eprintln!("seed: run again with {variable}={seed}");
    seed
}

/// A number that a variable may change, such as how often something is tried.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Says aloud that a test was left out, and why; `./test` gathers the lines.
pub(crate) fn left_out(test: &str, reason: &str) {
    eprintln!("LEFT OUT: {test}: {reason}");
    if let Some(list) = std::env::var_os("QUENTLI_GATEWAY_SKIPPED") {
        let mut list = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(list)
            .unwrap();
        writeln!(list, "{test}: {reason}").unwrap();
    }
}
