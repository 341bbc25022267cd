//! How proxies write a certificate into a header.
//!
//! | format | what stands in the header | written by |
//! | --- | --- | --- |
//! | `pem` | PEM, percent-encoded; of a chain the first | nginx (`$ssl_client_escaped_cert`), AWS load balancers |
//! | `base64` | DER in base64; of several with commas the first | HAProxy (`ssl_c_der,base64`), Traefik, Caddy |
//! | `rfc9440` | DER in base64 between colons | proxies that write `Client-Cert` by RFC 9440 |
//! | `xfcc` | `Hash=…;Subject="…"`, the hash being SHA-256 of DER | Envoy and Istio (`X-Forwarded-Client-Cert`) |
//! | `sha256` | the SHA-256 of DER in hexadecimal | Caddy, HAProxy, Cloudflare |
//! | `subject` | the subject's distinguished name | nearly all |

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;

use super::{Fingerprint, Identity};
use crate::verify::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum CertificateFormat {
    Pem,
    Base64,
    Rfc9440,
    Xfcc,
    Sha256,
    Subject,
}

impl CertificateFormat {
    /// With the words that settings have for them.
    pub(in crate::verify) const ALL: [(&'static str, Self); 6] = [
        ("pem", Self::Pem),
        ("base64", Self::Base64),
        ("rfc9440", Self::Rfc9440),
        ("xfcc", Self::Xfcc),
        ("sha256", Self::Sha256),
        ("subject", Self::Subject),
    ];

    /// As it is written in settings.
    pub(in crate::verify) fn word(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, format)| *format == self)
            .map_or("", |(word, _)| word)
    }

    /// The certificate in a header that is not empty.
    pub(in crate::verify) fn read(self, text: &str) -> Result<Identity, Refusal> {
        let fingerprint = match self {
            Self::Subject => return Ok(Identity::Subject(text.to_owned())),
            Self::Sha256 => Fingerprint::parse(text),
            Self::Pem => fingerprint_of_pem(&decoded(text).ok_or(Refusal::MalformedCertificate)?),
            Self::Base64 => of_base64(text),
            Self::Rfc9440 => text
                .strip_prefix(':')
                .and_then(|rest| rest.strip_suffix(':'))
                .and_then(of_der),
            Self::Xfcc => hash_of_xfcc(text)?.and_then(Fingerprint::parse),
        };
        fingerprint
            .map(Identity::Fingerprint)
            .ok_or(Refusal::MalformedCertificate)
    }
}

/// Without percent escapes; a `+` stays what it is.
fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

/// The fingerprint of the first certificate of a text in PEM (RFC 7468). White space inside does not matter: proxies
/// turn line ends into spaces.
pub(in crate::verify) fn fingerprint_of_pem(text: &str) -> Option<Fingerprint> {
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (inside, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let base64: String = inside.split_ascii_whitespace().collect();
    of_der(&base64)
}

fn of_base64(text: &str) -> Option<Fingerprint> {
    let text = decoded(text)?;
    let first = text.split(',').next()?;
    let bare = first
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(first);
    of_der(bare)
}

fn of_der(base64: &str) -> Option<Fingerprint> {
    let der = STANDARD.decode(base64).ok()?;
    (!der.is_empty()).then(|| Fingerprint::of(&der))
}

/// The one `Hash` of a header that has one element. Several elements are those of several proxies, of which the first may
/// be the client's own; none of them is chosen.
fn hash_of_xfcc(text: &str) -> Result<Option<&str>, Refusal> {
    let mut hash = None;
    for pair in pairs_of_xfcc(text)? {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Refusal::MalformedCertificate);
        };
        if !key.trim().eq_ignore_ascii_case("hash") {
            continue;
        }
        let value = value.trim();
        let bare = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(value);
        if hash.replace(bare).is_some() {
            return Err(Refusal::AmbiguousValue);
        }
    }
    Ok(hash)
}

/// What stands between semicolons outside quotes.
fn pairs_of_xfcc(text: &str) -> Result<Vec<&str>, Refusal> {
    let (mut pairs, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => return Err(Refusal::AmbiguousValue),
            ';' if !quoted => {
                pairs.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return Err(Refusal::MalformedCertificate);
    }
    pairs.extend(text.get(start..).filter(|rest| !rest.trim().is_empty()));
    Ok(pairs)
}
