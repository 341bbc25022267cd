//! When the sender says it signed, and whether that is near enough to now.

use http::HeaderName;
use jiff::{SignedDuration, Timestamp};

use super::{Refusal, json_path::JsonPath};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimestampSettings {
    pub(super) place: TimestampPlace,
    pub(super) format: TimestampFormat,
    /// `None` where the text is only signed and says nothing that we can read.
    pub(super) tolerance: Option<Tolerance>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimestampPlace {
    Header(HeaderName),
    /// A key beside the signature.
    Pair(String),
    /// A field of the JSON body.
    Json(JsonPath),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimestampFormat {
    UnixSeconds,
    UnixMilliseconds,
    /// Either, told apart by size: some senders changed from one to the other.
    UnixAny,
    Rfc3339,
    /// Signed, but not understood.
    Opaque,
}

/// How far a timestamp may be from now; both edges are inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tolerance {
    pub(super) past: SignedDuration,
    pub(super) future: SignedDuration,
}

/// What most libraries of senders allow.
pub(super) const DEFAULT_TOLERANCE: SignedDuration = SignedDuration::from_secs(300);
/// A signature that is older than this proves little.
pub(super) const MAX_TOLERANCE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The longest time for which a captured request can stay genuine: from the earliest moment at which it is taken, ahead
/// of its timestamp by the one tolerance, to the latest, behind it by the other. What tells repeated requests from new
/// ones must be remembered for longer than this.
pub const MAX_REPLAY_WINDOW: SignedDuration = SignedDuration::from_hours(2 * 7 * 24);

/// Longer than any timestamp that somebody sends; ours may be written at any length.
const MAX_LENGTH: usize = 64;

impl TimestampSettings {
    /// Refuses a timestamp that cannot be read or is too far from now.
    pub(super) fn check(&self, text: &str, now: Timestamp) -> Result<(), Refusal> {
        if text.is_empty() {
            return Err(Refusal::TimestampMissing);
        }
        if text.len() > MAX_LENGTH {
            return Err(Refusal::TimestampMalformed);
        }
        let Some(tolerance) = self.tolerance else {
            return Ok(());
        };
        let signed_at = self.format.parse(text).ok_or(Refusal::TimestampMalformed)?;
        let age = now.duration_since(signed_at);
        if age > tolerance.past {
            Err(Refusal::TimestampTooOld)
        } else if age < -tolerance.future {
            Err(Refusal::TimestampTooNew)
        } else {
            Ok(())
        }
    }
}

impl TimestampFormat {
    fn parse(self, text: &str) -> Option<Timestamp> {
        match self {
            Self::UnixSeconds => Timestamp::from_second(digits(text)?).ok(),
            Self::UnixMilliseconds => Timestamp::from_millisecond(digits(text)?).ok(),
            Self::UnixAny => {
                // As seconds this is the year 5138, as milliseconds 1973.
                const FIRST_MILLISECONDS: i64 = 100_000_000_000;
                match digits(text)? {
                    number if number < FIRST_MILLISECONDS => Timestamp::from_second(number).ok(),
                    number => Timestamp::from_millisecond(number).ok(),
                }
            }
            Self::Rfc3339 => text.parse().ok(),
            Self::Opaque => None,
        }
    }

    /// A time as a sender writes it.
    pub(super) fn write(self, time: Timestamp) -> String {
        match self {
            Self::UnixMilliseconds => time.as_millisecond().to_string(),
            Self::Rfc3339 => format!("{time:.0}"),
            Self::UnixSeconds | Self::UnixAny | Self::Opaque => time.as_second().to_string(),
        }
    }
}

/// A whole number in digits only: no sign, no spaces. 18 of them always fit.
fn digits(text: &str) -> Option<i64> {
    let fits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn check(format: TimestampFormat, text: &str) -> Result<(), Refusal> {
        let settings = TimestampSettings {
            place: TimestampPlace::Pair("t".into()),
            format,
            tolerance: (format != TimestampFormat::Opaque).then_some(Tolerance {
                past: SignedDuration::from_secs(300),
                future: SignedDuration::from_secs(60),
            }),
        };
        settings.check(text, Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn both_edges_of_the_tolerance_are_inside() {
        for (distance, expected) in [
            (-301, Err(Refusal::TimestampTooOld)),
            (-300, Ok(())),
            (0, Ok(())),
            (60, Ok(())),
            (61, Err(Refusal::TimestampTooNew)),
        ] {
            let seconds = (NOW + distance).to_string();
            let milliseconds = ((NOW + distance) * 1000).to_string();
            assert_eq!(check(TimestampFormat::UnixSeconds, &seconds), expected);
            assert_eq!(
                check(TimestampFormat::UnixMilliseconds, &milliseconds),
                expected
            );
            assert_eq!(check(TimestampFormat::UnixAny, &seconds), expected);
            assert_eq!(check(TimestampFormat::UnixAny, &milliseconds), expected);
            let text = Timestamp::from_second(NOW + distance).unwrap().to_string();
            assert_eq!(check(TimestampFormat::Rfc3339, &text), expected);
        }
        assert_eq!(
            check(
                TimestampFormat::UnixMilliseconds,
                &(NOW * 1000 - 300_001).to_string()
            ),
            Err(Refusal::TimestampTooOld)
        );
    }

    #[test]
    fn no_request_stays_genuine_for_longer_than_what_repetitions_are_remembered_for() {
        let settings = TimestampSettings {
            place: TimestampPlace::Pair("t".into()),
            format: TimestampFormat::UnixSeconds,
            tolerance: Some(Tolerance {
                past: MAX_TOLERANCE,
                future: MAX_TOLERANCE,
            }),
        };
        let check = |now: Timestamp| settings.check(&NOW.to_string(), now);
        let earliest = Timestamp::from_second(NOW).unwrap() - MAX_TOLERANCE;
        let second = SignedDuration::from_secs(1);
        assert_eq!(check(earliest - second), Err(Refusal::TimestampTooNew));
        assert_eq!(check(earliest), Ok(()));
        assert_eq!(check(earliest + MAX_REPLAY_WINDOW), Ok(()));
        assert_eq!(
            check(earliest + MAX_REPLAY_WINDOW + second),
            Err(Refusal::TimestampTooOld)
        );
    }

    #[test]
    fn anything_but_a_short_row_of_digits_is_malformed() {
        for text in [
            "hello",
            "-1",
            "+1",
            " 1",
            "1.0",
            "1e9",
            "١٢٣",
            "0x1",
            &"9".repeat(19),
            &"9".repeat(999),
        ] {
            for format in [
                TimestampFormat::UnixSeconds,
                TimestampFormat::UnixMilliseconds,
                TimestampFormat::UnixAny,
                TimestampFormat::Rfc3339,
            ] {
                assert_eq!(
                    check(format, text),
                    Err(Refusal::TimestampMalformed),
                    "{text:?}"
                );
            }
        }
        assert_eq!(
            check(TimestampFormat::UnixSeconds, ""),
            Err(Refusal::TimestampMissing)
        );
        assert_eq!(
            check(TimestampFormat::UnixSeconds, &"9".repeat(18)),
            Err(Refusal::TimestampMalformed)
        );
        assert_eq!(check(TimestampFormat::Opaque, "anything"), Ok(()));
    }
}
