//! The command `send --rate`: whole files of events, against a gateway that runs.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use quentli_gateway::sandbox::{Running, Sandbox, Settings};
use serde_json::{Value, json};

use crate::support::{
    executable::{Gateway, Setup},
    school::{SECRET, SECRET_VARIABLE, SOURCE_FILE},
};

struct World {
    sandbox: Sandbox,
    _quentli: Running,
    setup: Setup,
    gateway: Gateway,
    customer: String,
}

impl World {
    async fn new() -> Self {
        let sandbox = Sandbox::new(Settings::default());
        let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let customer = sandbox.add(&json!({"name": "0"})).unwrap();
        let setup = Setup::new(&quentli.url())
            .source("school", SOURCE_FILE)
            .variable(SECRET_VARIABLE, SECRET);
        let gateway = setup.start();
        Self {
            sandbox,
            _quentli: quentli,
            setup,
            gateway,
            customer,
        }
    }

    fn event(&self, name: &str) -> Value {
        json!({"type": "contact.updated", "contact": {"quentliId": self.customer, "name": name}})
    }

    fn lines(&self, names: std::ops::Range<u32>) -> String {
        let lines: Vec<String> = names
            .map(|name| self.event(&name.to_string()).to_string() + "\n")
            .collect();
        lines.concat()
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.setup.folder().join(file), text).unwrap();
    }

    fn command(&self, file: &str, more: &[&str]) -> Command {
        let url = self.gateway.url().to_string();
        let arguments = ["send", "--source", "school", "--file", file, "--url", &url];
        self.setup.command(&[&arguments, more].concat())
    }

    /// How it ended, and what stood on standard output and on standard error.
    fn send(&self, file: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let output = self
            .command(file, more)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn names_sent(&self) -> Vec<String> {
        let changes = self.sandbox.exchanges().into_iter();
        let changes = changes.filter(|exchange| exchange.method == "PATCH");
        let name = |body: &[u8]| {
            let body: Value = serde_json::from_slice(body).unwrap();
            body["input"]["data"]["name"].as_str().unwrap().to_owned()
        };
        changes.map(|exchange| name(&exchange.request)).collect()
    }
}

/// A summary without how long it took.
fn summary(text: &str) -> String {
    let (events, rest) = text.split_once(" in ").unwrap();
    let (_, rest) = rest.split_once(':').unwrap();
    format!("{events}:{}", rest.trim_end())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_sent_line_by_line_and_once_more_changes_nothing() {
    let world = World::new().await;
    let text = format!("{}\nnot json\n{}", world.lines(0..30), world.lines(29..31));
    world.write("all.ndjson", &text);
    let (code, said, notes) = world.send(
        "all.ndjson",
        &["--rate", "500/s", "--failed", "failed.ndjson"],
    );
    assert_eq!(code, Some(1), "{notes}");
    assert_eq!(
        summary(&said),
        "33 events: 31 accepted (31 items), 1 duplicate, 1 refused"
    );
    assert_eq!(
        notes,
        "line 32: not JSON: expected ident at line 1 column 2\n"
    );
    let failed = std::fs::read_to_string(world.setup.folder().join("failed.ndjson")).unwrap();
    assert_eq!(failed, "not json\n");
    world.gateway.settled().await;
    let names: Vec<String> = (0..31).map(|name| name.to_string()).collect();
    let sent: Vec<String> = world.names_sent();
    // What the customer has already is not sent, and what waited may be merged; the order is that of the file.
    assert!(
        is_part_of(&sent, &names) && sent.last() == names.last(),
        "{sent:?}"
    );

    let (code, said, notes) = world.send("all.ndjson", &["--rate", "500/s", "--from-line", "33"]);
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    assert_eq!(
        summary(&said),
        "2 events: 0 accepted (0 items), 2 duplicate, 0 refused"
    );
    let (code, _, notes) = world.send(
        "all.ndjson",
        &["--rate", "1/s", "--failed", "failed.ndjson"],
    );
    assert_eq!(code, Some(69));
    assert!(notes.contains("failed.ndjson cannot be made"), "{notes}");
    crate::fits_the_schema(&world.sandbox);
}

/// Whether all of `some` stand in `all`, in that order.
fn is_part_of(some: &[String], all: &[String]) -> bool {
    let mut rest = all.iter();
    some.iter().all(|one| rest.any(|other| other == one))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_and_standard_input_are_sent_too() {
    let world = World::new().await;
    let events: Vec<Value> = (0..3).map(|name| world.event(&name.to_string())).collect();
    world.write("all.json", &serde_json::to_string_pretty(&events).unwrap());
    let (code, said, notes) = world.send("all.json", &["--rate", "100/s"]);
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    assert_eq!(
        summary(&said),
        "3 events: 3 accepted (3 items), 0 duplicate, 0 refused"
    );

    let mut child = world
        .command("-", &["--rate", "6000/m"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(world.lines(5..9).as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        summary(&said),
        "4 events: 4 accepted (4 items), 0 duplicate, 0 refused"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_interrupted_says_where_to_go_on_and_leaves_no_gap() {
    let world = World::new().await;
    world.write("all.ndjson", &world.lines(0..200));
    let mut child = world
        .command("all.ndjson", &["--rate", "20/s"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    crate::support::until("some events to arrive", async || {
        let accepted = world.gateway.status().await["store"]["totals"]["accepted"].clone();
        if accepted.as_u64() > Some(3) {
            Ok(())
        } else {
            Err(accepted)
        }
    })
    .await;
    let done = Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status();
    assert!(done.unwrap().success());
    let notes: Vec<String> = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .collect();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{notes:?}");
    let go_on = notes.last().unwrap().rsplit_once("--from-line ").unwrap().1;
    let go_on: u64 = go_on.trim_end_matches('`').parse().unwrap();
    assert!((4..200).contains(&go_on), "{notes:?}");

    let from = go_on.to_string();
    let (code, said, notes) = world.send("all.ndjson", &["--rate", "1000/s", "--from-line", &from]);
    assert_eq!(code, Some(0), "{said}{notes}");
    let totals = world.gateway.settled().await;
    assert_eq!(totals["accepted"], 200);
    assert_eq!(world.names_sent().last().map(String::as_str), Some("199"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_away_ends_the_load_and_wrong_usage_is_told() {
    let mut setup = Setup::new("http://127.0.0.1:9").source("school", SOURCE_FILE);
    setup = setup.variable(SECRET_VARIABLE, SECRET);
    std::fs::write(setup.folder().join("all.ndjson"), "{}\n{}\n").unwrap();
    let run = |more: &[&str]| {
        let first = ["send", "--source", "school", "--url", "http://127.0.0.1:9"];
        let output = setup.run(&[&first, more].concat());
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, said) = run(&["--file", "all.ndjson", "--rate", "9/s", "--retry-for", "0s"]);
    assert_eq!(code, Some(69), "{said}");
    assert!(
        said.contains("no answer from") && said.contains("go on with `--from-line 1`"),
        "{said}"
    );
    for (more, code, expected) in [
        (
            &["--file", "none.ndjson", "--rate", "9/s"][..],
            69,
            "none.ndjson cannot be read",
        ),
        (
            &["--file", "all.ndjson", "--rate", "9"],
            64,
            "such as `20/s`",
        ),
        (
            &["--file", "all.ndjson", "--rate", "9/s", "--id", "x"],
            64,
            "cannot be used with",
        ),
        (&["--file", "all.ndjson", "--failed", "x"], 64, "--rate"),
    ] {
        let (ended, said) = run(more);
        assert_eq!(ended, Some(code), "{more:?}: {said}");
        assert!(said.contains(expected), "{more:?}: {said}");
    }
}
