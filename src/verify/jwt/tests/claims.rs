//! What tokens say, against what they must say.

use sha2::{Digest as _, Sha256};

use super::*;

/// The verdict on claims in a token that is genuine.
fn of(more: &str, claims: &(impl ToString + ?Sized)) -> Result<(), Refusal> {
    verdict(&shared(more), &hmac(&hs256(), claims, SECRET))
}

#[test]
fn a_token_is_expired_at_the_moment_it_names() {
    for (more, claims, expected) in [
        ("", json!({"exp": NOW + 1}), Ok(())),
        ("", json!({"exp": NOW}), Err(Refusal::TokenExpired)),
        ("", json!({"exp": NOW - 1}), Err(Refusal::TokenExpired)),
        (", leeway: 1m", json!({"exp": NOW - 59}), Ok(())),
        (
            ", leeway: 1m",
            json!({"exp": NOW - 60}),
            Err(Refusal::TokenExpired),
        ),
        ("", json!({"exp": 1_760_000_000.5}), Ok(())),
        ("", json!({"exp": 1e300}), Ok(())),
        ("", json!({"exp": -1e300}), Err(Refusal::TokenExpired)),
        (
            "",
            json!({"exp": "1760000300"}),
            Err(Refusal::MalformedToken),
        ),
        ("", json!({"exp": null}), Err(Refusal::MalformedToken)),
        (
            "",
            json!({"exp": [NOW + 300]}),
            Err(Refusal::MalformedToken),
        ),
        ("", json!({}), Err(Refusal::MissingClaim)),
        (", check_exp: false", json!({}), Ok(())),
        (", check_exp: false", json!({"exp": NOW - 1}), Ok(())),
    ] {
        assert_eq!(of(more, &claims), expected, "{more} {claims}");
    }
}

#[test]
fn a_token_is_not_good_before_its_time() {
    for name in ["nbf", "iat"] {
        for (more, moment, expected) in [
            ("", json!(NOW), Ok(())),
            ("", json!(NOW - 86_400), Ok(())),
            ("", json!(NOW + 1), Err(Refusal::TokenTooEarly)),
            (", leeway_s: 1", json!(NOW + 1), Ok(())),
            (", leeway_s: 1", json!(NOW + 2), Err(Refusal::TokenTooEarly)),
            (
                ", check_exp: false",
                json!(NOW + 1),
                Err(Refusal::TokenTooEarly),
            ),
            ("", json!("soon"), Err(Refusal::MalformedToken)),
        ] {
            let claims = json!({"exp": NOW + 300, name: moment});
            assert_eq!(of(more, &claims), expected, "{more} {claims}");
        }
    }
}

#[test]
fn a_token_is_for_us() {
    let us = ", claims: {aud: [us, '{url}']}";
    for (more, audience, expected) in [
        (us, json!("us"), Ok(())),
        (us, json!(["them", "us"]), Ok(())),
        (us, json!(URL), Ok(())),
        (us, json!("{url}"), Err(Refusal::WrongAudience)),
        (us, json!("them"), Err(Refusal::WrongAudience)),
        (us, json!([]), Err(Refusal::WrongAudience)),
        (us, json!(["us2", 7]), Err(Refusal::WrongAudience)),
        (us, json!(null), Err(Refusal::WrongAudience)),
        // RFC 7519, section 4.1.3: who has no name cannot be meant.
        ("", json!("us"), Err(Refusal::WrongAudience)),
    ] {
        let claims = json!({"exp": NOW + 300, "aud": audience});
        assert_eq!(of(more, &claims), expected, "{more} {claims}");
    }
    assert_eq!(of(us, &good_claims()), Err(Refusal::MissingClaim));
}

#[test]
fn a_token_says_what_the_settings_ask_for() {
    let issuers = ", claims: {iss: [a, b]}";
    let require = ", claims: {require: [jti]}";
    let equal = ", claims: {equal: {email_verified: true, tenant.id: 7, sub: x}}";
    let good = json!({"exp": NOW + 300, "email_verified": true, "tenant": {"id": 7}, "sub": "x"});
    assert_eq!(of(equal, &good), Ok(()));
    for (name, value, expected) in [
        ("email_verified", json!(false), Refusal::WrongClaim),
        ("tenant", json!({"id": 8}), Refusal::WrongClaim),
        ("tenant", json!({}), Refusal::MissingClaim),
        ("sub", json!("y"), Refusal::WrongClaim),
        ("sub", json!(["x"]), Refusal::MissingClaim),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        assert_eq!(of(equal, &claims), Err(expected), "{claims}");
    }
    let with = |name: &str, value: Value| json!({"exp": NOW + 300, name: value});
    for (more, claims, expected) in [
        (issuers, with("iss", json!("b")), Ok(())),
        (issuers, with("iss", json!("c")), Err(Refusal::WrongIssuer)),
        (
            issuers,
            with("iss", json!(["a"])),
            Err(Refusal::MalformedToken),
        ),
        (issuers, good_claims(), Err(Refusal::MissingClaim)),
        (require, with("jti", json!(null)), Ok(())),
        (require, good_claims(), Err(Refusal::MissingClaim)),
    ] {
        assert_eq!(of(more, &claims), expected, "{more} {claims}");
    }
}

#[test]
fn hashes_cover_address_and_body() {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let hex = |text: &str| hex::encode(digest(text));
    let url = ", claims: {url_sha256_claim: u}";
    let body = ", claims: {body_sha256_claim: b}";
    let base64 = ", claims: {body_sha256_claim: b, hash_encoding: base64}";
    for (more, claims, expected) in [
        (url, json!({"u": hex(URL)}), Ok(())),
        (
            url,
            json!({"u": hex("https://hooks.example/webhooks/crm")}),
            Err(Refusal::UrlDigest),
        ),
        (
            url,
            json!({"u": hex(URL).to_uppercase()}),
            Err(Refusal::UrlDigest),
        ),
        (url, json!({}), Err(Refusal::MissingClaim)),
        (body, json!({"b": hex(BODY)}), Ok(())),
        (body, json!({"b": hex("")}), Err(Refusal::BodyDigest)),
        (body, json!({"b": ""}), Err(Refusal::BodyDigest)),
        (body, json!({}), Err(Refusal::MissingClaim)),
        (base64, json!({"b": STANDARD.encode(digest(BODY))}), Ok(())),
        (base64, json!({"b": hex(BODY)}), Err(Refusal::BodyDigest)),
    ] {
        let mut claims = claims;
        claims["exp"] = json!(NOW + 300);
        assert_eq!(of(more, &claims), expected, "{more} {claims}");
    }
}

#[test]
fn claims_mean_one_thing() {
    for claims in [
        format!("{{\"exp\":{},\"exp\":{}}}", NOW - 1, NOW + 300),
        format!("{{\"exp\":{},\"e\\u0078p\":{}}}", NOW + 300, NOW + 300),
        format!("{{\"exp\":{}}} x", NOW + 300),
        format!("[{{\"exp\":{}}}]", NOW + 300),
        "\"text\"".into(),
        "null".into(),
        String::new(),
        // A token inside the token.
        hmac(&hs256(), &good_claims(), SECRET),
    ] {
        assert_eq!(of("", &claims), Err(Refusal::MalformedToken), "{claims}");
    }
}
