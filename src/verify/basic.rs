//! HTTP Basic authentication (RFC 7617). A secret is `user:password`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header::AUTHORIZATION};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::{
    Refusal, SettingsError, SigningSecret,
    request::Request,
    secret::{Prepared, valid},
};

/// A user name and password as they stand in a secret. The name may be empty, as with keys of APIs; the password, which
/// is what proves something, may not.
pub(super) fn prepare(secret: &SigningSecret) -> Result<SecretString, SettingsError> {
    match secret.value.expose_secret().split_once(':') {
        Some((_, password)) if !password.is_empty() => Ok(secret.value.clone()),
        Some(_) | None => Err(SettingsError::NoPassword(secret.name.clone())),
    }
}

pub(super) fn check<'s>(
    secrets: &'s [Prepared<SecretString>],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<&'s Prepared<SecretString>, Refusal> {
    let value = request
        .header(&AUTHORIZATION)?
        .ok_or(Refusal::MissingCredentials)?;
    let given = credentials(value).ok_or(Refusal::WrongCredentials)?;
    valid(secrets, now)
        .find(|secret| {
            let expected = secret.key.expose_secret().as_bytes();
            expected.ct_eq(&given).into()
        })
        .ok_or(Refusal::WrongCredentials)
}

fn credentials(value: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    STANDARD.decode(encoded.trim()).ok()
}

/// The header of a sender that has these credentials.
pub(super) fn write(secret: &SecretString) -> HeaderValue {
    let encoded = STANDARD.encode(secret.expose_secret());
    let mut value = HeaderValue::try_from(format!("Basic {encoded}"))
        .expect("base64 is text that a header may hold");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_without_a_password_is_none() {
        for (text, is_good) in [
            ("user:password", true),
            (":key", true),
            ("user:", false),
            (":", false),
            ("user", false),
        ] {
            let secret = SigningSecret {
                name: "env:A".to_owned(),
                value: text.into(),
                until: None,
            };
            assert_eq!(prepare(&secret).is_ok(), is_good, "{text:?}");
        }
    }
}
