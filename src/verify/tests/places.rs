//! Signatures in every place and with every part of a request, as they are signed and as they are changed.

use super::{super::*, Method, Signer, at, public, read};
use crate::verify::tests::{Bytes, HeaderMap, HeaderName, HeaderValue};

const NOW: i64 = 1_760_000_000;

fn request(kind: &'static str, body: &'static str) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("x-kind", HeaderValue::from_static("updated"));
    Outgoing {
        method: Method::POST,
        url: "https://hooks.example/x?id=7".into(),
        headers,
        body: Bytes::from_static(body.as_bytes()),
    }
}

fn form() -> Outgoing {
    request("application/x-www-form-urlencoded", "id=1&name=Jos%C3%A9")
}

fn json() -> Outgoing {
    request("application/json", r#"{"id":1,"at":0}"#)
}

/// Settings, a request, a change of it once it is signed, and why it is refused then.
type Case = (
    &'static str,
    fn() -> Outgoing,
    fn(&mut Outgoing),
    Option<Refusal>,
);

fn replace(request: &mut Outgoing, from: &str, to: &str) {
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    assert!(body.contains(from), "{body}");
    request.body = body.replace(from, to).into();
}

fn set_url(request: &mut Outgoing, from: &str, to: &str) {
    assert!(request.url.contains(from), "{}", request.url);
    request.url = request.url.replace(from, to);
}

fn append(request: &mut Outgoing, name: &'static str, value: &'static str) {
    let name = HeaderName::from_static(name);
    request
        .headers
        .append(name, HeaderValue::from_static(value));
}

#[test]
fn a_signature_is_found_where_it_is_and_a_change_of_what_it_covers_is_seen() {
    let cases: &[Case] = &[
        (
            "{type: hmac, signature_query: sig, encoding: hex}",
            json,
            |request| replace(request, "1", "2"),
            Some(Refusal::NoMatch),
        ),
        (
            "{type: hmac, signature_query: sig, encoding: hex}",
            json,
            |request| request.url.push_str("&sig=00"),
            Some(Refusal::AmbiguousValue),
        ),
        (
            "{type: hmac, signature_query: sig, encoding: base64, signed: '{query:id}'}",
            json,
            |request| set_url(request, "id=7", "id=8"),
            Some(Refusal::NoMatch),
        ),
        (
            "{type: hmac, signature_query: sig, encoding: base64, signed: '{query:id}'}",
            json,
            |request| set_url(request, "&sig=", "&gis="),
            Some(Refusal::MissingSignature),
        ),
        (
            "{type: hmac, signature_form: sig, encoding: base64, signed: '{form:id}:{form:name}'}",
            form,
            |request| replace(request, "id=1", "id=2"),
            Some(Refusal::NoMatch),
        ),
        (
            "{type: hmac, signature_form: sig, encoding: base64, signed: '{form:id}:{form:name}'}",
            form,
            |request| replace(request, "id=1", "id=1&id=1"),
            Some(Refusal::AmbiguousValue),
        ),
        (
            "{type: hmac, signature_form: sig, encoding: base64, signed: '{form:id}[;{form:more}]'}",
            form,
            |request| replace(request, "id=1", "id=1&more=2"),
            Some(Refusal::NoMatch),
        ),
        (
            "{type: hmac, algorithm: sha384, signature_header: X-Sig, encoding: base64url, signed: '{body}[{header:x-more}]'}",
            json,
            |request| append(request, "x-more", "1"),
            Some(Refusal::NoMatch),
        ),
        (
            "{type: digest, signature_json_path: sig, encoding: hex, signed: '{timestamp}{json:id}{secret}',
              timestamp: {source: 'json:at', format: unix_s}}",
            json,
            |request| replace(request, "1760000000", "1760000001"),
            Some(Refusal::NoMatch),
        ),
        (
            "{type: digest, signature_json_path: sig, encoding: hex, signed: '{timestamp}{json:id}{secret}',
              timestamp: {source: 'json:at', format: unix_s}}",
            json,
            |request| replace(request, "1760000000", "1750000000"),
            Some(Refusal::TimestampTooOld),
        ),
        (
            "{type: hmac, signature_headers: [X-A, X-B], encoding: hex}",
            json,
            // The other header holds a right one.
            |request| append(request, "x-b", "0000"),
            None,
        ),
        (
            "{type: hmac, signature_headers: [X-A, X-B], encoding: hex}",
            json,
            |request| append(request, "x-a", "0000"),
            Some(Refusal::AmbiguousHeader),
        ),
        (
            "{type: hmac, signature_header: X-Sig, encoding: hex, signature_format: {style: pairs, key: v1, item_sep: ';', kv_sep: ':'},
              signed: '{header_names}|{header_values}|{body}', signed_headers: {source: 'pair:h', name_sep: '+', value_sep: '&'}}",
            json,
            |request| append(request, "x-kind", "deleted"),
            Some(Refusal::AmbiguousHeader),
        ),
        (
            "{type: hmac, signature_header: X-Sig, encoding: hex, signature_format: {style: pairs, key: v1, item_sep: ';', kv_sep: ':'},
              signed: '{header_names}|{header_values}|{body}', signed_headers: {source: 'pair:h', name_sep: '+', value_sep: '&'}}",
            json,
            |request| {
                request.headers.remove("x-kind");
                append(request, "x-kind", "deleted");
            },
            Some(Refusal::NoMatch),
        ),
        (
            "{type: public-key, algorithm: ed25519, signature_query: sig, encoding: base64url, signed: '{query:id}'}",
            json,
            |request| set_url(request, "id=7", "id=8"),
            Some(Refusal::NoMatch),
        ),
        (
            "{type: public-key, algorithm: rsa-pkcs1-sha256, signature_headers: [X-A, X-B], encoding: base64}",
            json,
            |request| replace(request, "1", "2"),
            Some(Refusal::NoMatch),
        ),
        (
            "{type: public-key, algorithm: ecdsa-p256-sha256-der, signature_header: X-Sig, encoding: base64,
              signature_format: {style: list, version: v1}}",
            json,
            |request| {
                let own = request.headers["x-sig"].to_str().unwrap();
                let many = format!("{own} {}", "v1,AAAA ".repeat(4));
                request.headers.insert("x-sig", many.trim_end().parse().unwrap());
            },
            Some(Refusal::TooManySignatures),
        ),
        (
            "{type: public-key, algorithm: ecdsa-p256-sha256-der, signature_header: X-Sig, encoding: hex}",
            json,
            |request| {
                let upper = request.headers["x-sig"].to_str().unwrap().to_uppercase();
                request.headers.insert("x-sig", upper.parse().unwrap());
            },
            Some(Refusal::MalformedSignature),
        ),
    ];
    let now = at(NOW);
    for (settings, unsigned, change, refusal) in cases {
        let signer = Signer::new((*settings).to_owned(), read(settings).unwrap());
        let mut request = signer.sign_request(unsigned(), now);
        let verified = signer
            .verifier
            .verify(request.clone().into_received(now), now);
        assert!(verified.is_ok(), "{settings}: {verified:?}");
        change(&mut request);
        let changed = signer.verifier.verify(request.into_received(now), now);
        let found = changed.err().map(|(_, refusal)| refusal);
        assert_eq!(found, *refusal, "{settings}");
    }
}

#[test]
fn a_public_key_that_is_replaced_is_accepted_until_its_end_and_named() {
    let now = at(NOW);
    let until = now + jiff::SignedDuration::from_secs(60);
    let preset = || presets::find("sendgrid").unwrap().verify_settings();
    let old = Signer::new("sendgrid".into(), preset());
    let request = old.sign_request(json(), now).into_received(now);
    let new = aws_lc_rs::signature::EcdsaKeyPair::generate(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
    )
    .unwrap();
    let new = PublicKey {
        name: "NEW".into(),
        text: hex::encode(aws_lc_rs::signature::KeyPair::public_key(&new)),
        until: None,
    };
    let old_key = PublicKey {
        name: "OLD".into(),
        until: Some(until),
        ..public(old.private.as_ref().unwrap())
    };
    let rotating = Verifier::with_public_keys(preset(), &[new.clone(), old_key.clone()]).unwrap();
    let verified = rotating.verify(request.clone(), now).unwrap();
    assert_eq!(verified.secret_name(), Some("OLD"));
    let after = rotating.verify(request.clone(), until).unwrap_err().1;
    assert_eq!(after, Refusal::NoMatch);
    let ended = Verifier::with_public_keys(preset(), &[old_key]).unwrap();
    assert_eq!(
        ended.verify(request, until).unwrap_err().1,
        Refusal::NoSecret
    );

    let private = old.private.as_ref().unwrap();
    let signs = |verifier: &Verifier, private| verifier.sign_with(json(), "", now, private).err();
    let others = Verifier::with_public_keys(preset(), &[new]).unwrap();
    assert_eq!(signs(&others, private), Some(CannotSign::NotOurKey));
    assert_eq!(
        old.verifier.sign(json(), "", now).err(),
        Some(CannotSign::NeedsPrivateKey)
    );
    let rsa = PrivateKey::read(&include_str!("../keys/rsa-2048.pem").into()).unwrap();
    assert_eq!(
        signs(&old.verifier, &rsa),
        Some(CannotSign::OtherAlgorithm("ecdsa-p256-sha256-der"))
    );
    let github = presets::find("github").unwrap().verify_settings();
    let github = Verifier::new(github, &[super::secret("c0de")]).unwrap();
    assert_eq!(signs(&github, private), Some(CannotSign::UnusedPrivateKey));
}

#[test]
fn keys_and_secrets_are_not_taken_for_each_other() {
    let public_settings = || presets::find("conekta").unwrap().verify_settings();
    let shared_settings = || presets::find("github").unwrap().verify_settings();
    let key = PublicKey {
        name: "KEY".into(),
        text: "whpk_".into(),
        until: None,
    };
    let keys = vec![key.clone(); MAX_SECRETS + 1];
    for (found, error) in [
        (
            Verifier::new(public_settings(), &[super::secret("x")]),
            SettingsError::UnusedSecret("SECRET".into()),
        ),
        (
            Verifier::new(public_settings(), &[]),
            SettingsError::NoPublicKey,
        ),
        (
            Verifier::with_public_keys(public_settings(), &[]),
            SettingsError::NoPublicKey,
        ),
        (
            Verifier::with_public_keys(public_settings(), &keys),
            SettingsError::TooManyPublicKeys,
        ),
        (
            Verifier::with_public_keys(public_settings(), std::slice::from_ref(&key)),
            SettingsError::PublicKey {
                name: "KEY".into(),
                error: InvalidPublicKey::Unreadable,
            },
        ),
        (
            Verifier::with_public_keys(shared_settings(), &[key]),
            SettingsError::UnusedPublicKey("KEY".into()),
        ),
        (
            Verifier::with_public_keys(VerifySettings::none(), &[]),
            SettingsError::NoSecret,
        ),
    ] {
        assert_eq!(found.err(), Some(error));
    }
}
