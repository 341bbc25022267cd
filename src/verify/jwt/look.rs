//! What a token says of itself, believed by nobody: for people who ask why it is refused.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    find, object,
    settings::{ClaimSettings, JwtSettings},
    token::Token,
};
use crate::verify::{Refusal, request::Request};

/// A token whose signature nobody has checked.
pub(in crate::verify) struct Said {
    /// `alg`.
    pub(in crate::verify) algorithm: String,
    /// `kid`.
    pub(in crate::verify) key_id: Option<String>,
    pub(in crate::verify) claims: Map<String, Value>,
    payload: Vec<u8>,
}

impl Said {
    /// The token that a request holds at the place of the settings.
    pub(in crate::verify) fn in_request(
        settings: &JwtSettings,
        request: &Request<'_>,
    ) -> Option<Self> {
        let text = find(settings, request).ok()?;
        let token = Token::cut(&text).ok()?;
        let payload = token.payload().ok()?;
        Some(Self {
            claims: object::read(&payload).ok()?,
            payload,
            key_id: token.key_id,
            algorithm: token.algorithm,
        })
    }

    /// Whether its claims are as they must be, by the check that decides about requests.
    pub(in crate::verify) fn judged(
        &self,
        claims: &ClaimSettings,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        claims.check(&self.payload, request, now)
    }

    /// `iss`, where it is a text.
    pub(in crate::verify) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// The texts in `aud`.
    pub(in crate::verify) fn audiences(&self) -> Vec<&str> {
        match self.claims.get("aud") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            Some(name) => name.as_str().into_iter().collect(),
            None => Vec::new(),
        }
    }
}
