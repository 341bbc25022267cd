//! Tells somebody outside when a person is needed, and when the trouble is over: a small JSON, posted to an address.
//!
//! A task of its own [looks](Look) now and then at what the gateway knows of itself anyway, compares it with what was told
//! ([`book`]), and posts the difference. So nothing waits for it and nothing can fill up: what could not be posted is simply
//! still a difference at the next try. What was told is kept in a file of the data directory, so that a restart does not
//! tell it again.
//!
//! Nothing that is posted is personal: kinds, counts, times, and names that stand in files.

mod book;
mod message;
mod post;
mod watcher;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

pub use self::{
    book::Kind,
    post::{PostError, Poster},
    watcher::{Look, Notifications, Notifier},
};
use crate::event::{OrganisationName, SourceName};

/// Where and of what somebody is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Encrypted, or on this machine. May itself be a secret: chats have addresses that nobody else knows.
    pub url: SecretUrl,
    /// Signs what is posted, in the way of Standard Webhooks.
    pub secret: Option<SecretString>,
    /// How old the oldest waiting delivery may be.
    pub oldest_waiting: Duration,
    /// How long nothing may come from a source.
    pub silent: BTreeMap<SourceName, Duration>,
}

/// An address that is not shown.
#[derive(Clone)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// `url` is encrypted, or on this machine.
    pub const fn new(url: Url) -> Self {
        Self(url)
    }

    /// The part that is no secret.
    pub fn shown(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        format!("{}://{host}/…", self.0.scheme())
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

/// How the gateway stands, as far as somebody is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Organisations whose key is refused, since when.
    pub keys_refused: Vec<(OrganisationName, Timestamp)>,
    /// When the oldest waiting delivery of each organisation was accepted.
    pub oldest_waiting: Vec<(OrganisationName, Timestamp)>,
    /// Deliveries that a person must look at; nothing where the store cannot be asked.
    pub dead: Option<u64>,
    /// Secrets and certificates that end, by source and name.
    pub secret_ends: Vec<(SourceName, String, Timestamp)>,
    /// How many requests came from each source so far; only grows.
    pub requests: BTreeMap<SourceName, u64>,
    /// Whether nothing can be accepted.
    pub is_full: bool,
}

#[cfg(test)]
mod tests;
