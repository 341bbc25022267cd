//! Every finding that `check` can have, as a person reads it: all on one page, in `snapshots/`.
//!
//! A case is a good file with one passage changed. Its findings of the named code are shown; whatever else the change
//! brings along is left to the cases of other codes.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::super::{SourceFile, UnreadableSamples};
use crate::diag::{Findings, Style, render_json, render_lines, render_report};

const GOOD: &str = "mapping: 1
source: crm
receive:
  verify:
    type: hmac
    signature_header: X-Signature
    encoding: hex
  secrets: [{env: CRM_SECRET}]
  dedup: body
otherwise: drop
tables:
  level: {PRI: Primaria, SEC: Secundaria}
rules:
  - name: connection test
    when: type == 'ping'
    drop: connection test
  - name: contact changed
    when: type == 'contact.updated'
    customer:
      id: contact.quentliId
      find:
        - username: contact.number
      on_missing: fail
    set:
      name: contact.name | squeeze | title
      phoneNumber: contact.phone | phone
      metadata:
        Nivel: contact.level | lookup(level)
tests:
  - name: pings are dropped
    event: {type: ping}
    expect:
      - drop: connection test
  - name: the usual case
    event: {type: contact.updated, contact: {quentliId: cus_1, number: 7, name: ANA, phone: 5512345678, level: PRI}}
    expect:
      - customer: cus_1
        patch: {name: Ana, phoneNumber: \"+525512345678\", metadata: [{key: Nivel, value: Primaria}]}
";

/// A code, lines of the good file, and what stands there instead.
const CASES: &str = include_str!("gallery/cases.txt");

fn check(text: String) -> Findings {
    let no_samples = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    SourceFile::check(
        "crm.yaml",
        "crm",
        text,
        &no_samples,
        UnreadableSamples::Refuse,
    )
    .findings
}

/// The findings of a code in a report.
fn of_code<'a>(code: &str, report: &'a str) -> Vec<&'a str> {
    let mark = format!("[{code}]: ");
    report
        .split("\n\n")
        .filter(|finding| {
            finding
                .lines()
                .next()
                .is_some_and(|line| line.contains(&mark))
        })
        .collect()
}

/// Findings that no change of the good file brings about.
fn others() -> Vec<(&'static str, Findings)> {
    let read = |path: &str| SourceFile::read(Path::new(path), UnreadableSamples::Refuse).findings;
    let deep = format!("mapping: {}{}", "[".repeat(70), "]".repeat(70));
    let nested = format!("when: {}type{}", "(".repeat(40), ")".repeat(40));
    let rules: Vec<String> = (0..210)
        .map(|number| format!("  - {{name: r{number}, when: a, drop: x}}\n"))
        .collect();
    let rules = rules.concat();
    vec![
        ("recv/source-name", read("crm.yml")),
        ("recv/unreadable", read("no-such-folder/crm.yaml")),
        ("yaml/limit", check(deep)),
        ("yaml/limit", check(" ".repeat(2 << 20))),
        (
            "map/limit",
            check(GOOD.replace("when: type == 'ping'", &nested)),
        ),
        (
            "map/limit",
            check(GOOD.replace("rules:\n", &format!("rules:\n{rules}"))),
        ),
    ]
}

/// The code of a case, and the file that it changes.
fn changed(case: &str) -> (&str, String) {
    let (code, lines) = case.split_once('\n').unwrap();
    let passage = |sign: char| -> String {
        let marked = lines.lines().filter_map(|line| line.strip_prefix(sign));
        marked.flat_map(|line| ["\n", line]).collect()
    };
    let (from, to) = (passage('-'), passage('+'));
    let good = format!("\n{GOOD}");
    let place = format!("{from}\n");
    assert_eq!(good.matches(&place).count(), 1, "not one passage: {case}");
    let text = good.replace(&place, &format!("{to}\n"));
    (code, text.strip_prefix('\n').unwrap().to_owned())
}

#[test]
fn every_finding_is_shown_as_a_person_reads_it() {
    let good = check(GOOD.to_owned());
    assert_eq!(render_report(&good, Style::Plain), "");
    let cases = CASES.trim().split("\n\n").map(|case| {
        let (code, text) = changed(case);
        (code, check(text), case)
    });
    let others = others()
        .into_iter()
        .map(|(code, findings)| (code, findings, code));
    let mut page = String::new();
    let mut codes = BTreeSet::new();
    for (code, findings, case) in cases.chain(others) {
        let said = render_report(&findings, Style::Plain);
        let shown = of_code(code, &said);
        assert!(!shown.is_empty(), "without the finding: {case}\n{said}");
        writeln!(page, "{}\n", shown.join("\n\n")).unwrap();
        codes.insert(code.to_owned());
    }
    let missing: Vec<String> = all_codes().difference(&codes).cloned().collect();
    assert!(missing.is_empty(), "codes without a case: {missing:?}");
    insta::assert_snapshot!("gallery", page);
}

#[test]
fn a_secret_under_a_wrong_key_is_not_shown() {
    const SECRET: &str = "not-a-real-secret";
    let verify =
        "  verify:\n    type: hmac\n    signature_header: X-Signature\n    encoding: hex\n";
    let secrets = "  secrets: [{env: CRM_SECRET}]\n";
    for (from, to) in [
        (secrets, "  secret: not-a-real-secret\n"),
        (secrets, "  secret:\n    not-a-real-secret\n"),
        (secrets, "  secret: [{value: not-a-real-secret}]\n"),
        (
            secrets,
            "  secrets: [{env: CRM_SECRET, value: not-a-real-secret}]\n",
        ),
        (
            secrets,
            "  secrets: [{evn: CRM_SECRET, vale: not-a-real-secret}]\n",
        ),
        (secrets, "  verify_token: not-a-real-secret\n"),
        (
            secrets,
            "  handshake: {kind: no-such, verify_token: not-a-real-secret}\n",
        ),
        (secrets, "  handshake: {verify_token: not-a-real-secret}\n"),
        (
            verify,
            "  verify: {type: token, header: X-Token, token: not-a-real-secret}\n",
        ),
        (verify, "  verify: {type: hmca, token: not-a-real-secret}\n"),
        (verify, "  verify: {token: not-a-real-secret}\n"),
        (verify, "  verify:\n    token: not-a-real-secret\n"),
        (
            verify,
            "  verify: {type: hmac, signature_hedaer: [x], secret: not-a-real-secret}\n",
        ),
    ] {
        assert!(GOOD.contains(from));
        let findings = check(GOOD.replace(from, to));
        let said = render_report(&findings, Style::Plain);
        assert!(findings.has_errors() && said.contains("crm.yaml:"), "{to}");
        let lines = render_lines(&findings).join("\n");
        let json = render_json(&[findings]).to_string();
        for said in [said, lines, json] {
            assert!(!said.contains(SECRET), "{to}\n{said}");
        }
    }
    let receive =
        "receive: {verify: github, dedpu: body, secrets: [not-a-real-secret], answer: [x]}\n";
    let (before, rest) = GOOD.split_once("receive:").unwrap();
    let (_, after) = rest.split_once("otherwise:").unwrap();
    let text = [before, receive, "otherwise:", after].concat();
    let said = render_report(&check(text), Style::Plain);
    assert!(
        said.contains("`dedpu`") && said.contains("did you mean `dedup`?"),
        "{said}"
    );
    assert!(!said.contains(SECRET), "{said}");
}

/// Every code of a source file's findings that the program's text names.
fn all_codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let words = text.split('"').filter(|word| {
                    word.split_once('/').is_some_and(|(area, name)| {
                        matches!(area, "yaml" | "recv" | "map")
                            && !name.is_empty()
                            && name
                                .bytes()
                                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                    })
                });
                codes.extend(words.map(str::to_owned));
            }
        }
    }
    assert!(codes.len() > 40, "{codes:?}");
    codes
}
