//! JSON web tokens.

use super::*;
use crate::verify::{KeySet, KeySetHandle, PrivateKey};

const RSA: &str = include_str!("../../keys/rsa-2048.pem");
const RSA_PUBLIC: &str = include_str!("../../keys/rsa-2048.pub.pem");

const JWT: &str = r#"{"type": "jwt", "token_source": "header:Authorization", "token_prefix": "Bearer ", "algorithms": ["HS256"], "claims": {"aud": "https://gw.example"}}"#;
const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OQ==";

#[test]
fn tokens_that_are_nearly_right_are_found() {
    let mut decoded: Value = serde_json::from_str(JWT).unwrap();
    decoded["secret_encoding"] = json!("base64");
    let decoded = decoded.to_string();
    let sign = |settings: &str| arrived(Sender::new(settings).secret(KEY).sign());
    let long_ago = now() - SignedDuration::from_hours(48);
    let old = Sender::new(JWT).secret(KEY).at(long_ago).sign();
    let line_end = format!("{KEY}\n");
    check(vec![
        (
            "secret",
            JWT,
            KEY,
            sign(&decoded),
            "secret_encoding: base64",
        ),
        (
            "line end",
            JWT,
            &line_end,
            sign(JWT),
            "white space, a line end",
        ),
        ("old", JWT, KEY, arrived(old), "at 2025-10-07"),
    ]);
}

/// `JWT` with other claims and settings.
fn with(changes: &[(&str, Value)]) -> String {
    let changes: Vec<_> = changes
        .iter()
        .map(|(key, value)| {
            (
                (*key).to_owned(),
                Some(value.clone()).filter(|value| !value.is_null()),
            )
        })
        .collect();
    let keys = settings(JWT).with(&changes);
    let keys: serde_json::Map<String, Value> = keys
        .keys()
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect();
    Value::from(keys).to_string()
}

#[test]
fn what_a_token_says_is_compared_with_what_the_settings_ask() {
    let hashes = [
        ("claims.url_sha256_claim", json!("url_hash")),
        ("claims.body_sha256_claim", json!("body_hash")),
    ];
    let base64: Vec<_> = [&hashes[..], &[("claims.hash_encoding", json!("base64"))]].concat();
    let elsewhere = "http://hooks.school.mx/webhooks/crm?a=b%2Fc";
    let longer = format!("{BODY}\n");
    let sign = |settings: &str| arrived(Sender::new(settings).secret(KEY).sign());
    let moved = |url: &str| arrived(Sender::new(&with(&hashes)).secret(KEY).url(url).sign());
    let mut elsewhere_in_header = sign(JWT);
    let token = elsewhere_in_header.headers.remove("authorization").unwrap();
    elsewhere_in_header.headers.insert("x-token", token);
    let bare = with(&[("token_prefix", Value::Null)]);
    let named = with(&[("claims.iss", json!("sender"))]);
    check(vec![
        (
            "issuer",
            &with(&[("claims.iss", json!("https://other.example"))]),
            KEY,
            sign(&named),
            "issued by `sender` (`iss`), and the settings take `https://other.example`: change them only if that is the sender => claims.iss: sender",
        ),
        (
            "no issuer",
            &named,
            KEY,
            sign(JWT),
            "does not say who issued it (`iss`), and the settings take `sender` => no claims.iss",
        ),
        (
            "audience",
            &with(&[("claims.aud", json!(["us", "we"]))]),
            KEY,
            sign(JWT),
            "for `https://gw.example` (`aud`), and the settings take `us` or `we`: change them only if that is what the sender calls you => claims.aud: https://gw.example",
        ),
        (
            "no audience in the settings",
            &with(&[("claims.aud", Value::Null)]),
            KEY,
            sign(JWT),
            "the settings do not say who we are",
        ),
        (
            "address as audience",
            &with(&[("claims.aud", json!("{url}"))]),
            KEY,
            arrived(
                Sender::new(&with(&[("claims.aud", json!("{url}"))]))
                    .secret(KEY)
                    .url(elsewhere)
                    .sign(),
            ),
            "public_url http://hooks.school.mx",
        ),
        (
            "issuer and audience and more",
            &with(&[
                ("claims.aud", json!("us")),
                ("claims.iss", json!("they")),
                ("claims.require", json!(["exp", "event"])),
                ("claims.equal", json!({"account": "7"})),
            ]),
            KEY,
            sign(&named),
            "claims.iss: sender && the token is for `https://gw.example` (`aud`), and the settings take `us`: change them only if that is what the sender calls you => claims.aud: https://gw.example && the token lacks `event`, which `claims.require` asks for => claims.require: [\"exp\"] && the token has no claim `account`",
        ),
        (
            "unknown address as audience",
            &with(&[("claims.aud", json!("{url}"))]),
            KEY,
            sign(&with(&[(
                "claims.aud",
                json!("https://nobody.knows/it?key=k-1"),
            )])),
            "for `https://nobody.knows/it?…` (`aud`), and the settings take the address that the sender was given: change them only if that is what the sender calls you => write `claims.aud`",
        ),
        (
            "address",
            &with(&hashes),
            KEY,
            moved(elsewhere),
            "signed the address as http://hooks.school.mx => public_url http://hooks.school.mx",
        ),
        (
            "unknown address",
            &with(&hashes),
            KEY,
            moved("https://nobody.knows/it"),
            "the hash of another address (`url_hash`) => compare",
        ),
        (
            "body",
            &with(&hashes),
            KEY,
            arrived(
                Sender::new(&with(&hashes))
                    .secret(KEY)
                    .body(longer.as_bytes())
                    .sign(),
            ),
            "with a line end (LF) at its end",
        ),
        (
            "unknown body",
            &with(&hashes),
            KEY,
            arrived(Sender::new(&with(&hashes)).secret(KEY).body(b"{}").sign()),
            "the hash of another body (`body_hash`)",
        ),
        (
            "hash encoding",
            &with(&hashes),
            KEY,
            sign(&with(&base64)),
            "written as `base64` => claims.hash_encoding: base64",
        ),
        (
            "no hash",
            &with(&hashes),
            KEY,
            sign(JWT),
            "no claim `url_hash`, which `claims.url_sha256_claim` names",
        ),
        (
            "algorithm",
            JWT,
            KEY,
            sign(&with(&[("algorithms", json!(["HS512"]))])),
            "signed with `HS512` => algorithms: [\"HS512\"]",
        ),
        (
            "place",
            JWT,
            KEY,
            elsewhere_in_header,
            "stands in `header:x-token`, behind `Bearer` => token_source: header:x-token",
        ),
        (
            "prefix",
            &bare,
            KEY,
            sign(JWT),
            "behind `Bearer` => token_prefix: Bearer ",
        ),
    ]);
}

#[test]
fn the_value_of_a_claim_is_not_shown() {
    let gateway = with(&[("claims.equal", json!({"email": "ana@school.mx"}))]);
    let sender = with(&[("claims.equal", json!({"email": "eva@other.mx"}))]);
    let request = arrived(Sender::new(&sender).secret(KEY).sign());
    let report = examined(&gateway, KEY, &request);
    assert!(
        first(&report).starts_with("the claim `email` has another value than the settings ask for"),
        "{report:?}"
    );
    assert!(!format!("{report:?}").contains("eva@"), "{report:?}");
}

#[test]
fn keys_and_algorithms_of_the_other_family_are_named() {
    let public = with(&[("algorithms", json!(["RS256"]))]);
    let set = |document: &str| KeySetHandle::holding(KeySet::read(document.as_bytes()).unwrap());
    let signed = |settings: &str| {
        let key = PrivateKey::read(&RSA.into()).unwrap();
        let verifier = Verifier::new(self::settings(settings).read().unwrap(), &[]).unwrap();
        arrived(verifier.sign_with(unsigned(), "", now(), &key).unwrap())
    };
    // A token that names a key, with a signature that is never looked at.
    let named = |head: &str| {
        let mut request = signed(&public);
        let token = request.headers["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        let (_, rest) = token.split_once('.').unwrap();
        let head = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(head);
        let token = format!("Bearer {head}.{rest}");
        request
            .headers
            .insert("authorization", token.parse().unwrap());
        request
    };
    let mut key = crate::verify::jwt_tests::rsa_pairs()[0].jwk.clone();
    key["kid"] = json!("key-1");
    let jwks = json!({"keys": [key]}).to_string();
    for (name, gateway, document, request, expected) in [
        (
            "genuine",
            &public,
            RSA_PUBLIC,
            signed(&public),
            "nothing explains Genuine",
        ),
        (
            "unknown key",
            &public,
            &jwks,
            named(r#"{"alg": "RS256", "kid": "key-2\u202e"}"#),
            "names the key `key-2\\u{202e}` (`kid`), and the published keys are `key-1`",
        ),
        (
            "shared instead of published",
            &public,
            RSA_PUBLIC,
            named(r#"{"alg": "HS256"}"#),
            "signed with `HS256` (`alg`), and `algorithms` takes RS256 => if the sender's page says so too, it shares a secret",
        ),
        (
            "none",
            &public,
            RSA_PUBLIC,
            named(r#"{"alg": "none"}"#),
            "it is not signed at all",
        ),
        (
            "no such algorithm",
            &public,
            RSA_PUBLIC,
            named(r#"{"alg": "RS384"}"#),
            "that algorithm is not taken",
        ),
        (
            "no token",
            &public,
            RSA_PUBLIC,
            named("eyJ!"),
            "is no JSON web token",
        ),
    ] {
        let settings = settings(gateway);
        let report = examine(Case {
            settings: &settings,
            secrets: &[],
            public_keys: &[],
            key_set: Some(&set(document)),
            others: &[],
            request: &request,
            now: now(),
        });
        let advice = first(&report);
        assert!(advice.contains(expected), "{name}: {advice}");
    }
}
