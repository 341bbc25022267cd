//! What a sender makes is taken, as it was made and not otherwise.

use proptest::prelude::*;

use super::*;
use crate::verify::{CannotSign, Received};

const PLACES: [&str; 5] = [
    "header:Authorization",
    "query:t",
    "form:t",
    "json:t",
    "body",
];

fn verifier(text: &str, pair: Option<&Pair>) -> Verifier {
    let settings = read_settings(text).unwrap();
    let secrets = match pair {
        None => vec![secret(SECRET)],
        Some(_) => Vec::new(),
    };
    let verifier = Verifier::new(settings, &secrets).unwrap();
    if let Some(pair) = pair {
        let keys = json!({"keys": [pair.named("a")]});
        let set = KeySet::read(keys.to_string().as_bytes()).unwrap();
        verifier.use_keys(KeySetHandle::holding(set));
    }
    verifier
}

fn outgoing(body: &str) -> Outgoing {
    Outgoing {
        method: Method::POST,
        url: URL.into(),
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn families() -> [(&'static str, Option<&'static Pair>); 5] {
    [
        ("HS256", None),
        ("HS384", None),
        ("HS512", None),
        ("RS256", Some(&rsa_pairs()[0])),
        ("ES256", Some(ec_pair())),
    ]
}

fn sign(verifier: &Verifier, pair: Option<&Pair>, request: Outgoing) -> Outgoing {
    match pair {
        None => verifier.sign(request, "msg_1", now()).unwrap(),
        Some(pair) => verifier
            .sign_with(request, "msg_1", now(), &pair.private())
            .unwrap(),
    }
}

#[test]
fn what_is_signed_is_taken_at_every_place() {
    for (algorithm, pair) in families() {
        for place in PLACES {
            let text = format!("{{type: jwt, token_source: '{place}', algorithms: [{algorithm}]}}");
            let verifier = verifier(&text, pair);
            let request = sign(&verifier, pair, outgoing(BODY));
            let taken = verifier.verify(request.into_received(now()), now());
            let name = taken.unwrap().secret_name().map(str::to_owned);
            let expected = if pair.is_some() { "jwks" } else { "SECRET" };
            assert_eq!(name.as_deref(), Some(expected), "{algorithm} {place}");
        }
    }
}

#[test]
fn what_the_token_says_is_the_event_where_the_settings_say_so() {
    for place in PLACES {
        let event = if place == "body" {
            ""
        } else {
            ", event: claims"
        };
        let text = format!(
            "{{type: jwt, token_source: '{place}', algorithms: [RS256], check_exp: false{event}}}"
        );
        let pair = Some(&rsa_pairs()[0]);
        let verifier = verifier(&text, pair);
        assert!(verifier.settings().covers_body() && verifier.settings().maps_claims());
        let request = sign(&verifier, pair, outgoing(BODY));
        let taken = verifier
            .verify(request.into_received(now()), now())
            .unwrap();
        // To the byte: the mapping keeps what numbers look like.
        assert_eq!(taken.received().body, BODY, "{place}");
        let kind = taken.received().headers.get("content-type");
        assert_eq!(kind.unwrap(), "application/json", "{place}");
    }
}

#[test]
fn a_key_pair_signs_only_where_one_is_asked_for() {
    let text = "{type: jwt, token_source: body, algorithms: [RS256]}";
    let (rsa, ec) = (&rsa_pairs()[0], ec_pair());
    let of_pair = verifier(text, Some(rsa));
    assert_eq!(
        of_pair.sign(outgoing(BODY), "x", now()).err(),
        Some(CannotSign::NeedsPrivateKey)
    );
    assert_eq!(
        of_pair
            .sign_with(outgoing(BODY), "x", now(), &ec.private())
            .err(),
        Some(CannotSign::OtherAlgorithm("RS256"))
    );
    let of_secret = verifier("{type: jwt, token_source: body, algorithms: [HS256]}", None);
    assert_eq!(
        of_secret
            .sign_with(outgoing(BODY), "x", now(), &ec.private())
            .err(),
        Some(CannotSign::UnusedPrivateKey)
    );
    assert_eq!(
        of_secret.sign(outgoing("[]"), "x", now()).err(),
        Some(CannotSign::NoRoomInBody("claims".into()))
    );
    assert!(PrivateKey::read(&rsa.public_pem.as_str().into()).is_err());
}

#[test]
fn any_changed_bit_of_a_token_is_refused() {
    for (algorithm, pair) in families() {
        let text = format!(
            "{{type: jwt, token_source: body, algorithms: [{algorithm}], check_exp: false}}"
        );
        let verifier = verifier(&text, pair);
        let received = sign(&verifier, pair, outgoing(r#"{"a":1}"#)).into_received(now());
        for place in 0..received.body.len() {
            for bit in 0..8 {
                let mut body = received.body.to_vec();
                body[place] ^= 1 << bit;
                // White space around a token is not a part of it.
                let changed = Received {
                    body: body.into(),
                    ..received.clone()
                };
                assert!(
                    verifier.verify(changed, now()).is_err(),
                    "{algorithm} {place} {bit}"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn any_changed_bit_of_what_is_hashed_is_refused(
        body in "[ -~]{1,60}",
        query in "[a-z=&%0-9+]{0,30}",
        place in 0usize..200,
        bit in 0u8..8,
    ) {
        let text = "{type: jwt, token_source: 'header:Authorization', algorithms: [HS256], \
                    claims: {url_sha256_claim: u, body_sha256_claim: b}}";
        let verifier = verifier(text, None);
        let mut request = outgoing(&body);
        request.url = format!("https://hooks.example/webhooks/crm?{query}");
        let received = sign(&verifier, None, request).into_received(now());
        prop_assert!(verifier.verify(received.clone(), now()).is_ok());
        let mut changed = received.body.to_vec();
        let at = place % changed.len();
        changed[at] ^= 1 << bit;
        let with_body = Received { body: changed.into(), ..received.clone() };
        prop_assert!(verifier.verify(with_body, now()).is_err());
        let mut url = received.public_url.clone().into_bytes();
        let at = place % url.len();
        url[at] ^= 1 << (bit % 7);
        let public_url = String::from_utf8(url).unwrap();
        let with_url = Received { public_url, ..received };
        prop_assert!(verifier.verify(with_url, now()).is_err());
    }

    #[test]
    fn whatever_a_stranger_sends_is_refused(token in "[-A-Za-z0-9_=.{}\": ]{0,200}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(verdict(&shared(""), &token).is_err());
        let text = "{type: jwt, token_source: body, algorithms: [ES256]}";
        let verifier = verifier(text, Some(ec_pair()));
        let request = Outgoing { body: body.into(), ..outgoing("") };
        prop_assert!(verifier.verify(request.into_received(now()), now()).is_err());
    }
}
