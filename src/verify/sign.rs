//! The sender's side: signs requests so that the same settings and secrets verify them.
//!
//! For test events, the demo and tests. Nothing of it lies on the way of a real event.

mod write;

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use self::write::{add_to_form, add_to_query, is_form, set_header, write_json};
use super::{
    Peer, PrivateKey, Received, Refusal, Verifier, basic,
    jwt::{self, EventPlace, JwtSettings, Keys, TokenAt},
    request::Request,
    secret::{Prepared, valid},
    settings::{Scheme, SignaturePlace, SignatureSettings, TokenPlace, TokenSettings},
    signature::{Key, SignedHeaders, is_paired},
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
    #[error("no secret or key of this source is valid any more")]
    NoSecret,
    #[error("the request lacks a part that is signed (`{0}`)")]
    MissingPart(&'static str),
    #[error("the value for the header `{0}` cannot stand in a header")]
    NotHeaderText(HeaderName),
    #[error("only the real sender can show its certificate, to the proxy in front of the gateway")]
    OnlyThroughProxy,
    #[error("the body must be JSON with room for `{0}`")]
    NoRoomInBody(String),
    #[error("this source has public keys, and only the private key of one of them can sign")]
    NeedsPrivateKey,
    #[error("this source has no public keys, so a private key is of no use")]
    UnusedPrivateKey,
    #[error("the private key is not one for {0}, as the settings of this source have it")]
    OtherAlgorithm(&'static str),
    #[error("the private key belongs to none of the public keys of this source")]
    NotOurKey,
}

impl Verifier {
    /// Adds what the sender adds: headers, a query parameter or a field of the body. Signs with the first secret
    /// that is valid, and as event `id` where the scheme has one.
    ///
    /// # Errors
    ///
    /// Where the source has public keys: those are signed for by [`Verifier::sign_with`].
    pub fn sign(
        &self,
        request: Outgoing,
        id: &str,
        now: Timestamp,
    ) -> Result<Outgoing, CannotSign> {
        self.signed(request, id, now, None)
    }

    /// [`Verifier::sign`] for a source with public keys, one of which belongs to this private key.
    pub fn sign_with(
        &self,
        request: Outgoing,
        id: &str,
        now: Timestamp,
        private: &PrivateKey,
    ) -> Result<Outgoing, CannotSign> {
        if self.settings.takes_public_keys() || self.settings.needs_key_set() {
            self.signed(request, id, now, Some(private))
        } else {
            Err(CannotSign::UnusedPrivateKey)
        }
    }

    fn signed(
        &self,
        mut request: Outgoing,
        id: &str,
        now: Timestamp,
        private: Option<&PrivateKey>,
    ) -> Result<Outgoing, CannotSign> {
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
            Check::Certificate(_) => return Err(CannotSign::OnlyThroughProxy),
            Check::Signature(settings, keys) => {
                let signer = Signer {
                    settings,
                    keys,
                    private,
                    now,
                };
                signer.write(&mut request, id)?;
            }
            Check::Jwt(settings, keys) => {
                write_jwt(settings, keys, &mut request, id, private, now)?;
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
            peer: Peer::direct(IpAddr::V4(Ipv4Addr::LOCALHOST)),
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
    put_token(&settings.place, &text, request)
}

fn put_token(place: &TokenPlace, text: &str, request: &mut Outgoing) -> Result<(), CannotSign> {
    match place {
        TokenPlace::Header(name) => set_header(&mut request.headers, name, text),
        TokenPlace::Query(name) => {
            add_to_query(&mut request.url, name, text);
            Ok(())
        }
        TokenPlace::Form(name) => {
            add_to_form(request, name, text);
            Ok(())
        }
        TokenPlace::Json(path) => write_json(path, text, request),
    }
}

/// Where the event is what the token says, the body that carries the token has nothing else in it.
fn write_jwt(
    settings: &JwtSettings,
    keys: &Keys,
    request: &mut Outgoing,
    id: &str,
    private: Option<&PrivateKey>,
    now: Timestamp,
) -> Result<(), CannotSign> {
    let token = jwt::sign(settings, keys, request, id, private, now)?;
    let text = format!("{}{token}", settings.prefix);
    let kind = match &settings.place {
        TokenAt::Body => {
            request.body = text.into();
            "application/jwt"
        }
        TokenAt::Place(place) => {
            let is_event = settings.event == EventPlace::Claims;
            let kind = match place {
                TokenPlace::Json(_) if is_event => {
                    request.body = Bytes::from_static(b"null");
                    "application/json"
                }
                TokenPlace::Form(_) if is_event => {
                    request.body = Bytes::new();
                    "application/x-www-form-urlencoded"
                }
                _ => return put_token(place, &text, request),
            };
            put_token(place, &text, request)?;
            kind
        }
    };
    request
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(())
}

/// Signs with what the settings ask for.
struct Signer<'a> {
    settings: &'a SignatureSettings,
    keys: &'a [Prepared<Key>],
    private: Option<&'a PrivateKey>,
    now: Timestamp,
}

impl Signer<'_> {
    fn write(&self, request: &mut Outgoing, id: &str) -> Result<(), CannotSign> {
        let settings = self.settings;
        let timestamp = match &settings.timestamp {
            Some(timestamp) => timestamp.format.write(self.now),
            None => String::new(),
        };
        let timestamp_place = settings
            .timestamp
            .as_ref()
            .map(|timestamp| &timestamp.place);
        match timestamp_place {
            Some(TimestampPlace::Header(name)) => {
                set_header(&mut request.headers, name, &timestamp)?;
            }
            Some(TimestampPlace::Json(path)) => write_json(path, &timestamp, request)?,
            Some(TimestampPlace::Pair(_)) | None => {}
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
        let view = Request::from(&*request);
        let signed_headers = match &settings.signed_headers {
            Some(list) => list.of_all(&request.headers, &view).map_err(missing)?,
            None => SignedHeaders::default(),
        };
        let parts = Parts {
            request: &view,
            url: &request.url,
            timestamp: &timestamp,
            id,
            secret: None,
            signed_headers: &signed_headers,
            leave_out_form: digest_in_query.is_some(),
        };
        let (number, signature) = self.sign(parts)?;
        let mut pairs = Vec::new();
        if let Some(TimestampPlace::Pair(key)) = timestamp_place {
            pairs.push((key.as_str(), timestamp.as_str()));
        }
        if let Some(list) = &settings.signed_headers {
            pairs.push((list.pair.as_str(), signed_headers.names.as_str()));
        }
        let value = settings.format.write(&signature, &pairs);
        match &settings.place {
            SignaturePlace::Headers(names) => {
                let number = if is_paired(settings, self.keys.len()) {
                    number
                } else {
                    0
                };
                let name = names.get(number).ok_or(CannotSign::NoSecret)?;
                set_header(&mut request.headers, name, &value)
            }
            SignaturePlace::Query(name) => {
                add_to_query(&mut request.url, name, &value);
                Ok(())
            }
            SignaturePlace::Form(name) => {
                add_to_form(request, name, &value);
                Ok(())
            }
            SignaturePlace::Json(path) => write_json(path, &value, request),
        }
    }

    /// The signature, and the number of the key that it belongs to.
    fn sign(&self, parts: Parts<'_>) -> Result<(usize, String), CannotSign> {
        let encoding = self.settings.encoding;
        if let Scheme::PublicKey(algorithm) = self.settings.scheme {
            first(self.keys, self.now)?;
            let private = self.private.ok_or(CannotSign::NeedsPrivateKey)?;
            let text = self.settings.signed.text(&parts).map_err(missing)?;
            let signature = private
                .sign(algorithm, &text)
                .ok_or(CannotSign::OtherAlgorithm(algorithm.name()))?;
            let belongs = |key: &Prepared<Key>| match &key.key {
                Key::Public(public) => key.is_valid(self.now) && public.signed(&text, &signature),
                Key::Shared(_) => false,
            };
            let number = self.keys.iter().position(belongs);
            return Ok((
                number.ok_or(CannotSign::NotOurKey)?,
                encoding.write(&signature),
            ));
        }
        let mut keys = self.keys.iter().enumerate();
        let valid = keys.find_map(|(number, key)| match &key.key {
            Key::Shared(shared) if key.is_valid(self.now) => Some((number, shared)),
            _ => None,
        });
        let (number, shared) = valid.ok_or(CannotSign::NoSecret)?;
        let code = shared.sign(self.settings, parts).map_err(missing)?;
        Ok((number, code.into_text()))
    }
}

fn missing(refusal: Refusal) -> CannotSign {
    CannotSign::MissingPart(refusal.as_str())
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
