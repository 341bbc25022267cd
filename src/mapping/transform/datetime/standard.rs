//! The forms that need no explanation: the year first, or an instant.

use super::{Parts, Said, cursor::Cursor, unix};

/// RFC 3339; `YYYY-MM-DD[ T]HH:mm[:ss[.SSS]]`; `YYYY-MM-DD` (midnight); `YYYYMMDDTHHmm[ss[.SSS]]`; each but the date
/// alone also with an offset; and `/Date(1736937000123)/`, as Microsoft's older JSON has it.
pub(super) fn read(text: &str) -> Option<Said> {
    if let Some(inside) = text.strip_prefix("/Date(") {
        return microsoft(inside);
    }
    let mut rest = Cursor(text);
    let mut parts = Parts {
        year: rest.digits(4, 4)?,
        ..Parts::default()
    };
    let is_basic = !rest.eat('-');
    parts.month = rest.two(2)?;
    if !is_basic && !rest.eat('-') {
        return None;
    }
    parts.day = rest.two(2)?;
    // Eight digits alone may be anything.
    if rest.is_at_end() && !is_basic {
        return Some(Said::Local(parts));
    }
    if rest.eat_one_of(&['T', 't']).is_none() && (is_basic || !rest.eat(' ')) {
        return None;
    }
    parts.hour = rest.two(2)?;
    if !is_basic && !rest.eat(':') {
        return None;
    }
    parts.minute = rest.two(2)?;
    let has_seconds = if is_basic {
        rest.0.starts_with(|c: char| c.is_ascii_digit())
    } else {
        rest.eat(':')
    };
    if has_seconds {
        parts.second = rest.two(2)?;
        if rest.eat_one_of(&['.', ',']).is_some() {
            parts.millisecond = rest.fraction()?;
        }
    }
    if !rest.is_at_end() {
        rest.eat(' ');
        parts.offset = Some(rest.offset()?);
    }
    rest.is_at_end().then_some(Said::Local(parts))
}

/// Milliseconds since 1970 in UTC. An offset behind them says only where the clock hung.
fn microsoft(inside: &str) -> Option<Said> {
    let inside = inside.strip_suffix(")/")?;
    let unsigned = inside.strip_prefix('-').unwrap_or(inside);
    let offset = unsigned.trim_start_matches(|c: char| c.is_ascii_digit());
    if offset.len() == unsigned.len() {
        return None;
    }
    if !offset.is_empty() {
        let mut rest = Cursor(offset);
        rest.offset()?;
        if !rest.is_at_end() {
            return None;
        }
    }
    let milliseconds = inside.strip_suffix(offset)?;
    unix(milliseconds, 1).map(Said::Instant)
}
