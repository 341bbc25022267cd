//! The checks of every kind against known answers, against our own signing, and against hostile input.

mod document;
mod places;
mod properties;
mod published;
mod signers;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::Value;

use self::signers::{Signer, signers, unsigned};
use super::{public_key::KeyAlgorithm, read::tests::read, *};
use crate::{
    diag::{Collector, SourceText},
    yaml,
};

/// The lines of `vectors.jsonl`: requests with the verdict that a correct verifier gives. Each names its source:
/// `published` ones stand in a vendor's document or test suite or in an RFC, `derived` ones were made from those or
/// from the documented rule, and `verifier` holds our settings. Public keys wait for their kind.
fn vectors() -> Vec<Value> {
    include_str!("vectors.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn secrets(vector: &Value) -> Vec<SigningSecret> {
    let secrets = vector["secrets"].as_array().unwrap();
    let secret = |value: &Value| SigningSecret {
        name: "SECRET".into(),
        value: value.as_str().unwrap().into(),
        until: None,
    };
    secrets.iter().map(secret).collect()
}

/// The verifier of a vector: its settings with its secrets or public keys.
fn verifier(vector: &Value) -> Result<Verifier, SettingsError> {
    let settings = read(&vector["verifier"].to_string()).unwrap();
    if !settings.takes_public_keys() {
        let verifier = Verifier::new(settings, &secrets(vector))?;
        if let Some(keys) = vector.get("jwks") {
            let keys = KeySet::read(keys.to_string().as_bytes()).unwrap();
            verifier.use_keys(KeySetHandle::holding(keys));
        }
        return Ok(verifier);
    }
    let keys = vector["public_keys"].as_array().unwrap();
    let key = |value: &Value| PublicKey {
        name: "KEY".into(),
        text: value.as_str().unwrap().to_owned(),
        until: None,
    };
    let keys: Vec<_> = keys.iter().map(key).collect();
    Verifier::with_public_keys(settings, &keys)
}

/// `bytes` says how the text of a header becomes bytes: a vector may hold characters beyond ASCII.
fn request(vector: &Value, bytes: fn(&str) -> Vec<u8>) -> Outgoing {
    let mut headers = HeaderMap::new();
    for pair in vector["headers"].as_array().unwrap() {
        headers.append(
            pair[0].as_str().unwrap().parse::<HeaderName>().unwrap(),
            HeaderValue::from_bytes(&bytes(pair[1].as_str().unwrap())).unwrap(),
        );
    }
    Outgoing {
        method: vector["method"].as_str().unwrap().parse().unwrap(),
        url: vector["url"].as_str().unwrap().to_owned(),
        headers,
        body: STANDARD
            .decode(vector["body_base64"].as_str().unwrap())
            .unwrap()
            .into(),
    }
}

fn utf8(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn known_answers_are_given() {
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in include_str!("vectors.jsonl").lines() {
        let Ok(vector::Line::Signature(vector)) = vector::read(line) else {
            panic!("{line}");
        };
        let judged = vector.judge();
        if judged.is_accepted != vector.is_accepted {
            wrong.push(format!("{}: {judged:?}", vector.name));
        }
        let settings = vector.settings().read().unwrap();
        *counts.entry(settings.type_name()).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Counted, so that no line is left out unnoticed.
    let expected = [
        ("basic", 8),
        ("digest", 9),
        ("hmac", 237),
        ("jwt", 31),
        ("public-key", 22),
        ("token", 25),
    ];
    assert_eq!(counts, expected.into());
}

#[test]
fn refusals_name_their_cause() {
    let causes = [
        ("generic-hmac-sha256-hex/rfc-jefe/tampered-body", "no-match"),
        (
            "generic-hmac-sha256-hex/rfc-jefe/missing-header",
            "missing-signature",
        ),
        (
            "generic-hmac-sha256-hex/rfc-jefe/empty-header",
            "missing-signature",
        ),
        (
            "generic-hmac-sha256-hex/rfc-jefe/prefix-of-signature",
            "malformed-signature",
        ),
        (
            "generic-hmac-sha256-hex/rfc-jefe/non-ascii-header",
            "malformed-signature",
        ),
        (
            "generic-hmac-sha256-hex/rfc-jefe/duplicate-header-bad-last",
            "ambiguous-header",
        ),
        (
            "standard-webhooks-v1/sign-function/only-other-version",
            "no-known-signature",
        ),
        (
            "standard-webhooks-v1/sign-function/id-missing",
            "missing-signed-part",
        ),
        (
            "standard-webhooks-v1/sign-function/timestamp-missing",
            "timestamp-missing",
        ),
        (
            "standard-webhooks-v1/sign-function/timestamp-overflow",
            "timestamp-malformed",
        ),
        (
            "standard-webhooks-v1/sign-function/stale",
            "timestamp-too-old",
        ),
        (
            "standard-webhooks-v1/sign-function/from-the-future",
            "timestamp-too-new",
        ),
        ("twilio/json-body-sha256/tampered-body", "body-digest"),
        ("zoho-crm/token-matches/wrong-token", "wrong-token"),
        ("zoho-crm/token-matches/token-missing", "missing-token"),
        ("zoho-crm/token-matches/not-json", "unreadable-body"),
        ("blackbaud-sky/token-matches/given-twice", "ambiguous-value"),
        ("pipedrive/basic-auth/missing-header", "missing-credentials"),
        ("pipedrive/basic-auth/not-base64", "wrong-credentials"),
        ("sendgrid/bad-payload", "no-match"),
        ("sendgrid/single-event/missing-header", "missing-signature"),
        (
            "generic-ed25519/rfc8032-test2-one-byte/tampered-body",
            "no-match",
        ),
    ];
    let vectors = vectors();
    for (name, expected) in causes {
        let vector = vectors
            .iter()
            .find(|vector| vector["name"] == name)
            .expect(name);
        let verifier = verifier(vector).unwrap();
        let now = at(vector["now_unix"].as_i64().unwrap());
        let received = request(vector, utf8).into_received(now);
        let (_, refusal) = verifier.verify(received, now).unwrap_err();
        assert_eq!(refusal.as_str(), expected, "{name}");
    }
}

#[test]
fn presets_are_the_settings_that_the_known_answers_were_run_with() {
    let systems = [
        ("airtable", "airtable"),
        ("blackbaud-sky", "blackbaud-sky"),
        ("calendly", "calendly"),
        ("close", "close"),
        ("dreamclass", "dreamclass"),
        ("github", "github"),
        ("hubspot-v1", "hubspot-v1"),
        ("hubspot-v3", "hubspot-v3"),
        ("intercom", "intercom"),
        ("line", "line"),
        ("messagebird", "messagebird-jwt"),
        ("meta-whatsapp", "meta-whatsapp"),
        ("moodle", "moodle-local-webhooks"),
        ("pipedrive", "pipedrive"),
        ("shopify", "shopify"),
        ("slack", "slack"),
        ("square", "square"),
        ("standard-webhooks", "standard-webhooks"),
        ("stripe", "stripe"),
        ("twilio", "twilio"),
        ("typeform", "typeform"),
        ("zendesk", "zendesk"),
        ("zoho-crm", "zoho-crm"),
        ("hook0-v0", "hook0-v0"),
        ("ms-graph", "ms-graph"),
        ("outpost", "outpost"),
        ("rd-station", "rd-station-header-token"),
        ("sendgrid", "sendgrid"),
        ("standard-webhooks-ed25519", "standard-webhooks"),
    ];
    let vectors = vectors();
    for (preset, system) in systems {
        let settings = presets::find(preset).expect(preset).verify_settings();
        let mut of_system = vectors.iter().filter(|vector| {
            vector["system"] == system && vector["verifier"]["type"] == settings.type_name()
        });
        let vector = of_system.next().expect(system);
        assert_eq!(
            settings,
            read(&vector["verifier"].to_string()).unwrap(),
            "{preset}"
        );
    }
}

#[test]
fn presets_with_published_keys_take_what_their_sender_signs_for_us() {
    let vectors = vectors();
    let of_canvas = vectors
        .iter()
        .filter(|vector| vector["system"] == "canvas-live-events");
    let mut count = 0;
    for vector in of_canvas {
        for (account, is_ours) in [
            ("VicYj3cu5BIFpoZhDVU4DZumnlBrWi1grgJEzADs", true),
            ("x", false),
        ] {
            let mut settings = presets::find("canvas-live-events")
                .unwrap()
                .verify_settings();
            let claims = format!("{{metadata.root_account_uuid: {account}}}");
            let mut out = Collector::new(SourceText::new("claims", claims));
            let node = yaml::parse(&mut out).unwrap();
            settings.read_claims(&node, &mut out);
            let verifier = Verifier::new(settings, &[]).unwrap();
            let keys = KeySet::read(vector["jwks"].to_string().as_bytes()).unwrap();
            verifier.use_keys(KeySetHandle::holding(keys));
            let now = at(vector["now_unix"].as_i64().unwrap());
            let verdict = verifier.verify(request(vector, utf8).into_received(now), now);
            let expected = is_ours && vector["expect"] == "accept";
            assert_eq!(verdict.is_ok(), expected, "{}: {verdict:?}", vector["name"]);
            if let Ok(verified) = verdict {
                assert!(verified.received().body.starts_with(b"{\"metadata\""));
            }
            count += 1;
        }
    }
    assert_eq!(count, 12);
}

fn secret(value: &str) -> SigningSecret {
    SigningSecret {
        name: "SECRET".into(),
        value: value.into(),
        until: None,
    }
}

fn public(private: &PrivateKey) -> PublicKey {
    PublicKey {
        name: "KEY".into(),
        text: private.public_key(),
        until: None,
    }
}

/// The public half of a key, as a sender publishes it.
fn published(key: &PrivateKey) -> KeySetHandle {
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        key.public_key()
    );
    KeySetHandle::holding(KeySet::read(pem.as_bytes()).unwrap())
}

/// With the lowest bit of one byte changed, which turns no letter into its upper-case twin.
fn flipped(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 1;
    bytes
}

#[test]
fn what_we_sign_verifies_and_any_changed_byte_does_not() {
    let now = at(1_760_000_000);
    // Tokens that are signed with a key pair have tests of their own.
    let signers = signers().iter();
    for signer in signers.filter(|signer| !signer.verifier.settings().needs_key_set()) {
        let Signer { name, verifier, .. } = signer;
        let request = signer.sign(now);
        let received = request.clone().into_received(now);
        let verified = verifier.verify(received.clone(), now);
        assert!(verified.is_ok(), "{name}: {verified:?}");

        let refuses = |changed: Received, what: &str| {
            assert!(verifier.verify(changed, now).is_err(), "{name}: {what}");
        };
        if verifier.settings().covers_body() {
            for place in 0..received.body.len() {
                let body = flipped(&received.body, place).into();
                refuses(
                    Received {
                        body,
                        ..received.clone()
                    },
                    &format!("body {place}"),
                );
            }
        }
        let before = signer.unsigned().headers;
        for (header, value) in &request.headers {
            if before.contains_key(header) {
                continue;
            }
            for place in 0..value.len() {
                let Ok(other) = HeaderValue::from_bytes(&flipped(value.as_bytes(), place)) else {
                    continue;
                };
                let mut changed = received.clone();
                changed.headers.insert(header, other);
                refuses(changed, &format!("{header} {place}"));
            }
            let mut changed = received.clone();
            changed.headers.remove(header);
            refuses(changed, &format!("no {header}"));
        }
    }
}

#[test]
fn forms_are_signed_field_by_field() {
    let now = at(1_760_000_000);
    let secret = SigningSecret {
        name: "SECRET".into(),
        value: "c0de".into(),
        until: None,
    };
    let settings = presets::find("twilio").unwrap().verify_settings();
    let verifier = Verifier::new(settings, &[secret]).unwrap();
    let received = verifier
        .sign(unsigned(true), "", now)
        .unwrap()
        .into_received(now);
    let with_body = |body: &'static str| Received {
        body: Bytes::from_static(body.as_bytes()),
        ..received.clone()
    };
    assert!(
        verifier
            .verify(with_body("a=1&b=2&name=Jos%c3%a9"), now)
            .is_ok()
    );
    for changed in [
        "a=1&b=3&name=Jos%C3%A9",
        "a=1&b=2",
        "a=1&a=2&b=2&name=Jos%C3%A9",
        "",
    ] {
        assert!(
            verifier.verify(with_body(changed), now).is_err(),
            "{changed}"
        );
    }
}

#[test]
fn an_old_secret_is_accepted_until_its_end_and_named() {
    let now = at(1_760_000_000);
    let settings = || presets::find("github").unwrap().verify_settings();
    let secret = |name: &str, until| SigningSecret {
        name: name.into(),
        value: name.into(),
        until,
    };
    let old_sender = Verifier::new(settings(), &[secret("OLD", None)]).unwrap();
    let request = old_sender
        .sign(unsigned(false), "", now)
        .unwrap()
        .into_received(now);

    let until = now + jiff::SignedDuration::from_secs(60);
    let rotating = Verifier::new(
        settings(),
        &[secret("NEW", None), secret("OLD", Some(until))],
    )
    .unwrap();
    let verified = rotating.verify(request.clone(), now).unwrap();
    assert_eq!(verified.secret_name(), Some("OLD"));
    assert_eq!(verified.into_received().body, request.body);
    assert_eq!(
        rotating.verify(request.clone(), until).unwrap_err().1,
        Refusal::NoMatch
    );
    let expired = Verifier::new(settings(), &[secret("OLD", Some(until))]).unwrap();
    assert_eq!(
        expired.verify(request, until).unwrap_err().1,
        Refusal::NoSecret
    );
    assert_eq!(
        expired.sign(unsigned(false), "", until).err(),
        Some(CannotSign::NoSecret)
    );
}

#[test]
fn nothing_is_verified_only_in_so_many_words() {
    let now = at(0);
    let verifier = Verifier::new(VerifySettings::none(), &[]).unwrap();
    let accepted = verifier
        .verify(unsigned(false).into_received(now), now)
        .unwrap();
    assert_eq!(accepted.secret_name(), None);
    let secret = SigningSecret {
        name: "SECRET".into(),
        value: "x".into(),
        until: None,
    };
    assert_eq!(
        Verifier::new(VerifySettings::none(), std::slice::from_ref(&secret)).err(),
        Some(SettingsError::UnusedSecret("SECRET".into()))
    );
    let settings = presets::find("github").unwrap().verify_settings();
    assert_eq!(
        Verifier::new(settings.clone(), &[]).err(),
        Some(SettingsError::NoSecret)
    );
    assert_eq!(
        Verifier::new(settings, &vec![secret; MAX_SECRETS + 1]).err(),
        Some(SettingsError::TooManySecrets)
    );
}

#[test]
fn debug_output_shows_no_part_of_a_request() {
    let now = at(1_760_000_000);
    let settings = presets::find("zoho-crm").unwrap().verify_settings();
    let secret = SigningSecret {
        name: "SECRET".into(),
        value: "c0dec0de".into(),
        until: None,
    };
    let verifier = Verifier::new(settings, &[secret]).unwrap();
    let request = verifier
        .sign(unsigned(false), "", now)
        .unwrap()
        .into_received(now);
    let accepted = verifier.verify(request, now).unwrap();
    let shown = format!("{accepted:?} {verifier:?}");
    assert!(
        !shown.contains("c0de") && !shown.contains("José") && !shown.contains("hooks.example"),
        "{shown}"
    );
}

proptest::proptest! {
    /// Nobody without the secret gets in, and nothing that a stranger sends makes the check fail in another way.
    #[test]
    fn strangers_are_refused_whatever_they_send(
        which in 0usize..100,
        header in proptest::collection::vec(proptest::num::u8::ANY, 0..80),
        time in "[0-9TZ:.+-]{0,40}",
        body in proptest::collection::vec(proptest::num::u8::ANY, 0..80),
        query in "[a-z=&%0-9+]{0,30}",
    ) {
        let signers = signers();
        let signer = &signers[which % signers.len()];
        let now = at(1_760_000_000);
        let signed = signer.sign(now);
        let mut forged = signer.unsigned();
        for header_name in signed.headers.keys() {
            let text: &[u8] = if header_name.as_str().contains("time") { time.as_bytes() } else { &header };
            if let Ok(value) = HeaderValue::from_bytes(text) {
                forged.headers.insert(header_name, value);
            }
        }
        forged.body = body.into();
        forged.url = format!("https://hooks.example/x?{query}");
        proptest::prop_assert!(signer.verifier.verify(forged.into_received(now), now).is_err());
    }
}
