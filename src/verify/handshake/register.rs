//! Handshakes by headers: a secret that is repeated and kept, and the permission that `CloudEvents` senders ask for.

use http::{HeaderName, HeaderValue, Method, header::ALLOW};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::{CloudEvents, HandshakeAnswer, HeaderEcho, Verdict};
use crate::verify::{
    Refusal,
    request::Request,
    secret::{Prepared, valid},
};

/// The shortest and the longest secret that is learned, in characters.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 16..=256;

/// A request that names a secret has a small body or none.
const MAX_BODY_BYTES: usize = 1024;

/// A name of the DNS has at most so many characters.
const MAX_ORIGIN_BYTES: usize = 253;

static REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
static ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
static ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// A `POST` that names the secret, and has no signature yet. Where the source has `established` secrets of its own, the
/// sender must name one of them.
pub(super) fn header_echo(
    settings: &HeaderEcho,
    established: &[Prepared<SecretString>],
    request: &Request<'_>,
    now: Timestamp,
) -> Verdict {
    let mut signatures = settings.signature_headers.iter();
    let is_signed = signatures.any(|name| request.headers.contains_key(name));
    if *request.method != Method::POST || is_signed || request.body.len() > MAX_BODY_BYTES {
        return Verdict::Event;
    }
    let value = match request.header(&settings.header) {
        Ok(Some(value)) => value,
        Ok(None) => return Verdict::Event,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    let is_visible = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let secret = value
        .to_str()
        .ok()
        .filter(|text| SECRET_LENGTH.contains(&text.len()))
        .filter(is_visible);
    let Some(secret) = secret else {
        return Verdict::Refused(Refusal::HandshakeMalformed);
    };
    let mut answer = HandshakeAnswer::empty();
    let mut value = value.clone();
    value.set_sensitive(true);
    answer.headers.insert(settings.header.clone(), value);
    let is_it = |known: &Prepared<SecretString>| {
        bool::from(
            known
                .key
                .expose_secret()
                .as_bytes()
                .ct_eq(secret.as_bytes()),
        )
    };
    if established.is_empty() {
        Verdict::Learn {
            secret: SecretString::from(secret),
            answer,
        }
    } else if valid(established, now).any(is_it) {
        Verdict::Answer(answer)
    } else {
        Verdict::Refused(Refusal::HandshakeEstablished)
    }
}

/// An `OPTIONS` that asks whether an origin may send. The permission is given at once, so an address in
/// `WebHook-Request-Callback`, by which it could be given later, is never called.
pub(super) fn cloud_events(settings: &CloudEvents, request: &Request<'_>) -> Verdict {
    if *request.method != Method::OPTIONS {
        return Verdict::Event;
    }
    let origin = match request.header(&REQUEST_ORIGIN) {
        Ok(Some(origin)) => origin,
        Ok(None) => return Verdict::Event,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    let is_known = |text: &str| {
        let mut origins = settings.origins.iter();
        settings.origins.is_empty() || origins.any(|known| known.eq_ignore_ascii_case(text))
    };
    match origin.to_str() {
        Ok(text) if !is_origin(text) => Verdict::Refused(Refusal::HandshakeMalformed),
        Ok(text) if is_known(text) => {
            let mut answer = HandshakeAnswer::empty();
            let headers = &mut answer.headers;
            headers.insert(&ALLOWED_ORIGIN, origin.clone());
            headers.insert(&ALLOWED_RATE, HeaderValue::from_static("*"));
            headers.insert(ALLOW, HeaderValue::from_static("OPTIONS, POST"));
            Verdict::Answer(answer)
        }
        Ok(_) => Verdict::Refused(Refusal::HandshakeHost),
        Err(_) => Verdict::Refused(Refusal::HandshakeMalformed),
    }
}

/// Whether a text could be a name of the DNS.
pub(in crate::verify) fn is_origin(text: &str) -> bool {
    (1..=MAX_ORIGIN_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}
