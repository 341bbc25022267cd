//! The times that a request names: one of them is when it was signed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, fmt::rfc2822};

use crate::verify::Received;

/// Enough for every honest request.
const MOST: usize = 6;
/// Longer texts are no times.
const MAX_LENGTH: usize = 40;

/// How a time is written, in the words of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    UnixSeconds,
    UnixMilliseconds,
    Rfc3339,
}

impl Written {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::UnixSeconds => "unix_s",
            Self::UnixMilliseconds => "unix_ms",
            Self::Rfc3339 => "rfc3339",
        }
    }
}

/// A text as a time in this century, whatever way it is written.
pub(super) fn read(text: &str) -> Option<(Timestamp, Written)> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        return match text.len() {
            10 => Some((Timestamp::from_second(number).ok()?, Written::UnixSeconds)),
            13 => Some((
                Timestamp::from_millisecond(number).ok()?,
                Written::UnixMilliseconds,
            )),
            _ => None,
        };
    }
    let is_long = text.len() >= "2026-01-01T00:00Z".len();
    let time = text.parse().ok().filter(|_| is_long)?;
    Some((time, Written::Rfc3339))
}

/// The moments at which a JSON web token in a header says that it is valid.
fn claimed(request: &Received) -> Vec<Timestamp> {
    let mut found = Vec::new();
    for text in request
        .headers
        .values()
        .filter_map(|value| value.to_str().ok())
    {
        let token = text.rsplit(' ').next().unwrap_or_default();
        let Some(claims) = token
            .split('.')
            .nth(1)
            .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
            .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        else {
            continue;
        };
        // A token is over at its `exp`.
        for (claim, shift) in [("iat", 0), ("nbf", 0), ("exp", -1)] {
            let second = claims.get(claim).and_then(serde_json::Value::as_i64);
            let moment =
                second.and_then(|second| Timestamp::from_second(second.saturating_add(shift)).ok());
            found.extend(moment);
        }
    }
    found.truncate(MOST);
    found
}

/// The moments named in headers, each once, in their order.
pub(super) fn named(request: &Received) -> Vec<Timestamp> {
    let mut found = Vec::new();
    let mut add = |time: Timestamp| {
        if !found.contains(&time) && found.len() < MOST {
            found.push(time);
        }
    };
    for (name, value) in &request.headers {
        let Ok(text) = value.to_str() else { continue };
        let is_part = |c: char| c.is_ascii_alphanumeric() || ":.+-".contains(c);
        text.split(|c| !is_part(c))
            .filter_map(read)
            .for_each(|(time, _)| add(time));
        if name == http::header::DATE
            && let Ok(time) = rfc2822::parse(text)
        {
            add(time.timestamp());
        }
    }
    found.extend(claimed(request));
    found
}
