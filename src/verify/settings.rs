//! How a source proves that it sent a request. Checked: whatever exists here makes sense.

use http::HeaderName;
use jiff::Timestamp;

use super::{
    SecretEncoding,
    certificate::CertificateSettings,
    code::{Algorithm, Encoding},
    format::SignatureFormat,
    json_path::JsonPath,
    jwt::{Algorithms, Audience, EventPlace, JwtSettings, KeySetPlace, TokenAt},
    public_key::{InvalidPublicKey, KeyAlgorithm},
    signature::HeaderList,
    template::{Segment, Template},
    timestamp::{TimestampPlace, TimestampSettings},
};

/// How a source proves that it sent a request.
///
/// Read from YAML with [`VerifySettings::read`](VerifySettings::read), be it a source file or a row of
/// [`presets`](super::presets).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifySettings {
    pub(super) kind: Kind,
    /// Headers that must be there once, with exactly this value.
    pub(super) require_headers: Vec<(HeaderName, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It does not, and somebody wrote that down.
    None,
    Basic,
    Token(TokenSettings),
    Certificate(CertificateSettings),
    Signature(Box<SignatureSettings>),
    Jwt(Box<JwtSettings>),
}

/// A fixed text that the sender repeats with every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenSettings {
    pub(super) place: TokenPlace,
    pub(super) prefix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenPlace {
    Header(HeaderName),
    Query(String),
    Form(String),
    Json(JsonPath),
}

/// A code over parts of the request that only the holder of the secret, or of the private key, can compute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignatureSettings {
    pub(super) scheme: Scheme,
    pub(super) place: SignaturePlace,
    pub(super) format: SignatureFormat,
    pub(super) encoding: Encoding,
    pub(super) signed: Template,
    /// There exactly when the template has `{timestamp}`.
    pub(super) timestamp: Option<TimestampSettings>,
    /// There exactly when the template has `{id}`.
    pub(super) id_header: Option<HeaderName>,
    /// There exactly when the template has `{header_names}` or `{header_values}`.
    pub(super) signed_headers: Option<HeaderList>,
    /// Also try the address without its port and with the default one.
    pub(super) url_port_variants: bool,
    /// A query parameter that, where present, holds the hexadecimal SHA-256 of the body in place of its form.
    pub(super) body_digest_query: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// A keyed hash (RFC 2104).
    Hmac(Shared),
    /// A plain hash over a text that has the secret inside.
    Digest(Shared),
    PublicKey(KeyAlgorithm),
}

/// How a secret that both sides know makes a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) algorithm: Algorithm,
    pub(super) secret_encoding: SecretEncoding,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SignaturePlace {
    /// At least one. Several hold the signatures of several secrets, the first of the first; one that matches is enough.
    Headers(Vec<HeaderName>),
    Query(String),
    Form(String),
    Json(JsonPath),
}

impl SignaturePlace {
    /// The headers that hold signatures.
    pub(super) fn headers(&self) -> &[HeaderName] {
        match self {
            Self::Headers(names) => names,
            Self::Query(_) | Self::Form(_) | Self::Json(_) => &[],
        }
    }
}

impl VerifySettings {
    /// Takes every request as genuine. A person must have asked for it in so many words.
    pub const fn none() -> Self {
        Self {
            kind: Kind::None,
            require_headers: Vec::new(),
        }
    }

    /// Whether nothing is checked.
    pub const fn is_none(&self) -> bool {
        matches!(self.kind, Kind::None)
    }

    /// Whether a change of the body would be noticed. Where not, an event is a hint at best: whoever learns one
    /// request or the token can write any body.
    pub fn covers_body(&self) -> bool {
        match &self.kind {
            Kind::None | Kind::Basic | Kind::Token(_) | Kind::Certificate(_) => false,
            Kind::Signature(settings) => settings
                .signed
                .has(|part| matches!(part, Segment::Body | Segment::FormSorted)),
            Kind::Jwt(settings) => {
                settings.event == EventPlace::Claims || settings.claims.body_sha256.is_some()
            }
        }
    }

    /// Whether somebody who has one genuine request can append to what is signed and compute the signature without the
    /// secret: a plain hash of the secret with text behind it that may hold any bytes. SHA-384 does not show enough of
    /// its state for that.
    pub fn is_extendable(&self) -> bool {
        let Kind::Signature(settings) = &self.kind else {
            return false;
        };
        let shows_its_state = match settings.scheme {
            Scheme::Digest(shared) => shared.algorithm != Algorithm::Sha384,
            Scheme::Hmac(_) | Scheme::PublicKey(_) => false,
        };
        let ends_in_any_bytes = matches!(
            settings.signed.segments().last(),
            Some(Segment::Body | Segment::FormSorted | Segment::Form(_) | Segment::Query(_))
        );
        shows_its_state && ends_in_any_bytes
    }

    /// How secrets are written, where a signature is made with one.
    pub(super) fn secret_encoding(&self) -> Option<SecretEncoding> {
        match &self.kind {
            Kind::Signature(settings) => match settings.scheme {
                Scheme::Hmac(shared) | Scheme::Digest(shared) => Some(shared.secret_encoding),
                Scheme::PublicKey(_) => None,
            },
            Kind::None | Kind::Basic | Kind::Token(_) | Kind::Certificate(_) | Kind::Jwt(_) => None,
        }
    }

    /// Whether the signed text is the body as it is, and nothing else.
    pub(super) fn signs_body_alone(&self) -> bool {
        matches!(&self.kind, Kind::Signature(settings) if settings.signed.is_body())
    }

    /// Whether the public address is part of what is signed, so that the gateway must be told how senders address it.
    pub fn signs_url(&self) -> bool {
        match &self.kind {
            Kind::None | Kind::Basic | Kind::Token(_) | Kind::Certificate(_) => false,
            Kind::Signature(settings) => settings
                .signed
                .has(|part| matches!(part, Segment::Url | Segment::UrlDecoded)),
            Kind::Jwt(settings) => {
                let claims = &settings.claims;
                claims.url_sha256.is_some() || claims.audiences.contains(&Audience::Url)
            }
        }
    }

    /// Whether what proves a request is the word of a proxy of ours.
    pub const fn needs_trusted_proxy(&self) -> bool {
        matches!(self.kind, Kind::Certificate(_))
    }

    /// The certificates that a request may show, by name, and until when.
    pub fn certificates(&self) -> impl Iterator<Item = (&str, Option<Timestamp>)> {
        let allowed = match &self.kind {
            Kind::Certificate(settings) => settings.allowed.as_slice(),
            Kind::None | Kind::Basic | Kind::Token(_) | Kind::Jwt(_) | Kind::Signature(_) => &[],
        };
        allowed
            .iter()
            .map(|allowed| (&*allowed.name, allowed.until))
    }

    /// The headers that hold what proves a request: signatures or a token.
    pub fn secret_headers(&self) -> &[HeaderName] {
        match &self.kind {
            Kind::None => &[],
            Kind::Basic => &[http::header::AUTHORIZATION],
            Kind::Token(settings) => match &settings.place {
                TokenPlace::Header(name) => std::slice::from_ref(name),
                TokenPlace::Query(_) | TokenPlace::Form(_) | TokenPlace::Json(_) => &[],
            },
            Kind::Certificate(settings) => std::slice::from_ref(&settings.header),
            Kind::Signature(settings) => settings.place.headers(),
            Kind::Jwt(settings) => match &settings.place {
                TokenAt::Place(TokenPlace::Header(name)) => std::slice::from_ref(name),
                TokenAt::Place(_) | TokenAt::Body => &[],
            },
        }
    }

    /// The header that holds the time at which the sender signed.
    pub fn timestamp_header(&self) -> Option<&HeaderName> {
        let Kind::Signature(settings) = &self.kind else {
            return None;
        };
        match &settings.timestamp.as_ref()?.place {
            TimestampPlace::Header(name) => Some(name),
            TimestampPlace::Pair(_) | TimestampPlace::Json(_) => None,
        }
    }

    /// The header that holds the sender's event id, where it is signed.
    pub fn id_header(&self) -> Option<&HeaderName> {
        match &self.kind {
            Kind::None | Kind::Basic | Kind::Token(_) | Kind::Certificate(_) | Kind::Jwt(_) => None,
            Kind::Signature(settings) => settings.id_header.as_ref(),
        }
    }

    /// How the secret is written, in words; `None` where there is none.
    pub fn secret_form(&self) -> Option<String> {
        match &self.kind {
            Kind::None | Kind::Certificate(_) => None,
            Kind::Basic => Some("the secret is `user:password`".to_owned()),
            Kind::Token(settings) if settings.prefix.is_empty() => {
                Some("the secret is the token".to_owned())
            }
            Kind::Token(settings) => Some(format!(
                "the secret is the token without `{}`",
                settings.prefix.trim_end()
            )),
            Kind::Signature(settings) => match settings.scheme {
                Scheme::PublicKey(_) => None,
                Scheme::Hmac(shared) | Scheme::Digest(shared) => {
                    Some(form_of(shared.secret_encoding))
                }
            },
            Kind::Jwt(settings) => match settings.algorithms {
                Algorithms::Public { .. } => None,
                Algorithms::Shared {
                    secret_encoding, ..
                } => Some(form_of(secret_encoding)),
            },
        }
    }

    /// Whether a request is proved by a JSON web token.
    pub const fn is_jwt(&self) -> bool {
        matches!(self.kind, Kind::Jwt(_))
    }

    /// Whether the sender and we share a secret.
    pub fn needs_secret(&self) -> bool {
        !matches!(self.kind, Kind::None | Kind::Certificate(_))
            && !self.needs_key_set()
            && !self.takes_public_keys()
    }

    /// Whether the sender signs with a key pair, and publishes the other half.
    pub fn needs_key_set(&self) -> bool {
        match &self.kind {
            Kind::Jwt(settings) => matches!(settings.algorithms, Algorithms::Public { .. }),
            _ => false,
        }
    }

    /// Where the sender's public keys stand, where the settings or the source say it.
    pub fn key_set(&self) -> Option<&KeySetPlace> {
        match &self.kind {
            Kind::Jwt(settings) => match &settings.algorithms {
                Algorithms::Public { key_set, .. } => key_set.as_ref(),
                Algorithms::Shared { .. } => None,
            },
            _ => None,
        }
    }

    /// Says where the sender's public keys stand, in place of what the settings say; nothing for other kinds.
    pub(super) fn set_key_set(&mut self, place: KeySetPlace) {
        if let Kind::Jwt(settings) = &mut self.kind
            && let Algorithms::Public { key_set, .. } = &mut settings.algorithms
        {
            *key_set = Some(place);
        }
    }

    /// Whether the event is what a token says, and not the body around it.
    pub fn maps_claims(&self) -> bool {
        match &self.kind {
            Kind::Jwt(settings) => settings.event == EventPlace::Claims,
            _ => false,
        }
    }

    /// The `type` of the settings, for pages and logs.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::None => "none",
            Kind::Basic => "basic",
            Kind::Token(_) => "token",
            Kind::Certificate(_) => "client-certificate",
            Kind::Signature(settings) => match settings.scheme {
                Scheme::Hmac(_) => "hmac",
                Scheme::Digest(_) => "digest",
                Scheme::PublicKey(_) => "public-key",
            },
            Kind::Jwt(_) => "jwt",
        }
    }

    /// What the signatures are made with, where the source is to have public keys instead of secrets.
    pub(super) fn key_algorithm(&self) -> Option<KeyAlgorithm> {
        match &self.kind {
            Kind::Signature(settings) => match settings.scheme {
                Scheme::PublicKey(algorithm) => Some(algorithm),
                Scheme::Hmac(_) | Scheme::Digest(_) => None,
            },
            Kind::None | Kind::Basic | Kind::Token(_) | Kind::Certificate(_) | Kind::Jwt(_) => None,
        }
    }

    /// Whether the source is to have public keys instead of secrets.
    pub fn takes_public_keys(&self) -> bool {
        self.key_algorithm().is_some()
    }

    /// Whether a text is a public key that these settings can use; any text is where they use none.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check_public_key(&self, text: &str) -> Result<(), InvalidPublicKey> {
        match self.key_algorithm() {
            Some(algorithm) => algorithm.read(text).map(drop),
            None => Ok(()),
        }
    }
}

fn form_of(encoding: SecretEncoding) -> String {
    match encoding {
        SecretEncoding::Utf8 => "the secret exactly as the sender shows it".to_owned(),
        encoding => format!("the secret is {encoding}"),
    }
}
