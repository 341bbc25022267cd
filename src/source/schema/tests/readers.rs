//! The schema against the readers: the same keys, the same words.

use std::collections::BTreeSet;

use super::*;
use crate::{customer::Field, verify::presets};

/// A key that no reader knows, and that is like none.
const STRANGER: &str = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

/// Where the map of each definition stands: a text in `FULL`, or one to be put in its place, and the same with a key
/// that nobody knows, `§`.
const PLACES: [(&str, &str, &str); 24] = [
    ("", "quentli: default", "quentli: default\n§: 1"),
    ("receive", "  handshake: none", "  handshake: none\n  §: 1"),
    (
        "signature",
        "    encoding: hex",
        "    encoding: hex\n    §: 1",
    ),
    ("list", "style: list,", "style: list, §: 1,"),
    (
        "plain",
        "{style: list, version: v1, item_sep: \" \", version_sep: \",\"}",
        "{style: plain, §: 1}",
    ),
    (
        "prefix",
        "{style: list, version: v1, item_sep: \" \", version_sep: \",\"}",
        "{style: prefix, prefix: a, §: 1}",
    ),
    (
        "pairs",
        "{style: list, version: v1, item_sep: \" \", version_sep: \",\"}",
        "{style: pairs, key: a, §: 1}",
    ),
    ("timestamp", "format: unix_s,", "format: unix_s, §: 1,"),
    (
        "required_header",
        "{name: X-Version,",
        "{§: 1, name: X-Version,",
    ),
    ("secret", "{env: CRM_SECRET,", "{§: 1, env: CRM_SECRET,"),
    (
        "public_key",
        "  handshake: none",
        "  public_keys: [{text: whpk_, §: 1}]\n  handshake: none",
    ),
    (
        "dedup_header",
        "dedup: [eventId, \"a | text\"]",
        "dedup: {header: X-Id, §: 1}",
    ),
    ("rate_limit", "{per_minute: 600,", "{§: 1, per_minute: 600,"),
    ("answer", "{status: 202,", "{§: 1, status: 202,"),
    (
        "keep_rejected",
        "{bodies_for: 24h}",
        "{bodies_for: 24h, §: 1}",
    ),
    (
        "defaults",
        "{on_null: skip, on_blank: clear, on_error: skip}",
        "{§: 1}",
    ),
    ("rule", "    only: pays", "    §: 1\n    only: pays"),
    (
        "customer",
        "      on_missing: create",
        "      on_missing: create\n      §: 1",
    ),
    (
        "form",
        "{from: phone | phone,",
        "{§: 1, from: phone | phone,",
    ),
    ("case", "{when: out == true,", "{§: 1, when: out == true,"),
    ("tag", "{each: 'children[]',", "{§: 1, each: 'children[]',"),
    ("entry", "{key: Grado,", "{§: 1, key: Grado,"),
    ("test", "    now: 2026", "    §: 1\n    now: 2026"),
    (
        "outcome",
        "{drop: connection test}]",
        "{drop: connection test, §: 1}]",
    ),
];

/// Handshakes, in place of `none`.
const HANDSHAKES: [(&str, &str); 10] = [
    ("echo_query", "{kind: echo-query, §: 1}"),
    ("echo_json", "{kind: echo-json, §: 1}"),
    ("hmac_token", "{kind: hmac-token, §: 1}"),
    ("header_echo", "{kind: header-echo, §: 1}"),
    ("cloud_events", "{kind: cloudevents, §: 1}"),
    ("plain_200", "{kind: plain-200, §: 1}"),
    (
        "plain_test",
        "{kind: plain-200, tests: [{header: a, value: b, §: 1}]}",
    ),
    (
        "confirm_url",
        "{kind: confirm-url, hosts: [a.example], §: 1}",
    ),
    (
        "verify_token",
        "{kind: echo-query, verify_token: {§: 1, env: TOKEN}}",
    ),
    ("handshake_of_preset", "{§: 1}"),
];

/// Settings of verification that `FULL` does not have.
const OTHER_SETTINGS: [(&str, &str); 9] = [
    (
        "public_key_signature",
        "{type: public-key, algorithm: ed25519, signature_header: a, encoding: hex, §: 1}",
    ),
    (
        "signed_headers",
        "{type: hmac, signature_header: a, encoding: hex, signed_headers: {source: 'pair:h', §: 1}}",
    ),
    (
        "token",
        "{type: token, token_source: 'header:X-Token', §: 1}",
    ),
    ("basic", "{type: basic, §: 1}"),
    (
        "client_certificate",
        "{type: client-certificate, header: X-Cert, format: subject, allowed: CN=crm, §: 1}",
    ),
    (
        "certificate",
        "{type: mtls, header: X-Cert, format: subject, allowed: [{text: CN=crm, until: 2026-12-31, §: 1}]}",
    ),
    (
        "jwt",
        "{type: jwt, token_source: body, algorithms: [HS256], §: 1}",
    ),
    (
        "claims",
        "{type: jwt, token_source: body, algorithms: [HS256], claims: {§: 1}}",
    ),
    (
        "jwks",
        "{type: jwt, token_source: body, algorithms: [RS256], jwks: {url: 'https://keys.example', §: 1}}",
    ),
];

/// The keys that the reader of a map says it knows, when it meets one that it does not.
fn known_to_reader(text: &str) -> BTreeSet<String> {
    let message = format!("has no key `{STRANGER}`");
    let found = found(text);
    // Where a secret may stand, what is unknown is not repeated.
    let stranger = found.iter().find(|found| {
        found.message.ends_with(&message) || found.message.ends_with("has no such key")
    });
    let help = stranger.and_then(|found| found.help.as_deref());
    let known = help.and_then(|help| help.split_once(" knows: "));
    let (_, known) = known.unwrap_or_else(|| panic!("{found:#?}\n{text}"));
    known.split(", ").map(str::to_owned).collect()
}

fn known_to_schema(definition: &str) -> BTreeSet<String> {
    let schema = schema();
    let map = if definition.is_empty() {
        &schema
    } else {
        &schema["definitions"][definition]
    };
    let properties = map["properties"]
        .as_object()
        .unwrap_or_else(|| panic!("{definition}"));
    properties.keys().cloned().collect()
}

#[test]
fn the_keys_of_each_map_are_those_that_its_reader_knows() {
    let verify = FULL
        .split_once("  verify:\n")
        .unwrap()
        .1
        .split_once("  secrets:")
        .unwrap()
        .0;
    let full = |(definition, place, with): (&'static str, &str, &str)| {
        assert!(FULL.contains(place), "{place}");
        (definition, FULL.replacen(place, with, 1))
    };
    let other = |(definition, settings): (&'static str, &str)| {
        (
            definition,
            FULL.replacen(
                &format!("  verify:\n{verify}"),
                &format!("  verify: {settings}\n"),
                1,
            ),
        )
    };
    let handshake = |(definition, settings): (&'static str, &str)| {
        let settings = format!("  handshake: {settings}");
        let text = FULL.replacen("  handshake: none", &settings, 1);
        // Only beside a preset may a map have no `kind`.
        let text = match definition {
            "handshake_of_preset" => text.replacen(
                &format!("  verify:\n{verify}"),
                "  verify: meta-whatsapp\n",
                1,
            ),
            _ => text,
        };
        (definition, text)
    };
    let mut compared = BTreeSet::new();
    for (definition, text) in PLACES
        .into_iter()
        .map(full)
        .chain(OTHER_SETTINGS.into_iter().map(other))
        .chain(HANDSHAKES.into_iter().map(handshake))
    {
        let text = text.replace('§', STRANGER);
        assert_eq!(
            known_to_schema(definition),
            known_to_reader(&text),
            "{definition}"
        );
        assert!(
            !complaints(&text).is_empty(),
            "{definition}: the schema takes a key that nobody knows"
        );
        compared.insert(definition.to_owned());
    }
    // `set`, `find` and `template` are read by other means, below.
    compared.extend(["set", "find", "template"].map(str::to_owned));
    let schema = schema();
    let maps = schema["definitions"].as_object().unwrap().iter();
    let maps = maps
        .filter(|(_, definition)| definition["type"] == "object")
        .map(|(name, _)| name.clone());
    let compared_definitions: BTreeSet<String> = compared
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(maps.collect::<BTreeSet<_>>(), compared_definitions);
}

#[test]
fn fields_and_ways_of_finding_are_those_that_the_compiler_knows() {
    let fields: BTreeSet<String> = Field::ALL
        .into_iter()
        .map(Field::as_str)
        .chain(["meta"])
        .map(str::to_owned)
        .collect();
    assert_eq!(known_to_schema("set"), fields);
    for way in known_to_schema("find") {
        let text = FULL.replace("{username: id}", &format!("{{{way}: id}}"));
        assert!(
            found(&text)
                .iter()
                .all(|found| found.code != "map/unknown-key"),
            "{way}"
        );
    }
    for (way, is_known) in [
        ("phone", false),
        ("metadata.", false),
        ("metadata.Folio de beca", true),
    ] {
        let text = FULL.replace("{username: id}", &format!("{{{way}: id}}"));
        let is_unknown = |found: &Diagnostic| found.code == "map/unknown-key";
        assert_eq!(complaints(&text).is_empty(), is_known, "{way}");
        assert_eq!(!found(&text).iter().any(is_unknown), is_known, "{way}");
    }
}

/// The values that a key takes, as its reader lists them when it meets another.
fn words_of_reader(text: &str) -> BTreeSet<String> {
    let found = found(text);
    let listed = found.iter().find_map(|found| {
        let of_mapping = found
            .message
            .split_once("` takes `")
            .map(|(_, words)| words.replace('`', "").replace(" or ", ", "));
        let help = found.help.as_deref().unwrap_or_default();
        let of_receive = ["write one of ", "available are "]
            .iter()
            .find_map(|before| help.strip_prefix(before));
        of_mapping.or_else(|| of_receive.map(str::to_owned))
    });
    let listed = listed.unwrap_or_else(|| panic!("{found:#?}\n{text}"));
    listed.split(", ").map(str::to_owned).collect()
}

#[test]
fn the_words_of_each_key_are_those_that_its_reader_takes() {
    for (definition, key, place, with) in [
        ("", "otherwise", "otherwise: fail", "otherwise: §"),
        (
            "defaults",
            "on_null",
            "on_null: skip, on_blank: clear",
            "on_null: §, on_blank: clear",
        ),
        (
            "defaults",
            "on_blank",
            "on_blank: clear, on_error: skip",
            "on_blank: §, on_error: skip",
        ),
        ("defaults", "on_error", "on_error: skip}", "on_error: §}"),
        ("form", "required", "required: true", "required: §"),
        (
            "customer",
            "on_missing",
            "on_missing: create",
            "on_missing: §",
        ),
        (
            "signature",
            "algorithm",
            "algorithm: sha256",
            "algorithm: §",
        ),
        (
            "signature",
            "encoding",
            "    encoding: hex",
            "    encoding: §",
        ),
        (
            "signature",
            "secret_encoding",
            "secret_encoding: utf8",
            "secret_encoding: §",
        ),
        ("timestamp", "format", "format: unix_s", "format: §"),
    ] {
        assert!(FULL.contains(place), "{place}");
        let text = FULL.replacen(place, with, 1).replace('§', STRANGER);
        let schema = schema();
        let map = if definition.is_empty() {
            &schema
        } else {
            &schema["definitions"][definition]
        };
        let words = map["properties"][key]["enum"]
            .as_array()
            .unwrap_or_else(|| panic!("{key}"));
        let words: BTreeSet<String> = words
            .iter()
            .map(|word| {
                word.as_str()
                    .map_or_else(|| word.to_string(), str::to_owned)
            })
            .collect();
        assert_eq!(words, words_of_reader(&text), "{key}");
        assert!(!complaints(&text).is_empty(), "{key}");
    }
}

#[test]
fn the_kinds_and_styles_are_those_that_the_readers_take() {
    let kinds = [
        "hmac",
        "digest",
        "public-key",
        "token",
        "basic",
        "jwt",
        "client-certificate",
    ];
    let text = FULL.replace("type: hmac", &format!("type: {STRANGER}"));
    assert_eq!(words_of_reader(&text), kinds.map(str::to_owned).into());
    let algorithms = ["ed25519", "ecdsa-p256-sha256-der", "rsa-pkcs1-sha256"];
    let text = FULL
        .replace("type: hmac", "type: public-key")
        .replace("algorithm: sha256", &format!("algorithm: {STRANGER}"));
    let words = words_of_reader(&text);
    assert_eq!(words, algorithms.map(str::to_owned).into());
    let schema = schema();
    let of_schema = &schema["definitions"]["public_key_signature"]["properties"]["algorithm"];
    assert_eq!(of_schema["enum"], serde_json::json!(algorithms));
    let styles = ["plain", "prefix", "pairs", "list"];
    let text = FULL.replace("style: list", &format!("style: {STRANGER}"));
    assert_eq!(words_of_reader(&text), styles.map(str::to_owned).into());
    let verify = schema["definitions"]["receive"]["properties"]["verify"].to_string();
    for preset in presets::all() {
        assert!(
            verify.contains(&format!("\"{}\"", preset.name)),
            "{}",
            preset.name
        );
    }
}
