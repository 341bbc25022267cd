//! What is read from files at the start and at every reload: the set of sources, and Quentli's keys.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use crate::{
    clock::Clock,
    config::{Config, Environment, SecretError, SecretReference},
    event::{OrganisationName, SourceName},
    source::{LoadError, Seen, Set, Source},
};

/// Where everything is read from, and what it must fit. Reading takes its time and belongs on a thread of its own.
#[derive(Debug)]
pub(super) struct Reading {
    folder: PathBuf,
    settings: PathBuf,
    base: PathBuf,
    environment: Environment,
    clock: Clock,
    /// Of every organisation.
    keys: Vec<(OrganisationName, SecretReference)>,
    organisations: BTreeSet<OrganisationName>,
    has_public_url: bool,
    has_trusted_proxies: bool,
    /// Sources whose silence somebody is to be told of.
    watched: BTreeSet<SourceName>,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) set: Result<Set, LoadError>,
    /// Of those organisations whose keys stand in files.
    pub(super) keys: Vec<(OrganisationName, Result<SecretString, SecretError>)>,
    pub(super) seen: Seen,
}

impl Reading {
    pub(super) fn new(config: &Config, environment: &Environment, clock: &Clock) -> Self {
        let keys = config.organisations.iter().map(|(name, organisation)| {
            let reference = organisation.key_reference.clone();
            (name.clone(), reference)
        });
        Self {
            folder: config.mappings.clone(),
            settings: config.file.clone(),
            base: config.base.clone(),
            environment: environment.clone(),
            clock: clock.clone(),
            keys: keys.collect(),
            organisations: config.organisations.keys().cloned().collect(),
            has_public_url: config.public_url.is_some(),
            has_trusted_proxies: !config.trusted_proxies.is_empty(),
            watched: config
                .notify
                .iter()
                .flat_map(|notify| notify.silent.keys().cloned())
                .collect(),
        }
    }

    /// Reads and checks all sources, and breaks those that do not fit the rest of the configuration.
    pub(super) fn set(&self, seen: &mut Seen) -> Result<Set, LoadError> {
        let now = self.clock.now();
        let mut set = Set::load(&self.folder, &self.environment, &self.base, now, seen)?;
        let misfits: Vec<_> = set
            .ready()
            .filter_map(|source| Some((source.name().clone(), self.misfit(source)?)))
            .collect();
        for (name, reason) in misfits {
            set.break_source(&name, reason);
        }
        set.warn_of_silence(&self.watched);
        Ok(set)
    }

    /// Why a source without mistakes does not fit the rest of the configuration.
    fn misfit(&self, source: &Source) -> Option<String> {
        let name = source.name();
        let organisation = source.organisation();
        if !self.organisations.contains(organisation) {
            return Some(format!(
                "source `{name}`: gateway.yaml has no organisation `{organisation}` under `quentli`"
            ));
        }
        if source.receive().verify.signs_url() && !self.has_public_url {
            return Some(format!(
                "source `{name}`: its signatures cover the public address; set `public_url` in gateway.yaml \
                 or GATEWAY_PUBLIC_URL to what senders were given, such as `https://hooks.school.mx`"
            ));
        }
        if source.receive().verify.needs_trusted_proxy() && !self.has_trusted_proxies {
            return Some(format!(
                "source `{name}`: client certificates are what a proxy says in a header, and anybody could write that \
                 header; set `trusted_proxies` in gateway.yaml or GATEWAY_TRUSTED_PROXIES to the addresses of yours"
            ));
        }
        None
    }

    /// What the process started with, beside the sources: its keys and `gateway.yaml`.
    pub(super) fn keep_start(&self, config: &Config, seen: &mut Seen) {
        for organisation in config.organisations.values() {
            let key = Ok(organisation.key.clone());
            seen.keep_secret(&organisation.key_reference, &self.base, &key);
        }
        seen.settings(&self.settings);
    }

    /// Reads everything.
    pub(super) fn all(&self) -> Fresh {
        let mut seen = Seen::default();
        let set = self.set(&mut seen);
        let in_files = self
            .keys
            .iter()
            .filter(|(_, reference)| matches!(reference, SecretReference::File(_)));
        let keys = in_files
            .map(|(name, reference)| {
                let key = seen.secret(reference, &self.environment, &self.base);
                (name.clone(), key)
            })
            .collect();
        seen.settings(&self.settings);
        Fresh { set, keys, seen }
    }

    /// `gateway.yaml`, for messages.
    pub(super) fn settings(&self) -> &Path {
        &self.settings
    }
}
