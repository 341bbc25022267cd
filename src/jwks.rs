//! Keeps the public keys that senders publish (JWK sets, RFC 7517) at hand: fetched in the background when a source
//! that needs them is loaded, and again before they grow old.
//!
//! Verifying never waits for the network: it sees whatever set was fetched last. What this module promises around it:
//!
//! - A set that was fetched stays in use until another one was fetched, however long the key server is away.
//! - A token with a key that nobody has seen makes the set be fetched again, once for all requests that wait, and at
//!   most once in [`REST`]; whoever waits does so for at most [`PATIENCE`]. So nobody can make us flood a key server.
//! - What a key server answers is bounded in size and time, and leads to no other server.
//! - Each address is fetched by one task, however many sources name it; one that no source names any more is not
//!   fetched any more.
//!
//! It decides nothing about requests.

mod fetch;
mod keeper;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinSet;
use url::Url;

pub use self::fetch::FetchError;
use self::{fetch::Client, keeper::Keeper};
use crate::{
    clock::Clock,
    event::SourceName,
    source::Set,
    telemetry::Metrics,
    verify::{KeySet, KeySetPlace},
};

/// Between two fetches that requests ask for.
pub const REST: Duration = Duration::from_secs(30);

/// How long a request waits for a fetch.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// From the first byte to the last of one fetch.
const FETCH_TIME: Duration = Duration::from_secs(10);

/// Fetches the set at an address once, for somebody who waits for it and keeps nothing.
///
/// # Errors
///
/// The key server does not answer in time, or not with a key set. The error holds no address.
pub async fn fetch_once(url: &Url) -> Result<KeySet, FetchError> {
    let client = Client::new(url)?;
    match tokio::time::timeout(FETCH_TIME, client.fetch(url)).await {
        Ok(fetched) => fetched.map(|(set, _)| set),
        Err(_) => Err(FetchError::Slow),
    }
}

/// The key sets of all sources in force. Cheap to clone; clones see the same sets.
#[derive(Clone)]
pub struct KeySets {
    clock: Clock,
    metrics: Metrics,
    kept: Arc<Mutex<BTreeMap<Url, Kept>>>,
}

/// A set and the task that fetches it, which ends with this.
struct Kept {
    keeper: Arc<Keeper>,
    _task: JoinSet<()>,
}

impl KeySets {
    pub fn new(clock: Clock, metrics: Metrics) -> Self {
        Self {
            clock,
            metrics,
            kept: Arc::default(),
        }
    }

    /// Gives every source of a set that is about to receive its keys: those at hand, or a place where they will
    /// appear. What no source of the set names is forgotten.
    pub fn adopt(&self, set: &Set) {
        let mut wanted: BTreeMap<Url, Vec<SourceName>> = BTreeMap::new();
        for source in set.ready() {
            if let Some(KeySetPlace::Url(url)) = source.verifier().settings().key_set() {
                wanted
                    .entry(url.clone())
                    .or_default()
                    .push(source.name().clone());
            } else {
                self.metrics.key_set_fetched_at(source.name(), None);
            }
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|url, _| wanted.contains_key(url));
        for (url, sources) in wanted {
            let keeper = &kept
                .entry(url)
                .or_insert_with_key(|url| self.keep(url))
                .keeper;
            keeper.serve(sources);
        }
        for source in set.ready() {
            if let Some(KeySetPlace::Url(url)) = source.verifier().settings().key_set()
                && let Some(kept) = kept.get(url)
            {
                source.verifier().use_keys(kept.keeper.keys());
            }
        }
    }

    fn keep(&self, url: &Url) -> Kept {
        let keeper = Arc::new(Keeper::new(
            url.clone(),
            self.clock.clone(),
            self.metrics.clone(),
        ));
        let mut task = JoinSet::new();
        task.spawn(Arc::clone(&keeper).run());
        Kept {
            keeper,
            _task: task,
        }
    }

    /// Has the set at an address fetched again, unless that was done within [`REST`], and waits for it up to
    /// [`PATIENCE`]. Whoever joins a fetch that is under way waits for that one. Afterwards it is worth looking once
    /// more, whatever came of it.
    ///
    /// Whether the keys are now at least as new as the call: only then is a key that is not among them unknown to the
    /// sender, too.
    pub async fn renew(&self, url: &Url) -> bool {
        let keeper = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(url).map(|kept| Arc::clone(&kept.keeper))
        };
        match keeper {
            Some(keeper) => keeper.renew().await,
            None => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
