//! The parts, one function each.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    clock::Clock,
    config::{Config, Organisation},
    delivery::{self, Backoff, Handle, Policy},
    event::{OrganisationName, ReplicaName},
    notify::{self, Notifications, Poster},
    quentli::{self, ClientSettings},
    source::{LearnedSecrets, LoadError},
    store::{
        Engine, Store, StoreError, moving,
        postgres::{self, PostgresStore},
        sqlite::{self, SqliteOptions, SqliteStore},
    },
    telemetry::Metrics,
};

/// What is taken of a host's name.
const LONGEST_HOST: usize = 80;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot open the store")]
    Store(#[source] sqlite::OpenError),
    #[error("cannot open the store that replicas share")]
    Database(#[source] postgres::OpenError),
    #[error("cannot read the secrets that senders named")]
    LearnedSecrets(#[source] StoreError),
    #[error("cannot read what is paused")]
    Pauses(#[source] StoreError),
    #[error("cannot load the sources")]
    Sources(#[source] LoadError),
    /// With `--strict`.
    #[error("not every source loads, and `--strict` was asked for:\n{}", .0.join("\n"))]
    Strict(Vec<String>),
    #[error("cannot prepare notifications")]
    Notifications(#[source] notify::PostError),
    #[error("cannot listen on {address} for {purpose}")]
    Listen {
        address: std::net::SocketAddr,
        purpose: &'static str,
        #[source]
        error: std::io::Error,
    },
    #[error("cannot prepare calls to Quentli for the organisation `{organisation}`")]
    Client {
        organisation: OrganisationName,
        #[source]
        error: quentli::ClientError,
    },
}

/// Opens the store; takes as long as its recovery after a crash.
pub(super) async fn open_store(
    config: &Config,
    clock: &Clock,
) -> Result<Arc<dyn Engine>, StartError> {
    if let Some(database) = &config.database {
        let opened = PostgresStore::open(&database.address, database.durability, clock.clone());
        let store = opened.await.map_err(StartError::Database)?;
        tracing::info!(
            database = database.address.told(),
            "keeps events in PostgreSQL"
        );
        for warning in database.warnings() {
            tracing::warn!("{warning}");
        }
        if moving::are_left_behind(&config.data).await {
            tracing::warn!(
                directory = %config.data.display(),
                "the data directory holds a store that this gateway does not work with: what waits there is not delivered, and what it \
                 took is not known as a duplicate; `quentli-gateway migrate-store` moves it into the database"
            );
        }
        return Ok(Arc::new(store));
    }
    let options = SqliteOptions {
        disk_reserve: config.limits.disk_reserve.0,
        ..SqliteOptions::default()
    };
    let (directory, clock) = (config.data.clone(), clock.clone());
    let opened =
        tokio::task::spawn_blocking(move || SqliteStore::open(&directory, options, clock)).await;
    let store = opened
        .expect("opening the store does not panic")
        .map_err(StartError::Store)?;
    for warning in store.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(Arc::new(store))
}

/// Whoever is told when a person is needed, where somebody is.
pub(super) fn notifications(
    config: &Config,
    clock: &Clock,
) -> Result<Option<Notifications>, StartError> {
    let poster = config.notify.clone().map(Poster::new).transpose();
    let poster = poster.map_err(StartError::Notifications)?;
    Ok(poster.map(|poster| Notifications::new(poster, clock.clone())))
}

/// The secrets that senders named before, from the store.
pub(super) async fn learned_secrets(store: &Arc<dyn Store>) -> Result<LearnedSecrets, StartError> {
    let secrets = store.learned_secrets().await;
    secrets
        .map(LearnedSecrets::new)
        .map_err(StartError::LearnedSecrets)
}

/// What this process is called: as the settings say, or after the host, with an ending that tells it from others there.
pub(super) fn replica(config: &Config) -> ReplicaName {
    if let Some(name) = &config.replica {
        return name.clone();
    }
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let host: String = host.chars().filter(fits).take(LONGEST_HOST).collect();
    let ending: u16 = rand::random();
    let name = format!("{host}-{ending:04x}").parse();
    name.expect("it has only what a name may have")
}

/// By which the delivery of each organisation is begun, seen and steered.
pub(super) fn handles(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<BTreeMap<OrganisationName, Handle>, StartError> {
    let mut handles = BTreeMap::new();
    for (name, organisation) in &config.organisations {
        let client = client(organisation, clock).map_err(|error| StartError::Client {
            organisation: name.clone(),
            error,
        })?;
        let parts = delivery::Parts {
            organisation: name.clone(),
            store: Arc::clone(store),
            client,
            clock: clock.clone(),
            metrics: metrics.clone(),
            settings: settings(config, organisation),
        };
        handles.insert(name.clone(), Handle::new(parts));
    }
    Ok(handles)
}

fn settings(config: &Config, organisation: &Organisation) -> delivery::Settings {
    let defaults = delivery::Settings::default();
    delivery::Settings {
        rate: organisation.rate,
        burst: organisation.rate,
        concurrency: organisation.concurrency,
        policy: Policy {
            retry: Backoff {
                base: config.retry.first_wait,
                cap: config.retry.longest_wait,
            },
            retry_for: config.retry.budget,
            missing_for: config.retry.missing_for,
            ..defaults.policy
        },
        unchanged_for: config.unchanged_max_age,
        merge_most: config.merge_most,
        directory_refresh: config.directory_refresh,
        directory_limit: usize::try_from(config.limits.directory.get()).unwrap_or(usize::MAX),
        ..defaults
    }
}

fn client(
    organisation: &Organisation,
    clock: &Clock,
) -> Result<quentli::Client, quentli::ClientError> {
    quentli::Client::new(ClientSettings {
        timeout: organisation.timeout,
        clock: clock.clone(),
        ..ClientSettings::new(organisation.url.clone(), organisation.key.clone())
    })
}
