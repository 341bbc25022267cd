//! Sets of public keys, and which of them a token is checked with.

use super::*;

fn set(keys: &Value) -> Result<usize, KeySetError> {
    KeySet::read(json!({"keys": keys}).to_string().as_bytes()).map(|set| set.len())
}

/// RFC 7515, appendix A.3.
const RFC_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

#[test]
fn the_token_of_the_rfc_on_a_curve_is_genuine() {
    let keys = json!({"keys": [{
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }]});
    let set = KeySet::read(keys.to_string().as_bytes()).unwrap();
    let token = Token::cut(RFC_TOKEN.as_bytes()).unwrap();
    assert_eq!(set.check(PublicAlgorithm::Es256, &token), Ok(()));
    assert_eq!(
        set.check(PublicAlgorithm::Rs256, &token),
        Err(Refusal::NoMatch)
    );
}

#[test]
fn keys_that_cannot_sign_such_tokens_are_passed_over() {
    let [rsa, _] = rsa_pairs();
    let ec = &ec_pair().jwk;
    let with = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    let rsa = &rsa.jwk;
    let modulus = URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
    for good in [
        rsa.clone(),
        ec.clone(),
        with(rsa, "use", json!("sig")),
        with(rsa, "alg", json!("RS256")),
        with(ec, "alg", json!("ES256")),
        with(rsa, "key_ops", json!(["verify"])),
        with(rsa, "n", json!(encode([&[0; 3][..], &modulus].concat()))),
    ] {
        assert_eq!(set(&json!([good])), Ok(1), "{good}");
    }
    for unusable in [
        json!({}),
        json!(7),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
        with(rsa, "use", json!("enc")),
        with(rsa, "use", json!(1)),
        with(rsa, "alg", json!("RS512")),
        with(rsa, "alg", json!("HS256")),
        with(rsa, "alg", json!("ES256")),
        with(rsa, "key_ops", json!(["encrypt"])),
        with(rsa, "kid", json!(5)),
        with(rsa, "n", json!(rsa["n"].as_str().unwrap().get(..100))),
        with(rsa, "n", json!("A".repeat(400))),
        with(rsa, "n", json!("not base64!")),
        with(rsa, "e", json!("AAAA")),
        with(rsa, "e", json!("AQAAAAAB")),
        with(ec, "crv", json!("P-384")),
        with(ec, "x", json!(encode([1; 32]))),
        with(ec, "x", json!("AAAA")),
        with(ec, "y", json!(null)),
    ] {
        assert_eq!(
            set(&json!([unusable])),
            Err(KeySetError::NoUsableKey),
            "{unusable}"
        );
        assert_eq!(set(&json!([unusable, ec])), Ok(1), "{unusable}");
    }
}

#[test]
fn documents_that_are_no_key_set_are_refused() {
    for text in [
        "",
        "{}",
        "[]",
        "{\"keys\":{}}",
        "<html>",
        "-----BEGIN CERTIFICATE-----",
    ] {
        assert_eq!(
            KeySet::read(text.as_bytes()).err(),
            Some(KeySetError::NotKeySet),
            "{text}"
        );
    }
    assert_eq!(set(&json!([])), Err(KeySetError::NoUsableKey));
    assert_eq!(
        set(&json!(vec![json!({}); 33])),
        Err(KeySetError::TooManyKeys)
    );
    let large = " ".repeat(KeySet::MAX_BYTES + 1);
    assert_eq!(
        KeySet::read(large.as_bytes()).err(),
        Some(KeySetError::TooLarge)
    );
}

#[test]
fn a_token_is_checked_with_the_key_it_names() {
    let [old, new] = rsa_pairs();
    let verifier = public(
        "[RS256]",
        &json!({"keys": [old.named("old"), new.named("new")]}),
    );
    for (pair, header, expected) in [
        (old, json!({"alg": "RS256", "kid": "old"}), Ok(())),
        (new, json!({"alg": "RS256", "kid": "new"}), Ok(())),
        (new, json!({"alg": "RS256"}), Ok(())),
        (
            new,
            json!({"alg": "RS256", "kid": "old"}),
            Err(Refusal::NoMatch),
        ),
        (
            new,
            json!({"alg": "RS256", "kid": "next"}),
            Err(Refusal::UnknownKey),
        ),
        (
            new,
            json!({"alg": "RS256", "kid": ""}),
            Err(Refusal::UnknownKey),
        ),
    ] {
        let found = verdict(&verifier, &pair.token(&header, &good_claims()));
        assert_eq!(found, expected, "{header}");
    }
    // A key without a name may be the one that is meant.
    let verifier = public("[RS256]", &json!({"keys": [old.named("old"), new.jwk]}));
    let header = json!({"alg": "RS256", "kid": "next"});
    assert_eq!(
        verdict(&verifier, &new.token(&header, &good_claims())),
        Ok(())
    );
    assert_eq!(
        verdict(&verifier, &old.token(&header, &good_claims())),
        Err(Refusal::UnknownKey)
    );
}

#[test]
fn a_key_in_pem_needs_no_name() {
    let [rsa, _] = rsa_pairs();
    let both = format!("{}\n{}", rsa.public_pem, ec_pair().public_pem);
    let set = KeySet::read(both.as_bytes()).unwrap();
    assert_eq!(set.len(), 2);
    for (algorithm, pair) in [
        (PublicAlgorithm::Rs256, rsa),
        (PublicAlgorithm::Es256, ec_pair()),
    ] {
        let text = pair.token(
            &json!({"alg": algorithm.as_str(), "kid": "x"}),
            &good_claims(),
        );
        assert_eq!(
            set.check(algorithm, &Token::cut(text.as_bytes()).unwrap()),
            Ok(())
        );
    }
}

#[test]
fn without_keys_nothing_is_decided() {
    let text = "{type: jwt, token_source: 'header:Authorization', algorithms: [RS256]}";
    let verifier = Verifier::new(read_settings(text).unwrap(), &[]).unwrap();
    let [pair, _] = rsa_pairs();
    let token = pair.token(&json!({"alg": "RS256"}), &good_claims());
    assert_eq!(verdict(&verifier, &token), Err(Refusal::NoKeySet));
    let handle = KeySetHandle::default();
    verifier.use_keys(handle.clone());
    assert_eq!(verdict(&verifier, &token), Err(Refusal::NoKeySet));
    handle.put(KeySet::read(pair.public_pem.as_bytes()).unwrap());
    assert_eq!(verdict(&verifier, &token), Ok(()));
}
