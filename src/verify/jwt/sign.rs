//! Makes the token that a sender would make.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::settings::{Algorithms, Audience, ClaimSettings, EventPlace, JwtSettings, Keys};
use crate::verify::{
    CannotSign, Outgoing, PrivateKey,
    code::{Algorithm, Encoding},
    secret::valid,
};

/// How long a token of ours is good: long enough for a request, with a clock that is a little off.
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// The token for a request, whose address and body are as they will be sent. `private` is for settings without a shared
/// secret.
pub(in crate::verify) fn sign(
    settings: &JwtSettings,
    keys: &Keys,
    request: &Outgoing,
    id: &str,
    private: Option<&PrivateKey>,
    now: Timestamp,
) -> Result<String, CannotSign> {
    let payload = match settings.event {
        EventPlace::Claims => event(&settings.claims, request, id, now)?,
        EventPlace::Body => {
            let claims = settings.claims.written(Value::Null, request, id, now)?;
            claims.to_string().into()
        }
    };
    match (&settings.algorithms, keys) {
        (Algorithms::Shared { allowed, .. }, Keys::Shared(secrets)) => {
            let secret = valid(secrets, now).next().ok_or(CannotSign::NoSecret)?;
            let algorithm = *allowed.first().ok_or(CannotSign::NoSecret)?;
            let signed = signed(algorithm.as_str(), &payload);
            let signature = secret.key.sign(algorithm, signed.as_bytes());
            Ok(joined(&signed, &signature))
        }
        (Algorithms::Public { allowed, .. }, _) => {
            let private = private.ok_or(CannotSign::NeedsPrivateKey)?;
            let made = allowed.iter().find_map(|algorithm| {
                let signed = signed(algorithm.as_str(), &payload);
                let signature = algorithm.sign(private, signed.as_bytes())?;
                Some(joined(&signed, &signature))
            });
            let wanted = allowed.first().map_or("", |algorithm| algorithm.as_str());
            made.ok_or(CannotSign::OtherAlgorithm(wanted))
        }
        (Algorithms::Shared { .. }, Keys::Public(_)) => Err(CannotSign::NoSecret),
    }
}

/// The event itself where nothing must be added to it: then its bytes stay as they are.
fn event(
    claims: &ClaimSettings,
    request: &Outgoing,
    id: &str,
    now: Timestamp,
) -> Result<Bytes, CannotSign> {
    let no_room = |_| CannotSign::NoRoomInBody("claims".to_owned());
    let event: Value = serde_json::from_slice(&request.body).map_err(no_room)?;
    let mut written = claims.written(event.clone(), request, id, now)?;
    if !claims.check_expiry
        && let (Some(written), Some(event)) = (written.as_object_mut(), event.as_object())
    {
        for name in ["exp", "nbf", "iat"] {
            let is_ours = !event.contains_key(name) && !claims.require.iter().any(|n| n == name);
            if is_ours {
                written.remove(name);
            }
        }
    }
    Ok(if written == event {
        request.body.clone()
    } else {
        written.to_string().into()
    })
}

impl ClaimSettings {
    /// What `claims` lack of what these settings ask for.
    fn written(
        &self,
        claims: Value,
        request: &Outgoing,
        id: &str,
        now: Timestamp,
    ) -> Result<Value, CannotSign> {
        let no_room = || CannotSign::NoRoomInBody("claims".to_owned());
        let mut claims = match claims {
            Value::Null => Map::new(),
            Value::Object(claims) => claims,
            _ => return Err(no_room()),
        };
        let mut put = |name: &str, value: Value| {
            claims.entry(name).or_insert(value);
        };
        put("iat", json!(now.as_second()));
        put("nbf", json!(now.as_second()));
        put("exp", json!(now.as_second() + LIFETIME.as_secs()));
        if let Some(issuer) = self.issuers.first() {
            put("iss", json!(issuer));
        }
        match self.audiences.first() {
            Some(Audience::Text(name)) => put("aud", json!(name)),
            Some(Audience::Url) => put("aud", json!(request.url)),
            None => {}
        }
        if let Some(name) = &self.url_sha256 {
            put(name, hash(request.url.as_bytes(), self.hash_encoding));
        }
        if let Some(name) = self
            .body_sha256
            .as_ref()
            .filter(|_| !request.body.is_empty())
        {
            put(name, hash(&request.body, self.hash_encoding));
        }
        for name in &self.require {
            put(name, json!(id));
        }
        let mut claims = Value::Object(claims);
        for (place, value) in &self.equal {
            if place.scalar(&claims).as_deref() != Some(value) && !place.write(&mut claims, value) {
                return Err(no_room());
            }
        }
        Ok(claims)
    }
}

fn hash(bytes: &[u8], encoding: Encoding) -> Value {
    let mut hasher = Algorithm::Sha256.plain();
    hasher.update(bytes);
    json!(hasher.finish(encoding).into_text())
}

fn signed(algorithm: &str, payload: &[u8]) -> String {
    let header = json!({"alg": algorithm, "typ": "JWT"}).to_string();
    let header = URL_SAFE_NO_PAD.encode(header);
    format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload))
}

fn joined(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
