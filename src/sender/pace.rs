//! How fast requests may begin: evenly, at a rate, and not at all for as long as the other side asked for.

use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::clock::Clock;

/// More than one gateway takes.
const MOST_PER_SECOND: u32 = 1000;
/// What may be caught up with, where a timer woke too late.
const CATCH_UP: Duration = Duration::from_millis(20);

/// So many requests in a second, minute or hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
}

/// Why a text is not a rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a rate is a whole number for each second, minute or hour, such as `20/s` or `600/m`, at most 1000/s"
)]
pub struct InvalidRate;

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (number, unit) = text.trim().split_once('/').ok_or(InvalidRate)?;
        let span = match unit.trim() {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            _ => return Err(InvalidRate),
        };
        let number: u32 = number.trim().parse().map_err(|_| InvalidRate)?;
        let interval = span.checked_div(number).ok_or(InvalidRate)?;
        if interval < Duration::from_secs(1) / MOST_PER_SECOND {
            return Err(InvalidRate);
        }
        Ok(Self { interval })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = 1.0 / self.interval.as_secs_f64();
        write!(f, "{per_second:.1}/s")
    }
}

/// Gives turns at a rate.
#[derive(Debug)]
pub(super) struct Pace {
    clock: Clock,
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the next turn is, by the clock's elapsed time.
    next: Duration,
    /// Nobody's turn comes before.
    held_until: Duration,
}

impl Pace {
    pub(super) fn new(clock: Clock, rate: Rate) -> Self {
        Self {
            clock,
            interval: rate.interval,
            state: Mutex::default(),
        }
    }

    /// Waits for a turn. Cancel-safe: whoever gives up waiting has taken none.
    pub(super) async fn turn(&self) {
        while let Some(wait) = self.take() {
            self.clock.sleep(wait).await;
        }
    }

    /// Has nobody's turn come before `wait` is over.
    pub(super) fn hold(&self, wait: Duration) {
        let until = self.clock.elapsed().saturating_add(wait);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held_until = state.held_until.max(until);
    }

    /// How long nobody's turn will come.
    pub(super) fn held(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held_until.saturating_sub(self.clock.elapsed())
    }

    /// Takes a turn, or says how long to wait.
    fn take(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let free = state.next.max(state.held_until);
        let wait = free.saturating_sub(now);
        if !wait.is_zero() {
            return Some(wait);
        }
        let earliest = now.saturating_sub(CATCH_UP);
        state.next = state.next.max(earliest) + self.interval;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_a_number_and_a_span() {
        for (text, millis) in [
            ("20/s", 50),
            ("600/m", 100),
            (" 1 / h ", 3_600_000),
            ("1000/s", 1),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.interval, Duration::from_millis(millis), "{text}");
        }
        for text in [
            "", "20", "0/s", "-1/s", "1.5/s", "1001/s", "60001/m", "20/d", "/s",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
    }

    /// Turns that are taken in so many seconds, by whoever asks every millisecond.
    fn turns(pace: &Pace, clock: &Clock, seconds: u32) -> usize {
        let mut turns = 0;
        for _ in 0..seconds * 1000 {
            turns += usize::from(pace.take().is_none());
            clock.advance(Duration::from_millis(1));
        }
        turns
    }

    #[test]
    fn turns_come_at_the_rate_and_none_while_they_are_held() {
        let clock = Clock::manual("2026-01-15T10:00:00Z".parse().unwrap());
        let pace = Pace::new(clock.clone(), "20/s".parse().unwrap());
        assert_eq!(turns(&pace, &clock, 10), 200);
        pace.hold(Duration::from_secs(3));
        pace.hold(Duration::from_secs(1));
        assert_eq!(pace.held(), Duration::from_secs(3));
        assert_eq!(turns(&pace, &clock, 3), 0);
        // What could not be sent meanwhile is not caught up with, but for what a late timer would lose.
        assert_eq!(turns(&pace, &clock, 1), 21);
        assert_eq!(turns(&pace, &clock, 10), 200);
    }
}
