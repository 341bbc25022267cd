//! What a text looks like that may hold signatures: how they are written, encoded and how long they are.

use serde_json::{Value, json};

/// A way of reading a header value as a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// As `signature_format` is written.
    pub(super) format: Value,
    pub(super) encoding: &'static str,
    /// Whether the text has none of the characters in which the two alphabets of base64 differ, and no padding.
    pub(super) is_either_base64: bool,
    /// Of the hash.
    pub(super) bytes: usize,
    /// Whether hexadecimal digits are upper-case.
    pub(super) is_upper: bool,
}

impl Shape {
    /// For people: `64 hexadecimal digits`.
    pub(super) fn described(&self) -> String {
        let written = match self.encoding {
            "hex" if self.is_upper => "hexadecimal digits in upper case",
            "hex" => "hexadecimal digits",
            "base64" if self.is_either_base64 => {
                "base64 without padding (in which alphabet cannot be told from this request: if others are refused, write `encoding: base64url`)"
            }
            "base64" => "base64",
            _ => "base64 in the alphabet for addresses",
        };
        let length = self.bytes;
        let before = match self.format.get("style").and_then(Value::as_str) {
            Some("prefix") if !self.is_shown() => " behind other text".to_owned(),
            Some("prefix") => {
                format!(" behind `{}`", self.part("prefix"))
            }
            Some("pairs") if self.is_shown() => format!(" under the key `{}`", self.part("key")),
            Some("list") if self.is_shown() => {
                format!(" of the version `{}`", self.part("version"))
            }
            _ => String::new(),
        };
        format!("{length} bytes as {written}{before}")
    }

    /// Whether the settings may be shown: what stands before a signature may be a secret, unless all its words are known.
    pub(super) fn is_shown(&self) -> bool {
        let text = |key: &str| self.format.get(key).and_then(Value::as_str);
        let is_word = |word: &str| {
            let word = word.to_ascii_lowercase();
            word.is_empty() || WORDS.contains(&word.as_str())
        };
        if let Some(prefix) = text("prefix") {
            return prefix
                .split(['=', ':', ',', ' ', '-', '_', '/'])
                .all(is_word);
        }
        // Keys and versions: a word, perhaps with a number.
        text("key").or(text("version")).is_none_or(|key| {
            let word = key.trim_end_matches(|c: char| c.is_ascii_digit());
            key.len() <= 20
                && key.len() - word.len() <= 3
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphabetic() || b"-_".contains(&byte))
        })
    }

    fn part(&self, key: &str) -> String {
        let text = self.format.get(key).and_then(Value::as_str);
        crate::diag::visible(text.unwrap_or_default())
    }

    /// The key or version under which a signature stands; several have several.
    pub(super) fn named(&self) -> Option<&str> {
        let part = self.format.get("key").or(self.format.get("version"));
        part.and_then(Value::as_str)
    }

    /// The algorithm whose hashes are so long.
    pub(super) const fn algorithm(&self) -> Option<&'static str> {
        match self.bytes {
            20 => Some("sha1"),
            32 => Some("sha256"),
            64 => Some("sha512"),
            _ => None,
        }
    }
}

/// Of these prefixes are made.
const WORDS: &[&str] = &[
    "algorithm",
    "bearer",
    "digest",
    "ed25519",
    "hash",
    "hmac",
    "hmacsha1",
    "hmacsha256",
    "hmacsha384",
    "hmacsha512",
    "h1",
    "key",
    "mac",
    "s",
    "sha",
    "sha1",
    "sha256",
    "sha384",
    "sha512",
    "1",
    "256",
    "384",
    "512",
    "sig",
    "sign",
    "signature",
    "t",
    "token",
    "v",
    "v0",
    "v1",
    "v1a",
    "v2",
    "v3",
    "v4",
    "webhook",
];

/// How the text of a hash is encoded, how many bytes it has, and whether its digits are upper-case.
fn hash(text: &str) -> Option<(&'static str, usize, bool)> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && matches!(text.len(), 40 | 64 | 128) {
        let is_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        return Some(("hex", text.len() / 2, is_upper));
    }
    let bare = text.trim_end_matches('=');
    let bytes = match (bare.len(), text.len() - bare.len()) {
        (27, 0 | 1) => 20,
        (43, 0 | 1) => 32,
        (86, 0 | 2) => 64,
        // Signatures of private keys: ECDSA in DER, RSA of 2048 to 4096 bits.
        (bare @ (92..=96 | 342 | 512 | 683), 0..=2) => bare * 3 / 4,
        _ => return None,
    };
    let of = |extra: &[u8]| {
        bare.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
    };
    if of(b"+/") {
        Some(("base64", bytes, false))
    } else if of(b"-_") {
        Some(("base64url", bytes, false))
    } else {
        None
    }
}

/// Every way of reading a value as signatures, the plainest first.
pub(super) fn of(value: &str) -> Vec<Shape> {
    let mut found: Vec<Shape> = Vec::new();
    let mut add = |format: Value, text: &str| {
        if let Some((encoding, bytes, is_upper)) = hash(text) {
            let is_told = text.contains(['+', '/', '-', '_', '=']);
            let shape = Shape {
                is_either_base64: encoding == "base64" && !is_told,
                format,
                encoding,
                bytes,
                is_upper,
            };
            if !found.contains(&shape) {
                found.push(shape);
            }
        }
    };
    // Far more than any sender writes.
    if value.len() > 4096 {
        return found;
    }
    add(json!("plain"), value);
    for (at, mark) in value.match_indices(['=', ':', ' ', ',']) {
        let (before, after) = value.split_at(at + mark.len());
        // What stands before may be anything; only a short word is a prefix.
        if before.len() <= 24 && !before.contains(';') {
            add(json!({"style": "prefix", "prefix": before}), after);
        }
    }
    for separator in [",", ";", "&", " "] {
        let items: Vec<&str> = value.split(separator).map(str::trim).collect();
        for item in items.iter().take(32) {
            if items.len() > 1
                && let Some((key, signature)) = item.split_once('=')
                && !key.is_empty()
            {
                let format = if separator == "," {
                    json!({"style": "pairs", "key": key})
                } else {
                    json!({"style": "pairs", "key": key, "item_sep": separator})
                };
                add(format, signature);
            }
            if separator == " "
                && let Some((version, signature)) = item.split_once(',')
                && !version.is_empty()
            {
                add(json!({"style": "list", "version": version}), signature);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_senders_write_is_told_apart() {
        let hex = "ab".repeat(32);
        let base64 = format!("{}+/=", "a".repeat(41));
        for (value, expected) in [
            (hex.clone(), vec!["32 bytes as hexadecimal digits"]),
            (
                hex.to_uppercase(),
                vec!["32 bytes as hexadecimal digits in upper case"],
            ),
            (
                format!("sha256={hex}"),
                vec!["32 bytes as hexadecimal digits behind `sha256=`"],
            ),
            (base64.clone(), vec!["32 bytes as base64"]),
            (
                format!("v1,{base64} v1a,zz"),
                vec!["32 bytes as base64 of the version `v1`"],
            ),
            (
                format!("t=1,v1={hex},v0={}", "a".repeat(40)),
                vec![
                    "32 bytes as hexadecimal digits under the key `v1`",
                    "20 bytes as hexadecimal digits under the key `v0`",
                ],
            ),
            ("Bearer x".into(), vec![]),
            (String::new(), vec![]),
        ] {
            let shapes: Vec<String> = of(&value).iter().map(Shape::described).collect();
            for described in &expected {
                assert!(
                    shapes.iter().any(|shape| shape == described),
                    "{value}: {shapes:?}"
                );
            }
            assert_eq!(
                shapes.is_empty(),
                expected.is_empty(),
                "{value}: {shapes:?}"
            );
        }
    }
}
