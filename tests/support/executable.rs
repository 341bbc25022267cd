//! The real executable as a process, with its own folder.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Lines},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{PATIENCE, children, until};

/// The executable under test: the one cargo built, or the one that `./test` names (the release build).
pub(crate) fn path() -> PathBuf {
    std::env::var_os("QUENTLI_GATEWAY_RELEASE").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_quentli-gateway")),
        PathBuf::from,
    )
}

/// An executable of an earlier release, where somebody names one: it runs beside this one in the cluster's test of troubles.
pub(crate) fn previous() -> Option<PathBuf> {
    std::env::var_os("QUENTLI_GATEWAY_PREVIOUS").map(PathBuf::from)
}

/// Files and variables for a gateway; starting it many times over keeps its data.
pub(crate) struct Setup {
    folder: tempfile::TempDir,
    data: PathBuf,
    variables: Vec<(String, String)>,
    executable: PathBuf,
    wrapper: Vec<String>,
}

/// A process that may not listen yet.
pub(crate) struct Starting {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    is_wrapped: bool,
}

/// A running gateway. Dropping it kills the process.
pub(crate) struct Gateway {
    child: Child,
    /// The gateway itself, where a wrapper such as strace is the child.
    process: u32,
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Setup {
    /// An empty setup that delivers fast, to `quentli`.
    pub(crate) fn new(quentli: &str) -> Self {
        // Not in /tmp, which may be in memory, where syncing proves nothing.
        let folder = tempfile::Builder::new()
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        std::fs::create_dir(folder.path().join("mappings")).unwrap();
        let data = folder.path().join("data");
        let setup = Self {
            folder,
            data,
            variables: Vec::new(),
            executable: path(),
            wrapper: Vec::new(),
        };
        setup
            .settings(
                "quentli: {default: {key: {env: QUENTLI_API_KEY}, rate: 5000, concurrency: 16}}\n",
            )
            .variable("QUENTLI_API_KEY", "sk_test_key")
            .variable("QUENTLI_API_URL", quentli)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Puts the data elsewhere.
    pub(crate) fn with_data(mut self, data: &Path) -> Self {
        self.data = data.to_path_buf();
        self
    }

    /// The text of `gateway.yaml`.
    pub(crate) fn settings(self, text: &str) -> Self {
        std::fs::write(self.folder.path().join("gateway.yaml"), text).unwrap();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn source(self, name: &str, text: &str) -> Self {
        std::fs::write(self.source_path(name), text).unwrap();
        self
    }

    pub(crate) fn source_path(&self, name: &str) -> PathBuf {
        self.folder
            .path()
            .join("mappings")
            .join(format!("{name}.yaml"))
    }

    /// Runs another executable from now on.
    pub(crate) fn run_from_now_on(&mut self, executable: PathBuf) {
        self.executable = executable;
    }

    /// Runs the executable under another program, such as strace.
    pub(crate) fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// A command of the executable with this setup's files and variables and a clean environment otherwise.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_by(|program| Command::new(program), arguments)
    }

    fn command_by(&self, make: impl FnOnce(&OsStr) -> Command, arguments: &[&str]) -> Command {
        let mut command = match self.wrapper.split_first() {
            Some((program, words)) => {
                let mut command = make(program.as_ref());
                command.args(words).arg(&self.executable);
                command
            }
            None => make(self.executable.as_ref()),
        };
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("GATEWAY_LISTEN", "127.0.0.1:0")
            .env("GATEWAY_ADMIN_LISTEN", "127.0.0.1:0")
            .env("GATEWAY_DATA", &self.data)
            .env("RUST_BACKTRACE", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Starts `serve` and waits until it listens.
    pub(crate) fn start(&self) -> Gateway {
        self.start_with(&["serve"])
    }

    pub(crate) fn start_with(&self, arguments: &[&str]) -> Gateway {
        self.begin(arguments).listening()
    }

    /// Starts `serve` and does not wait for anything.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Starting {
        let mut command = self.command_by(|program| children::command(program), arguments);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = children::spawn(command).unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Starting {
            child,
            lines,
            is_wrapped: !self.wrapper.is_empty(),
        }
    }

    /// A command that runs the executable in a terminal of its own, which ends with the command; what it shows goes to
    /// `log`, too.
    pub(crate) fn in_terminal(&self, arguments: &[&str], log: &Path) -> Command {
        let inner = format!("'{}' {}", self.executable.display(), arguments.join(" "));
        let mut command = Command::new("script");
        let plain = self.command(&[]);
        command
            .args(["--quiet", "--flush", "--command", &inner])
            .arg(log)
            .current_dir(self.folder.path())
            .env_clear();
        for (name, value) in plain.get_envs() {
            command.envs(value.map(|value| (name, value)));
        }
        command
    }
}

impl Starting {
    /// Whether the process has a handler of its own for a signal, by its number.
    pub(crate) fn catches(&self, signal: u32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .unwrap();
        let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
        mask & (1 << (signal - 1)) != 0
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits until it ends; whether that was in order, and what it logged.
    pub(crate) fn ended(mut self) -> (bool, Vec<String>) {
        let log = self.lines.map_while(Result::ok).collect();
        (self.child.wait().unwrap().success(), log)
    }

    /// Waits until it listens.
    pub(crate) fn listening(self) -> Gateway {
        let Self {
            mut child,
            mut lines,
            is_wrapped,
        } = self;
        let mut seen = Vec::new();
        let listening = loop {
            let Some(Ok(line)) = lines.next() else {
                let status = child.wait().unwrap();
                panic!(
                    "the gateway ended ({status}) before it listened:\n{}",
                    seen.join("\n")
                );
            };
            let found = serde_json::from_str::<Value>(&line)
                .ok()
                .filter(|line| line["message"] == "listening");
            seen.push(line);
            if let Some(found) = found {
                break found;
            }
        };
        let log = Arc::new(Mutex::new(seen));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| kept.lock().unwrap().push(line));
        });
        let address = |field: &str| listening[field].as_str().unwrap().parse().unwrap();
        let process = if is_wrapped {
            only_child_of(child.id())
        } else {
            child.id()
        };
        Gateway {
            process,
            listen: address("listen"),
            admin_listen: address("admin_listen"),
            child,
            log,
        }
    }
}

impl Gateway {
    pub(crate) fn url(&self) -> url::Url {
        format!("http://{}", self.listen).parse().unwrap()
    }

    /// The log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for lines of the log; they come by another way than answers do, and may come later.
    pub(crate) async fn logged(&self, what: &str) -> Vec<String> {
        until(&format!("a log line with {what:?}"), async || {
            let log = self.log();
            let found: Vec<String> = log
                .iter()
                .filter(|line| line.contains(what))
                .cloned()
                .collect();
            if found.is_empty() {
                Err(log)
            } else {
                Ok(found)
            }
        })
        .await
    }

    /// `SIGKILL`, at once.
    pub(crate) fn kill(mut self) {
        signal(self.process, "KILL");
        self.child.wait().unwrap();
    }

    /// `SIGTERM`; gives how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        signal(self.process, "TERM");
        self.wait()
    }

    /// Waits for an end by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "the gateway does not end; its log:\n{}",
                self.log().join("\n")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The most memory it has held so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process)).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.process, name);
    }

    /// `GET /api/v1/status`.
    pub(crate) async fn status(&self) -> Value {
        let text = get(&format!("http://{}/api/v1/status", self.admin_listen)).await;
        serde_json::from_str(&text).unwrap()
    }

    /// `GET /metrics`.
    pub(crate) async fn metrics(&self) -> String {
        get(&format!("http://{}/metrics", self.admin_listen)).await
    }

    /// Any page of the operators' port: its status and JSON.
    pub(crate) async fn admin(&self, method: &str, path: &str) -> (u16, Value) {
        self.wish(method, path, &Value::Null).await
    }

    /// The same, with a body that says what is wanted.
    pub(crate) async fn wish(&self, method: &str, path: &str, wish: &Value) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("http://{}{path}", self.admin_listen);
        let mut request = client.request(method, url);
        if !wish.is_null() {
            request = request.header("content-type", "application/json");
            request = request.body(wish.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap())
    }

    /// Waits until so many refused requests are written down; gives them, newest first.
    pub(crate) async fn rejected(&self, many: usize) -> Vec<Value> {
        until("refused requests to be written down", async || {
            let (_, page) = self.admin("GET", "/api/v1/rejected?limit=500").await;
            let found = page["rejected"].as_array().unwrap().clone();
            if found.len() == many {
                Ok(found)
            } else {
                Err(found.len())
            }
        })
        .await
    }

    /// `POST /api/v1/reload`: the status and what came of it.
    pub(crate) async fn reload(&self) -> (u16, Value) {
        self.admin("POST", "/api/v1/reload").await
    }

    /// Waits until the last reload is as `is_meant` says; gives it.
    pub(crate) async fn reloaded(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            let reload = self.status().await["reload"].clone();
            if is_meant(&reload) {
                Ok(reload)
            } else {
                Err(reload)
            }
        })
        .await
    }

    /// Waits until every delivery has ended or is dead; gives the totals.
    pub(crate) async fn settled(&self) -> Value {
        until("all deliveries to end", async || {
            let totals = self.status().await["store"]["totals"].clone();
            if totals["waiting"] == 0 && totals["looking"] == 0 {
                Ok(totals)
            } else {
                Err(totals)
            }
        })
        .await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(self.process, "KILL");
            drop(self.child.wait());
        }
    }
}

fn signal(process: u32, name: &str) {
    let done = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status()
        .unwrap();
    assert!(done.success(), "cannot send SIG{name}");
}

fn only_child_of(parent: u32) -> u32 {
    let children =
        std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

async fn get(url: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(url).send().await.unwrap().text().await.unwrap()
}
