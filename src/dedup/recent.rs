//! The keys that were seen lately, in memory, so that a repeated event costs less.
//!
//! This only saves work, it decides nothing: what it says is known, the store is asked to confirm
//! ([`crate::store::Store::known`]); what it does not know goes the usual way. So it may forget, and it may be wrong: a key
//! that was pruned meanwhile, or never was in the store, is found missing there, and the event is accepted.

use moka::sync::Cache;

use crate::event::DedupKey;

/// Senders that repeat do so soon. About a hundred bytes each.
const CAPACITY: u64 = 50_000;

/// See the module.
#[derive(Debug)]
pub struct RecentKeys(Cache<DedupKey, ()>);

impl Default for RecentKeys {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl RecentKeys {
    /// Whether all of them are probably known. Some keys, at least one.
    pub fn know_all(&self, keys: &[DedupKey]) -> bool {
        keys.iter().all(|key| self.0.contains_key(key))
    }

    /// Keys of what was committed.
    pub fn insert(&self, keys: &[DedupKey]) {
        for key in keys {
            self.0.insert(*key, ());
        }
    }
}
