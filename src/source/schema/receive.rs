//! The section `receive`.

use serde_json::{Value, json};

use super::build::{
    Key, Piece as _, any, constant, expression, list, map, map_of, map_with_one_of, may, must,
    one_of, reference, text, yes_or_no,
};
use super::handshake::handshake;
use crate::{
    network::MAX_NETWORKS,
    source::receive::MAX_DEDUP_EXPRESSIONS,
    verify::{MAX_SECRETS, presets},
};

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        ("receive", map(receive())),
        ("public_key", map(public_key())),
        ("token", map(token())),
        ("basic", map(basic())),
        ("jwt", map(jwt())),
        ("claims", map(claims())),
        ("jwks", map_with_one_of(&["url", "file"], jwks())),
        ("client_certificate", map(client_certificate())),
        ("certificate", map(certificate())),
        ("required_header", map(required_header())),
        ("secret", map_with_one_of(&["env", "file"], secret())),
        ("dedup_header", map(dedup_header())),
        ("rate_limit", map(rate_limit())),
        ("answer", map(answer())),
        ("keep_rejected", map(keep_rejected())),
    ]
}

fn receive() -> Vec<Key> {
    vec![
        must(
            "verify",
            "How requests prove that they are genuine: a preset by name, or settings of your own. `none` takes every \
             request from anybody.",
            any(&[
                preset(),
                reference("signature"),
                reference("public_key_signature"),
                reference("token"),
                reference("basic"),
                reference("jwt"),
                reference("client_certificate"),
            ]),
        ),
        may(
            "secrets",
            "Where the signing secrets stand, never the secrets themselves: `{env: NAME}` or `{file: /path}`. All of \
             them are tried.",
            any(&[
                reference("secret"),
                list(&reference("secret")).at_most(MAX_SECRETS),
            ]),
        ),
        published_keys(),
        may(
            "claims",
            "For `type: jwt`: what a token must say besides, such as {email: push@school.iam.gserviceaccount.com}; some \
             presets ask for it.",
            map_of(&constant()),
        ),
        may(
            "public_keys",
            "Instead of `secrets`, where the sender signs with a private key: its public keys, as it shows them, or where \
             they stand. All of them are tried.",
            any(&[
                public_key_form(),
                list(&public_key_form()).at_most(MAX_SECRETS),
            ]),
        ),
        may(
            "handshake",
            "How the sender registers the address, where that needs an answer: `none`, a kind, or a kind with details. \
             Otherwise the preset says.",
            handshake(),
        ),
        may(
            "dedup",
            "How an event is known when it is sent again: `body`, `{header: NAME}`, or expressions such as [eventId]. \
             Otherwise the preset says, else the whole body.",
            any(&[
                expression(),
                list(&expression())
                    .not_empty()
                    .at_most(MAX_DEDUP_EXPRESSIONS),
                reference("dedup_header"),
            ]),
        ),
        may(
            "allow_from",
            "From which addresses requests are taken, such as [192.0.2.0/24]; otherwise from everywhere. Behind a proxy \
             this needs `trusted_proxies` in gateway.yaml.",
            any(&[text(), list(&text()).not_empty().at_most(MAX_NETWORKS)]),
        ),
        may(
            "rate_limit",
            "How many genuine requests are taken; otherwise all. What is above is answered 429, and many senders do not \
             send it again.",
            reference("rate_limit"),
        ),
        may(
            "answer",
            "What the sender is answered once the request is stored.",
            reference("answer"),
        ),
        may(
            "keep_rejected",
            "Keeps requests whose check failed, whole, so that they can be accepted later. Personal and secret data on \
             disk; off unless it is written.",
            reference("keep_rejected"),
        ),
    ]
}

/// The names of presets. Some editors show a description for each word.
fn preset() -> Value {
    let presets = presets::all().iter();
    let known = presets.map(|preset| (preset.name, preset.description));
    let (names, about): (Vec<&str>, Vec<&str>) =
        std::iter::once(("none", "takes every request from anybody"))
            .chain(known)
            .unzip();
    one_of(&names).with("enumDescriptions", json!(about))
}

fn public_key_form() -> Value {
    any(&[text(), reference("public_key"), reference("secret")])
}

fn public_key() -> Vec<Key> {
    vec![
        must(
            "text",
            "The key: `whpk_…`, PEM, base64 or hexadecimal.",
            text(),
        ),
        may(
            "until",
            "The last day on which it is accepted, such as 2026-12-31.",
            text(),
        ),
    ]
}

pub(super) fn required_headers() -> Key {
    may(
        "require_headers",
        "Headers that every request must carry, with these values.",
        list(&reference("required_header")),
    )
}

fn required_header() -> Vec<Key> {
    vec![
        must("name", "The header.", text()),
        must("value", "Its value, exactly.", text()),
    ]
}

fn token() -> Vec<Key> {
    vec![
        must(
            "type",
            "A fixed text that every request repeats. It does not cover the body: prefer a signature.",
            one_of(&["token"]),
        ),
        must(
            "token_source",
            "`header:NAME`, `query:NAME`, `form:NAME` or `json:PATH`.",
            text().matching("^(header|query|form|json):."),
        ),
        may(
            "token_prefix",
            "A text before the token, such as `Bearer `.",
            text(),
        ),
        required_headers(),
    ]
}

fn basic() -> Vec<Key> {
    vec![
        must(
            "type",
            "User and password. The secret is `user:password`.",
            one_of(&["basic"]),
        ),
        required_headers(),
    ]
}

fn jwt() -> Vec<Key> {
    let seconds = json!({"type": ["integer", "string"], "minimum": 0});
    vec![
        must(
            "type",
            "A JSON web token: a signed text that says who sent it, and perhaps what happened.",
            one_of(&["jwt"]),
        ),
        must(
            "token_source",
            "`header:NAME`, `query:NAME`, `form:NAME` or `json:PATH`; or `body`, where the body is the token and the event is \
             what it says.",
            text().matching("^((header|query|form|json):.|body$)"),
        ),
        may(
            "token_prefix",
            "A text before the token, such as `Bearer `; it may be missing.",
            text(),
        ),
        must(
            "algorithms",
            "Those that the sender uses: HS… with a shared secret, or RS256 and ES256 with published keys; never both.",
            any(&[algorithm(), list(&algorithm()).not_empty()]),
        ),
        may(
            "secret_encoding",
            "How a shared secret is written; `utf8`, as it is, unless you say otherwise.",
            one_of(&["utf8", "hex", "base64", "base64url", "whsec"]),
        ),
        published_keys(),
        may(
            "event",
            "`claims` where the event is what the token says; otherwise it is the body.",
            one_of(&["body", "claims"]),
        ),
        may("claims", "What a token must say.", reference("claims")),
        may(
            "check_exp",
            "`false` where tokens need not say when they expire.",
            yes_or_no(),
        ),
        may(
            "leeway",
            "How far the clocks of sender and gateway may differ; not at all unless you say otherwise.",
            text().matching("^[0-9]+[smhd]$"),
        ),
        may("leeway_s", "`leeway`, in seconds.", seconds),
        required_headers(),
    ]
}

fn algorithm() -> Value {
    one_of(&["HS256", "HS384", "HS512", "RS256", "ES256"])
}

fn claims() -> Vec<Key> {
    let texts = || any(&[text(), list(&text()).not_empty()]);
    vec![
        may("iss", "Who may have issued it; one of several.", texts()),
        may(
            "aud",
            "For whom it must be, one of several; `{url}` is the address that the sender was given.",
            texts(),
        ),
        may("require", "Names that must be there.", texts()),
        may(
            "equal",
            "Names, or places such as tenant.id, with the value that must be there.",
            map_of(&constant()),
        ),
        may(
            "of_source",
            "Places whose value each source must give under `receive.claims`.",
            texts(),
        ),
        may(
            "url_sha256_claim",
            "The name that holds the SHA-256 of the address.",
            text(),
        ),
        may(
            "body_sha256_claim",
            "The name that holds the SHA-256 of the body.",
            text(),
        ),
        may(
            "hash_encoding",
            "How those two are written; `hex` unless you say otherwise.",
            one_of(&["hex", "base64", "base64url"]),
        ),
    ]
}

fn published_keys() -> Key {
    may(
        "jwks",
        "Where the sender publishes its keys: `{url: https://…}`, or `{file: /path}` with a key set or keys in PEM.",
        reference("jwks"),
    )
}

fn jwks() -> Vec<Key> {
    vec![
        may(
            "url",
            "The address of a JWK set.",
            text().matching("^https?://"),
        ),
        may(
            "file",
            "The path of a file with a JWK set, or with public keys in PEM.",
            text(),
        ),
    ]
}

fn client_certificate() -> Vec<Key> {
    vec![
        must(
            "type",
            "A client certificate, which a proxy of yours hands on in a header; needs `trusted_proxies` in gateway.yaml. \
             It does not cover the body.",
            one_of(&["client-certificate", "mtls"]),
        ),
        must("header", "The header that the proxy sets.", text()),
        must(
            "format",
            "What the proxy writes there.",
            one_of(&["pem", "base64", "rfc9440", "xfcc", "sha256", "subject"]),
        ),
        must(
            "allowed",
            "The certificates that may be shown, by their SHA-256 fingerprints (with the format `subject`, by their \
             subjects).",
            any(&[
                text(),
                reference("certificate"),
                list(&any(&[text(), reference("certificate")]))
                    .not_empty()
                    .at_most(MAX_SECRETS),
            ]),
        ),
        required_headers(),
    ]
}

fn certificate() -> Vec<Key> {
    vec![
        must("text", "The fingerprint or subject.", text()),
        may(
            "until",
            "The last day on which it is accepted, such as 2026-12-31.",
            text(),
        ),
    ]
}

fn secret() -> Vec<Key> {
    vec![
        may(
            "env",
            "The name of an environment variable of the gateway.",
            text().matching("^[A-Za-z_][A-Za-z0-9_]*$"),
        ),
        may("file", "The path of a file that holds the secret.", text()),
        may(
            "until",
            "The last day on which it is accepted, such as 2026-12-31.",
            text(),
        ),
    ]
}

fn dedup_header() -> Vec<Key> {
    vec![must(
        "header",
        "The header with the number of the event.",
        text(),
    )]
}

fn rate_limit() -> Vec<Key> {
    let number = || json!({"type": ["integer", "string"], "minimum": 1});
    vec![
        must(
            "per_minute",
            "So many in a minute, in the long run.",
            number(),
        ),
        may(
            "burst",
            "So many at once after a rest; as many as in a minute unless you say otherwise.",
            number(),
        ),
    ]
}

fn answer() -> Vec<Key> {
    let status = json!({
        "type": ["integer", "string"], "minimum": 200, "maximum": 299, "pattern": "^2[0-9][0-9]$",
    });
    vec![
        may(
            "status",
            "200 to 299; 200 unless you say otherwise.",
            status,
        ),
        may(
            "content_type",
            "What the body is, such as application/json.",
            text().matching("/"),
        ),
        may("body", "The body, for senders that insist on one.", text()),
    ]
}

fn keep_rejected() -> Vec<Key> {
    vec![must(
        "bodies_for",
        "How long, such as 24h; 7d at most.",
        text().matching("^[0-9]+(ms|[smhd])$"),
    )]
}
