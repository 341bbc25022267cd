//! The settings of signatures, under `receive.verify`.

use serde_json::{Value, json};

use super::{
    build::{Key, Piece as _, any, list, map, may, must, one_of, reference, text, yes_or_no},
    receive::required_headers,
};
use crate::verify::MAX_SECRETS;

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        ("signature", map(shared())),
        ("public_key_signature", map(public_key())),
        ("plain", map(vec![style("plain")])),
        ("prefix", map(prefix())),
        ("pairs", map(pairs())),
        ("list", map(versions())),
        ("signed_headers", map(signed_headers())),
        ("timestamp", map(timestamp())),
    ]
}

/// With a secret that both sides know.
fn shared() -> Vec<Key> {
    let mut keys = vec![
        must(
            "type",
            "`hmac` is a keyed hash, `digest` a plain one with the secret inside the text.",
            one_of(&["hmac", "digest"]),
        ),
        may(
            "algorithm",
            "`sha256` unless you say otherwise.",
            one_of(&["sha1", "sha256", "sha384", "sha512"]),
        ),
        may(
            "secret_encoding",
            "How the secret is written; `utf8`, as it is, unless you say otherwise.",
            one_of(&["utf8", "hex", "base64", "base64url", "whsec"]),
        ),
    ];
    keys.extend(every());
    keys
}

/// With a private key that only the sender has.
fn public_key() -> Vec<Key> {
    let mut keys = vec![
        must(
            "type",
            "A signature made with the sender's private key, checked with `public_keys`.",
            one_of(&["public-key"]),
        ),
        must(
            "algorithm",
            "What the sender signs with.",
            one_of(&["ed25519", "ecdsa-p256-sha256-der", "rsa-pkcs1-sha256"]),
        ),
    ];
    keys.extend(every());
    keys
}

/// What all signatures may have.
fn every() -> Vec<Key> {
    vec![
        may(
            "signature_header",
            "The header that carries the signature.",
            text(),
        ),
        may(
            "signature_headers",
            "Instead of `signature_header`: several headers, the first for the first secret, and so on. One that matches \
             is enough.",
            list(&text()).at_most(MAX_SECRETS),
        ),
        may(
            "signature_query",
            "Instead of `signature_header`: the parameter of the address that carries it.",
            text(),
        ),
        may(
            "signature_form",
            "Instead of `signature_header`: the field of the form in the body that carries it.",
            text(),
        ),
        may(
            "signature_json_path",
            "Instead of `signature_header`: the field of the JSON body that carries it.",
            text(),
        ),
        may(
            "signature_format",
            "How the signature is written: alone (`plain`), after a prefix, in pairs such as t=…,v1=…, or in a list \
             such as v1,… v1,….",
            any(&[
                one_of(&["plain"]),
                reference("plain"),
                reference("prefix"),
                reference("pairs"),
                reference("list"),
            ]),
        ),
        must(
            "encoding",
            "How the bytes of the signature are written.",
            one_of(&["hex", "base64", "base64url"]),
        ),
        may(
            "signed",
            "The text that is signed, made of {body}, {timestamp}, {id}, {method}, {url}, {url_decoded}, {secret}, \
             {form_sorted}, {header_names}, {header_values}, {header:NAME}, {query:NAME}, {form:NAME} and {json:PATH}; \
             otherwise {body}. What stands in [ ] is left out where a part of it is missing.",
            text(),
        ),
        may(
            "timestamp",
            "Where the time of signing stands, where `signed` has {timestamp}.",
            reference("timestamp"),
        ),
        may("id_header", "The header for {id}.", text()),
        may(
            "signed_headers",
            "Where the request lists the headers that are signed, for {header_names} and {header_values}.",
            reference("signed_headers"),
        ),
        may(
            "url_port_variants",
            "Where {url} is signed: also try the address without its port, and with the usual one.",
            yes_or_no(),
        ),
        may(
            "body_digest_query",
            "With {url} and {form_sorted}: a parameter of the address that may hold the SHA-256 of the body.",
            text(),
        ),
        required_headers(),
    ]
}

fn style(style: &'static str) -> Key {
    must("style", "How the signature is written.", one_of(&[style]))
}

fn prefix() -> Vec<Key> {
    vec![
        style("prefix"),
        must("prefix", "The text in front, such as `sha256=`.", text()),
        may(
            "item_sep",
            "What stands between several signatures.",
            text(),
        ),
    ]
}

fn pairs() -> Vec<Key> {
    vec![
        style("pairs"),
        must("key", "The key of the signature, such as `v1`.", text()),
        may(
            "item_sep",
            "What stands between pairs; otherwise a comma.",
            text(),
        ),
        may(
            "kv_sep",
            "What stands between key and value; otherwise `=`.",
            text(),
        ),
    ]
}

fn versions() -> Vec<Key> {
    vec![
        style("list"),
        must("version", "The version that counts, such as `v1`.", text()),
        may(
            "item_sep",
            "What stands between signatures; otherwise a space.",
            text(),
        ),
        may(
            "version_sep",
            "What stands between version and signature; otherwise a comma.",
            text(),
        ),
    ]
}

fn signed_headers() -> Vec<Key> {
    vec![
        must(
            "source",
            "`pair:KEY`: the key beside the signature that holds the names.",
            text().matching("^pair:."),
        ),
        may(
            "name_sep",
            "What stands between two names; otherwise a space.",
            text(),
        ),
        may(
            "value_sep",
            "What stands between two values in the signed text; otherwise a full stop.",
            text(),
        ),
    ]
}

fn timestamp() -> Vec<Key> {
    let duration = || text().matching("^[0-9]+[smhd]$");
    let seconds = || json!({"type": ["integer", "string"], "minimum": 0});
    vec![
        must(
            "source",
            "`header:NAME`, `json:PATH` for a field of the body, or `pair:KEY` for a key beside the signature.",
            text().matching("^(header|json|pair):."),
        ),
        must(
            "format",
            "How the time is written.",
            one_of(&["unix_s", "unix_ms", "unix_any", "rfc3339", "opaque"]),
        ),
        may(
            "tolerance",
            "How old a request may be; 5m unless you say otherwise.",
            duration(),
        ),
        may("tolerance_s", "`tolerance`, in seconds.", seconds()),
        may(
            "future_tolerance",
            "How far ahead of our clock it may be; otherwise as `tolerance`.",
            duration(),
        ),
        may(
            "future_tolerance_s",
            "`future_tolerance`, in seconds.",
            seconds(),
        ),
    ]
}
