//! Vendors' own published libraries as judges: what they sign the gateway takes, what was changed afterwards it refuses;
//! and what we sign as a source they take.
//!
//! The libraries are Python's. `./test` installs them (`requirements.txt`) and names the interpreter that has them in
//! `QUENTLI_GATEWAY_VENDORS`; without it these tests are left out, aloud. `QUENTLI_GATEWAY_VENDORS_SEED` runs the same
//! random requests again.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests: a surprise ends the test"
)]

#[path = "../support/support.rs"]
mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use quentli_gateway::{
    clock::Clock,
    config::Environment,
    sender::{Sender, TestEvent, sign, sign_with},
    source::{Source, SourceFile, UnreadableSamples},
    verify::{PrivateKey, presets},
};
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

use support::{executable::Setup, left_out, number, seed};

const PUBLIC_URL: &str = "https://hooks.example";

/// Presets whose vendor publishes a library that signs or verifies, with a secret as that vendor writes them, or a private
/// key in PEM.
const VENDORS: [(&str, &str); 12] = [
    (
        "standard-webhooks",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ),
    ("svix", "whsec_plJ3nmyCDGBKInavdOK15jsl4ZQ0ZzKC"),
    ("stripe", "whsec_a1b2c3d4e5f60718293a4b5c6d7e8f90"),
    ("twilio", "12345abcde67890fghij12345klmno67"),
    ("slack", "8f742231b10e8888abcd99yyyzzz85a5"),
    ("hubspot-v3", "1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809"),
    ("hubspot-v1", "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"),
    ("square", "asdf1234_ZXCV-5678qwer"),
    ("sendgrid", include_str!("../../src/verify/keys/p256.pem")),
    (
        "standard-webhooks-ed25519",
        include_str!("../../src/verify/keys/ed25519.pem"),
    ),
    (
        "messagebird",
        "an-app-s-signing-key-of-64-bytes-0123456789-abcdefghijklmnopqrst",
    ),
    (
        "canvas-live-events",
        include_str!("../../src/verify/keys/rsa-2048.pem"),
    ),
];

/// The interpreter that has the libraries.
fn python(test: &str) -> Option<String> {
    let python = std::env::var("QUENTLI_GATEWAY_VENDORS").ok();
    if python.is_none() {
        left_out(
            test,
            "QUENTLI_GATEWAY_VENDORS names no Python with the vendors' libraries",
        );
    }
    python
}

fn judges(python: &str, arguments: &[&str]) -> Child {
    let mut child = Command::new(python)
        .arg("-B")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vendors/judges.py"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let secrets = serde_json::to_string(&BTreeMap::from(VENDORS)).unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{secrets}").unwrap();
    child
}

fn variable(preset: &str) -> String {
    format!("{}_SECRET", preset.to_uppercase().replace('-', "_"))
}

/// The private key, where the secret is one.
fn private_key(secret: &str) -> Option<PrivateKey> {
    PrivateKey::read(&secret.into()).ok()
}

fn source_file(preset: &str, secret: &str) -> String {
    let settings = presets::find(preset).unwrap().verify_settings();
    let proof = match private_key(secret) {
        Some(_) if settings.needs_key_set() => format!(
            "jwks: {{file: \"{}/tests/vendors/jwks.json\"}}, claims: {{metadata.root_account_uuid: ours}}",
            env!("CARGO_MANIFEST_DIR")
        ),
        Some(private) => format!("public_keys: [{{text: {}}}]", private.public_key()),
        None => format!("secrets: [{{env: {}}}]", variable(preset)),
    };
    format!(
        "mapping: 1\nsource: {preset}\nreceive: {{verify: {preset}, {proof}, dedup: body}}\n\
         otherwise: drop\nrules: [{{name: r, when: id == 'x', drop: x}}]\n\
         tests: [{{name: t, event: {{id: x}}, expect: [{{drop: x}}]}}]\n"
    )
}

fn setup() -> Setup {
    VENDORS.iter().fold(
        Setup::new("http://127.0.0.1:9").variable("GATEWAY_PUBLIC_URL", PUBLIC_URL),
        |setup, (preset, secret)| {
            let key = setup.folder().join(format!("{preset}.pem"));
            std::fs::write(key, secret).unwrap();
            setup
                .source(preset, &source_file(preset, secret))
                .variable(&variable(preset), secret)
        },
    )
}

#[test]
fn what_vendors_libraries_sign_is_accepted_and_what_was_changed_is_refused() {
    let Some(python) =
        python("what_vendors_libraries_sign_is_accepted_and_what_was_changed_is_refused")
    else {
        return;
    };
    let seed = seed("QUENTLI_GATEWAY_VENDORS_SEED").to_string();
    let count = number("QUENTLI_GATEWAY_VENDORS_COUNT", 150);
    let setup = setup();
    let gateway = setup.start();
    let url = gateway.url().to_string();
    let child = judges(
        &python,
        &["sign", &url, PUBLIC_URL, &seed, &count.to_string()],
    );
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let results: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    let signing: Vec<&str> = results.keys().map(String::as_str).collect();
    assert!(signing.len() >= 11, "{signing:?}");
    for (vendor, result) in results {
        let wrong = result["wrong"].as_array().unwrap();
        assert!(wrong.is_empty(), "{vendor}: {wrong:#?}");
        assert_eq!(result["accepted"], count, "{vendor}");
        assert!(result["refused"].as_u64().unwrap() > count / 2, "{vendor}");
    }
}

/// The vendors' libraries behind a port, for as long as this is kept.
struct Listener {
    child: Child,
    url: url::Url,
}

impl Listener {
    fn start(python: &str) -> Self {
        let mut child = judges(python, &["listen"]);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = format!("http://127.0.0.1:{}", line.trim()).parse().unwrap();
        Self { child, url }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn source(preset: &str, secret: &str) -> Source {
    let file = SourceFile::check(
        &format!("{preset}.yaml"),
        preset,
        source_file(preset, secret),
        &|_| Err(std::io::ErrorKind::NotFound.into()),
        UnreadableSamples::Refuse,
    );
    let environment: Environment = [(variable(preset), secret.to_owned())]
        .into_iter()
        .collect();
    file.checked
        .unwrap()
        .arm(&environment, Path::new(""))
        .unwrap()
}

fn random_event(preset: &str, random: &mut StdRng) -> TestEvent {
    const SIGNS: [char; 16] = [
        'a', 'Z', '0', ' ', 'ñ', 'Ü', '漢', '😀', '\u{301}', '\n', '"', '=', '&', '%', '+', '\0',
    ];
    let length = random.random_range(1..500);
    let text: String = (0..length)
        .map(|_| SIGNS[random.random_range(0..SIGNS.len())])
        .collect();
    let (content_type, body) = if preset == "twilio" && random.random_bool(0.7) {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("Body", &text).append_pair("From", "+5281");
        ("application/x-www-form-urlencoded", form.finish())
    } else if preset == "canvas-live-events" || random.random_bool(0.5) {
        let body = serde_json::json!({"id": length, "text": text}).to_string();
        ("application/json", body)
    } else {
        ("text/plain", text)
    };
    let id = format!("msg_{:x}", random.next_u64());
    TestEvent::new(&id, content_type, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_sign_is_accepted_by_vendors_libraries_and_what_was_changed_is_refused() {
    let test = "what_we_sign_is_accepted_by_vendors_libraries_and_what_was_changed_is_refused";
    let Some(python) = python(test) else { return };
    let mut random = StdRng::seed_from_u64(seed("QUENTLI_GATEWAY_VENDORS_SEED"));
    let count = number("QUENTLI_GATEWAY_VENDORS_COUNT", 150);
    let listener = Listener::start(&python);
    let sender = Sender::new().unwrap();
    let clock = Clock::system();
    for (preset, secret) in VENDORS {
        let source = source(preset, secret);
        let private = private_key(secret);
        for _ in 0..count {
            let event = random_event(preset, &mut random);
            let signed = match &private {
                Some(key) => sign_with(&source, &event, &listener.url, clock.now(), key),
                None => sign(&source, &event, &listener.url, clock.now()),
            };
            let signed = signed.unwrap();
            let answer = sender.post(signed.clone(), &listener.url).await.unwrap();
            assert_eq!(answer.status, 200, "{preset}: {:?}", event.body);
            let mut changed = signed;
            changed.body = Bytes::from([&changed.body, &b"0"[..]].concat());
            let answer = sender.post(changed, &listener.url).await.unwrap();
            assert_eq!(answer.status, 401, "{preset}: {:?}", event.body);
        }
    }
}

#[test]
fn the_command_send_signs_as_vendors_do() {
    let Some(python) = python("the_command_send_signs_as_vendors_do") else {
        return;
    };
    let listener = Listener::start(&python);
    let setup = setup().without("GATEWAY_PUBLIC_URL");
    std::fs::write(setup.folder().join("event.json"), "{\"id\": \"José\"}").unwrap();
    for (preset, secret) in VENDORS {
        let key = format!("{preset}.pem");
        let mut arguments = vec!["send", "--source", preset, "--file", "event.json"];
        arguments.extend(["--url", listener.url.as_str()]);
        if private_key(secret).is_some() {
            arguments.extend(["--private-key", &key]);
        }
        let output = setup.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{preset}: {output:?}");
        if private_key(secret).is_none() {
            let mut stranger = setup.command(&arguments);
            stranger.env(variable(preset), "whsec_AAAA");
            assert_eq!(
                stranger.output().unwrap().status.code(),
                Some(1),
                "{preset}"
            );
        }
    }
}
