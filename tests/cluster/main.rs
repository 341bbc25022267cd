//! Several replicas as processes of their own, on one PostgreSQL, behind HAProxy, before a stand-in for Quentli.
//!
//! [`whatever_happens`] sends events while replicas are killed, stopped and continued, told to end and started again, and while
//! the database is restarted, crashes, loses connections and cannot be reached; at the end everything must be as a simple model says ([`judge`]).
//! `CLUSTER_SEED=n` makes the same troubles again (how the machine interleaves them differs), `CLUSTER_SECONDS=n` lets them
//! last longer, and with `QUENTLI_GATEWAY_PREVIOUS` replicas of an earlier release, an executable, take turns with those of this
//! one. The other modules try, one by one, what replicas tell each other.
//!
//! Without PostgreSQL's programs all of it is left out, aloud.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected may panic, also in the functions that tests share"
)]

mod chaos;
mod cluster;
mod database;
mod ending;
mod failover;
mod flow;
mod heard;
mod judge;
mod seen;
mod small;
mod spread;
mod traffic;
mod upgrade;
mod whatever_happens;
mod wire;

#[path = "../torture/account.rs"]
#[expect(dead_code, reason = "here the store is another one")]
mod account;
#[path = "../deploy/haproxy.rs"]
mod haproxy;
#[path = "../torture/item.rs"]
mod item;
#[path = "../torture/people.rs"]
#[expect(dead_code, reason = "here all people are there from the beginning")]
mod people;
#[path = "../deploy/program.rs"]
mod program;
#[path = "../../src/store/postgres/tests/server.rs"]
#[expect(dead_code, reason = "tests of the store use more of it")]
mod server;
#[path = "../torture/sources.rs"]
mod sources;
#[path = "../support/support.rs"]
mod support;

use program::{file, free_port, program};
