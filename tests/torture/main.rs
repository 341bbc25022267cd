//! A model-based torture test: random events against random troubles, and a simple model of what must come of them.
//!
//! From a seed a [`plan`] is made: people in two organisations, events of several sources about them (duplicates, out of
//! order, batches with known and new items, people known by several keys, new customers), and troubles (429, 500,
//! slow answers, connections cut before and after a change was applied, a refused key, a directory out of date, the
//! gateway's death, a clock that is set), and what people do (have it sent again, also while it waits and mapped anew, discard
//! it, pause it, let a source go live that only observed, have somebody erased). [`play`] plays it with the real gateway and the sandbox, which records every
//! request. At the end [`judge`] compares with [`model`], which says plainly what is right. What disagrees
//! is told as a [`story`] of the customer in question.
//!
//! Two forms. *Driven*: the gateway is inside the test on a runtime of its own, dies with it, and its clock is driven,
//! so that hours pass in moments. *Process*: the executable is killed with `SIGKILL`, and time is what it is.
//!
//! Without a word the test plays as many seeds as fit into some time. `TORTURE_RUNS=n` plays so many, however long it
//! takes, and `TORTURE_SEED=n` (`TORTURE_PROCESS_SEED`) plays one seed again. A seed gives the same plan each time; how
//! the machine interleaves what runs at once may differ, so a rare failure may need some tries: `TORTURE_SEED=n
//! TORTURE_RUNS=20`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected may panic, also in the functions that tests share"
)]

mod account;
mod item;
mod judge;
mod model;
mod people;
mod plan;
mod play;
mod rows;
mod sources;
mod story;
mod world;

#[path = "../support/schema.rs"]
mod schema;
#[path = "../support/support.rs"]
mod support;

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    plan::{Form, Plan},
    play::Again,
    support::number,
};

/// What a run was about, in numbers.
#[derive(Debug, Default)]
struct Figures {
    runs: u64,
    items: usize,
    requests: usize,
    exchanges: usize,
    kills: usize,
    dead: u64,
    /// Deliveries that were sent again: dead or observed ones, and those that waited; and how many of them mapped anew.
    again: usize,
    hurried: usize,
    remapped: usize,
    erased: usize,
}

/// Plays one seed.
fn run(seed: u64, form: Form) -> Result<Figures, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let played = play::play(Plan::from_seed(seed, form), form, seed).await?;
        let problems = judge::problems(&played);
        if problems.is_empty() {
            let exchanges = played
                .world
                .quentli
                .iter()
                .map(|(sandbox, _)| sandbox.exchanges().len());
            let agains = || played.agains.iter();
            let remapped = agains().filter(|again| again.is_remapped);
            return Ok(Figures {
                runs: 1,
                items: played.account.accepted.len(),
                requests: played.sends.len(),
                exchanges: exchanges.sum(),
                kills: played.kills.len(),
                dead: played.account.totals.dead,
                again: agains().map(|again| again.items.len()).sum(),
                hurried: agains().map(|again| again.hurried.len()).sum(),
                remapped: remapped.map(Again::len).sum(),
                erased: played.erasures.len(),
            });
        }
        let mut text = String::new();
        for problem in &problems {
            writeln!(text, "\n* {}", problem.what).unwrap();
        }
        if let Some(person) = problems.iter().find_map(|problem| problem.person) {
            text.push_str(&story::story(&played, person));
        }
        Err(text)
    })
}

/// Seeds that are played in any case, and for how long further ones are begun.
const AT_LEAST: u64 = 2;
const FOR: Duration = Duration::from_secs(30);

/// Plays seeds, some at a time, since a run mostly waits.
fn torture(form: Form, variable: &str, at_once: usize) {
    let is_fixed = std::env::var_os(variable).is_some();
    let seed = support::seed(variable);
    let runs = number("TORTURE_RUNS", u64::from(is_fixed));
    let began = Instant::now();
    let is_enough = |turn| match runs {
        0 => turn >= AT_LEAST && began.elapsed() > FOR,
        runs => turn >= runs,
    };
    let next = AtomicU64::new(0);
    let total = Mutex::new(Figures::default());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if is_enough(turn) || !failures.lock().unwrap().is_empty() {
                        return;
                    }
                    let seed = if is_fixed {
                        seed
                    } else {
                        seed.wrapping_add(turn)
                    };
                    let played = catch_unwind(AssertUnwindSafe(|| run(seed, form)));
                    let played = played.unwrap_or_else(|_| Err("it panicked".to_owned()));
                    match played {
                        Ok(figures) => {
                            let mut total = total.lock().unwrap();
                            total.runs += 1;
                            total.items += figures.items;
                            total.requests += figures.requests;
                            total.exchanges += figures.exchanges;
                            total.kills += figures.kills;
                            total.dead += figures.dead;
                            total.again += figures.again;
                            total.hurried += figures.hurried;
                            total.remapped += figures.remapped;
                            total.erased += figures.erased;
                        }
                        Err(what) => failures.lock().unwrap().push((seed, what)),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    for (seed, what) in &failures {
        eprintln!("FAILED: run again with {variable}={seed}\n{what}");
    }
    eprintln!("{:?}", total.lock().unwrap());
    assert!(failures.is_empty(), "{} seeds failed", failures.len());
}

#[test]
fn whatever_happens_each_customer_ends_as_the_model_says() {
    torture(Form::Driven, "TORTURE_SEED", 4);
}

#[test]
fn killed_as_a_process_each_customer_ends_as_the_model_says() {
    torture(Form::Process, "TORTURE_PROCESS_SEED", 2);
}
