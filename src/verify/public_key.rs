//! Public keys of senders: how their texts are written, and whether a signature belongs to one.
//!
//! A key is read once, when the source is loaded; whatever is odd about it is said then, with the reason. What is no
//! public key at all, such as the private half pasted by mistake, is refused without any part of it being repeated.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
    RsaSubjectPublicKey, VerificationAlgorithm,
};
use jiff::Timestamp;

use super::{SettingsError, secret::lenient_base64};

/// A public key as it is configured.
#[derive(Clone, Debug)]
pub struct PublicKey {
    /// What logs and metrics call it, such as `public key 1` or the name of an environment variable.
    pub name: String,
    /// `whpk_…`, PEM, or base64 or hexadecimal of the bytes.
    pub text: String,
    /// From this moment on it is no longer accepted.
    pub until: Option<Timestamp>,
}

/// What a public key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyAlgorithm {
    Ed25519,
    /// The signature is in DER, as `OpenSSL` and most libraries write it.
    EcdsaP256Sha256Der,
    RsaPkcs1Sha256,
}

/// Why a text is not a public key that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPublicKey {
    #[error("it is not a public key")]
    Unreadable,
    #[error("it is longer than {MAX_TEXT_BYTES} bytes")]
    TooMuchText,
    #[error("it is a private key")]
    Private,
    #[error("it is a shared secret")]
    Secret,
    #[error("it is a certificate, not the public key inside")]
    Certificate,
    #[error("it is a key for {found}, but the signatures are {wanted}")]
    OtherAlgorithm {
        found: &'static str,
        wanted: &'static str,
    },
    #[error("it is an RSA key of {0} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are taken")]
    Size(u32),
}

/// Longer than the PEM text of the largest key.
const MAX_TEXT_BYTES: usize = 8 * 1024;
/// Shorter RSA keys can be broken (NIST SP 800-131A).
const MIN_RSA_BITS: u32 = 2048;
/// Bounds the work that one request can cause.
const MAX_RSA_BITS: u32 = 8192;

impl KeyAlgorithm {
    /// As it is written in settings.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256Der => "ecdsa-p256-sha256-der",
            Self::RsaPkcs1Sha256 => "rsa-pkcs1-sha256",
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ED25519,
            Self::EcdsaP256Sha256Der => &ECDSA_P256_SHA256_ASN1,
            Self::RsaPkcs1Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        }
    }

    /// Reads the text of a key.
    pub(super) fn read(self, text: &str) -> Result<VerifyingKey, InvalidPublicKey> {
        let bytes = decode(text)?;
        match kind_of(&bytes) {
            Kind::Private => return Err(InvalidPublicKey::Private),
            Kind::Ed25519Pair if self == Self::Ed25519 => return Err(InvalidPublicKey::Private),
            Kind::Unknown | Kind::Ed25519Pair => return Err(InvalidPublicKey::Unreadable),
            Kind::Ed25519 if self == Self::Ed25519 => {}
            Kind::P256 if self == Self::EcdsaP256Sha256Der => {}
            Kind::Rsa if self == Self::RsaPkcs1Sha256 => check_size(&bytes)?,
            found => {
                return Err(InvalidPublicKey::OtherAlgorithm {
                    found: found.name(),
                    wanted: self.name(),
                });
            }
        }
        ParsedPublicKey::new(self.verification(), &bytes)
            .map(VerifyingKey)
            .map_err(|_| InvalidPublicKey::Unreadable)
    }

    pub(super) fn prepare(self, key: &PublicKey) -> Result<VerifyingKey, SettingsError> {
        self.read(&key.text)
            .map_err(|error| SettingsError::PublicKey {
                name: key.name.clone(),
                error,
            })
    }
}

/// A public key, ready to check signatures. Its parts are no secret, and nobody needs to see them.
pub(super) struct VerifyingKey(ParsedPublicKey);

impl VerifyingKey {
    /// Whether the holder of the private half signed this text.
    pub(super) fn signed(&self, text: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(text, signature).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").finish_non_exhaustive()
    }
}

impl InvalidPublicKey {
    /// What to do.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Unreadable | Self::TooMuchText => {
                "write the sender's public key as it shows it: `whpk_…`, PEM (`-----BEGIN PUBLIC KEY-----`), base64 or \
                 hexadecimal"
            }
            Self::Private => {
                "write the public half. A private key that stood in a file which others read must be replaced in the \
                 sender"
            }
            Self::Secret => {
                "a shared secret goes under `secrets`, by reference, with `type: hmac`; here belongs the sender's \
                 public key"
            }
            Self::Certificate => {
                "`openssl x509 -in certificate.pem -noout -pubkey` writes the public key of a certificate"
            }
            Self::OtherAlgorithm { .. } => {
                "take another key from the sender, or change `algorithm` to what the sender signs with"
            }
            Self::Size(_) => "ask the sender for a key of 2048 or 3072 bits",
        }
    }
}

/// What the bytes of a key are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ed25519,
    /// The private half with the public one behind it, or 64 bytes of something else.
    Ed25519Pair,
    P256,
    OtherCurve,
    Rsa,
    Private,
    Unknown,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::P256 => "ECDSA with the curve P-256",
            Self::OtherCurve => "another elliptic curve",
            Self::Rsa => "RSA",
            Self::Ed25519Pair | Self::Private | Self::Unknown => "something else",
        }
    }
}

/// Object identifiers in DER (RFC 8410, RFC 5480, RFC 8017).
const OID_ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const OID_EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const OID_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_RSA: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
];
/// The beginning of the algorithms of encrypted private keys (RFC 8018).
const OID_PKCS5: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d,
];

/// Tells keys apart by their first bytes: enough for a good message, the library judges the rest.
fn kind_of(bytes: &[u8]) -> Kind {
    match bytes {
        [..] if bytes.len() == 32 => return Kind::Ed25519,
        [..] if bytes.len() == 64 => return Kind::Ed25519Pair,
        // A point of the curve P-256, whole or compressed (SEC 1, section 2.3.3).
        [0x04, ..] if bytes.len() == 65 => return Kind::P256,
        [0x02 | 0x03, ..] if bytes.len() == 33 => return Kind::P256,
        _ => {}
    }
    let Some(inside) = sequence(bytes) else {
        return Kind::Unknown;
    };
    match inside {
        // PKCS#8, PKCS#1 and SEC 1 begin private keys with a version.
        [0x02, 0x01, ..] => Kind::Private,
        // RSAPublicKey begins with its modulus.
        [0x02, ..] => Kind::Rsa,
        [0x30, ..] => {
            let algorithm = sequence(inside).unwrap_or_default();
            let curve = algorithm.strip_prefix(OID_EC);
            if algorithm.starts_with(OID_ED25519) {
                Kind::Ed25519
            } else if algorithm.starts_with(OID_RSA) {
                Kind::Rsa
            } else if algorithm.starts_with(OID_PKCS5) {
                Kind::Private
            } else if curve.is_some_and(|curve| curve.starts_with(OID_P256)) {
                Kind::P256
            } else if curve.is_some() {
                Kind::OtherCurve
            } else {
                Kind::Unknown
            }
        }
        _ => Kind::Unknown,
    }
}

/// What stands behind the head of a SEQUENCE in DER.
fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [0x30, 0x82, _, _, inside @ ..]
        | [0x30, 0x81, _, inside @ ..]
        | [0x30, 0x00..=0x7f, inside @ ..] => Some(inside),
        _ => None,
    }
}

fn check_size(bytes: &[u8]) -> Result<(), InvalidPublicKey> {
    let bits = RsaSubjectPublicKey::from_der(bytes)
        .ok()
        .and_then(|key| RsaParameters::public_modulus_len(key.as_ref()).ok())
        .ok_or(InvalidPublicKey::Unreadable)?;
    if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        Ok(())
    } else {
        Err(InvalidPublicKey::Size(bits))
    }
}

/// The bytes of a key's text.
fn decode(text: &str) -> Result<Vec<u8>, InvalidPublicKey> {
    let text = text.trim();
    if text.len() > MAX_TEXT_BYTES {
        return Err(InvalidPublicKey::TooMuchText);
    }
    if text.contains("PRIVATE KEY") || text.starts_with("whsk_") {
        return Err(InvalidPublicKey::Private);
    }
    if text.starts_with("whsec_") {
        return Err(InvalidPublicKey::Secret);
    }
    let bytes = if let Some(encoded) = text.strip_prefix("whpk_") {
        lenient_base64(encoded)
    } else if text.starts_with("-----") {
        match pem(text) {
            Some((_, encoded)) if encoded.contains("-----") => None,
            Some(("PUBLIC KEY" | "RSA PUBLIC KEY", encoded)) => lenient_base64(&encoded),
            Some(("CERTIFICATE", _)) => return Err(InvalidPublicKey::Certificate),
            _ => None,
        }
    } else if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        hex::decode(text).ok()
    } else {
        lenient_base64(&without_white_space(text))
    };
    bytes.ok_or(InvalidPublicKey::Unreadable)
}

/// The label of a PEM text (RFC 7468) and the base64 in it. In variables the line ends are often written `\n`.
pub(super) fn pem(text: &str) -> Option<(&str, String)> {
    let text = text.trim_end_matches("\\n");
    let (label, rest) = text.strip_prefix("-----BEGIN ")?.split_once("-----")?;
    let encoded = rest.strip_suffix("-----")?.strip_suffix(label)?;
    let encoded = encoded.strip_suffix("-----END ")?.replace("\\n", "");
    Some((label, without_white_space(&encoded)))
}

fn without_white_space(text: &str) -> String {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests;
