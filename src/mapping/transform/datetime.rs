//! Dates and times: read in the forms that sources write, written as RFC 3339 in UTC with milliseconds.

mod cursor;
mod day_first;
mod pattern;
mod standard;
mod words;

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase},
};

use super::text::trim;
use crate::mapping::number;

pub(in crate::mapping) use pattern::Pattern;

/// How a text is read as a time.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct Format {
    form: Form,
    /// For texts without an offset.
    zone: TimeZone,
}

/// What the text of a time looks like.
#[derive(Clone, Debug)]
pub(in crate::mapping) enum Form {
    /// With the year first, or an instant.
    Standard,
    DayFirst,
    Pattern(Pattern),
}

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping) enum NotATime {
    /// It does not have the form, or a part is out of range.
    Form,
    /// It has the standard form only when its day comes first.
    DayFirst,
    /// The clocks were put forward over it.
    Skipped,
}

/// What a text says.
#[derive(Clone, Copy)]
enum Said {
    Instant(Timestamp),
    /// A date and a time of day, perhaps with an offset.
    Local(Parts),
}

impl Format {
    pub(in crate::mapping) fn new(form: Form, zone: TimeZone) -> Self {
        Self { form, zone }
    }

    pub(in crate::mapping) fn read(&self, written: &str) -> Result<Timestamp, NotATime> {
        let text = trim(written);
        let said = match &self.form {
            Form::Standard => standard::read(text),
            Form::DayFirst => day_first::read(text),
            Form::Pattern(pattern) => pattern.read(text).map(Said::Local),
        };
        match said {
            Some(said) => self.time(said),
            None if matches!(self.form, Form::Standard) => {
                let day_first = day_first::read(text).map(|said| self.time(said));
                Err(match day_first {
                    Some(Ok(_)) => NotATime::DayFirst,
                    _ => NotATime::Form,
                })
            }
            None => Err(NotATime::Form),
        }
    }

    fn time(&self, said: Said) -> Result<Timestamp, NotATime> {
        let time = match said {
            Said::Instant(time) => time,
            Said::Local(parts) => parts.resolve(&self.zone)?,
        };
        in_range(time).ok_or(NotATime::Form)
    }

    /// Why a text, quoted, was not read; for people.
    pub(in crate::mapping) fn describe(&self, fault: NotATime, quoted: &str) -> String {
        match (fault, &self.form) {
            (NotATime::Skipped, _) => {
                format!("{quoted} does not exist: the clocks were put forward over it")
            }
            (NotATime::DayFirst, _) => {
                format!(
                    "{quoted} is not a date and time; where the day comes first, use `day_first`"
                )
            }
            (NotATime::Form, Form::Standard) => format!("{quoted} is not a date and time"),
            (NotATime::Form, Form::DayFirst) => {
                format!("{quoted} is not a date with the day first")
            }
            (NotATime::Form, Form::Pattern(pattern)) => {
                format!("{quoted} is not a date of the form {}", pattern.text())
            }
        }
    }
}

/// A time zone out of the database inside the program, by its IANA name.
pub(in crate::mapping) fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// `2025-01-15T10:30:00.000Z`
pub(in crate::mapping) fn written(time: Timestamp) -> String {
    let at = Offset::UTC.to_datetime(time);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

/// The time of a JSON number of seconds or milliseconds since 1970.
pub(in crate::mapping) fn unix(number: &str, milliseconds_per_unit: i64) -> Option<Timestamp> {
    let milliseconds = if let Some(units) = number::whole(number) {
        units.checked_mul(milliseconds_per_unit)?
    } else {
        // A fraction: what is finer than a millisecond is cut.
        let (whole, fraction) = number.split_once('.')?;
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let part = i64::from(thousandths(fraction)) * milliseconds_per_unit / 1000;
        let sign = if number.starts_with('-') { -1 } else { 1 };
        whole
            .checked_mul(milliseconds_per_unit)?
            .checked_add(sign * part)?
    };
    in_range(Timestamp::from_millisecond(milliseconds).ok()?)
}

/// Years that four digits can write.
fn in_range(time: Timestamp) -> Option<Timestamp> {
    (0..=9999)
        .contains(&Offset::UTC.to_datetime(time).year())
        .then_some(time)
}

/// A date and a time of day.
#[derive(Clone, Copy, Default)]
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    millisecond: i16,
    /// Seconds east of UTC.
    offset: Option<i32>,
}

impl Parts {
    fn resolve(self, zone: &TimeZone) -> Result<Timestamp, NotATime> {
        let local = DateTime::new(
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            // A leap second counts as the one before it, as everywhere outside astronomy.
            self.second.min(59),
            i32::from(self.millisecond) * 1_000_000,
        )
        .ok()
        .filter(|_| self.second <= 60)
        .ok_or(NotATime::Form)?;
        if let Some(seconds) = self.offset {
            let utc = local
                .checked_sub(SignedDuration::from_secs(i64::from(seconds)))
                .map_err(|_| NotATime::Form)?;
            return Offset::UTC.to_timestamp(utc).map_err(|_| NotATime::Form);
        }
        let found = zone.to_ambiguous_timestamp(local);
        if matches!(found.offset(), AmbiguousOffset::Gap { .. }) {
            return Err(NotATime::Skipped);
        }
        // Of a time that exists twice the first.
        found.compatible().map_err(|_| NotATime::Form)
    }
}

/// The first three of the digits after a point, missing ones as 0.
fn thousandths(digits: &str) -> i16 {
    digits
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(3)
        .fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'))
}

#[cfg(test)]
mod tests;
