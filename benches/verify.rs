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

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use quentli_gateway::verify::{Outgoing, SigningSecret, Verifier, presets};
use sha2::Sha256;

const BODY_BYTES: usize = 2048;
const KEY: &[u8] = b"a-secret-for-measuring!!";
/// Requests in one half of a turn: long enough to be timed, short enough that nothing else comes between the halves.
const PER_TURN: u32 = 1000;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        // Cargo adds `--bench`.
        .filter(|argument| !argument.starts_with('-'));
    let turns: usize = arguments
        .next_back()
        .map_or(201, |text| text.parse().unwrap());
    println!("{turns} turns of {PER_TURN} requests, bodies of {BODY_BYTES} bytes");
    println!(
        "{:>20}  {:>8}  {:>8}  {:>6}",
        "preset", "bare ns", "here ns", "ratio"
    );
    let text = || String::from_utf8(KEY.to_vec()).unwrap();
    measure("github", text(), |_| Vec::new(), turns);
    measure("slack", text(), |time| format!("v0:{time}:").into(), turns);
    measure("stripe", text(), |time| format!("{time}.").into(), turns);
    measure(
        "standard-webhooks",
        format!("whsec_{}", STANDARD.encode(KEY)),
        |time| format!("msg_1.{time}.").into(),
        turns,
    );
}

/// Compares a preset with an HMAC-SHA256 of what it signs: `front` (of the time) and then the body.
fn measure(preset: &str, secret: String, front: impl Fn(i64) -> Vec<u8>, turns: usize) {
    let now = Timestamp::from_second(1_760_000_000).unwrap();
    let secret = SigningSecret {
        name: "SECRET".to_owned(),
        value: secret.into(),
        until: None,
    };
    let settings = presets::find(preset).unwrap().verify_settings();
    let verifier = Verifier::new(settings, &[secret]).unwrap();
    let request = verifier.sign(request(), "msg_1", now).unwrap();
    let signed = [front(now.as_second()).as_slice(), &request.body].concat();
    let key = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    let mut received = Some(request.into_received(now));

    let mut bare = || {
        let mut mac = key.clone();
        mac.update(black_box(&signed));
        black_box(mac.finalize());
    };
    let mut whole = || {
        let outcome = verifier.verify(black_box(received.take().unwrap()), now);
        received = Some(black_box(outcome).unwrap().into_received());
    };
    let mut measured: Vec<(Duration, Duration)> = (0..turns)
        .map(|_| (timed(&mut bare), timed(&mut whole)))
        .collect();
    let ratio = |(bare, whole): &(Duration, Duration)| whole.as_secs_f64() / bare.as_secs_f64();
    measured.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let middle = &measured[turns / 2];
    println!(
        "{preset:>20}  {:>8}  {:>8}  {:>6.2}",
        (middle.0 / PER_TURN).as_nanos(),
        (middle.1 / PER_TURN).as_nanos(),
        ratio(middle)
    );
}

fn timed(mut work: impl FnMut()) -> Duration {
    let started = Instant::now();
    for _ in 0..PER_TURN {
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
