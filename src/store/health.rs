//! Whether the store can work: shared by the calls, the writer and the readers.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use crate::{clock::Clock, store::StoreError};

/// How long a failed commit counts as "cannot write now" when no later one succeeds. It must end by itself, since a
/// store that is not ready may be sent nothing to try with.
const TROUBLE_LASTS: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Health {
    clock: Clock,
    ended: OnceLock<String>,
    trouble: Mutex<Option<(Duration, String)>>,
}

impl Health {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            ended: OnceLock::new(),
            trouble: Mutex::new(None),
        }
    }

    /// The store takes no more calls; the first reason stays.
    pub(super) fn end(&self, why: impl Into<String>) {
        self.ended.get_or_init(|| why.into());
    }

    /// A commit failed and left nothing behind.
    pub(super) fn trouble(&self, what: String) {
        *self.lock() = Some((self.clock.elapsed(), what));
    }

    /// A commit succeeded.
    pub(super) fn recovered(&self) {
        *self.lock() = None;
    }

    /// Why no calls are taken any more.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.get().map(String::as_str)
    }

    /// Whether calls are taken at all.
    pub(super) fn is_open(&self) -> Result<(), StoreError> {
        match self.ended() {
            None => Ok(()),
            Some(why) => Err(StoreError::Closed {
                what: why.to_owned(),
            }),
        }
    }

    /// Whether a commit can be expected to succeed.
    pub(super) fn is_writable(&self) -> Result<(), StoreError> {
        self.is_open()?;
        match &*self.lock() {
            Some((since, what)) if self.clock.elapsed().saturating_sub(*since) < TROUBLE_LASTS => {
                Err(StoreError::Unavailable { what: what.clone() })
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Duration, String)>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_ends_by_success_or_by_time_and_an_end_does_not() {
        let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
        let health = Health::new(clock.clone());
        health.trouble("full".into());
        assert!(health.is_writable().is_err());
        assert!(health.is_open().is_ok());
        health.recovered();
        assert!(health.is_writable().is_ok());
        health.trouble("full".into());
        clock.advance(TROUBLE_LASTS);
        assert!(health.is_writable().is_ok());
        health.end("first");
        health.end("second");
        clock.advance(TROUBLE_LASTS);
        assert_eq!(
            health.is_writable().unwrap_err().to_string(),
            "the store is closed: first"
        );
    }
}
