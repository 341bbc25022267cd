//! Durations and sizes as people write them.

use std::{fmt, str::FromStr, time::Duration};

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// No setting is a longer time: some 10 years.
pub(super) const LONGEST_DURATION: Duration = Duration::from_hours(24 * 3660);

/// Reads `250ms`, `10s`, `5m`, `72h` or `7d`; a whole number and one unit, up to [`LONGEST_DURATION`].
///
/// # Errors
/// What is expected instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale = UNITS
        .iter()
        .find(|(name, _)| *name == unit.trim())
        .map(|(_, scale)| *scale);
    number
        .parse::<u64>()
        .ok()
        .zip(scale)
        .and_then(|(number, scale)| number.checked_mul(scale))
        .map(Duration::from_millis)
        .filter(|duration| *duration <= LONGEST_DURATION)
        .ok_or_else(|| "a time such as `10s`, `5m`, `72h` or `7d`".to_owned())
}

/// Writes a duration in the largest unit that gives a whole number.
pub fn show_duration(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (name, scale) = UNITS
        .iter()
        .rev()
        .find(|(_, scale)| milliseconds >= *scale && milliseconds % scale == 0)
        .unwrap_or(&("ms", 1));
    format!("{}{name}", milliseconds / scale)
}

/// A number of bytes. Reads and writes `512`, `64 KiB`, `1 MiB`, `2 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

const SIZES: [(&str, u64); 4] = [
    ("", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl ByteCount {
    /// As a length of something in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim();
        let scale = SIZES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, scale)| *scale);
        number
            .parse::<u64>()
            .ok()
            .zip(scale)
            .and_then(|(number, scale)| number.checked_mul(scale))
            .map(Self)
            .ok_or_else(|| "a size such as `1 MiB` or `64 KiB`".to_owned())
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, scale) = SIZES
            .iter()
            .rev()
            .find(|(_, scale)| self.0 >= *scale && self.0.is_multiple_of(*scale))
            .unwrap_or(&("", 1));
        if name.is_empty() {
            self.0.fmt(f)
        } else {
            write!(f, "{} {name}", self.0 / scale)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, seconds) in [
            ("0s", 0),
            ("10s", 10),
            ("5m", 300),
            ("72h", 259_200),
            ("7d", 604_800),
            (" 1 h ", 3600),
        ] {
            assert_eq!(
                parse_duration(text).unwrap(),
                Duration::from_secs(seconds),
                "{text}"
            );
        }
        for text in ["", "10", "s", "-1s", "1.5h", "1y", "99999999d", "1s2"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(show_duration(Duration::from_mins(90)), "90m");
        assert_eq!(show_duration(Duration::from_hours(72)), "3d");
        assert_eq!(show_duration(Duration::ZERO), "0ms");
    }

    #[test]
    fn sizes_are_bytes_or_powers_of_1024() {
        for (text, bytes) in [
            ("512", 512),
            ("64 KiB", 65_536),
            ("1mib", 1 << 20),
            ("2 GiB", 2 << 30),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
        }
        for text in ["", "1 MB", "x", "-1", "99999999999 GiB"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
        assert_eq!(ByteCount(1 << 20).to_string(), "1 MiB");
        assert_eq!(ByteCount(1000).to_string(), "1000");
    }
}
