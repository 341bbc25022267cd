//! Answers a token with its keyed hash, which shows that we know the source's secret.
//!
//! Whoever may ask for the hash of any text has signatures made with our secret. So a stranger gets that of a token only,
//! and a body that is such a token is never taken for an event; and a body in which the token is one field among others
//! is verified first.

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{HandshakeAnswer, HmacToken, TokenAt, Verdict, answer::is_token, settings::has_fields};
use crate::verify::{
    Refusal,
    code::Hasher,
    request::Request,
    secret::{Prepared, valid},
};

/// A token in the query of a `GET`.
pub(super) fn unsigned(
    settings: &HmacToken,
    keys: &[Prepared<Hasher>],
    request: &Request<'_>,
    now: Timestamp,
) -> Verdict {
    let TokenAt::Parameter(name) = &settings.token else {
        return Verdict::Event;
    };
    if *request.method != Method::GET || !request.body.is_empty() {
        return Verdict::Event;
    }
    match request.query(name) {
        Ok(Some(token)) => prove(settings, keys, &token, now),
        Ok(None) => Verdict::Event,
        Err(refusal) => Verdict::Refused(refusal),
    }
}

/// A token in a genuine body; and, where strangers may have tokens signed, a body that is one.
pub(super) fn signed(
    settings: &HmacToken,
    keys: &[Prepared<Hasher>],
    request: &Request<'_>,
    now: Timestamp,
) -> Verdict {
    match &settings.token {
        TokenAt::Parameter(_) if is_token(request.body) => {
            Verdict::Refused(Refusal::HandshakeSigned)
        }
        TokenAt::Field { field, require } if has_fields(request, require) => {
            let json = request.json().ok();
            let token = json.and_then(|json| field.scalar(json)).unwrap_or_default();
            prove(settings, keys, token.as_bytes(), now)
        }
        TokenAt::Parameter(_) | TokenAt::Field { .. } => Verdict::Event,
    }
}

fn prove(settings: &HmacToken, keys: &[Prepared<Hasher>], token: &[u8], now: Timestamp) -> Verdict {
    let Some(text) = std::str::from_utf8(token).ok().filter(|_| is_token(token)) else {
        return Verdict::Refused(Refusal::HandshakeMalformed);
    };
    let Some(key) = valid(keys, now).next() else {
        return Verdict::Refused(Refusal::NoSecret);
    };
    let mut hasher = key.key.clone();
    hasher.update(token);
    let code = hasher.finish(settings.encoding).into_text();
    let mut answer = Map::new();
    if let Some(field) = &settings.token_field {
        answer.insert(field.clone(), Value::from(text));
    }
    let code = format!("{}{code}", settings.prefix);
    answer.insert(settings.answer_field.clone(), Value::from(code));
    Verdict::Answer(HandshakeAnswer::json(&Value::Object(answer)))
}
