//! Logs and metrics: what the program tells about itself while it runs.
//!
//! Labels and fields come from closed sets (names of sources and organisations, words of enums, numbers). Payloads,
//! contact details, secrets and signatures never come here. This module knows the vocabulary and nothing else.

mod logs;
mod metrics;

pub use logs::{LogFormat, LogSettings, start_logs};
pub use metrics::{
    ApiCall, DirectoryState, HandshakeOutcome, LeftOut, Metrics, OrganisationState, ReloadPart,
    RequestResult,
};
