//! How a token proves a request. Checked: whatever exists here makes sense.

use std::{fmt, path::PathBuf, sync::OnceLock};

use jiff::SignedDuration;
use url::Url;

use super::{KeySetHandle, SharedKey, token::Token};
use crate::verify::{
    PrivateKey, Refusal, SecretEncoding, code::Encoding, json_path::JsonPath,
    public_key::KeyAlgorithm, secret::Prepared, settings::TokenPlace,
};

/// What stands in logs and metrics in place of the name of a secret.
pub(super) const FROM_KEY_SET: &str = "jwks";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct JwtSettings {
    pub(in crate::verify) place: TokenAt,
    pub(in crate::verify) prefix: String,
    pub(in crate::verify) algorithms: Algorithms,
    pub(in crate::verify) claims: ClaimSettings,
    pub(in crate::verify) event: EventPlace,
}

/// Where a token stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) enum TokenAt {
    Place(TokenPlace),
    /// It is the whole body.
    Body,
}

/// What is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum EventPlace {
    /// The body, which the token stands beside.
    Body,
    /// What the token says.
    Claims,
}

/// Algorithms of one family; with them, what their keys are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) enum Algorithms {
    Shared {
        allowed: Vec<SharedAlgorithm>,
        secret_encoding: SecretEncoding,
    },
    Public {
        allowed: Vec<PublicAlgorithm>,
        /// Where the sender publishes its keys; the source may say another.
        key_set: Option<KeySetPlace>,
    },
}

/// HMAC with a secret that sender and receiver share (RFC 7518, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum SharedAlgorithm {
    Hs256,
    Hs384,
    Hs512,
}

/// Signatures by a key pair (RFC 7518, sections 3.3 and 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum PublicAlgorithm {
    Rs256,
    Es256,
}

impl SharedAlgorithm {
    pub(in crate::verify) const ALL: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    pub(in crate::verify) const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The allowed one that the token names.
    pub(super) fn named(allowed: &[Self], token: &Token<'_>) -> Result<Self, Refusal> {
        let named = |algorithm: &&Self| algorithm.as_str() == token.algorithm;
        allowed
            .iter()
            .find(named)
            .copied()
            .ok_or(Refusal::AlgorithmNotAllowed)
    }
}

impl PublicAlgorithm {
    pub(in crate::verify) const ALL: [Self; 2] = [Self::Rs256, Self::Es256];

    pub(in crate::verify) const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// `None` where the key is of another kind.
    pub(super) fn sign(self, key: &PrivateKey, signed: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rs256 => key.sign(KeyAlgorithm::RsaPkcs1Sha256, signed),
            Self::Es256 => key.sign_p256_fixed(signed),
        }
    }

    /// The allowed one that the token names.
    pub(super) fn named(allowed: &[Self], token: &Token<'_>) -> Result<Self, Refusal> {
        let named = |algorithm: &&Self| algorithm.as_str() == token.algorithm;
        allowed
            .iter()
            .find(named)
            .copied()
            .ok_or(Refusal::AlgorithmNotAllowed)
    }
}

/// What the claims of a genuine token must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) struct ClaimSettings {
    /// One of these; empty where anybody may have issued the token.
    pub(in crate::verify) issuers: Vec<String>,
    /// One of these; empty where a token that names an audience is refused.
    pub(in crate::verify) audiences: Vec<Audience>,
    /// Names that must be there.
    pub(in crate::verify) require: Vec<String>,
    /// Values, written as text, at their places.
    pub(in crate::verify) equal: Vec<(JsonPath, String)>,
    /// Places whose value each source must say, since the sender's keys are the same for all its customers.
    pub(in crate::verify) of_source: Vec<JsonPath>,
    pub(in crate::verify) url_sha256: Option<String>,
    pub(in crate::verify) body_sha256: Option<String>,
    pub(in crate::verify) hash_encoding: Encoding,
    /// Whether a token must say when it expires.
    pub(in crate::verify) check_expiry: bool,
    /// How far the clocks of sender and receiver may differ, in either direction.
    pub(in crate::verify) leeway: SignedDuration,
}

/// For whom a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify) enum Audience {
    Text(String),
    /// The address that the sender was given.
    Url,
}

/// Where the public keys of a sender stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetPlace {
    /// Fetched, and fetched again. `https`, or `http` on this machine.
    Url(Url),
    /// Read when the source is loaded: a key set, or public keys in PEM.
    File(PathBuf),
}

impl fmt::Display for KeySetPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What tokens are checked with; of the same family as the algorithms.
pub(in crate::verify) enum Keys {
    Shared(Vec<Prepared<SharedKey>>),
    /// Empty until somebody hands in where the current set can be had.
    Public(OnceLock<KeySetHandle>),
}
