//! Tokens that nobody honest makes.

use super::*;
use crate::verify::{SettingsError, VerifySettings};

#[test]
fn a_token_is_written_in_one_way() {
    let good = hmac(&hs256(), &good_claims(), SECRET);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    assert_eq!(verdict(&shared(""), &good), Ok(()));
    assert_eq!(verdict(&shared(""), &format!("Bearer {good}")), Ok(()));
    for token in [
        format!("{header}.{payload}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}.{signature}.{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{good}="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload} .{signature}"),
        format!(" {good} x"),
        format!("bearer {good}"),
        format!("{}.{payload}.{signature}", "a".repeat(5000)),
        format!("{signed}.{}", "a".repeat(3000)),
        "Bearer ..".into(),
        json!({"protected": header, "payload": payload, "signature": signature}).to_string(),
    ] {
        assert!(
            matches!(
                verdict(&shared(""), &token),
                Err(Refusal::MalformedToken | Refusal::NoMatch)
            ),
            "{token}"
        );
    }
    assert_eq!(verdict(&shared(""), ""), Err(Refusal::MissingToken));
    assert_eq!(verdict(&shared(""), "Bearer "), Err(Refusal::MissingToken));
}

#[test]
fn stray_bits_and_other_alphabets_are_refused() {
    // 32 bytes leave two bits of the last character unused.
    let good = hmac(&hs256(), &good_claims(), SECRET);
    let last = good.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    let stray = alphabet.chars().nth(place + 1).unwrap();
    let token = format!("{}{stray}", good.strip_suffix(last).unwrap());
    assert_eq!(verdict(&shared(""), &token), Err(Refusal::MalformedToken));
    // A token whose signature has a character of the alphabet for addresses, which there is after few tries.
    let token = (0..100)
        .map(|n| hmac(&hs256(), &json!({"exp": NOW + 300, "n": n}), SECRET))
        .find(|token| token.rsplit('.').next().unwrap().contains(['-', '_']))
        .unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = signature.replace('-', "+").replace('_', "/");
    assert_eq!(
        verdict(&shared(""), &format!("{signed}.{other}")),
        Err(Refusal::MalformedToken)
    );
}

#[test]
fn the_settings_choose_the_algorithm_and_not_the_token() {
    for name in [
        "none", "None", "NONE", "nOnE", "", "hs256", "HS384", "HS512", "RS256", "ES256", "HS256 ",
    ] {
        let header = json!({"alg": name});
        let signed = hmac(&header, &good_claims(), SECRET);
        let without = format!("{}.", unsigned(&header, &good_claims()));
        for token in [signed, without] {
            let found = verdict(&shared(""), &token);
            assert_eq!(found, Err(Refusal::AlgorithmNotAllowed), "{token}");
        }
    }
    // CVE-2020-28042 and its like: no signature at all.
    let without = format!("{}.", unsigned(&hs256(), &good_claims()));
    assert_eq!(verdict(&shared(""), &without), Err(Refusal::NoMatch));
}

#[test]
fn headers_that_cannot_be_trusted_to_mean_one_thing_are_refused() {
    for header in [
        "{}".to_owned(),
        "[]".into(),
        "\"HS256\"".into(),
        "{\"alg\":\"HS256\"".into(),
        "\u{feff}{\"alg\":\"HS256\"}".into(),
        r#"{"alg":["HS256"]}"#.into(),
        r#"{"alg":null}"#.into(),
        r#"{"alg":"none","alg":"HS256"}"#.into(),
        r#"{"alg":"HS256","alg":"HS256"}"#.into(),
        r#"{"alg":"HS256","a\u006cg":"HS256"}"#.into(),
        r#"{"alg":"HS256","kid":"a","kid":"b"}"#.into(),
        r#"{"alg":"HS256","kid":7}"#.into(),
        r#"{"alg":"HS256","crit":[]}"#.into(),
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#.into(),
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#.into(),
        r#"{"alg":"HS256","b64":false}"#.into(),
        json!({"alg": "HS256", "kid": "k".repeat(600)}).to_string(),
        format!("{{\"alg\":\"HS256\",\"x\":{}", "[".repeat(2000)),
    ] {
        let token = hmac(&header, &good_claims(), SECRET);
        let found = verdict(&shared(""), &token);
        assert_eq!(found, Err(Refusal::MalformedToken), "{header}");
    }
}

#[test]
fn keys_and_addresses_of_keys_inside_a_token_are_not_looked_at() {
    let [ours, theirs] = rsa_pairs();
    let verifier = public("[RS256]", &json!({"keys": [ours.named("a")]}));
    for header in [
        json!({"alg": "RS256", "jwk": theirs.jwk}),
        json!({"alg": "RS256", "kid": "a", "jwk": theirs.named("a")}),
        json!({"alg": "RS256", "kid": "a", "jku": "https://evil.example/jwks"}),
        json!({"alg": "RS256", "kid": "a", "x5u": "https://evil.example/cert"}),
        json!({"alg": "RS256", "kid": "a", "x5c": ["MIIB"]}),
    ] {
        let found = verdict(&verifier, &theirs.token(&header, &good_claims()));
        assert_eq!(found, Err(Refusal::NoMatch), "{header}");
        // Nor do they spoil a token that one of our keys signed.
        let found = verdict(&verifier, &ours.token(&header, &good_claims()));
        assert_eq!(found, Ok(()), "{header}");
    }
}

#[test]
fn a_public_key_is_never_taken_for_a_shared_secret() {
    let [pair, _] = rsa_pairs();
    let verifier = public("[RS256, ES256]", &json!({"keys": [pair.jwk]}));
    let as_secrets = [
        pair.public_pem.as_str(),
        pair.public_pem.trim(),
        pair.jwk["n"].as_str().unwrap(),
        "",
    ];
    for as_secret in as_secrets.into_iter().filter(|text| !text.starts_with('-')) {
        let token = if as_secret.is_empty() {
            format!("{}.", unsigned(&hs256(), &good_claims()))
        } else {
            hmac(&hs256(), &good_claims(), as_secret)
        };
        assert_eq!(
            verdict(&verifier, &token),
            Err(Refusal::AlgorithmNotAllowed)
        );
    }
    // And where somebody sets it up so, it does not load.
    let settings =
        || read_settings("{type: jwt, token_source: body, algorithms: [HS256]}").unwrap();
    for text in &as_secrets[..2] {
        assert_eq!(
            Verifier::new(settings(), &[secret(text)]).err(),
            Some(SettingsError::KeyAsSecret("SECRET".into()))
        );
    }
    let mixed = read_settings("{type: jwt, token_source: body, algorithms: [HS256, RS256]}");
    assert!(mixed.unwrap_err()[0].contains("do not stand together"));
    let of_pair: VerifySettings =
        read_settings("{type: jwt, token_source: body, algorithms: [RS256]}").unwrap();
    assert_eq!(
        Verifier::new(of_pair, &[secret("x")]).err(),
        Some(SettingsError::UnusedSecret("SECRET".into()))
    );
}

#[test]
fn signatures_of_zeros_and_of_other_forms_are_refused() {
    let pair = ec_pair();
    let verifier = public("[ES256]", &json!({"keys": [pair.jwk]}));
    let good = pair.token(&json!({"alg": "ES256"}), &good_claims());
    assert_eq!(verdict(&verifier, &good), Ok(()));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (r, s) = bytes.split_at(32);
    let number = |number: &[u8]| [&[2, 33, 0][..], number].concat();
    let der = [&[0x30, 70][..], &number(r), &number(s)].concat();
    for forged in [
        vec![0; 64],
        vec![],
        [&[0; 32][..], s].concat(),
        [r, &[0; 32]].concat(),
        [s, r].concat(),
        bytes[..63].to_vec(),
        [&bytes[..], &[0]].concat(),
        der,
    ] {
        let token = format!("{signed}.{}", encode(&forged));
        assert_eq!(verdict(&verifier, &token), Err(Refusal::NoMatch));
    }
}

#[test]
fn a_token_that_is_there_twice_is_refused() {
    let good = hmac(&hs256(), &good_claims(), SECRET);
    let request = |place: &str, change: &dyn Fn(&mut Outgoing)| {
        let text = format!("{{type: jwt, token_source: '{place}', algorithms: [HS256]}}");
        let verifier = Verifier::new(read_settings(&text).unwrap(), &[secret(SECRET)]).unwrap();
        let mut request = Outgoing {
            method: Method::POST,
            url: URL.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        change(&mut request);
        let taken = verifier.verify(request.into_received(now()), now());
        taken.map(drop).map_err(|(_, refusal)| refusal)
    };
    let value = HeaderValue::from_str(&good).unwrap();
    let once = |request: &mut Outgoing| {
        request.headers.append("x-token", value.clone());
    };
    assert_eq!(request("header:X-Token", &once), Ok(()));
    let twice = |request: &mut Outgoing| {
        once(request);
        once(request);
    };
    assert_eq!(
        request("header:X-Token", &twice),
        Err(Refusal::AmbiguousHeader)
    );
    let query = |request: &mut Outgoing| request.url = format!("{URL}&t={good}&t={good}");
    assert_eq!(request("query:t", &query), Err(Refusal::AmbiguousValue));
    let form = |request: &mut Outgoing| request.body = format!("t={good}&t={good}").into();
    assert_eq!(request("form:t", &form), Err(Refusal::AmbiguousValue));
    let not_json = |request: &mut Outgoing| request.body = Bytes::from_static(b"{");
    assert_eq!(request("json:t", &not_json), Err(Refusal::UnreadableBody));
    let none = |_: &mut Outgoing| {};
    assert_eq!(request("body", &none), Err(Refusal::MissingToken));
}
