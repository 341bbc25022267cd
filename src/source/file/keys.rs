//! The public keys of a sender that stand in a file.

use secrecy::{ExposeSecret as _, SecretString};

use super::{ArmError, Source};
use crate::{
    config::{SecretError, SecretReference},
    verify::{KeySet, KeySetHandle, KeySetPlace},
};

impl Source {
    /// Takes the sender's public keys from a file, which `read` reads, where the source names one. Keys that are
    /// fetched come later.
    ///
    /// # Errors
    /// The file cannot be read, or holds no keys.
    pub(in crate::source) fn read_keys(
        self,
        read: impl FnOnce(&SecretReference) -> Result<SecretString, SecretError>,
    ) -> Result<Self, ArmError> {
        let Some(KeySetPlace::File(path)) = self.verifier.settings().key_set() else {
            return Ok(self);
        };
        let text = read(&SecretReference::File(path.clone())).map_err(|error| {
            ArmError::UnreadableKeys {
                source_name: self.name().clone(),
                error,
            }
        })?;
        let set =
            KeySet::read(text.expose_secret().as_bytes()).map_err(|error| ArmError::Keys {
                source_name: self.name().clone(),
                path: path.clone(),
                error,
            })?;
        self.verifier.use_keys(KeySetHandle::holding(set));
        Ok(self)
    }
}
