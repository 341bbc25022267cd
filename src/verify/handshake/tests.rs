//! Known answers, what each kind leaves alone, and that nothing is repeated which is not exactly a handshake.

mod kinds;
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
