//! The public keys of a sender: a JWK set (RFC 7517), or keys in PEM.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value};

use super::{settings::PublicAlgorithm, token::Token};
use crate::verify::Refusal;

/// More keys than any sender publishes; it bounds what a token without the name of a key costs.
const MAX_KEYS: usize = 32;

/// RSA below this is forgeable (RFC 7518, section 3.3); above, each check would cost too much.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Exponents in use are 3 and 65537.
const MAX_EXPONENT_BYTES: usize = 4;

/// Public keys that were read and can be used. Never empty.
pub struct KeySet {
    keys: Vec<PublicKey>,
}

struct PublicKey {
    id: Option<String>,
    algorithm: PublicAlgorithm,
    key: ParsedPublicKey,
}

/// Why a document gives no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("it is larger than {} bytes", KeySet::MAX_BYTES)]
    TooLarge,
    #[error("it is neither a JWK set (`{{\"keys\": […]}}`) nor public keys in PEM")]
    NotKeySet,
    #[error("it has more than {MAX_KEYS} keys")]
    TooManyKeys,
    #[error(
        "none of its keys can be used: RSA of 2048 to 8192 bits for RS256, or EC on P-256 for ES256"
    )]
    NoUsableKey,
}

impl KeySet {
    /// The largest document that is read.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Reads a document. Keys of other kinds, for encryption or for other algorithms are passed over.
    ///
    /// # Errors
    /// It is no key set, too large, or has no key that can be used.
    pub fn read(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > Self::MAX_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let keys = match document.trim_ascii_start().first() {
            Some(b'-') => read_pem(document)?,
            _ => read_jwks(document)?,
        };
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey);
        }
        Ok(Self { keys })
    }

    /// How many keys can be used; at least one.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The names of keys, of those that have one.
    pub(in crate::verify) fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.id.as_deref())
    }

    /// Whether one of the keys signed the token. Where the token names a key, only keys of that name and keys without
    /// a name are tried.
    pub(super) fn check(
        &self,
        algorithm: PublicAlgorithm,
        token: &Token<'_>,
    ) -> Result<(), Refusal> {
        let named = |key: &&PublicKey| key.id.is_some() && key.id == token.key_id;
        let may_have_signed = |key: &&PublicKey| {
            let by_name = token.key_id.is_none() || key.id.is_none() || named(key);
            by_name && key.algorithm == algorithm
        };
        let signed = |key: &PublicKey| key.key.verify_sig(token.signed, &token.signature).is_ok();
        if self.keys.iter().filter(may_have_signed).any(signed) {
            return Ok(());
        }
        Err(
            if token.key_id.is_some() && !self.keys.iter().any(|key| named(&key)) {
                Refusal::UnknownKey
            } else {
                Refusal::NoMatch
            },
        )
    }
}

/// Shows how many keys there are, not which.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// Where the current set of a sender can be had. Cheap to clone; clones see the same set.
#[derive(Clone, Debug, Default)]
pub struct KeySetHandle(Arc<ArcSwapOption<KeySet>>);

impl KeySetHandle {
    /// A handle on a set that is there from the beginning.
    pub fn holding(set: KeySet) -> Self {
        let handle = Self::default();
        handle.put(set);
        handle
    }

    /// Puts another set in the place of the current one.
    pub fn put(&self, set: KeySet) {
        self.0.store(Some(Arc::new(set)));
    }

    /// `None` until there was one.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        self.0.load_full()
    }
}

fn read_jwks(document: &[u8]) -> Result<Vec<PublicKey>, KeySetError> {
    let document: Value = serde_json::from_slice(document).map_err(|_| KeySetError::NotKeySet)?;
    let keys = document
        .get("keys")
        .and_then(Value::as_array)
        .ok_or(KeySetError::NotKeySet)?;
    if keys.len() > MAX_KEYS {
        return Err(KeySetError::TooManyKeys);
    }
    Ok(keys
        .iter()
        .filter_map(Value::as_object)
        .filter_map(read_jwk)
        .collect())
}

fn read_jwk(jwk: &Map<String, Value>) -> Option<PublicKey> {
    let is = |name: &str, wanted: &str| jwk.get(name).and_then(Value::as_str) == Some(wanted);
    let may_be = |name: &str, wanted: &str| !jwk.contains_key(name) || is(name, wanted);
    let verifies = match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations
            .as_array()
            .is_some_and(|names| names.iter().any(|name| name == "verify")),
    };
    let id = match jwk.get("kid") {
        None => None,
        Some(id) => Some(id.as_str()?.to_owned()),
    };
    if !may_be("use", "sig") || !verifies {
        return None;
    }
    let (algorithm, key) = if is("kty", "RSA") {
        (PublicAlgorithm::Rs256, rsa(jwk)?)
    } else if is("kty", "EC") && is("crv", "P-256") {
        (PublicAlgorithm::Es256, ec(jwk)?)
    } else {
        return None;
    };
    may_be("alg", algorithm.as_str()).then_some(PublicKey { id, algorithm, key })
}

fn rsa(jwk: &Map<String, Value>) -> Option<ParsedPublicKey> {
    let (modulus, exponent) = (number(jwk, "n")?, number(jwk, "e")?);
    if !RSA_BYTES.contains(&modulus.len()) || exponent.len() > MAX_EXPONENT_BYTES {
        return None;
    }
    let components = RsaPublicKeyComponents {
        n: modulus,
        e: exponent,
    };
    components
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .ok()
}

/// A point on P-256, uncompressed (SEC 1, section 2.3.3).
fn ec(jwk: &Map<String, Value>) -> Option<ParsedPublicKey> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return None;
    }
    let point = [&[4][..], &x, &y].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()
}

/// Without the zeros in front that some senders write.
fn number(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let bytes = bytes(jwk, name)?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    bytes.get(start..).map(<[u8]>::to_vec)
}

/// Blocks `PUBLIC KEY` (RFC 7468, section 13). They have no name, and the key says its own algorithm.
fn read_pem(document: &[u8]) -> Result<Vec<PublicKey>, KeySetError> {
    const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
    const END: &str = "-----END PUBLIC KEY-----";
    let text = std::str::from_utf8(document).map_err(|_| KeySetError::NotKeySet)?;
    let blocks: Vec<&str> = text
        .split(BEGIN)
        .skip(1)
        .filter_map(|rest| rest.split_once(END))
        .map(|(block, _)| block)
        .collect();
    if blocks.is_empty() {
        return Err(KeySetError::NotKeySet);
    }
    if blocks.len() > MAX_KEYS {
        return Err(KeySetError::TooManyKeys);
    }
    Ok(blocks.into_iter().filter_map(read_block).collect())
}

fn read_block(block: &str) -> Option<PublicKey> {
    let base64: String = block.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    let (algorithm, key) = if let Ok(key) = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &der) {
        (PublicAlgorithm::Es256, key)
    } else {
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der).ok()?;
        (PublicAlgorithm::Rs256, key)
    };
    Some(PublicKey {
        id: None,
        algorithm,
        key,
    })
}
