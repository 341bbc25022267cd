//! What keeps the gateway from trusting a server, and what it says then.

use std::{path::Path, process::Command};

use super::{
    super::{OpenError, PostgresAddress, PostgresStore},
    Database,
    server::{self, Server},
};
use crate::{
    clock::Clock,
    store::{Store as _, postgres::Durability},
};

async fn open(url: &str, durability: Durability) -> Result<PostgresStore, OpenError> {
    let address = PostgresAddress::parse(url).unwrap();
    PostgresStore::open(&address, durability, Clock::system()).await
}

/// What is said where a store cannot be opened.
async fn refusal(url: &str) -> String {
    let error = open(url, Durability::Required).await.unwrap_err();
    error.to_string()
}

#[tokio::test]
async fn a_server_that_can_lose_what_was_acknowledged_is_refused_unless_somebody_accepts_it() {
    let Some(database) = Database::new().await else {
        return;
    };
    let url = database.server.url(&database.name);
    let set = |value: &str| {
        let name = &database.name;
        format!("ALTER DATABASE {name} SET synchronous_commit = {value}")
    };
    database.server.run(&set("off")).await;
    let said = refusal(&url).await;
    let accepted = open(&url, Durability::LossAccepted).await;
    database.server.run(&set("on")).await;
    assert!(
        said.starts_with("the server has `synchronous_commit` off")
            && said.contains("accept_data_loss"),
        "{said}"
    );
    assert!(accepted.is_ok());
}

#[tokio::test]
async fn a_server_without_syncs_is_refused() {
    let Some(server) = Server::start(&["-c", "fsync=off"]) else {
        return;
    };
    let said = refusal(&server.url("postgres")).await;
    assert!(said.starts_with("the server has `fsync` off"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_to_do() {
    let Some(database) = Database::new().await else {
        return;
    };
    let nowhere = refusal("postgres://gateway@127.0.0.1:1/gateway").await;
    assert!(
        nowhere.starts_with("cannot connect to the database 127.0.0.1:1/gateway"),
        "{nowhere}"
    );
    let missing = refusal(&database.server.url("no_such_database")).await;
    assert!(missing.contains("CREATE DATABASE"), "{missing}");
    database.server.run("DROP ROLE IF EXISTS nobody_here").await;
    let stranger = database
        .server
        .url(&database.name)
        .replace("gateway@", "nobody_here@");
    let said = refusal(&stranger).await;
    assert!(said.contains("refuses the user or the password"), "{said}");
}

#[tokio::test]
async fn a_user_who_may_not_make_tables_is_told() {
    let Some(database) = Database::new().await else {
        return;
    };
    database
        .server
        .run("DO $$ BEGIN CREATE ROLE visitor LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
        .await;
    let url = database
        .server
        .url(&database.name)
        .replace("gateway@", "visitor@");
    let said = refusal(&url).await;
    assert!(said.contains("the owner of the database may"), "{said}");
}

#[tokio::test]
async fn tables_of_a_newer_release_are_refused_unless_it_says_that_this_one_may() {
    let Some(database) = Database::new().await else {
        return;
    };
    let url = database.server.url(&database.name);
    drop(database.open().await);
    let outside = server::client(&url).await;
    let newer = |usable_from: i64| {
        format!(
            "INSERT INTO quentli_gateway.format (number, usable_from, release) VALUES ({}, {usable_from}, '99')",
            100 + usable_from
        )
    };
    outside.batch_execute(&newer(1)).await.unwrap();
    assert!(
        open(&url, Durability::Required).await.is_ok(),
        "during an upgrade"
    );
    outside.batch_execute(&newer(50)).await.unwrap();
    let said = refusal(&url).await;
    assert!(said.contains("written by a newer release"), "{said}");
}

#[tokio::test]
async fn of_replicas_that_start_at_once_one_makes_the_tables() {
    let Some(database) = Database::new().await else {
        return;
    };
    let url = database.server.url(&database.name);
    let opened = futures_util::future::join_all((0..4).map(|_| open(&url, Durability::Required)));
    for store in opened.await {
        assert!(store.is_ok(), "{store:?}");
    }
}

/// Makes an authority, and a certificate of it for `localhost`.
fn certificates(folder: &Path) {
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=localhost &&
        printf 'subjectAltName=DNS:localhost' > names &&
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile names &&
        chmod 600 server.key";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

#[tokio::test]
async fn tls_checks_the_authority_and_the_name() {
    let Some(server) = Server::start_with(
        &[
            "-c",
            "ssl=on",
            "-c",
            "ssl_cert_file=../server.crt",
            "-c",
            "ssl_key_file=../server.key",
        ],
        certificates,
    ) else {
        return;
    };
    let ca = server.folder().join("ca.pem").display().to_string();
    let base = server.url("postgres").replace("127.0.0.1", "localhost");
    let trusted = format!("{base}?sslmode=verify-full&sslrootcert={ca}");
    assert!(open(&trusted, Durability::Required).await.is_ok());
    let unknown = refusal(&format!("{base}?sslmode=verify-full")).await;
    assert!(unknown.starts_with("TLS to the database"), "{unknown}");
    let other_name = trusted.replace("localhost", "127.0.0.1");
    let said = refusal(&other_name).await;
    assert!(said.starts_with("TLS to the database"), "{said}");
}

/// A `PgBouncer` in front of a server; it ends with this.
struct Pooler {
    child: std::process::Child,
    port: u16,
}

impl Pooler {
    /// `None` where it is not installed, which is said.
    fn start(server: &Server, database: &str, settings: &str) -> Option<Self> {
        let path = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let Some(path) = path else {
            server::leave_out("PgBouncer is not installed (Debian: pgbouncer)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap().keep();
        let port = server::free_port();
        let (_, behind) = server
            .url("x")
            .rsplit_once(':')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let behind = behind.trim_end_matches("/x").to_owned();
        let ini = format!(
            "[databases]\n{database} = host=127.0.0.1 port={behind} dbname={database}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n{settings}\n"
        );
        let ini = ini.replace(
            &format!("dbname={database}"),
            &format!("dbname={database} user=gateway"),
        );
        std::fs::write(folder.join("pgbouncer.ini"), ini).unwrap();
        let mut words = server::user(&folder);
        words.push(path.to_owned());
        let child = Command::new(&words[0])
            .args(&words[1..])
            .arg(folder.join("pgbouncer.ini"))
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, port })
    }

    async fn ready(&self) {
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port))
            .await
            .is_err()
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn a_pooler_that_keeps_no_sessions_is_refused_whether_it_says_so_or_not() {
    let Some(database) = Database::new().await else {
        return;
    };
    for settings in ["", "ignore_startup_parameters = options,extra_float_digits"] {
        let Some(pooler) = Pooler::start(database.server, &database.name, settings) else {
            return;
        };
        pooler.ready().await;
        let url = format!(
            "postgres://gateway@127.0.0.1:{}/{}",
            pooler.port, database.name
        );
        let said = refusal(&url).await;
        assert!(
            said.contains("PgBouncer") && said.contains("connect to PostgreSQL itself"),
            "{settings}: {said}"
        );
    }
}

#[tokio::test]
async fn a_host_that_says_nothing_is_passed_by() {
    let Some(database) = Database::new().await else {
        return;
    };
    // Its connections are taken by the system, and never answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = database.server.url(&database.name);
    let url = url.replace("@127.0.0.1:", &format!("@127.0.0.1:{port},127.0.0.1:"));
    let store = open(&url, Durability::Required).await.unwrap();
    assert!(store.is_writable().is_ok());
}
