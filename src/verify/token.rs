//! A shared token in a header, the query, a form field or the JSON body.
//!
//! A token proves that the sender knows it, and nothing about the rest of the request.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::{
    Refusal,
    request::Request,
    secret::{Prepared, valid},
    settings::{TokenPlace, TokenSettings},
};

pub(super) fn check<'s>(
    settings: &TokenSettings,
    secrets: &'s [Prepared<SecretString>],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<&'s Prepared<SecretString>, Refusal> {
    let one = |given: &[u8]| {
        let token = given
            .strip_prefix(settings.prefix.as_bytes())
            .ok_or(Refusal::WrongToken)?;
        if token.is_empty() {
            return Err(Refusal::MissingToken);
        }
        valid(secrets, now)
            .find(|secret| {
                let expected = secret.key.expose_secret().as_bytes();
                expected.ct_eq(token).into()
            })
            .ok_or(Refusal::WrongToken)
    };
    match &settings.place {
        TokenPlace::Header(name) => one(request
            .header(name)?
            .ok_or(Refusal::MissingToken)?
            .as_bytes()),
        TokenPlace::Query(name) => one(&request.query(name)?.ok_or(Refusal::MissingToken)?),
        TokenPlace::Form(name) => one(&request.form(name)?.ok_or(Refusal::MissingToken)?),
        TokenPlace::Json(path) => {
            let tokens = path.texts(request.json()?).ok_or(Refusal::MissingToken)?;
            let mut matched = Err(Refusal::MissingToken);
            for token in tokens {
                matched = Ok(one(token.as_bytes())?);
            }
            matched
        }
    }
}
