//! A store on its way from a data directory into a database: killed, interrupted, gone on with, refused, taken back.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use quentli_gateway::{
    clock::Clock,
    sandbox::{Sandbox, Settings},
    store::{
        Store as _,
        postgres::{Durability, PostgresAddress, PostgresStore},
    },
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    postgres,
    support::{
        executable::{Gateway, Setup},
        number,
        school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
        seed, until,
    },
};

/// Events that were delivered, and that wait, before a move.
const DELIVERED: u64 = 40;
const WAITING: u64 = 25;

/// A gateway's files, and an empty database.
struct Place {
    setup: Setup,
    url: String,
}

impl Place {
    /// `None` where there is no server.
    async fn new(quentli: &str) -> Option<Self> {
        let server = postgres::shared()?;
        let url = server.url(&server.create_database().await);
        let setup = Setup::new(quentli)
            .source("school", SOURCE_FILE)
            .variable(SECRET_VARIABLE, SECRET);
        Some(Self { setup, url })
    }

    fn file(&self) -> Connection {
        Connection::open(self.setup.data().join("gateway.db")).unwrap()
    }

    async fn database(&self) -> tokio_postgres::Client {
        postgres::client(&self.url).await
    }

    async fn open(&self) -> Result<PostgresStore, String> {
        let address = PostgresAddress::parse(&self.url).unwrap();
        PostgresStore::open(&address, Durability::Required, Clock::system())
            .await
            .map_err(|error| error.to_string())
    }

    fn migrate(&self, more: &[&str]) -> std::process::Command {
        let arguments = [
            "migrate-store",
            "--database",
            &self.url,
            "--page-rows",
            "20",
        ];
        let mut command = self.setup.command(&[&arguments[..], more].concat());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a move to its end; how it ended, and what it said.
    fn run(&self, more: &[&str]) -> (Option<i32>, String) {
        said(&self.migrate(more).output().unwrap())
    }

    /// Rows that are there; `None` where no move is under way.
    async fn moved(&self) -> Option<i64> {
        let client = self.database().await;
        let sql = "SELECT to_regclass('quentli_gateway.moving') IS NOT NULL";
        let has_tables: bool = client.query_one(sql, &[]).await.unwrap().get(0);
        if !has_tables {
            return None;
        }
        let sql = "SELECT rows FROM quentli_gateway.moving WHERE finished_at IS NULL";
        let row = client.query_opt(sql, &[]).await.unwrap();
        row.map(|row| row.get(0))
    }

    /// Starts a move and lets it get beyond so many rows, if it does not end before.
    async fn move_beyond(&self, rows: i64) -> std::process::Child {
        let mut command = self.migrate(&[]).spawn().unwrap();
        until("rows to be moved", async || {
            let has_ended = command.try_wait().unwrap().is_some();
            match self.moved().await {
                _ if has_ended => Ok(()),
                Some(moved) if moved > rows => Ok(()),
                other => Err(other),
            }
        })
        .await;
        command
    }

    /// A store with something in every table, of a gateway that was killed; and its totals.
    async fn fill(&self, sandbox: &Sandbox) -> Value {
        let gateway = self.setup.start();
        let customer = sandbox.add(&json!({"name": "0"})).unwrap();
        send(&gateway, &customer, 0..DELIVERED).await;
        gateway.settled().await;
        let forged = School::with_secret("not-what-both-sides-know");
        let refused = forged
            .rename(&gateway.url(), "forged", &customer, "x")
            .await;
        assert_eq!(refused.unwrap().status, 401);
        gateway.rejected(1).await;
        ask(&self.setup, &gateway, "pause");
        send(&gateway, &customer, DELIVERED..DELIVERED + WAITING).await;
        let totals = gateway.status().await["store"]["totals"].clone();
        gateway.kill();
        assert_eq!(totals["waiting"], WAITING, "{totals}");
        let file = self.file();
        file.execute_batch(
            "UPDATE delivery SET trouble = 'before' || char(0) || 'behind' WHERE pos = (SELECT max(pos) FROM delivery);
             INSERT INTO reused_id VALUES (1, 'school', 2, 10, 20);
             INSERT INTO applied_version VALUES ('default', 'cus_1', 'metadata.ñ\"', 'school', 7);
             INSERT INTO refused_request VALUES (1, 'school', 5, 9000000000000, 7, 'POST', '/webhooks/school', '127.0.0.1', 1, '[]', x'00ff');
             INSERT INTO learned_secret VALUES ('school', 'sesame', 9);
             INSERT OR REPLACE INTO upkeep_mark VALUES (3, 1);
             INSERT INTO upkeep_later VALUES ('bodies', 9000000000000, 1);
             INSERT INTO observed VALUES ('school', 1, 0, 0, NULL, '{}', '{}', 1, NULL);
             INSERT INTO refused (id, source, mark, first_at, last_at, times, reason, status, kept, facts)
               VALUES (70, 'school', x'01', 1, 1, 1, 'signature', 401, 0, '{}');
             DELETE FROM refused WHERE id = 70;",
        )
        .unwrap();
        file.execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1500)
             INSERT INTO dedup SELECT randomblob(16), 1 FROM n",
            [],
        )
        .unwrap();
        totals
    }

    /// Compares every row of every table; gives how many there are.
    async fn assert_equal(&self) -> usize {
        let (file, client) = (self.file(), self.database().await);
        let mut tables = file
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'moved'")
            .unwrap();
        let tables: Vec<String> = strings(&mut tables);
        let mut all = 0;
        for table in tables {
            let here = rows_here(&file, &table);
            let there = rows_there(&client, &file, &table).await;
            assert!(!here.is_empty(), "{table} is empty: nothing is shown");
            let differing = here.iter().zip(&there).find(|(here, there)| here != there);
            assert_eq!(differing, None, "{table}");
            assert_eq!(here.len(), there.len(), "{table}");
            all += here.len();
        }
        all
    }
}

fn strings(statement: &mut rusqlite::Statement<'_>) -> Vec<String> {
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// The rows as texts, in an order of their own.
fn rows_here(file: &Connection, table: &str) -> Vec<String> {
    let columns: Vec<String> = columns(file, table)
        .iter()
        .map(|(name, sql)| match sql.as_str() {
            "BLOB" => format!("lower(hex(\"{name}\"))"),
            _ => format!("coalesce(\"{name}\", '-')"),
        })
        .collect();
    let sql = format!("SELECT {} FROM {table}", columns.join(" || '|' || "));
    let rows = strings(&mut file.prepare(&sql).unwrap());
    let mut rows: Vec<String> = rows
        .iter()
        .map(|row| row.replace('\0', "\u{fffd}"))
        .collect();
    rows.sort();
    rows
}

async fn rows_there(
    client: &tokio_postgres::Client,
    file: &Connection,
    table: &str,
) -> Vec<String> {
    let columns: Vec<String> = columns(file, table)
        .iter()
        .map(|(name, sql)| match (sql.as_str(), name.as_str()) {
            // SQLite's `hex` makes an empty text of nothing.
            ("BLOB", _) => format!("coalesce(encode(\"{name}\", 'hex'), '')"),
            (_, "in_doubt" | "kept" | "by_proxy" | "overwrites") => {
                format!("\"{name}\"::int::text")
            }
            _ => format!("coalesce(\"{name}\"::text, '-')"),
        })
        .collect();
    let sql = format!(
        "SELECT {} FROM quentli_gateway.{table}",
        columns.join(" || '|' || ")
    );
    let rows = client.query(&sql, &[]).await.unwrap();
    let mut rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    rows.sort();
    rows
}

fn columns(file: &Connection, table: &str) -> Vec<(String, String)> {
    let mut info = file
        .prepare("SELECT name, type FROM pragma_table_info(?1)")
        .unwrap();
    let rows = info.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text)
}

async fn send(gateway: &Gateway, customer: &str, numbers: std::ops::Range<u64>) {
    let school = School::new();
    for number in numbers {
        let name = number.to_string();
        let answer = school.rename(&gateway.url(), &name, customer, &name).await;
        assert_eq!(answer.unwrap().status, 200);
    }
}

/// Has a running gateway pause or resume the source.
fn ask(setup: &Setup, gateway: &Gateway, act: &str) {
    let admin = gateway.admin_listen.to_string();
    let output = setup.run(&[act, "--source", "school", "--admin-listen", &admin]);
    assert!(output.status.success(), "{output:?}");
}

/// Starts a gateway on the directory, which refuses; gives what it says.
fn refusal(setup: &Setup) -> String {
    let (is_fine, log) = setup.begin(&["serve"]).ended();
    assert!(!is_fine);
    log.join("\n")
}

fn kill(mut command: std::process::Child) {
    command.kill().unwrap();
    command.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_page_a_move_goes_on_and_all_of_the_store_is_there() {
    let mut random = StdRng::seed_from_u64(seed("KILL_SEED"));
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let Some(place) = Place::new(&quentli.url()).await else {
        return;
    };
    let totals = place.fill(&sandbox).await;
    let mut seen = Vec::new();
    for _ in 0..number("MOVE_KILLS", 6) {
        let beyond = seen.last().copied().unwrap_or(0) + random.random_range(0..250);
        let command = place.move_beyond(beyond).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..20))).await;
        kill(command);
        let Some(moved) = place.moved().await else {
            break;
        };
        seen.push(moved);
        assert!(place.open().await.unwrap_err().contains("is on its way"));
        assert!(refusal(&place.setup).contains("is on its way"));
    }
    eprintln!("moved after each kill: {seen:?}");
    assert!(seen.len() > 1 && seen.is_sorted(), "{seen:?}");

    let (code, messages) = place.run(&[]);
    assert_eq!(code, Some(0), "{messages}");
    let rows = place.assert_equal().await;
    assert!(rows > 1500);
    assert!(refusal(&place.setup).contains("was moved to the database"));
    // Killed between closing the file and opening the database, and before both.
    let sql = "UPDATE quentli_gateway.moving SET finished_at = NULL";
    for has_ended in [true, false] {
        place.database().await.batch_execute(sql).await.unwrap();
        if !has_ended {
            let file = place.file();
            file.execute("UPDATE moved SET ended_at = NULL", [])
                .unwrap();
        }
        assert!(place.open().await.unwrap_err().contains("is on its way"));
        let (code, messages) = place.run(&[]);
        assert_eq!(code, Some(0), "{messages}");
        assert!(refusal(&place.setup).contains("was moved to the database"));
    }

    let store = place.open().await.unwrap();
    let there = store.totals().await.unwrap();
    assert_eq!(there.waiting, WAITING);
    assert_eq!(totals["accepted"], there.accepted);
    for more in [&[][..], &["--dry-run"]] {
        let (code, messages) = place.run(more);
        assert_eq!(code, Some(0), "{messages}");
        assert!(messages.contains("already"), "{messages}");
    }
    let numbers = "INSERT INTO quentli_gateway.refused (source, mark, first_at, last_at, times, reason, status, kept, facts)
                   VALUES ('school', '\\x02', 1, 1, 1, 'signature', 401, false, '{}') RETURNING id";
    let next: i64 = place
        .database()
        .await
        .query_one(numbers, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(next, 71, "a number that was given is not given again");
    store.close().await;
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_a_move_says_so_and_goes_on() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let Some(place) = Place::new(&quentli.url()).await else {
        return;
    };
    place.fill(&sandbox).await;
    let command = place.move_beyond(0).await;
    let stopped = std::process::Command::new("kill")
        .args(["-s", "INT", &command.id().to_string()])
        .status();
    assert!(stopped.unwrap().success());
    let (code, messages) = said(&command.wait_with_output().unwrap());
    assert_eq!(code, Some(1), "{messages}");
    assert!(
        messages.contains("the same command does the rest"),
        "{messages}"
    );
    let (code, messages) = place.run(&[]);
    assert_eq!(code, Some(0), "{messages}");
    place.assert_equal().await;
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_undone_starts_anew_with_what_happened_since() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let Some(place) = Place::new(&quentli.url()).await else {
        return;
    };
    place.fill(&sandbox).await;
    kill(place.move_beyond(100).await);
    assert!(place.moved().await.is_some());
    let (code, messages) = place.run(&["--undo"]);
    assert_eq!(code, Some(64), "nobody was asked: {messages}");
    let (code, messages) = place.run(&["--undo", "--yes"]);
    assert_eq!(code, Some(0), "{messages}");

    let gateway = place.setup.start();
    ask(&place.setup, &gateway, "resume");
    gateway.settled().await;
    gateway.kill();
    assert!(place.open().await.unwrap_err().contains("is on its way"));
    // So that there is something to compare.
    place.file().execute_batch(
        "INSERT INTO delivery (pos, organisation, state, next_attempt, event, item, number, source, accepted_at)
         VALUES (0, 'default', 'dead', 0, 0, 0, 0, 'school', 0)",
    ).unwrap();
    let (code, messages) = place.run(&[]);
    assert_eq!(code, Some(0), "{messages}");
    place.assert_equal().await;

    let (code, messages) = place.run(&["--undo", "--yes"]);
    assert_eq!(code, Some(0), "{messages}");
    let (code, messages) = place.run(&[]);
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains("is not empty"), "{messages}");
    place.setup.start().kill();
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_be_moved_and_changes_nothing() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let Some(place) = Place::new(&quentli.url()).await else {
        return;
    };
    place.fill(&sandbox).await;
    let gateway = place.setup.start();
    let output = place.migrate(&["--dry-run"]).output().unwrap();
    let (code, messages) = said(&output);
    assert_eq!(code, Some(0), "{messages}");
    assert!(messages.contains("nothing was changed"), "{messages}");
    let table = String::from_utf8(output.stdout).unwrap();
    let events = format!("event            {}", DELIVERED + WAITING);
    assert!(table.lines().any(|line| line == events), "{table}");
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname = 'quentli_gateway'";
    let schemas: i64 = place
        .database()
        .await
        .query_one(sql, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(schemas, 0);
    gateway.kill();
    place.setup.start().kill();
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_of_a_move_is_said_and_the_gateway_stays_where_it_is() {
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let Some(place) = Place::new(&quentli.url()).await else {
        return;
    };
    let is_refused = |code: i32, words: &str| {
        let (found, messages) = place.run(&[]);
        assert_eq!(found, Some(code), "{words}: {messages}");
        assert!(messages.contains(words), "{words}: {messages}");
    };
    is_refused(69, "there is no store in");
    assert!(!place.setup.data().exists(), "nothing was made");

    let gateway = place.setup.start();
    is_refused(69, "in use by another process");
    gateway.kill();
    let nothing_named = place.setup.run(&["migrate-store"]);
    let (code, messages) = said(&nothing_named);
    assert_eq!(code, Some(64), "{messages}");

    let store = place.open().await.unwrap();
    is_refused(1, "gateways work with the database");
    store.close().await;
    drop(store);
    until_free(&place).await;
    let client = place.database().await;
    let sql =
        "INSERT INTO quentli_gateway.audit (at, act, what, count) VALUES (1, 'pause', '{}', 1)";
    client.execute(sql, &[]).await.unwrap();
    is_refused(1, "is not empty (table `audit`)");
    client
        .batch_execute("DELETE FROM quentli_gateway.audit")
        .await
        .unwrap();
    let sql = "INSERT INTO quentli_gateway.moving (id, store, token, release, part, rows) VALUES (1, '\\x00', '\\x00', '1', 'event', 0)";
    client.execute(sql, &[]).await.unwrap();
    is_refused(1, "a part of another store");
    client
        .batch_execute("DELETE FROM quentli_gateway.moving")
        .await
        .unwrap();

    place.setup.start().kill();
    let (code, messages) = place.run(&[]);
    assert_eq!(code, Some(0), "{messages}");
    let elsewhere = postgres::shared().unwrap();
    let elsewhere = elsewhere.url(&elsewhere.create_database().await);
    let (code, messages) = said(
        &place
            .setup
            .run(&["migrate-store", "--database", &elsewhere]),
    );
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains("was moved to the database"), "{messages}");
    quentli.stop().await;
}

/// The server notices the end of a connection in its own time.
async fn until_free(place: &Place) {
    let client = place.database().await;
    until("the gateway's sessions to end", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'quentli-gateway'";
        let sessions: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        if sessions == 0 { Ok(()) } else { Err(sessions) }
    })
    .await;
}
