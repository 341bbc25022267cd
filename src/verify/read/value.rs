//! Reads single values: words, texts, header names, paths, durations.

use http::HeaderName;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::CODES;
use crate::{
    diag::{Collector, Diagnostic, did_you_mean},
    verify::{SecretEncoding, json_path::JsonPath, timestamp::MAX_TOLERANCE},
    yaml::{KeyReader, Node},
};

/// A value that makes no sense by itself.
pub const BAD_VALUE: &str = "recv/bad-value";
/// Values that make no sense together.
pub(super) const CONTRADICTION: &str = "recv/contradiction";

/// Stands for a mistake that is in the collector.
pub(super) struct Reported;
pub(super) type Read<T> = Result<T, Reported>;

pub(super) fn choice<T: Copy>(
    keys: &mut KeyReader<'_>,
    key: &'static str,
    what: &str,
    choices: &[(&'static str, T)],
    default: Option<T>,
    out: &mut Collector,
) -> Read<T> {
    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    let given = if let Some(default) = default {
        match optional_text(keys, key, out)? {
            Some(given) => given,
            None => return Ok(default),
        }
    } else {
        let help = format!("write one of {}", words.join(", "));
        keys.require_text(key, &help, out).ok_or(Reported)?
    };
    let (text, node) = given;
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    report(out, unknown_word(node, what, text, &words))
}

/// How the secrets that the file refers to become keys.
pub(super) fn secret_encoding(
    keys: &mut KeyReader<'_>,
    out: &mut Collector,
) -> Read<SecretEncoding> {
    choice(
        keys,
        "secret_encoding",
        "an encoding of secrets",
        &[
            ("utf8", SecretEncoding::Utf8),
            ("hex", SecretEncoding::Hex),
            ("base64", SecretEncoding::Base64),
            ("base64url", SecretEncoding::Base64Url),
            ("whsec", SecretEncoding::Whsec),
        ],
        Some(SecretEncoding::Utf8),
        out,
    )
}

pub(super) fn unknown_word(node: &Node, what: &str, text: &str, words: &[&str]) -> Diagnostic {
    Diagnostic::error(BAD_VALUE, format!("`{text}` is not {what}"))
        .at(node.span, "unknown")
        .help(
            did_you_mean(text, words.iter().copied())
                .unwrap_or_else(|| format!("write one of {}", words.join(", "))),
        )
}

pub(super) fn text_or(
    keys: &mut KeyReader<'_>,
    key: &'static str,
    default: &str,
    out: &mut Collector,
) -> Read<String> {
    let given = optional_text(keys, key, out)?;
    Ok(given.map_or(default, |(text, _)| text).to_owned())
}

pub(super) fn required_text(
    keys: &mut KeyReader<'_>,
    key: &'static str,
    help: &str,
    out: &mut Collector,
) -> Read<String> {
    let (text, node) = keys.require_text(key, help, out).ok_or(Reported)?;
    not_empty(key, text, node, out).map(|(text, _)| text.to_owned())
}

/// The text of a key that may be missing, but not empty.
pub(super) fn optional_text<'a>(
    keys: &mut KeyReader<'a>,
    key: &'static str,
    out: &mut Collector,
) -> Read<Option<(&'a str, &'a Node)>> {
    let Some(entry) = keys.take(key) else {
        return Ok(None);
    };
    match entry.value.as_text() {
        Some(text) if !entry.value.is_null() => not_empty(key, text, &entry.value, out).map(Some),
        _ => report(
            out,
            Diagnostic::error(
                CODES.shape,
                format!("`{key}` takes a text, but here is {}", entry.value.shape()),
            )
            .at(entry.value.span, "expected a text"),
        ),
    }
}

pub(super) fn not_empty<'a>(
    key: &str,
    text: &'a str,
    node: &'a Node,
    out: &mut Collector,
) -> Read<(&'a str, &'a Node)> {
    if text.is_empty() {
        report(
            out,
            Diagnostic::error(BAD_VALUE, format!("`{key}` is empty"))
                .at(node.span, "nothing here")
                .help("leave the key out, or give it a value"),
        )
    } else {
        Ok((text, node))
    }
}

pub(super) fn optional_header(
    keys: &mut KeyReader<'_>,
    key: &'static str,
    out: &mut Collector,
) -> Read<Option<HeaderName>> {
    match optional_text(keys, key, out)? {
        Some((text, node)) => header_name(text, node, out).map(Some),
        None => Ok(None),
    }
}

pub(super) fn header_name(text: &str, node: &Node, out: &mut Collector) -> Read<HeaderName> {
    text.parse().or_else(|_| {
        report(
            out,
            Diagnostic::error(BAD_VALUE, format!("`{text}` is not a header name"))
                .at(node.span, "not a header name")
                .help("letters, digits and `-`, such as `X-Signature`"),
        )
    })
}

pub(super) fn json_path(text: &str, node: &Node, out: &mut Collector) -> Read<JsonPath> {
    text.parse().or_else(|error| {
        report(
            out,
            Diagnostic::error(BAD_VALUE, format!("`{text}` is not a path: {error}"))
                .at(node.span, "not a path"),
        )
    })
}

/// A moment, or a day, at whose end (in UTC) something ends.
pub fn until(node: &Node, out: &mut Collector) -> Option<Timestamp> {
    let moment = node.as_text().and_then(|text| {
        if let Ok(moment) = text.parse() {
            return Some(moment);
        }
        let day: Date = text
            .parse()
            .ok()
            .filter(|_| text.len() == "2026-12-31".len())?;
        let end = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(end.timestamp())
    });
    if moment.is_none() {
        out.add(
            Diagnostic::error(BAD_VALUE, "this is not a day")
                .at(node.span, "expected a date")
                .help("write the last day, such as 2026-12-31, or a moment, such as 2026-12-31T18:00:00Z"),
        );
    }
    moment
}

pub(super) fn report<T>(out: &mut Collector, finding: Diagnostic) -> Read<T> {
    out.add(finding);
    Err(Reported)
}

/// A duration as `5m`, or under another key as seconds.
pub(super) fn duration(
    keys: &mut KeyReader<'_>,
    key: &'static str,
    key_seconds: &'static str,
    out: &mut Collector,
) -> Read<Option<SignedDuration>> {
    let written = optional_text(keys, key, out)?;
    let seconds = optional_text(keys, key_seconds, out)?;
    let (parsed, node) = match (written, seconds) {
        (None, None) => return Ok(None),
        (Some((text, node)), None) => (parse_duration(text), node),
        (None, Some((text, node))) => (whole(text).map(SignedDuration::from_secs), node),
        (Some((_, node)), Some(_)) => {
            return report(
                out,
                Diagnostic::error(
                    CONTRADICTION,
                    format!("`{key}` and `{key_seconds}` say the same"),
                )
                .at(node.span, "given twice"),
            );
        }
    };
    match parsed.filter(|duration| *duration <= MAX_TOLERANCE) {
        Some(duration) => Ok(Some(duration)),
        None => report(
            out,
            Diagnostic::error(BAD_VALUE, "this is not a tolerance")
                .at(node.span, "not a duration up to seven days")
                .help("write a whole number with s, m, h or d, such as `5m`"),
        ),
    }
}

fn parse_duration(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().next_back()?;
    let number = whole(text.strip_suffix(unit)?)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).map(SignedDuration::from_secs)
}

fn whole(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
