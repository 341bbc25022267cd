//! What a genuine token says, against what it must say.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    object,
    settings::{Audience, ClaimSettings},
};
use crate::verify::{Refusal, code::Algorithm, request::Request};

impl ClaimSettings {
    pub(super) fn check(
        &self,
        payload: &[u8],
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let claims = object::read(payload)?;
        if self.require.iter().any(|name| !claims.contains_key(name)) {
            return Err(Refusal::MissingClaim);
        }
        self.check_times(&claims, now)?;
        if !self.issuers.is_empty() {
            let issuer = text(&claims, "iss")?;
            if !self.issuers.iter().any(|allowed| allowed == issuer) {
                return Err(Refusal::WrongIssuer);
            }
        }
        self.check_audience(&claims, request.url)?;
        self.check_hashes(&claims, request)?;
        if !self.equal.is_empty() {
            let claims = Value::Object(claims);
            for (place, expected) in &self.equal {
                match place.scalar(&claims) {
                    Some(found) if found == *expected => {}
                    Some(_) => return Err(Refusal::WrongClaim),
                    None => return Err(Refusal::MissingClaim),
                }
            }
        }
        Ok(())
    }

    /// RFC 7519, sections 4.1.4 to 4.1.6. A token is expired at the moment that it names, not after it.
    fn check_times(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), Refusal> {
        let (now, leeway) = (now.as_duration().as_secs_f64(), self.leeway.as_secs_f64());
        let expires = moment(claims, "exp")?;
        match expires {
            _ if !self.check_expiry => {}
            None => return Err(Refusal::MissingClaim),
            Some(expires) if now >= expires + leeway => return Err(Refusal::TokenExpired),
            Some(_) => {}
        }
        for name in ["nbf", "iat"] {
            if moment(claims, name)?.is_some_and(|moment| now < moment - leeway) {
                return Err(Refusal::TokenTooEarly);
            }
        }
        Ok(())
    }

    /// RFC 7519, section 4.1.3: a text or a list of texts. Whoever is not among them must refuse the token, and who has
    /// no name cannot be among them.
    fn check_audience(&self, claims: &Map<String, Value>, url: &str) -> Result<(), Refusal> {
        let is_us = |value: &Value| {
            value.as_str().is_some_and(|name| {
                self.audiences.iter().any(|audience| match audience {
                    Audience::Text(text) => text == name,
                    Audience::Url => url == name,
                })
            })
        };
        match claims.get("aud") {
            None if self.audiences.is_empty() => Ok(()),
            None => Err(Refusal::MissingClaim),
            Some(Value::Array(names)) if names.iter().any(is_us) => Ok(()),
            Some(name) if is_us(name) => Ok(()),
            Some(_) => Err(Refusal::WrongAudience),
        }
    }

    fn check_hashes(
        &self,
        claims: &Map<String, Value>,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        if let Some(name) = &self.url_sha256
            && !self.is_hash(text(claims, name)?, request.url.as_bytes())
        {
            return Err(Refusal::UrlDigest);
        }
        if let Some(name) = &self.body_sha256 {
            // Senders leave the hash of nothing out.
            let may_lack = request.body.is_empty() && !claims.contains_key(name);
            if !may_lack && !self.is_hash(text(claims, name)?, request.body) {
                return Err(Refusal::BodyDigest);
            }
        }
        Ok(())
    }

    fn is_hash(&self, given: &str, bytes: &[u8]) -> bool {
        let mut hasher = Algorithm::Sha256.plain();
        hasher.update(bytes);
        let right = hasher.finish(self.hash_encoding);
        right.matches(self.hash_encoding.essence(given))
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    match claims.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Refusal::MalformedToken),
        None => Err(Refusal::MissingClaim),
    }
}

/// Seconds since 1970, perhaps with a fraction.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Refusal::MalformedToken),
    }
}
