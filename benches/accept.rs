//! What durability costs: requests a second and processor time per request of the gateway (verified, mapped, stored
//! and synced before the answer) beside a bare axum server that only reads the body and checks the same HMAC.
//!
//! Both run as processes of their own on this machine, one after the other, under the same client: 64 connections,
//! keep-alive, a body of about 2 KB, a new event id and a new signature for each request. Three rounds in turn; the
//! median counts. Read the ratio, not the figures: they move with the machine.
//!
//! ```text
//! cargo bench --bench accept            # 64 connections, 3 rounds of 3 seconds
//! cargo bench --bench accept -- 256 5 4 # connections, rounds, seconds
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measuring program: it stops at the first surprise and computes with figures for people"
)]

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
#[path = "support/load.rs"]
mod load;

use load::{SECRET, SOURCE_FILE, send};

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    if arguments.first().is_some_and(|first| first == "bare") {
        return runtime().block_on(bare());
    }
    let number = |at: usize, default: u64| {
        arguments
            .get(at)
            .map_or(default, |text| text.parse().unwrap())
    };
    let (connections, rounds, seconds) = (number(0, 64), number(1, 3), number(2, 3));
    runtime().block_on(compare(connections, rounds, Duration::from_secs(seconds)));
}

/// The reference: reads the body, checks the signature, answers.
async fn bare() {
    async fn receive(
        State(key): State<Hmac<Sha256>>,
        headers: HeaderMap,
        body: Bytes,
    ) -> &'static str {
        let signature = hex::decode(headers["x-signature"].as_bytes()).unwrap();
        let mut mac = key;
        mac.update(&body);
        mac.verify_slice(&signature).unwrap();
        "{\"status\":\"accepted\"}"
    }
    let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let router = Router::new()
        .route("/webhooks/bench", post(receive))
        .with_state(key);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

struct Server {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Server {
    fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("bare").stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        Self {
            child,
            address,
            _folder: folder,
        }
    }

    fn gateway() -> Self {
        let folder = tempfile::Builder::new()
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let mappings = folder.path().join("mappings");
        std::fs::create_dir(&mappings).unwrap();
        std::fs::write(mappings.join("bench.yaml"), SOURCE_FILE).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_quentli-gateway"));
        command
            .args([
                "serve",
                "--strict",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
            ])
            .arg("--mappings")
            .arg(&mappings)
            .arg("--data")
            .arg(folder.path().join("data"))
            // Nothing listens there: this measures accepting, with deliveries waiting behind an open breaker.
            .env("QUENTLI_API_URL", "http://127.0.0.1:9")
            .env("QUENTLI_API_KEY", "sk_bench")
            .env("BENCH_SECRET", SECRET)
            .env("GATEWAY_LOG_LEVEL", "quentli_gateway::app=info,error")
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains("\"listening\""))
            .unwrap();
        // The rest of the log must be read, or the process stops when the pipe is full.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let fields: serde_json::Value = serde_json::from_str(&listening).unwrap();
        Self {
            child,
            address: fields["listen"].as_str().unwrap().parse().unwrap(),
            _folder: folder,
        }
    }

    /// Processor time used so far, of all threads, user and system.
    fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // The kernel reports hundredths of a second to programs, whatever it counts in itself.
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[derive(Clone, Copy)]
struct Measured {
    per_second: f64,
    processor_us: f64,
}

async fn compare(connections: u64, rounds: u64, time: Duration) {
    println!(
        "{connections} connections, {rounds} rounds of {} s each, 2 KB bodies",
        time.as_secs()
    );
    println!(
        "{:>7}  {:>12}  {:>12}  {:>7}  {:>10}  {:>13}",
        "round", "bare req/s", "durable/s", "ratio", "bare us", "durable us"
    );
    let mut all: Vec<(Measured, Measured)> = Vec::new();
    for round in 1..=rounds {
        let bare = measure(Server::bare(), connections, time).await;
        let durable = measure(Server::gateway(), connections, time).await;
        show(&round.to_string(), bare, durable);
        all.push((bare, durable));
    }
    all.sort_by(|a, b| {
        (a.1.per_second / a.0.per_second).total_cmp(&(b.1.per_second / b.0.per_second))
    });
    let (bare, durable) = all[all.len() / 2];
    show("median", bare, durable);
}

fn show(round: &str, bare: Measured, durable: Measured) {
    println!(
        "{round:>7}  {:>12.0}  {:>12.0}  {:>7.2}  {:>10.1}  {:>13.1}",
        bare.per_second,
        durable.per_second,
        durable.per_second / bare.per_second,
        bare.processor_us,
        durable.processor_us
    );
}

async fn measure(server: Server, connections: u64, time: Duration) -> Measured {
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..connections {
        clients.spawn(send(
            server.address,
            client,
            Arc::clone(&stop),
            Arc::clone(&answered),
        ));
    }
    // The first moments (connections, first pages of the database) do not count.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (before, used, started) = (
        answered.load(Ordering::Relaxed),
        server.processor_time(),
        Instant::now(),
    );
    tokio::time::sleep(time).await;
    let (after, used_after, took) = (
        answered.load(Ordering::Relaxed),
        server.processor_time(),
        started.elapsed(),
    );
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let count = (after - before) as f64;
    Measured {
        per_second: count / took.as_secs_f64(),
        processor_us: used_after.saturating_sub(used).as_secs_f64() * 1e6 / count,
    }
}
