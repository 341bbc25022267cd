//! The executable as a process: killed, stopped, started again, misconfigured.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: a surprise ends the test"
)]

mod audit;
mod backtest;
mod by_hand;
mod commands;
mod demo;
mod events;
mod explain;
mod first_load;
mod following;
mod kill;
mod migrate_store;
mod new;
mod presets;
mod privacy;
mod redeliver;
mod rejected;
mod reload;
mod removal;
mod send;
mod stop;
mod verify;

#[path = "../../src/store/postgres/tests/server.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod postgres;
#[path = "../support/schema.rs"]
mod schema;
#[path = "../support/support.rs"]
mod support;

use quentli_gateway::sandbox::Sandbox;

/// All that went to Quentli and came from it must fit the published schema.
fn fits_the_schema(sandbox: &Sandbox) {
    let mut exchanges = sandbox.exchanges();
    // Another test that waits for its gateway may still knock at a port that this sandbox was given.
    exchanges.retain(|exchange| exchange.path != "/ready");
    let problems = schema::Checker::new().problems(&exchanges);
    assert!(problems.is_empty(), "{problems:#?}");
}
