//! The handshake of a source, and the secret that its sender may name in it.

use secrecy::SecretString;

use super::{ArmError, CheckedSource, Source};
use crate::{
    config::SecretError,
    source::receive::ReceiveSecret,
    verify::{SettingsError, SigningSecret, Verifier, handshake::Handshake},
};

/// The name, in logs and metrics, of a secret that the sender named.
pub const LEARNED: &str = "learned";

impl CheckedSource {
    /// Gets the handshake ready, with the source's secrets and a token of its own from `read`.
    pub(super) fn handshake(
        &self,
        secrets: &[SigningSecret],
        mut read: impl FnMut(&ReceiveSecret) -> Result<Option<SecretString>, SecretError>,
    ) -> Result<Option<Handshake>, ArmError> {
        let Some(handshake) = &self.receive.handshake else {
            return Ok(None);
        };
        let token = match &handshake.verify_token {
            None => None,
            Some(secret) => read(secret).map_err(|error| ArmError::VerifyToken {
                source_name: self.name.clone(),
                reference: secret.reference.to_string(),
                error,
            })?,
        };
        let settings = handshake.settings.clone();
        Handshake::new(settings, &self.receive.verify, secrets, token)
            .map(Some)
            .map_err(|error| ArmError::Settings {
                source_name: self.name.clone(),
                error,
            })
    }
}

impl Source {
    /// How the sender registers the address, where that needs an answer.
    pub fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
    }

    /// Whether a secret that the sender names in its handshake is what proves its events: then no file and
    /// no variable has it. Never where the file has `secrets` of its own, which then are all that counts.
    pub fn learns_its_secret(&self) -> bool {
        let learns = self.handshake.as_ref().is_some_and(Handshake::learns);
        learns && self.checked.receive.secrets.is_empty()
    }

    /// A verifier for a secret that the sender named in its handshake.
    ///
    /// # Errors
    /// The secret is not written as the source's settings say.
    pub fn verifier_of(&self, learned: SecretString) -> Result<Verifier, SettingsError> {
        self.verifier_with(LEARNED, learned)
    }

    /// A verifier for a secret that is known by a name, in the place of those that the source has.
    ///
    /// # Errors
    /// The secret is not written as the source's settings say, or they use none.
    pub fn verifier_with(
        &self,
        name: &str,
        value: SecretString,
    ) -> Result<Verifier, SettingsError> {
        let secret = SigningSecret {
            name: name.to_owned(),
            value,
            until: None,
        };
        Verifier::new(self.checked.receive.verify.clone(), &[secret])
    }
}
