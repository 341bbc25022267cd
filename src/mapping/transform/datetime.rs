//! Dates and times: read in the forms that sources write, written as RFC 3339 in UTC with milliseconds.

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase},
};

use super::text::trim;
use crate::mapping::number;

/// How a text is read as a time.
#[derive(Clone, Debug)]
pub(in crate::mapping) struct Format {
    /// `None`: the standard forms.
    pattern: Option<Pattern>,
    /// For texts without an offset.
    zone: TimeZone,
}

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping) enum NotATime {
    /// It does not have the form, or a part is out of range.
    Form,
    /// The clocks were put forward over it.
    Skipped,
}

impl Format {
    pub(in crate::mapping) fn new(pattern: Option<Pattern>, zone: TimeZone) -> Self {
        Self { pattern, zone }
    }

    pub(in crate::mapping) fn read(&self, written: &str) -> Result<Timestamp, NotATime> {
        let parts = match &self.pattern {
            Some(pattern) => pattern.read(trim(written)),
            None => standard(trim(written)),
        }
        .ok_or(NotATime::Form)?;
        let time = parts.resolve(&self.zone)?;
        in_range(time).ok_or(NotATime::Form)
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

/// What a text said.
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

/// Reads a text from left to right.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn eat(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// A number of so many digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<i16> {
        let count = self
            .0
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.parse().ok()
    }

    fn two(&mut self, least: usize) -> Option<i8> {
        self.digits(least, 2)?.try_into().ok()
    }

    /// `Z`, `+06:00`, `+0600` or `+06`.
    fn offset(&mut self) -> Option<i32> {
        if self.eat('Z') || self.eat('z') {
            return Some(0);
        }
        let sign = if self.eat('+') {
            1
        } else if self.eat('-') {
            -1
        } else {
            return None;
        };
        let hours = i32::from(self.two(2)?);
        let minutes = if self.eat(':') || self.0.starts_with(|c: char| c.is_ascii_digit()) {
            i32::from(self.two(2)?)
        } else {
            0
        };
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

/// RFC 3339, `YYYY-MM-DD[ T]HH:mm[:ss[.SSS]]`, or `YYYY-MM-DD` (midnight).
fn standard(text: &str) -> Option<Parts> {
    let mut rest = Cursor(text);
    let mut parts = Parts {
        year: rest.digits(4, 4)?,
        ..Parts::default()
    };
    parts.month = rest.eat('-').then(|| rest.two(2))??;
    parts.day = rest.eat('-').then(|| rest.two(2))??;
    if rest.0.is_empty() {
        return Some(parts);
    }
    if !(rest.eat('T') || rest.eat('t') || rest.eat(' ')) {
        return None;
    }
    parts.hour = rest.two(2)?;
    parts.minute = rest.eat(':').then(|| rest.two(2))??;
    if rest.eat(':') {
        parts.second = rest.two(2)?;
        if rest.eat('.') {
            parts.millisecond = fraction(&mut rest)?;
        }
    }
    if !rest.0.is_empty() {
        parts.offset = Some(rest.offset()?);
    }
    rest.0.is_empty().then_some(parts)
}

/// The digits after the point as milliseconds; finer ones are cut.
fn fraction(rest: &mut Cursor<'_>) -> Option<i16> {
    let count = rest.0.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, after) = rest.0.split_at_checked(count)?;
    if digits.is_empty() {
        return None;
    }
    rest.0 = after;
    Some(thousandths(digits))
}

/// The first three of the digits after a point, missing ones as 0.
fn thousandths(digits: &str) -> i16 {
    digits
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(3)
        .fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'))
}

/// A form such as `DD/MM/YYYY HH:mm`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::mapping) struct Pattern(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Offset,
    Literal(char),
}

impl Piece {
    fn is_digits(self) -> bool {
        !matches!(self, Self::Offset | Self::Literal(_))
    }
}

impl Pattern {
    /// Reads a pattern of the letters `YYYY MM DD HH mm ss SSS Z`; other letters than `T` are refused.
    ///
    /// # Errors
    /// What is wrong with it, for the person who wrote it.
    pub(in crate::mapping) fn parse(text: &str) -> Result<Self, String> {
        const LETTERS: [(&str, Piece); 8] = [
            ("YYYY", Piece::Year),
            ("MM", Piece::Month),
            ("DD", Piece::Day),
            ("HH", Piece::Hour),
            ("mm", Piece::Minute),
            ("SSS", Piece::Millisecond),
            ("ss", Piece::Second),
            ("Z", Piece::Offset),
        ];
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((letters, piece)) = LETTERS
                .into_iter()
                .find(|(letters, _)| rest.starts_with(letters))
            {
                if pieces.contains(&piece) {
                    return Err(format!("`{letters}` stands twice in the pattern"));
                }
                pieces.push(piece);
                rest = rest.get(letters.len()..).unwrap_or_default();
            } else if c.is_alphanumeric() && c != 'T' {
                return Err(format!(
                    "the pattern has no letter `{c}`: use YYYY MM DD HH mm ss SSS Z"
                ));
            } else {
                pieces.push(Piece::Literal(c));
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
        for (piece, letters) in [
            (Piece::Year, "YYYY"),
            (Piece::Month, "MM"),
            (Piece::Day, "DD"),
        ] {
            if !pieces.contains(&piece) {
                return Err(format!("the pattern lacks `{letters}`"));
            }
        }
        Ok(Self(pieces))
    }

    fn read(&self, text: &str) -> Option<Parts> {
        let mut rest = Cursor(text);
        let mut parts = Parts::default();
        for (index, piece) in self.0.iter().enumerate() {
            // `5/1/2025` is clear, since no other digits can stand beside these.
            let before = index.checked_sub(1).and_then(|before| self.0.get(before));
            let stands_alone = ![before, self.0.get(index + 1)]
                .into_iter()
                .flatten()
                .any(|piece| piece.is_digits());
            let least = if stands_alone { 1 } else { 2 };
            match piece {
                Piece::Year => parts.year = rest.digits(4, 4)?,
                Piece::Month => parts.month = rest.two(least)?,
                Piece::Day => parts.day = rest.two(least)?,
                Piece::Hour => parts.hour = rest.two(least)?,
                Piece::Minute => parts.minute = rest.two(2)?,
                Piece::Second => parts.second = rest.two(2)?,
                Piece::Millisecond => parts.millisecond = rest.digits(3, 3)?,
                Piece::Offset => parts.offset = Some(rest.offset()?),
                Piece::Literal(c) => {
                    if !rest.eat(*c) {
                        return None;
                    }
                }
            }
        }
        rest.0.is_empty().then_some(parts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pattern: Option<&str>, text: &str) -> Result<String, NotATime> {
        let pattern = pattern.map(|pattern| Pattern::parse(pattern).unwrap());
        let format = Format::new(pattern, zone("America/Mexico_City").unwrap());
        format.read(text).map(written)
    }

    #[test]
    fn the_standard_forms_are_read() {
        for (text, time) in [
            ("2025-01-15T10:30:00Z", "2025-01-15T10:30:00.000Z"),
            ("2025-01-15t10:30:00.123456z", "2025-01-15T10:30:00.123Z"),
            ("2025-01-15T04:30:00-06:00", "2025-01-15T10:30:00.000Z"),
            ("2025-01-15T04:30:00-0600", "2025-01-15T10:30:00.000Z"),
            ("2025-01-15T04:30:00", "2025-01-15T10:30:00.000Z"),
            (" 2025-01-15 04:30 ", "2025-01-15T10:30:00.000Z"),
            ("2025-01-15 04:30:00.5", "2025-01-15T10:30:00.500Z"),
            ("2025-01-15", "2025-01-15T06:00:00.000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(read(None, text).as_deref(), Ok(time), "{text}");
        }
        for text in [
            "2025-1-15",
            "2025-02-30",
            "2025-01-15T25:00",
            "2025-01-15T10",
            "2025-01-15T10:30:61Z",
            "2025-01-15T10:30:00+25:00",
            "2025-01-15T10:30:00Zx",
            "2025-01-15T10:30:00.Z",
            "15/01/2025",
            "yesterday",
            "2025",
        ] {
            assert_eq!(read(None, text), Err(NotATime::Form), "{text}");
        }
    }

    #[test]
    fn patterns_are_read() {
        for (pattern, text, time) in [
            (
                "DD/MM/YYYY HH:mm",
                "15/01/2025 04:30",
                "2025-01-15T10:30:00.000Z",
            ),
            ("DD/MM/YYYY", "5/1/2025", "2025-01-05T06:00:00.000Z"),
            ("YYYYMMDD", "20250115", "2025-01-15T06:00:00.000Z"),
            (
                "YYYY-MM-DDTHH:mm:ss.SSSZ",
                "2025-01-15T04:30:00.007-06",
                "2025-01-15T10:30:00.007Z",
            ),
        ] {
            assert_eq!(read(Some(pattern), text).as_deref(), Ok(time), "{text}");
        }
        for (pattern, text) in [
            ("DD/MM/YYYY", "2025-01-15"),
            ("DD/MM/YYYY", "15/13/2025"),
            ("YYYYMMDD", "2025115"),
            ("DD/MM/YYYY", "15/01/2025 "),
        ] {
            let read = read(Some(pattern), text);
            assert_eq!(read.is_err(), text != "15/01/2025 ", "{text}: {read:?}");
        }
        for (pattern, message) in [
            ("DD/MM/YY", "the pattern has no letter `Y`"),
            ("DD/MM/YYYY hh:mm", "the pattern has no letter `h`"),
            ("MM/YYYY", "the pattern lacks `DD`"),
            ("DD/MM/YYYY DD", "`DD` stands twice in the pattern"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.starts_with(message), "{pattern}: {error}");
        }
    }

    #[test]
    fn a_skipped_hour_is_an_error_and_a_doubled_one_means_the_first() {
        let zone = zone("America/New_York").unwrap();
        let format = Format::new(None, zone);
        assert_eq!(format.read("2025-03-09T02:30"), Err(NotATime::Skipped));
        let doubled = format.read("2025-11-02T01:30").map(written);
        assert_eq!(doubled.as_deref(), Ok("2025-11-02T05:30:00.000Z"));
    }

    #[test]
    fn numbers_since_1970_are_read() {
        for (number, unit, time) in [
            ("1736937000", 1000, Some("2025-01-15T10:30:00.000Z")),
            ("1736937000123", 1, Some("2025-01-15T10:30:00.123Z")),
            ("1736937000.5", 1000, Some("2025-01-15T10:30:00.500Z")),
            ("-1.5", 1000, Some("1969-12-31T23:59:58.500Z")),
            ("1.7e9", 1000, Some("2023-11-14T22:13:20.000Z")),
            ("1736937000123", 1000, None),
            ("1e300", 1000, None),
        ] {
            assert_eq!(unix(number, unit).map(written).as_deref(), time, "{number}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(milliseconds in -62_167_219_200_000_i64..253_402_300_799_000) {
            let time = Timestamp::from_millisecond(milliseconds).unwrap();
            let format = Format::new(None, TimeZone::UTC);
            prop_assert_eq!(format.read(&written(time)), Ok(time));
        }

        #[test]
        fn any_text_is_a_time_or_not(text in "[0-9TZ:+. /-]{0,30}") {
            let _read: Result<_, NotATime> = Format::new(None, TimeZone::UTC).read(&text);
        }
    }
}
