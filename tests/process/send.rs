//! The command `send`, against a gateway that runs: signs as each kind of source does.

use quentli_gateway::verify::{PrivateKey, presets};

use crate::support::executable::{Gateway, Setup};

/// Text, hexadecimal and base64 at once.
const SECRET: &str = "c0dec0de";
const PUBLIC_URL: &str = "https://hooks.example";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A private key of each algorithm, by the name of its file beside the sources.
const PRIVATE_KEYS: [(&str, &str); 3] = [
    (
        "ed25519.pem",
        include_str!("../../src/verify/keys/ed25519.pem"),
    ),
    ("p256.pem", include_str!("../../src/verify/keys/p256.pem")),
    (
        "rsa.pem",
        include_str!("../../src/verify/keys/rsa-2048.pem"),
    ),
];

/// A source that is verified so, with its secret in a variable named after it.
fn with_source(setup: Setup, name: &str, verify: &str, secret: &str) -> Setup {
    let variable = format!("{}_SECRET", name.to_uppercase().replace('-', "_"));
    with_proof(
        setup,
        name,
        verify,
        &format!("secrets: [{{env: {variable}}}]"),
    )
    .variable(&variable, secret)
}

/// A source that is verified so, by what this line of its section names.
fn with_proof(setup: Setup, name: &str, verify: &str, proof: &str) -> Setup {
    let file = format!(
        "mapping: 1\nsource: {name}\nreceive:\n  verify: {verify}\n  {proof}\n  dedup: body\n\
         otherwise: drop\nrules: [{{name: r, when: id == 'x', drop: x}}]\n\
         tests: [{{name: t, event: {{id: x}}, expect: [{{drop: x}}]}}]\n"
    );
    setup.source(name, &file)
}

fn setup() -> Setup {
    let setup = Setup::new("http://127.0.0.1:9").variable("GATEWAY_PUBLIC_URL", PUBLIC_URL);
    let event = r#"{"id": "ev-1", "value": [{"x": 1}], "name": "José", "dateNotification": "2026-01-15T10:30:00Z",
        "action": "Modified", "urlReference": "https://api.example/1", "webhookCallbackSecurity": {"nonce": "n-1"}}"#;
    std::fs::write(setup.folder().join("event.json"), event).unwrap();
    std::fs::write(setup.folder().join("event.form"), "id=ev-1&name=Jos%C3%A9").unwrap();
    for (file, text) in PRIVATE_KEYS {
        std::fs::write(setup.folder().join(file), text).unwrap();
    }
    setup
}

/// What `send` ends with and prints, for a body of this name.
fn sent(
    setup: &Setup,
    gateway: &Gateway,
    source: &str,
    file: &str,
    more: &[&str],
) -> (Option<i32>, String) {
    let url = gateway.url().to_string();
    let arguments = ["send", "--source", source, "--file", file, "--url", &url];
    let output = setup.run(&[&arguments, more].concat());
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    (output.status.code(), said)
}

#[test]
fn every_preset_accepts_what_send_signs_as_it() {
    let keys = PRIVATE_KEYS
        .map(|(file, text)| (file, PrivateKey::read(&text.into()).unwrap().public_key()));
    let mut setup = setup();
    let mut files = Vec::new();
    for preset in presets::all() {
        let (name, settings) = (preset.name, preset.verify_settings());
        setup = if settings.takes_public_keys() {
            let fits = |(_, key): &&(&'static str, String)| settings.check_public_key(key).is_ok();
            let (file, key) = keys.iter().find(fits).unwrap();
            files.push((name, Some(*file)));
            with_proof(
                setup,
                name,
                name,
                &format!("public_keys: [{{text: {key}}}]"),
            )
        } else {
            files.push((name, None));
            let is_basic = settings.type_name() == "basic";
            with_source(
                setup,
                name,
                name,
                if is_basic { "ana:c0de" } else { SECRET },
            )
        };
    }
    let gateway = setup.start();
    for (name, private) in files {
        let file = if name == "bitrix24" {
            "event.form"
        } else {
            "event.json"
        };
        let more = private.map_or_else(Vec::new, |file| vec!["--private-key", file]);
        let (code, said) = sent(&setup, &gateway, name, file, &more);
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
        let (code, said) = sent(&setup, &gateway, name, file, &[]);
        assert_eq!(code, Some(0), "{name}: {said}");
    }
}

#[test]
fn another_secret_is_refused() {
    let setup = with_source(setup(), "github", "github", SECRET);
    let gateway = setup.start();
    let setup = setup.variable("GITHUB_SECRET", "another");
    let (code, said) = sent(&setup, &gateway, "github", "event.json", &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("HTTP 401"), "{said}");
}

#[test]
fn a_private_key_is_asked_for_and_must_be_the_right_one() {
    let key = PrivateKey::read(&PRIVATE_KEYS[0].1.into())
        .unwrap()
        .public_key();
    let verify =
        "{type: public-key, algorithm: ed25519, signature_header: X-Sig, encoding: base64}";
    let setup = with_proof(
        setup(),
        "signed",
        verify,
        &format!("public_keys: [{{text: {key}}}]"),
    );
    let setup = with_source(setup, "github", "github", SECRET);
    let gateway = setup.start();
    for (source, more, code, expected) in [
        (
            "signed",
            vec!["--private-key", "ed25519.pem"],
            0,
            "HTTP 200",
        ),
        ("signed", vec![], 1, "give it with `--private-key FILE`"),
        ("signed", vec!["--private-key", "p256.pem"], 1, "ed25519"),
        (
            "signed",
            vec!["--private-key", "event.json"],
            64,
            "not a private key",
        ),
        (
            "signed",
            vec!["--private-key", "none.pem"],
            69,
            "none.pem cannot be read",
        ),
        (
            "github",
            vec!["--private-key", "ed25519.pem"],
            1,
            "no public keys",
        ),
    ] {
        let (ended, said) = sent(&setup, &gateway, source, "event.json", &more);
        assert_eq!(ended, Some(code), "{source} {more:?}: {said}");
        assert!(said.contains(expected), "{source} {more:?}: {said}");
    }
}
