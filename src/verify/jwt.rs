//! JSON web tokens (RFC 7519) in the compact form of a JWS (RFC 7515).
//!
//! A token says which algorithm and which key it was signed with, and is not believed: the settings name the
//! algorithms, and a token with another one is refused. Algorithms with a shared secret and algorithms with a key pair
//! never stand in the same settings, and their keys are of different types, so that a public key cannot be taken for a
//! shared secret. Keys and addresses of keys inside a token are not looked at.
//!
//! The order is: cut the token, read its header, check the signature over the bytes as they came, and only then read
//! the claims. Nothing here fetches keys: a key set is handed in, and may be exchanged while requests are checked.

mod claims;
mod key_set;
mod look;
mod object;
mod settings;
mod shared_key;
mod sign;
mod token;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

pub use self::{
    key_set::{KeySet, KeySetError, KeySetHandle},
    settings::KeySetPlace,
};
pub(super) use self::{
    look::Said,
    settings::{
        Algorithms, Audience, ClaimSettings, EventPlace, JwtSettings, Keys, PublicAlgorithm,
        SharedAlgorithm, TokenAt,
    },
    shared_key::SharedKey,
    sign::sign,
};
use self::{settings::FROM_KEY_SET, token::Token};
use super::{
    Refusal,
    request::Request,
    secret::{Prepared, valid},
    settings::TokenPlace,
};

/// A token that is genuine.
pub(super) struct Genuine {
    /// The secret that matched, or that it was a key of the key set.
    pub(super) key: Arc<str>,
    /// The claims, where these are the event.
    pub(super) event: Option<Bytes>,
}

pub(super) fn check(
    settings: &JwtSettings,
    keys: &Keys,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Genuine, Refusal> {
    let text = find(settings, request)?;
    let token = Token::cut(&text)?;
    let key = match (&settings.algorithms, keys) {
        (Algorithms::Shared { allowed, .. }, Keys::Shared(secrets)) => {
            let algorithm = SharedAlgorithm::named(allowed, &token)?;
            valid(secrets, now)
                .find(|secret| secret.key.signed(algorithm, &token))
                .map(Prepared::name)
                .ok_or(Refusal::NoMatch)?
        }
        (Algorithms::Public { allowed, .. }, Keys::Public(handle)) => {
            let algorithm = PublicAlgorithm::named(allowed, &token)?;
            let set = handle.get().and_then(KeySetHandle::current);
            set.ok_or(Refusal::NoKeySet)?.check(algorithm, &token)?;
            Arc::from(FROM_KEY_SET)
        }
        // Both are made of the same settings.
        _ => return Err(Refusal::NoSecret),
    };
    let payload = token.payload()?;
    settings.claims.check(&payload, request, now)?;
    let event = match settings.event {
        EventPlace::Claims => Some(payload.into()),
        EventPlace::Body => None,
    };
    Ok(Genuine { key, event })
}

/// Whether there is a token that can be read and does not say by which key it was signed.
pub(super) fn names_no_key(settings: &JwtSettings, request: &Request<'_>) -> bool {
    let Ok(text) = find(settings, request) else {
        return false;
    };
    Token::cut(&text).is_ok_and(|token| token.key_id.is_none())
}

/// The text of the token, which must be there once.
fn find<'a>(settings: &JwtSettings, request: &'a Request<'_>) -> Result<Vec<u8>, Refusal> {
    let given: std::borrow::Cow<'a, [u8]> = match &settings.place {
        TokenAt::Body => request.body.trim_ascii().into(),
        TokenAt::Place(TokenPlace::Header(name)) => request
            .header(name)?
            .ok_or(Refusal::MissingToken)?
            .as_bytes()
            .into(),
        TokenAt::Place(TokenPlace::Query(name)) => {
            request.query(name)?.ok_or(Refusal::MissingToken)?
        }
        TokenAt::Place(TokenPlace::Form(name)) => {
            request.form(name)?.ok_or(Refusal::MissingToken)?
        }
        TokenAt::Place(TokenPlace::Json(path)) => {
            let texts = path.texts(request.json()?).ok_or(Refusal::MissingToken)?;
            match texts.as_slice() {
                [text] => text.as_bytes().into(),
                _ => return Err(Refusal::AmbiguousValue),
            }
        }
    };
    // Senders that document a prefix have been seen to leave it out; the token proves itself either way.
    let token = given
        .strip_prefix(settings.prefix.as_bytes())
        .unwrap_or(&given);
    if token.is_empty() {
        return Err(Refusal::MissingToken);
    }
    Ok(token.to_vec())
}

#[cfg(test)]
pub(crate) mod tests;
