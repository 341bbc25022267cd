//! Settings and secrets, ready to check requests.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;

use super::{
    KeySetHandle, PublicKey, Received, Refusal, SettingsError, SigningSecret, Verified,
    VerifySettings, basic,
    certificate::{self, CertificateSettings},
    jwt::{self, Algorithms, JwtSettings, Keys, SharedKey},
    request::Request,
    secret::{Prepared, prepare, prepare_public, valid},
    settings::{Kind, SignatureSettings, TokenSettings},
    signature::{self, Key},
    token,
};

/// Checks the requests of one source. Made once, when the source is loaded.
pub struct Verifier {
    pub(super) settings: VerifySettings,
    pub(super) check: Check,
}

/// A kind of check with its secrets.
pub(super) enum Check {
    None,
    Basic(Vec<Prepared<SecretString>>),
    Token(TokenSettings, Vec<Prepared<SecretString>>),
    Certificate(CertificateSettings),
    Signature(Box<SignatureSettings>, Vec<Prepared<Key>>),
    Jwt(Box<JwtSettings>, Keys),
}

impl Verifier {
    /// Puts settings and secrets together.
    ///
    /// # Errors
    ///
    /// No secret, an empty one, one that is not written as the settings say, or more than
    /// [`MAX_SECRETS`](super::MAX_SECRETS); any secret at all where none is used. Where the settings want public
    /// keys: see [`Verifier::with_public_keys`].
    pub fn new(settings: VerifySettings, secrets: &[SigningSecret]) -> Result<Self, SettingsError> {
        if settings.takes_public_keys() {
            return Err(match secrets.first() {
                Some(secret) => SettingsError::UnusedSecret(secret.name.clone()),
                None => SettingsError::NoPublicKey,
            });
        }
        if !settings.needs_secret()
            && let Some(secret) = secrets.first()
        {
            return Err(SettingsError::UnusedSecret(secret.name.clone()));
        }
        let check = match &settings.kind {
            Kind::None => Check::None,
            Kind::Certificate(certificate) => Check::Certificate(certificate.clone()),
            Kind::Basic => Check::Basic(prepare(secrets, basic::prepare)?),
            Kind::Token(token) => Check::Token(
                token.clone(),
                prepare(secrets, |secret| Ok(secret.value.clone()))?,
            ),
            Kind::Signature(signature) => {
                let keys = prepare(secrets, |secret| Key::prepare(signature, secret))?;
                signature::check_pairs(signature, keys.len())?;
                Check::Signature(signature.clone(), keys)
            }
            Kind::Jwt(jwt) => {
                let keys = match (&jwt.algorithms, secrets.first()) {
                    (Algorithms::Public { .. }, Some(secret)) => {
                        return Err(SettingsError::UnusedSecret(secret.name.clone()));
                    }
                    (Algorithms::Public { .. }, None) => Keys::Public(OnceLock::new()),
                    (
                        Algorithms::Shared {
                            secret_encoding, ..
                        },
                        _,
                    ) => Keys::Shared(prepare(secrets, |secret| {
                        SharedKey::prepare(*secret_encoding, secret)
                    })?),
                };
                Check::Jwt(jwt.clone(), keys)
            }
        };
        Ok(Self { settings, check })
    }

    /// Puts settings and public keys together, where [`VerifySettings::takes_public_keys`].
    ///
    /// # Errors
    ///
    /// No key, one that is not what the settings say, or more than [`MAX_SECRETS`](super::MAX_SECRETS); any key at
    /// all where the settings want secrets.
    pub fn with_public_keys(
        settings: VerifySettings,
        keys: &[PublicKey],
    ) -> Result<Self, SettingsError> {
        let (Kind::Signature(signature), Some(algorithm)) =
            (&settings.kind, settings.key_algorithm())
        else {
            return Err(match keys.first() {
                Some(key) => SettingsError::UnusedPublicKey(key.name.clone()),
                None => SettingsError::NoSecret,
            });
        };
        let keys = prepare_public(keys, |key| algorithm.prepare(key).map(Key::Public))?;
        signature::check_pairs(signature, keys.len())?;
        let check = Check::Signature(signature.clone(), keys);
        Ok(Self { settings, check })
    }

    /// Of a source that learns its secret by a handshake: refuses every request, since there is no secret yet.
    ///
    /// # Errors
    ///
    /// The settings are not those of a signature with a secret.
    pub fn awaiting(settings: VerifySettings) -> Result<Self, SettingsError> {
        match &settings.kind {
            Kind::Signature(signature) if !settings.takes_public_keys() => {
                let check = Check::Signature(signature.clone(), Vec::new());
                Ok(Self { settings, check })
            }
            _ => Err(SettingsError::NoSecret),
        }
    }

    /// The settings it was made of.
    pub const fn settings(&self) -> &VerifySettings {
        &self.settings
    }

    /// Says where the sender's public keys can be had, for settings that need them; the first one said stays. Before
    /// that, and while there are none yet, such requests are refused with [`Refusal::NoKeySet`].
    pub fn use_keys(&self, keys: KeySetHandle) {
        if let Check::Jwt(_, Keys::Public(place)) = &self.check {
            place.get_or_init(|| keys);
        }
    }

    /// What [`Verifier::use_keys`] was given.
    pub fn keys(&self) -> Option<&KeySetHandle> {
        match &self.check {
            Check::Jwt(_, Keys::Public(place)) => place.get(),
            _ => None,
        }
    }

    /// Checks a request that arrived `now`. This is the only way to a [`Verified`].
    ///
    /// # Errors
    ///
    /// The request, handed back, and why it is not taken.
    #[expect(
        clippy::result_large_err,
        reason = "the request moves through either way, as large as it came"
    )]
    pub fn verify(
        &self,
        received: Received,
        now: Timestamp,
    ) -> Result<Verified, (Received, Refusal)> {
        match self.check(&Request::from(&received), now) {
            Ok(Match { secret, event }) => Ok(match (secret, event) {
                (Some(secret), Some(event)) => Verified::with_event(received, secret, event),
                (secret, _) => Verified::new(received, secret),
            }),
            Err(refusal) => Err((received, refusal)),
        }
    }

    /// Whether keys that the sender has published since may change the verdict on a request that was refused.
    pub fn may_need_new_keys(&self, received: &Received, refusal: Refusal) -> bool {
        let Check::Jwt(settings, Keys::Public(_)) = &self.check else {
            return false;
        };
        match refusal {
            Refusal::UnknownKey | Refusal::NoKeySet => true,
            // A key that it names is there and did not sign it; without a name it may be by a key that is not.
            Refusal::NoMatch => jwt::names_no_key(settings, &Request::from(received)),
            _ => false,
        }
    }

    pub(super) fn check(&self, request: &Request<'_>, now: Timestamp) -> Result<Match, Refusal> {
        for (name, expected) in &self.settings.require_headers {
            match request.header(name)? {
                Some(value) if value.as_bytes() == expected.as_bytes() => {}
                _ => return Err(Refusal::RequiredHeader),
            }
        }
        match &self.check {
            Check::None => Ok(Match::default()),
            Check::Basic(secrets) => {
                any_valid(secrets, now)?;
                Ok(Match::of(basic::check(secrets, request, now)?.name()))
            }
            Check::Token(settings, secrets) => {
                any_valid(secrets, now)?;
                Ok(Match::of(
                    token::check(settings, secrets, request, now)?.name(),
                ))
            }
            Check::Certificate(settings) => {
                certificate::check(settings, request, now).map(Match::of)
            }
            Check::Signature(settings, secrets) => {
                any_valid(secrets, now)?;
                Ok(Match::of(
                    signature::check(settings, secrets, request, now)?.name(),
                ))
            }
            Check::Jwt(settings, keys) => {
                if let Keys::Shared(secrets) = keys {
                    any_valid(secrets, now)?;
                }
                let genuine = jwt::check(settings, keys, request, now)?;
                Ok(Match {
                    secret: Some(genuine.key),
                    event: genuine.event,
                })
            }
        }
    }
}

/// What a genuine request was found to be.
#[derive(Default)]
pub(super) struct Match {
    /// The name of the secret that matches.
    pub(super) secret: Option<Arc<str>>,
    /// What a token says, where that is the event.
    event: Option<Bytes>,
}

impl Match {
    const fn of(secret: Arc<str>) -> Self {
        Self {
            secret: Some(secret),
            event: None,
        }
    }
}

fn any_valid<T>(secrets: &[Prepared<T>], now: Timestamp) -> Result<(), Refusal> {
    valid(secrets, now)
        .next()
        .map(drop)
        .ok_or(Refusal::NoSecret)
}

/// Shows the settings only.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
