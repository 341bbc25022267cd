//! The typed client of Quentli's REST API: reads, finds, changes and creates customers, and says of each call what
//! became of it in words that `delivery` can decide on.
//!
//! It never retries, never follows a redirect, reads every answer through a cap, and decides nothing: whether to try
//! again is `delivery`'s business. It knows neither the store nor the mapping.
//!
//! Facts about the API: Quentli's OpenAPI document of 2026-08-05 and docs.quentli.com.

mod answer;

pub use answer::{CallError, CallErrorKind, Customer, Found};
