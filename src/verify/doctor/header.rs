//! Where signature, timestamp and id stand, and how the signature is written.

use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::{
    Advice, Aspect, Case, Change, Remedy, Settings, moment,
    shape::{self, Shape},
};
use crate::{
    diag::visible,
    verify::code::{Algorithm, Encoding},
};

/// The keys that say where a signature stands; giving one takes the others away.
const PLACES: [&str; 5] = [
    "signature_header",
    "signature_headers",
    "signature_query",
    "signature_form",
    "signature_json_path",
];
/// What to do about a prefix or key that may be a secret.
const NOT_SHOWN: &str = "the text beside the signature is not shown, since it may be a secret. If it is none and always the same, write it in `signature_format`: {style: prefix, prefix: …}, or the key of {style: pairs, key: …}";
/// A request has few headers that look like an id.
const MOST_IDS: usize = 4;

pub(super) fn changes(case: &Case<'_>) -> Vec<Change> {
    let mut changes = repeated(case);
    changes.extend(required(case));
    if is_signature(case.settings) {
        changes.extend(quoted(case));
        changes.extend(shapes(case));
        changes.extend(timestamps(case));
        changes.extend(ids(case));
        changes.extend(key_algorithms(case.settings));
    }
    changes
}

pub(super) fn is_signature(settings: &Settings) -> bool {
    matches!(
        settings.text("type"),
        Some("hmac" | "digest" | "public-key")
    )
}

/// Every header with its text, those with several values once for each.
pub(super) fn texts(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &str)> {
    headers
        .iter()
        .filter_map(|(name, value)| Some((name, value.to_str().ok()?)))
}

/// What else a public key may sign with.
fn key_algorithms(settings: &Settings) -> Vec<Change> {
    if settings.text("type") != Some("public-key") {
        return Vec::new();
    }
    let current = settings.text("algorithm").unwrap_or_default();
    ["ed25519", "ecdsa-p256-sha256-der", "rsa-pkcs1-sha256"]
        .into_iter()
        .filter(|word| *word != current)
        .map(|word| {
            Change::of_settings(
                Aspect::SecretEncoding,
                format!("the public key is one for `{word}`"),
                vec![("algorithm".to_owned(), Some(json!(word)))],
            )
        })
        .collect()
}

/// The settings for a signature that looks like this; only those that differ.
fn shape_settings(
    settings: &Settings,
    name: &HeaderName,
    shape: &Shape,
) -> Vec<(String, Option<Value>)> {
    let mut wanted: Vec<(&str, Option<Value>)> = Vec::new();
    let current = settings.text("signature_header").unwrap_or_default();
    if !current.eq_ignore_ascii_case(name.as_str()) {
        for place in PLACES {
            if settings.get(place).is_some() && place != "signature_header" {
                wanted.push((place, None));
            }
        }
        wanted.push(("signature_header", Some(json!(name.as_str()))));
    }
    let plain = json!("plain");
    if normal(settings.get("signature_format").unwrap_or(&plain)) != normal(&shape.format) {
        wanted.push((
            "signature_format",
            (shape.format != plain).then(|| shape.format.clone()),
        ));
    }
    let encoding = settings.text("encoding");
    let is_right =
        encoding == Some(shape.encoding) || shape.is_either_base64 && encoding == Some("base64url");
    if !is_right {
        wanted.push(("encoding", Some(json!(shape.encoding))));
    }
    if let Some(algorithm) = shape.algorithm()
        && settings.text("type") != Some("public-key")
        && settings.text("algorithm").unwrap_or("sha256") != algorithm
    {
        wanted.push(("algorithm", Some(json!(algorithm))));
    }
    wanted
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// A format with its defaults written out.
fn normal(format: &Value) -> Value {
    let mut format = match format {
        Value::String(text) if text == "plain" => json!({"style": "plain"}),
        other => other.clone(),
    };
    let defaults = match format.get("style").and_then(Value::as_str) {
        Some("pairs") => [("item_sep", ","), ("kv_sep", "=")].as_slice(),
        Some("list") => &[("item_sep", " "), ("version_sep", ",")],
        _ => &[],
    };
    if let Some(keys) = format.as_object_mut() {
        for (key, default) in defaults {
            keys.entry(*key).or_insert_with(|| json!(default));
        }
    }
    format
}

fn shapes(case: &Case<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let configured = case.settings.text("signature_header");
    let moved = moved_time(case);
    for (name, text) in texts(&case.request.headers) {
        for shape in shape::of(text) {
            let mut settings = shape_settings(case.settings, name, &shape);
            if let Some((source, _)) = &moved {
                settings.push(("timestamp.source".to_owned(), Some(json!(source))));
            }
            let is_configured =
                configured.is_some_and(|configured| configured.eq_ignore_ascii_case(name.as_str()));
            if shape.is_upper {
                let mut headers = case.request.headers.clone();
                let digits = text.len() - shape.bytes * 2;
                let lower: String = text
                    .char_indices()
                    .map(|(at, c)| {
                        if at < digits {
                            c
                        } else {
                            c.to_ascii_lowercase()
                        }
                    })
                    .collect();
                if let Ok(value) = lower.parse() {
                    headers.insert(name.clone(), value);
                }
                let mut change = Change::new(
                    Aspect::Shape,
                    format!("the header `{name}` holds the signature in upper-case digits"),
                    Remedy::Words(
                        "have the sender write it in lower case; the gateway takes one way of writing only, so that nobody can vary a signature"
                            .to_owned(),
                    ),
                );
                change.settings = settings;
                change.headers = Some(headers);
                changes.push(change);
                continue;
            }
            if settings.is_empty() {
                continue;
            }
            let described = shape.described();
            let mut finding = if is_configured {
                format!("the signature in the header `{name}` is {described}")
            } else {
                format!("the signature is in the header `{name}`: {described}")
            };
            if let Some((source, _)) = &moved {
                finding = format!("{finding}, and the timestamp is in `{}`", visible(source));
            }
            let mut change = Change::of_settings(Aspect::Shape, finding, settings);
            if !shape.is_shown() {
                change.advice.remedy = Remedy::Words(NOT_SHOWN.to_owned());
            }
            changes.push(change);
        }
    }
    // The configured header first, and of the others those that change the least.
    changes.sort_by_key(|change| change.settings.len());
    changes.truncate(24);
    changes
}

/// Where the time is, if the configured header is missing and there is one other: a sender that names one header in its
/// own way does so with all.
fn moved_time(case: &Case<'_>) -> Option<(String, &'static str)> {
    let name = case
        .settings
        .text("timestamp.source")?
        .strip_prefix("header:")?;
    let places = places_of_time(&case.request.headers);
    match places.as_slice() {
        [only] if !case.request.headers.contains_key(name) => Some(only.clone()),
        _ => None,
    }
}

fn timestamps(case: &Case<'_>) -> Vec<Change> {
    let Some(source) = case.settings.text("timestamp.source") else {
        return Vec::new();
    };
    let format = case.settings.text("timestamp.format").unwrap_or_default();
    let mut changes = Vec::new();
    for (place, written) in places_of_time(&case.request.headers) {
        let mut settings = Vec::new();
        let mut said = Vec::new();
        if !place.eq_ignore_ascii_case(source) {
            settings.push(("timestamp.source".to_owned(), Some(json!(place))));
            said.push(format!(
                "the timestamp is in `{place}`, not in `{}`",
                visible(source)
            ));
        }
        if format != written && !(format == "unix_any" && written.starts_with("unix")) {
            settings.push(("timestamp.format".to_owned(), Some(json!(written))));
            let unit = match written {
                "unix_ms" => "in milliseconds",
                "unix_s" => "in seconds",
                _ => "written as in RFC 3339, such as 2026-01-15T10:30:00Z",
            };
            said.push(format!("the timestamp is {unit}"));
        }
        if !settings.is_empty() {
            let finding = said.join(", and ");
            changes.push(Change::of_settings(Aspect::Timestamp, finding, settings));
        }
    }
    changes
}

/// Where something stands that reads as a time, and how it is written, both as the settings say it.
pub(super) fn places_of_time(headers: &HeaderMap) -> Vec<(String, &'static str)> {
    let mut places = Vec::new();
    for (name, text) in texts(headers) {
        if let Some((_, written)) = moment::read(text) {
            places.push((format!("header:{name}"), written.word()));
        }
        for item in text.split([',', ';']).take(16) {
            if let Some((key, value)) = item.trim().split_once('=')
                && !key.is_empty()
                && let Some((_, written)) = moment::read(value)
            {
                places.push((format!("pair:{key}"), written.word()));
            }
        }
    }
    places.truncate(6);
    places
}

fn ids(case: &Case<'_>) -> Vec<Change> {
    let Some(current) = case.settings.text("id_header") else {
        return Vec::new();
    };
    places_of_id(&case.request.headers)
        .filter(|name| !current.eq_ignore_ascii_case(name.as_str()))
        .map(|name| {
            Change::of_settings(
                Aspect::Id,
                format!("the id that is signed is in the header `{name}`"),
                vec![("id_header".to_owned(), Some(json!(name.as_str())))],
            )
        })
        .collect()
}

/// Headers whose name says that they hold an id.
pub(super) fn places_of_id(headers: &HeaderMap) -> impl Iterator<Item = &HeaderName> {
    headers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            name.ends_with("-id") || name.contains("delivery") || name.ends_with("nonce")
        })
        .take(MOST_IDS)
}

/// The signature without quotes around it.
fn quoted(case: &Case<'_>) -> Option<Change> {
    let name = case.settings.text("signature_header")?;
    let text = case.request.headers.get(name)?.to_str().ok()?;
    let bare = text.replace(['"', '\''], "");
    if bare == text {
        return None;
    }
    let mut headers = case.request.headers.clone();
    let name = HeaderName::try_from(name).ok()?;
    headers.insert(name.clone(), bare.parse().ok()?);
    let mut change = Change::new(
        Aspect::Headers,
        format!("the signature in the header `{name}` is in quotes"),
        Remedy::Words("have the sender write it without them".to_owned()),
    );
    change.headers = Some(headers);
    Some(change)
}

/// A hash of the body that was made without any secret, in the place of the signature.
pub(super) fn bare_hash(case: &Case<'_>) -> Option<Advice> {
    if !is_signature(case.settings) {
        return None;
    }
    let name = case.settings.text("signature_header")?;
    let text = case.request.headers.get(name)?.to_str().ok()?;
    let is_hash = |algorithm: Algorithm, encoding: Encoding| {
        let mut hasher = algorithm.plain();
        hasher.update(&case.request.body);
        let hash = hasher.finish(encoding).into_text();
        text.to_ascii_lowercase().ends_with(&hash) || text.ends_with(&hash)
    };
    let algorithms = [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Sha512];
    algorithms
        .into_iter()
        .any(|algorithm| {
            is_hash(algorithm, Encoding::Hex) || is_hash(algorithm, Encoding::Base64)
        })
        .then(|| Advice {
            finding: format!(
                "the header `{name}` holds a plain hash of the body, made without any secret"
            ),
            remedy: Remedy::Words(
                "it proves nothing: anybody can compute it; have the sender sign with the secret, as an HMAC"
                    .to_owned(),
            ),
        })
}

/// A header that is there more than once, with one of its values alone.
fn repeated(case: &Case<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for name in case.request.headers.keys() {
        let values: Vec<_> = case.request.headers.get_all(name).iter().collect();
        if values.len() < 2 || values.len() > 4 {
            continue;
        }
        for (index, value) in values.iter().enumerate() {
            let mut headers = case.request.headers.clone();
            headers.insert(name.clone(), (*value).clone());
            let which = ["first", "second", "third", "fourth"]
                .get(index)
                .unwrap_or(&"last");
            let mut change = Change::new(
                Aspect::Headers,
                format!(
                    "the header `{name}` is there {} times, and the {which} is the right one",
                    values.len()
                ),
                Remedy::Words(
                    "find out who adds the other, most often a web server in between, and have the header sent once"
                        .to_owned(),
                ),
            );
            change.headers = Some(headers);
            changes.push(change);
        }
    }
    changes.truncate(12);
    changes
}

/// Without the required headers, or with the values that are there.
fn required(case: &Case<'_>) -> Option<Change> {
    let wanted = case.settings.get("require_headers")?.as_array()?;
    let mut found = Vec::new();
    let mut kept = Vec::new();
    for header in wanted {
        let name = header.get("name").and_then(Value::as_str)?;
        let value = header.get("value").and_then(Value::as_str)?;
        let there: Vec<_> = case.request.headers.get_all(name).iter().collect();
        match there.as_slice() {
            [one] if one.as_bytes() == value.as_bytes() => kept.push(header.clone()),
            [] => found.push(format!("the header `{name}` is missing")),
            [one] => {
                let text = one.to_str().ok().filter(|text| text.len() <= 40);
                found.push(format!(
                    "the header `{name}` is `{}`, not `{}`",
                    text.map_or_else(|| "…".to_owned(), visible),
                    visible(value)
                ));
                if let Some(text) = text {
                    kept.push(json!({"name": name, "value": text}));
                }
            }
            _ => found.push(format!("the header `{name}` is there more than once")),
        }
    }
    if found.is_empty() {
        return None;
    }
    let new = (!kept.is_empty()).then_some(Value::Array(kept));
    Some(Change::of_settings(
        Aspect::Headers,
        format!("{}, and everything else is right", found.join(", and ")),
        vec![("require_headers".to_owned(), new)],
    ))
}
