//! What each kind answers, what it leaves alone, and what it refuses.

use super::*;
use crate::verify::code::Encoding;

/// The signature of a body by `s3cret`, as `SIGNED` has it.
fn keyed(body: &str) -> String {
    let mut hasher = Algorithm::Sha256.keyed(b"s3cret");
    hasher.update(body.as_bytes());
    hasher.finish(Encoding::Hex).into_text()
}

#[test]
fn a_parameter_is_repeated_only_in_its_method_without_a_body_and_with_what_must_be_there() {
    let hub = "{kind: echo-query, parameter: hub.challenge, verify_parameter: hub.verify_token, require: {hub.mode: subscribe}}";
    let good = "/x?hub.mode=subscribe&hub.challenge=c&hub.verify_token=s3cret";
    assert_eq!(text_of(&ask(hub, None, "GET", good, &[], "")), Some("c"));
    for (method, path, body, refusal) in [
        ("POST", good, "", None),
        (
            "GET",
            "/x?hub.mode=unsubscribe&hub.challenge=c&hub.verify_token=s3cret",
            "",
            Some("handshake-malformed"),
        ),
        (
            "GET",
            "/x?hub.challenge=c&hub.verify_token=s3cret",
            "",
            Some("handshake-malformed"),
        ),
        (
            "GET",
            "/x?hub.mode=subscribe&hub.challenge=c",
            "",
            Some("handshake-token"),
        ),
        (
            "GET",
            "/x?hub.mode=subscribe&hub.challenge=c&hub.verify_token=",
            "",
            Some("handshake-token"),
        ),
        (
            "GET",
            "/x?hub.mode=subscribe&hub.challenge=c&hub.verify_token=S3cret",
            "",
            Some("handshake-token"),
        ),
        (
            "GET",
            "/x?hub.mode=subscribe&hub.challenge=&hub.verify_token=s3cret",
            "",
            Some("handshake-malformed"),
        ),
        (
            "GET",
            "/x?hub.mode=subscribe&hub.challenge=%0a&hub.verify_token=s3cret",
            "",
            Some("handshake-malformed"),
        ),
        (
            "GET",
            "/x?hub.mode=subscribe&hub.challenge=c&hub.challenge=c&hub.verify_token=s3cret",
            "",
            Some("ambiguous-value"),
        ),
        ("GET", "/x", "", Some("handshake-malformed")),
        ("HEAD", good, "", Some("handshake-malformed")),
    ] {
        let verdict = ask(hub, None, method, path, &[], body);
        match (&verdict, refusal) {
            (Verdict::Event, None) => {}
            (Verdict::Refused(given), Some(code)) => assert_eq!(given.as_str(), code, "{path}"),
            _ => panic!("{method} {path}: {verdict:?}"),
        }
    }
    let graph = "{kind: echo-query, parameter: validationToken, method: POST}";
    let with_body = ask(
        graph,
        None,
        "POST",
        "/x?validationToken=c",
        &[],
        "{\"value\":[]}",
    );
    assert!(matches!(with_body, Verdict::Event), "{with_body:?}");
}

#[test]
fn a_body_is_a_challenge_only_if_it_is_nothing_else() {
    let slack =
        "{kind: echo-json, require: {type: url_verification}, beside: [token], answer: text}";
    let plain = "echo-json";
    let post = |settings: &str, body: &str| ask(settings, None, "POST", "/x", &[], body);
    assert_eq!(
        text_of(&post(
            slack,
            r#"{"type":"url_verification","token":"t","challenge":"c"}"#
        )),
        Some("c")
    );
    assert_eq!(
        text_of(&post(plain, r#" {"challenge": "c"} "#)),
        Some(r#"{"challenge":"c"}"#)
    );
    for (settings, body) in [
        (
            slack,
            r#"{"type":"event_callback","token":"t","challenge":"c"}"#,
        ),
        (slack, r#"{"token":"t","challenge":"c"}"#),
        (slack, r#"{"type":"url_verification","token":"t"}"#),
        (
            slack,
            r#"{"type":"url_verification","token":{"a":1},"challenge":"c"}"#,
        ),
        (
            slack,
            r#"{"type":"url_verification","challenge":"c","event":{}}"#,
        ),
        (plain, r#"{"challenge":"c","event":{"id":1}}"#),
        (plain, r#"{"challenge":"c","challenge":"d"}"#),
        (plain, r#"{"challenge":1}"#),
        (plain, r#"{"challenge":""}"#),
        (plain, r#"{"challenge":"a\nb"}"#),
        (plain, r#"[{"challenge":"c"}]"#),
        (plain, r#"{"challenge":"c"} x"#),
        (plain, "challenge=c"),
        (plain, ""),
    ] {
        let verdict = post(settings, body);
        assert!(matches!(verdict, Verdict::Event), "{body}: {verdict:?}");
    }
    let long = format!(r#"{{"challenge":"{}"}}"#, "a".repeat(2000));
    assert!(matches!(post(plain, &long), Verdict::Event));
}

#[test]
fn strangers_have_tokens_signed_and_nothing_else_and_tokens_are_no_events() {
    let crc = "{kind: hmac-token, parameter: crc_token}";
    let get = |path: &str| ask(crc, Some(SIGNED), "GET", path, &[], "");
    assert!(
        text_of(&get("/x?crc_token=abc"))
            .unwrap()
            .starts_with(r#"{"response_token":"sha256="#)
    );
    for path in [
        "/x?crc_token=%7B%7D",
        "/x?crc_token=",
        "/x?crc_token=a.b",
        "/x",
    ] {
        let verdict = get(path);
        assert!(
            matches!(verdict, Verdict::Refused(Refusal::HandshakeMalformed)),
            "{path}: {verdict:?}"
        );
    }
    // The signature that a stranger gets for `abc`, in the form in which events carry it.
    let post = |body: &str| {
        ask(
            crc,
            Some(SIGNED),
            "POST",
            "/x",
            &[("X-Hook-Signature", &keyed(body))],
            body,
        )
    };
    assert!(matches!(
        post("abc"),
        Verdict::Refused(Refusal::HandshakeSigned)
    ));
    assert!(matches!(post("{\"abc\":1}"), Verdict::Event));
}

#[test]
fn a_signed_validation_is_answered_and_an_event_beside_it_is_not() {
    let post = |body: &str| {
        let code = keyed(body);
        ask(
            "hmac-token",
            Some(SIGNED),
            "POST",
            "/x",
            &[("X-Hook-Signature", &code)],
            body,
        )
    };
    let good = post(r#"{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}"#);
    assert!(
        text_of(&good).unwrap().contains(r#""plainToken":"abc""#),
        "{good:?}"
    );
    let event = post(r#"{"event":"user.updated","payload":{"plainToken":"abc"}}"#);
    assert!(matches!(event, Verdict::Event), "{event:?}");
    let without = post(r#"{"event":"endpoint.url_validation","payload":{}}"#);
    assert!(
        matches!(without, Verdict::Refused(Refusal::HandshakeMalformed)),
        "{without:?}"
    );
}

fn learning(secret: Option<&str>) -> HandshakeVector<'_> {
    HandshakeVector {
        kind: "header-echo",
        secret,
        handshake: Some("header-echo"),
        verifier: Some(SIGNED),
    }
}

#[test]
fn a_sender_cannot_add_a_secret_to_those_of_the_file() {
    let (known, other) = ("0123456789abcdef", "fedcba9876543210");
    let post = |named| {
        ask_of(
            learning(Some(known)),
            "POST",
            "/x",
            &[("X-Hook-Secret", named)],
            "",
        )
    };
    let verdict = post(known);
    assert!(matches!(verdict, Verdict::Answer(_)), "{verdict:?}");
    let verdict = post(other);
    assert!(
        matches!(verdict, Verdict::Refused(Refusal::HandshakeEstablished)),
        "{verdict:?}"
    );
}

#[test]
fn a_secret_is_learned_only_from_an_unsigned_request_that_names_a_sound_one() {
    let secret = "0123456789abcdef";
    let post =
        |headers: &[(&str, &str)], body: &str| ask_of(learning(None), "POST", "/x", headers, body);
    for body in ["", "{}"] {
        let verdict = post(&[("X-Hook-Secret", secret)], body);
        let Verdict::Learn {
            secret: learned,
            answer,
        } = &verdict
        else {
            panic!("{verdict:?}");
        };
        assert_eq!(secrecy::ExposeSecret::expose_secret(learned), secret);
        assert_eq!(answer.headers["x-hook-secret"], secret);
        assert!(!format!("{verdict:?}").contains(secret));
    }
    let long = "a".repeat(257);
    for bad in ["", "short", "0123456789abcdef g", &long] {
        let verdict = post(&[("X-Hook-Secret", bad)], "");
        assert!(
            matches!(verdict, Verdict::Refused(Refusal::HandshakeMalformed)),
            "{bad}: {verdict:?}"
        );
    }
    // With a signature it is an event, and as such it is verified.
    let signed = post(
        &[("X-Hook-Secret", secret), ("X-Hook-Signature", "00")],
        "{}",
    );
    assert!(
        matches!(signed, Verdict::Refused(Refusal::NoSecret)),
        "{signed:?}"
    );
    assert!(matches!(post(&[], ""), Verdict::Refused(Refusal::NoSecret)));
    let large = post(&[("X-Hook-Secret", secret)], &"a".repeat(1025));
    assert!(
        matches!(large, Verdict::Refused(Refusal::NoSecret)),
        "{large:?}"
    );
}

#[test]
fn a_cloud_events_sender_is_let_in_by_its_own_name_only() {
    let options = |settings: &str, origin: &str| {
        ask(
            settings,
            Some(KEYED),
            "OPTIONS",
            "/x?key=s3cret",
            &[("WebHook-Request-Origin", origin)],
            "",
        )
    };
    let verdict = options("cloudevents", "eventgrid.azure.net");
    let headers = &verdict.answer().unwrap().headers;
    assert_eq!(headers["webhook-allowed-origin"], "eventgrid.azure.net");
    assert_eq!(headers["webhook-allowed-rate"], "*");
    let listed = "{kind: cloudevents, origins: [EventGrid.azure.net]}";
    assert!(options(listed, "eventgrid.azure.net").answer().is_some());
    for (settings, origin, code) in [
        (listed, "evil.example", "handshake-host"),
        ("cloudevents", "*", "handshake-malformed"),
        ("cloudevents", "a b", "handshake-malformed"),
        ("cloudevents", "", "handshake-malformed"),
    ] {
        let verdict = options(settings, origin);
        let Verdict::Refused(refusal) = verdict else {
            panic!("{origin}: {verdict:?}");
        };
        assert_eq!(refusal.as_str(), code);
    }
}

#[test]
fn where_a_token_in_the_url_proves_events_handshakes_need_it_too() {
    for (settings, method, query, headers, body) in [
        (
            "cloudevents",
            "OPTIONS",
            "",
            &[("WebHook-Request-Origin", "a.example")][..],
            "",
        ),
        ("plain-200", "GET", "", &[], ""),
        ("plain-200", "HEAD", "", &[], ""),
        ("{kind: plain-200, tests: [empty]}", "POST", "", &[], ""),
        ("echo-query", "GET", "challenge=c&", &[], ""),
        ("echo-json", "POST", "", &[], r#"{"challenge":"c"}"#),
    ] {
        let ask = |key: &str| {
            ask(
                settings,
                Some(KEYED),
                method,
                &format!("/x?{query}{key}"),
                headers,
                body,
            )
        };
        assert!(ask("key=s3cret").answer().is_some(), "{settings}");
        for (key, code) in [
            ("", "missing-token"),
            ("key=wrong", "wrong-token"),
            ("key=s3cret&key=s3cret", "ambiguous-value"),
        ] {
            let verdict = ask(key);
            let Verdict::Refused(refusal) = verdict else {
                panic!("{settings} {key}: {verdict:?}");
            };
            assert_eq!(refusal.as_str(), code, "{settings} {key}");
        }
    }
}

#[test]
fn a_test_with_a_body_is_answered_once_it_is_verified() {
    let settings = "{kind: plain-200, methods: [HEAD], tests: [{header: X-Event, value: ping}, {field: topic, value: ping}]}";
    let post = |headers: &[(&str, &str)], body: &str| {
        ask(settings, Some(SIGNED), "POST", "/x", headers, body)
    };
    let (ping, other) = (r#"{"topic":"ping"}"#, r#"{"topic":"other"}"#);
    assert_eq!(
        text_of(&post(&[("X-Hook-Signature", &keyed(ping))], ping)),
        Some("")
    );
    let by_header = post(
        &[("X-Hook-Signature", &keyed(other)), ("X-Event", "ping")],
        other,
    );
    assert_eq!(text_of(&by_header), Some(""));
    assert!(matches!(
        post(&[("X-Hook-Signature", &keyed(other))], other),
        Verdict::Event
    ));
    assert!(matches!(
        post(&[], ping),
        Verdict::Refused(Refusal::MissingSignature)
    ));
    assert!(matches!(
        post(&[("X-Event", "ping")], ping),
        Verdict::Refused(Refusal::MissingSignature)
    ));
    // Without a body it can be no event.
    assert_eq!(text_of(&post(&[("X-Event", "ping")], "")), Some(""));
    let get = ask(settings, Some(SIGNED), "GET", "/x", &[], "");
    assert!(
        matches!(get, Verdict::Refused(Refusal::HandshakeMalformed)),
        "{get:?}"
    );
}

#[test]
fn an_address_is_fetched_only_for_a_genuine_message_and_from_a_listed_host() {
    let settings = "{kind: confirm-url, hosts: [sns.us-east-1.amazonaws.com]}";
    let post = |key: &str, kind: &str, url: &str| {
        let body = json!({"Type": kind, "SubscribeURL": url}).to_string();
        ask(
            settings,
            Some(KEYED),
            "POST",
            &format!("/x?key={key}"),
            &[],
            &body,
        )
    };
    let good = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription";
    let verdict = post("s3cret", "SubscriptionConfirmation", good);
    assert!(
        matches!(&verdict, Verdict::Confirm { url, .. } if url.url().as_str() == good),
        "{verdict:?}"
    );
    assert!(matches!(
        post("wrong", "SubscriptionConfirmation", good),
        Verdict::Refused(Refusal::WrongToken)
    ));
    assert!(matches!(
        post("s3cret", "Notification", good),
        Verdict::Event
    ));
    let elsewhere = post(
        "s3cret",
        "SubscriptionConfirmation",
        "https://evil.example/",
    );
    assert!(matches!(
        elsewhere,
        Verdict::Refused(Refusal::HandshakeHost)
    ));
}
