//! From start to end: what runs beside what, and the order in which it stops.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    Strictness,
    duties::{Delivering, Upkeeping},
    facts::Asked,
    following::Follower,
    parts::{self, StartError},
    pauses,
    reading::Reading,
    reload::{Key, Reloader},
};
use crate::{
    admin::{self, Acts, Admin},
    backtest::Backtests,
    clock::Clock,
    config::{Config, Environment},
    delivery::{Handle, Overview},
    diagnosis::Diagnoses,
    event::OrganisationName,
    ingress::{self, Ingress, ServerLimits},
    jwks::KeySets,
    keeper::Keeper,
    lifecycle::Shutdown,
    notify::Notifier,
    source::{
        Seen, Set, Sources,
        reload::{Changes, Desk, KeysReport, Reloads, Report, SourcesReport, Trigger},
    },
    store::{Hands, Leases, RefusedRequests, Store, StoreError},
    telemetry::Metrics,
    upkeep::{Retention, Upkeeper},
};

/// How often the store is asked whether it is still well.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// A gateway whose ports are open and whose parts are built.
pub struct App {
    config: Config,
    clock: Clock,
    store: Arc<dyn Store>,
    ingress: Arc<Ingress>,
    admin: Admin,
    keeper: Keeper,
    follower: Option<Follower>,
    /// The removal of what is old stops with it.
    removing: CancellationToken,
    reloader: Reloader,
    desk: Desk,
    reloads: Reloads,
    public_listener: TcpListener,
    admin_listener: TcpListener,
    listen: SocketAddr,
    admin_listen: SocketAddr,
}

/// How a run ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// What is on disk is not known; starting again finds out, and nothing acknowledged is lost.
    #[error("the store failed; start the gateway again, which recovers it")]
    Store(#[source] StoreError),
}

/// Builds everything and opens the ports. Webhooks are taken from here on only as far as the listen queue;
/// [`App::run`] serves them. May be dropped at any moment: what is on disk is as after a crash.
///
/// # Errors
/// Whatever keeps the gateway from running.
pub async fn start(
    config: Config,
    environment: &Environment,
    strictness: Strictness,
    clock: Clock,
) -> Result<App, StartError> {
    let metrics = Metrics::new();
    let reading = Arc::new(Reading::new(&config, environment, &clock));
    let (set, mut seen) = read_set(&reading).await?;
    reading.keep_start(&config, &mut seen);
    say(&set, strictness)?;
    metrics.sources(set.sources(), clock.now());
    metrics.observing(set.observing());
    metrics.secret_ends(set.secret_ends());
    let (reloads, desk) = Reloads::new(start_report(&set, &clock));
    let key_sets = KeySets::new(clock.clone(), metrics.clone());
    key_sets.adopt(&set);
    let sources = Sources::new(set);
    let file = parts::open_store(&config, &clock).await?;
    let store: Arc<dyn Store> = file.clone();
    let refused: Arc<dyn RefusedRequests> = file.clone();
    let retention = Retention {
        bodies: config.retention.bodies,
        dedup_keys: config.retention.dedup_keys,
        history: config.retention.history,
    };
    let (upkeeper, upkeep) = Upkeeper::new(file.clone(), clock.clone(), metrics.clone(), retention);
    let hands: Arc<dyn Hands> = file.clone();
    let learned = parts::learned_secrets(&store).await?;
    learned.warn_of_unused(&sources.set());
    let organisations = parts::handles(&config, &store, &clock, &metrics)?;
    let leases: Arc<dyn Leases> = file.clone();
    // Where it cannot be read now, one reload too many comes of it.
    let known = leases.changes().await.unwrap_or_default();
    let overview = Overview::new(Arc::clone(&leases), organisations.clone());
    let (public_listener, listen) = open_port(config.listen, "webhooks")?;
    let (admin_listener, admin_listen) = open_port(config.admin.listen, "operators")?;
    let ingress = Ingress::new(ingress::Parts {
        sources: sources.clone(),
        learned: learned.clone(),
        key_sets: key_sets.clone(),
        store: Arc::clone(&store),
        refused: Arc::clone(&refused),
        rejected: config.limits.rejected,
        clock: clock.clone(),
        metrics: metrics.clone(),
        public_url: config.public_url.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        warn_before_end: config.rotation_warn_before,
        body_limit: config.limits.body.as_usize(),
        body_budget: config.limits.memory.as_usize(),
        body_timeout: config.limits.body_timeout,
        requests: config.limits.requests,
    });
    pauses::restore(&*hands, &organisations, &metrics)
        .await
        .map_err(StartError::Pauses)?;
    for (name, handle) in &organisations {
        handle.find_by(sources.set().metadata_looked_for(name));
    }
    let reloader = Reloader {
        reading,
        sources: sources.clone(),
        learned: learned.clone(),
        key_sets,
        keys: keys(&config, &organisations),
        metrics: metrics.clone(),
        clock: clock.clone(),
        poll: config.reload_poll,
        start: seen,
    };
    let notifications = parts::notifications(&config, &clock)?;
    let notifier = notifications.clone().map(|notifications| {
        let look = Arc::new(Asked {
            store: Arc::clone(&store),
            sources: sources.clone(),
            overview: overview.clone(),
        });
        let warn_before = config.rotation_warn_before;
        let (metrics, data) = (metrics.clone(), config.data.clone());
        let fresh: Box<dyn Fn() -> Notifier + Send + Sync> = Box::new(move || {
            let posts = notifications.clone();
            Notifier::new(posts, look.clone(), metrics.clone(), warn_before, &data)
        });
        fresh
    });
    let replica = parts::replica(&config);
    let removing = CancellationToken::new();
    let pausing = Arc::new(Mutex::new(()));
    let mut duties = vec![
        Upkeeping {
            upkeeper,
            notifier,
            stop: removing.clone(),
        }
        .duty(),
    ];
    for (name, handle) in &organisations {
        let delivering = Delivering {
            organisation: name.clone(),
            handle: handle.clone(),
            store: Arc::clone(&store),
            hands: Arc::clone(&hands),
            leases: Arc::clone(&leases),
            clock: clock.clone(),
            pausing: Arc::clone(&pausing),
        };
        let timeout = config.organisations.get(name);
        let timeout = timeout.map_or(Duration::ZERO, |organisation| organisation.timeout);
        duties.push(delivering.duty(timeout));
    }
    let keeper = Keeper::new(Arc::clone(&leases), clock.clone(), replica.clone(), duties);
    let follower = leases.is_shared().then(|| Follower {
        reload: known.reload,
        changes: keeper.changes(),
        store: Arc::clone(&store),
        hands: Arc::clone(&hands),
        learned: learned.clone(),
        reloads: reloads.clone(),
        metrics: metrics.clone(),
        clock: clock.clone(),
    });
    let admin = Admin {
        backtests: Backtests::new(sources.clone(), file.clone(), clock.clone()),
        notifications,
        store: Arc::clone(&store),
        hands,
        unchanged_for: config.unchanged_max_age,
        refused,
        archive: file.clone(),
        audit: file.clone(),
        erasure: file,
        ingress: Arc::clone(&ingress),
        diagnoses: Diagnoses::new(&config, environment),
        sources,
        learned,
        reloads: reloads.clone(),
        metrics,
        clock: clock.clone(),
        organisations,
        overview,
        leases,
        replica,
        pausing,
        upkeep,
        token: config.admin.token.clone(),
    };
    Ok(App {
        config,
        clock,
        store,
        ingress,
        admin,
        keeper,
        follower,
        removing,
        reloader,
        desk,
        reloads,
        public_listener,
        admin_listener,
        listen,
        admin_listen,
    })
}

/// Reads all sources on a thread of its own: checking many large files takes seconds.
async fn read_set(reading: &Arc<Reading>) -> Result<(Set, Seen), StartError> {
    let reading = Arc::clone(reading);
    let read = tokio::task::spawn_blocking(move || {
        let mut seen = Seen::default();
        reading.set(&mut seen).map(|set| (set, seen))
    });
    let read = read.await.expect("reading the sources does not panic");
    read.map_err(StartError::Sources)
}

/// Says loudly what does not receive.
fn say(set: &Set, strictness: Strictness) -> Result<(), StartError> {
    let lines: Vec<String> = set.troubles().collect();
    if strictness == Strictness::Strict && !lines.is_empty() {
        return Err(StartError::Strict(lines));
    }
    for line in lines {
        tracing::error!("a source does not receive (it answers 503): {line}");
    }
    // Among them every source that is not verified, which must be said at every start.
    for line in set.warnings() {
        tracing::warn!("{line}");
    }
    Ok(())
}

fn start_report(set: &Set, clock: &Clock) -> Report {
    Report {
        at: clock.now(),
        trigger: Trigger::Start,
        sources: SourcesReport::loaded(set, Changes::default()),
        keys: KeysReport::unchanged(),
        settings_changed: false,
    }
}

fn keys(
    config: &Config,
    handles: &BTreeMap<OrganisationName, Handle>,
) -> BTreeMap<OrganisationName, Key> {
    let keys = config
        .organisations
        .iter()
        .filter_map(|(name, organisation)| {
            let key = Key {
                key: organisation.key.clone(),
                handle: handles.get(name)?.clone(),
            };
            Some((name.clone(), key))
        });
    keys.collect()
}

fn open_port(
    address: SocketAddr,
    purpose: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen {
        address,
        purpose,
        error,
    };
    let listener = ingress::listen(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

impl App {
    /// Where webhooks arrive, with the port that was picked.
    pub const fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where operators look, with the port that was picked.
    pub const fn admin_listen(&self) -> SocketAddr {
        self.admin_listen
    }

    /// Asks for reloads.
    pub fn reloads(&self) -> Reloads {
        self.reloads.clone()
    }

    /// The store, for those who look at what happened.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Serves until shutdown, in this order: not ready, then (after the drain time) no new connections, requests
    /// under way end, deliveries under way end and are recorded, the store closes.
    ///
    /// # Errors
    /// The store failed, so that the process must end and start again.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Ended> {
        let limits = ServerLimits {
            connections: self.config.limits.connections,
            header_timeout: self.config.limits.header_timeout,
            answer_timeout: self.config.limits.answer_timeout,
        };
        tracing::info!(listen = %self.listen, admin_listen = %self.admin_listen, "listening");

        // The servers close later than the signal comes, and dispatchers later than the servers; each stage has
        // tokens of its own, and hard shutdown reaches all of them.
        let (serving, delivering) = (shutdown.stage(), shutdown.stage());
        let mut keeper = JoinSet::new();
        keeper.spawn(self.keeper.run(
            shutdown.soft().clone(),
            delivering.soft().clone(),
            delivering.hard().clone(),
        ));
        let public = ingress::serve(
            self.public_listener,
            self.ingress.router(),
            limits.clone(),
            serving.clone(),
        );
        let acts = Acts::default();
        let operators = ingress::serve(
            self.admin_listener,
            admin::router(self.admin, &acts),
            limits,
            serving.clone(),
        );

        // A reload has nothing to finish: what it has not put in force is thrown away.
        let reloading = shutdown.stage();
        let reloader = async {
            let stop = reloading.soft().clone();
            stop.run_until_cancelled(self.reloader.run(self.desk)).await;
        };
        let following = async {
            if let Some(follower) = self.follower {
                let stop = reloading.soft().clone();
                stop.run_until_cancelled(follower.run()).await;
            }
        };
        let recording = serving.clone();
        let recorder = async {
            let stop = recording.soft().clone();
            stop.run_until_cancelled(self.ingress.write_down_rejected())
                .await;
        };
        let watch = async {
            let failure = tokio::select! {
                () = shutdown.soft().cancelled() => None,
                failure = failed_store(&self.store, &self.clock) => Some(failure),
                failure = failed_keeper(&mut keeper) => Some(failure),
            };
            reloading.begin();
            // What it has not removed it removes after the next start.
            self.removing.cancel();
            self.ingress.drain();
            if failure.is_none() {
                tokio::select! {
                    () = self.clock.sleep(self.config.shutdown.drain) => {}
                    () = shutdown.hard().cancelled() => {}
                }
            }
            serving.begin();
            failure
        };
        let (failure, (), (), (), (), ()) =
            tokio::join!(watch, public, operators, reloader, following, recorder);
        tokio::select! {
            () = self.ingress.finish_rejected() => {}
            () = shutdown.hard().cancelled() => {}
        }
        delivering.begin();
        tokio::select! {
            ((), ()) = async { tokio::join!(self.ingress.finish(), acts.finish()) } => {}
            () = shutdown.hard().cancelled() => {}
        }
        let mut failure = failure;
        while let Some(ended) = keeper.join_next().await {
            if let Ok(Err(error)) = ended {
                failure = failure.or(Some(error));
            }
        }
        // A database that does not answer must not keep the process from ending.
        tokio::select! {
            () = self.store.close() => {}
            () = shutdown.hard().cancelled() => {}
        }
        if let Some(error) = failure {
            return Err(Ended::Store(error));
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Ends when the store has failed for good; a disk that is full for a while is no such failure.
async fn failed_store(store: &Arc<dyn Store>, clock: &Clock) -> StoreError {
    loop {
        if let Err(error @ (StoreError::OutcomeUnknown { .. } | StoreError::Closed { .. })) =
            store.is_writable()
        {
            return error;
        }
        clock.sleep(WATCH_INTERVAL).await;
    }
}

/// Ends when the keeper has ended by itself, which only a failed store makes it do.
async fn failed_keeper(keeper: &mut JoinSet<Result<(), StoreError>>) -> StoreError {
    loop {
        match keeper.join_next().await {
            Some(Ok(Err(error))) => return error,
            Some(Ok(Ok(()))) => {}
            Some(Err(error)) => {
                return StoreError::Broken {
                    what: format!("the keeper ended: {error}"),
                };
            }
            None => std::future::pending().await,
        }
    }
}
