//! The database under the replicas, and what befalls it.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use quentli_gateway::{
    clock::Clock,
    store::postgres::{Durability, PostgresAddress, PostgresStore},
};
use url::Url;

use crate::{
    server::{Server, client, programs, shared, user},
    support::until,
};

/// A database of its own.
#[derive(Clone)]
pub(crate) struct Database {
    server: &'static Server,
    name: String,
}

impl Database {
    /// At a server that other tests use, too. Nothing where there is no PostgreSQL, which is said.
    pub(crate) async fn shared() -> Option<Self> {
        Some(Self::at(shared()?).await)
    }

    /// At a server of its own, which may be stopped; it ends with this process.
    pub(crate) async fn alone() -> Option<Self> {
        Some(Self::at(Box::leak(Box::new(Server::start(&[])?))).await)
    }

    /// At two servers of its own; the second follows the first, and has what that one acknowledges where `is_synchronous`.
    pub(crate) async fn with_standby(is_synchronous: bool) -> Option<[Self; 2]> {
        let primary = Self::alone().await?;
        let copied_from = primary.server.url("postgres");
        let made_by = [
            "pg_basebackup",
            "--dbname",
            &copied_from,
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        ];
        let server: &'static Server = Box::leak(Box::new(Server::start_on(&made_by, &[], |_| {})?));
        let standby = Self {
            server,
            name: primary.name.clone(),
        };
        if is_synchronous {
            let sql = "ALTER SYSTEM SET synchronous_standby_names = '*'";
            primary.server.run(sql).await;
            primary.server.run("SELECT pg_reload_conf()").await;
        }
        let state = if is_synchronous { "sync" } else { "async" };
        let sql = format!("SELECT count(*) FROM pg_stat_replication WHERE sync_state = '{state}'");
        until("the standby to follow", async || {
            let found = primary.number(&sql).await;
            if found == 1 { Ok(()) } else { Err(found) }
        })
        .await;
        Some([primary, standby])
    }

    /// The URL of both servers.
    pub(crate) fn url_of_both(primary: &Self, standby: &Self) -> String {
        let (first, second) = (primary.address(), standby.address());
        let url = primary.url_by(None);
        url.replace(&first, &format!("{first},{second}"))
    }

    async fn at(server: &'static Server) -> Self {
        let name = server.create_database().await;
        Self { server, name }
    }

    /// Its URL, where it is reached at another address if need be.
    pub(crate) fn url_by(&self, address: Option<SocketAddr>) -> String {
        let url = format!("{}?sslmode=disable", self.server.url(&self.name));
        let mut url = Url::parse(&url).unwrap();
        if let Some(address) = address {
            url.set_ip_host(address.ip()).unwrap();
            url.set_port(Some(address.port())).unwrap();
        }
        url.into()
    }

    /// Where it listens, as `host:port`.
    pub(crate) fn address(&self) -> String {
        let url = Url::parse(&self.url_by(None)).unwrap();
        let port = url.port().unwrap_or(5432);
        format!("{}:{port}", url.host_str().unwrap())
    }

    /// A number that a statement gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let client = client(&self.server.url(&self.name)).await;
        client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// The store as one more process opens it, to look at it.
    pub(crate) async fn open(&self) -> PostgresStore {
        let address = PostgresAddress::parse(&self.url_by(None)).unwrap();
        let opened = PostgresStore::open(&address, Durability::Required, Clock::system()).await;
        opened.unwrap()
    }

    /// A connection of somebody else.
    pub(crate) async fn outside(&self) -> tokio_postgres::Client {
        let client = client(&self.server.url(&self.name)).await;
        let sql = "SET search_path = quentli_gateway";
        client.batch_execute(sql).await.unwrap();
        client
    }

    /// Cuts the connections of replicas whose process at the server has such a number, of every so many.
    pub(crate) async fn cut(&self, one_in: u32) {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid % {one_in} = 0"
        );
        let client = client(&self.server.url(&self.name)).await;
        client.batch_execute(&sql).await.unwrap();
    }

    /// Stops it in order (`fast`) or as a crash does (`immediate`).
    pub(crate) fn stop(&self, mode: &str) {
        self.control(&["-m", mode, "stop"]);
    }

    /// Ends every process of it, as when the machine fails.
    pub(crate) fn kill(&self) {
        let file = self.server.folder().join("data/postmaster.pid");
        let file = std::fs::read_to_string(file).unwrap();
        let server = file.lines().next().unwrap();
        let children = format!("/proc/{server}/task/{server}/children");
        let children = std::fs::read_to_string(children).unwrap();
        // Those that are gone by themselves are no matter.
        let killed = Command::new("kill")
            .args(["-KILL", server])
            .args(children.split_whitespace())
            .stderr(Stdio::null())
            .status();
        killed.unwrap();
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        self.control(&["promote"]);
    }

    /// Starts it again as it was.
    pub(crate) fn start_again(&self) {
        self.control(&["restart"]);
    }

    /// Away for a while.
    pub(crate) async fn is_away(&self, mode: &str, during: Duration) {
        tokio::task::block_in_place(|| self.stop(mode));
        tokio::time::sleep(during).await;
        tokio::task::block_in_place(|| self.start_again());
    }

    fn control(&self, words: &[&str]) {
        let folder = self.server.folder();
        let mut command = user(folder);
        command.push(
            programs()
                .unwrap()
                .join("pg_ctl")
                .to_string_lossy()
                .into_owned(),
        );
        // The server inherits what it writes to, so nobody may wait for its end.
        let done = Command::new(&command[0])
            .args(&command[1..])
            .args(["-w", "-s", "-D"])
            .arg(folder.join("data"))
            .arg("-l")
            .arg(folder.join("log"))
            .args(words)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "pg_ctl {words:?}");
    }
}
