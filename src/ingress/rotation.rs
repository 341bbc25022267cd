//! Says in the log when what proves requests is about to end while senders still use it, and when nothing is left.
//!
//! Each is said at the first request that shows it, and then once a day as long as requests show it. So an old secret that
//! nobody uses any more ends in silence, as it should.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{event::SourceName, source::Source};

/// How often the same is said.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

/// What was said, and when.
pub(super) struct Rotation {
    /// How long before the end it is said.
    warn_before: SignedDuration,
    /// By source, and by secret or nothing where none is left. Both are names in files.
    told: Mutex<HashMap<(SourceName, Option<String>), Timestamp>>,
}

impl Rotation {
    pub(super) fn new(warn_before: Duration) -> Self {
        Self {
            warn_before: SignedDuration::try_from(warn_before).unwrap_or(SignedDuration::MAX),
            told: Mutex::default(),
        }
    }

    /// A genuine request was proved by a secret or certificate of this name.
    pub(super) fn matched(&self, source: &Source, secret: &str, now: Timestamp) {
        let ends = source.ends();
        let Some((_, until)) = ends.iter().find(|(name, _)| name == secret) else {
            return;
        };
        if self.is_near(*until, now) && self.is_time(source.name(), Some(secret), now) {
            tracing::warn!(
                source = source.name().as_str(),
                secret.name = secret,
                secret.until = %until,
                "a secret that the sender still uses is about to end; let the sender use the new one before, or give it more \
                 time"
            );
        }
    }

    /// A request was refused because all secrets and certificates of its source have ended.
    pub(super) fn none_left(&self, source: &Source, now: Timestamp) {
        if self.is_time(source.name(), None, now) {
            tracing::error!(
                source = source.name().as_str(),
                "every request of this source is refused: all its secrets have passed their `until`; add one that is in use \
                 to {}",
                source.receive().place_of_ends()
            );
        }
    }

    fn is_near(&self, until: Timestamp, now: Timestamp) -> bool {
        until.duration_since(now) <= self.warn_before
    }

    /// Whether it was not said within a day. It counts as said now.
    fn is_time(&self, source: &SourceName, secret: Option<&str>, now: Timestamp) -> bool {
        let key = (source.clone(), secret.map(str::to_owned));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match told.get(&key) {
            Some(at) if now.duration_since(*at) < EVERY => false,
            _ => {
                told.insert(key, now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        let start: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        start + SignedDuration::from_hours(hours)
    }

    #[test]
    fn an_end_is_near_from_so_many_days_before() {
        let rotation = Rotation::new(Duration::from_hours(7 * 24));
        let until = at(0);
        for (now, is_near) in [(-7 * 24 - 1, false), (-7 * 24, true), (-1, true)] {
            assert_eq!(rotation.is_near(until, at(now)), is_near, "{now}");
        }
        let never = Rotation::new(Duration::MAX);
        assert!(never.is_near(Timestamp::MAX, Timestamp::MIN));
    }

    #[test]
    fn the_same_is_said_once_a_day_and_each_thing_for_itself() {
        let rotation = Rotation::new(Duration::from_hours(7 * 24));
        let (crm, sis) = ("crm".parse().unwrap(), "sis".parse().unwrap());
        let said = |source, secret, hours| rotation.is_time(source, secret, at(hours));
        assert!(said(&crm, Some("env:OLD"), 0));
        assert!(!said(&crm, Some("env:OLD"), 23));
        assert!(said(&crm, Some("env:OLD"), 24));
        assert!(!said(&crm, Some("env:OLD"), 47));
        assert!(said(&crm, Some("env:OTHER"), 0));
        assert!(said(&crm, None, 0));
        assert!(said(&sis, Some("env:OLD"), 0));
    }
}
