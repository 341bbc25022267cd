//! Connects to the one of several hosts that can be written to, however the others are: off, frozen, a standby, or a primary that
//! was replaced and came back.

use std::{io, time::Duration};

use deadpool_postgres::{ConfigConnectImpl, Connect};
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{self, BoxFuture},
    stream::FuturesUnordered,
};
use tokio::task::JoinHandle;
use tokio_postgres::{
    Client, Config, Error, Socket,
    config::Host,
    tls::{MakeTlsConnect, TlsConnect},
};

use super::lineage::{Lineage, latest};

/// How long each host has, signing in included.
pub(super) const EACH: Duration = Duration::from_secs(3);

/// How much longer the others have when one has answered that can be written to.
const OTHERS: Duration = Duration::from_secs(1);

/// How long making a connection takes at most.
pub(super) const ALL: Duration = EACH.saturating_mul(2);

type Connected = (Client, JoinHandle<()>);

/// The hosts.
pub(super) struct EachHost<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    hosts: Vec<Config>,
    connect: ConfigConnectImpl<T>,
}

impl<T> EachHost<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    pub(super) fn new(config: &Config, tls: T) -> Self {
        Self {
            hosts: one_by_one(config),
            connect: ConfigConnectImpl { tls },
        }
    }

    /// All that can be written to, in the order of the URL.
    async fn writable(&self) -> Result<Vec<Connected>, Error> {
        let ask = |(place, host): (usize, &Config)| {
            let connecting = self.connect.connect(host);
            async move { (place, tokio::time::timeout(EACH, connecting).await) }
        };
        let mut asked: FuturesUnordered<_> = self.hosts.iter().enumerate().map(ask).collect();
        let mut writable = Vec::new();
        let mut refusal = None;
        loop {
            // A host that is off says nothing, and is not waited for long.
            let patience = if writable.is_empty() { EACH } else { OTHERS };
            match tokio::time::timeout(patience, asked.next()).await {
                Ok(Some((place, Ok(Ok(connected))))) => writable.push((place, connected)),
                Ok(Some((_, Ok(Err(error))))) => refusal = Some(telling(refusal, error)),
                Ok(Some((_, Err(_)))) => {}
                Ok(None) | Err(_) => break,
            }
        }
        if writable.is_empty()
            && let Some(refusal) = refusal
        {
            return Err(refusal);
        }
        writable.sort_by_key(|(place, _)| *place);
        let writable = writable.into_iter();
        Ok(writable.map(|(_, connected)| connected).collect())
    }
}

/// Of two refusals the one that says more: a standby answers, while the primary is off.
fn telling(known: Option<Error>, other: Error) -> Error {
    match known {
        Some(known) if is_read_only(&known) || !is_read_only(&other) => known,
        _ => other,
    }
}

/// Whether a host answered that cannot be written to. The client says so by an error that no system gave.
pub(super) fn is_read_only(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| {
        source.kind() == io::ErrorKind::PermissionDenied && source.raw_os_error().is_none()
    })
}

impl<T> Connect for EachHost<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, _all: &Config) -> BoxFuture<'_, Result<Connected, Error>> {
        async move {
            let mut writable = self.writable().await?;
            let mut best = 0;
            if writable.len() > 1 {
                let lineages = writable.iter().map(async |(client, _)| {
                    let told = tokio::time::timeout(OTHERS, Lineage::of(client)).await;
                    told.unwrap_or_default()
                });
                best = latest(&future::join_all(lineages).await);
            }
            if writable.is_empty() {
                // None said anything: whoever waits gives up at that moment.
                return future::pending().await;
            }
            Ok(writable.swap_remove(best))
        }
        .boxed()
    }
}

/// The same settings for each host by itself.
fn one_by_one(config: &Config) -> Vec<Config> {
    let (hosts, ports, addresses) = (
        config.get_hosts(),
        config.get_ports(),
        config.get_hostaddrs(),
    );
    let one = |(place, host): (usize, &Host)| {
        let mut one = Config::new();
        match host {
            Host::Tcp(name) => one.host(name),
            Host::Unix(path) => one.host_path(path),
        };
        if let Some(address) = addresses.get(place) {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(place).or(ports.first()) {
            one.port(*port);
        }
        if let Some(user) = config.get_user() {
            one.user(user);
        }
        if let Some(password) = config.get_password() {
            one.password(password);
        }
        if let Some(database) = config.get_dbname() {
            one.dbname(database);
        }
        if let Some(options) = config.get_options() {
            one.options(options);
        }
        if let Some(name) = config.get_application_name() {
            one.application_name(name);
        }
        one.ssl_mode(config.get_ssl_mode())
            .target_session_attrs(config.get_target_session_attrs())
            .channel_binding(config.get_channel_binding())
            // Of each address of a name, so that a second one has its turn.
            .connect_timeout(EACH / 2)
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(3))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(10));
        one
    };
    hosts.iter().enumerate().map(one).collect()
}
