//! The order of system calls under 64 connections: an answer is written only after a sync that began after the
//! event's bytes were written, and that ended well.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader},
    panic::catch_unwind,
};

use tokio::task::JoinSet;

use crate::{
    can_trace, setup,
    support::school::{School, event_of},
};

const CONNECTIONS: u32 = 64;
const EVENTS_EACH: u32 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_written_before_the_sync_that_covers_it() {
    if !can_trace("no_answer_is_written_before_the_sync_that_covers_it") {
        return;
    }
    let setup = setup();
    let trace = setup.folder().join("trace");
    // A page of the database has 8 KB: with all of it in the trace, an event is found by its text.
    let setup = setup.wrapped(&[
        "strace",
        "-f",
        "-s",
        "9000",
        "-e",
        "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,fsync,fdatasync",
        "-e",
        "signal=none",
        "-o",
        trace.to_str().unwrap(),
    ]);
    let gateway = setup.start();
    let school = School::new();
    let mut senders = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (school, url) = (school.clone(), gateway.url());
        senders.spawn(async move {
            let mut answered = Vec::new();
            for number in 0..EVENTS_EACH {
                let marker = format!("MARK{connection:03}x{number:03}END");
                let customer = format!("cus_{connection}");
                let answer = school
                    .rename(&url, &marker, &customer, &marker)
                    .await
                    .unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                answered.push((event_of(&answer), marker));
            }
            answered
        });
    }
    let mut markers = HashMap::new();
    while let Some(answered) = senders.join_next().await {
        markers.extend(answered.unwrap());
    }
    gateway.kill();
    let seen = check(
        BufReader::new(std::fs::File::open(&trace).unwrap()),
        &markers,
    );
    assert_eq!(seen.answers, markers.len(), "every answer is in the trace");
    assert!(
        seen.syncs > 0 && seen.syncs < markers.len(),
        "commits are shared: {} syncs for {} answers",
        seen.syncs,
        seen.answers
    );
    eprintln!(
        "{} answers, {} syncs, none too early",
        seen.answers, seen.syncs
    );
}

struct Seen {
    answers: usize,
    syncs: usize,
}

/// Reads a trace line by line, in the order in which the calls were observed.
fn check(trace: impl BufRead, markers: &HashMap<i64, String>) -> Seen {
    let mut written: HashSet<String> = HashSet::new();
    let mut durable: HashSet<String> = HashSet::new();
    // What was written before a sync began, by the thread that syncs.
    let mut syncing: HashMap<String, Vec<String>> = HashMap::new();
    let mut seen = Seen {
        answers: 0,
        syncs: 0,
    };
    for line in trace.lines() {
        let line = line.unwrap();
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        if call.starts_with("pwrite64(") || call.starts_with("pwritev(") {
            written.extend(markers_in(call));
        } else if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            let covered: Vec<String> = written.drain().collect();
            if call.contains("<unfinished") {
                syncing.insert(thread.to_owned(), covered);
            } else {
                assert!(call.contains("= 0"), "a sync failed: {call}");
                durable.extend(covered);
                seen.syncs += 1;
            }
        } else if call.starts_with("<... fsync resumed")
            || call.starts_with("<... fdatasync resumed")
        {
            assert!(call.contains("= 0"), "a sync failed: {call}");
            durable.extend(syncing.remove(thread).unwrap_or_default());
            seen.syncs += 1;
        } else if let Some(event) = answered_event(call) {
            let marker = &markers[&event];
            assert!(
                durable.contains(marker),
                "event {event} ({marker}) was answered before it was durable"
            );
            seen.answers += 1;
        }
    }
    seen
}

fn markers_in(call: &str) -> Vec<String> {
    let pieces = call
        .split("MARK")
        .skip(1)
        .filter_map(|piece| piece.get(..10));
    let whole = pieces.filter(|piece| piece.ends_with("END"));
    whole.map(|piece| format!("MARK{piece}")).collect()
}

/// The event that a written answer acknowledges.
fn answered_event(call: &str) -> Option<i64> {
    let writes = ["write(", "writev(", "sendto(", "sendmsg("];
    if !writes.iter().any(|name| call.starts_with(name)) || !call.contains("HTTP/1.1 200") {
        return None;
    }
    let (_, rest) = call.split_once("\\\"event\\\":")?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[test]
fn the_check_itself_notices_an_answer_that_is_too_early() {
    let markers: HashMap<i64, String> = [(7, "MARK001x001END".to_owned())].into();
    let write = "10 pwrite64(9, \"..MARK001x001END..\", 8192, 0) = 8192\n";
    let begin = "10 fdatasync(9 <unfinished ...>\n";
    let end = "10 <... fdatasync resumed>) = 0\n";
    let answer = "11 writev(5, [{iov_base=\"HTTP/1.1 200 OK\\r\\n{\\\"event\\\":7}\"}], 1) = 9\n";
    let good = format!("{write}{begin}{end}{answer}");
    assert_eq!(check(good.as_bytes(), &markers).answers, 1);
    let early = format!("{write}{begin}{answer}{end}");
    assert!(catch_unwind(|| check(early.as_bytes(), &markers)).is_err());
    let uncovered = format!("{begin}{write}{end}{answer}");
    assert!(catch_unwind(|| check(uncovered.as_bytes(), &markers)).is_err());
}
