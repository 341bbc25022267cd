//! What verification costs: `Verifier::verify` of a request with a body of 2 KB beside the bare cryptography of the
//! same bytes by the same crates with a prepared key, so that the ratio says what everything around it costs.
//!
//! Both sides run in turns of a few milliseconds; the median of the turns' ratios counts. Read the ratios, not the
//! times: they move with the machine. The goal for keyed hashes is a ratio of at most 1.5.
//!
//! ```text
//! cargo bench --bench verify            # 201 turns
//! cargo bench --bench verify -- 1001    # turns
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measuring program: it stops at the first surprise and prints figures for people"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use quentli_gateway::verify::{Outgoing, PrivateKey, PublicKey, SigningSecret, Verifier, presets};
use sha2::Sha256;

const BODY_BYTES: usize = 2048;
const KEY: &[u8] = b"a-secret-for-measuring!!";
const NOW: i64 = 1_760_000_000;
/// Requests in one half of a turn: long enough to be timed, short enough that nothing else comes between the halves.
const HASHES: u32 = 1000;
/// Signatures by a private key take some tens of microseconds to check.
const SIGNATURES: u32 = 50;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        // Cargo adds `--bench`.
        .filter(|argument| !argument.starts_with('-'));
    let turns: usize = arguments.next().map_or(201, |text| text.parse().unwrap());
    println!("{turns} turns, bodies of {BODY_BYTES} bytes");
    println!(
        "{:>25}  {:>8}  {:>8}  {:>6}",
        "preset", "bare ns", "here ns", "ratio"
    );
    let text = || String::from_utf8(KEY.to_vec()).unwrap();
    hash("github", text(), "", turns);
    hash("slack", text(), &format!("v0:{NOW}:"), turns);
    hash("stripe", text(), &format!("{NOW}."), turns);
    let whsec = format!("whsec_{}", STANDARD.encode(KEY));
    hash("standard-webhooks", whsec, &format!("msg_1.{NOW}."), turns);
    public_key(
        "standard-webhooks-ed25519",
        include_str!("../src/verify/keys/ed25519.pem"),
        &ED25519,
        &format!("msg_1.{NOW}."),
        turns,
    );
    public_key(
        "sendgrid",
        include_str!("../src/verify/keys/p256.pem"),
        &ECDSA_P256_SHA256_ASN1,
        &NOW.to_string(),
        turns,
    );
    public_key(
        "conekta",
        include_str!("../src/verify/keys/rsa-2048.pem"),
        &RSA_PKCS1_2048_8192_SHA256,
        "",
        turns,
    );
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// Compares a preset with an HMAC-SHA256 of what it signs: `front` and then the body.
fn hash(preset: &str, secret: String, front: &str, turns: usize) {
    let secret = SigningSecret {
        name: "SECRET".to_owned(),
        value: secret.into(),
        until: None,
    };
    let settings = presets::find(preset).unwrap().verify_settings();
    let verifier = Verifier::new(settings, &[secret]).unwrap();
    let request = verifier.sign(request(), "msg_1", now()).unwrap();
    let signed = [front.as_bytes(), &request.body].concat();
    let key = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    let bare = || {
        let mut mac = key.clone();
        mac.update(black_box(&signed));
        black_box(mac.finalize());
    };
    measure(preset, &verifier, request, bare, HASHES, turns);
}

/// Compares a preset with the check of the same signature by a key that is read already.
fn public_key(
    preset: &str,
    private: &str,
    algorithm: &'static dyn VerificationAlgorithm,
    front: &str,
    turns: usize,
) {
    let private = PrivateKey::read(&private.into()).unwrap();
    let text = private.public_key();
    let key = ParsedPublicKey::new(algorithm, STANDARD.decode(&text).unwrap()).unwrap();
    let public = PublicKey {
        name: "KEY".to_owned(),
        text,
        until: None,
    };
    let settings = presets::find(preset).unwrap().verify_settings();
    let header = settings.secret_headers()[0].clone();
    let verifier = Verifier::with_public_keys(settings, &[public]).unwrap();
    let request = verifier
        .sign_with(request(), "msg_1", now(), &private)
        .unwrap();
    let signed = [front.as_bytes(), &request.body].concat();
    let written = request.headers[header].to_str().unwrap();
    let signature = STANDARD.decode(written.trim_start_matches("v1a,")).unwrap();
    let bare = || key.verify_sig(black_box(&signed), &signature).unwrap();
    measure(preset, &verifier, request, bare, SIGNATURES, turns);
}

fn measure(
    preset: &str,
    verifier: &Verifier,
    request: Outgoing,
    mut bare: impl FnMut(),
    per_turn: u32,
    turns: usize,
) {
    let mut received = Some(request.into_received(now()));
    let mut whole = || {
        let outcome = verifier.verify(black_box(received.take().unwrap()), now());
        received = Some(black_box(outcome).unwrap().into_received());
    };
    let mut measured: Vec<(Duration, Duration)> = (0..turns)
        .map(|_| (timed(per_turn, &mut bare), timed(per_turn, &mut whole)))
        .collect();
    let ratio = |(bare, whole): &(Duration, Duration)| whole.as_secs_f64() / bare.as_secs_f64();
    measured.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let middle = &measured[turns / 2];
    println!(
        "{preset:>25}  {:>8}  {:>8}  {:>6.2}",
        (middle.0 / per_turn).as_nanos(),
        (middle.1 / per_turn).as_nanos(),
        ratio(middle)
    );
}

fn timed(times: u32, mut work: impl FnMut()) -> Duration {
    let started = Instant::now();
    for _ in 0..times {
        work();
    }
    started.elapsed()
}

/// As it comes from a sender through a proxy: some headers, and a body that is JSON.
fn request() -> Outgoing {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::HOST, "hooks.example"),
        (header::USER_AGENT, "Sender/1.0"),
        (header::CONTENT_TYPE, "application/json"),
        (header::ACCEPT, "*/*"),
        (header::ACCEPT_ENCODING, "gzip"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let frame = r#"{"type":"contact.updated","notes":""}"#.len();
    let notes = "x".repeat(BODY_BYTES - frame);
    Outgoing {
        method: Method::POST,
        url: "https://hooks.example/webhooks/crm".to_owned(),
        headers,
        body: Bytes::from(format!(r#"{{"type":"contact.updated","notes":"{notes}"}}"#)),
    }
}
