//! What mapping costs: parse, map and write one reference event of 2 KB, with the compiled mapping and with the same
//! mapping written by hand on a `serde_json::Value`. Both must give the same result before anything is measured.
//!
//! Instructions are counted where `valgrind` is installed: the program runs itself under callgrind, twice for each
//! side, so that the difference is the events alone. They repeat to the last digit on a busy machine; times do not.
//! Both sides ask the same library whether a telephone number is valid, which is most of the work; so a second pair of
//! figures has the event without its telephone numbers.
//!
//! ```text
//! cargo bench --bench mapping
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measuring program: it stops at the first surprise and computes with figures for people"
)]

use std::{
    fmt::Write as _,
    hint::black_box,
    process::Command,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use quentli_gateway::{
    event::ItemOutcome,
    mapping::{Input, Mapping, UnreadableSamples},
    source::SourceFile,
};

mod hand_written;

const FILE: &str = include_str!("family.yaml");
const EVENT: &str = include_str!("family.json");
const ROUNDS: usize = 15;
const EVENTS_PER_ROUND: u32 = 2_000;
/// Under callgrind: enough to drown nothing, few enough to be quick.
const FEW: u32 = 100;
const MANY: u32 = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Compiled,
    Hand,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Compiled, Self::Hand];

    const fn word(self) -> &'static str {
        match self {
            Self::Compiled => "compiled",
            Self::Hand => "hand",
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mapping = compiled();
    // `--run SIDE EVENTS phones|plain`: what callgrind counts.
    if let [first, side, events, kind] = arguments.as_slice()
        && first == "--run"
    {
        let side = Side::BOTH
            .into_iter()
            .find(|candidate| candidate.word() == side)
            .unwrap();
        run(
            side,
            &mapping,
            &event(kind == "phones"),
            events.parse().unwrap(),
        );
        return;
    }
    println!(
        "event of {} bytes, {} rules",
        EVENT.len(),
        mapping.rules().count()
    );
    for with_phones in [true, false] {
        let body = event(with_phones);
        same_result(&mapping, &body);
        let what = if with_phones {
            "the whole event"
        } else {
            "without telephone numbers"
        };
        measure_time(what, &mapping, &body);
        measure_instructions(what, with_phones);
    }
    measure_compiling();
}

fn compiled() -> Mapping {
    let read = |_: &str| Ok(EVENT.as_bytes().to_vec());
    let file = SourceFile::check(
        "family.yaml",
        "family",
        FILE.to_owned(),
        &read,
        UnreadableSamples::Refuse,
    );
    let checked = file
        .checked
        .unwrap_or_else(|| panic!("{:?}", quentli_gateway::diag::render_lines(&file.findings)));
    checked.into_mapping()
}

/// The reference event; or the same with short texts instead of telephone numbers, which no rule reads.
fn event(with_phones: bool) -> Vec<u8> {
    if with_phones {
        return EVENT.as_bytes().to_vec();
    }
    EVENT.replace("\"phones\"", "\"fones_\"").into_bytes()
}

/// Maps so many events and writes their patches; the length of what was written keeps it from being optimised away.
fn run(side: Side, mapping: &Mapping, body: &[u8], events: u32) -> usize {
    let mut written = 0;
    for _ in 0..events {
        written += match side {
            Side::Compiled => run_compiled(mapping, black_box(body)),
            Side::Hand => run_hand(black_box(body)),
        };
    }
    black_box(written)
}

fn run_compiled(mapping: &Mapping, body: &[u8]) -> usize {
    let mapped = mapping.map(&input(body));
    let mut written = 0;
    for item in &mapped.items {
        for outcome in &item.outcomes {
            if let ItemOutcome::Update(update) = outcome {
                written += serde_json::to_string(&update.patch).unwrap().len();
            }
        }
    }
    written
}

fn run_hand(body: &[u8]) -> usize {
    let mut written = 0;
    for outcome in hand_written::map(body) {
        if let hand_written::Outcome::Update(update) = outcome {
            written += serde_json::to_string(&update.patch).unwrap().len();
        }
    }
    written
}

fn input(body: &[u8]) -> Input<'_> {
    Input {
        body,
        content_type: Some("application/json"),
        headers: &[],
        now: Timestamp::MAX,
    }
}

fn same_result(mapping: &Mapping, body: &[u8]) {
    let mapped = mapping.map(&input(body));
    let ours = mapped.items.iter().flat_map(|item| &item.outcomes);
    let by_hand = hand_written::map(body);
    assert_eq!(by_hand.len(), ours.clone().count());
    for (ours, by_hand) in ours.zip(&by_hand) {
        let (ItemOutcome::Update(ours), hand_written::Outcome::Update(by_hand)) = (ours, by_hand)
        else {
            panic!("{ours:?} is no update, or {by_hand:?} is none");
        };
        assert_eq!(serde_json::to_value(&ours.patch).unwrap(), by_hand.patch);
    }
}

/// Both in turns, so that what else runs on the machine hits both; the middle round counts.
fn measure_time(what: &str, mapping: &Mapping, body: &[u8]) {
    let mut rounds = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for (side, rounds) in Side::BOTH.into_iter().zip(&mut rounds) {
            let begun = Instant::now();
            run(side, mapping, body, EVENTS_PER_ROUND);
            rounds.push(begun.elapsed() / EVENTS_PER_ROUND);
        }
    }
    let [compiled, hand] = rounds.map(|mut rounds| {
        rounds.sort();
        rounds[ROUNDS / 2]
    });
    show(what, "microseconds", micros(compiled), micros(hand));
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1_000.0
}

fn show(what: &str, unit: &str, compiled: f64, hand: f64) {
    println!(
        "{what:26} {unit:24} compiled {compiled:9.1}   by hand {hand:9.1}   ratio {:.2}",
        compiled / hand
    );
}

fn measure_instructions(what: &str, with_phones: bool) {
    let kind = if with_phones { "phones" } else { "plain" };
    let counted = Side::BOTH.map(|side| {
        let few = instructions(side, FEW, kind)?;
        let many = instructions(side, MANY, kind)?;
        Some((many - few) as f64 / f64::from(MANY - FEW) / 1_000.0)
    });
    match counted {
        [Some(compiled), Some(hand)] => show(what, "thousand instructions", compiled, hand),
        _ => println!("{what:26} instructions are not counted: valgrind is not here"),
    }
}

/// All instructions of one run of this program; `None` where callgrind cannot count them.
fn instructions(side: Side, events: u32, kind: &str) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--run", side.word(), &events.to_string(), kind])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.split_whitespace().last()?.parse().ok()
}

/// Reading, checking and compiling a file of 200 rules, tests included.
fn measure_compiling() {
    let text = large_file(200);
    let read = |_: &str| Ok(EVENT.as_bytes().to_vec());
    let mut rounds = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let file = SourceFile::check(
            "large.yaml",
            "large",
            text.clone(),
            &read,
            UnreadableSamples::Refuse,
        );
        rounds.push(begun.elapsed());
        assert!(
            file.checked.is_some(),
            "{:?}",
            quentli_gateway::diag::render_lines(&file.findings)
        );
    }
    rounds.sort();
    println!(
        "a file of 200 rules and {} KB is checked in {:.1} ms",
        text.len() / 1024,
        rounds[2].as_secs_f64() * 1_000.0
    );
}

/// The reference rule so many times, each for a type of its own, and a test for each.
fn large_file(rules: usize) -> String {
    let (head, rest) = FILE.split_once("rules:\n").unwrap();
    let (_, rule) = rest.split_once("  - name: paying guardians").unwrap();
    let (rule, _) = rule.split_once("tests:\n").unwrap();
    let mut text = head.replace("source: family", "source: large");
    text.push_str("rules:\n");
    let mut tests = "tests:\n".to_owned();
    for number in 0..rules {
        let numbered = rule.replacen(
            "type in ['family.created', 'family.updated']",
            &format!("type == 'family.{number}'"),
            1,
        );
        write!(text, "  - name: {number}, paying guardians{numbered}").unwrap();
        writeln!(
            tests,
            "  - name: {number}\n    event: {{type: family.{number}, guardians: []}}\n    expect: [{{drop: nothing selected}}]"
        )
        .unwrap();
    }
    text + &tests
}
