//! Registration handshakes: how a sender makes sure that an address is ours before it sends events to it.
//!
//! A [`Handshake`] is checked settings together with what they need of the source's secrets. It looks at a request twice:
//! [`Handshake::ask`] before verification, since most of these requests are not signed, and [`Handshake::ask_verified`]
//! after it, for those that are, or that cause more than an answer. Each gives a [`Verdict`]; what it asks for (an
//! answer, a secret to keep, an address to fetch) is for the caller to do. This module does no I/O and reads no clock.
//!
//! What holds for every kind:
//!
//! - Only a source that names a kind has one, and a kind takes its own method and form only. Everything else is an
//!   ordinary event ([`Verdict::Event`]): nothing of it is echoed, and it is verified and stored like any other.
//! - What is echoed is bounded in length and characters, and declared as text that nobody should take for a page.
//! - No handshake weakens verification. Where a source is verified by a token in the URL, every handshake needs it. Only
//!   a text that can be no event is signed for a stranger, and such a text is never taken for an event. A secret that is
//!   established is never replaced.
//! - A stranger's handshake costs one look at a bounded text and at most one keyed hash.

mod answer;
mod confirm;
mod echo;
mod plain;
mod prove;
mod register;
mod settings;
mod vector;

use std::fmt;

use http::Method;
use jiff::Timestamp;
use secrecy::SecretString;

pub(super) use self::register::is_origin;
pub(super) use self::settings::{
    CloudEvents, Confirm, EchoJson, EchoQuery, HeaderEcho, HmacToken, Kind, Plain, PlainTest,
    TokenAt,
};
pub use self::{
    answer::HandshakeAnswer,
    confirm::ConfirmUrl,
    settings::HandshakeSettings,
    vector::{HandshakeVector, VectorError},
};
use super::{
    Received, Refusal, SettingsError, SigningSecret, Verified, Verifier, VerifySettings,
    code::{Algorithm, Hasher},
    request::Request,
    secret::{Prepared, prepare},
    settings::TokenPlace,
    token,
    verifier::Check,
};

/// The handshake of one source, ready to answer. Made once, when the source is loaded.
pub struct Handshake {
    settings: HandshakeSettings,
    secrets: Secrets,
}

/// What a kind needs beside its settings.
enum Secrets {
    None,
    /// The text that the sender repeats in a parameter of its own.
    Token(SecretString),
    /// The source's signing keys, for a keyed hash of what the sender says.
    Keys(Vec<Prepared<Hasher>>),
    /// The source's secrets, which no sender may add to.
    Established(Vec<Prepared<SecretString>>),
}

/// What a request is to a source with a handshake, and what it asks for.
#[derive(Debug)]
pub enum Verdict {
    /// Not a handshake: it goes the way of all events.
    Event,
    /// A handshake that needs nothing but this answer.
    Answer(HandshakeAnswer),
    /// The sender names the secret that it is going to sign with. The answer is for after it was kept.
    Learn {
        secret: SecretString,
        answer: HandshakeAnswer,
    },
    /// The sender wants this address fetched. The answer does not wait for it.
    Confirm {
        url: ConfirmUrl,
        answer: HandshakeAnswer,
    },
    Refused(Refusal),
}

impl Verdict {
    /// The status that a sender sees; `None` for an event, whose answer is not decided here.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Event => None,
            Self::Answer(_) | Self::Learn { .. } | Self::Confirm { .. } => Some(200),
            Self::Refused(refusal) if refusal.is_of_handshake() => Some(403),
            Self::Refused(refusal) if refusal.is_unverifiable() => Some(400),
            Self::Refused(_) => Some(401),
        }
    }

    /// The answer that a sender sees, but for that to an event or a refusal.
    pub const fn answer(&self) -> Option<&HandshakeAnswer> {
        match self {
            Self::Answer(answer) | Self::Learn { answer, .. } | Self::Confirm { answer, .. } => {
                Some(answer)
            }
            Self::Event | Self::Refused(_) => None,
        }
    }
}

impl Handshake {
    /// Puts settings and secrets together. `verify` and `secrets` are the source's; `token` is the text of
    /// `verify_token`, which must be there exactly where [`HandshakeSettings::needs_token`].
    ///
    /// # Errors
    /// A secret that is missing, empty, or not written as the settings say.
    pub fn new(
        settings: HandshakeSettings,
        verify: &VerifySettings,
        secrets: &[SigningSecret],
        token: Option<SecretString>,
    ) -> Result<Self, SettingsError> {
        let secrets = match (&settings.kind, token) {
            (Kind::EchoQuery(_), Some(token)) => Secrets::Token(token),
            (Kind::EchoQuery(echo), None) if echo.verify_parameter.is_some() => {
                return Err(SettingsError::NoSecret);
            }
            (Kind::HmacToken(_), _) => {
                let encoding = verify.secret_encoding().ok_or(SettingsError::NoSecret)?;
                let key = |secret: &SigningSecret| {
                    let bytes = encoding.decode(secret)?;
                    Ok(Algorithm::Sha256.keyed(secrecy::ExposeSecret::expose_secret(&bytes)))
                };
                Secrets::Keys(prepare(secrets, key)?)
            }
            (Kind::HeaderEcho(_), _) if !secrets.is_empty() => {
                Secrets::Established(prepare(secrets, |secret| Ok(secret.value.clone()))?)
            }
            _ => Secrets::None,
        };
        let settings = settings.beside(verify);
        Ok(Self { settings, secrets })
    }

    /// The word of its kind, for logs and metrics.
    pub const fn kind(&self) -> &'static str {
        self.settings.kind_name()
    }

    /// The methods that it takes beside `POST`, in the order of the alphabet.
    pub fn methods(&self) -> Vec<Method> {
        self.settings.methods()
    }

    /// Whether the source's secret is the one that the sender names in its handshake.
    pub const fn learns(&self) -> bool {
        self.settings.learns()
    }

    /// Looks at a request before its verification. A request by another method than `POST` is never an event.
    pub fn ask(&self, received: &Received, verifier: &Verifier, now: Timestamp) -> Verdict {
        let request = Request::from(received);
        let verdict = match (&self.settings.kind, &self.secrets) {
            (Kind::EchoQuery(settings), Secrets::Token(token)) => {
                echo::query(settings, Some(token), &request)
            }
            (Kind::EchoQuery(settings), _) => echo::query(settings, None, &request),
            (Kind::EchoJson(settings), _) => echo::json(settings, &request),
            (Kind::HmacToken(settings), Secrets::Keys(keys)) => {
                prove::unsigned(settings, keys, &request, now)
            }
            (Kind::HeaderEcho(settings), Secrets::Established(secrets)) => {
                register::header_echo(settings, secrets, &request, now)
            }
            (Kind::HeaderEcho(settings), _) => register::header_echo(settings, &[], &request, now),
            (Kind::CloudEvents(settings), _) => register::cloud_events(settings, &request),
            (Kind::Plain(settings), _) => plain::unsigned(settings, &request),
            (Kind::HmacToken(_) | Kind::Confirm(_), _) => Verdict::Event,
        };
        let verdict = match verdict {
            Verdict::Event if *request.method != Method::POST => {
                Verdict::Refused(Refusal::HandshakeMalformed)
            }
            verdict => verdict,
        };
        match (&verdict, url_token(verifier, &request, now)) {
            (Verdict::Event, _) | (_, Ok(())) => verdict,
            (_, Err(refusal)) => Verdict::Refused(refusal),
        }
    }

    /// Looks at a request that is genuine, or that came to a source with `verify: none`.
    pub fn ask_verified(&self, verified: &Verified, now: Timestamp) -> Verdict {
        let request = Request::from(verified.received());
        match (&self.settings.kind, &self.secrets) {
            (Kind::HmacToken(settings), Secrets::Keys(keys)) => {
                prove::signed(settings, keys, &request, now)
            }
            (Kind::Plain(settings), _) => plain::signed(settings, &request),
            (Kind::Confirm(settings), _) => confirm::ask(settings, &request),
            _ => Verdict::Event,
        }
    }
}

/// Where requests are verified by a token in the URL: whether it is there and right.
fn url_token(verifier: &Verifier, request: &Request<'_>, now: Timestamp) -> Result<(), Refusal> {
    match &verifier.check {
        Check::Token(settings, secrets) if matches!(settings.place, TokenPlace::Query(_)) => {
            token::check(settings, secrets, request, now).map(drop)
        }
        _ => Ok(()),
    }
}

/// Shows the settings only.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
