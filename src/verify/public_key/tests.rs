use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::verify::PrivateKey;

const ED25519_KEY: &str = include_str!("../keys/ed25519.pem");
const P256_KEY: &str = include_str!("../keys/p256.pem");
const P256_KEY_SEC1: &str = include_str!("../keys/p256-sec1.pem");
const RSA_KEY: &str = include_str!("../keys/rsa-2048.pem");
const RSA_KEY_PKCS1: &str = include_str!("../keys/rsa-2048-pkcs1.pem");
const RSA_KEY_ENCRYPTED: &str = include_str!("../keys/rsa-2048-encrypted.pem");
const RSA: &str = include_str!("../keys/rsa-2048.pub.pem");
const RSA_PKCS1: &str = include_str!("../keys/rsa-2048-pkcs1.pub.pem");
const RSA_1024: &str = include_str!("../keys/rsa-1024.pub.pem");
const P384: &str = include_str!("../keys/p384.pub.pem");
const CERTIFICATE: &str = include_str!("../keys/certificate.pem");

use KeyAlgorithm::{EcdsaP256Sha256Der, Ed25519, RsaPkcs1Sha256};

fn private(text: &str) -> PrivateKey {
    PrivateKey::read(&text.into()).unwrap()
}

/// The base64 inside a PEM text.
fn inside(pem_text: &str) -> String {
    pem(pem_text.trim()).unwrap().1
}

/// The same bytes in every way to write them.
fn spellings(bytes: &[u8]) -> Vec<String> {
    let encoded = STANDARD.encode(bytes);
    let lines: Vec<_> = encoded.as_bytes().chunks(40).map(str_of).collect();
    vec![
        hex::encode(bytes),
        hex::encode_upper(bytes),
        format!("  {encoded}\n"),
        encoded.trim_end_matches('=').to_owned(),
        lines.join("\n"),
    ]
}

fn str_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_key_is_read_however_it_is_written() {
    let in_pem = |der: &[u8]| {
        let lines = spellings(der).pop().unwrap();
        format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n")
    };
    for (algorithm, key, raw_at) in [
        (Ed25519, ED25519_KEY, Some(12)),
        (EcdsaP256Sha256Der, P256_KEY, Some(26)),
        (RsaPkcs1Sha256, RSA_KEY, None),
    ] {
        let private = private(key);
        let der = STANDARD.decode(private.public_key()).unwrap();
        let mut texts = spellings(&der);
        texts.push(in_pem(&der));
        texts.push(in_pem(&der).replace('\n', "\\n"));
        texts.push(in_pem(&der).replace('\n', "\r\n"));
        if let Some(start) = raw_at {
            texts.extend(spellings(&der[start..]));
        }
        if algorithm == Ed25519 {
            texts.push(format!("whpk_{}", STANDARD.encode(&der[12..])));
        }
        if algorithm == RsaPkcs1Sha256 {
            texts.extend([RSA.to_owned(), RSA_PKCS1.to_owned()]);
        }
        let signature = private.sign(algorithm, b"text").unwrap();
        for text in texts {
            let key = algorithm
                .read(&text)
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(key.signed(b"text", &signature), "{text}");
            assert!(!key.signed(b"tex", &signature), "{text}");
            assert!(!key.signed(b"text", &signature[1..]), "{text}");
            assert!(!key.signed(b"text", b""), "{text}");
        }
    }
}

#[test]
fn a_key_of_another_algorithm_is_told() {
    let texts = [ED25519_KEY, P256_KEY, RSA_KEY].map(|key| private(key).public_key());
    for (wanted, text, found) in [
        (Ed25519, texts[1].as_str(), "ECDSA with the curve P-256"),
        (Ed25519, &texts[2], "RSA"),
        (EcdsaP256Sha256Der, &texts[0], "Ed25519"),
        (EcdsaP256Sha256Der, RSA_PKCS1, "RSA"),
        (EcdsaP256Sha256Der, P384, "another elliptic curve"),
        (RsaPkcs1Sha256, &texts[0], "Ed25519"),
        (RsaPkcs1Sha256, &texts[1], "ECDSA with the curve P-256"),
    ] {
        let error = wanted.read(text).unwrap_err();
        let wanted = wanted.name();
        assert_eq!(error, InvalidPublicKey::OtherAlgorithm { found, wanted });
    }
}

#[test]
fn a_private_key_is_recognised_in_every_form_and_not_repeated() {
    let pair = [[7; 32], [8; 32]].concat();
    let mut texts = vec![
        ED25519_KEY.to_owned(),
        P256_KEY_SEC1.to_owned(),
        RSA_KEY_ENCRYPTED.to_owned(),
        format!("whsk_{}", STANDARD.encode(&pair)),
        STANDARD.encode(&pair),
    ];
    for key in [
        ED25519_KEY,
        P256_KEY,
        P256_KEY_SEC1,
        RSA_KEY,
        RSA_KEY_PKCS1,
        RSA_KEY_ENCRYPTED,
    ] {
        texts.extend(spellings(&STANDARD.decode(inside(key)).unwrap()));
    }
    for text in texts {
        let error = Ed25519.read(&text).unwrap_err();
        assert_eq!(error, InvalidPublicKey::Private, "{text}");
    }
    let key = PublicKey {
        name: "CRM_KEY".into(),
        text: ED25519_KEY.into(),
        until: None,
    };
    let said = Ed25519.prepare(&key).unwrap_err().to_string();
    assert!(said.contains("CRM_KEY") && !said.contains("MC4C"), "{said}");
}

#[test]
fn what_is_no_key_to_use_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", InvalidPublicKey::Unreadable),
        ("hunter2", InvalidPublicKey::Unreadable),
        ("whpk_AAEC", InvalidPublicKey::Unreadable),
        ("whpk_!", InvalidPublicKey::Unreadable),
        ("MAA=", InvalidPublicKey::Unreadable),
        ("3082", InvalidPublicKey::Unreadable),
        ("-----BEGIN PUBLIC KEY-----", InvalidPublicKey::Unreadable),
        (
            &format!("{}{}", RSA.trim(), RSA.trim()),
            InvalidPublicKey::Unreadable,
        ),
        ("whsec_AAEC", InvalidPublicKey::Secret),
        (CERTIFICATE, InvalidPublicKey::Certificate),
        (RSA_1024, InvalidPublicKey::Size(1024)),
        (&"A".repeat(9000), InvalidPublicKey::TooMuchText),
    ] {
        assert_eq!(RsaPkcs1Sha256.read(text).unwrap_err(), reason, "{text}");
        assert!(!reason.help().is_empty());
    }
}

#[test]
fn private_keys_sign_in_every_form_that_openssl_writes() {
    for (algorithm, text) in [
        (Ed25519, ED25519_KEY),
        (EcdsaP256Sha256Der, P256_KEY),
        (EcdsaP256Sha256Der, P256_KEY_SEC1),
        (RsaPkcs1Sha256, RSA_KEY),
        (RsaPkcs1Sha256, RSA_KEY_PKCS1),
    ] {
        let private = private(text);
        let signature = private.sign(algorithm, b"text").unwrap();
        let public = algorithm.read(&private.public_key()).unwrap();
        assert!(public.signed(b"text", &signature), "{text}");
        let shown = format!("{private:?}");
        assert!(!shown.contains("MC4C") && shown.len() < 30, "{shown}");
    }
    for text in ["", RSA_KEY_ENCRYPTED, RSA, "whsk_AAEC"] {
        assert!(PrivateKey::read(&text.into()).is_err(), "{text}");
    }
}

#[test]
fn a_key_of_standard_webhooks_signs() {
    // The seed of the key in PEM, and its public half.
    let seed = &STANDARD.decode(inside(ED25519_KEY)).unwrap()[16..];
    let public = private(ED25519_KEY).public_key();
    let raw = &STANDARD.decode(&public).unwrap()[12..];
    let text = format!("whsk_{}", STANDARD.encode([seed, raw].concat()));
    assert_eq!(private(&text).public_key(), public);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_a_key_fail_in_another_way(
        text in "\\PC{0,60}",
        der in proptest::collection::vec(proptest::num::u8::ANY, 0..80),
    ) {
        for algorithm in [Ed25519, EcdsaP256Sha256Der, RsaPkcs1Sha256] {
            for text in [text.clone(), hex::encode(&der), format!("3059{}", hex::encode(&der)), format!("whpk_{}", STANDARD.encode(&der))] {
                drop(algorithm.read(&text));
            }
        }
    }
}
