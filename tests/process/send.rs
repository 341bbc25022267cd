//! The command `send`, against a gateway that runs: signs as each kind of source does.

use serde_json::Value;

use crate::support::executable::{Gateway, Setup};

/// Text, hexadecimal and base64 at once.
const SECRET: &str = "c0dec0de";
const PUBLIC_URL: &str = "https://hooks.example";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A source that is verified so, with its secret in a variable named after it.
fn with_source(setup: Setup, name: &str, verify: &str, secret: &str) -> Setup {
    let variable = format!("{}_SECRET", name.to_uppercase().replace('-', "_"));
    let file = format!(
        "mapping: 1\nsource: {name}\nreceive:\n  verify: {verify}\n  secrets: [{{env: {variable}}}]\n  dedup: body\n\
         otherwise: drop\nrules: [{{name: r, when: id == 'x', drop: x}}]\n\
         tests: [{{name: t, event: {{id: x}}, expect: [{{drop: x}}]}}]\n"
    );
    setup.source(name, &file).variable(&variable, secret)
}

fn setup() -> Setup {
    let setup = Setup::new("http://127.0.0.1:9").variable("GATEWAY_PUBLIC_URL", PUBLIC_URL);
    let event = r#"{"id": "ev-1", "value": [{"x": 1}], "name": "José"}"#;
    std::fs::write(setup.folder().join("event.json"), event).unwrap();
    std::fs::write(setup.folder().join("event.form"), "id=ev-1&name=Jos%C3%A9").unwrap();
    setup
}

/// What `send` ends with and prints, for a body of this name.
fn sent(setup: &Setup, gateway: &Gateway, source: &str, file: &str) -> (Option<i32>, String) {
    let url = gateway.url().to_string();
    let arguments = ["send", "--source", source, "--file", file, "--url", &url];
    let output = setup.run(&arguments);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    (output.status.code(), said)
}

#[test]
fn every_preset_accepts_what_send_signs_as_it() {
    let mut setup = setup();
    let presets = setup.run(&["presets", "--format", "json"]);
    let presets: Vec<Value> = serde_json::from_slice(&presets.stdout).unwrap();
    let names: Vec<(&str, &str)> = presets
        .iter()
        .map(|preset| {
            (
                preset["name"].as_str().unwrap(),
                preset["type"].as_str().unwrap(),
            )
        })
        .collect();
    for (name, kind) in &names {
        let secret = if *kind == "basic" { "ana:c0de" } else { SECRET };
        setup = with_source(setup, name, name, secret);
    }
    let gateway = setup.start();
    for (name, _) in names {
        let is_form = name == "bitrix24";
        let file = if is_form { "event.form" } else { "event.json" };
        let (code, said) = sent(&setup, &gateway, name, file);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(said.contains(r#""status":"accepted""#), "{name}: {said}");
    }
}

#[test]
fn settings_of_every_form_accept_what_send_signs() {
    let hmac = |rest: &str| format!("{{type: hmac, encoding: hex, {rest}}}");
    let kinds = [
        ("alone", hmac("signature_header: X-Sig"), "event.json"),
        ("form", hmac("signature_header: X-Sig, signed: '{form_sorted}'"), "event.form"),
        ("address", hmac("signature_header: X-Sig, signed: '{method}{url}{body}'"), "event.json"),
        ("json-path", hmac("signature_json_path: sig, signed: '{json:id}'"), "event.json"),
        ("sha512", hmac("signature_header: X-Sig, algorithm: sha512"), "event.json"),
        (
            "opaque",
            hmac("signature_header: X-Sig, signed: '{timestamp}{body}', timestamp: {source: 'header:T', format: opaque}"),
            "event.json",
        ),
        (
            "digest",
            "{type: digest, encoding: base64url, signature_header: X-Sig, signed: '{body}{secret}'}".to_owned(),
            "event.json",
        ),
        ("token-header", "{type: token, token_source: 'header:Authorization', token_prefix: 'Bearer '}".to_owned(), "event.json"),
        ("token-query", "{type: token, token_source: 'query:key'}".to_owned(), "event.json"),
        ("token-form", "{type: token, token_source: 'form:key'}".to_owned(), "event.form"),
        ("token-json", "{type: token, token_source: 'json:value[].state'}".to_owned(), "event.json"),
        (
            "required",
            "{type: token, token_source: 'query:key', require_headers: [{name: X-Version, value: v1}]}".to_owned(),
            "event.json",
        ),
    ];
    let setup = kinds.iter().fold(setup(), |setup, (name, verify, _)| {
        with_source(setup, name, verify, SECRET)
    });
    let gateway = setup.start();
    for (name, _, file) in kinds {
        let (code, said) = sent(&setup, &gateway, name, file);
        assert_eq!(code, Some(0), "{name}: {said}");
    }
}

#[test]
fn another_secret_is_refused() {
    let setup = with_source(setup(), "github", "github", SECRET);
    let gateway = setup.start();
    let setup = setup.variable("GITHUB_SECRET", "another");
    let (code, said) = sent(&setup, &gateway, "github", "event.json");
    assert_eq!(code, Some(1));
    assert!(said.contains("HTTP 401"), "{said}");
}
