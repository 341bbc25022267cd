//! How long an answer asks to wait: `Retry-After` of RFC 9110, section 10.2.3.

use std::time::Duration;

use jiff::Timestamp;

/// Longer waits are cut to this: a header must not be able to stop a destination for weeks.
const LONGEST: Duration = Duration::from_hours(24);

/// Reads seconds or a date. A date that has passed means no wait; what is neither means nothing.
///
/// Quentli documents no `Retry-After`; proxies in front of it may well send one.
pub(super) fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that do not fit the type ask for longer than the longest wait.
        let wait = text.parse().map_or(LONGEST, Duration::from_secs);
        return Some(wait.min(LONGEST));
    }
    let due = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    // A negative wait has no unsigned form.
    let wait = Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO);
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let now: Timestamp = "2026-01-15T10:00:00Z".parse().unwrap();
        let day = Duration::from_hours(24);
        for (text, wait) in [
            ("0", Some(Duration::ZERO)),
            (" 120 ", Some(Duration::from_mins(2))),
            ("86400", Some(day)),
            ("86401", Some(day)),
            ("99999999999999999999999999", Some(day)),
            (
                "Thu, 15 Jan 2026 10:01:30 GMT",
                Some(Duration::from_secs(90)),
            ),
            ("Thu, 15 Jan 2026 09:00:00 GMT", Some(Duration::ZERO)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(Duration::ZERO)),
            ("Fri, 15 Jan 2027 10:00:00 GMT", Some(day)),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(parse(text, now), wait, "{text:?}");
        }
    }
}
