//! What a source takes as a proof, read where its file says: secrets, public keys, and keys that a sender publishes.

use std::path::Path;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    config::{Environment, SecretError, SecretReference},
    source::{
        SourceFile, UnreadableSamples, find_files,
        receive::{Receive, ReceiveSecret},
    },
    verify::{KeySet, KeySetHandle, KeySetPlace, PublicKey, SigningSecret},
};

/// Secrets of other sources that are tried.
const MOST_OTHERS: usize = 50;

/// What a request is tried with.
#[derive(Debug, Default)]
pub struct Proofs {
    pub secrets: Vec<SigningSecret>,
    pub public_keys: Vec<PublicKey>,
    /// Those that stand in a file; where the sender publishes them at an address, somebody must fetch them.
    pub key_set: Option<KeySetHandle>,
}

impl Proofs {
    /// Reads what a source has, as it was for a request that came at some time.
    ///
    /// # Errors
    ///
    /// What cannot be read, in words; there is no value in it.
    pub fn read(
        receive: &Receive,
        base: &Path,
        environment: &Environment,
        at: Timestamp,
    ) -> Result<Self, Vec<String>> {
        let resolve = |secret: &ReceiveSecret| resolve(secret, environment, base, at);
        let said = |failed: Vec<(_, SecretError)>| -> Vec<String> {
            let failed = failed.iter();
            failed.map(|(_, error)| chain(error)).collect()
        };
        Ok(Self {
            secrets: receive.signing_secrets(resolve).map_err(said)?,
            public_keys: receive.public_keys(resolve).map_err(said)?,
            key_set: match receive.verify.key_set() {
                Some(KeySetPlace::File(path)) => {
                    Some(key_set(path, base, environment).map_err(|error| vec![error])?)
                }
                Some(KeySetPlace::Url(_)) | None => None,
            },
        })
    }
}

/// One that has ended may be gone.
fn resolve(
    secret: &ReceiveSecret,
    environment: &Environment,
    base: &Path,
    at: Timestamp,
) -> Result<Option<SecretString>, SecretError> {
    let is_over = secret.until.is_some_and(|until| until <= at);
    match secret.reference.read(environment, base) {
        Ok(value) => Ok(Some(value)),
        Err(_) if is_over => Ok(None),
        Err(error) => Err(error),
    }
}

fn key_set(path: &Path, base: &Path, environment: &Environment) -> Result<KeySetHandle, String> {
    let text = SecretReference::File(path.to_path_buf()).read(environment, base);
    let text = text.map_err(|error| chain(&error))?;
    let set = KeySet::read(text.expose_secret().as_bytes());
    set.map(KeySetHandle::holding)
        .map_err(|error| format!("{} holds no keys: {error}", path.display()))
}

/// An error with its causes.
fn chain(error: &SecretError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The secrets of other sources that can be read.
pub fn others(
    folder: &Path,
    base: &Path,
    name: &str,
    environment: &Environment,
) -> Vec<SigningSecret> {
    let mut others = Vec::new();
    for path in find_files(folder).unwrap_or_default() {
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        if stem == name {
            continue;
        }
        let file = SourceFile::read(&path, UnreadableSamples::Warn);
        let Some((receive, _)) = file.parts() else {
            continue;
        };
        for secret in &receive.secrets {
            if let Ok(value) = secret.reference.read(environment, base) {
                others.push(SigningSecret {
                    name: format!("{} of the source `{stem}`", secret.reference),
                    value,
                    until: None,
                });
            }
        }
    }
    others.truncate(MOST_OTHERS);
    others
}
