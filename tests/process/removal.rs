//! `SIGKILL` in the middle of removing: what is gone is gone, the counts add up, and the next run does the rest. And Ctrl-C.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, routing::post};
use jiff::SignedDuration;
use quentli_gateway::{
    clock::Clock,
    sandbox::{Action, Fault, Sandbox, Settings},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::support::{
    executable::{Gateway, Setup},
    number,
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE, School},
    seed, until,
};

const EVENTS: u64 = 1500;
/// Of these, about the first customer.
const TO_ERASE: u64 = EVENTS * 2 / 3;
/// How long it takes until one gives up waiting for the first page.
const PATIENCE: Duration = Duration::from_mins(1);

fn setup(quentli: &str) -> Setup {
    Setup::new(quentli)
        .source("school", SOURCE_FILE)
        .variable(SECRET_VARIABLE, SECRET)
}

/// Sends so many events, every third about the second customer.
async fn send(gateway: &Gateway, customers: [&str; 2]) {
    let school = School::new();
    let places = std::sync::Arc::new(Semaphore::new(64));
    let mut sending = JoinSet::new();
    for number in 0..EVENTS {
        let (school, url, places) = (school.clone(), gateway.url(), places.clone());
        let customer = customers[usize::from(number % 3 == 0)].to_owned();
        sending.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let name = number.to_string();
            school
                .rename(&url, &name, &customer, &name)
                .await
                .unwrap()
                .status
        });
    }
    while let Some(status) = sending.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
}

/// The totals, which add up.
async fn totals(gateway: &Gateway) -> Value {
    let totals = gateway.status().await["store"]["totals"].clone();
    let figure = |name: &str| totals[name].as_u64().unwrap();
    let ended = totals["ended"].as_object().unwrap();
    let ended: u64 = ended.values().map(|count| count.as_u64().unwrap()).sum();
    let open = figure("waiting") + figure("looking") + figure("dead");
    assert_eq!(figure("created"), open + ended, "{totals}");
    totals
}

/// The database file, to look into it and to stop whoever else writes.
fn open_file(setup: &Setup) -> Connection {
    let mut file = Connection::open(setup.data().join("gateway.db")).unwrap();
    file.busy_handler(Some(|_| {
        std::thread::yield_now();
        true
    }))
    .unwrap();
    file
}

fn erased(file: &Connection) -> u64 {
    let sql = "SELECT count(*) FROM history WHERE \"end\" = 'erased'";
    let count: i64 = file.query_row(sql, [], |row| row.get(0)).unwrap();
    count.try_into().unwrap()
}

/// Waits until more than `before` are erased, or all, and lets nobody write from then on. Gives how many are.
fn stop_behind_a_page(file: &Connection, before: u64) -> u64 {
    let began = Instant::now();
    while erased(file) == before && before < TO_ERASE {
        assert!(began.elapsed() < PATIENCE, "nothing is erased");
        std::thread::yield_now();
    }
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    erased(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_erasing_the_counts_add_up_and_the_next_run_does_the_rest() {
    let sandbox = Sandbox::new(Settings::default());
    sandbox.fault(Fault::always(Action::CutBefore)).unwrap();
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let setup = setup(&quentli.url());
    let gateway = setup.start();
    send(&gateway, ["cus_erased", "cus_other"]).await;
    gateway.kill();
    let erase = ["erase", "--customer", "cus_erased", "--admin-listen"];
    let file = open_file(&setup);
    let mut counts = vec![0];
    for turn in 0..number("REMOVAL_KILLS", 6) {
        let gateway = setup.start();
        let admin = gateway.admin_listen.to_string();
        let mut command = setup
            .command(&[&erase[..], &[&admin, "--yes"]].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stopped_at = stop_behind_a_page(&file, counts[counts.len() - 1]);
        // Between two pages, or at once behind one, when the next may be half written.
        let is_between = turn % 2 == 0;
        if !is_between {
            file.execute_batch("ROLLBACK").unwrap();
        }
        gateway.kill();
        if is_between {
            file.execute_batch("ROLLBACK").unwrap();
        }
        command.wait().unwrap();
        let count = erased(&file);
        if is_between {
            assert_eq!(count, stopped_at);
        }
        let gateway = setup.start();
        let totals = totals(&gateway).await;
        assert_eq!(totals["ended"]["erased"], count, "{totals}");
        counts.push(count);
        gateway.kill();
    }
    assert!(counts.is_sorted(), "{counts:?}");
    assert!(
        counts.iter().any(|count| (1..TO_ERASE).contains(count)),
        "no kill came in the middle: {counts:?}"
    );

    let gateway = setup.start();
    let admin = gateway.admin_listen.to_string();
    let ask = |more: &[&str]| {
        let arguments = [&erase[..], &[&admin, "--format", "json"], more].concat();
        let output = setup.run(&arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["removed"].clone()
    };
    ask(&["--yes"]);
    let left = ask(&[]);
    let left = left.as_object().unwrap();
    assert!(left.values().all(|count| count == 0), "{left:?}");
    let totals = totals(&gateway).await;
    assert_eq!(totals["ended"]["erased"], TO_ERASE, "{totals}");
    assert_eq!(totals["created"], EVENTS);
    quentli.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_removing_what_is_old_the_next_run_does_the_rest() {
    let mut random = StdRng::seed_from_u64(seed("KILL_SEED"));
    let sandbox = Sandbox::new(Settings::default());
    let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let setup = setup(&quentli.url());
    let customers = [0, 1].map(|_| sandbox.add(&json!({"name": "0"})).unwrap());
    let gateway = setup.start();
    send(&gateway, [&customers[0], &customers[1]]).await;
    let before = gateway.settled().await;
    gateway.kill();

    // Everything was accepted, and ended, two hundred days ago.
    let file = || Connection::open(setup.data().join("gateway.db")).unwrap();
    let old = Clock::system().now() - SignedDuration::from_hours(200 * 24);
    let connection = file();
    connection
        .execute(
            "INSERT OR REPLACE INTO upkeep_mark (at, event) SELECT ?1, max(seq) + 1 FROM event",
            [old.as_millisecond()],
        )
        .unwrap();
    connection
        .execute("UPDATE history SET at = ?1", [old.as_millisecond()])
        .unwrap();
    drop(connection);
    let rows = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        file().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let mut left = Vec::new();
    for _ in 0..number("REMOVAL_KILLS", 6) {
        let gateway = setup.start();
        until("something to be removed", async || {
            let removed = gateway.status().await["upkeep"]["removed"].clone();
            let removed = removed.as_object().unwrap().values();
            let removed: u64 = removed.map(|count| count.as_u64().unwrap()).sum();
            if removed > 0 || rows("event") == 0 {
                Ok(())
            } else {
                Err(removed)
            }
        })
        .await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..5))).await;
        gateway.kill();
        let unlooked = "dedup WHERE event <= (SELECT dedup_keys FROM upkeep)";
        assert_eq!(rows(unlooked), 0, "a key stayed behind the place it is at");
        let check: String = file()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        left.push(["event", "dedup", "history", "attempt"].map(rows));
    }
    assert!(
        left.iter().flatten().any(|rows| *rows > 0),
        "no kill came in the middle"
    );
    eprintln!("left after each kill: {left:?}");

    let gateway = setup.start();
    until("all to be removed", async || {
        let upkeep = gateway.status().await["upkeep"].clone();
        let overdue = upkeep["overdue"].as_object().unwrap();
        if !overdue.is_empty() && overdue.values().all(|figure| figure == 0) {
            Ok(())
        } else {
            Err(upkeep)
        }
    })
    .await;
    let after = totals(&gateway).await;
    gateway.kill();
    assert_eq!(after, before, "figures stay");
    for table in ["event", "dedup", "history", "attempt"] {
        assert_eq!(rows(table), 0, "{table}");
    }
    quentli.stop().await;
}

/// Answers each page of erasing after a moment; it never ends.
async fn page(State(pages): State<tokio::sync::watch::Sender<i64>>) -> Json<Value> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    pages.send_modify(|page| *page += 1);
    let next = *pages.borrow() * 200;
    let removed = json!({"events": 2, "deliveries": 1, "history": 1, "attempts": 1, "observed": 0, "bodies": 2, "applied": 0, "refused": 0});
    Json(
        json!({"receipt": {"organisation": "default", "customer": "cus_1", "identifiers": 0, "too_short": 0, "dry_run": false,
            "at": "2026-01-15T10:00:00Z", "removed": removed, "next": {"event": next}}}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_that_is_interrupted_says_how_far_it_came() {
    let (pages, mut seen) = tokio::sync::watch::channel(0);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = listener.local_addr().unwrap().to_string();
    let router = Router::new()
        .route("/api/v1/erase", post(page))
        .with_state(pages);
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await });
    let setup = setup("http://127.0.0.1:1");
    let command = setup
        .command(&[
            "erase",
            "--customer",
            "cus_1",
            "--yes",
            "--admin-listen",
            &admin,
            "--format",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    seen.wait_for(|pages| *pages >= 2).await.unwrap();
    let stopped = std::process::Command::new("kill")
        .args(["-s", "INT", &command.id().to_string()])
        .status();
    assert!(stopped.unwrap().success());
    let output = tokio::task::spawn_blocking(|| command.wait_with_output());
    let output = output.await.unwrap().unwrap();
    serving.shutdown().await;
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{messages}");
    let receipt: Value = serde_json::from_slice(&output.stdout).unwrap();
    let next = receipt["next"]["event"].as_i64().unwrap();
    assert_eq!(receipt["removed"]["events"], next / 200 * 2, "{receipt}");
    let expected = format!("stopped after event {next}, up to which all is done");
    assert!(messages.contains(&expected), "{messages}");
}
