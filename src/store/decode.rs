//! Reads columns back into the program's types, for every engine. A value that cannot be read is a broken invariant, named by
//! its column and never quoted.

use std::{str::FromStr, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::{
    customer::{Field, PartKey},
    event::{AttemptOutcome, DeliveryState, End},
};

/// A stored value that cannot be what its column says: our bug.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a stored {0} cannot be read")]
pub(super) struct Unreadable(&'static str);

fn unreadable(column: &'static str) -> Unreadable {
    Unreadable(column)
}

/// A duration as it is stored.
pub(super) fn duration_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn duration(millis: i64) -> Result<Duration, Unreadable> {
    u64::try_from(millis)
        .map(Duration::from_millis)
        .map_err(|_| unreadable("duration"))
}

pub(super) fn time(millis: i64) -> Result<Timestamp, Unreadable> {
    Timestamp::from_millisecond(millis).map_err(|_| unreadable("time"))
}

pub(super) fn state(word: &str) -> Result<DeliveryState, Unreadable> {
    DeliveryState::ALL
        .into_iter()
        .find(|state| state.as_str() == word)
        .ok_or_else(|| unreadable("state"))
}

pub(super) fn end(word: &str) -> Result<End, Unreadable> {
    End::ALL
        .into_iter()
        .find(|end| end.as_str() == word)
        .ok_or_else(|| unreadable("end"))
}

pub(super) fn outcome(word: &str) -> Result<AttemptOutcome, Unreadable> {
    AttemptOutcome::ALL
        .into_iter()
        .find(|outcome| outcome.as_str() == word)
        .ok_or_else(|| unreadable("outcome"))
}

/// The text that `PartKey` displays.
pub(super) fn part(text: &str) -> Result<PartKey, Unreadable> {
    match text.strip_prefix("metadata.") {
        Some(key) => Ok(PartKey::Metadata(key.to_owned())),
        None => Field::from_name(text)
            .map(PartKey::Field)
            .ok_or_else(|| unreadable("part")),
    }
}

/// A number that is small by its meaning.
pub(super) fn small(number: i64) -> Result<u32, Unreadable> {
    u32::try_from(number).map_err(|_| unreadable("number"))
}

/// A figure that counts something.
pub(super) fn count(number: i64) -> Result<u64, Unreadable> {
    u64::try_from(number).map_err(|_| unreadable("counter"))
}

/// A status of HTTP.
pub(super) fn status(number: i64) -> Result<u16, Unreadable> {
    u16::try_from(number).map_err(|_| unreadable("status"))
}

/// So many bytes.
pub(super) fn bytes<const N: usize>(
    bytes: &[u8],
    column: &'static str,
) -> Result<[u8; N], Unreadable> {
    bytes.try_into().map_err(|_| unreadable(column))
}

pub(super) fn base64(text: &str, column: &'static str) -> Result<Vec<u8>, Unreadable> {
    BASE64_STANDARD.decode(text).map_err(|_| unreadable(column))
}

/// A name or identifier with its own rules.
pub(super) fn text<T: FromStr>(text: &str, column: &'static str) -> Result<T, Unreadable> {
    text.parse().map_err(|_| unreadable(column))
}

pub(super) fn json<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|_| unreadable(column))
}

/// A list of texts that is not stored when it is empty.
pub(super) fn list(text: Option<String>, column: &'static str) -> Result<Vec<String>, Unreadable> {
    text.map_or(Ok(Vec::new()), |text| json(&text, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_back_as_they_are_shown() {
        for key in [
            PartKey::Field(Field::Email),
            PartKey::Metadata("Grado".into()),
            PartKey::Metadata("metadata.x".into()),
            PartKey::Metadata(String::new()),
        ] {
            assert_eq!(part(&key.to_string()).unwrap(), key);
        }
    }

    #[test]
    fn an_unreadable_value_is_not_quoted() {
        let error = json::<Vec<String>>("[7, \"Ana\"]", "warnings").unwrap_err();
        assert_eq!(error.to_string(), "a stored warnings cannot be read");
    }
}
