//! A shared secret, ready to check tokens with.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::{Sha256, Sha384, Sha512};

use super::{settings::SharedAlgorithm, token::Token};
use crate::verify::{SecretEncoding, SettingsError, SigningSecret};

/// How every key in PEM begins: one that is public would let everybody sign.
const PEM: &str = "-----BEGIN";

/// The key of a keyed hash. No public key becomes one.
pub(in crate::verify) struct SharedKey(SecretSlice<u8>);

impl SharedKey {
    pub(in crate::verify) fn prepare(
        encoding: SecretEncoding,
        secret: &SigningSecret,
    ) -> Result<Self, SettingsError> {
        if secret.value.expose_secret().trim_start().starts_with(PEM) {
            return Err(SettingsError::KeyAsSecret(secret.name.clone()));
        }
        encoding.decode(secret).map(Self)
    }

    /// Whether the holder of the secret signed the token. Compares in constant time.
    pub(super) fn signed(&self, algorithm: SharedAlgorithm, token: &Token<'_>) -> bool {
        fn is_right<M: Mac>(mac: M, token: &Token<'_>) -> bool {
            mac.chain_update(token.signed)
                .verify_slice(&token.signature)
                .is_ok()
        }
        match algorithm {
            SharedAlgorithm::Hs256 => is_right(self.keyed::<Hmac<Sha256>>(), token),
            SharedAlgorithm::Hs384 => is_right(self.keyed::<Hmac<Sha384>>(), token),
            SharedAlgorithm::Hs512 => is_right(self.keyed::<Hmac<Sha512>>(), token),
        }
    }

    /// The signature that its holder makes.
    pub(in crate::verify) fn sign(&self, algorithm: SharedAlgorithm, signed: &[u8]) -> Vec<u8> {
        fn finish<M: Mac>(mac: M, signed: &[u8]) -> Vec<u8> {
            mac.chain_update(signed).finalize().into_bytes().to_vec()
        }
        match algorithm {
            SharedAlgorithm::Hs256 => finish(self.keyed::<Hmac<Sha256>>(), signed),
            SharedAlgorithm::Hs384 => finish(self.keyed::<Hmac<Sha384>>(), signed),
            SharedAlgorithm::Hs512 => finish(self.keyed::<Hmac<Sha512>>(), signed),
        }
    }

    fn keyed<M: Mac + KeyInit>(&self) -> M {
        M::new_from_slice(self.0.expose_secret()).expect("an HMAC takes a key of any length")
    }
}
