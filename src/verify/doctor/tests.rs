//! Each mistake that the doctor knows, made by signing honestly under other settings, and the advice that comes of it.

mod body;
mod certificates;
mod claims;
mod credentials;
mod keys;
mod places;
mod requests;
mod secrets;
mod signed;

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{
    search::{BOUNDS, Bounds, search},
    *,
};
use crate::verify::{Outgoing, Verifier, presets};

const BODY: &str =
    r#"{"id": "ev-1", "name": "José/Ana", "amount": 8450.00, "b": [1, 2], "a": "x<y"}"#;
const URL: &str = "https://hooks.school.mx/webhooks/crm?a=b%2Fc";
const SECRET: &str = "c0ffee00c0ffee00";

fn now() -> Timestamp {
    Timestamp::from_second(1_760_000_000).unwrap()
}

fn settings(text: &str) -> Settings {
    if let Some(preset) = presets::find(text) {
        return Settings::of_preset(preset);
    }
    let Value::Object(keys) = serde_json::from_str(text).expect(text) else {
        panic!("{text}");
    };
    Settings::of_json(keys)
}

fn secret(name: &str, value: &str) -> SigningSecret {
    SigningSecret {
        name: name.into(),
        value: value.into(),
        until: None,
    }
}

/// A request before it is signed.
fn unsigned() -> Outgoing {
    Outgoing {
        method: Method::POST,
        url: URL.to_owned(),
        headers: HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )]),
        body: BODY.into(),
    }
}

/// Who signs, and with what.
#[derive(Clone)]
struct Sender<'a> {
    settings: &'a str,
    secret: &'a str,
    /// What it signs.
    request: Outgoing,
    at: Timestamp,
}

impl<'a> Sender<'a> {
    fn new(settings: &'a str) -> Self {
        Self {
            settings,
            secret: SECRET,
            request: unsigned(),
            at: now(),
        }
    }

    fn secret(self, secret: &'a str) -> Self {
        Self { secret, ..self }
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.request.body = body.to_vec().into();
        self
    }

    fn url(mut self, url: &str) -> Self {
        self.request.url = url.to_owned();
        self
    }

    fn at(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }

    fn sign(self) -> Outgoing {
        let settings = settings(self.settings).read().expect(self.settings);
        let verifier = Verifier::new(settings, &[secret("SENDER", self.secret)]).unwrap();
        verifier.sign(self.request, "msg_1", self.at).unwrap()
    }
}

/// The request as it arrives: with the body and the address that the gateway sees.
fn arrived(mut request: Outgoing) -> Received {
    request.body = BODY.into();
    request.url = URL.to_owned();
    request.into_received(now())
}

fn examined(gateway: &str, given: &str, request: &Received) -> Report {
    let settings = settings(gateway);
    examine(Case {
        settings: &settings,
        secrets: &[secret("env:CRM_SECRET", given)],
        public_keys: &[],
        key_set: None,
        others: &[secret("env:OTHER of the source `other`", "another-secret")],
        request,
        now: now(),
    })
}

fn said(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Settings(changes) => changes
            .iter()
            .map(|(key, value)| match value {
                Some(Value::String(text)) => format!("{key}: {text}"),
                Some(value) => format!("{key}: {value}"),
                None => format!("no {key}"),
            })
            .collect::<Vec<_>>()
            .join(", "),
        Remedy::Whole(settings) => settings
            .keys()
            .map(|(key, value)| format!("{key}: {}", value.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", "),
        Remedy::Preset(name) => format!("preset {name}"),
        Remedy::PublicUrl(url) => format!("public_url {url}"),
        Remedy::Secrets(words) | Remedy::Words(words) => words.clone(),
    }
}

/// `finding => remedy` of the first explanation.
fn first(report: &Report) -> String {
    let Some(explanation) = report.explanations.first() else {
        return format!("nothing explains {:?}", report.verdict);
    };
    let mut parts: Vec<String> = explanation
        .parts
        .iter()
        .map(|part| format!("{} => {}", part.finding, said(&part.remedy)))
        .collect();
    if let Some(at) = explanation.at {
        parts.push(format!("at {at}"));
    }
    parts.join(" && ")
}

/// A secret in every form in which it might slip out.
fn forms(secret: &str) -> BTreeSet<String> {
    let mut keys: Vec<Vec<u8>> = vec![
        secret.as_bytes().to_vec(),
        secret.trim().as_bytes().to_vec(),
    ];
    let bare = secret.strip_prefix("whsec_").unwrap_or(secret);
    keys.extend(STANDARD.decode(bare));
    keys.extend(hex::decode(secret));
    keys.extend(
        secret
            .split_once(':')
            .map(|(_, password)| password.as_bytes().to_vec()),
    );
    let mut forms = BTreeSet::new();
    for key in keys {
        forms.insert(STANDARD.encode(&key));
        forms.insert(STANDARD.encode(&key).trim_end_matches('=').to_owned());
        forms.insert(hex::encode(&key));
        forms.insert(hex::encode_upper(&key));
        if let Ok(text) = String::from_utf8(key) {
            forms.insert(text.to_lowercase());
            forms.insert(text.to_uppercase());
            forms.insert(text);
        }
    }
    forms.retain(|form| form.len() >= 4);
    forms
}

fn shows_no_secret(report: &Report, secrets: &[&str], request: &Received, name: &str) {
    let shown = format!("{report:?}");
    for secret in secrets {
        for form in forms(secret) {
            assert!(!shown.contains(&form), "{name}: {form} in {shown}");
        }
    }
    // Nor any signature, right or wrong.
    for (_, value) in &request.headers {
        for part in value
            .to_str()
            .unwrap_or_default()
            .split([',', ' ', '=', ';'])
        {
            if part.len() >= 27 {
                assert!(!shown.contains(part), "{name}: {part} in {shown}");
            }
        }
    }
}

const HEX: &str = r#"{"type": "hmac", "signature_header": "X-Sig", "encoding": "hex"}"#;
const TIMED: &str = r#"{"type": "hmac", "signature_header": "X-Sig", "encoding": "hex", "signed": "{timestamp}.{body}", "timestamp": {"source": "header:X-Time", "format": "unix_s"}}"#;
const TOKEN: &str = r#"{"type": "token", "token_source": "header:X-Token"}"#;

fn hex_with(key: &str, value: Value) -> String {
    let mut settings: Value = serde_json::from_str(HEX).unwrap();
    settings[key] = value;
    settings.to_string()
}

fn timed_with(key: &str, value: Value) -> String {
    let mut settings: Value = serde_json::from_str(TIMED).unwrap();
    *settings.pointer_mut(key).unwrap() = value;
    settings.to_string()
}

/// A mistake: how the gateway is set up, its secret, the request, and words of the advice.
type Row<'a> = (&'a str, &'a str, &'a str, Received, &'a str);

fn check(rows: Vec<Row<'_>>) {
    let mut wrong = Vec::new();
    for (name, gateway, given, request, expected) in rows {
        let report = examined(gateway, given, &request);
        shows_no_secret(&report, &[given, SECRET, "another-secret"], &request, name);
        let advice = first(&report);
        if !advice.contains(expected) {
            wrong.push(format!("{name}: expected {expected:?}, but: {advice}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_genuine_request_gets_no_advice() {
    // With what some of them sign of it, or write to it.
    let body = br#"{"id":1,"dateNotification":"2026-01-15T10:30:00Z","action":"Modified","urlReference":"https://api.example/1",
        "webhookCallbackSecurity":{"nonce":"n-1"},"value":[{}]}"#;
    // Where a sender publishes its keys, the doctor has none of them.
    let with_secret = |preset: &&presets::Preset| preset.verify_settings().needs_secret();
    for preset in presets::all().iter().filter(with_secret) {
        let given = if preset.name == "pipedrive" {
            "ana:c0ffee"
        } else {
            SECRET
        };
        // Those with published keys have no sender that a secret makes.
        if Verifier::new(preset.verify_settings(), &[secret("A", given)]).is_err() {
            continue;
        }
        let settings = Settings::of_preset(preset);
        assert_eq!(
            settings.read().unwrap(),
            preset.verify_settings(),
            "{}",
            preset.name
        );
        let sender = Sender::new(preset.name).secret(given).body(body);
        let request = sender.sign().into_received(now());
        let report = examined(preset.name, given, &request);
        assert!(
            matches!(report.verdict, Verdict::Genuine(_)),
            "{}: {report:?}",
            preset.name
        );
        assert_eq!((report.explanations.len(), report.tries), (0, 0));
        shows_no_secret(&report, &[given], &request, preset.name);
    }
}

#[test]
fn where_nothing_explains_a_refusal_the_report_says_what_cannot_be_seen() {
    let request = arrived(Sender::new(TIMED).secret("nobody knows it").sign());
    let report = examined(TIMED, SECRET, &request);
    assert_eq!(report.verdict, Verdict::Refused(Refusal::NoMatch));
    assert!(
        report.explanations.is_empty() && !report.is_cut,
        "{report:?}"
    );
    assert!(report.tries > 1_000, "{}", report.tries);
    assert_eq!(report.unseen.len(), 3);
    assert!(report.unseen[0].contains("another secret"));
    let masked = Received {
        headers: HeaderMap::from_iter([(
            HeaderName::from_static("x-sig"),
            HeaderValue::from_static("[REDACTED]"),
        )]),
        ..request
    };
    let report = examined(HEX, SECRET, &masked);
    assert!(
        report.seen.iter().any(|seen| seen.found.contains("masked")),
        "{report:?}"
    );
}

#[test]
fn the_work_is_bounded() {
    let mut request = arrived(Sender::new(TIMED).secret("nobody knows it").sign());
    request.body = vec![b'x'; 64 * 1024].into();
    let settings = settings(TIMED);
    let case = Case {
        settings: &settings,
        secrets: &[secret("env:CRM_SECRET", SECRET)],
        public_keys: &[],
        key_set: None,
        others: &[],
        request: &request,
        now: now(),
    };
    for (bounds, expected) in [
        (Bounds { tries: 7, ..BOUNDS }, 7),
        (
            // Two bodies written anew, and what is left.
            Bounds {
                bytes: 12 * 64 * 1024,
                ..BOUNDS
            },
            9,
        ),
    ] {
        let found = search(&case, bounds);
        assert_eq!((found.is_cut, found.tries), (true, expected));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]

    /// Whatever arrives, an examination ends, explains nothing that is not so, and shows nothing secret.
    #[test]
    fn strangers_are_examined_in_bounds(
        which in 0usize..100,
        value in "[ -~]{0,60}",
        body in proptest::collection::vec(proptest::num::u8::ANY, 0..60),
    ) {
        let preset = &presets::all()[which % presets::all().len()];
        let mut request = Sender::new(preset.name).secret("ana:forged").sign_or_not();
        for name in ["authorization", "x-sig"] {
            request.headers.insert(name, value.parse().unwrap());
        }
        request.body = body.into();
        let request = request.into_received(now());
        let given = "ana:0f0f0f0f0f0f";
        let report = examined(preset.name, given, &request);
        proptest::prop_assert!(!matches!(report.verdict, Verdict::Genuine(_)));
        shows_no_secret(&report, &[given], &request, preset.name);
    }
}

impl Sender<'_> {
    /// The signed request; unsigned where the secret does not fit the settings.
    fn sign_or_not(self) -> Outgoing {
        let Ok(settings) = settings(self.settings).read() else {
            return self.request;
        };
        match Verifier::new(settings, &[secret("SENDER", self.secret)]) {
            Ok(verifier) => verifier
                .sign(self.request.clone(), "msg_1", self.at)
                .unwrap_or(self.request),
            Err(_) => self.request,
        }
    }
}

#[test]
fn the_forms_of_a_secret_are_looked_for() {
    // The search itself is tested, or it would prove nothing.
    let found = forms("whsec_AAECAw==");
    for form in ["whsec_AAECAw==", "00010203", "AAECAw"] {
        assert!(found.contains(form), "{form}: {found:?}");
    }
    assert_eq!(secret("a", "b").value.expose_secret(), "b");
}
