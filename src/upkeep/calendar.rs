//! The date by which the upkeep judges age, since the clock alone is not to be trusted with that.
//!
//! A clock that jumps years ahead, because somebody mistyped a year or a machine woke up without a battery, would make
//! everything old at one stroke, and what is removed is gone. So the date follows the clock only in small steps. Where
//! the clock is ahead by more than two days, the date stands still until the clock has gone on like that for a day:
//! nothing is removed by age meanwhile, and there is time to set the clock right, which ends it. The same happens after
//! the gateway was off for longer, where the day of waiting does no harm. A clock that is set back moves nothing: the
//! date waits for it.

use jiff::{SignedDuration, Timestamp};

use crate::store::upkeep::{Ahead, Calendar};

/// A clock ahead of the date by more than this has jumped.
pub(super) const LEAP: SignedDuration = SignedDuration::from_hours(48);
/// How long a clock that has jumped must go on before it is believed.
pub(super) const SETTLE: SignedDuration = SignedDuration::from_hours(24);

/// What a person should hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leap {
    /// The clock was found far ahead.
    Noticed,
    /// It has stayed so for long enough, and the date follows it.
    Followed,
}

/// The calendar at a time of the clock.
pub(super) fn follow(last: Option<Calendar>, now: Timestamp) -> (Calendar, Option<Leap>) {
    let at = |date| Calendar { date, ahead: None };
    let Some(Calendar { date, ahead }) = last else {
        return (at(now), None);
    };
    if now.duration_since(date) <= LEAP {
        return (at(date.max(now)), None);
    }
    // A clock that jumps once more, or back some way, has not gone on.
    let going_on = ahead.filter(|ahead| {
        let since_seen = now.duration_since(ahead.seen);
        !since_seen.is_negative() && since_seen <= LEAP
    });
    match going_on {
        Some(ahead) if now.duration_since(ahead.since) >= SETTLE => (at(now), Some(Leap::Followed)),
        Some(ahead) => {
            let ahead = Some(Ahead { seen: now, ..ahead });
            (Calendar { date, ahead }, None)
        }
        None => {
            let ahead = Some(Ahead {
                since: now,
                seen: now,
            });
            (Calendar { date, ahead }, Some(Leap::Noticed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The date and what was said, for clocks one after the other, as hours.
    fn walk(hours: &[i64]) -> Vec<(i64, Option<Leap>)> {
        let hour = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        let mut last = None;
        let mut walked = Vec::new();
        for now in hours {
            let (calendar, leap) = follow(last, hour(*now));
            walked.push((calendar.date.as_second() / 3600, leap));
            last = Some(calendar);
        }
        walked
    }

    const YEARS: i64 = 10 * 365 * 24;
    const NOTICED: Option<Leap> = Some(Leap::Noticed);

    #[test]
    fn the_date_follows_a_clock_that_goes_and_a_gateway_that_was_off_for_two_days() {
        assert_eq!(
            walk(&[0, 1, 24, 72]),
            [(0, None), (1, None), (24, None), (72, None)]
        );
    }

    #[test]
    fn a_clock_that_jumps_ahead_moves_nothing_for_a_day_and_is_believed_then() {
        assert_eq!(
            walk(&[0, YEARS, YEARS + 1, YEARS + 23, YEARS + 24, YEARS + 25]),
            [
                (0, None),
                (0, NOTICED),
                (0, None),
                (0, None),
                (YEARS + 24, Some(Leap::Followed)),
                (YEARS + 25, None),
            ]
        );
    }

    #[test]
    fn a_clock_that_is_set_right_again_has_moved_nothing() {
        assert_eq!(
            walk(&[0, YEARS, YEARS + 20, 21, 22]),
            [(0, None), (0, NOTICED), (0, None), (21, None), (22, None)]
        );
    }

    #[test]
    fn a_clock_that_jumps_again_has_to_go_on_for_a_day_from_there() {
        let again = 2 * YEARS;
        assert_eq!(
            walk(&[
                0,
                YEARS,
                again,
                again + 23,
                YEARS + 20,
                YEARS + 43,
                YEARS + 44
            ]),
            [
                (0, None),
                (0, NOTICED),
                (0, NOTICED),
                (0, None),
                (0, NOTICED),
                (0, None),
                (YEARS + 44, Some(Leap::Followed)),
            ]
        );
    }

    #[test]
    fn a_clock_that_is_set_back_takes_nothing_back() {
        assert_eq!(
            walk(&[1000, 0, 999, 1001]),
            [(1000, None), (1000, None), (1000, None), (1001, None)]
        );
    }
}
