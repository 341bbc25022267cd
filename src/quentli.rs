//! The typed client of Quentli's REST API: reads, finds, changes and creates customers, and says of each call what
//! became of it in words that `delivery` can decide on.
//!
//! It never retries, never follows a redirect, reads every answer through a cap, and decides nothing: whether to try
//! again is `delivery`'s business. It knows neither the store nor the mapping.
//!
//! **What counts as done.** A change or creation is done only when a 2xx answer holds `customer.id`, for a change
//! that of the customer asked for. Anything else that looks like success (a login page of a captive portal, an empty
//! 204, somebody else's record) is [`CallErrorKind::NotQuentli`]. In the same spirit a 404 is believed only in
//! Quentli's own form, an object `error`: a server that does not know the path at all also answers 404, and would
//! make every customer look deleted.
//!
//! **Proxies.** The usual environment variables (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) are honoured, since in many
//! networks there is no other way out; calls go through it inside TLS, so that the proxy sees the host name only.
//! Calls to loopback never go through a proxy.
//!
//! Facts about the API: Quentli's OpenAPI document of 2026-08-05 and docs.quentli.com.

mod answer;
mod base_url;
mod call;
mod client;
mod creation;
mod retry_after;
mod search;

pub use answer::{CallError, CallErrorKind, Customer, Found};
pub use base_url::{BaseUrl, InvalidBaseUrl, check_secure};
pub use client::{Client, ClientError, ClientSettings, KeyNumber, UpdateRequest};
pub use creation::Creation;
pub use search::Search;
