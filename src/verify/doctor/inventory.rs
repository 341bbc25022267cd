//! What a check looks at in a request, and what is there: places and looks, never a token or a signature.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Case, Verdict, moment, shape, tokens};
use crate::{
    diag::visible,
    verify::{
        KeySetHandle,
        request::{fields, query_of},
    },
};

/// Headers that nothing asks for are named up to this many.
const MOST_UNASKED: usize = 6;

/// Something that the check looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `signature`, `timestamp`, `body` and so on.
    pub what: &'static str,
    pub found: String,
    pub state: State,
}

/// Whether what is there may be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Good,
    Bad,
    /// Only known together with the rest.
    Open,
}

pub(super) fn take(case: &Case<'_>, verdict: &Verdict) -> Vec<Seen> {
    let mut seen = required(case);
    seen.extend(signature(case));
    seen.extend(timestamp(case));
    if let Some(name) = case.settings.text("id_header") {
        seen.push(header(case, "id", name));
    }
    seen.extend(token(case));
    seen.extend(tokens::seen(case, verdict));
    if case.settings.text("type") == Some("basic") {
        seen.push(header(case, "credentials", "Authorization"));
    }
    if matches!(
        case.settings.text("type"),
        Some("client-certificate" | "mtls")
    ) && let Some(name) = case.settings.text("header")
    {
        seen.push(header(case, "certificate", name));
    }
    seen.extend(signed(case));
    if !matches!(verdict, Verdict::Genuine(_)) {
        seen.extend(unasked(case));
    }
    let keys = case
        .public_keys
        .iter()
        .map(|key| ("public key", &key.name, key.until));
    let secrets = case
        .secrets
        .iter()
        .map(|secret| ("secret", &secret.name, secret.until));
    for (what, name, until) in secrets.chain(keys) {
        let matched = matches!(verdict, Verdict::Genuine(Some(matched)) if **matched == **name);
        let ended = until.filter(|until| *until <= case.now);
        let (found, state) = match ended {
            Some(until) => (format!("{name}, which ended at {until}"), State::Bad),
            None if matched => (name.clone(), State::Good),
            None => (name.clone(), State::Open),
        };
        seen.push(Seen { what, found, state });
    }
    if let Some(set) = case.key_set.and_then(KeySetHandle::current) {
        seen.push(Seen {
            what: "published",
            found: match set.len() {
                1 => "1 key".to_owned(),
                count => format!("{count} keys"),
            },
            state: if matches!(verdict, Verdict::Genuine(_)) {
                State::Good
            } else {
                State::Open
            },
        });
    }
    seen
}

fn required(case: &Case<'_>) -> Vec<Seen> {
    let wanted = case
        .settings
        .get("require_headers")
        .and_then(Value::as_array);
    let mut seen = Vec::new();
    for wanted in wanted.into_iter().flatten() {
        let part = |key: &str| wanted.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, value) = (part("name"), part("value"));
        let there: Vec<_> = case.request.headers.get_all(name).iter().collect();
        let is_right = matches!(there.as_slice(), [one] if one.as_bytes() == value.as_bytes());
        let mut one = header(case, "required", name);
        if is_right {
            one.state = State::Good;
        } else if let [_] = there.as_slice() {
            one.found = format!("header `{name}`: another value than `{}`", visible(value));
            one.state = State::Bad;
        }
        seen.push(one);
    }
    seen
}

/// A header that must be there once.
fn header(case: &Case<'_>, what: &'static str, name: &str) -> Seen {
    let (found, state) = match case.request.headers.get_all(name).iter().count() {
        0 => (format!("header `{name}`: missing"), State::Bad),
        1 => (format!("header `{name}`: there"), State::Open),
        count => (format!("header `{name}`: there {count} times"), State::Bad),
    };
    Seen { what, found, state }
}

fn signature(case: &Case<'_>) -> Option<Seen> {
    if let Some(path) = case.settings.text("signature_json_path") {
        let body: Option<Value> = serde_json::from_slice(&case.request.body).ok();
        let place = format!("`{}` of the body", visible(path));
        let (found, state) = match body {
            None => (format!("{place}: the body is not JSON"), State::Bad),
            Some(_) => (place, State::Open),
        };
        return Some(Seen {
            what: "signature",
            found,
            state,
        });
    }
    if let Some(names) = case
        .settings
        .get("signature_headers")
        .and_then(Value::as_array)
    {
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        let there = names
            .iter()
            .filter(|name| case.request.headers.contains_key(**name))
            .count();
        return Some(Seen {
            what: "signature",
            found: format!(
                "headers `{}`: {there} of {} there",
                names.join("`, `"),
                names.len()
            ),
            state: if there == 0 { State::Bad } else { State::Open },
        });
    }
    for kind in ["query", "form"] {
        if let Some(name) = case.settings.text(&format!("signature_{kind}")) {
            return Some(field(case, "signature", kind, name));
        }
    }
    let name = case.settings.text("signature_header")?;
    let mut seen = header(case, "signature", name);
    let value = case
        .request
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok());
    if let (State::Open, Some(value)) = (seen.state, value) {
        seen.found = match shape::of(value).as_slice() {
            [] if is_masked(value) => {
                seen.state = State::Bad;
                format!(
                    "header `{name}`: masked, as logs do with secrets; the signature itself is gone"
                )
            }
            [] => {
                seen.state = State::Bad;
                format!(
                    "header `{name}`: {} characters, in which no hash can be seen",
                    value.len()
                )
            }
            shapes @ [plainest, ..] => {
                // One text may be read in several ways; only several keys are several signatures.
                let mut named = shapes.iter().filter(|shape| shape.named().is_some());
                let first = named.next().unwrap_or(plainest);
                let is_several = named.any(|other| other.named() != first.named());
                let more = if is_several { ", and more" } else { "" };
                format!("header `{name}`: {}{more}", first.described())
            }
        };
    }
    Some(seen)
}

/// Whether something was put in the place of a value.
fn is_masked(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    [
        "***", "redacted", "filtered", "masked", "hidden", "xxxx", "…", "[secret]",
    ]
    .iter()
    .any(|mask| lower.contains(mask))
}

fn timestamp(case: &Case<'_>) -> Option<Seen> {
    let source = case.settings.text("timestamp.source")?;
    let (kind, name) = source.split_once(':')?;
    let text = if kind == "header" {
        let seen = header(case, "timestamp", name);
        if seen.state == State::Bad {
            return Some(seen);
        }
        case.request
            .headers
            .get(name)?
            .to_str()
            .ok()
            .map(str::to_owned)
    } else if kind == "json" {
        let found = format!("`{}` of the body", visible(name));
        let (what, state) = ("timestamp", State::Open);
        return Some(Seen { what, found, state });
    } else {
        let holder = case.settings.text("signature_header")?;
        let value = case.request.headers.get(holder)?.to_str().ok()?;
        value
            .split([',', ';'])
            .filter_map(|item| item.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    };
    let place = format!("{kind} `{}`", visible(name));
    let (found, state) = match text {
        None => (format!("{place}: missing"), State::Bad),
        Some(text) => match moment::read(&text) {
            Some((time, written)) => {
                let word = written.word();
                let format = case.settings.text("timestamp.format").unwrap_or(word);
                let is_right = format == word || (format == "unix_any" && word.starts_with("unix"));
                let (but, state) = if is_right {
                    (String::new(), State::Open)
                } else {
                    let but = format!(", but the settings say `{}`", visible(format));
                    (but, State::Bad)
                };
                (
                    format!(
                        "{place}: {time} (`{word}`{but}), {}",
                        distance(time, case.now)
                    ),
                    state,
                )
            }
            None => (
                format!("{place}: {} characters that are no time", text.len()),
                State::Bad,
            ),
        },
    };
    Some(Seen {
        what: "timestamp",
        found,
        state,
    })
}

/// `3 h 12 min before it arrived`.
pub fn distance(time: Timestamp, now: Timestamp) -> String {
    let apart = now.duration_since(time);
    if apart.is_zero() {
        return "when it arrived".to_owned();
    }
    let side = if apart.is_positive() {
        "before"
    } else {
        "after"
    };
    format!("{} {side} it arrived", in_words(apart.abs()))
}

/// A duration in its two largest units.
pub fn in_words(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let Some(first) = units.iter().position(|(_, size)| seconds >= *size) else {
        return format!("{} ms", duration.subsec_millis());
    };
    let mut rest = seconds;
    let mut words = Vec::new();
    for (unit, size) in units.iter().skip(first).take(2) {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            words.push(format!("{count} {unit}"));
        }
    }
    words.join(" ")
}

/// A parameter of the query or a field of the form, which must be there once.
fn field(case: &Case<'_>, what: &'static str, kind: &str, name: &str) -> Seen {
    let text = if kind == "query" {
        query_of(&case.request.path_and_query).as_bytes()
    } else {
        &case.request.body
    };
    let count = fields(text)
        .filter(|(field, _)| **field == *name.as_bytes())
        .count();
    let (there, state) = match count {
        0 => ("missing".to_owned(), State::Bad),
        1 => ("there".to_owned(), State::Open),
        _ => (format!("there {count} times"), State::Bad),
    };
    let found = format!("{kind} `{}`: {there}", visible(name));
    Seen { what, found, state }
}

fn token(case: &Case<'_>) -> Option<Seen> {
    let source = case.settings.text("token_source")?;
    let (kind, name) = source.split_once(':')?;
    let mut seen = match kind {
        "header" => header(case, "token", name),
        "query" | "form" => field(case, "token", kind, name),
        _ => Seen {
            what: "token",
            found: format!("`{}` of the body", visible(name)),
            state: State::Open,
        },
    };
    if let (State::Open, "header") = (seen.state, kind)
        && let Some(value) = case.request.headers.get(name)?.to_str().ok()
        && is_masked(value)
    {
        seen.state = State::Bad;
        seen.found =
            format!("header `{name}`: masked, as logs do with secrets; the token itself is gone");
    }
    Some(seen)
}

/// Headers that nothing asks for and that look like a signature or a time.
fn unasked(case: &Case<'_>) -> Vec<Seen> {
    let source = case.settings.text("timestamp.source").unwrap_or_default();
    let asked = [
        case.settings.text("signature_header").unwrap_or_default(),
        case.settings.text("header").unwrap_or_default(),
        source.strip_prefix("header:").unwrap_or_default(),
    ];
    let mut seen = Vec::new();
    for (name, text) in super::header::texts(&case.request.headers) {
        if asked
            .iter()
            .any(|asked| asked.eq_ignore_ascii_case(name.as_str()))
        {
            continue;
        }
        let found = match (shape::of(text).first(), moment::read(text)) {
            (Some(shape), _) => shape.described(),
            (None, Some((_, written))) => format!("a time (`{}`)", written.word()),
            (None, None) => continue,
        };
        seen.push(Seen {
            what: "not asked for",
            found: format!("header `{name}`: {found}"),
            state: State::Open,
        });
    }
    seen.truncate(MOST_UNASKED);
    seen
}

/// The parts that are signed.
fn signed(case: &Case<'_>) -> Vec<Seen> {
    if !super::header::is_signature(case.settings) {
        return Vec::new();
    }
    let text = case.settings.text("signed").unwrap_or("{body}");
    let mut seen = vec![Seen {
        what: "signed text",
        found: format!("`{}`", visible(text)),
        state: State::Open,
    }];
    if text.contains("{body}") {
        seen.push(Seen {
            what: "body",
            found: match case.request.body.len() {
                0 => "empty".to_owned(),
                length => format!("{length} bytes"),
            },
            state: State::Open,
        });
    }
    if text.contains("{url") {
        let url = case.request.public_url.as_str();
        let (shown, query) = url
            .split_once('?')
            .map_or((url, ""), |(url, _)| (url, "?…"));
        seen.push(Seen {
            what: "address",
            found: format!("{}{query}", visible(shown)),
            state: State::Open,
        });
    }
    seen
}
