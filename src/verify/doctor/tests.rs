//! Each mistake that the doctor knows, made by signing honestly under other settings, and the advice that comes of it.

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
use crate::verify::{Outgoing, PrivateKey, PublicKey, Verifier, presets};

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
fn secrets_that_are_read_in_another_way_are_found() {
    let decoded_hex = hex_with("secret_encoding", json!("hex"));
    let decoded_base64 = hex_with("secret_encoding", json!("base64"));
    let key = STANDARD.encode([1_u8; 24]);
    let whsec = format!("whsec_{key}");
    let standard = "standard-webhooks";
    let mut stripe: Value = serde_json::from_str(HEX).unwrap();
    stripe["secret_encoding"] = json!("whsec");
    let stripe = stripe.to_string();
    check(vec![
        (
            "hex",
            HEX,
            SECRET,
            arrived(Sender::new(&decoded_hex).sign()),
            "secret_encoding: hex",
        ),
        (
            "text",
            &decoded_hex,
            SECRET,
            arrived(Sender::new(HEX).sign()),
            "secret_encoding: utf8",
        ),
        (
            "base64",
            HEX,
            &key,
            arrived(Sender::new(&decoded_base64).secret(&key).sign()),
            "secret_encoding: base64",
        ),
        (
            "whsec decoded",
            HEX,
            &whsec,
            arrived(Sender::new(&stripe).secret(&whsec).sign()),
            "secret_encoding: whsec",
        ),
        (
            "whsec kept",
            &stripe,
            &whsec,
            arrived(Sender::new(HEX).secret(&whsec).sign()),
            "secret_encoding: utf8",
        ),
        (
            "not decodable",
            &decoded_hex,
            "plain words",
            arrived(Sender::new(HEX).secret("plain words").sign()),
            "secret_encoding: utf8",
        ),
        (
            "standard as text",
            standard,
            &whsec,
            arrived(
                Sender::new(&{
                    let mut keys = settings(standard).with(&[("secret_encoding".into(), None)]);
                    keys = keys.with(&[]);
                    Value::Object(
                        keys.keys()
                            .map(|(key, value)| (key.to_owned(), value.clone()))
                            .collect(),
                    )
                    .to_string()
                })
                .secret(&whsec)
                .sign(),
            ),
            "secret_encoding: utf8",
        ),
    ]);
}

#[test]
fn what_came_along_with_a_secret_is_found() {
    let signed = |secret: &str| arrived(Sender::new(HEX).secret(secret).sign());
    check(vec![
        (
            "line end",
            HEX,
            "c0ffee00c0ffee00\n",
            signed(SECRET),
            "white space, a line end",
        ),
        (
            "space",
            HEX,
            " c0ffee00c0ffee00",
            signed(SECRET),
            "white space, a line end",
        ),
        (
            "mark",
            HEX,
            "\u{feff}c0ffee00c0ffee00",
            signed(SECRET),
            "byte order mark",
        ),
        (
            "quotes",
            HEX,
            "\"c0ffee00c0ffee00\"",
            signed(SECRET),
            "quotes around it",
        ),
        (
            "prefix",
            HEX,
            "whsec_c0ffee00c0ffee00",
            signed(SECRET),
            "begins with `whsec_`",
        ),
        (
            "no prefix",
            HEX,
            "c0ffee00c0ffee00",
            signed("whsec_c0ffee00c0ffee00"),
            "lacks `whsec_`",
        ),
        (
            "name",
            HEX,
            "CRM_SECRET=c0ffee00c0ffee00",
            signed(SECRET),
            "name of a variable",
        ),
        (
            "line end there",
            HEX,
            SECRET,
            signed("c0ffee00c0ffee00\n"),
            "line end at its end on the sender's side",
        ),
        (
            "escapes",
            HEX,
            "c0ff%2Be",
            signed("c0ff+e"),
            "percent escapes",
        ),
        (
            "capitals",
            HEX,
            "C0FFEE00C0FFEE00",
            signed(SECRET),
            "capital letters",
        ),
        (
            "other",
            HEX,
            SECRET,
            signed("another-secret"),
            "env:OTHER of the source `other` => the two were swapped",
        ),
    ]);
    let old = SigningSecret {
        until: Some(now() - SignedDuration::from_hours(24)),
        ..secret("env:OLD", "old-secret")
    };
    let report = examine(Case {
        settings: &settings(HEX),
        secrets: &[secret("env:NEW", SECRET), old],
        public_keys: &[],
        others: &[],
        request: &signed("old-secret"),
        now: now(),
    });
    let advice = first(&report);
    assert!(
        advice.contains("env:OLD, which ended at 2025-10-08"),
        "{advice}"
    );
}

#[test]
fn another_place_or_way_of_writing_is_found() {
    let header = hex_with("signature_header", json!("X-Other"));
    let prefixed = hex_with(
        "signature_format",
        json!({"style": "prefix", "prefix": "sha256="}),
    );
    let paired = hex_with("signature_format", json!({"style": "pairs", "key": "v1"}));
    let listed = hex_with(
        "signature_format",
        json!({"style": "list", "version": "v1"}),
    );
    let base64 = hex_with("encoding", json!("base64"));
    let base64url = hex_with("encoding", json!("base64url"));
    let sha1 = hex_with("algorithm", json!("sha1"));
    let sha512 = hex_with("algorithm", json!("sha512"));
    let sign = |settings: &str| arrived(Sender::new(settings).sign());
    let mut upper = sign(HEX);
    let value = upper.headers["x-sig"].to_str().unwrap().to_uppercase();
    upper.headers.insert("x-sig", value.parse().unwrap());
    let mut twice = sign(HEX);
    twice
        .headers
        .append("x-sig", HeaderValue::from_static("00"));
    check(vec![
        (
            "header",
            HEX,
            SECRET,
            sign(&header),
            "signature_header: x-other",
        ),
        (
            "prefix left in",
            HEX,
            SECRET,
            sign(&prefixed),
            r#"signature_format: {"prefix":"sha256=","style":"prefix"}"#,
        ),
        (
            "prefix missing",
            &prefixed,
            SECRET,
            sign(HEX),
            "no signature_format",
        ),
        ("pairs", HEX, SECRET, sign(&paired), "behind `v1=`"),
        ("list", HEX, SECRET, sign(&listed), "behind `v1,`"),
        ("base64", HEX, SECRET, sign(&base64), "encoding: base64"),
        ("hex", &base64, SECRET, sign(HEX), "encoding: hex"),
        (
            "base64url",
            &base64,
            SECRET,
            sign(&base64url),
            "encoding: base64url",
        ),
        ("sha1", HEX, SECRET, sign(&sha1), "algorithm: sha1"),
        ("sha512", HEX, SECRET, sign(&sha512), "algorithm: sha512"),
        (
            "all at once",
            &header,
            SECRET,
            sign("typeform"),
            "signature_header: typeform-signature",
        ),
        (
            "headers of other names",
            TIMED,
            SECRET,
            sign(
                &TIMED
                    .replace("X-Sig", "X-Other")
                    .replace("X-Time", "X-When")
                    .replace("}.{", "}{"),
            ),
            "signature_header: x-other, timestamp.source: header:x-when && what is signed is `{timestamp}{body}`",
        ),
        (
            "upper case",
            HEX,
            SECRET,
            upper,
            "in upper-case digits => have the sender write it in lower case",
        ),
        (
            "twice",
            HEX,
            SECRET,
            twice,
            "is there 2 times, and the first is the right one",
        ),
    ]);
}

#[test]
fn another_signed_text_is_found() {
    let sign = |settings: &str| arrived(Sender::new(settings).sign());
    let with_text = |text: &str| timed_with("/signed", json!(text));
    let digest = r#"{"type": "digest", "signature_header": "X-Sig", "encoding": "hex", "signed": "{secret}{body}"}"#;
    let with_id = r#"{"type": "hmac", "signature_header": "X-Sig", "encoding": "hex", "signed": "{id}.{timestamp}.{body}", "id_header": "X-Event-Id", "timestamp": {"source": "header:X-Time", "format": "unix_s"}}"#;
    let other_id = with_id.replace("X-Event-Id", "X-Delivery-Id");
    let mut both_ids = sign(with_id);
    both_ids
        .headers
        .insert("x-delivery-id", HeaderValue::from_static("other"));
    let in_url = hex_with("signed", json!("{url}{body}"));
    check(vec![
        (
            "colon",
            TIMED,
            SECRET,
            sign(&with_text("{timestamp}:{body}")),
            "`{timestamp}:{body}`",
        ),
        (
            "order",
            TIMED,
            SECRET,
            sign(&with_text("{body}{timestamp}")),
            "signed: {body}{timestamp}",
        ),
        (
            "time added",
            HEX,
            SECRET,
            sign(TIMED),
            r#"timestamp: {"format":"unix_s","source":"header:x-time"}"#,
        ),
        (
            "time left out",
            TIMED,
            SECRET,
            {
                let mut request = sign(HEX);
                request
                    .headers
                    .insert("x-time", HeaderValue::from_static("1760000000"));
                request
            },
            "signed: {body}, no timestamp",
        ),
        (
            "id left out",
            with_id,
            SECRET,
            {
                let mut request = sign(TIMED);
                request
                    .headers
                    .insert("x-event-id", HeaderValue::from_static("e"));
                request
            },
            "signed: {timestamp}.{body}, no id_header",
        ),
        (
            "id added",
            TIMED,
            SECRET,
            sign(with_id),
            "id_header: x-event-id",
        ),
        (
            "other id",
            &other_id,
            SECRET,
            both_ids,
            "id_header: x-event-id",
        ),
        (
            "digest",
            HEX,
            SECRET,
            sign(digest),
            "type: digest, signed: {secret}{body}",
        ),
        (
            "keyed",
            digest,
            SECRET,
            sign(HEX),
            "type: hmac, signed: {body}",
        ),
        ("address", HEX, SECRET, sign(&in_url), "signed: {url}{body}"),
        ("no address", &in_url, SECRET, sign(HEX), "signed: {body}"),
        (
            "decoded",
            "hubspot-v3",
            SECRET,
            sign(&{
                let keys = settings("hubspot-v3").with(&[(
                    "signed".into(),
                    Some(json!("{method}{url}{body}{timestamp}")),
                )]);
                Value::Object(
                    keys.keys()
                        .map(|(key, value)| (key.to_owned(), value.clone()))
                        .collect(),
                )
                .to_string()
            }),
            "with its percent escapes as they are",
        ),
    ]);
}

#[test]
fn times_are_found_to_be_wrong() {
    let milliseconds = timed_with("/timestamp/format", json!("unix_ms"));
    let written = timed_with("/timestamp/format", json!("rfc3339"));
    let elsewhere = timed_with("/timestamp/source", json!("header:X-Other-Time"));
    let later = |seconds: i64| now() + SignedDuration::from_secs(seconds);
    let sign = |settings: &str| arrived(Sender::new(settings).sign());
    let at = |seconds| arrived(Sender::new(TIMED).at(later(seconds)).sign());
    check(vec![
        (
            "milliseconds",
            TIMED,
            SECRET,
            sign(&milliseconds),
            "in milliseconds => timestamp.format: unix_ms",
        ),
        (
            "seconds",
            &milliseconds,
            SECRET,
            sign(TIMED),
            "timestamp.format: unix_s",
        ),
        (
            "text",
            TIMED,
            SECRET,
            sign(&written),
            "timestamp.format: rfc3339",
        ),
        (
            "place",
            TIMED,
            SECRET,
            sign(&elsewhere),
            "timestamp.source: header:x-other-time",
        ),
        ("old", TIMED, SECRET, at(-12_345), "at 2025-10-09T05:27:35Z"),
        ("early", TIMED, SECRET, at(600), "at 2025-10-09T09:03:20Z"),
        (
            "old, and another secret",
            TIMED,
            "c0ffee00c0ffee00\n",
            at(-12_345),
            "=> take it out && at 2025-10-09T05:27:35Z",
        ),
        (
            "stripe, weeks ago",
            "stripe",
            SECRET,
            arrived(Sender::new("stripe").at(later(-3_000_000)).sign()),
            "at 2025-09-04T15:33:20Z",
        ),
    ]);
}

#[test]
fn changed_bodies_are_found() {
    let value: Value = serde_json::from_str(BODY).unwrap();
    let json = json::Json::read(BODY).unwrap();
    let style = json::Style::default();
    let write = |style: json::Style| json.write(style).into_bytes();
    let unix = "{\n\"a\": 1\n}\n";
    let signed = |body: &[u8]| arrived(Sender::new(HEX).body(body).sign());
    let arrived_as = |signed: &[u8], body: &[u8]| Received {
        body: body.to_vec().into(),
        ..arrived(Sender::new(HEX).body(signed).sign())
    };
    check(vec![
        (
            "compact",
            HEX,
            SECRET,
            signed(&write(style)),
            "compact, as JavaScript writes it",
        ),
        (
            "indented",
            HEX,
            SECRET,
            signed(&write(json::Style {
                indent: Some((' ', 2)),
                ..style
            })),
            "indented by two spaces",
        ),
        (
            "sorted",
            HEX,
            SECRET,
            signed(&write(json::Style {
                is_sorted: true,
                ..style
            })),
            "compact, with sorted keys",
        ),
        (
            "php",
            HEX,
            SECRET,
            signed(&write(json::Style {
                escapes_slashes: true,
                is_ascii: true,
                ..style
            })),
            "as PHP writes it",
        ),
        (
            "python",
            HEX,
            SECRET,
            signed(&write(json::Style {
                is_spaced: true,
                is_ascii: true,
                ..style
            })),
            "as Python writes it",
        ),
        (
            "go",
            HEX,
            SECRET,
            signed(&write(json::Style {
                escapes_html: true,
                ..style
            })),
            "as Go writes it",
        ),
        (
            "python, sorted",
            HEX,
            SECRET,
            signed(&write(json::Style {
                is_sorted: true,
                is_spaced: true,
                is_ascii: true,
                ..style
            })),
            "with sorted keys and a space",
        ),
        (
            "line end of an editor",
            HEX,
            SECRET,
            arrived_as(b"a=b", b"a=b\n"),
            "an editor added the line end",
        ),
        (
            "line end lost",
            HEX,
            SECRET,
            arrived_as(b"a=b\n", b"a=b"),
            "with a line end (LF) at its end",
        ),
        (
            "to LF",
            HEX,
            SECRET,
            arrived_as(unix.replace('\n', "\r\n").as_bytes(), unix.as_bytes()),
            "line ends of CR LF instead of LF",
        ),
        (
            "to CR LF",
            HEX,
            SECRET,
            arrived_as(unix.as_bytes(), unix.replace('\n', "\r\n").as_bytes()),
            "line ends of LF instead of CR LF",
        ),
        (
            "mark",
            HEX,
            SECRET,
            arrived_as(b"a", "\u{feff}a".as_bytes()),
            "without its byte order mark",
        ),
        (
            "latin",
            HEX,
            SECRET,
            arrived_as(b"\xf1", "ñ".as_bytes()),
            "in ISO-8859-1",
        ),
        ("empty", HEX, SECRET, signed(b""), "signed empty"),
        (
            "with another encoding",
            HEX,
            SECRET,
            arrived(
                Sender::new(&hex_with("encoding", json!("base64")))
                    .body(&write(style))
                    .sign(),
            ),
            "encoding: base64 && the body is JSON",
        ),
    ]);
    assert_eq!(value["id"], "ev-1");
}

#[test]
fn other_addresses_are_found() {
    let sign = |url: &str| arrived(Sender::new("square").url(url).sign());
    let hosted = |mut request: Received, name: &'static str, host: &str| {
        request
            .headers
            .insert(HeaderName::from_static(name), host.parse().unwrap());
        request
    };
    let path = "/webhooks/crm?a=b%2Fc";
    check(vec![
        (
            "http",
            "square",
            SECRET,
            sign(&format!("http://hooks.school.mx{path}")),
            "public_url http://hooks.school.mx",
        ),
        (
            "port",
            "square",
            SECRET,
            sign(&format!("https://hooks.school.mx:443{path}")),
            "public_url https://hooks.school.mx:443",
        ),
        (
            "host",
            "square",
            SECRET,
            hosted(
                sign(&format!("https://gw.example{path}")),
                "host",
                "gw.example",
            ),
            "public_url https://gw.example",
        ),
        (
            "forwarded",
            "square",
            SECRET,
            hosted(
                sign(&format!("https://gw.example{path}")),
                "x-forwarded-host",
                "gw.example",
            ),
            "public_url https://gw.example",
        ),
        (
            "slash",
            "square",
            SECRET,
            sign("https://hooks.school.mx/webhooks/crm/?a=b%2Fc"),
            "with a slash at the end",
        ),
        (
            "query",
            "square",
            SECRET,
            sign("https://hooks.school.mx/webhooks/crm"),
            "without its query",
        ),
        (
            "decoded",
            "square",
            SECRET,
            sign("https://hooks.school.mx/webhooks/crm?a=b/c"),
            "percent escapes decoded",
        ),
        (
            "prefix",
            "square",
            SECRET,
            sign(&format!("https://hooks.school.mx/api{path}")),
            "with `/api` before its path",
        ),
        (
            "forwarded prefix",
            "square",
            SECRET,
            hosted(
                sign(&format!("https://hooks.school.mx/edge{path}")),
                "x-forwarded-prefix",
                "/edge",
            ),
            "with `/edge` before its path",
        ),
        (
            "both",
            "square",
            SECRET,
            sign("http://hooks.school.mx/webhooks/crm"),
            "public_url: http://hooks.school.mx",
        ),
    ]);
}

#[test]
fn other_schemes_are_found() {
    let sign = |settings: &str| arrived(Sender::new(settings).sign());
    check(vec![
        (
            "github",
            HEX,
            SECRET,
            sign("github"),
            "signature_header: x-hub-signature-256",
        ),
        ("slack", "github", SECRET, sign("slack"), "preset slack"),
        (
            "hubspot",
            "hubspot-v3",
            SECRET,
            sign("hubspot-v1"),
            "preset hubspot-v1",
        ),
        (
            "dreamclass",
            HEX,
            SECRET,
            Received {
                body: Sender::new("dreamclass").sign().body,
                ..sign(HEX)
            },
            "preset dreamclass",
        ),
        (
            "token",
            HEX,
            SECRET,
            sign(TOKEN),
            "the secret itself is in `header:x-token`, with nothing before it, as a token => token_source: header:x-token, type: token",
        ),
        (
            "basic",
            HEX,
            "ana:c0ffee",
            arrived(Sender::new("pipedrive").secret("ana:c0ffee").sign()),
            "type: basic",
        ),
        (
            "version",
            "hubspot-v1",
            SECRET,
            {
                let mut request = sign("hubspot-v1");
                request.headers.insert(
                    "x-hubspot-signature-version",
                    HeaderValue::from_static("v2"),
                );
                request
            },
            "is `v2`, not `v1`, and everything else is right",
        ),
    ]);
}

#[test]
fn tokens_are_found_where_they_are() {
    let bearer =
        r#"{"type": "token", "token_source": "header:Authorization", "token_prefix": "Bearer "}"#;
    let bare = r#"{"type": "token", "token_source": "header:Authorization"}"#;
    let query = r#"{"type": "token", "token_source": "query:key"}"#;
    let body = r#"{"type": "token", "token_source": "json:auth.token"}"#;
    let sign = |settings: &str| Sender::new(settings).sign().into_received(now());
    let with = |value: &str| {
        let mut request = sign(bearer);
        request
            .headers
            .insert("authorization", value.parse().unwrap());
        request
    };
    check(vec![
        ("no prefix", bearer, SECRET, sign(bare), "no token_prefix"),
        (
            "prefix",
            bare,
            SECRET,
            sign(bearer),
            "behind `Bearer ` => token_prefix: Bearer ",
        ),
        (
            "doubled",
            bearer,
            SECRET,
            with(&format!("Bearer Bearer {SECRET}")),
            "behind `Bearer Bearer `",
        ),
        (
            "lower case",
            bearer,
            SECRET,
            with(&format!("bearer {SECRET}")),
            "token_prefix: bearer ",
        ),
        (
            "query",
            TOKEN,
            SECRET,
            sign(query),
            "token_source: query:key",
        ),
        (
            "body",
            TOKEN,
            SECRET,
            sign(body),
            "token_source: json:auth.token",
        ),
        (
            "header",
            body,
            SECRET,
            sign(TOKEN),
            "token_source: header:x-token",
        ),
        (
            "space",
            TOKEN,
            "c0ffee00c0ffee00 ",
            sign(TOKEN),
            "white space",
        ),
        ("case", TOKEN, "C0FFEE00C0FFEE00", sign(TOKEN), "capital"),
        (
            "base64",
            TOKEN,
            SECRET,
            arrived(Sender::new(TOKEN).secret(&STANDARD.encode(SECRET)).sign()),
            "is written in base64",
        ),
        (
            "other",
            TOKEN,
            SECRET,
            arrived(Sender::new(TOKEN).secret("another-secret").sign()),
            "env:OTHER",
        ),
        (
            "github for a token",
            TOKEN,
            SECRET,
            sign("github"),
            "preset github",
        ),
    ]);
}

#[test]
fn users_and_passwords_are_compared() {
    let given = "ana:c0ffee:00";
    let with = |value: &str| {
        let mut request = arrived(unsigned());
        request
            .headers
            .insert("authorization", value.parse().unwrap());
        request
    };
    let basic = |text: &str| with(&format!("Basic {}", STANDARD.encode(text)));
    check(vec![
        (
            "user",
            "pipedrive",
            given,
            basic("eva:c0ffee:00"),
            "the password is right, and the user name is not",
        ),
        (
            "password",
            "pipedrive",
            given,
            basic("ana:c0ffee"),
            "the user name is right, and the password is not",
        ),
        (
            "case",
            "pipedrive",
            given,
            basic("ana:C0FFEE:00"),
            "differs in capital",
        ),
        (
            "swapped",
            "pipedrive",
            "ana:eva",
            basic("eva:ana"),
            "swapped",
        ),
        ("colon", "pipedrive", given, basic("c0ffee"), "no colon"),
        (
            "line end",
            "pipedrive",
            given,
            basic("ana:c0ffee:00\n"),
            "white space or a line end",
        ),
        (
            "clear",
            "pipedrive",
            given,
            with("Basic ana:c0ffee:00"),
            "not encoded in base64",
        ),
        (
            "no base64",
            "pipedrive",
            given,
            with("Basic !"),
            "is not the base64 of a text",
        ),
        (
            "bearer",
            "pipedrive",
            given,
            with("Bearer abc"),
            "`Bearer` credentials",
        ),
        (
            "nothing",
            "pipedrive",
            given,
            with("c0ffee"),
            "does not begin with `Basic`",
        ),
        (
            "alphabet",
            "pipedrive",
            "ana:???>>>",
            with(&format!(
                "Basic {}",
                STANDARD
                    .encode("ana:???>>>")
                    .replace('/', "_")
                    .replace('+', "-")
            )),
            "not written in the usual way",
        ),
        (
            "line end here",
            "pipedrive",
            "ana:c0ffee:00\n",
            basic(given),
            "white space or a line end",
        ),
        (
            "token",
            "pipedrive",
            given,
            arrived(Sender::new(TOKEN).secret(given).sign()),
            "type: token",
        ),
    ]);
}

const P256: &str = include_str!("../keys/p256.pem");
const RSA: &str = include_str!("../keys/rsa-2048.pem");
const PUBLIC: &str = r#"{"type": "public-key", "algorithm": "ecdsa-p256-sha256-der", "signature_header": "X-Sig", "encoding": "base64"}"#;

#[test]
fn signatures_of_private_keys_are_examined_as_others_are() {
    let hex = PUBLIC.replace("base64", "hex");
    let elsewhere = PUBLIC.replace("X-Sig", "X-Other");
    let timed = PUBLIC.replace(
        "\"encoding\"",
        r#""signed": "{timestamp}{body}", "timestamp": {"source": "header:X-Time", "format": "unix_s"}, "encoding""#,
    );
    let rsa = PUBLIC.replace("ecdsa-p256-sha256-der", "rsa-pkcs1-sha256");
    let ended = now() - SignedDuration::from_hours(1);
    for (name, sender, private, gateway, public, until, expected) in [
        (
            "header",
            &elsewhere,
            P256,
            PUBLIC,
            P256,
            None,
            "signature_header: x-other",
        ),
        (
            "signed text",
            &timed,
            P256,
            PUBLIC,
            P256,
            None,
            "signed: {timestamp}{body}",
        ),
        (
            "body",
            &PUBLIC.to_owned(),
            P256,
            &timed,
            P256,
            None,
            "signed: {body}",
        ),
        (
            "algorithm",
            &rsa,
            RSA,
            PUBLIC,
            RSA,
            None,
            "algorithm: rsa-pkcs1-sha256",
        ),
        (
            "encoding",
            &PUBLIC.to_owned(),
            P256,
            &hex,
            P256,
            None,
            "encoding: base64",
        ),
        (
            "wrong key",
            &rsa,
            RSA,
            PUBLIC,
            P256,
            None,
            "nothing explains",
        ),
        (
            "ended key",
            &PUBLIC.to_owned(),
            P256,
            PUBLIC,
            P256,
            Some(ended),
            "public key 1, which ended at",
        ),
    ] {
        let key = PrivateKey::read(&private.into()).unwrap();
        let text = |private: &str| PrivateKey::read(&private.into()).unwrap().public_key();
        let public_key = |text: String, until| PublicKey {
            name: "public key 1".into(),
            text,
            until,
        };
        let signer = Verifier::with_public_keys(
            settings(sender).read().unwrap(),
            &[public_key(key.public_key(), None)],
        );
        let request = signer
            .unwrap()
            .sign_with(unsigned(), "", now(), &key)
            .unwrap();
        let mut request = arrived(request);
        if gateway == timed {
            request
                .headers
                .insert("x-time", HeaderValue::from_static("1760000000"));
        }
        let settings = settings(gateway);
        let report = examine(Case {
            settings: &settings,
            secrets: &[],
            public_keys: &[public_key(text(public), until)],
            others: &[],
            request: &request,
            now: now(),
        });
        let advice = first(&report);
        assert!(advice.contains(expected), "{name}: {advice}");
    }
}

#[test]
fn a_genuine_request_gets_no_advice() {
    // Where a sender publishes its keys, the doctor has none of them.
    let with_secret = |preset: &&presets::Preset| preset.verify_settings().needs_secret();
    for preset in presets::all().iter().filter(with_secret) {
        let given = if preset.name == "pipedrive" {
            "ana:c0ffee"
        } else {
            SECRET
        };
        let settings = Settings::of_preset(preset);
        assert_eq!(
            settings.read().unwrap(),
            preset.verify_settings(),
            "{}",
            preset.name
        );
        let request = Sender::new(preset.name)
            .secret(given)
            .sign()
            .into_received(now());
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
        others: &[],
        request: &request,
        now: now(),
    };
    for (bounds, expected) in [
        (Bounds { tries: 7, ..BOUNDS }, 7),
        (
            Bounds {
                bytes: 9 * 64 * 1024,
                ..BOUNDS
            },
            8,
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
