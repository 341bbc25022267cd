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

/// Presets that no command can send as, with the reason; none so far.
const NOT_SENT: [(&str, &str); 0] = [];

#[test]
fn every_preset_accepts_what_send_signs_as_it() {
    let keys = PRIVATE_KEYS
        .map(|(file, text)| (file, PrivateKey::read(&text.into()).unwrap().public_key()));
    let mut setup = setup();
    let key_set = setup.folder().join("rsa.pub.pem");
    std::fs::write(
        &key_set,
        include_str!("../../src/verify/keys/rsa-2048.pub.pem"),
    )
    .unwrap();
    let mut files = Vec::new();
    for preset in presets::all() {
        let (name, settings) = (preset.name, preset.verify_settings());
        if NOT_SENT.iter().any(|(left_out, _)| *left_out == name) {
            continue;
        }
        let (private, mut proof) = if settings.takes_public_keys() {
            let fits = |(_, key): &&(&'static str, String)| settings.check_public_key(key).is_ok();
            let (file, key) = keys.iter().find(fits).unwrap();
            (Some(*file), format!("public_keys: [{{text: {key}}}]"))
        } else if settings.needs_key_set() {
            (
                Some("rsa.pem"),
                format!("jwks: {{file: {}}}", key_set.display()),
            )
        } else {
            (None, "secrets: [{env: SECRET}]".to_owned())
        };
        let claims = settings.claims_of_source();
        if !claims.is_empty() {
            let claims: Vec<_> = claims
                .iter()
                .map(|claim| format!("{claim}: ours"))
                .collect();
            proof = format!("{proof}\n  claims: {{{}}}", claims.join(", "));
        }
        if preset
            .handshake_settings()
            .is_some_and(|handshake| handshake.needs_token())
        {
            proof.push_str("\n  handshake: {verify_token: {env: SECRET}}");
        }
        if settings.type_name() == "basic" {
            proof = proof.replace("SECRET", "LOGIN");
        }
        setup = with_proof(setup, name, name, &proof);
        files.push((name, private));
    }
    let setup = setup
        .variable("SECRET", SECRET)
        .variable("LOGIN", "ana:c0de");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_named_in_a_handshake_is_asked_for_and_signs() {
    let setup = with_proof(setup(), "tasks", "asana", "handshake: header-echo")
        .variable("NAMED", "only-for-this-trial-1")
        .variable("WRONG", "only-for-this-trial-2");
    let gateway = setup.start();
    let send = |more: &[&str]| sent(&setup, &gateway, "tasks", "event.json", more);
    let (code, said) = send(&[]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("give `--secret-env NAME`"), "{said}");
    let (code, said) = send(&["--secret-env", "NOWHERE"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("NOWHERE is not set"), "{said}");
    assert_eq!(
        send(&["--secret-env", "NAMED"]).0,
        Some(1),
        "not registered"
    );

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let registered = client
        .post(gateway.url().join("webhooks/tasks").unwrap())
        .header("x-hook-secret", "only-for-this-trial-1")
        .send()
        .await
        .unwrap();
    assert_eq!(registered.status(), 200);
    let (code, said) = send(&["--secret-env", "NAMED"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(send(&["--secret-env", "WRONG"]).0, Some(1));
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
fn what_stands_behind_a_list_of_events_is_told_with_its_place() {
    let setup = with_source(setup(), "github", "github", SECRET);
    let list = r#"[{"id": "x"}] [{"id": "y"}]"#;
    std::fs::write(setup.folder().join("list.json"), list).unwrap();
    let gateway = setup.start();
    for more in [
        &["--rate", "100/s"][..],
        &["--rate", "100/s", "--from-line", "9"],
    ] {
        let (code, said) = sent(&setup, &gateway, "github", "list.json", more);
        assert_eq!(code, Some(1), "{more:?}: {said}");
        assert!(
            said.contains("more stands after the `]` of the list, at byte 15"),
            "{more:?}: {said}"
        );
    }
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
    let setup = with_source(setup, "github", "github", SECRET).variable("OTHER", "another");
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
        ("github", vec!["--secret-env", "OTHER"], 1, "HTTP 401"),
        (
            "signed",
            vec!["--secret-env", "OTHER"],
            78,
            "would not be used",
        ),
    ] {
        let (ended, said) = sent(&setup, &gateway, source, "event.json", &more);
        assert_eq!(ended, Some(code), "{source} {more:?}: {said}");
        assert!(said.contains(expected), "{source} {more:?}: {said}");
    }
}
