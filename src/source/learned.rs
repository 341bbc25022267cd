//! The secrets that senders named in their handshakes, as they are in force.
//!
//! What is durable is elsewhere: who keeps or forgets one there does so under [`LearnedSecrets::change`], so that memory
//! never says anything else for long.

use std::{collections::BTreeMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use secrecy::SecretString;
use tokio::sync::{Mutex, MutexGuard};

use super::Set;
use crate::event::SourceName;

/// One secret for each source that has learned one. Cheap to clone; clones see the same.
#[derive(Clone, Default)]
pub struct LearnedSecrets(Arc<Shared>);

#[derive(Default)]
struct Shared {
    secrets: ArcSwap<BTreeMap<SourceName, SecretString>>,
    changing: Mutex<()>,
}

/// The right to change them. Nobody else has it meanwhile.
pub struct ChangeOfSecrets<'a> {
    shared: &'a Shared,
    _turn: MutexGuard<'a, ()>,
}

impl LearnedSecrets {
    pub fn new(secrets: impl IntoIterator<Item = (SourceName, SecretString)>) -> Self {
        let secrets = secrets.into_iter().collect();
        Self(Arc::new(Shared {
            secrets: ArcSwap::from_pointee(secrets),
            changing: Mutex::default(),
        }))
    }

    /// The secret that a source has learned.
    pub fn get(&self, source: &SourceName) -> Option<SecretString> {
        self.0.secrets.load().get(source).cloned()
    }

    /// Warns of the sources in a set that have learned a secret which does not count any more, because their file has
    /// `secrets` of its own.
    pub fn warn_of_unused(&self, set: &Set) {
        let secrets = self.0.secrets.load();
        for source in set.ready() {
            let name = source.name();
            if !source.receive().secrets.is_empty() && secrets.contains_key(name) {
                tracing::warn!(
                    source = %name,
                    "a secret that the sender named is still kept, but does not count: the file has `secrets` of its own; \
                     `quentli-gateway forget-secret {name}` takes it away for good"
                );
            }
        }
    }

    /// Waits for the turn to change them.
    pub async fn change(&self) -> ChangeOfSecrets<'_> {
        ChangeOfSecrets {
            shared: &self.0,
            _turn: self.0.changing.lock().await,
        }
    }
}

impl ChangeOfSecrets<'_> {
    /// Puts a secret in force that is kept now.
    pub fn keep(&self, source: &SourceName, secret: &SecretString) {
        self.replace(|secrets| {
            secrets.insert(source.clone(), secret.clone());
        });
    }

    /// Takes the secret of a source out of force that is forgotten now.
    pub fn forget(&self, source: &SourceName) {
        self.replace(|secrets| {
            secrets.remove(source);
        });
    }

    /// Puts in force what is kept, all of it, whoever changed it.
    pub fn follow(&self, kept: impl IntoIterator<Item = (SourceName, SecretString)>) {
        self.replace(|secrets| *secrets = kept.into_iter().collect());
    }

    fn replace(&self, change: impl FnOnce(&mut BTreeMap<SourceName, SecretString>)) {
        let mut secrets = BTreeMap::clone(&self.shared.secrets.load());
        change(&mut secrets);
        self.shared.secrets.store(Arc::new(secrets));
    }
}

/// Shows for which sources, never what.
impl fmt::Debug for LearnedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.secrets.load().keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_in_force_until_it_is_forgotten() {
        let (crm, other): (SourceName, SourceName) =
            ("crm".parse().unwrap(), "other".parse().unwrap());
        let secrets = LearnedSecrets::new([(other.clone(), "o".into())]);
        let seen = secrets.clone();
        let text = |name| {
            seen.get(name)
                .map(|secret| secret.expose_secret().to_owned())
        };
        secrets.change().await.keep(&crm, &"s3cret".into());
        assert_eq!(text(&crm).as_deref(), Some("s3cret"));
        assert!(!format!("{secrets:?}").contains("s3cret"));
        secrets.change().await.forget(&crm);
        assert_eq!((text(&crm), text(&other).as_deref()), (None, Some("o")));
    }
}
