//! A PostgreSQL server for tests: the one that `QUENTLI_GATEWAY_POSTGRES` names, or one of our own from Debian's packages, which
//! ends with the process. Each test has a database of its own.

#![expect(
    clippy::disallowed_methods,
    reason = "a server is named in the environment, and a connection of a test ends with its client"
)]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Names a server, as a URL of a user who may create databases.
const VARIABLE: &str = "QUENTLI_GATEWAY_POSTGRES";

/// A server. Stopped when it is dropped, where it is ours.
pub(crate) struct Server {
    /// Without a database: `postgres://user@host:port`.
    base: String,
    own: Option<Own>,
}

struct Own {
    child: Child,
    directory: PathBuf,
}

/// The server that all tests of this process share. `None` where there is none, which is said in the file of skipped tests.
pub(crate) fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            if let Ok(url) = env::var(VARIABLE) {
                let (base, _database) = url.rsplit_once('/').expect("a URL with a database");
                return Some(Server {
                    base: base.to_owned(),
                    own: None,
                });
            }
            Server::start(&[])
        })
        .as_ref()
}

impl Server {
    /// A server of our own with these further arguments; `None` without PostgreSQL's programs.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        Self::start_with(arguments, |_| {})
    }

    /// The same, with what is put into its folder before.
    pub(crate) fn start_with(arguments: &[&str], prepare: impl FnOnce(&Path)) -> Option<Self> {
        let made_by = [
            "initdb",
            "--username=gateway",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ];
        Self::start_on(&made_by, arguments, prepare)
    }

    /// The same, on data that this program makes.
    pub(crate) fn start_on(
        made_by: &[&str],
        arguments: &[&str],
        prepare: impl FnOnce(&Path),
    ) -> Option<Self> {
        let Some(programs) = programs() else {
            leave_out("PostgreSQL is not installed (Debian: postgresql)");
            return None;
        };
        let directory = env::temp_dir().join(format!("quentli-postgres-{}", unique()));
        fs::create_dir(&directory).expect("a directory for PostgreSQL");
        prepare(&directory);
        let as_user = user(&directory);
        let run = |program: &str| {
            let mut words = as_user.clone();
            words.push(programs.join(program).display().to_string());
            let mut command = Command::new(&words[0]);
            command
                .args(&words[1..])
                .current_dir(&directory)
                .stdin(Stdio::null());
            command
        };
        let data = directory.join("data");
        let made = run(made_by[0])
            .args(&made_by[1..])
            .arg("-D")
            .arg(&data)
            .output()
            .expect("the program runs");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port();
        // The shell ends the server, and takes its files away, when its input ends, which it does with this process.
        // Which process it is then is in a file of its own, since a test may have started it again.
        let script = r#"folder=$1; shift; "$@" & cat >/dev/null; pid="$folder/data/postmaster.pid"
            kill -QUIT "$(head -n 1 "$pid")"; for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e "$pid" ] && sleep 0.2; done; rm -rf "$folder""#;
        let mut words = vec!["sh".to_owned(), "-c".into(), script.into(), "sh".into()];
        words.push(directory.display().to_string());
        words.extend(as_user.clone());
        words.push(programs.join("postgres").display().to_string());
        let child = Command::new(&words[0])
            .args(&words[1..])
            .arg("-D")
            .arg(&data)
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=200",
                "-c",
            ])
            .arg(format!("port={port}"))
            .args([
                "-c",
                "unix_socket_directories=",
                "-c",
                "shared_buffers=64MB",
            ])
            .args(arguments)
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.join("log")).expect("a log"))
            .spawn()
            .expect("the server starts");
        let server = Self {
            base: format!("postgres://gateway@127.0.0.1:{port}"),
            own: Some(Own { child, directory }),
        };
        server.wait(&programs, port);
        Some(server)
    }

    fn wait(&self, programs: &Path, port: u16) {
        let give_up = Instant::now() + Duration::from_mins(1);
        loop {
            let ready = Command::new(programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status()
                .expect("pg_isready runs");
            if ready.success() {
                return;
            }
            assert!(
                Instant::now() < give_up,
                "PostgreSQL did not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The last lines of its log.
    fn log(&self) -> String {
        let Some(own) = &self.own else {
            return String::new();
        };
        let file = fs::File::open(own.directory.join("log")).expect("its log");
        let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Where its files are; only of one of our own.
    pub(crate) fn folder(&self) -> &Path {
        &self.own.as_ref().expect("a server of our own").directory
    }

    /// The URL of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Makes an empty database and gives its name.
    pub(crate) async fn create_database(&self) -> String {
        let name = format!("quentli_gateway_test_{}", unique());
        self.run(&format!(
            "CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"
        ))
        .await;
        name
    }

    /// Makes a database empty that a test has done with; whoever is still connected is not any more.
    pub(crate) async fn clear_database(&self, name: &str) {
        let client = client(&self.url(name)).await;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid();
                   DROP SCHEMA IF EXISTS quentli_gateway CASCADE";
        client
            .batch_execute(sql)
            .await
            .expect("the database can be emptied");
    }

    /// Runs a statement outside of the databases of tests.
    pub(crate) async fn run(&self, sql: &str) {
        let client = client(&self.url("postgres")).await;
        client.batch_execute(sql).await.expect("the statement runs");
    }
}

/// A connection of another program.
pub(crate) async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("the server can be reached");
    // Ends with the client.
    tokio::spawn(async { drop(connection.await) });
    client
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            drop(own.child.stdin.take());
            drop(own.child.wait());
        }
    }
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// Where `initdb` and `postgres` are: Debian keeps them out of the path.
pub(crate) fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().or_else(|| {
        let folders = env::var_os("PATH")?;
        env::split_paths(&folders).find(|folder| folder.join("initdb").exists())
    })
}

/// What to put before a program so that it runs as somebody who is not root, which PostgreSQL refuses; the directory is theirs.
pub(crate) fn user(directory: &Path) -> Vec<String> {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if id.stdout.trim_ascii() != b"0" {
        return Vec::new();
    }
    let name = ["postgres", "nobody"].into_iter().find(|name| {
        let known = Command::new("id").arg(name).output().expect("id runs");
        known.status.success()
    });
    let name = name.expect("a user who is not root");
    let given = Command::new("chown")
        .args(["-R", name])
        .arg(directory)
        .status()
        .expect("chown runs");
    assert!(
        given.success(),
        "the directory could not be given to {name}"
    );
    [
        "setpriv",
        "--reuid",
        name,
        "--regid",
        "nogroup",
        "--clear-groups",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn unique() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}_{number}", std::process::id())
}

/// Says that tests were left out, in the file that `./test` reads.
pub(crate) fn leave_out(reason: &str) {
    use std::io::Write as _;
    let Some(file) = env::var_os("QUENTLI_GATEWAY_SKIPPED") else {
        return;
    };
    let file = fs::OpenOptions::new().create(true).append(true).open(file);
    let mut file = file.expect("the file of skipped tests");
    writeln!(file, "tests on PostgreSQL: {reason}").expect("it can be written");
}
