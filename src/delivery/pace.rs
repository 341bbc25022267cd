//! How fast an organisation's requests may leave.
//!
//! A generic cell rate algorithm: requests leave at `rate` a second, and after a quiet time up to `burst` of them
//! at once. When Quentli asks to slow down, nothing at all leaves before the time it named has passed.
//!
//! Times are [`Clock::elapsed`](crate::clock::Clock::elapsed), which never goes backwards.

use std::{num::NonZeroU32, time::Duration};

/// Waits when Quentli says "too many requests" without saying for how long: doubling between these two.
const FIRST_HOLD: Duration = Duration::from_secs(1);
const LONGEST_HOLD: Duration = Duration::from_mins(1);

/// Decides when the next request may leave.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    interval: Duration,
    /// How far ahead of its even schedule a request may leave.
    tolerance: Duration,
    /// When the next request would leave on an even schedule.
    next: Duration,
    held_until: Duration,
    /// The hold after the next refusal that names no time.
    hold: Duration,
}

impl Pace {
    /// `rate` requests a second, up to `burst` at once.
    pub(super) fn new(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        let interval = Duration::from_secs(1) / rate.get();
        Self {
            interval,
            tolerance: interval.saturating_mul(burst.get() - 1),
            next: Duration::ZERO,
            held_until: Duration::ZERO,
            hold: FIRST_HOLD,
        }
    }

    /// How long until a request may leave; zero when one may leave now.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        self.next
            .saturating_sub(self.tolerance)
            .max(self.held_until)
            .saturating_sub(now)
    }

    /// Lets a request leave now, unless it must wait.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let may_leave = self.wait(now).is_zero();
        if may_leave {
            self.next = self.next.max(now).saturating_add(self.interval);
        }
        may_leave
    }

    /// Quentli asked to slow down, for `retry_after` where it said so.
    pub(super) fn throttled(&mut self, now: Duration, retry_after: Option<Duration>) {
        let hold = retry_after.unwrap_or_else(|| {
            let hold = self.hold;
            self.hold = hold.saturating_mul(2).min(LONGEST_HOLD);
            hold
        });
        self.held_until = self.held_until.max(now.saturating_add(hold));
        // No burst after a hold: it would be the first thing that Quentli sees of our good will.
        self.next = self
            .next
            .max(self.held_until.saturating_add(self.tolerance));
    }

    /// Quentli answered: the next refusal starts from a short hold again.
    pub(super) fn answered(&mut self) {
        self.hold = FIRST_HOLD;
    }

    /// Until when nothing leaves, where Quentli asked to slow down.
    pub(super) fn held_until(&self, now: Duration) -> Option<Duration> {
        (self.held_until > now).then_some(self.held_until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pace(rate: u32, burst: u32) -> Pace {
        Pace::new(
            NonZeroU32::new(rate).unwrap(),
            NonZeroU32::new(burst).unwrap(),
        )
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn after_a_burst_requests_leave_evenly() {
        let mut pace = pace(5, 3);
        let left: Vec<u64> = (0..1000).filter(|at| pace.take(millis(*at))).collect();
        assert_eq!(left, [0, 1, 2, 200, 400, 600, 800]);
    }

    #[test]
    fn nothing_leaves_before_a_hold_has_passed_and_no_burst_follows_it() {
        let mut pace = pace(5, 3);
        pace.throttled(millis(1000), Some(millis(2000)));
        assert_eq!(pace.wait(millis(1000)), millis(2000));
        assert_eq!(pace.held_until(millis(1000)), Some(millis(3000)));
        let left: Vec<u64> = (1000..3500).filter(|at| pace.take(millis(*at))).collect();
        assert_eq!(left, [3000, 3200, 3400]);
        assert_eq!(pace.held_until(millis(3500)), None);
    }

    #[test]
    fn a_shorter_hold_never_shortens_a_longer_one() {
        let mut pace = pace(5, 1);
        pace.throttled(millis(0), Some(millis(5000)));
        pace.throttled(millis(0), Some(millis(100)));
        assert_eq!(pace.wait(millis(0)), millis(5000));
    }

    #[test]
    fn refusals_that_name_no_time_hold_longer_and_longer_until_an_answer_comes() {
        let mut pace = pace(5, 1);
        let mut held = Vec::new();
        let mut now = Duration::ZERO;
        for _ in 0..8 {
            pace.throttled(now, None);
            held.push(pace.wait(now).as_secs());
            now += pace.wait(now);
        }
        assert_eq!(held, [1, 2, 4, 8, 16, 32, 60, 60]);
        pace.answered();
        pace.throttled(now, None);
        assert_eq!(pace.wait(now), millis(1000));
    }

    proptest! {
        #[test]
        fn no_second_sees_more_than_rate_and_burst(
            rate in 1_u32..50,
            burst in 1_u32..10,
            steps in proptest::collection::vec(0_u64..300, 1..200),
        ) {
            let mut pace = pace(rate, burst);
            let mut now = 0;
            let mut left = Vec::new();
            for step in steps {
                now += step;
                if pace.take(millis(now)) {
                    left.push(now);
                }
            }
            let most = usize::try_from(rate + burst).unwrap();
            for (first, at) in left.iter().enumerate() {
                let within = left[first..].iter().take_while(|later| **later < at + 1000).count();
                prop_assert!(within <= most, "{within} in a second at {at} ms");
            }
        }
    }
}
