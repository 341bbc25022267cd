//! Signatures made with a shared secret: keyed hashes, and plain hashes with the secret inside.

use std::borrow::Cow;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    Refusal, SettingsError, SigningSecret,
    code::{Code, Hasher},
    request::Request,
    secret::{Prepared, valid},
    settings::{Scheme, SignaturePlace, SignatureSettings},
    template::Parts,
    timestamp::TimestampPlace,
};

/// A key, ready to sign with.
pub(super) struct Key {
    /// With the key inside, for a keyed hash.
    begun: Hasher,
    /// For the template, for a plain hash.
    secret: Option<SecretSlice<u8>>,
}

impl Key {
    pub(super) fn prepare(
        settings: &SignatureSettings,
        secret: &SigningSecret,
    ) -> Result<Self, SettingsError> {
        let bytes = settings.secret_encoding.decode(secret)?;
        Ok(match settings.scheme {
            Scheme::Hmac => Self {
                begun: settings.algorithm.keyed(bytes.expose_secret()),
                secret: None,
            },
            Scheme::Digest => Self {
                begun: settings.algorithm.plain(),
                secret: Some(bytes),
            },
        })
    }

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

pub(super) fn check<'s>(
    settings: &SignatureSettings,
    secrets: &'s [Prepared<Key>],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<&'s Prepared<Key>, Refusal> {
    let (values, signatures) = find(settings, request)?;
    let timestamp = timestamp(settings, request, &values, now)?;
    let id = id(settings, request)?;
    let leave_out_form = check_body_digest(settings, request)?;
    for url in &addresses(request.url, settings.url_port_variants) {
        for secret in valid(secrets, now) {
            let parts = Parts {
                request,
                url,
                timestamp,
                id,
                secret: None,
                leave_out_form,
            };
            let right = secret.key.sign(settings, parts)?;
            let matches = |given: &&str| right.matches(settings.encoding.essence(given));
            if signatures.iter().any(matches) {
                return Ok(secret);
            }
        }
    }
    let length = settings.encoding.text_length(settings.algorithm);
    let could_be_right = |given: &&str| settings.encoding.essence(given).len() == length;
    Err(if signatures.iter().any(could_be_right) {
        Refusal::NoMatch
    } else {
        Refusal::MalformedSignature
    })
}

/// The header values that hold signatures, and the signatures in them: at least one.
fn find<'a>(
    settings: &SignatureSettings,
    request: &'a Request<'_>,
) -> Result<(Vec<&'a str>, Vec<&'a str>), Refusal> {
    let values = match &settings.place {
        SignaturePlace::Header(name) => {
            let text = |value: &'a http::HeaderValue| {
                value.to_str().map_err(|_| Refusal::MalformedSignature)
            };
            if settings.format.may_repeat() {
                let values = request.headers.get_all(name);
                values.iter().map(text).collect::<Result<Vec<_>, _>>()?
            } else {
                request
                    .header(name)?
                    .map(text)
                    .transpose()?
                    .into_iter()
                    .collect()
            }
        }
        SignaturePlace::Json(path) => path.texts(request.json()?).unwrap_or_default(),
    };
    if values.iter().all(|value| value.is_empty()) {
        return Err(Refusal::MissingSignature);
    }
    let mut signatures = Vec::new();
    for value in &values {
        settings.format.signatures(value, &mut signatures)?;
    }
    if signatures.is_empty() {
        return Err(settings.format.refusal_without_signature());
    }
    Ok((values, signatures))
}

/// The text of the timestamp, which is near enough to now; empty where the settings know none.
fn timestamp<'a>(
    settings: &SignatureSettings,
    request: &'a Request<'_>,
    values: &[&'a str],
    now: Timestamp,
) -> Result<&'a str, Refusal> {
    let Some(timestamp) = &settings.timestamp else {
        return Ok("");
    };
    let text = match &timestamp.place {
        TimestampPlace::Header(name) => request
            .header(name)?
            .map(|value| value.to_str().map_err(|_| Refusal::TimestampMalformed))
            .transpose()?,
        TimestampPlace::Pair(key) => match values {
            [value] => settings.format.pair(value, key)?,
            _ => None,
        },
    };
    let text = text.ok_or(Refusal::TimestampMissing)?;
    timestamp.check(text, now)?;
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

/// Whether the signed address has a hash that stands for the body; then the body has that hash.
fn check_body_digest(settings: &SignatureSettings, request: &Request<'_>) -> Result<bool, Refusal> {
    let Some(name) = &settings.body_digest_query else {
        return Ok(false);
    };
    let Some(given) = request.query(name)? else {
        return Ok(false);
    };
    let right = hex::encode(Sha256::digest(request.body));
    if bool::from(right.as_bytes().ct_eq(&given)) {
        Ok(true)
    } else {
        Err(Refusal::BodyDigest)
    }
}

/// The addresses that the sender may have signed: as it is, and with `variants` without its port and with the
/// default one of its scheme.
fn addresses(url: &str, variants: bool) -> Vec<Cow<'_, str>> {
    let mut addresses = vec![Cow::Borrowed(url)];
    if variants
        && let Some((scheme, rest)) = url.split_once("://")
        && let Some(port) = match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        }
    {
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        for variant in [
            format!("{scheme}://{host}{path}"),
            format!("{scheme}://{host}:{port}{path}"),
        ] {
            if variant != url {
                addresses.push(Cow::Owned(variant));
            }
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_tried_with_and_without_its_port() {
        for (url, expected) in [
            (
                "https://a.example/b?c:1",
                &["https://a.example/b?c:1", "https://a.example:443/b?c:1"][..],
            ),
            (
                "https://a.example:443/b",
                &["https://a.example:443/b", "https://a.example/b"],
            ),
            (
                "http://a.example:8080",
                &[
                    "http://a.example:8080",
                    "http://a.example",
                    "http://a.example:80",
                ],
            ),
            ("https://[::1]/", &["https://[::1]/", "https://[::1]:443/"]),
            ("not an address", &["not an address"]),
        ] {
            assert_eq!(addresses(url, true), expected);
        }
        assert_eq!(
            addresses("https://a.example:1/", false),
            ["https://a.example:1/"]
        );
    }
}
