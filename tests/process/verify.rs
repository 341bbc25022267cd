//! The command `verify`: what people read, for the mistakes they make most.

mod keys;

use std::process::Output;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use quentli_gateway::verify::{Outgoing, SigningSecret, Verifier, doctor::Settings, presets};
use serde_json::Value;

use crate::support::{
    executable::Setup,
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE},
};

const AT: &str = "2025-10-09T08:53:20Z";
const BODY: &str =
    r#"{"type": "contact.updated", "contact": {"username": "tut-1", "name": "José"}}"#;

/// A gateway with the source `school`, after `change` of its file.
fn school(change: (&str, &str)) -> Setup {
    assert!(SOURCE_FILE.contains(change.0));
    setup("school", &SOURCE_FILE.replace(change.0, change.1)).variable(SECRET_VARIABLE, SECRET)
}

fn setup(name: &str, file: &str) -> Setup {
    Setup::new("http://127.0.0.1:9").source(name, file)
}

/// A source with nothing but a way to verify.
fn source(name: &str, verify: &str) -> String {
    format!(
        "mapping: 1\nsource: {name}\nreceive:\n  verify: {verify}\n  secrets: [{{env: {SECRET_VARIABLE}}}]\n  dedup: body\notherwise: drop\nrules: [{{name: test, when: type == 'test', drop: a test}}]\ntests: [{{name: a test, event: {{type: test}}, expect: [{{drop: a test}}]}}]\n"
    )
}

fn settings_of_school() -> Settings {
    let Value::Object(keys) = serde_json::json!({
        "type": "hmac", "signature_header": "X-School-Signature",
        "signature_format": {"style": "prefix", "prefix": "sha256="}, "encoding": "hex",
        "signed": "{timestamp}.{body}",
        "timestamp": {"source": "header:X-School-Timestamp", "format": "unix_s"},
    }) else {
        unreachable!("an object was written");
    };
    Settings::of_json(keys)
}

fn signed(settings: &Settings, url: &str, secret: &str) -> Outgoing {
    let secret = SigningSecret {
        name: "SENDER".into(),
        value: secret.into(),
        until: None,
    };
    let verifier = Verifier::new(settings.read().unwrap(), &[secret]).unwrap();
    let at: Timestamp = AT.parse().unwrap();
    let request = Outgoing {
        method: Method::POST,
        url: url.to_owned(),
        headers: HeaderMap::from_iter([(
            HeaderName::from_static("content-type"),
            HeaderValue::from_static("application/json"),
        )]),
        body: BODY.into(),
    };
    verifier.sign(request, "msg_1", at).unwrap()
}

fn signed_by_school() -> Outgoing {
    signed(
        &settings_of_school(),
        "https://gw.example/webhooks/school",
        SECRET,
    )
}

/// The request as a raw file.
fn raw(request: &Outgoing) -> String {
    let path = request.url.splitn(4, '/').nth(3).unwrap();
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    let headers = headers.concat();
    let body = std::str::from_utf8(&request.body).unwrap();
    format!("POST /{path} HTTP/1.1\nHost: gw.example\n{headers}\n{body}")
}

fn run(setup: &Setup, name: &str, request: &str, more: &[&str]) -> Output {
    std::fs::write(setup.folder().join("request.http"), request).unwrap();
    let mut arguments = vec!["verify", "--source", name, "--request", "request.http"];
    arguments.extend(more);
    setup.run(&arguments)
}

/// What is shown of a request that arrived when it was signed, and how the command ended.
fn shown(setup: &Setup, name: &str, request: &str) -> (String, Option<i32>) {
    let output = run(setup, name, request, &["--at", AT]);
    let text =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    (text, output.status.code())
}

#[test]
fn a_genuine_request_is_said_to_be_so() {
    let setup = school(("", ""));
    let (text, code) = shown(&setup, "school", &raw(&signed_by_school()));
    assert_eq!(code, Some(0), "{text}");
    insta::assert_snapshot!(text, @r"
    genuine, proved with env:SCHOOL_SECRET
    request.http, arriving at the source `school` 2025-10-09T08:53:20Z

         signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
         timestamp    header `X-School-Timestamp`: 2025-10-09T08:53:20Z (`unix_s`), when it arrived
         signed text  `{timestamp}.{body}`
         body         78 bytes
      ok secret       env:SCHOOL_SECRET
    ");
}

#[test]
fn a_secret_in_another_encoding() {
    let setup = school((
        "encoding: hex\n",
        "encoding: hex\n    secret_encoding: base64\n",
    ))
    .variable(SECRET_VARIABLE, "c2Nob29sLWtleQ==");
    let request = signed(
        &settings_of_school(),
        "https://gw.example/webhooks/school",
        "c2Nob29sLWtleQ==",
    );
    let (text, code) = shown(&setup, "school", &raw(&request));
    assert_eq!(code, Some(1), "{text}");
    insta::assert_snapshot!(text, @r"
    refused (no-match): no signature matches any secret: wrong secret, changed body, or another text was signed
    request.http, arriving at the source `school` 2025-10-09T08:53:20Z

         signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
         timestamp    header `X-School-Timestamp`: 2025-10-09T08:53:20Z (`unix_s`), when it arrived
         signed text  `{timestamp}.{body}`
         body         78 bytes
         secret       env:SCHOOL_SECRET

    why: the text of the secret, as it stands, is the key
      in mappings/school.yaml:11:5 write
        - secret_encoding: base64
        + secret_encoding: utf8
    ");
}

#[test]
fn a_setting_that_is_not_there_yet() {
    let setup = school((
        "    signature_format: {style: prefix, prefix: \"sha256=\"}\n",
        "",
    ));
    let (text, _) = shown(&setup, "school", &raw(&signed_by_school()));
    insta::assert_snapshot!(text, @r#"
    refused (malformed-signature): the signature is not written as this source writes it (prefix, encoding or length)
    request.http, arriving at the source `school` 2025-10-09T08:53:20Z

         signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
         timestamp    header `X-School-Timestamp`: 2025-10-09T08:53:20Z (`unix_s`), when it arrived
         signed text  `{timestamp}.{body}`
         body         78 bytes
         secret       env:SCHOOL_SECRET

    why: the signature in the header `x-school-signature` is 32 bytes as hexadecimal digits behind `sha256=`
      in mappings/school.yaml:5:3 add below `verify`
        + signature_format: {style: prefix, prefix: "sha256="}
    "#);
}

#[test]
fn a_line_end_in_the_secret() {
    let setup = school(("", "")).variable(SECRET_VARIABLE, &format!("{SECRET}\n"));
    let (text, _) = shown(&setup, "school", &raw(&signed_by_school()));
    insta::assert_snapshot!(text, @r"
    refused (no-match): no signature matches any secret: wrong secret, changed body, or another text was signed
    request.http, arriving at the source `school` 2025-10-09T08:53:20Z

         signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
         timestamp    header `X-School-Timestamp`: 2025-10-09T08:53:20Z (`unix_s`), when it arrived
         signed text  `{timestamp}.{body}`
         body         78 bytes
         secret       env:SCHOOL_SECRET

    why: the secret env:SCHOOL_SECRET has white space, a line end or a byte order mark around it that the
         sender's does not have
      take it out (mappings/school.yaml:13:3)
    ");
}

#[test]
fn a_body_that_was_written_anew() {
    let setup = school(("", ""));
    let body: Value = serde_json::from_str(BODY).unwrap();
    let mut request = signed_body(&body.to_string());
    request.body = serde_json::to_string_pretty(&body).unwrap().into();
    let (text, _) = shown(&setup, "school", &raw(&request));
    insta::assert_snapshot!(text, @r"
    refused (no-match): no signature matches any secret: wrong secret, changed body, or another text was signed
    request.http, arriving at the source `school` 2025-10-09T08:53:20Z

         signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
         timestamp    header `X-School-Timestamp`: 2025-10-09T08:53:20Z (`unix_s`), when it arrived
         signed text  `{timestamp}.{body}`
         body         96 bytes
         secret       env:SCHOOL_SECRET

    why: the body is JSON that was written anew after it was signed: it was signed compact, as JavaScript
         writes it
      something between the sender and here reads the JSON and writes it again: a filter, a middleware, or the
      tool that kept this request; have it pass the body on as it is, or have the sender sign the bytes that it
      sends
    ");
}

fn signed_body(body: &str) -> Outgoing {
    let settings = settings_of_school();
    let secret = SigningSecret {
        name: "SENDER".into(),
        value: SECRET.into(),
        until: None,
    };
    let verifier = Verifier::new(settings.read().unwrap(), &[secret]).unwrap();
    let mut request = signed_by_school();
    request.headers.clear();
    request.body = body.to_owned().into();
    verifier.sign(request, "", AT.parse().unwrap()).unwrap()
}

#[test]
fn an_old_request() {
    let setup = school(("", ""));
    let request = raw(&signed_by_school());
    let output = run(
        &setup,
        "school",
        &request,
        &["--at", "2025-10-09T12:05:20Z"],
    );
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r"
    refused (timestamp-too-old): the timestamp is older than the tolerance allows
    request.http, arriving at the source `school` 2025-10-09T12:05:20Z

         signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
         timestamp    header `X-School-Timestamp`: 2025-10-09T08:53:20Z (`unix_s`), 3 h 12 min before it arrived
         signed text  `{timestamp}.{body}`
         body         78 bytes
         secret       env:SCHOOL_SECRET

    why: only the time is against it: it was signed at 2025-10-09T08:53:20Z, 3 h 12 min before it arrived
      A clock is wrong (look at `timedatectl`), or the request was on its way so long: the sender must sign anew
      when it repeats one. `timestamp.tolerance` says how much is allowed.
    ");
    // Without a time it arrives now, and its age alone is the trouble.
    let output = run(&setup, "school", &request, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("It would have been genuine"), "{text}");
    assert!(text.contains("--at 2025-10-09T08:53:20Z"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_address_that_was_registered_otherwise() {
    let setup = setup("square", &source("square", "square"))
        .variable(SECRET_VARIABLE, SECRET)
        .variable("GATEWAY_PUBLIC_URL", "http://gw.example:8080");
    let settings = Settings::of_preset(presets::find("square").unwrap());
    let request = signed(&settings, "https://gw.example/webhooks/square?k=v", SECRET);
    let (text, _) = shown(&setup, "square", &raw(&request));
    insta::assert_snapshot!(text, @r"
    refused (no-match): no signature matches any secret: wrong secret, changed body, or another text was signed
    request.http, arriving at the source `square` 2025-10-09T08:53:20Z

         signature    header `x-square-hmacsha256-signature`: 32 bytes as base64
         signed text  `{url}{body}`
         body         78 bytes
         address      http://gw.example:8080/webhooks/square?…
         secret       env:SCHOOL_SECRET

    why: the sender signed the address as https://gw.example
      write `public_url: https://gw.example` in gateway.yaml, or set GATEWAY_PUBLIC_URL=https://gw.example
    ");
}

#[test]
fn another_preset() {
    let setup = setup("crm", &source("crm", "stripe")).variable(SECRET_VARIABLE, SECRET);
    let settings = Settings::of_preset(presets::find("github").unwrap());
    let request = signed(&settings, "https://gw.example/webhooks/crm", SECRET);
    let (text, _) = shown(&setup, "crm", &raw(&request));
    insta::assert_snapshot!(text, @r"
    refused (missing-signature): there is no signature
    request.http, arriving at the source `crm` 2025-10-09T08:53:20Z

      !! signature      header `Stripe-Signature`: missing
         signed text    `{timestamp}.{body}`
         body           78 bytes
         not asked for  header `x-hub-signature-256`: 32 bytes as hexadecimal digits behind `sha256=`
         secret         env:SCHOOL_SECRET

    why: this is a request as the preset `github` expects it
      in mappings/crm.yaml:4:3 write
        - verify: stripe
        + verify: github

    It would also be genuine if
      - this is a request as the preset `meta-whatsapp` expects it
    ");
}

#[test]
fn a_preset_with_one_setting_that_differs() {
    let setup = setup("crm", &source("crm", "github")).variable(SECRET_VARIABLE, SECRET);
    let settings = Settings::of_preset(presets::find("github").unwrap())
        .with(&[("algorithm".to_owned(), Some("sha512".into()))]);
    let request = signed(&settings, "https://gw.example/webhooks/crm", SECRET);
    let (text, _) = shown(&setup, "crm", &raw(&request));
    insta::assert_snapshot!(text, @r#"
    refused (malformed-signature): the signature is not written as this source writes it (prefix, encoding or length)
    request.http, arriving at the source `crm` 2025-10-09T08:53:20Z

         signature    header `X-Hub-Signature-256`: 64 bytes as hexadecimal digits behind `sha256=`
         signed text  `{body}`
         body         78 bytes
         secret       env:SCHOOL_SECRET

    why: the signature in the header `x-hub-signature-256` is 64 bytes as hexadecimal digits behind `sha256=`
      the preset `github` does not say so; write the settings out:
      in mappings/crm.yaml:4:3 write
        - verify: github
        + verify:
        +   type: hmac
        +   algorithm: sha512
        +   encoding: hex
        +   signature_format: {style: prefix, prefix: "sha256="}
        +   signature_header: X-Hub-Signature-256
        +   signed: "{body}"
    "#);
}

#[test]
fn two_mistakes_at_once() {
    let setup = school(("{timestamp}.{body}", "{timestamp}:{body}"))
        .variable(SECRET_VARIABLE, &format!("\"{SECRET}\""));
    let (text, _) = shown(&setup, "school", &raw(&signed_by_school()));
    insta::assert_snapshot!(text, @r#"
    refused (no-match): no signature matches any secret: wrong secret, changed body, or another text was signed
    request.http, arriving at the source `school` 2025-10-09T08:53:20Z

         signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
         timestamp    header `X-School-Timestamp`: 2025-10-09T08:53:20Z (`unix_s`), when it arrived
         signed text  `{timestamp}:{body}`
         body         78 bytes
         secret       env:SCHOOL_SECRET

    why: the secret env:SCHOOL_SECRET has quotes around it that the sender's does not have
      take them out (mappings/school.yaml:13:3)

    and: what is signed is `{timestamp}.{body}`
      in mappings/school.yaml:11:5 write
        - signed: "{timestamp}:{body}"
        + signed: "{timestamp}.{body}"

    Only with both is the request genuine.
    "#);
}

#[test]
fn the_secret_of_another_source() {
    let setup = school(("", ""))
        .source(
            "crm",
            &source("crm", "github").replace(SECRET_VARIABLE, "CRM_SECRET"),
        )
        .variable("CRM_SECRET", "the-crm-and-the-gateway-know-this");
    let request = signed(
        &settings_of_school(),
        "https://gw.example/webhooks/school",
        "the-crm-and-the-gateway-know-this",
    );
    let (text, _) = shown(&setup, "school", &raw(&request));
    assert!(
        !text.contains("the-crm-and-the-gateway-know-this"),
        "{text}"
    );
    insta::assert_snapshot!(text, @r"
    refused (no-match): no signature matches any secret: wrong secret, changed body, or another text was signed
    request.http, arriving at the source `school` 2025-10-09T08:53:20Z

         signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
         timestamp    header `X-School-Timestamp`: 2025-10-09T08:53:20Z (`unix_s`), when it arrived
         signed text  `{timestamp}.{body}`
         body         78 bytes
         secret       env:SCHOOL_SECRET

    why: the request was signed with the secret env:CRM_SECRET of the source `crm`
      the two were swapped, or the sender posts to the address of the wrong source (mappings/school.yaml:13:3)
    ");
}

#[test]
fn a_token_where_a_signature_is_expected() {
    let setup = school(("", ""));
    let request = format!(
        "curl https://gw.example/webhooks/school \\\n  -H 'Authorization: Bearer {SECRET}' \\\n  --data-raw '{BODY}'\n"
    );
    let (text, _) = shown(&setup, "school", &request);
    insta::assert_snapshot!(text, @r#"
    refused (missing-signature): there is no signature
    request.http, arriving at the source `school` 2025-10-09T08:53:20Z

      !! signature    header `X-School-Signature`: missing
      !! timestamp    header `X-School-Timestamp`: missing
         signed text  `{timestamp}.{body}`
         body         78 bytes
         secret       env:SCHOOL_SECRET

    why: the sender makes no such signature: the secret itself is in `header:authorization`, behind `Bearer
         `, as a token
      in mappings/school.yaml:5:3 write
        - verify:
        -     type: hmac
        -     algorithm: sha256
        -     signature_header: X-School-Signature
        -     signature_format: {style: prefix, prefix: "sha256="}
        -     encoding: hex
        -     signed: "{timestamp}.{body}"
        -     timestamp: {source: "header:X-School-Timestamp", format: unix_s, tolerance_s: 300}
        + verify:
        +   type: token
        +   token_prefix: "Bearer "
        +   token_source: "header:authorization"
    "#);
}

#[test]
fn nothing_explains_a_foreign_secret() {
    let setup = school(("", ""));
    let request = signed(
        &settings_of_school(),
        "https://gw.example/webhooks/school",
        "nobody here knows this",
    );
    let (text, _) = shown(&setup, "school", &(raw(&request) + "\n"));
    let filtered = text
        .split(' ')
        .map(|word| {
            if word.parse::<u32>().is_ok_and(|number| number > 1_000) {
                "N"
            } else {
                word
            }
        })
        .collect::<Vec<_>>()
        .join(" ");
    insta::assert_snapshot!(filtered, @r"
    refused (no-match): no signature matches any secret: wrong secret, changed body, or another text was signed
    request.http, arriving at the source `school` 2025-10-09T08:53:20Z

         signature    header `X-School-Signature`: 32 bytes as hexadecimal digits behind `sha256=`
         timestamp    header `X-School-Timestamp`: 2025-10-09T08:53:20Z (`unix_s`), when it arrived
         signed text  `{timestamp}.{body}`
         body         79 bytes
         secret       env:SCHOOL_SECRET

    None of the usual mistakes explains it: N were tried, alone and in pairs.
    What cannot be seen from here, the likeliest first:
      - the sender signs with another secret: make a new one, enter it on both sides, and mind that the gateway
        reads variables only when it starts
      - the body is not the one that was signed: keep the request where it enters your network, as bytes, and not
        from a log or a screen
      - the sender signs something else than `signed` says: compare it with the sender's page on signatures
    ");
}

#[test]
fn another_secret_can_be_tried_and_programs_can_read_the_result() {
    let setup = school(("", "")).variable(SECRET_VARIABLE, "an-old-one");
    let request = raw(&signed_by_school());
    let output = run(
        &setup,
        "school",
        &request,
        &["--at", AT, "--format", "json"],
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (json["verdict"].as_str(), json["reason"].as_str()),
        (Some("refused"), Some("no-match"))
    );
    assert_eq!(json["explanations"].as_array().unwrap().len(), 0);
    let setup = setup.variable("NEW", SECRET);
    let output = run(
        &setup,
        "school",
        &request,
        &["--at", AT, "--secret-env", "NEW"],
    );
    assert_eq!(output.status.code(), Some(0));
    std::fs::write(setup.folder().join("new"), SECRET).unwrap();
    let arguments = ["--at", AT, "--secret-file", "new", "--format", "json"];
    let output = run(&setup, "school", &request, &arguments);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (json["verdict"].as_str(), json["secret"].as_str()),
        (Some("genuine"), Some("file:new"))
    );
}

#[test]
fn what_is_missing_is_named_and_ends_as_for_other_commands() {
    let setup = school(("", ""));
    let request = raw(&signed_by_school());
    let ends = |output: Output, code: i32, words: &str| {
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(words), "{text}");
    };
    ends(
        run(&setup, "scool", &request, &[]),
        69,
        "did you mean `school`?",
    );
    ends(
        run(&setup, "school", "hello\n", &[]),
        64,
        "request.http:1:1: this is not the first line of a request",
    );
    ends(
        setup.run(&["verify", "--source", "school", "--request", "none"]),
        69,
        "none cannot be read",
    );
    ends(
        setup.run(&["verify", "--source", "school"]),
        64,
        "--request",
    );
    ends(
        setup.run(&["verify", "--request", "request.http"]),
        64,
        "--source",
    );
    let setup = setup.without(SECRET_VARIABLE);
    ends(
        run(&setup, "school", &request, &[]),
        78,
        "SCHOOL_SECRET is not set",
    );
}

#[test]
fn files_of_vectors_are_judged_line_by_line() {
    let vector = serde_json::json!({
        "name": "a token", "method": "POST", "url": "https://gw.example/a", "headers": [["X-Token", "s3cret"]],
        "body_base64": "", "secrets": ["s3cret"], "now_unix": 1, "expect": "accept",
        "verifier": {"type": "token", "token_source": "header:X-Token"},
    });
    let with = |key: &str, value: Value| {
        let mut vector = vector.clone();
        vector[key] = value;
        vector.to_string()
    };
    let lines = [
        vector.to_string(),
        with("expect", "reject".into()),
        String::new(),
        with("secrets", serde_json::json!(["other"])),
        with("now_unix", "soon".into()),
        "{".to_owned(),
    ];
    let setup = setup("crm", &source("crm", "github"));
    std::fs::write(setup.folder().join("v.jsonl"), lines.join("\n")).unwrap();
    let output = setup.run(&["verify", "--vectors", "v.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    let text =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    insta::assert_snapshot!(text, @r"
    v.jsonl:2: a token: expected to be refused, but it is genuine
    v.jsonl:4: a token: expected to be genuine, but it is refused (wrong-token): the token is not ours
    v.jsonl:5: broken: `now_unix` is not a time in whole seconds
    v.jsonl:6: broken: column 1: the line is not JSON
    5 vectors: 1 agree, 2 differ, 2 broken
    ");
    std::fs::write(setup.folder().join("v.jsonl"), &lines[0]).unwrap();
    assert_eq!(
        setup.run(&["verify", "--vectors", "v.jsonl"]).status.code(),
        Some(0)
    );
    std::fs::write(setup.folder().join("v.jsonl"), "\n").unwrap();
    assert_eq!(
        setup.run(&["verify", "--vectors", "v.jsonl"]).status.code(),
        Some(1)
    );
    assert_eq!(
        setup.run(&["verify", "--vectors", "none"]).status.code(),
        Some(69)
    );
}

/// The lines that the project ships, through the executable.
#[test]
fn the_shipped_vectors_agree() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/verify/vectors.jsonl");
    let setup = setup("crm", &source("crm", "github"));
    let output = setup.run(&["verify", "--vectors", file, "--format", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["findings"], serde_json::json!([]));
    assert_eq!(json["agree"], 332);

    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/verify/handshake/vectors.jsonl"
    );
    let output = setup.run(&["verify", "--vectors", file]);
    let text =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (text.as_str(), output.status.code()),
        ("16 vectors: 16 agree\n", Some(0))
    );
}

#[test]
fn an_address_with_a_path_is_no_public_url() {
    let setup = school(("", ""));
    for address in [
        "https://gw.example/webhooks/school",
        "ftp://gw.example",
        "gw.example",
        "https://gw.example/?a=b",
    ] {
        let output = run(
            &setup,
            "school",
            &raw(&signed_by_school()),
            &["--public-url", address],
        );
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{address}: {text}");
        assert!(
            text.contains("expected an address without a path"),
            "{address}: {text}"
        );
    }
}

#[test]
fn a_genuine_request_that_the_gateway_does_not_take_is_said_to_be_so() {
    let good = raw(&signed_by_school());
    let school = school(("", ""));
    for (request, expected) in [
        (
            good.replace("POST ", "GET "),
            "but the gateway answers 405 to GET",
        ),
        (
            good.replace("/webhooks/school", "/webhooks/other"),
            "but the gateway takes this for the source `other`",
        ),
    ] {
        let (text, code) = shown(&school, "school", &request);
        assert!(text.starts_with("genuine"), "{text}");
        assert!(text.contains(expected), "{text}");
        assert_eq!(code, Some(1), "{text}");
    }
    let pay = setup(
        "pay",
        &source("pay", "square").replace("dedup: body", "dedup: event_id"),
    )
    .variable(SECRET_VARIABLE, SECRET);
    let request = signed(
        &Settings::of_preset(presets::find("square").unwrap()),
        "https://gw.example/webhooks/pay",
        SECRET,
    );
    let (text, code) = shown(&pay, "pay", &raw(&request));
    assert!(text.starts_with("genuine"), "{text}");
    assert!(
        text.contains("write `public_url: https://…` in gateway.yaml"),
        "{text}"
    );
    assert_eq!(code, Some(1), "{text}");
    let pay = pay.variable("GATEWAY_PUBLIC_URL", "https://gw.example");
    assert_eq!(shown(&pay, "pay", &raw(&request)).1, Some(0));
}

#[test]
fn a_secret_that_the_gateway_learned_is_asked_for() {
    let file =
        source("tasks", "asana").replace(&format!("  secrets: [{{env: {SECRET_VARIABLE}}}]\n"), "");
    let tasks = setup("tasks", &file);
    let request = signed(
        &Settings::of_preset(presets::find("asana").unwrap()),
        "https://gw.example/webhooks/tasks",
        SECRET,
    );
    let (text, code) = shown(&tasks, "tasks", &raw(&request));
    assert!(
        text.contains("--secret-file") && text.contains("when it registered"),
        "{text}"
    );
    assert_eq!(code, Some(64), "{text}");
    std::fs::write(tasks.folder().join("secret"), SECRET).unwrap();
    let output = run(
        &tasks,
        "tasks",
        &raw(&request),
        &["--at", AT, "--secret-file", "secret"],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn what_is_missing_in_a_flow_map_is_added_inside_its_braces() {
    let flow = "{type: hmac, signature_header: X-School-Signature, encoding: hex}";
    let flow = setup("flow", &source("flow", flow)).variable(SECRET_VARIABLE, SECRET);
    let request = signed(
        &settings_of_school().with(&[("signed".to_owned(), None), ("timestamp".to_owned(), None)]),
        "https://gw.example/webhooks/flow",
        SECRET,
    );
    let (text, code) = shown(&flow, "flow", &raw(&request));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("add inside the braces of `verify`"), "{text}");
    assert!(
        text.contains("+ signature_format: {style: prefix"),
        "{text}"
    );
}
