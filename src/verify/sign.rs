//! The sender's side: signs requests so that the same settings and secrets verify them.
//!
//! For test events, the demo and tests. Nothing of it lies on the way of a real event.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    Received, Refusal, Verifier, basic,
    json_path::JsonPath,
    request::{Request, fields, query_of},
    secret::{Prepared, valid},
    settings::{SignaturePlace, SignatureSettings, TokenPlace, TokenSettings},
    signature::Key,
    template::Parts,
    timestamp::TimestampPlace,
    verifier::Check,
};

/// A request that somebody is about to send.
#[derive(Clone)]
pub struct Outgoing {
    pub method: Method,
    /// Whole, as the source was given it.
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotSign {
    #[error("no secret of this source is valid any more")]
    NoSecret,
    #[error("the request lacks a part that is signed (`{0}`)")]
    MissingPart(&'static str),
    #[error("the value for the header `{0}` cannot stand in a header")]
    NotHeaderText(HeaderName),
    #[error("the body must be JSON with room for `{0}`")]
    NoRoomInBody(String),
}

impl Verifier {
    /// Adds what the sender adds: headers, a query parameter or a field of the body. Signs with the first secret
    /// that is valid, and as event `id` where the scheme has one.
    pub fn sign(
        &self,
        request: Outgoing,
        id: &str,
        now: Timestamp,
    ) -> Result<Outgoing, CannotSign> {
        let mut request = request;
        for (name, value) in &self.settings.require_headers {
            set_header(&mut request.headers, name, value)?;
        }
        match &self.check {
            Check::None => {}
            Check::Basic(secrets) => {
                let value = basic::write(&first(secrets, now)?.key);
                request.headers.insert(AUTHORIZATION, value);
            }
            Check::Token(settings, secrets) => {
                write_token(settings, &first(secrets, now)?.key, &mut request)?;
            }
            Check::Signature(settings, secrets) => {
                write_signature(settings, &first(secrets, now)?.key, &mut request, id, now)?;
            }
        }
        Ok(request)
    }
}

impl Outgoing {
    /// What the gateway would receive, were there no proxy between.
    pub fn into_received(self, received_at: Timestamp) -> Received {
        let after_scheme = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let path_and_query = after_scheme
            .find('/')
            .and_then(|start| after_scheme.get(start..))
            .unwrap_or("/")
            .to_owned();
        Received {
            method: self.method,
            path_and_query,
            public_url: self.url,
            headers: self.headers,
            body: self.body,
            received_at,
        }
    }
}

fn first<T>(secrets: &[Prepared<T>], now: Timestamp) -> Result<&Prepared<T>, CannotSign> {
    valid(secrets, now).next().ok_or(CannotSign::NoSecret)
}

fn write_token(
    settings: &TokenSettings,
    secret: &SecretString,
    request: &mut Outgoing,
) -> Result<(), CannotSign> {
    let text = format!("{}{}", settings.prefix, secret.expose_secret());
    match &settings.place {
        TokenPlace::Header(name) => set_header(&mut request.headers, name, &text),
        TokenPlace::Query(name) => {
            add_to_query(&mut request.url, name, &text);
            Ok(())
        }
        TokenPlace::Form(name) => {
            let mut body = request.body.to_vec();
            if !body.is_empty() {
                body.push(b'&');
            }
            body.extend_from_slice(pair(name, &text).as_bytes());
            request.body = body.into();
            Ok(())
        }
        TokenPlace::Json(path) => write_json(path, &text, request),
    }
}

fn write_signature(
    settings: &SignatureSettings,
    key: &Key,
    request: &mut Outgoing,
    id: &str,
    now: Timestamp,
) -> Result<(), CannotSign> {
    let timestamp = settings
        .timestamp
        .as_ref()
        .map(|timestamp| (&timestamp.place, timestamp.format.write(now)));
    if let Some((TimestampPlace::Header(name), text)) = &timestamp {
        set_header(&mut request.headers, name, text)?;
    }
    if let Some(name) = &settings.id_header {
        set_header(&mut request.headers, name, id)?;
    }
    let digest_in_query = settings
        .body_digest_query
        .as_ref()
        .filter(|_| !is_form(&request.headers));
    if let Some(name) = digest_in_query {
        let digest = hex::encode(Sha256::digest(&request.body));
        add_to_query(&mut request.url, name, &digest);
    }
    let time_text = timestamp.as_ref().map_or("", |(_, text)| text.as_str());
    let parts = Parts {
        request: &Request::from(&*request),
        url: &request.url,
        timestamp: time_text,
        id,
        secret: None,
        leave_out_form: digest_in_query.is_some(),
    };
    let signature = key
        .sign(settings, parts)
        .map_err(|refusal: Refusal| CannotSign::MissingPart(refusal.as_str()))?
        .into_text();
    match &settings.place {
        SignaturePlace::Header(name) => {
            let before = match &timestamp {
                Some((TimestampPlace::Pair(key), text)) => Some((key.as_str(), text.as_str())),
                _ => None,
            };
            let value = settings.format.write(&signature, before);
            set_header(&mut request.headers, name, &value)
        }
        SignaturePlace::Json(path) => write_json(path, &signature, request),
    }
}

impl<'a> From<&'a Outgoing> for Request<'a> {
    fn from(request: &'a Outgoing) -> Self {
        Self::new(
            &request.method,
            &request.url,
            &request.url,
            &request.headers,
            &request.body,
        )
    }
}

fn set_header(headers: &mut HeaderMap, name: &HeaderName, value: &str) -> Result<(), CannotSign> {
    let value =
        HeaderValue::from_str(value).map_err(|_| CannotSign::NotHeaderText(name.clone()))?;
    headers.insert(name, value);
    Ok(())
}

/// Adds a parameter, unless the address has it already, as an address that a person registered may.
fn add_to_query(url: &mut String, name: &str, value: &str) {
    let has = fields(query_of(url).as_bytes()).any(|(field, _)| *field == *name.as_bytes());
    if !has {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&pair(name, value));
    }
}

fn pair(name: &str, value: &str) -> String {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
    format!("{name}={value}")
}

fn write_json(path: &JsonPath, text: &str, request: &mut Outgoing) -> Result<(), CannotSign> {
    let no_room = || CannotSign::NoRoomInBody(path.to_string());
    let mut body: Value = serde_json::from_slice(&request.body).map_err(|_| no_room())?;
    if !path.write(&mut body, text) {
        return Err(no_room());
    }
    request.body = body.to_string().into();
    Ok(())
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .to_ascii_lowercase()
                .starts_with("application/x-www-form-urlencoded")
        })
}
