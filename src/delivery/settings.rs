//! How an organisation's deliveries are brought to Quentli.

use std::{num::NonZeroU32, time::Duration};

use super::Policy;

/// Settings of one organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Requests a second.
    pub rate: NonZeroU32,
    /// Requests that may leave at once after a quiet time.
    pub burst: NonZeroU32,
    /// Attempts on their way at the same time.
    pub concurrency: NonZeroU32,
    /// When to try again and when to give up.
    pub policy: Policy,
    /// Confirmed values older than this are sent again, since people also edit in Quentli.
    pub unchanged_for: Duration,
    /// The most updates of one customer that go together in one request; 1 sends each by itself.
    pub merge_most: NonZeroU32,
    /// How long what was read of the list of customers is good for, where nothing asks for it sooner; zero is for
    /// ever.
    pub directory_refresh: Duration,
    /// The most values of metadata that the directory holds.
    pub directory_limit: usize,
    /// How often to look for arrivals that no notice told of.
    pub poll: Duration,
    /// How often to look through all lanes for any that the index lacks.
    pub sweep: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            rate: number(5),
            burst: number(5),
            concurrency: number(4),
            policy: Policy::default(),
            unchanged_for: Duration::from_hours(24),
            merge_most: number(32),
            directory_refresh: Duration::from_hours(6),
            directory_limit: 500_000,
            poll: Duration::from_secs(5),
            sweep: Duration::from_mins(10),
        }
    }
}
