//! Known answers, what each kind leaves alone, and that nothing is repeated which is not exactly a handshake.

mod properties;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::{
    diag::{Collector, SourceText, render_lines},
    verify::Outgoing,
    yaml,
};

/// The lines of `vectors.jsonl`: requests and what they are answered. Each names its source: a vendor's page or sample,
/// or `derived` where it was made from the documented rule.
fn vectors() -> Vec<Value> {
    include_str!("vectors.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn received(request: &Value) -> Received {
    let mut headers = HeaderMap::new();
    for pair in request["headers"].as_array().unwrap() {
        headers.append(
            pair[0].as_str().unwrap().parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(pair[1].as_str().unwrap()).unwrap(),
        );
    }
    let outgoing = Outgoing {
        method: request["method"].as_str().unwrap().parse().unwrap(),
        url: request["url"].as_str().unwrap().to_owned(),
        headers,
        body: STANDARD
            .decode(request["body_base64"].as_str().unwrap())
            .unwrap()
            .into(),
    };
    outgoing.into_received(at(0))
}

fn verdict_of(vector: &Value, received: &Received) -> Verdict {
    let own = |name: &str| vector.get(name).map(Value::to_string);
    let (handshake, verifier) = (own("handshake"), own("verifier"));
    let line = HandshakeVector {
        kind: vector["kind"].as_str().unwrap(),
        secret: vector["secret"].as_str(),
        handshake: handshake.as_deref(),
        verifier: verifier.as_deref(),
    };
    let now = at(vector["now_unix"].as_i64().unwrap_or_default());
    line.verdict(received, now)
        .unwrap_or_else(|error| panic!("{}: {error}", vector["name"]))
}

/// What of `expect` a verdict does not give.
fn differences(expect: &Value, verdict: &Verdict) -> Vec<String> {
    let mut differences = Vec::new();
    let status = verdict.status();
    if expect["status"].is_number() && expect["status"].as_u64() != status.map(u64::from) {
        differences.push(format!("status {status:?}"));
    }
    let answer = verdict.answer().cloned();
    let answer = answer.unwrap_or_else(HandshakeAnswer::empty);
    for pair in expect["headers"].as_array().unwrap() {
        let (name, wanted) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let given = answer
            .headers
            .get(name)
            .map(|value| value.to_str().unwrap());
        // A content type may say its charset.
        let essence = given.map(|given| given.split(';').next().unwrap());
        if essence != Some(wanted) {
            differences.push(format!("{name}: {given:?}"));
        }
    }
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    let is_right = match expect["body_match"].as_str().unwrap() {
        "any" => true,
        "exact" => body == expect["body"],
        "contains" => body.contains(expect["body"].as_str().unwrap()),
        "json" => serde_json::from_str::<Value>(&body).ok().as_ref() == Some(&expect["body"]),
        other => {
            let forbidden = other.strip_prefix("must-not-contain:").unwrap();
            let headers = format!("{:?}", answer.headers);
            !body.contains(forbidden) && !headers.contains(forbidden)
        }
    };
    if !is_right {
        differences.push(format!("body {body:?}"));
    }
    differences
}

#[test]
fn known_answers_are_given() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 16);
    let mut wrong = Vec::new();
    for vector in &vectors {
        let verdict = verdict_of(vector, &received(&vector["request"]));
        for difference in differences(&vector["expect"], &verdict) {
            wrong.push(format!("{}: {difference}; {verdict:?}", vector["name"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A comparison that finds nothing would make every vector pass.
#[test]
fn a_wrong_answer_is_seen() {
    let expect = |change: Value| {
        let mut expect = json!({"status": 200, "headers": [], "body": "x", "body_match": "exact"});
        for (name, value) in change.as_object().unwrap() {
            expect[name] = value.clone();
        }
        expect
    };
    let verdict = Verdict::Answer(HandshakeAnswer::text("x"));
    assert_eq!(differences(&expect(json!({})), &verdict), [""; 0]);
    for change in [
        json!({"status": 403}),
        json!({"headers": [["content-type", "text/html"]]}),
        json!({"headers": [["webhook-allowed-origin", "a"]]}),
        json!({"body": "y"}),
        json!({"body": "y", "body_match": "contains"}),
        json!({"body": "x", "body_match": "json"}),
        json!({"body_match": "must-not-contain:x"}),
    ] {
        assert_eq!(
            differences(&expect(change.clone()), &verdict).len(),
            1,
            "{change}"
        );
    }
    let refused = Verdict::Refused(Refusal::HandshakeToken);
    assert_eq!(differences(&expect(json!({})), &refused).len(), 2);
}

#[test]
fn answers_are_text_that_no_browser_takes_for_a_page() {
    for vector in vectors() {
        let verdict = verdict_of(&vector, &received(&vector["request"]));
        let Some(answer) = verdict.answer().filter(|answer| !answer.body.is_empty()) else {
            continue;
        };
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert_eq!(
            header("x-content-type-options"),
            "nosniff",
            "{}",
            vector["name"]
        );
        assert_eq!(header("cache-control"), "no-store", "{}", vector["name"]);
        assert!(
            ["text/plain; charset=utf-8", "application/json"]
                .contains(&header("content-type").as_str()),
            "{}",
            vector["name"]
        );
    }
}

/// The settings of a text, or the findings.
fn read(text: &str) -> Result<HandshakeSettings, Vec<String>> {
    let mut out = Collector::new(SourceText::new("a.yaml", text));
    let settings = yaml::parse(&mut out).and_then(|node| HandshakeSettings::read(&node, &mut out));
    settings
        .filter(|_| !out.has_errors())
        .ok_or_else(|| render_lines(&out.finish()))
}

const SIGNED: &str =
    r#"{type: hmac, signature_header: X-Hook-Signature, encoding: hex, signed: "{body}"}"#;
const KEYED: &str = r#"{type: token, token_source: "query:key"}"#;

/// What a source with this handshake and verification makes of a request; its secret is `s3cret`, as is its
/// `verify_token`.
fn ask(
    handshake: &str,
    verify: Option<&str>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Verdict {
    let line = HandshakeVector {
        kind: "",
        secret: Some("s3cret"),
        handshake: Some(handshake),
        verifier: verify,
    };
    ask_of(line, method, path, headers, body)
}

fn ask_of(
    line: HandshakeVector<'_>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Verdict {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| json!([name, value]))
        .collect();
    let request = json!({
        "method": method, "url": format!("https://gateway.example{path}"), "headers": headers,
        "body_base64": STANDARD.encode(body),
    });
    line.verdict(&received(&request), at(0)).unwrap()
}

fn text_of(verdict: &Verdict) -> Option<&str> {
    let answer = verdict.answer()?;
    Some(std::str::from_utf8(&answer.body).unwrap())
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
    let keyed = |body: &str| {
        let mut hasher = Algorithm::Sha256.keyed(b"s3cret");
        hasher.update(body.as_bytes());
        hasher
            .finish(crate::verify::code::Encoding::Hex)
            .into_text()
    };
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
        let mut hasher = Algorithm::Sha256.keyed(b"s3cret");
        hasher.update(body.as_bytes());
        let code = hasher
            .finish(crate::verify::code::Encoding::Hex)
            .into_text();
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
    let sign = |body: &str| {
        let mut hasher = Algorithm::Sha256.keyed(b"s3cret");
        hasher.update(body.as_bytes());
        hasher
            .finish(crate::verify::code::Encoding::Hex)
            .into_text()
    };
    let (ping, other) = (r#"{"topic":"ping"}"#, r#"{"topic":"other"}"#);
    assert_eq!(
        text_of(&post(&[("X-Hook-Signature", &sign(ping))], ping)),
        Some("")
    );
    let by_header = post(
        &[("X-Hook-Signature", &sign(other)), ("X-Event", "ping")],
        other,
    );
    assert_eq!(text_of(&by_header), Some(""));
    assert!(matches!(
        post(&[("X-Hook-Signature", &sign(other))], other),
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

#[test]
fn every_mistake_in_settings_is_reported_with_its_place() {
    for (text, expected) in [
        ("echo-qurey", "did you mean `echo-query`?"),
        ("confirm-url", "needs `hosts`"),
        ("none", "`none` has no details"),
        ("{parameter: a}", "needs `kind`"),
        (
            "{kind: echo-query, method: PUT}",
            "is not a method of this handshake",
        ),
        ("{kind: echo-query, field: a}", "has no key `field`"),
        ("{kind: echo-json, answer: html}", "is not a form of answer"),
        ("{kind: echo-json, beside: token}", "takes a list"),
        (
            "{kind: echo-json, require: [a]}",
            "takes a map of names and texts",
        ),
        (
            "{kind: hmac-token, parameter: a, field: b}",
            "the token is in one place",
        ),
        (
            "{kind: hmac-token, parameter: a, require: {a: b}}",
            "about fields of a body",
        ),
        ("{kind: hmac-token, field: a..b}", "not a path"),
        (
            "{kind: hmac-token, encoding: hexadecimal}",
            "is not an encoding",
        ),
        ("{kind: header-echo, header: X Secret}", "not a header name"),
        (
            "{kind: cloudevents, origins: ['https://a.example']}",
            "not the name of a host",
        ),
        (
            "{kind: plain-200, methods: [POST]}",
            "not a method of this handshake",
        ),
        ("{kind: plain-200, methods: []}", "answers nothing"),
        ("{kind: plain-200, tests: [full]}", "not a test"),
        ("{kind: plain-200, tests: [{header: a}]}", "needs `value`"),
        (
            "{kind: plain-200, tests: [{value: a}]}",
            "by a header or by a field",
        ),
        ("{kind: confirm-url, hosts: []}", "is empty"),
        (
            "{kind: confirm-url, hosts: ['*.amazonaws.com']}",
            "not the name of a host",
        ),
    ] {
        let found = read(text).expect_err(text);
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn each_kind_works_as_its_word_alone_but_for_one_that_needs_hosts() {
    for word in HandshakeSettings::KINDS {
        match read(word) {
            Ok(settings) => assert_eq!(settings.kind_name(), word),
            Err(found) => assert!(word == "confirm-url", "{found:?}"),
        }
    }
}
