//! How a secret stands for a key, and what may have come along when it was copied.

use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{Aspect, Case, Change, Remedy};
use crate::verify::{PublicKey, SigningSecret};

/// The words of `secret_encoding`, and what they mean.
const ENCODINGS: [(&str, &str); 5] = [
    ("utf8", "the text of the secret, as it stands, is the key"),
    (
        "hex",
        "the secret is the key in hexadecimal digits, to be decoded",
    ),
    ("base64", "the secret is the key in base64, to be decoded"),
    (
        "base64url",
        "the secret is the key in base64 for addresses, to be decoded",
    ),
    (
        "whsec",
        "the secret is `whsec_` and the key in base64, to be decoded without the prefix",
    ),
];

/// What people do to a secret by accident: a way to undo it, how it is said, and what to do.
type Slip = (fn(&str) -> Option<String>, &'static str, &'static str);

const SLIPS: &[Slip] = &[
    (
        |text| changed(text, text.trim_matches(is_blank)),
        "has white space, a line end or a byte order mark around it that the sender's does not have",
        "take it out",
    ),
    (
        |text| {
            let bare = text.trim_matches(is_blank);
            let bare = ['"', '\'', '`']
                .iter()
                .find_map(|quote| bare.strip_prefix(*quote)?.strip_suffix(*quote))?;
            Some(bare.to_owned())
        },
        "has quotes around it that the sender's does not have",
        "take them out",
    ),
    (
        |text| text.strip_prefix("whsec_").map(str::to_owned),
        "begins with `whsec_`, which is not part of the sender's key",
        "write it without the prefix",
    ),
    (
        |text| (!text.starts_with("whsec_")).then(|| format!("whsec_{text}")),
        "lacks `whsec_` at its beginning, which is part of the sender's key",
        "write it with the prefix",
    ),
    (
        |text| {
            let (name, value) = text.split_once('=')?;
            let is_name = !name.is_empty()
                && !value.trim_matches('=').is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
            is_name.then(|| value.to_owned())
        },
        "has the name of a variable and a `=` before it",
        "write the value alone",
    ),
    (
        |text| Some(format!("{text}\n")),
        "has a line end at its end on the sender's side",
        "enter it anew there, without the line end",
    ),
    (
        |text| {
            let decoded = percent_decode_str(text).decode_utf8().ok()?;
            changed(text, &decoded)
        },
        "has percent escapes, such as `%2B`, which stand for characters of the sender's",
        "write the characters themselves",
    ),
    (
        |text| changed(text, &text.to_lowercase()),
        "has capital letters where the sender's has small ones",
        "write it in small letters",
    ),
    (
        |text| changed(text, &text.to_uppercase()),
        "has small letters where the sender's has capitals",
        "write it in capitals",
    ),
    (
        |text| {
            let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            changed(text, &bare)
        },
        "has white space or a line end inside",
        "take it out",
    ),
];

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn changed(before: &str, after: &str) -> Option<String> {
    (before != after && !after.is_empty()).then(|| after.to_owned())
}

pub(super) fn changes(case: &Case<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    if matches!(case.settings.text("type"), Some("hmac" | "digest" | "jwt")) {
        changes.extend(encodings(case));
    }
    changes.extend(ended(case));
    changes.extend(ended_keys(case));
    for secret in case.secrets {
        for (undo, finding, remedy) in SLIPS {
            if let Some(text) = undo(secret.value.expose_secret()) {
                let mut change = Change::new(
                    Aspect::Secret,
                    format!("the secret {} {finding}", secret.name),
                    Remedy::Secrets((*remedy).to_owned()),
                );
                change.secrets = Some(vec![SigningSecret {
                    value: text.into(),
                    ..secret.clone()
                }]);
                changes.push(change);
            }
        }
    }
    changes.extend(case.others.iter().map(other));
    changes
}

/// What people may have meant by a secret as it was entered.
pub(super) fn meant(secret: &str) -> impl Iterator<Item = String> {
    SLIPS.iter().filter_map(move |(undo, _, _)| undo(secret))
}

fn encodings(case: &Case<'_>) -> impl Iterator<Item = Change> {
    let current = case.settings.text("secret_encoding").unwrap_or("utf8");
    ENCODINGS
        .iter()
        .filter(move |(word, _)| *word != current)
        .map(|(word, finding)| {
            Change::of_settings(
                Aspect::SecretEncoding,
                *finding,
                vec![("secret_encoding".to_owned(), Some(json!(word)))],
            )
        })
}

/// The secrets that have passed their `until`.
fn ended<'a>(case: &Case<'a>) -> impl Iterator<Item = Change> + use<'a> {
    let now = case.now;
    case.secrets.iter().filter_map(move |secret| {
        let until = secret.until.filter(|until| *until <= now)?;
        let mut change = Change::new(
            Aspect::Secret,
            format!("the request was signed with {}, which ended at {until}", secret.name),
            Remedy::Secrets(
                "have the sender use the new secret; until it does, write a later `until` for this one"
                    .to_owned(),
            ),
        );
        change.secrets = Some(vec![SigningSecret {
            until: None,
            ..secret.clone()
        }]);
        Some(change)
    })
}

/// The public keys that have passed their `until`.
fn ended_keys<'a>(case: &Case<'a>) -> impl Iterator<Item = Change> + use<'a> {
    let now = case.now;
    case.public_keys.iter().filter_map(move |key| {
        let until = key.until.filter(|until| *until <= now)?;
        let mut change = Change::new(
            Aspect::Secret,
            format!("the request was signed for {}, which ended at {until}", key.name),
            Remedy::Words(
                "give the gateway the sender's new public key; until the sender uses it, write a later `until` for this one"
                    .to_owned(),
            ),
        );
        change.public_keys = Some(vec![PublicKey {
            until: None,
            ..key.clone()
        }]);
        Some(change)
    })
}

fn other(secret: &SigningSecret) -> Change {
    let mut change = Change::new(
        Aspect::OtherSecret,
        format!("the request was signed with the secret {}", secret.name),
        Remedy::Secrets(
            "the two were swapped, or the sender posts to the address of the wrong source"
                .to_owned(),
        ),
    );
    change.secrets = Some(vec![SigningSecret {
        until: None,
        ..secret.clone()
    }]);
    change
}
