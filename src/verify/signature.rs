//! Signatures: keyed hashes, plain hashes with the secret inside, and those made with a private key.

mod address;
mod form;
mod headers;
mod place;

use std::borrow::Cow;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice};

use self::{
    address::{addresses, check_body_digest},
    place::{Signature, signatures, values},
};
pub(super) use self::{
    headers::{HeaderList, SignedHeaders},
    place::is_paired,
};
use super::{
    Refusal, SettingsError, SigningSecret,
    code::{Algorithm, Code, Hasher},
    public_key::VerifyingKey,
    request::Request,
    secret::{Prepared, valid},
    settings::{Scheme, SignatureSettings},
    template::Parts,
    timestamp::TimestampPlace,
};

/// A key, ready to check with.
pub(super) enum Key {
    Shared(Box<SharedKey>),
    Public(VerifyingKey),
}

/// A secret that both sides know, ready to sign with.
pub(super) struct SharedKey {
    algorithm: Algorithm,
    /// With the key inside, for a keyed hash.
    begun: Hasher,
    /// For the template, for a plain hash.
    secret: Option<SecretSlice<u8>>,
}

impl Key {
    /// Prepares a secret.
    ///
    /// # Errors
    ///
    /// A secret that is not written as the settings say, or any at all where they want public keys.
    pub(super) fn prepare(
        settings: &SignatureSettings,
        secret: &SigningSecret,
    ) -> Result<Self, SettingsError> {
        let (shared, is_keyed) = match settings.scheme {
            Scheme::Hmac(shared) => (shared, true),
            Scheme::Digest(shared) => (shared, false),
            Scheme::PublicKey(_) => return Err(SettingsError::UnusedSecret(secret.name.clone())),
        };
        let bytes = shared.secret_encoding.decode(secret)?;
        let algorithm = shared.algorithm;
        let (begun, secret) = if is_keyed {
            (algorithm.keyed(bytes.expose_secret()), None)
        } else {
            (algorithm.plain(), Some(bytes))
        };
        Ok(Self::Shared(Box::new(SharedKey {
            algorithm,
            begun,
            secret,
        })))
    }
}

impl SharedKey {
    /// The right signature of a request.
    pub(super) fn sign(
        &self,
        settings: &SignatureSettings,
        parts: Parts<'_>,
    ) -> Result<Code, Refusal> {
        let mut hasher = self.begun.clone();
        let parts = Parts {
            secret: self.secret.as_ref(),
            ..parts
        };
        settings.signed.feed(&parts, |bytes| hasher.update(bytes))?;
        Ok(hasher.finish(settings.encoding))
    }
}

/// Refuses more keys than there are headers for them, where each header has its own.
pub(super) fn check_pairs(settings: &SignatureSettings, keys: usize) -> Result<(), SettingsError> {
    match settings.place.headers().len() {
        headers if headers > 1 && keys > headers => {
            Err(SettingsError::MoreThanHeaders { keys, headers })
        }
        _ => Ok(()),
    }
}

pub(super) fn check<'s>(
    settings: &SignatureSettings,
    keys: &'s [Prepared<Key>],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<&'s Prepared<Key>, Refusal> {
    let values = values(settings, request)?;
    let signatures = signatures(settings, &values)?;
    let timestamp = timestamp(settings, request, &values, now)?;
    let id = id(settings, request)?;
    let signed_headers = match &settings.signed_headers {
        Some(list) => list.read(settings, request, &values)?,
        None => SignedHeaders::default(),
    };
    let leave_out_form = check_body_digest(settings, request)?;
    let is_paired = is_paired(settings, keys.len());
    for url in &addresses(request.url, settings.url_port_variants) {
        let parts = Parts {
            request,
            url,
            timestamp: &timestamp,
            id,
            secret: None,
            signed_headers: &signed_headers,
            leave_out_form,
        };
        // All public keys look at the same text.
        let mut text = None;
        for (number, key) in keys.iter().enumerate() {
            if !key.is_valid(now) {
                continue;
            }
            let mut given = signatures
                .iter()
                .filter(|signature| !is_paired || signature.header == number);
            let matches = match &key.key {
                Key::Shared(shared) => {
                    let right = shared.sign(settings, parts)?;
                    given.any(|given| right.matches(settings.encoding.essence(given.text)))
                }
                Key::Public(public) => {
                    let text = match &text {
                        Some(text) => text,
                        None => text.insert(settings.signed.text(&parts)?),
                    };
                    given.any(|given| {
                        let bytes = given.bytes.as_deref();
                        bytes.is_some_and(|bytes| public.signed(text, bytes))
                    })
                }
            };
            if matches {
                return Ok(key);
            }
        }
    }
    let is_well_formed = valid(keys, now).any(|key| {
        signatures
            .iter()
            .any(|signature| is_well_formed(settings, &key.key, signature))
    });
    Err(if is_well_formed {
        Refusal::NoMatch
    } else {
        Refusal::MalformedSignature
    })
}

/// Whether a signature is at least one that this kind of key could have made.
fn is_well_formed(settings: &SignatureSettings, key: &Key, signature: &Signature<'_>) -> bool {
    match key {
        Key::Shared(shared) => {
            settings.encoding.essence(signature.text).len()
                == settings.encoding.text_length(shared.algorithm)
        }
        Key::Public(_) => signature.bytes.is_some(),
    }
}

/// The text of the timestamp, which is near enough to now; empty where the settings know none.
fn timestamp<'a>(
    settings: &SignatureSettings,
    request: &'a Request<'_>,
    values: &'a [place::Value<'a>],
    now: Timestamp,
) -> Result<Cow<'a, str>, Refusal> {
    let Some(timestamp) = &settings.timestamp else {
        return Ok(Cow::Borrowed(""));
    };
    let text = match &timestamp.place {
        TimestampPlace::Header(name) => request
            .header(name)?
            .map(|value| value.to_str().map_err(|_| Refusal::TimestampMalformed))
            .transpose()?
            .map(Cow::Borrowed),
        TimestampPlace::Pair(key) => match values {
            [value] => settings.format.pair(&value.text, key)?.map(Cow::Borrowed),
            _ => None,
        },
        TimestampPlace::Json(path) => path.scalar(request.json()?).map(Cow::Owned),
    };
    let text = text.ok_or(Refusal::TimestampMissing)?;
    timestamp.check(&text, now)?;
    Ok(text)
}

/// The text of the event id; empty where the settings know none.
fn id<'a>(settings: &SignatureSettings, request: &'a Request<'_>) -> Result<&'a str, Refusal> {
    let Some(name) = &settings.id_header else {
        return Ok("");
    };
    request
        .header(name)?
        .and_then(|value| value.to_str().ok())
        .filter(|id| !id.is_empty())
        .ok_or(Refusal::MissingSignedPart)
}
