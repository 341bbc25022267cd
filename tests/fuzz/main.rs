//! The fuzz targets, driven without a fuzzer: sound inputs, changed at random, for a bounded time each.
//!
//! `QUENTLI_GATEWAY_FUZZ_SECONDS` is the time for each target (5), `QUENTLI_GATEWAY_SEED` repeats a run,
//! `QUENTLI_GATEWAY_FUZZ_INPUT` runs the input in a file instead.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests: a surprise ends the test, and what was run is told"
)]

#[path = "../support/support.rs"]
mod support;
#[path = "../../fuzz/targets.rs"]
mod targets;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    time::{Duration, Instant},
};

use quentli_gateway::mapping::Function;
use rand::{Rng, RngExt as _, SeedableRng as _, rngs::StdRng};

/// What only some files or bodies hold, and what has a meaning of its own somewhere.
const WORDS: [&str; 64] = [
    "|",
    "??",
    "$",
    "^",
    "^.",
    "[]",
    "[0]",
    "[k='v']",
    "(",
    ")",
    "'",
    "''",
    "\"",
    "{",
    "}",
    "{{",
    "[",
    "]",
    ",",
    ":",
    ": ",
    " #",
    "- ",
    "\n",
    "\n  ",
    "\t",
    "&a",
    "*a",
    "!!str",
    "<<: ",
    "---\n",
    "|-\n",
    ">\n",
    "null",
    "true",
    "~",
    "-1",
    "1e999",
    "0.1",
    "not ",
    " and ",
    " or ",
    " in ",
    " == ",
    "\\",
    "\\u0000",
    "\\ud800",
    "%",
    "%41",
    "%ff",
    "+",
    "&",
    "=",
    "<a>",
    "</a>",
    "<a b='c'/>",
    "<![CDATA[",
    "]]>",
    "&amp;",
    "&#0;",
    "<!DOCTYPE a>",
    "--b\r\n",
    "\r\n\r\n",
    "\u{feff}",
];

/// Runs a target on changed inputs until its time is over.
fn drive(name: &str, target: fn(&[u8]), sound: &[Vec<u8>]) {
    if let Ok(file) = std::env::var("QUENTLI_GATEWAY_FUZZ_INPUT") {
        target(&std::fs::read(file).unwrap());
        return;
    }
    let seed = support::seed("QUENTLI_GATEWAY_SEED");
    let time = Duration::from_secs(support::number("QUENTLI_GATEWAY_FUZZ_SECONDS", 5));
    let started = Instant::now();
    for input in sound {
        target(input);
    }
    let mut runs = 0_u64;
    while started.elapsed() < time {
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(runs));
        let input = changed(sound, &mut random);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
            std::fs::write(&file, &input).unwrap();
            println!(
                "target {name}, seed {}, input in {}",
                seed.wrapping_add(runs),
                file.display()
            );
            resume_unwind(panic);
        }
        runs += 1;
    }
    println!("target {name}: {runs} inputs from seed {seed}");
    assert!(runs > 0, "there was no time for a single input");
}

/// A sound input with a few changes.
fn changed(sound: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut input = any(sound, random).clone();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=input.len());
        let until = (at + random.random_range(0..64)).min(input.len());
        match random.random_range(0..8) {
            0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            1 if at < input.len() => input[at] = random.random(),
            2 => drop(input.drain(at..until)),
            3 => input.truncate(at),
            4 => {
                let piece = input[at..until].to_vec();
                insert(&mut input, at, &piece.repeat(random.random_range(1..50)));
            }
            5 => {
                let other = any(sound, random);
                let from = random.random_range(0..=other.len());
                let to = (from + random.random_range(0..200)).min(other.len());
                insert(&mut input, at, &other[from..to]);
            }
            _ => {
                let word = WORDS[random.random_range(0..WORDS.len())];
                let times = if random.random_ratio(1, 20) { 2_000 } else { 1 };
                insert(&mut input, at, word.repeat(times).as_bytes());
            }
        }
    }
    input
}

fn any<'a>(sound: &'a [Vec<u8>], random: &mut impl Rng) -> &'a Vec<u8> {
    &sound[random.random_range(0..sound.len())]
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn any_file_is_checked_without_a_panic() {
    let mut sound = vec![targets::EVERYTHING.as_bytes().to_vec()];
    for path in quentli_gateway::source::find_files(&targets::mappings()).unwrap() {
        sound.push(std::fs::read(path).unwrap());
    }
    drive("file", targets::file, &sound);
}

#[test]
fn any_expression_is_checked_without_a_panic() {
    let sound: Vec<Vec<u8>> = targets::EVERYTHING
        .lines()
        .filter_map(|line| line.split_once("from: \"").map(|(_, rest)| rest))
        .filter_map(|rest| {
            rest.split_once('"')
                .map(|(expression, _)| expression.into())
        })
        .collect();
    assert!(sound.len() > 40, "{} expressions", sound.len());
    drive("expression", targets::expression, &sound);
}

#[test]
fn any_body_is_mapped_without_a_panic_and_always_in_the_same_way() {
    let mut sound = Vec::new();
    for path in files(&targets::mappings().join("samples")) {
        let kind = match path.extension().and_then(|ending| ending.to_str()) {
            Some("form") => 1,
            Some("xml") => 2,
            Some("json") => 0,
            _ => continue,
        };
        let body = std::fs::read(&path).unwrap();
        for mapping in 0..4 {
            sound.push([vec![kind, mapping * 4], body.clone()].concat());
        }
    }
    let others: [(u8, &str); 5] = [
        (
            4,
            "--b\r\nContent-Disposition: form-data; name=\"a[b][]\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=f; filename=\"f.json\"\r\nContent-Type: application/json\r\n\r\n{\"v\": 1}\r\n--b--\r\n",
        ),
        (5, "{\"l\": [{\"v\": 1}]}\n{\"v\": \"a\"}\n\n[1]\n"),
        (
            6,
            r#"{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "eyJ2IjogMX0="}"#,
        ),
        (
            7,
            r#"[{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"v": 1}}]"#,
        ),
        (
            2,
            "<?xml version='1.0'?><a:e xmlns:a='u' b='c'><l><v>1</v></l><l><v xsi:nil='true'/>&lt;<![CDATA[<]]></l></a:e>",
        ),
    ];
    for (kind, body) in others {
        sound.push([&[kind, 0], body.as_bytes()].concat());
    }
    drive("body", targets::body, &sound);
}

#[test]
fn any_event_is_mapped_without_a_panic_and_always_in_the_same_way() {
    let mut random = StdRng::seed_from_u64(1);
    let sound: Vec<Vec<u8>> = (0..200)
        .map(|_| {
            // An object with a list inside, so that most of it is looked at.
            let mut bytes = vec![8, 3, 0, 7, 4];
            bytes.extend((0..300).map(|_| random.random::<u8>()));
            bytes
        })
        .collect();
    drive("event", targets::event, &sound);
}

#[test]
fn every_function_of_the_language_is_fuzzed() {
    for function in Function::ALL {
        let name = function.name();
        assert!(
            targets::EVERYTHING.contains(name),
            "fuzz/everything.yaml does not use `{name}`"
        );
    }
}
