//! Signatures of private keys.

use super::*;
use crate::verify::{PrivateKey, PublicKey};

const P256: &str = include_str!("../../keys/p256.pem");
const RSA: &str = include_str!("../../keys/rsa-2048.pem");
const PUBLIC: &str = r#"{"type": "public-key", "algorithm": "ecdsa-p256-sha256-der", "signature_header": "X-Sig", "encoding": "base64"}"#;

#[test]
fn signatures_of_private_keys_are_examined_as_others_are() {
    let hex = PUBLIC.replace("base64", "hex");
    let elsewhere = PUBLIC.replace("X-Sig", "X-Other");
    let timed = PUBLIC.replace(
        "\"encoding\"",
        r#""signed": "{timestamp}{body}", "timestamp": {"source": "header:X-Time", "format": "unix_s"}, "encoding""#,
    );
    let rsa = PUBLIC.replace("ecdsa-p256-sha256-der", "rsa-pkcs1-sha256");
    let ended = now() - SignedDuration::from_hours(1);
    for (name, sender, private, gateway, public, until, expected) in [
        (
            "header",
            &elsewhere,
            P256,
            PUBLIC,
            P256,
            None,
            "signature_header: x-other",
        ),
        (
            "signed text",
            &timed,
            P256,
            PUBLIC,
            P256,
            None,
            "signed: {timestamp}{body}",
        ),
        (
            "body",
            &PUBLIC.to_owned(),
            P256,
            &timed,
            P256,
            None,
            "signed: {body}",
        ),
        (
            "algorithm",
            &rsa,
            RSA,
            PUBLIC,
            RSA,
            None,
            "algorithm: rsa-pkcs1-sha256",
        ),
        (
            "encoding",
            &PUBLIC.to_owned(),
            P256,
            &hex,
            P256,
            None,
            "encoding: base64",
        ),
        (
            "wrong key",
            &rsa,
            RSA,
            PUBLIC,
            P256,
            None,
            "nothing explains",
        ),
        (
            "ended key",
            &PUBLIC.to_owned(),
            P256,
            PUBLIC,
            P256,
            Some(ended),
            "public key 1, which ended at",
        ),
    ] {
        let key = PrivateKey::read(&private.into()).unwrap();
        let text = |private: &str| PrivateKey::read(&private.into()).unwrap().public_key();
        let public_key = |text: String, until| PublicKey {
            name: "public key 1".into(),
            text,
            until,
        };
        let signer = Verifier::with_public_keys(
            settings(sender).read().unwrap(),
            &[public_key(key.public_key(), None)],
        );
        let request = signer
            .unwrap()
            .sign_with(unsigned(), "", now(), &key)
            .unwrap();
        let mut request = arrived(request);
        if gateway == timed {
            request
                .headers
                .insert("x-time", HeaderValue::from_static("1760000000"));
        }
        let settings = settings(gateway);
        let report = examine(Case {
            settings: &settings,
            secrets: &[],
            public_keys: &[public_key(text(public), until)],
            key_set: None,
            others: &[],
            request: &request,
            now: now(),
        });
        let advice = first(&report);
        assert!(advice.contains(expected), "{name}: {advice}");
    }
}
