//! How many requests of a source are taken in a time.
//!
//! Only genuine requests count: a stranger who floods an address uses up nothing of what the real sender may. So whether
//! there is room is asked before anything of a request is read, and it is counted once it is stored, and once only: whoever recorded a
//! request and repeats it uses up nothing either. Of requests that are
//! under way at the same time more than the burst may be taken; that is made up for later, and what is genuine and came
//! this far is never turned away.
//!
//! The counts are kept by source and outlive a reload, unless the numbers of the source changed. What is kept is one
//! moment: that up to which the budget is spent (the "generic cell rate algorithm"). It is some lines over our own clock.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{event::SourceName, source::receive::RateLimit};

/// The counts of all sources that have a limit.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<SourceName, Count>>);

#[derive(Clone, Copy, Debug)]
struct Count {
    limit: RateLimit,
    /// Up to when the budget is spent, by the clock's elapsed time.
    spent_until: Duration,
}

impl Rates {
    /// Whether one more request of a source would be taken now.
    ///
    /// # Errors
    /// How long it takes until one is.
    pub(super) fn ask(
        &self,
        source: &SourceName,
        limit: RateLimit,
        now: Duration,
    ) -> Result<(), Duration> {
        match self.with(source, limit, |count| count.wait(now)) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    /// Counts a request of a source that was taken.
    pub(super) fn count(&self, source: &SourceName, limit: RateLimit, now: Duration) {
        self.with(source, limit, |count| {
            count.spent_until = count.after_one_more(now);
        });
    }

    fn with<T>(
        &self,
        source: &SourceName,
        limit: RateLimit,
        act: impl FnOnce(&mut Count) -> T,
    ) -> T {
        let fresh = Count {
            limit,
            spent_until: Duration::ZERO,
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = match counts.get_mut(source) {
            Some(count) => count,
            None => counts.entry(source.clone()).or_insert(fresh),
        };
        if count.limit != limit {
            *count = fresh;
        }
        act(count)
    }
}

impl Count {
    /// Up to when the budget is spent after one more request.
    fn after_one_more(&self, now: Duration) -> Duration {
        self.spent_until.max(now).saturating_add(self.each())
    }

    /// How long it takes until one more fits into the budget.
    fn wait(&self, now: Duration) -> Duration {
        let ahead = self.each() * self.limit.burst.get();
        self.after_one_more(now)
            .saturating_sub(now.saturating_add(ahead))
    }

    fn each(&self) -> Duration {
        Duration::from_mins(1) / self.limit.per_minute.get()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn limit(per_minute: u32, burst: u32) -> RateLimit {
        RateLimit {
            per_minute: NonZeroU32::new(per_minute).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    fn name(text: &str) -> SourceName {
        text.parse().unwrap()
    }

    /// What becomes of one request alone.
    fn take(
        rates: &Rates,
        source: &SourceName,
        limit: RateLimit,
        now: Duration,
    ) -> Result<(), Duration> {
        rates.ask(source, limit, now)?;
        rates.count(source, limit, now);
        Ok(())
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_passes_and_then_one_each_interval() {
        let (rates, crm) = (Rates::default(), name("crm"));
        let limit = limit(60, 3);
        let count = |now: Duration| take(&rates, &crm, limit, now);
        for _ in 0..3 {
            assert_eq!(count(SECOND), Ok(()));
        }
        assert_eq!(count(SECOND), Err(SECOND));
        assert_eq!(rates.ask(&crm, limit, SECOND), Err(SECOND));
        assert_eq!(count(SECOND + SECOND / 4), Err(SECOND * 3 / 4));
        assert_eq!(count(SECOND * 2), Ok(()));
        assert_eq!(count(SECOND * 2), Err(SECOND));
        // After a rest the whole burst is there again, and no more.
        for _ in 0..3 {
            assert_eq!(count(SECOND * 100), Ok(()));
        }
        assert!(count(SECOND * 100).is_err());
    }

    #[test]
    fn what_was_taken_at_the_same_time_is_made_up_for_later() {
        let (rates, crm) = (Rates::default(), name("crm"));
        let limit = limit(60, 2);
        for _ in 0..5 {
            rates.count(&crm, limit, SECOND);
        }
        assert_eq!(rates.ask(&crm, limit, SECOND), Err(SECOND * 4));
        assert_eq!(rates.ask(&crm, limit, SECOND * 5), Ok(()));
    }

    #[test]
    fn asking_uses_up_nothing() {
        let (rates, crm) = (Rates::default(), name("crm"));
        for _ in 0..10 {
            assert_eq!(rates.ask(&crm, limit(1, 1), SECOND), Ok(()));
        }
        assert_eq!(take(&rates, &crm, limit(1, 1), SECOND), Ok(()));
        assert_eq!(rates.ask(&crm, limit(1, 1), SECOND), Err(SECOND * 60));
    }

    #[test]
    fn one_sources_limit_never_touches_another() {
        let rates = Rates::default();
        assert_eq!(take(&rates, &name("a"), limit(1, 1), SECOND), Ok(()));
        assert!(take(&rates, &name("a"), limit(1, 1), SECOND).is_err());
        assert_eq!(take(&rates, &name("b"), limit(1, 1), SECOND), Ok(()));
    }

    #[test]
    fn the_count_begins_anew_only_where_the_numbers_change() {
        let (rates, crm) = (Rates::default(), name("crm"));
        assert_eq!(take(&rates, &crm, limit(1, 1), SECOND), Ok(()));
        assert!(take(&rates, &crm, limit(1, 1), SECOND).is_err());
        assert_eq!(take(&rates, &crm, limit(2, 1), SECOND), Ok(()));
        assert!(take(&rates, &crm, limit(2, 1), SECOND).is_err());
    }

    proptest! {
        /// In any span of time no more pass than the burst and what the rate gives, and after the wait that is told
        /// the next one passes.
        #[test]
        fn no_more_pass_than_the_numbers_say_and_the_wait_is_true(
            per_minute in 1u32..10_000,
            burst in 1u32..50,
            steps in proptest::collection::vec(0u64..3_000, 1..200),
        ) {
            let (rates, crm) = (Rates::default(), name("crm"));
            let limit = limit(per_minute, burst);
            let mut now = SECOND;
            let mut passed = 0u32;
            for step in steps {
                now += Duration::from_millis(step);
                match take(&rates, &crm, limit, now) {
                    Ok(()) => passed += 1,
                    Err(wait) => {
                        let just_before = wait.saturating_sub(Duration::from_nanos(1));
                        prop_assert!(rates.ask(&crm, limit, now + just_before).is_err());
                        prop_assert!(rates.ask(&crm, limit, now + wait).is_ok());
                    }
                }
            }
            let minutes = now.saturating_sub(SECOND).as_secs_f64() / 60.0;
            let allowed = f64::from(burst) + minutes * f64::from(per_minute) + 1.0;
            prop_assert!(f64::from(passed) <= allowed, "{passed} of {allowed}");
        }
    }
}
