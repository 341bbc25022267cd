//! Signing secrets: how they are written, and which of them are valid.

use std::{fmt, sync::Arc};

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::public_key::{InvalidPublicKey, PublicKey};

/// Enough for every rotation, of secrets as of public keys; it bounds the work that one request can cause.
pub const MAX_SECRETS: usize = 8;

/// A secret that a source and we share: a signing key, a token, or `user:password`.
#[derive(Clone, Debug)]
pub struct SigningSecret {
    /// Where it comes from, such as the name of an environment variable; never its value.
    pub name: String,
    pub value: SecretString,
    /// From this moment on it is no longer accepted.
    pub until: Option<Timestamp>,
}

/// How the text of a secret stands for the bytes of a key. The same text means different keys to different senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretEncoding {
    /// The text itself.
    Utf8,
    Hex,
    Base64,
    Base64Url,
    /// `whsec_` and base64, as in the Standard Webhooks specification. The prefix may be missing.
    Whsec,
}

/// Why settings and secrets do not make a verifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("there is no secret, so every request would be refused")]
    NoSecret,
    #[error("there are more than {MAX_SECRETS} secrets")]
    TooManySecrets,
    #[error("the secret `{0}` is empty")]
    EmptySecret(String),
    #[error("the secret `{name}` is not {encoding}")]
    UndecodableSecret {
        name: String,
        encoding: SecretEncoding,
    },
    #[error("the secret `{0}` is not of the form `user:password`, with a password")]
    NoPassword(String),
    #[error(
        "the secret `{0}` is a key in PEM, which belongs to an algorithm with a key pair; a shared secret is a text that \
         the sender shows or lets you choose"
    )]
    KeyAsSecret(String),
    #[error("the secret `{0}` would not be used")]
    UnusedSecret(String),
    #[error("there is no public key, so every request would be refused")]
    NoPublicKey,
    #[error("there are more than {MAX_SECRETS} public keys")]
    TooManyPublicKeys,
    #[error("the public key `{name}` cannot be used: {error}")]
    PublicKey {
        name: String,
        error: InvalidPublicKey,
    },
    #[error("the public key `{0}` would not be used")]
    UnusedPublicKey(String),
    #[error("there are {keys} secrets or keys for {headers} signature headers")]
    MoreThanHeaders { keys: usize, headers: usize },
}

impl SecretEncoding {
    /// The bytes of a key.
    pub(super) fn decode(self, secret: &SigningSecret) -> Result<SecretSlice<u8>, SettingsError> {
        let text = secret.value.expose_secret();
        let bytes = match self {
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => lenient_base64(text),
            Self::Base64Url => lenient(&URL_SAFE).decode(text).ok(),
            Self::Whsec => {
                let text = text.strip_prefix("whsec_").unwrap_or(text);
                lenient_base64(text)
            }
        };
        match bytes {
            None => Err(SettingsError::UndecodableSecret {
                name: secret.name.clone(),
                encoding: self,
            }),
            Some(bytes) if bytes.is_empty() => Err(SettingsError::EmptySecret(secret.name.clone())),
            Some(bytes) => Ok(bytes.into()),
        }
    }
}

/// Decodes base64 with or without its padding.
pub(super) fn lenient_base64(text: &str) -> Option<Vec<u8>> {
    lenient(&STANDARD).decode(text).ok()
}

/// Secrets are copied by people, who lose the padding.
fn lenient(alphabet: &base64::alphabet::Alphabet) -> GeneralPurpose {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

impl fmt::Display for SecretEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "text",
            Self::Hex => "hexadecimal",
            Self::Base64 => "base64",
            Self::Base64Url => "base64 in the alphabet for addresses",
            Self::Whsec => "`whsec_` and base64",
        })
    }
}

/// A secret or public key, prepared as `T` for checking.
pub(super) struct Prepared<T> {
    name: Arc<str>,
    until: Option<Timestamp>,
    pub(super) key: T,
}

impl<T> Prepared<T> {
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    pub(super) fn is_valid(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Prepares every secret: at least one, none empty, not too many.
pub(super) fn prepare<T>(
    secrets: &[SigningSecret],
    mut key: impl FnMut(&SigningSecret) -> Result<T, SettingsError>,
) -> Result<Vec<Prepared<T>>, SettingsError> {
    if secrets.is_empty() {
        return Err(SettingsError::NoSecret);
    }
    if secrets.len() > MAX_SECRETS {
        return Err(SettingsError::TooManySecrets);
    }
    secrets
        .iter()
        .map(|secret| {
            if secret.value.expose_secret().is_empty() {
                return Err(SettingsError::EmptySecret(secret.name.clone()));
            }
            Ok(Prepared {
                name: Arc::from(secret.name.as_str()),
                until: secret.until,
                key: key(secret)?,
            })
        })
        .collect()
}

/// Prepares every public key: at least one, not too many.
pub(super) fn prepare_public<T>(
    keys: &[PublicKey],
    mut prepare: impl FnMut(&PublicKey) -> Result<T, SettingsError>,
) -> Result<Vec<Prepared<T>>, SettingsError> {
    if keys.is_empty() {
        return Err(SettingsError::NoPublicKey);
    }
    if keys.len() > MAX_SECRETS {
        return Err(SettingsError::TooManyPublicKeys);
    }
    keys.iter()
        .map(|key| {
            Ok(Prepared {
                name: Arc::from(key.name.as_str()),
                until: key.until,
                key: prepare(key)?,
            })
        })
        .collect()
}

/// The secrets that are valid now, in the order configured.
pub(super) fn valid<T>(
    secrets: &[Prepared<T>],
    now: Timestamp,
) -> impl Iterator<Item = &Prepared<T>> + Clone {
    secrets.iter().filter(move |secret| secret.is_valid(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(value: &str) -> SigningSecret {
        SigningSecret {
            name: "CRM_SECRET".into(),
            value: value.into(),
            until: None,
        }
    }

    #[test]
    fn one_text_means_different_keys() {
        for (encoding, text, key) in [
            (SecretEncoding::Utf8, "whsec_AAEC", &b"whsec_AAEC"[..]),
            (SecretEncoding::Whsec, "whsec_AAEC", &[0, 1, 2]),
            (SecretEncoding::Whsec, "AAEC", &[0, 1, 2]),
            (SecretEncoding::Whsec, "whsec_AAE", &[0, 1]),
            (SecretEncoding::Hex, "00FFab", &[0, 255, 171]),
            (SecretEncoding::Base64, "AAE=", &[0, 1]),
            (SecretEncoding::Base64Url, "-_8", &[251, 255]),
        ] {
            assert_eq!(
                encoding.decode(&secret(text)).unwrap().expose_secret(),
                key,
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_named_but_not_shown() {
        for (encoding, text) in [
            (SecretEncoding::Hex, "s3cret"),
            (SecretEncoding::Base64, "s3cret!"),
            (SecretEncoding::Whsec, "whsec_!s3cret"),
        ] {
            let error = encoding.decode(&secret(text)).unwrap_err().to_string();
            assert!(
                error.contains("CRM_SECRET") && !error.contains("s3cret"),
                "{error}"
            );
        }
        assert_eq!(
            SecretEncoding::Whsec.decode(&secret("whsec_")).unwrap_err(),
            SettingsError::EmptySecret("CRM_SECRET".into())
        );
        assert!(!format!("{:?}", secret("s3cret")).contains("s3cret"));
    }

    #[test]
    fn a_secret_ends_at_its_moment() {
        let until: Timestamp = "2026-12-31T00:00:00Z".parse().unwrap();
        let mut old = secret("old");
        old.until = Some(until);
        let prepared = prepare(&[old, secret("new")], |_| Ok(())).unwrap();
        let second = jiff::SignedDuration::from_secs(1);
        assert_eq!(valid(&prepared, until - second).count(), 2);
        assert_eq!(valid(&prepared, until).count(), 1);
    }
}
