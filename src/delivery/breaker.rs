//! Stops sending while Quentli is out of reach, and finds out cheaply when it is back.
//!
//! One customer's trouble must not stop the others, so failures count only when they meet at least three customers
//! in a row; a failure to connect at all says enough by itself. While the breaker is open nothing is sent; from
//! time to time one harmless request (a *probe*) asks whether Quentli is back. Its waits grow with the length of
//! the outage, so that work resumes about two seconds after an outage of ten, and a long one costs one request a
//! minute.
//!
//! Times are [`Clock::elapsed`](crate::clock::Clock::elapsed), which never goes backwards.

use std::time::Duration;

use crate::event::LaneKey;

/// Failures of this many customers in a row open the breaker.
const CUSTOMERS: usize = 3;
/// Failures further apart than this are not of one outage.
const WINDOW: Duration = Duration::from_mins(1);
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What kind of failure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection was made.
    Unreachable,
    /// The request met trouble that may be this customer's alone.
    Troubled,
}

/// The breaker of one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Breaker(State);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The customers whose requests failed since the last success, with the time of the latest failure of each.
    Closed(Vec<(LaneKey, Duration)>),
    Open {
        since: Duration,
        probe_at: Duration,
    },
    /// A probe is on its way.
    HalfOpen {
        since: Duration,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed(Vec::new()))
    }
}

impl Breaker {
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.0, State::Closed(_))
    }

    /// Since when nothing is sent.
    pub(super) const fn open_since(&self) -> Option<Duration> {
        match self.0 {
            State::Closed(_) => None,
            State::Open { since, .. } | State::HalfOpen { since } => Some(since),
        }
    }

    /// When the next probe is due; none while closed or while one is on its way.
    pub(super) const fn probe_at(&self) -> Option<Duration> {
        match self.0 {
            State::Open { probe_at, .. } => Some(probe_at),
            State::Closed(_) | State::HalfOpen { .. } => None,
        }
    }

    /// A request for `customer` was answered. Answers to requests that left before the breaker opened say nothing
    /// about now.
    pub(super) fn succeeded(&mut self) {
        if let State::Closed(failed) = &mut self.0 {
            failed.clear();
        }
    }

    /// A request for `customer` failed. `true` when this opened the breaker.
    pub(super) fn failed(
        &mut self,
        customer: LaneKey,
        failure: Failure,
        now: Duration,
        random: f64,
    ) -> bool {
        let State::Closed(failed) = &mut self.0 else {
            return false;
        };
        failed.retain(|(other, at)| *other != customer && now.saturating_sub(*at) <= WINDOW);
        failed.push((customer, now));
        let opens = failure == Failure::Unreachable || failed.len() >= CUSTOMERS;
        if opens {
            self.open(now, now, random);
        }
        opens
    }

    /// The probe leaves now.
    pub(super) fn probe_started(&mut self) {
        if let State::Open { since, .. } = self.0 {
            self.0 = State::HalfOpen { since };
        }
    }

    /// What the probe said: `reached` is whether Quentli itself answered.
    pub(super) fn probe_ended(&mut self, reached: bool, now: Duration, random: f64) {
        if let State::HalfOpen { since } = self.0 {
            if reached {
                *self = Self::default();
            } else {
                self.open(since, now, random);
            }
        }
    }

    /// Closes it at a person's word.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    fn open(&mut self, since: Duration, now: Duration, random: f64) {
        let wait = (now.saturating_sub(since) / 8).clamp(SHORTEST_WAIT, LONGEST_WAIT);
        let jittered = wait.mul_f64(0.75 + 0.25 * random.clamp(0.0, 1.0));
        self.0 = State::Open {
            since,
            probe_at: now.saturating_add(jittered),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lane(name: &str) -> LaneKey {
        LaneKey::of("id", name)
    }

    fn failures(customers: &[(&str, u64)]) -> Breaker {
        let mut breaker = Breaker::default();
        for (customer, at) in customers {
            breaker.failed(
                lane(customer),
                Failure::Troubled,
                SECOND * u32::try_from(*at).unwrap(),
                0.0,
            );
        }
        breaker
    }

    #[test]
    fn it_opens_only_on_failures_of_three_customers_near_each_other() {
        for (customers, opens) in [
            (&[("a", 0), ("b", 1), ("c", 2)][..], true),
            (&[("a", 0), ("b", 1)], false),
            (&[("a", 0), ("a", 1), ("a", 2), ("a", 3)], false),
            (&[("a", 0), ("b", 1), ("a", 2), ("b", 3), ("c", 4)], true),
            (&[("a", 0), ("b", 1), ("c", 90)], false),
        ] {
            assert_eq!(!failures(customers).is_closed(), opens, "{customers:?}");
        }
    }

    #[test]
    fn a_success_in_between_starts_the_count_again() {
        let mut breaker = failures(&[("a", 0), ("b", 1)]);
        breaker.succeeded();
        breaker.failed(lane("c"), Failure::Troubled, SECOND, 0.0);
        assert!(breaker.is_closed());
    }

    #[test]
    fn no_connection_opens_it_at_once() {
        let mut breaker = Breaker::default();
        assert!(breaker.failed(lane("a"), Failure::Unreachable, SECOND, 0.0));
        assert!(
            !breaker.failed(lane("b"), Failure::Unreachable, SECOND, 0.0),
            "it was open"
        );
        assert_eq!(breaker.open_since(), Some(SECOND));
    }

    #[test]
    fn one_probe_at_a_time_decides_whether_it_closes() {
        let mut breaker = failures(&[("a", 0), ("b", 0), ("c", 0)]);
        assert!(breaker.probe_at().is_some());
        breaker.probe_started();
        assert_eq!(breaker.probe_at(), None);
        breaker.probe_ended(false, SECOND, 0.0);
        assert!(!breaker.is_closed());
        breaker.probe_ended(true, SECOND, 0.0);
        assert!(!breaker.is_closed(), "no probe was on its way");
        breaker.probe_started();
        breaker.succeeded();
        assert!(
            !breaker.is_closed(),
            "an answer to an earlier request is no probe"
        );
        breaker.probe_ended(true, SECOND, 0.0);
        assert!(breaker.is_closed());
    }

    /// Probes an outage of the given length; how long after its end work resumed, and how many probes it took.
    fn outage(length: Duration, random: f64) -> (Duration, u32) {
        let mut breaker = Breaker::default();
        breaker.failed(lane("a"), Failure::Unreachable, Duration::ZERO, random);
        let mut probes = 0;
        loop {
            let now = breaker.probe_at().expect("a probe is due while it is open");
            breaker.probe_started();
            breaker.probe_ended(now >= length, now, random);
            probes += 1;
            if breaker.is_closed() {
                return (now.saturating_sub(length), probes);
            }
        }
    }

    #[test]
    fn work_resumes_soon_after_a_short_outage_and_a_long_one_costs_few_probes() {
        for random in [0.0, 0.5, 1.0] {
            let (late, _) = outage(SECOND * 10, random);
            assert!(late <= SECOND * 2, "resumed {late:?} late");
            let (late, probes) = outage(Duration::from_hours(1), random);
            assert!(late <= Duration::from_mins(1), "resumed {late:?} late");
            assert!(probes < 150, "{probes} probes in an hour");
        }
    }

    proptest! {
        #[test]
        fn the_wait_for_a_probe_is_bounded(length in 0_u64..100_000, random in 0.0..1.0) {
            let mut breaker = Breaker(State::HalfOpen { since: Duration::ZERO });
            let now = Duration::from_secs(length);
            breaker.probe_ended(false, now, random);
            let wait = breaker.probe_at().unwrap().saturating_sub(now);
            prop_assert!(wait >= SHORTEST_WAIT.mul_f64(0.75) && wait <= LONGEST_WAIT);
        }
    }
}
