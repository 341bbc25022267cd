//! What the configuration comes to: every setting, checked.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use secrecy::SecretString;
use url::Url;

use super::{ByteCount, SecretReference, Shown};
use crate::{
    event::{OrganisationName, ReplicaName},
    network::Networks,
    notify,
    quentli::BaseUrl,
    store::postgres::{Durability, PostgresAddress, Tls},
    telemetry::LogSettings,
};

/// Flags of the command line that override everything else.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub listen: Option<String>,
    pub admin_listen: Option<String>,
    pub mappings: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub database: Option<String>,
}

/// Everything in effect.
#[derive(Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub admin: Admin,
    /// Where senders address the gateway, without a path, such as `https://hooks.school.mx`; needed by schemes that
    /// sign the address.
    pub public_url: Option<Url>,
    /// The proxies and balancers in front of us, whose word counts for whom they speak.
    pub trusted_proxies: Networks,
    pub mappings: PathBuf,
    pub data: PathBuf,
    /// Where several replicas share one store; `None`: a file in `data`, for this process alone.
    pub database: Option<Database>,
    /// At least one.
    pub organisations: BTreeMap<OrganisationName, Organisation>,
    pub limits: Limits,
    pub retry: RetrySettings,
    pub retention: RetentionSettings,
    /// How long a confirmed value is trusted to be still there; zero sends every value.
    pub unchanged_max_age: Duration,
    /// The most waiting updates of one customer that go in one request.
    pub merge_most: NonZeroU32,
    /// How long what was read of the list of customers is good for; zero is until it is needed anew.
    pub directory_refresh: Duration,
    /// Who is told when a person is needed.
    pub notify: Option<notify::Settings>,
    pub shutdown: ShutdownSettings,
    pub log: LogSettings,
    /// How long before a secret ends that a sender still uses the log says so.
    pub rotation_warn_before: Duration,
    /// How often the source files, and the secrets and keys in files, are looked at for changes; zero is never.
    pub reload_poll: Duration,
    /// What people call this process among several; `None`: after the host, with a random ending.
    pub replica: Option<ReplicaName>,
    /// `gateway.yaml`, which need not be there.
    pub file: PathBuf,
    /// Where relative secret files start: the folder of `gateway.yaml`.
    pub base: PathBuf,
    /// Every setting with its value and origin, in a fixed order; secrets only by reference.
    pub shown: Vec<Shown>,
}

/// What the check of a request depends on, outside its source file.
#[derive(Debug)]
pub struct Receiving {
    /// As in [`Config`].
    pub public_url: Option<Url>,
    pub mappings: PathBuf,
    pub base: PathBuf,
}

/// A database that several replicas share.
#[derive(Clone, Debug)]
pub struct Database {
    /// With the password.
    pub address: PostgresAddress,
    pub durability: Durability,
}

impl Database {
    /// What the operator should be told at every start; whole sentences.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if *self.address.tls() == (Tls::Off { is_local: false }) {
            warnings.push(
                "what goes to the database and comes from it is not protected (`sslmode=disable`): passwords and personal data \
                 can be read and changed on the way",
            );
        }
        if self.durability == Durability::LossAccepted {
            warnings.push(
                "`database.accept_data_loss` is set: a server without syncs may lose events that were acknowledged",
            );
        }
        warnings
    }
}

/// The operators' port.
#[derive(Debug)]
pub struct Admin {
    pub listen: SocketAddr,
    /// Required off the loopback.
    pub token: Option<SecretString>,
}

/// One Quentli organisation.
#[derive(Debug)]
pub struct Organisation {
    pub url: BaseUrl,
    pub key: SecretString,
    /// Where the key stands.
    pub key_reference: SecretReference,
    /// Requests a second.
    pub rate: NonZeroU32,
    /// Requests at once.
    pub concurrency: NonZeroU32,
    /// For a whole call.
    pub timeout: Duration,
}

/// Bounds on what comes from outside.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest body that is taken.
    pub body: ByteCount,
    /// What the bodies of all requests under way may take together; at least `body`.
    pub memory: ByteCount,
    /// Requests that are verified and stored at once; further ones wait a moment for their turn.
    pub requests: NonZeroU32,
    /// Connections open at once.
    pub connections: NonZeroU32,
    /// From a connection's first byte, or from the last answer, to the end of the next head.
    pub header_timeout: Duration,
    /// From the head to the end of the body.
    pub body_timeout: Duration,
    /// For the client to take anything at all of an answer that is written.
    pub answer_timeout: Duration,
    /// The most values of metadata by which an organisation's customers are found.
    pub directory: NonZeroU32,
    /// Free space below which nothing more is accepted.
    pub disk_reserve: ByteCount,
    /// Refused requests of each source that can be looked at; 0 is none.
    pub rejected: u32,
}

/// How long and how often deliveries are tried.
#[derive(Clone, Debug)]
pub struct RetrySettings {
    /// After this much of our own waiting and trying, a delivery is dead.
    pub budget: Duration,
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// How long a customer that Quentli does not have is looked for.
    pub missing_for: Duration,
}

/// How long things are kept, counted from when their event was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Bodies and headers, but for those of events with open deliveries. At least a day.
    pub bodies: Duration,
    /// How deliveries ended, counted from their end. At least a day.
    pub history: Duration,
    /// At least `verify::MAX_REPLAY_WINDOW`.
    pub dedup_keys: Duration,
}

/// How the process ends.
#[derive(Clone, Debug)]
pub struct ShutdownSettings {
    /// How long `/ready` says no before the port closes, so that a balancer notices.
    pub drain: Duration,
    /// How long work under way may take after that.
    pub grace: Duration,
}
