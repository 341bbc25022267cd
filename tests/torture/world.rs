//! What a run is played in: two stand-ins for Quentli that record every request, and the gateway, which can die and be
//! started again on what it left on disk.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::Duration,
};

use quentli_gateway::{
    app::{self, Strictness},
    clock::Clock,
    config::{Config, Environment, Flags},
    lifecycle::Shutdown,
    sandbox::{self, Running, Sandbox},
    source::Mode,
};
use serde_json::Value;
use tokio::sync::oneshot;
use url::Url;

use crate::{
    people::ORGANISATIONS,
    plan::Form,
    sources::{SECRET, SECRET_VARIABLE, SOURCES},
    support::executable::{Gateway, Setup},
};

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) quentli: Vec<(Sandbox, Running)>,
    place: Place,
    /// None while it is dead.
    life: Option<Life>,
    operator: reqwest::Client,
}

/// How far a run has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Footprint {
    /// How many requests Quentli has answered.
    pub(crate) requests: u64,
    /// The last request of each organisation that was no look-up.
    pub(crate) changes: Vec<u64>,
    /// Deliveries under way.
    pub(crate) open: u64,
    /// Lanes that do not wait for somebody to come to Quentli.
    pub(crate) active: u64,
    pub(crate) totals: Value,
}

/// Where a gateway's files are.
enum Place {
    Inside {
        folder: tempfile::TempDir,
        environment: Environment,
    },
    Process(Setup),
}

/// A gateway at work.
enum Life {
    Inside {
        url: Url,
        admin: SocketAddr,
        /// Dies when this is dropped, ends in order when it is sent.
        end: oneshot::Sender<()>,
        thread: JoinHandle<()>,
    },
    Process(Gateway),
}

const SETTINGS: &str = "gateway.yaml";

/// Times are short enough for a run, and long enough that no passing trouble uses up a delivery's budget.
const DRIVEN: &str = "retry: {for: 6h, longest_wait: 30m, missing_for: 4d}\nreload: {poll: 0s}\nlimits: {disk_reserve: 0}\n";
const PROCESS: &str =
    "retry: {for: 60s, first_wait: 20ms, longest_wait: 500ms}\nreload: {poll: 0s}\n";

fn settings(form: Form, quentli: &[String]) -> String {
    let (times, timeout) = match form {
        Form::Driven => (DRIVEN, "10s"),
        Form::Process => (PROCESS, "1s"),
    };
    let organisations: Vec<String> = ORGANISATIONS
        .iter()
        .zip(quentli)
        .map(|(name, url)| {
            format!("  {name}: {{key: {{env: QUENTLI_API_KEY}}, url: \"{url}\", rate: 500, timeout: {timeout}}}\n")
        })
        .collect();
    format!("{times}quentli:\n{}", organisations.concat())
}

impl World {
    /// `observing` are the sources that only observe.
    pub(crate) async fn new(form: Form, observing: &BTreeSet<usize>) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let clock = match form {
            Form::Driven => Clock::manual("2026-03-02T12:00:00Z".parse().unwrap()),
            Form::Process => Clock::system(),
        };
        let mut quentli = Vec::new();
        for _ in ORGANISATIONS {
            let sandbox = Sandbox::new(sandbox::Settings {
                clock: clock.clone(),
                max_exchanges: 1_000_000,
                ..sandbox::Settings::default()
            });
            let running = sandbox.start(([127, 0, 0, 1], 0).into()).await.unwrap();
            quentli.push((sandbox, running));
        }
        let urls: Vec<String> = quentli.iter().map(|(_, running)| running.url()).collect();
        let settings = settings(form, &urls);
        let place = match form {
            Form::Driven => inside(&settings, observing),
            Form::Process => {
                let mut setup = Setup::new("http://127.0.0.1:9")
                    .without("QUENTLI_API_URL")
                    .settings(&settings)
                    .variable(SECRET_VARIABLE, SECRET);
                for (number, source) in SOURCES.iter().enumerate() {
                    setup = setup.source(source.name, &source.file(mode(number, observing), false));
                }
                Place::Process(setup)
            }
        };
        let mut world = Self {
            clock,
            quentli,
            place,
            life: None,
            operator: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        world.start().await;
        world
    }

    pub(crate) fn sandbox(&self, organisation: usize) -> &Sandbox {
        &self.quentli[organisation].0
    }

    /// Where webhooks are sent to.
    pub(crate) fn url(&self) -> Url {
        match self.life.as_ref().unwrap() {
            Life::Inside { url, .. } => url.clone(),
            Life::Process(gateway) => gateway.url(),
        }
    }

    pub(crate) async fn start(&mut self) {
        self.life = Some(match &self.place {
            Place::Inside {
                folder,
                environment,
            } => live(folder.path(), environment, &self.clock).await,
            Place::Process(setup) => Life::Process(setup.start()),
        });
    }

    /// The gateway dies in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        match self.life.take().unwrap() {
            Life::Inside { end, thread, .. } => {
                drop(end);
                thread.join().unwrap();
            }
            Life::Process(gateway) => gateway.kill(),
        }
    }

    /// The gateway ends in order.
    pub(crate) fn stop(&mut self) {
        match self.life.take().unwrap() {
            Life::Inside { end, thread, .. } => {
                end.send(()).unwrap();
                thread.join().unwrap();
            }
            Life::Process(gateway) => assert!(gateway.terminate().success()),
        }
    }

    /// Asks at the operators' port.
    pub(crate) async fn ask(&self, method: &str, path: &str, wish: Option<&Value>) -> Value {
        let admin = match self.life.as_ref().unwrap() {
            Life::Inside { admin, .. } => *admin,
            Life::Process(gateway) => gateway.admin_listen,
        };
        let url = format!("http://{admin}{path}");
        let mut request = self.operator.request(method.parse().unwrap(), url);
        if let Some(wish) = wish {
            let json = ("content-type", "application/json");
            request = request.header(json.0, json.1).body(wish.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// What operators see. Asked for often: where it is answered, the gateway has had a turn on the processor.
    pub(crate) async fn status(&self) -> Value {
        self.ask("GET", "/api/v1/status", None).await
    }

    /// A source gets another file, which is in force from here on.
    pub(crate) async fn change_file(&self, source: usize, mode: Mode, is_mended: bool) {
        let file = SOURCES[source].file(mode, is_mended);
        let name = SOURCES[source].name;
        let path = match &self.place {
            Place::Inside { folder, .. } => folder.path().join(format!("mappings/{name}.yaml")),
            Place::Process(setup) => setup.source_path(name),
        };
        std::fs::write(path, file).unwrap();
        let report = self.ask("POST", "/api/v1/reload", None).await;
        assert_eq!(report["sources"]["changed"][0], name, "{report}");
    }

    /// Where the store is.
    pub(crate) fn data(&self) -> PathBuf {
        match &self.place {
            Place::Inside { folder, .. } => folder.path().join("data"),
            Place::Process(setup) => setup.data().to_path_buf(),
        }
    }

    /// How many requests have ended, and whether any is on its way that no trouble holds up.
    fn traffic(&self) -> (u64, bool) {
        let mut ended = 0;
        let mut is_busy = false;
        for (sandbox, _) in &self.quentli {
            ended += *sandbox.ended().borrow();
            let last = sandbox.last_exchanges(32);
            is_busy |= last
                .iter()
                .any(|exchange| exchange.end == sandbox::End::Pending && exchange.fault.is_none());
        }
        (ended, is_busy)
    }

    pub(crate) async fn footprint(&self) -> Footprint {
        let changes = self.quentli.iter().map(|(sandbox, _)| {
            let last = sandbox.last_exchanges(500);
            let change = last.iter().rfind(|exchange| exchange.method != "GET");
            change.map_or(0, |change| change.number)
        });
        let changes = changes.collect();
        let status = self.status().await;
        let totals = status["store"]["totals"].clone();
        let organisations = status["organisations"].as_object().unwrap().values();
        let active = organisations.map(|organisation| {
            let count = |value: &Value| value.as_u64().unwrap_or(0);
            let waiting =
                count(&organisation["looking"]) + count(&organisation["directory"]["waiting"]);
            count(&organisation["lanes"]) - waiting.min(count(&organisation["lanes"]))
        });
        Footprint {
            requests: self.traffic().0,
            changes,
            open: totals["waiting"].as_u64().unwrap() + totals["looking"].as_u64().unwrap(),
            active: active.sum(),
            totals,
        }
    }

    /// Waits, without letting time pass, until everything waits for time to pass. That is when nothing has happened for
    /// some moments in which the gateway had its turn on the processor, since it answers; a moment that is too short only
    /// mixes more of what happens.
    pub(crate) async fn rest(&self) {
        let live = self.url().join("live").unwrap();
        let mut last = 0;
        let mut still = 0;
        for _ in 0..500 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.operator.get(live.clone()).send().await.unwrap();
            let (ended, is_busy) = self.traffic();
            still = if is_busy || ended != last {
                0
            } else {
                still + 1
            };
            last = ended;
            if still >= 3 {
                return;
            }
        }
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, form: Form, time: Duration) {
        match form {
            Form::Driven => {
                self.rest().await;
                self.clock.advance(time);
                self.rest().await;
            }
            Form::Process => tokio::time::sleep(time).await,
        }
    }
}

fn mode(source: usize, observing: &BTreeSet<usize>) -> Mode {
    if observing.contains(&source) {
        Mode::Observe
    } else {
        Mode::Live
    }
}

fn inside(settings: &str, observing: &BTreeSet<usize>) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let mappings = folder.path().join("mappings");
    std::fs::create_dir(&mappings).unwrap();
    for (number, source) in SOURCES.iter().enumerate() {
        let path = mappings.join(format!("{}.yaml", source.name));
        std::fs::write(path, source.file(mode(number, observing), false)).unwrap();
    }
    std::fs::write(folder.path().join(SETTINGS), settings).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let environment: Environment = [
        ("QUENTLI_API_KEY", "sk_test_key".to_owned()),
        ("GATEWAY_LISTEN", "127.0.0.1:0".to_owned()),
        ("GATEWAY_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("GATEWAY_MAPPINGS", text(&mappings)),
        ("GATEWAY_DATA", text(&folder.path().join("data"))),
        (SECRET_VARIABLE, SECRET.to_owned()),
    ]
    .into_iter()
    .collect();
    Place::Inside {
        folder,
        environment,
    }
}

/// A gateway on a thread and a runtime of its own. Where these end, all that it was doing is dropped wherever it was,
/// as when its process is killed; the store's own threads finish what they were handed, which `SIGKILL` would not let
/// them.
async fn live(folder: &Path, environment: &Environment, clock: &Clock) -> Life {
    let flags = Flags {
        config: Some(folder.join(SETTINGS)),
        ..Flags::default()
    };
    let config = Config::load(&flags, environment).unwrap();
    let (environment, clock) = (environment.clone(), clock.clone());
    let (end, ended) = oneshot::channel();
    let (started, starting) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let app = app::start(config, &environment, Strictness::Strict, clock)
                .await
                .unwrap();
            assert!(started.send((app.listen(), app.admin_listen())).is_ok());
            let shutdown = Shutdown::new();
            let run = app.run(shutdown.clone());
            tokio::pin!(run);
            let is_in_order = tokio::select! {
                ended = &mut run => panic!("the gateway ended by itself: {ended:?}"),
                end = ended => end.is_ok(),
            };
            if is_in_order {
                shutdown.begin();
                run.await.unwrap();
            }
        });
    });
    let (listen, admin) = starting.await.unwrap();
    Life::Inside {
        url: format!("http://{listen}").parse().unwrap(),
        admin,
        end,
        thread,
    }
}
