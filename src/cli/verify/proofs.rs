//! What a source takes as a proof, read where its file says: secrets, public keys, and the keys that a sender publishes.

use std::path::Path;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::Arguments;
use crate::{
    cli::{Exit, output},
    config::{Environment, Receiving, SecretError, SecretReference},
    jwks,
    source::{
        SourceFile, UnreadableSamples, find_files,
        receive::{Receive, ReceiveSecret},
    },
    verify::{KeySet, KeySetHandle, KeySetPlace, PublicKey, SigningSecret},
};

/// Secrets of other sources that are tried.
const MOST_OTHERS: usize = 50;

/// What the request is tried with.
#[derive(Default)]
pub(super) struct Proofs {
    pub(super) secrets: Vec<SigningSecret>,
    pub(super) public_keys: Vec<PublicKey>,
    pub(super) key_set: Option<KeySetHandle>,
}

impl Proofs {
    /// Another secret that was named, else what the source has. What cannot be read is said.
    pub(super) async fn read(
        arguments: &Arguments,
        receive: &Receive,
        base: &Path,
        environment: &Environment,
        at: Timestamp,
    ) -> Result<Self, Exit> {
        if let Some(reference) = other_secret(arguments) {
            let value = reference.read(environment, Path::new(""));
            let secret = SigningSecret {
                name: reference.to_string(),
                value: value.map_err(|error| unreadable(&error))?,
                until: None,
            };
            return Ok(Self {
                secrets: vec![secret],
                ..Self::default()
            });
        }
        let resolve = |secret: &ReceiveSecret| resolve(secret, environment, base, at);
        let first = |failed: Vec<(_, SecretError)>| {
            for (_, error) in &failed {
                unreadable(error);
            }
            Exit::Configuration
        };
        Ok(Self {
            secrets: receive.signing_secrets(resolve).map_err(first)?,
            public_keys: receive.public_keys(resolve).map_err(first)?,
            key_set: key_set(receive.verify.key_set(), base, environment).await?,
        })
    }
}

fn other_secret(arguments: &Arguments) -> Option<SecretReference> {
    let variable = arguments
        .secret_env
        .clone()
        .map(SecretReference::Environment);
    let file = arguments.secret_file.clone().map(SecretReference::File);
    variable.or(file)
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

fn unreadable(error: &SecretError) -> Exit {
    output::error(&output::chain(error));
    Exit::Configuration
}

/// The keys at a place: those of a file, or those of an address, fetched once.
async fn key_set(
    place: Option<&KeySetPlace>,
    base: &Path,
    environment: &Environment,
) -> Result<Option<KeySetHandle>, Exit> {
    let set = match place {
        None => return Ok(None),
        Some(KeySetPlace::File(path)) => {
            let text = SecretReference::File(path.clone()).read(environment, base);
            let text = text.map_err(|error| unreadable(&error))?;
            KeySet::read(text.expose_secret().as_bytes()).map_err(|error| {
                let error = output::chain(&error);
                output::error(&format!("{} holds no keys: {error}", path.display()));
                Exit::Configuration
            })?
        }
        Some(KeySetPlace::Url(url)) => jwks::fetch_once(url).await.map_err(|error| {
            let error = output::chain(&error);
            output::error(&format!(
                "the sender's public keys cannot be had from {url}: {error}"
            ));
            Exit::Unavailable
        })?,
    };
    Ok(Some(KeySetHandle::holding(set)))
}

/// The secrets of other sources that can be read.
pub(super) fn others(
    receiving: &Receiving,
    name: &str,
    environment: &Environment,
) -> Vec<SigningSecret> {
    let mut others = Vec::new();
    for path in find_files(&receiving.mappings).unwrap_or_default() {
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
            if let Ok(value) = secret.reference.read(environment, &receiving.base) {
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
