//! Client certificates, as a proxy that we trust hands them on in a header.
//!
//! The proxy ends TLS and asks the client for its certificate, so that only who holds the private key can show one. What
//! is compared here is which certificate it was: its SHA-256 fingerprint, or its subject where the proxy has verified the
//! chain. No certificate is parsed and no chain is checked; that is the proxy's work.
//!
//! Anybody could write such a header, so it counts only in a request that one of our proxies handed on. That proxy must
//! always set or remove it.

mod format;

use std::sync::Arc;

use http::HeaderName;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub(super) use self::format::{CertificateFormat, fingerprint_of_pem};
use super::{Refusal, request::Request};

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CertificateSettings {
    pub(super) header: HeaderName,
    pub(super) format: CertificateFormat,
    /// At least one; all of the kind that the format shows.
    pub(super) allowed: Vec<Allowed>,
}

/// A certificate that a request may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) identity: Identity,
    /// From this moment on it is no longer accepted.
    pub(super) until: Option<Timestamp>,
    /// For logs and metrics.
    pub(super) name: Arc<str>,
}

/// What tells a certificate from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    Fingerprint(Fingerprint),
    /// As the proxy writes it.
    Subject(String),
}

/// The name of the certificate that a request shows.
pub(super) fn check(
    settings: &CertificateSettings,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Arc<str>, Refusal> {
    let mut valid = settings
        .allowed
        .iter()
        .filter(|allowed| allowed.until.is_none_or(|until| now < until))
        .peekable();
    if valid.peek().is_none() {
        return Err(Refusal::NoSecret);
    }
    if !request.through_trusted_proxy {
        return Err(Refusal::UntrustedProxy);
    }
    let value = request.header(&settings.header)?;
    let value = value.map(|value| value.to_str().map_err(|_| Refusal::MalformedCertificate));
    let text = value
        .transpose()?
        .unwrap_or_default()
        .trim_matches([' ', '\t']);
    // Proxies write an empty header, or a dash, where no certificate was shown.
    if text.is_empty() || text == "-" {
        return Err(Refusal::MissingCertificate);
    }
    let shown = settings.format.read(text)?;
    valid
        .find(|allowed| allowed.identity == shown)
        .map(|allowed| Arc::clone(&allowed.name))
        .ok_or(Refusal::WrongCertificate)
}

impl Fingerprint {
    pub(super) fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Reads hexadecimal digits of either case, perhaps with colons between the bytes as OpenSSL writes them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|character| *character != ':').collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// In hexadecimal digits, as it may be written in settings.
    pub(super) fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Enough of it to know it by.
    pub(super) fn name(&self) -> String {
        let hex = self.hex();
        format!("sha256:{}", hex.get(..16).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
