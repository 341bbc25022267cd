//! Connects to the one of several hosts that can be written to, however the others are: off, frozen or a standby.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use deadpool_postgres::{ConfigConnectImpl, Connect};
use futures_util::{
    FutureExt as _,
    future::{self, BoxFuture},
};
use tokio::task::JoinHandle;
use tokio_postgres::{
    Client, Config, Error, Socket,
    config::Host,
    tls::{MakeTlsConnect, TlsConnect},
};

/// How long each host has, signing in included.
pub(super) const EACH: Duration = Duration::from_secs(3);

/// The hosts, and which of them answered last.
pub(super) struct EachHost<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    hosts: Vec<Config>,
    last: AtomicUsize,
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
            last: AtomicUsize::new(0),
            connect: ConfigConnectImpl { tls },
        }
    }
}

impl<T> Connect for EachHost<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, _all: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        async move {
            let first = self.last.load(Ordering::Relaxed);
            let places = (first..self.hosts.len()).chain(0..first);
            let mut refused = None;
            for place in places {
                let Some(host) = self.hosts.get(place) else {
                    continue;
                };
                match tokio::time::timeout(EACH, self.connect.connect(host)).await {
                    Ok(Ok(connected)) => {
                        self.last.store(place, Ordering::Relaxed);
                        return Ok(connected);
                    }
                    Ok(Err(error)) => refused = Some(error),
                    Err(_) => {}
                }
            }
            match refused {
                Some(error) => Err(error),
                // None said anything: whoever waits gives up at that moment.
                None => future::pending().await,
            }
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
            .connect_timeout(EACH)
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(3))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(10));
        one
    };
    hosts.iter().enumerate().map(one).collect()
}
