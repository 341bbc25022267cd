//! Requests of unusual kinds: deep, wide, with secrets in plain sight, or written in their own way.

use super::*;

#[test]
fn deep_and_wide_requests_are_examined_in_bounds() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let shallow = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let wide = format!(
        "[{}1{}{}]",
        "[".repeat(120),
        "]".repeat(120),
        ",[[1]]".repeat(20_000)
    );
    let form: Vec<String> = (0..50_000).map(|at| format!("f{at}=1")).collect();
    let query: Vec<String> = (0..2_000).map(|at| format!("q{at}=1")).collect();
    let address = format!("/webhooks/crm?{}", query.join("&"));
    for (kind, body, path) in [
        ("application/json", deep, "/webhooks/crm"),
        ("application/json", shallow, "/webhooks/crm"),
        ("application/json", wide, "/webhooks/crm"),
        (
            "application/x-www-form-urlencoded",
            form.join("&"),
            "/webhooks/crm",
        ),
        ("application/json", BODY.to_owned(), &address),
    ] {
        let mut request = arrived(Sender::new(TIMED).secret("nobody knows it").sign());
        request
            .headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        request.body = body.into();
        request.path_and_query = path.to_owned();
        request.public_url = format!("https://hooks.school.mx{path}");
        let report = examined(TIMED, SECRET, &request);
        assert!(report.explanations.is_empty(), "{report:?}");
        // A clock would make this test fail on a slow machine; tries times bytes are the work.
        let size = request.body.len() + request.public_url.len();
        assert!(
            report.tries * size <= 64 * 1024 * 1024,
            "{} tries of {size} bytes",
            report.tries
        );
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(6))]

    /// Wherever a request has the secret, the report does not.
    #[test]
    fn secrets_in_requests_are_not_shown(
        given in "[a-zA-Z0-9+/_-]{6,24}",
        mark in "[=:, ]",
        form in 0usize..3,
    ) {
        let written = match form {
            0 => given.clone(),
            1 => STANDARD.encode(&given),
            _ => hex::encode(&given),
        };
        for text in [
            format!("{written}{mark}"),
            format!("HMAC {written}{mark}"),
            format!("v1=00,{written}="),
            format!("sha256={written}{mark}"),
        ] {
            let mut request = Sender::new(HEX).secret(&given).sign();
            let signature = request.headers.remove("x-sig").unwrap();
            let signature = signature.to_str().unwrap();
            for name in ["authorization", "x-sig"] {
                let value = format!("{text}{signature}").parse().unwrap();
                request.headers.insert(HeaderName::from_static(name), value);
            }
            let request = request.into_received(now());
            shows_no_secret(&examined(HEX, &given, &request), &[&given], &request, &text);
        }
        let mut request = unsigned();
        request.body = json!({&written: {"token": &given}}).to_string().into();
        request.url = format!("{URL}&{written}={given}");
        request.headers.insert(HeaderName::from_static("x-sig"), given.parse().unwrap());
        let mut request = request.into_received(now());
        request.headers.remove("x-sig");
        let report = examined(HEX, &given, &request);
        proptest::prop_assert!(!report.explanations.is_empty());
        shows_no_secret(&report, &[&given], &request, &written);
    }
}

#[test]
fn known_words_before_a_signature_are_shown_and_others_are_not() {
    for (prefix, is_shown) in [
        ("sha1=", true),
        ("v0=", true),
        ("v1,", true),
        ("hmac-sha256=", true),
        ("Bearer ", true),
        ("Signature ", true),
        ("HMAC-SHA256 ", true),
        ("q7w8e9:", false),
        ("HMAC q7w8e9:", false),
        ("sha256=q7w8e9:", false),
    ] {
        let mut request = Sender::new(HEX).sign();
        let signature = request.headers.remove("x-sig").unwrap();
        let value = format!("{prefix}{}", signature.to_str().unwrap())
            .parse()
            .unwrap();
        request
            .headers
            .insert(HeaderName::from_static("x-sig"), value);
        let report = examined(HEX, SECRET, &arrived(request));
        let text = format!("{report:?}");
        assert!(!report.explanations.is_empty(), "{prefix}");
        assert_eq!(text.contains(prefix), is_shown, "{prefix}: {text}");
        assert!(!text.contains("q7w8e9"), "{text}");
    }
}

#[test]
fn base64_without_its_padding_is_told_as_far_as_one_request_shows_it() {
    let base64 = hex_with("encoding", json!("base64"));
    for (amount, has_marks) in (0..40)
        .map(|at| (at, true))
        .chain((0..40).map(|at| (at, false)))
    {
        let body = format!("{{\"amount\": {amount}}}");
        let mut request = Sender::new(&base64).body(body.as_bytes()).sign();
        let text = request.headers.remove("x-sig").unwrap();
        let bare = text.to_str().unwrap().trim_end_matches('=').to_owned();
        if bare.contains(['+', '/']) != has_marks {
            continue;
        }
        request
            .headers
            .insert(HeaderName::from_static("x-sig"), bare.parse().unwrap());
        let request = request.into_received(now());
        let report = examined(&base64, SECRET, &request);
        assert!(matches!(report.verdict, Verdict::Genuine(_)), "{report:?}");
        let advice = first(&examined(HEX, SECRET, &request));
        assert!(advice.ends_with("encoding: base64"), "{advice}");
        assert_eq!(advice.contains("cannot be told"), !has_marks, "{advice}");
    }
}

#[test]
fn a_preset_that_explains_a_request_comes_before_settings_one_by_one() {
    for (gateway, sender) in [
        ("github", "shopify"),
        ("shopify", "github"),
        (HEX, "shopify"),
        (TIMED, "slack"),
    ] {
        let request = Sender::new(sender).sign().into_received(now());
        let report = examined(gateway, SECRET, &request);
        let advice = first(&report);
        assert!(
            advice.ends_with(&format!("=> preset {sender}")),
            "{gateway}: {advice}"
        );
        let all = report.explanations.iter().flat_map(|one| &one.parts);
        let is_preset = |part: &Advice| matches!(part.remedy, Remedy::Preset(_));
        assert!(all.clone().all(is_preset), "{report:?}");
    }
}

#[test]
fn a_hash_without_a_secret_proves_nothing_and_quotes_are_seen() {
    let with = |value: &str| {
        let mut request = unsigned();
        request
            .headers
            .insert(HeaderName::from_static("x-sig"), value.parse().unwrap());
        request.into_received(now())
    };
    let hash = {
        let mut hasher = crate::verify::code::Algorithm::Sha256.plain();
        hasher.update(BODY.as_bytes());
        hasher
            .finish(crate::verify::code::Encoding::Hex)
            .into_text()
    };
    let signed = Sender::new(HEX).sign();
    let quoted = format!("\"{}\"", signed.headers["x-sig"].to_str().unwrap());
    check(vec![
        (
            "hash",
            HEX,
            SECRET,
            with(&hash),
            "it proves nothing: anybody can compute it",
        ),
        (
            "upper",
            HEX,
            SECRET,
            with(&format!("sha256={}", hash.to_uppercase())),
            "made without any secret",
        ),
        ("quotes", HEX, SECRET, with(&quoted), "is in quotes"),
    ]);
}

#[test]
fn one_signature_is_not_several_and_a_time_in_another_unit_is_said_to_be_so() {
    let mut request = unsigned();
    let hash = "ab".repeat(32);
    let value = format!("t=1760000000, v1={hash}");
    request
        .headers
        .insert(HeaderName::from_static("x-sig"), value.parse().unwrap());
    request.headers.insert(
        HeaderName::from_static("x-time"),
        "1760000000000".parse().unwrap(),
    );
    let seen = |request: Outgoing| {
        let report = examined(TIMED, SECRET, &request.into_received(now()));
        let found = report.seen.iter().map(|seen| format!("{}\n", seen.found));
        found.collect::<Vec<_>>().concat()
    };
    let text = seen(request.clone());
    assert!(text.contains("`v1`\n"), "{text}");
    assert!(
        text.contains("(`unix_ms`, but the settings say `unix_s`)"),
        "{text}"
    );
    let value = format!("t=1760000000, v1={hash}, v0={hash}");
    request
        .headers
        .insert(HeaderName::from_static("x-sig"), value.parse().unwrap());
    let text = seen(request);
    assert!(text.contains("`v1`, and more\n"), "{text}");
}
