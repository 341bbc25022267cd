//! Moments as people write them.

use jiff::{
    Span, Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// A moment that was written on the command line: `2026-03-02T08:00`, `2026-03-02`, or how long ago, such as `3h` or
/// `2d`; in the time zone of this machine where it names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct When(String);

impl When {
    /// For clap.
    ///
    /// # Errors
    /// What is right instead.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let now = crate::clock::Clock::system().now();
        let right = "a moment is written like 2026-03-02T08:00, like 2026-03-02, or as how long ago: 3h, 2d";
        moment(text, now, &TimeZone::system())
            .map(|time| Self(time.to_string()))
            .ok_or_else(|| right.to_owned())
    }

    /// In UTC, as the gateway reads it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(span) = text.parse::<Span>() {
        let ago = now.to_zoned(zone.clone()).checked_sub(span).ok()?;
        return Some(ago.timestamp()).filter(|ago| *ago <= now);
    }
    let local = text.parse::<DateTime>().or_else(|_| {
        let date = text.parse::<Date>();
        date.map(|date| date.to_datetime(Time::midnight()))
    });
    Some(local.ok()?.to_zoned(zone.clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now: Timestamp = "2026-03-05T12:00:00Z".parse().unwrap();
        let mexico = TimeZone::get("America/Mexico_City").unwrap();
        for (text, expected) in [
            ("2026-03-02T08:00:00Z", Some("2026-03-02T08:00:00Z")),
            ("2026-03-02T08:00:00-06:00", Some("2026-03-02T14:00:00Z")),
            ("2026-03-02T08:00", Some("2026-03-02T14:00:00Z")),
            ("2026-03-02 08:00", Some("2026-03-02T14:00:00Z")),
            ("2026-03-02", Some("2026-03-02T06:00:00Z")),
            ("3h", Some("2026-03-05T09:00:00Z")),
            ("2d", Some("2026-03-03T12:00:00Z")),
            ("-2d", None),
            ("yesterday", None),
            ("", None),
        ] {
            let expected = expected.map(|text| text.parse::<Timestamp>().unwrap());
            assert_eq!(moment(text, now, &mexico), expected, "{text}");
        }
    }
}
