//! Tokens, user names and passwords: where the secret really stands in the request, and how it is written there.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use super::{Advice, Aspect, Case, Change, Remedy, Settings, header};
use crate::{
    diag::visible,
    verify::{
        SigningSecret,
        request::{fields, query_of},
    },
};

/// How many texts of a request are compared with the secrets.
const MOST_TEXTS: usize = 2_000;
/// How many of them are tried.
const MOST_PLACES: usize = 32;
/// Texts inside a JSON body are looked for so deep.
const MOST_DEPTH: usize = 8;
/// A secret shorter than this stands in many texts by accident.
const LEAST_SECRET: usize = 4;

/// A text of the request with its place, as `token_source` is written.
pub(super) struct Placed {
    pub(super) place: String,
    pub(super) text: String,
}

/// The source verified by a token, where a secret stands in the request as it is.
pub(super) fn changes(case: &Case<'_>) -> Vec<Change> {
    let texts = texts(case);
    let mut changes = Vec::new();
    for secret in case.secrets {
        let token = secret.value.expose_secret();
        if token.len() < LEAST_SECRET {
            continue;
        }
        for placed in &texts {
            if let Some(prefix) = placed.text.strip_suffix(token) {
                changes.push(token_at(case.settings, &placed.place, prefix));
            } else if let Some(how) = nearly(&placed.text, token) {
                changes.push(mended(case, secret, placed, how));
            }
        }
    }
    changes.truncate(MOST_PLACES);
    if case.settings.text("type") != Some("basic")
        && case.request.headers.contains_key(AUTHORIZATION)
    {
        let basic = Settings::of_json(Map::from_iter([("type".to_owned(), json!("basic"))]));
        let mut change = Change::new(
            Aspect::Scheme,
            "the sender proves itself by user name and password (Basic authentication)",
            Remedy::Whole(basic.clone()),
        );
        change.instead = Some(basic);
        changes.push(change);
    }
    changes
}

/// The token stands here, behind `prefix`.
fn token_at(settings: &Settings, place: &str, prefix: &str) -> Change {
    let mut keys = Map::new();
    keys.insert("type".to_owned(), json!("token"));
    keys.insert("token_source".to_owned(), json!(place));
    if !prefix.is_empty() {
        keys.insert("token_prefix".to_owned(), json!(prefix));
    }
    let is_token = settings.text("type") == Some("token");
    let is_place = settings
        .text("token_source")
        .is_some_and(|source| source.eq_ignore_ascii_case(place));
    let mut wanted: Vec<(String, Option<Value>)> = Vec::new();
    if !is_place {
        wanted.push(("token_source".to_owned(), Some(json!(place))));
    }
    if settings.text("token_prefix").unwrap_or_default() != prefix {
        wanted.push((
            "token_prefix".to_owned(),
            (!prefix.is_empty()).then(|| json!(prefix)),
        ));
    }
    let is_shown = prefix.len() <= 24
        && prefix
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || b" -_:=".contains(&byte));
    let behind = match prefix {
        "" => ", with nothing before it".to_owned(),
        _ if is_shown => format!(", behind `{prefix}`"),
        _ => ", behind other text".to_owned(),
    };
    let finding = if is_token {
        format!("the token is in `{}`{behind}", visible(place))
    } else {
        format!(
            "the sender makes no such signature: the secret itself is in `{}`{behind}, as a token",
            visible(place)
        )
    };
    let remedy = if is_shown && is_token {
        Remedy::Settings(wanted)
    } else if is_shown {
        Remedy::Whole(Settings::of_json(keys.clone()))
    } else {
        Remedy::Words("have the sender send the token alone".to_owned())
    };
    let mut change = Change::new(Aspect::Scheme, finding, remedy);
    change.instead = Some(Settings::of_json(keys));
    change
}

/// How a text differs from a token that it nearly is.
fn nearly(text: &str, token: &str) -> Option<&'static str> {
    let trimmed = text.trim();
    if trimmed == token.trim() {
        return Some("has white space around it on one side");
    }
    if trimmed.eq_ignore_ascii_case(token) {
        return Some("differs in capital and small letters");
    }
    if trimmed.trim_matches(['"', '\'']) == token {
        return Some("is in quotes");
    }
    let decoded = percent_decode_str(trimmed).decode_utf8().ok();
    if decoded.is_some_and(|decoded| decoded == token) {
        return Some("is written with percent escapes");
    }
    if decode(trimmed).is_some_and(|decoded| decoded == token.as_bytes()) {
        return Some("is written in base64");
    }
    None
}

/// The request is genuine if what stands there is taken for the secret.
fn mended(case: &Case<'_>, secret: &SigningSecret, placed: &Placed, how: &str) -> Change {
    let place = visible(&placed.place);
    let mut change = Change::new(
        Aspect::Scheme,
        format!(
            "the token in `{place}` {how}: it is not letter by letter the secret {}",
            secret.name
        ),
        Remedy::Secrets(
            "write it the same on both sides: the token is compared as it stands".to_owned(),
        ),
    );
    let mut keys = Map::new();
    keys.insert("type".to_owned(), json!("token"));
    keys.insert("token_source".to_owned(), json!(placed.place));
    let prefix = case.settings.text("token_prefix").unwrap_or_default();
    let text = match placed.text.strip_prefix(prefix) {
        Some(text) if !prefix.is_empty() => {
            keys.insert("token_prefix".to_owned(), json!(prefix));
            text
        }
        _ => placed.text.as_str(),
    };
    change.instead = Some(Settings::of_json(keys));
    change.secrets = Some(vec![SigningSecret {
        value: text.into(),
        ..secret.clone()
    }]);
    change
}

/// What a comparison of the credentials alone shows, without any try.
pub(super) fn compared(case: &Case<'_>) -> Option<Advice> {
    if case.settings.text("type") != Some("basic") {
        return None;
    }
    let value = case.request.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let say = |finding: &str, remedy: &str| {
        Some(Advice {
            finding: finding.to_owned(),
            remedy: Remedy::Words(remedy.to_owned()),
        })
    };
    let fix_sender = "have the sender write `Authorization: Basic` and the base64 of user name, colon and password";
    let (scheme, encoded) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        let is_word = scheme.len() <= 20 && scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
        return say(
            &if is_word && !encoded.is_empty() {
                format!("the header `Authorization` holds `{scheme}` credentials, not `Basic` ones")
            } else {
                "the header `Authorization` does not begin with `Basic`".to_owned()
            },
            fix_sender,
        );
    }
    let encoded = encoded.trim();
    let given = decode(encoded).and_then(|bytes| String::from_utf8(bytes).ok());
    let secrets = case
        .secrets
        .iter()
        .map(|secret| secret.value.expose_secret());
    if secrets.clone().any(|secret| secret == encoded) {
        return say(
            "the user name and the password are not encoded in base64",
            fix_sender,
        );
    }
    let Some(given) = given else {
        return say(
            "what stands behind `Basic` in the header `Authorization` is not the base64 of a text",
            fix_sender,
        );
    };
    if secrets.clone().any(|secret| secret == given) {
        return say(
            "the base64 in the header `Authorization` is not written in the usual way (alphabet or padding)",
            fix_sender,
        );
    }
    let Some((user, password)) = given.split_once(':') else {
        return say(
            "the credentials in the header `Authorization` have no colon between user name and password",
            fix_sender,
        );
    };
    let pairs = || secrets.clone().filter_map(|secret| secret.split_once(':'));
    let both_sides = "compare the two sides of the secret, and enter it anew";
    if pairs().any(|(name, word)| (name, word) == (password, user)) {
        return say(
            "user name and password are swapped",
            "swap them on one side",
        );
    }
    if pairs().any(|(name, word)| name.trim() == user.trim() && word.trim() == password.trim()) {
        return say(
            "user name or password has white space or a line end around it on one side",
            "take it out",
        );
    }
    if pairs().any(|(name, word)| name == user && word.eq_ignore_ascii_case(password)) {
        return say(
            "the user name is right, and the password differs in capital and small letters",
            both_sides,
        );
    }
    if pairs().any(|(name, _)| name == user) {
        return say(
            "the user name is right, and the password is not",
            both_sides,
        );
    }
    if pairs().any(|(_, word)| word == password) {
        return say(
            "the password is right, and the user name is not",
            both_sides,
        );
    }
    None
}

/// Every text of the request that could be a token.
pub(super) fn texts(case: &Case<'_>) -> Vec<Placed> {
    let mut found = Vec::new();
    for (name, text) in header::texts(&case.request.headers) {
        found.push(Placed {
            place: format!("header:{name}"),
            text: text.to_owned(),
        });
    }
    let query = query_of(&case.request.path_and_query).as_bytes();
    for (kind, text) in [("query", query), ("form", &case.request.body[..])] {
        for (name, value) in fields(text).take(MOST_TEXTS) {
            if let (Ok(name), Ok(value)) = (std::str::from_utf8(&name), std::str::from_utf8(&value))
            {
                found.push(Placed {
                    place: format!("{kind}:{name}"),
                    text: value.to_owned(),
                });
            }
        }
    }
    if let Ok(body) = serde_json::from_slice(&case.request.body) {
        json_texts(&body, "", MOST_DEPTH, &mut found);
    }
    found.truncate(MOST_TEXTS);
    found
}

fn json_texts(value: &Value, path: &str, depth: usize, found: &mut Vec<Placed>) {
    if depth == 0 || found.len() >= MOST_TEXTS {
        return;
    }
    match value {
        Value::String(text) if !path.is_empty() => {
            found.push(Placed {
                place: format!("json:{path}"),
                text: text.clone(),
            });
        }
        Value::Object(members) => {
            for (name, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                json_texts(value, &format!("{path}{dot}{name}"), depth - 1, found);
            }
        }
        // A token in a list is in each of its elements.
        Value::Array(elements) if !path.is_empty() => {
            if let Some(first) = elements.first() {
                json_texts(first, &format!("{path}[]"), depth - 1, found);
            }
        }
        _ => {}
    }
}

/// Base64 of either alphabet, with or without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [&STANDARD, &URL_SAFE]
        .into_iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
}
