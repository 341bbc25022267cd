//! How long to wait before trying again: exponential, with full jitter.
//!
//! Full jitter draws the wait evenly between nothing and a ceiling that doubles with each attempt, so that many
//! deliveries that failed together do not come back together.

use std::time::Duration;

/// A schedule of waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Ceiling of the wait after the first attempt.
    pub base: Duration,
    /// No ceiling is higher.
    pub cap: Duration,
}

impl Backoff {
    /// The longest wait after `attempts` earlier attempts (0 after the first).
    pub fn ceiling(&self, attempts: u32) -> Duration {
        2_u32
            .checked_pow(attempts)
            .map_or(self.cap, |factor| self.base.saturating_mul(factor))
            .min(self.cap)
    }

    /// The wait after `attempts` earlier attempts; `random` is drawn evenly from 0 to 1.
    pub fn wait(&self, attempts: u32, random: f64) -> Duration {
        self.ceiling(attempts).mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_secs(1),
        cap: Duration::from_mins(10),
    };

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let seconds = |attempts| BACKOFF.ceiling(attempts).as_secs();
        assert_eq!(
            [0, 1, 2, 9, 10, 31, 32, u32::MAX].map(seconds),
            [1, 2, 4, 512, 600, 600, 600, 600]
        );
    }

    proptest! {
        #[test]
        fn every_wait_is_within_its_ceiling(attempts in any::<u32>(), random in 0.0..1.0) {
            let wait = BACKOFF.wait(attempts, random);
            prop_assert!(wait <= BACKOFF.ceiling(attempts));
            prop_assert!(BACKOFF.ceiling(attempts) <= BACKOFF.cap);
        }
    }
}
