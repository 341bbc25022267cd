//! Durable inserts per second: the store beside a plain log file with the same plumbing (tasks, bounded channel, one
//! thread, group commit, one sync for each group), so that the ratio says what the store costs on any machine.
//!
//! `cargo bench --bench store [-- DIRECTORY [PRODUCERS...]]`; the directory should be on the disk in question. Both sides run in
//! turns; the middle one of three runs is shown. Run it on a quiet machine: with other work on the cores every wait
//! becomes a multiple of a scheduler's tick, and figures fall by an order of magnitude.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints, and ends where something fails"
)]

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use quentli_gateway::{
    clock::Clock,
    customer::{CustomerReference, Field, FieldValue, FindBy, OnConflict, OnMissing, Patch},
    event::{DedupKeyBuilder, DeliveryPos, End, MappingHash, OrganisationName},
    store::{
        Acceptance, Fate, Finish, NewDelivery, NewEvent, NewGroup, Store,
        sqlite::{SqliteOptions, SqliteStore},
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

const BODY_BYTES: usize = 2048;
const PRODUCERS: [u64; 4] = [1, 16, 64, 256];
const RUNS: usize = 3;
const RUN_FOR: Duration = Duration::from_millis(1500);
const CUSTOMERS: u64 = 10_000;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        // Cargo adds `--bench`.
        .filter(|argument| !argument.starts_with('-'));
    let directory = arguments
        .next()
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let mut counts: Vec<u64> = arguments.map(|count| count.parse().unwrap()).collect();
    if counts.is_empty() {
        counts.extend(PRODUCERS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("events of {BODY_BYTES} bytes, each with one key and one delivery; per second");
    println!("producers      log    store  ratio  store, with ends  ratio of ends");
    for producers in counts {
        let mut runs = [const { Vec::new() }; 3];
        for _ in 0..RUNS {
            let [log, store, cycle] = &mut runs;
            log.push(runtime.block_on(measure_log(&directory, producers)));
            store.push(runtime.block_on(measure_store(&directory, producers, Then::Nothing)));
            cycle.push(runtime.block_on(measure_store(&directory, producers, Then::Finish)));
        }
        let [log, store, cycle] = runs.map(middle);
        println!(
            "{producers:9} {log:8.0} {store:8.0} {:6.2} {cycle:17.0} {:14.2}",
            store / log,
            cycle / store,
        );
    }
}

fn middle(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs.swap_remove(runs.len() / 2)
}

/// Whether each event's delivery is also ended, through the same writer.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Nothing,
    Finish,
}

async fn measure_store(parent: &Path, producers: u64, then: Then) -> f64 {
    let directory = tempfile::tempdir_in(parent).unwrap();
    let path = directory.path().to_owned();
    let open = || SqliteStore::open(&path, SqliteOptions::default(), Clock::system());
    let store = Arc::new(open().unwrap());
    let rate = produce(producers, move |number| {
        let store = Arc::clone(&store);
        async move {
            let accepted = store.accept(event(number)).await.unwrap();
            let Acceptance::Accepted { event, .. } = accepted else {
                panic!("event {number} is no duplicate");
            };
            if then == Then::Finish {
                // Each event has one delivery, so their numbers are the same.
                let ended = store
                    .finish(&OrganisationName::default_name(), end(event.0))
                    .await;
                assert!(ended.unwrap());
            }
        }
    });
    rate.await
}

async fn measure_log(parent: &Path, producers: u64) -> f64 {
    let directory = tempfile::tempdir_in(parent).unwrap();
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.path().join("log"))
        .unwrap();
    let (sender, jobs) = mpsc::channel(4096);
    let writer = thread::spawn(move || write_log(file, jobs));
    let rate = produce(producers, move |number| {
        let sender = sender.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            assert!(sender.send((event(number), reply)).await.is_ok());
            answer.await.unwrap();
        }
    })
    .await;
    writer.join().unwrap();
    rate
}

/// The least that can be durable: append what waits, sync, answer.
fn write_log(mut file: File, mut jobs: mpsc::Receiver<(NewEvent, oneshot::Sender<()>)>) {
    let (mut bytes, mut replies) = (Vec::new(), Vec::new());
    while let Some(first) = jobs.blocking_recv() {
        let mut next = Some(first);
        while let Some((event, reply)) = next {
            bytes.extend_from_slice(&event.body);
            replies.push(reply);
            next = if replies.len() < 512 {
                jobs.try_recv().ok()
            } else {
                None
            };
        }
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        bytes.clear();
        for reply in replies.drain(..) {
            assert!(reply.send(()).is_ok());
        }
    }
}

/// Lets so many tasks do one call after the other, and gives the calls per second.
async fn produce<F>(producers: u64, call: impl Fn(u64) -> F + Send + Sync + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let call = Arc::new(call);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..producers {
        let call = Arc::clone(&call);
        tasks.spawn(async move {
            let mut done = 0_u32;
            while start.elapsed() < RUN_FOR {
                call(NEXT.fetch_add(1, Ordering::Relaxed)).await;
                done += 1;
            }
            done
        });
    }
    let done: u32 = tasks.join_all().await.into_iter().sum();
    f64::from(done) / start.elapsed().as_secs_f64()
}

fn event(number: u64) -> NewEvent {
    let source = "bench".parse().unwrap();
    let mut key = DedupKeyBuilder::composite(&source);
    key.part(Some(&number.to_be_bytes()));
    let customer = CustomerReference {
        id: None,
        find: vec![FindBy::Username(format!("customer-{}", number % CUSTOMERS))],
        on_missing: OnMissing::Retry,
        on_conflict: OnConflict::Fail,
    };
    let mut patch = Patch::new();
    for (field, value) in [
        (Field::Name, format!("Customer {number}")),
        (Field::Email, format!("customer-{number}@example.mx")),
        (Field::PhoneNumber, "+525512345678".to_owned()),
    ] {
        patch.set(field, FieldValue::Text(value)).unwrap();
    }
    let fate = Fate::Waiting {
        lane: customer.lane().unwrap(),
        customer,
        patch,
        order_by: None,
    };
    NewEvent {
        source,
        organisation: OrganisationName::default_name(),
        received_at: time(),
        content_type: Some("application/json".to_owned()),
        headers: Vec::new(),
        body: Bytes::from_static(&[b'x'; BODY_BYTES]),
        mapping: MappingHash::of(b""),
        groups: vec![NewGroup {
            key: key.finish(),
            deliveries: vec![NewDelivery {
                item: 0,
                number: 0,
                rule: Some("contact".to_owned()),
                warnings: Vec::new(),
                fate,
            }],
        }],
    }
}

fn end(pos: i64) -> Finish {
    Finish {
        pos: DeliveryPos(pos),
        accepted_at: time(),
        revision: 0,
        end: End::Delivered,
        reason: None,
        customer: Some("cus_1234567890abcdefghij".parse().unwrap()),
        at: time(),
        attempt: None,
        confirmed: Vec::new(),
        carried: Vec::new(),
        left_out: None,
    }
}

fn time() -> Timestamp {
    Timestamp::from_second(1_768_471_200).unwrap()
}
