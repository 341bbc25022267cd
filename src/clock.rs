//! Time, as a value that is passed in: the system's clock, or one that a test drives by hand.
//!
//! Pure code takes a [`Timestamp`]; only code that waits takes a [`Clock`]. Nothing else in the program may read
//! the system's time (clippy forbids the calls).

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Tells the time and waits. Cheap to clone; clones of a manual clock share its time.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    /// The reading of [`running`] when it was made.
    System {
        started: Duration,
    },
    Manual(Arc<Manual>),
}

struct Manual {
    start: Timestamp,
    elapsed: Mutex<Duration>,
    /// How far the time of day was set away from where `elapsed` alone would have it.
    set_by: Mutex<SignedDuration>,
    changed: watch::Sender<Duration>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Kind::System { started: running() })
    }

    /// A clock that stands still at `start` until [`Clock::advance`] is called.
    pub fn manual(start: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(Manual {
            start,
            elapsed: Mutex::new(Duration::ZERO),
            set_by: Mutex::new(SignedDuration::ZERO),
            changed: watch::Sender::new(Duration::ZERO),
        })))
    }

    /// The time of day, in UTC.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that reads the time"
            )]
            Kind::System { .. } => Timestamp::now(),
            Kind::Manual(manual) => {
                let set_by = *manual.set_by.lock().unwrap_or_else(PoisonError::into_inner);
                let elapsed = SignedDuration::try_from(manual.elapsed()).unwrap_or_default();
                manual
                    .start
                    .checked_add(elapsed.saturating_add(set_by))
                    .unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Time since the clock was made, which never goes backwards; for measuring waits and deadlines. On Linux it also counts
    /// while the machine is suspended.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::System { started } => running().saturating_sub(*started),
            Kind::Manual(manual) => manual.elapsed(),
        }
    }

    /// Waits until [`Clock::elapsed`] has grown by `duration`, counted from this call. Cancel-safe.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        let clock = self.clone();
        let due = self.elapsed().saturating_add(duration);
        async move {
            match &clock.0 {
                Kind::System { .. } => {
                    tokio::time::sleep(due.saturating_sub(clock.elapsed())).await;
                }
                Kind::Manual(manual) => {
                    let mut changed = manual.changed.subscribe();
                    // The sender lives in `clock`, so waiting cannot fail while this future exists.
                    let reached = changed.wait_for(|elapsed| *elapsed >= due).await;
                    debug_assert!(reached.is_ok(), "the manual clock outlives its sleepers");
                }
            }
        }
    }

    /// Moves a manual clock forward and wakes those whose time has come. Does nothing to the system's clock.
    pub fn advance(&self, duration: Duration) {
        if let Kind::Manual(manual) = &self.0 {
            let mut elapsed = manual
                .elapsed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *elapsed = elapsed.saturating_add(duration);
            manual.changed.send_replace(*elapsed);
        }
    }

    /// Sets a manual clock's time of day forward or back, as an administrator or NTP does: [`Clock::elapsed`] and sleepers
    /// see nothing of it. Does nothing to the system's clock.
    pub fn set_time_by(&self, by: SignedDuration) {
        if let Kind::Manual(manual) = &self.0 {
            let mut set_by = manual.set_by.lock().unwrap_or_else(PoisonError::into_inner);
            *set_by = set_by.saturating_add(by);
        }
    }
}

impl Manual {
    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time since some moment before the process.
#[cfg(target_os = "linux")]
fn running() -> Duration {
    // Not `Instant`, which stands still while the machine is suspended: a lease that ended meanwhile would look held.
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(now).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn running() -> Duration {
    static BEGAN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed()
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::System { .. } => "Clock::System",
            Kind::Manual(_) => "Clock::Manual",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_when_it_is_driven_past_their_time() {
        let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
        let sleeper = clock.sleep(Duration::from_mins(1));
        tokio::pin!(sleeper);
        clock.advance(Duration::from_secs(59));
        assert!(poll_once(sleeper.as_mut()).await.is_none());
        clock.advance(Duration::from_secs(2));
        assert!(poll_once(sleeper.as_mut()).await.is_some());
        assert_eq!(clock.now(), "2026-01-15T10:01:01Z".parse().unwrap());
    }

    #[test]
    fn the_time_of_day_can_be_set_while_elapsed_time_goes_on() {
        let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
        clock.advance(Duration::from_mins(1));
        clock.set_time_by(SignedDuration::from_hours(-2));
        assert_eq!(clock.now(), "2026-01-15T08:01:00Z".parse().unwrap());
        assert_eq!(clock.elapsed(), Duration::from_mins(1));
    }

    /// Waiting and measuring go by different clocks of the system.
    #[tokio::test]
    async fn the_systems_clock_has_seen_at_least_what_was_waited() {
        let clock = Clock::system();
        let before = clock.elapsed();
        clock.sleep(Duration::from_millis(30)).await;
        let waited = clock.elapsed().saturating_sub(before);
        assert!(waited >= Duration::from_millis(29), "{waited:?}");
    }

    async fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        tokio::select! { biased; output = future => Some(output), () = std::future::ready(()) => None }
    }
}
