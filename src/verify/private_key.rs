//! Private keys, for the sender's side of public-key signatures: test events and tests.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    public_key::{KeyAlgorithm, pem},
    secret::lenient_base64,
};

/// The private half of a public key, to sign test events with. Its `Debug` shows nothing of it.
pub struct PrivateKey(Pair);

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(Box<EcdsaPair>),
    Rsa(Box<rsa::KeyPair>),
}

/// One key, for both ways to write a signature.
struct EcdsaPair {
    /// In DER.
    der: EcdsaKeyPair,
    /// As two numbers of 32 bytes, which JSON web tokens have.
    fixed: EcdsaKeyPair,
}

/// Why a text is not a private key that can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a private key of Ed25519, of the curve P-256, or of RSA with at least 2048 bits, written as PEM \
     (`-----BEGIN PRIVATE KEY-----`, without a password) or `whsk_…`"
)]
pub struct InvalidPrivateKey;

impl PrivateKey {
    /// Reads a key in PEM (PKCS#8, or as `OpenSSL` once wrote keys of RSA and of curves), or as `whsk_…`.
    ///
    /// # Errors
    ///
    /// Anything else, an encrypted key, or one of another kind.
    pub fn read(text: &SecretString) -> Result<Self, InvalidPrivateKey> {
        let text = text.expose_secret().trim();
        let pair = match text.strip_prefix("whsk_") {
            Some(encoded) => lenient_base64(encoded).and_then(|bytes| {
                let (seed, public) = bytes.split_at_checked(32)?;
                let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public).ok()?;
                Some(Pair::Ed25519(pair))
            }),
            None => pem(text)
                .filter(|(label, _)| label.ends_with("PRIVATE KEY"))
                .and_then(|(_, encoded)| Pair::read(&lenient_base64(&encoded)?)),
        };
        pair.map(Self).ok_or(InvalidPrivateKey)
    }

    /// The public half, as base64 of its `SubjectPublicKeyInfo`: what `public_keys` takes.
    pub fn public_key(&self) -> String {
        let der = match &self.0 {
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::Ecdsa(pair) => pair.der.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        };
        let der: PublicKeyX509Der<'_> = der.expect("a key that was read can be written");
        STANDARD.encode(der.as_ref())
    }

    /// Signs a text; `None` where the key is one for another algorithm.
    pub(super) fn sign(&self, algorithm: KeyAlgorithm, text: &[u8]) -> Option<Vec<u8>> {
        // The library takes randomness from itself and ignores this.
        let random = SystemRandom::new();
        match (&self.0, algorithm) {
            (Pair::Ed25519(pair), KeyAlgorithm::Ed25519) => {
                Some(pair.try_sign(text).ok()?.as_ref().to_vec())
            }
            (Pair::Ecdsa(pair), KeyAlgorithm::EcdsaP256Sha256Der) => {
                Some(pair.der.sign(&random, text).ok()?.as_ref().to_vec())
            }
            (Pair::Rsa(pair), KeyAlgorithm::RsaPkcs1Sha256) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .ok()?;
                Some(signature)
            }
            _ => None,
        }
    }

    /// Signs by ECDSA on P-256 with SHA-256, as two numbers of 32 bytes; `None` where the key is one for another
    /// algorithm.
    pub(super) fn sign_p256_fixed(&self, text: &[u8]) -> Option<Vec<u8>> {
        let Pair::Ecdsa(pair) = &self.0 else {
            return None;
        };
        let signature = pair.fixed.sign(&SystemRandom::new(), text).ok()?;
        Some(signature.as_ref().to_vec())
    }
}

impl Pair {
    fn read(der: &[u8]) -> Option<Self> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Some(Self::Ed25519(pair));
        }
        if let Some(pair) = EcdsaPair::read(der) {
            return Some(Self::Ecdsa(Box::new(pair)));
        }
        rsa::KeyPair::from_pkcs8(der)
            .or_else(|_| rsa::KeyPair::from_der(der))
            .ok()
            .map(|pair| Self::Rsa(Box::new(pair)))
    }
}

impl EcdsaPair {
    fn read(der: &[u8]) -> Option<Self> {
        let read = |algorithm| EcdsaKeyPair::from_private_key_der(algorithm, der).ok();
        Some(Self {
            der: read(&ECDSA_P256_SHA256_ASN1_SIGNING)?,
            fixed: read(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").finish_non_exhaustive()
    }
}
