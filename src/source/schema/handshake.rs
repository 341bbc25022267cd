//! `receive.handshake`: a word, or a map for each kind.

use serde_json::Value;

use super::build::{
    Key, Piece as _, any, list, map, map_of, map_with_one_of, may, must, one_of, reference, text,
};
use crate::verify::handshake::HandshakeSettings;

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        ("handshake_of_preset", map(vec![verify_token()])),
        ("echo_query", map(echo_query())),
        ("echo_json", map(echo_json())),
        ("hmac_token", map(hmac_token())),
        ("header_echo", map(header_echo())),
        ("cloud_events", map(cloud_events())),
        ("plain_200", map(plain())),
        ("plain_test", plain_test()),
        ("confirm_url", map(confirm_url())),
        ("verify_token", map_with_one_of(&["env", "file"], token())),
    ]
}

/// What stands under `handshake`.
pub(super) fn handshake() -> Value {
    let mut words = vec!["none"];
    words.extend(HandshakeSettings::KINDS);
    let kinds = [
        "echo_query",
        "echo_json",
        "hmac_token",
        "header_echo",
        "cloud_events",
        "plain_200",
        "confirm_url",
        "handshake_of_preset",
    ];
    let mut forms = vec![one_of(&words)];
    forms.extend(kinds.map(reference));
    any(&forms)
}

fn kind(word: &'static str, about: &str) -> Key {
    must("kind", about, one_of(&[word]))
}

fn names() -> Value {
    list(&text()).at_most(16)
}

fn require() -> Key {
    may(
        "require",
        "What else must be there, with its text, such as {hub.mode: subscribe}.",
        map_of(&text()),
    )
}

fn verify_token() -> Key {
    may(
        "verify_token",
        "Where the text stands that you give to the sender and that it must repeat: `{env: NAME}` or `{file: /path}`.",
        reference("verify_token"),
    )
}

fn token() -> Vec<Key> {
    vec![
        may(
            "env",
            "The name of an environment variable of the gateway.",
            text().matching("^[A-Za-z_][A-Za-z0-9_]*$"),
        ),
        may("file", "The path of a file that holds the text.", text()),
    ]
}

fn echo_query() -> Vec<Key> {
    vec![
        kind("echo-query", "A parameter of the address is the answer."),
        may(
            "parameter",
            "The parameter that is repeated; `challenge` unless you say otherwise.",
            text(),
        ),
        may(
            "method",
            "`GET` unless you say otherwise.",
            one_of(&["GET", "POST"]),
        ),
        may(
            "verify_parameter",
            "The parameter with the text of `verify_token`; otherwise `hub.verify_token`.",
            text(),
        ),
        verify_token(),
        require(),
    ]
}

fn echo_json() -> Vec<Key> {
    vec![
        kind("echo-json", "A field of the body is the answer."),
        may(
            "field",
            "The field that is repeated; `challenge` unless you say otherwise.",
            text(),
        ),
        require(),
        may(
            "beside",
            "Fields that may be there as well. A body with any other is an event.",
            names(),
        ),
        may(
            "answer",
            "`json` with the field, or its `text` alone.",
            one_of(&["json", "text"]),
        ),
    ]
}

fn hmac_token() -> Vec<Key> {
    vec![
        kind(
            "hmac-token",
            "A keyed hash of a token, by the source's secret, is the answer.",
        ),
        may(
            "parameter",
            "The parameter of a GET that holds the token.",
            text(),
        ),
        may(
            "field",
            "The field of a signed body that holds it; payload.plainToken unless you say otherwise.",
            text(),
        ),
        require(),
        may(
            "answer_field",
            "The field of the answer for the hash.",
            text(),
        ),
        may(
            "token_field",
            "The field of the answer that repeats the token.",
            text(),
        ),
        may(
            "encoding",
            "How the hash is written.",
            one_of(&["hex", "base64", "base64url"]),
        ),
        may("prefix", "A text before the hash.", text()),
    ]
}

fn header_echo() -> Vec<Key> {
    vec![
        kind(
            "header-echo",
            "The sender names the signing secret in a header, which is repeated.",
        ),
        may(
            "header",
            "That header; X-Hook-Secret unless you say otherwise.",
            text(),
        ),
    ]
}

fn cloud_events() -> Vec<Key> {
    vec![
        kind(
            "cloudevents",
            "The sender asks by OPTIONS whether it may send.",
        ),
        may(
            "origins",
            "The names of those that may; anybody unless you say otherwise.",
            names(),
        ),
    ]
}

fn plain() -> Vec<Key> {
    let methods = list(&one_of(&["GET", "HEAD"])).at_most(16);
    vec![
        kind("plain-200", "The sender tries the address."),
        may("methods", "GET and HEAD unless you say otherwise.", methods),
        may(
            "tests",
            "What a POST is known by that only tries: `empty`, {header: X-Event, value: ping} or {field: topic, value: ping}.",
            list(&any(&[one_of(&["empty"]), reference("plain_test")])).at_most(16),
        ),
    ]
}

fn plain_test() -> Value {
    let keys = vec![
        may("header", "A header of the test.", text()),
        may("field", "A field of its body.", text()),
        must("value", "What stands there.", text()),
    ];
    map_with_one_of(&["header", "field"], keys)
}

fn confirm_url() -> Vec<Key> {
    let hosts = names().not_empty();
    vec![
        kind(
            "confirm-url",
            "A message names an address, which is fetched.",
        ),
        may(
            "field",
            "The field with the address; SubscribeURL unless you say otherwise.",
            text(),
        ),
        require(),
        must(
            "hosts",
            "The hosts from which an address may be fetched.",
            hosts,
        ),
    ]
}
