//! Replicas on one database behind a balancer, and a stand-in for Quentli of each organisation.

use std::{collections::VecDeque, net::SocketAddr, path::PathBuf, time::Duration};

use quentli_gateway::{
    clock::Clock,
    sandbox::{self, Running, Sandbox},
    source::Mode,
};
use serde_json::Value;
use url::Url;

use crate::{
    database::Database,
    haproxy::HaProxy,
    people::ORGANISATIONS,
    program::free_port,
    sources::{SECRET, SECRET_VARIABLE, SOURCES},
    support::{
        executable::{self, Gateway, Setup},
        left_out, until,
    },
    wire::Wire,
};

/// Of the leases, with a time-out of one second; see docs/OPERATIONS.md.
pub(crate) const LEASE: Duration = Duration::from_secs(12);

/// Changes a second of an organisation: fewer than come, so that something always waits for its turn.
const RATE: u32 = 20;

pub(crate) struct Cluster {
    pub(crate) replicas: Vec<Replica>,
    pub(crate) quentli: Vec<(Sandbox, Running)>,
    proxy: Option<HaProxy>,
    pub(crate) database: Database,
}

/// A place for a gateway, which keeps its addresses when it is started again.
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) setup: Setup,
    listen: SocketAddr,
    /// Executables that take turns, one at each start; the one under test where there are none.
    releases: VecDeque<PathBuf>,
    pub(crate) gateway: Option<Gateway>,
    /// Its way to the database.
    pub(crate) wire: Wire,
}

impl Replica {
    fn new(number: usize, wire: Wire, settings: &str, prepare: impl Fn(Setup) -> Setup) -> Self {
        let (name, listen) = (format!("replica-{number}"), free_port());
        let setup = Setup::new("http://127.0.0.1:9")
            .without("QUENTLI_API_URL")
            .settings(settings)
            .variable("GATEWAY_LISTEN", &listen.to_string())
            .variable("GATEWAY_REPLICA", &name)
            .variable(SECRET_VARIABLE, SECRET);
        let sources = SOURCES.iter().filter(|source| !source.creates);
        let setup = sources.fold(setup, |setup, source| {
            setup.source(source.name, &source.file(Mode::Live, false))
        });
        let setup = prepare(setup);
        Self {
            name,
            setup,
            listen,
            releases: VecDeque::new(),
            gateway: None,
            wire,
        }
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(&mut self) {
        if let Some(release) = self.releases.front() {
            self.setup.run_from_now_on(release.clone());
            self.releases.rotate_left(1);
        }
        self.gateway = Some(tokio::task::block_in_place(|| self.setup.start()));
    }

    /// What runs, or ran last, where releases take turns.
    pub(crate) fn release(&self) -> &'static str {
        match self.releases.back() {
            None => "",
            Some(release) if *release == executable::path() => " (this release)",
            Some(_) => " (the earlier release)",
        }
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.gateway.take().unwrap().kill();
    }

    /// Ends it in order.
    pub(crate) fn terminate(&mut self) {
        let gateway = self.gateway.take().unwrap();
        let ended = tokio::task::block_in_place(|| gateway.terminate());
        assert!(ended.success(), "{}: {ended}", self.name);
    }
}

impl Cluster {
    /// Two replicas that are left in peace; nothing where there is no PostgreSQL, which is said.
    pub(crate) async fn pair() -> Option<Self> {
        let database = Database::shared().await?;
        Some(Self::on(database, 2, "", |setup| setup).await)
    }

    /// So many replicas with further settings, and files as `prepare` adds them.
    pub(crate) async fn on(
        database: Database,
        replicas: usize,
        further: &str,
        prepare: impl Fn(Setup) -> Setup,
    ) -> Self {
        let mut cluster = Self::at_rest(database, replicas, further, prepare).await;
        cluster.replicas.iter_mut().for_each(Replica::start);
        cluster
    }

    /// The same of an earlier release and this one in turn, where somebody names an earlier one.
    pub(crate) async fn of_releases(database: Database, replicas: usize, further: &str) -> Self {
        let mut cluster = Self::at_rest(database, replicas, further, |setup| setup).await;
        let previous = executable::previous();
        for (number, replica) in cluster.replicas.iter_mut().enumerate() {
            if let Some(previous) = previous.clone() {
                replica.releases = [previous, executable::path()].into();
                // The earlier one is the first to make tables.
                replica.releases.rotate_left(number % 2);
            }
            replica.start();
        }
        cluster
    }

    /// The same, and none was started yet.
    pub(crate) async fn at_rest(
        database: Database,
        replicas: usize,
        further: &str,
        prepare: impl Fn(Setup) -> Setup,
    ) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let mut quentli = Vec::new();
        for _ in ORGANISATIONS {
            let sandbox = Sandbox::new(sandbox::Settings {
                clock: Clock::system(),
                max_exchanges: 1_000_000,
                ..sandbox::Settings::default()
            });
            let running = sandbox.start(([127, 0, 0, 1], 0).into()).await.unwrap();
            quentli.push((sandbox, running));
        }
        let organisations = ORGANISATIONS.iter().zip(&quentli).map(|(name, (_, running))| {
            let url = running.url();
            format!("  {name}: {{key: {{env: QUENTLI_API_KEY}}, url: \"{url}\", rate: {RATE}, timeout: 1s}}\n")
        });
        let organisations: String = organisations.collect();
        let mut places = Vec::new();
        for number in 1..=replicas {
            let wire = Wire::new(database.address()).await;
            let settings = format!(
                "database: \"{}\"\ntrusted_proxies: [127.0.0.1]\nreload: {{poll: 0s}}\n\
                 retry: {{for: 1h, first_wait: 20ms, longest_wait: 500ms}}\n{further}quentli:\n{organisations}",
                database.url_by(Some(wire.address)),
            );
            places.push(Replica::new(number, wire, &settings, &prepare));
        }
        Self {
            replicas: places,
            quentli,
            proxy: None,
            database,
        }
    }

    /// Puts HAProxy before the replicas, where it is installed.
    pub(crate) async fn balance(&mut self, test: &str) {
        let listen: Vec<SocketAddr> = self.replicas.iter().map(|replica| replica.listen).collect();
        self.proxy = HaProxy::start(test, &listen).await;
        if self.proxy.is_none() {
            left_out(
                test,
                "the balancer; senders take the replicas in turn by themselves",
            );
        }
    }

    /// Where senders send to: the balancer, or the replicas themselves.
    pub(crate) fn urls(&self) -> Vec<Url> {
        match &self.proxy {
            Some(proxy) => vec![proxy.url()],
            None => self
                .replicas
                .iter()
                .map(|replica| format!("http://{}", replica.listen).parse().unwrap())
                .collect(),
        }
    }

    pub(crate) fn sandbox(&self, organisation: usize) -> &Sandbox {
        &self.quentli[organisation].0
    }

    /// Waits until each replica that runs has `ready` as its answer to whether it is ready.
    pub(crate) async fn all_ready(&self, ready: bool) {
        let what = format!("every replica to say that it is ready: {ready}");
        until(&what, async || {
            for replica in &self.replicas {
                let url = replica.gateway().url().join("ready").unwrap();
                let status = reqwest::get(url).await.unwrap().status();
                if status.is_success() != ready {
                    return Err((replica.name.clone(), status));
                }
            }
            Ok(())
        })
        .await;
    }

    /// Waits until nothing is to be delivered, and every replica is well.
    pub(crate) async fn until_at_rest(&self) {
        for replica in &self.replicas {
            replica.gateway().settled().await;
        }
        self.all_ready(true).await;
    }

    /// Ends the test with these problems, and what the replicas said, where there are any.
    pub(crate) fn has_none_of(&self, problems: &[String], told: &str) {
        let said = self.replicas.iter().map(|replica| {
            let log = replica.gateway().log();
            format!("{}:\n{}", replica.name, log.join("\n"))
        });
        let said: Vec<String> = said.collect();
        assert!(
            problems.is_empty(),
            "{}\n{told}\n{}",
            said.join("\n"),
            problems.join("\n")
        );
    }

    /// The replica that delivers for an organisation, among those that run.
    pub(crate) async fn owner(&self, organisation: usize) -> usize {
        let name = ORGANISATIONS[organisation];
        until(&format!("somebody to deliver for {name}"), async || {
            for (number, replica) in self.replicas.iter().enumerate() {
                let Some(gateway) = &replica.gateway else {
                    continue;
                };
                let status = gateway.status().await;
                if status["organisations"][name]["held"]["here"] == Value::Bool(true) {
                    return Ok(number);
                }
            }
            Err("nobody")
        })
        .await
    }
}
