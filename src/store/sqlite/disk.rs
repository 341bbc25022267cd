//! Keeps a reserve of disk space, so that the ends of deliveries can still be written when accepting has to stop.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{clock::Clock, store::StoreError};

/// How long, and for how many accepted bytes, a look at the file system counts.
const FRESH_FOR: Duration = Duration::from_secs(1);
const FRESH_BYTES: u64 = 16 << 20;

/// The free space of the file system that holds the data directory.
#[derive(Debug)]
pub(super) struct DiskSpace {
    directory: PathBuf,
    reserve: u64,
    clock: Clock,
    last: Mutex<Option<Look>>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Duration,
    free: u64,
    accepted_since: u64,
}

impl DiskSpace {
    pub(super) fn new(directory: PathBuf, reserve: u64, clock: Clock) -> Self {
        Self {
            directory,
            reserve,
            clock,
            last: Mutex::new(None),
        }
    }

    /// Whether `bytes` more may be accepted. Asks the file system at most once a second and once in 16 MiB.
    pub(super) fn permit(&self, bytes: u64) -> Result<(), StoreError> {
        let now = self.clock.elapsed();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = last.filter(|look| {
            now.saturating_sub(look.at) < FRESH_FOR && look.accepted_since < FRESH_BYTES
        });
        let mut look = fresh.unwrap_or_else(|| Look {
            at: now,
            free: self.free(),
            accepted_since: 0,
        });
        look.accepted_since = look.accepted_since.saturating_add(bytes);
        *last = Some(look);
        if look.free < self.reserve {
            return Err(StoreError::Unavailable {
                what: format!(
                    "{} MiB are free on the disk of {}, and {} MiB are kept in reserve",
                    look.free >> 20,
                    self.directory.display(),
                    self.reserve >> 20,
                ),
            });
        }
        Ok(())
    }

    /// Bytes that may still be written. A file system that does not say is taken to have enough: the write will tell.
    fn free(&self) -> u64 {
        rustix::fs::statvfs(&self.directory).map_or(u64::MAX, |figures| {
            figures.f_bavail.saturating_mul(figures.f_frsize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_that_cannot_be_kept_refuses_and_a_small_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let space = |reserve| DiskSpace::new(directory.path().into(), reserve, clock.clone());
        assert!(space(0).permit(2_000).is_ok());
        assert!(matches!(
            space(u64::MAX).permit(2_000),
            Err(StoreError::Unavailable { .. })
        ));
    }

    #[test]
    fn a_look_is_used_again_for_a_second_or_16_mib() {
        let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
        let space = DiskSpace::new("/".into(), 100, clock.clone());
        let full = Look {
            at: Duration::ZERO,
            free: 0,
            accepted_since: 0,
        };
        *space.last.lock().unwrap() = Some(full);
        assert!(space.permit(1).is_err());
        clock.advance(Duration::from_secs(1));
        assert!(space.permit(1).is_ok(), "it looked again after a second");
        *space.last.lock().unwrap() = Some(Look {
            at: Duration::from_secs(1),
            accepted_since: FRESH_BYTES,
            ..full
        });
        assert!(space.permit(1).is_ok(), "it looked again after 16 MiB");
    }
}
