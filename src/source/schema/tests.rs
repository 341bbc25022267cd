//! The schema against files: those that are shipped, one with everything, and broken ones.

mod readers;

use std::{fs, path::PathBuf};

use jsonschema::Validator;

use super::*;
use crate::{
    diag::{Collector, Diagnostic, Severity, SourceText},
    source::{SourceFile, UnreadableSamples},
    yaml::{self, Kind, Node, ScalarStyle},
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mappings")
}

/// The shipped files, by name.
fn shipped() -> Vec<(String, String)> {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files.iter().map(read).collect()
}

fn validator() -> Validator {
    jsonschema::draft7::new(&schema()).unwrap()
}

/// A file as an editor sees it: plain scalars are typed as YAML's core schema types them.
fn as_editors_see(node: &Node) -> Value {
    match &node.kind {
        Kind::List(nodes) => nodes.iter().map(as_editors_see).collect(),
        Kind::Map(entries) => {
            let entries = entries
                .iter()
                .map(|entry| (entry.key.clone(), as_editors_see(&entry.value)));
            Value::Object(entries.collect())
        }
        Kind::Scalar(scalar) if scalar.style == ScalarStyle::Plain => match scalar.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            text => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(whole), _) => json!(whole),
                (_, Ok(number))
                    if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) =>
                {
                    json!(number)
                }
                _ => json!(text),
            },
        },
        Kind::Scalar(scalar) => json!(scalar.text),
    }
}

fn seen(text: &str) -> Value {
    let mut out = Collector::new(SourceText::new("a.yaml", text));
    let node = yaml::parse(&mut out);
    as_editors_see(&node.unwrap_or_else(|| panic!("{:?}\n{text}", out.finish())))
}

/// What the schema has against a file.
fn complaints(text: &str) -> Vec<String> {
    let (validator, file) = (validator(), seen(text));
    let errors = validator.iter_errors(&file);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// What `check` has against it.
fn found(text: &str) -> Vec<Diagnostic> {
    let none = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    SourceFile::check(
        "my-crm.yaml",
        "my-crm",
        text.to_owned(),
        &none,
        UnreadableSamples::Refuse,
    )
    .findings
    .list
}

#[test]
fn the_shipped_schema_is_what_the_command_prints() {
    let shipped = fs::read_to_string(folder().join("source.schema.json")).unwrap_or_default();
    assert!(
        shipped == text_of_schema(),
        "mappings/source.schema.json is out of date; write it with: cargo run -- schema > mappings/source.schema.json"
    );
}

#[test]
fn the_schema_is_one_of_draft_7() {
    assert!(jsonschema::draft7::meta::is_valid(&schema()));
    assert_eq!(
        schema()["$schema"],
        "http://json-schema.org/draft-07/schema#"
    );
}

#[test]
fn every_shipped_file_names_the_schema_in_its_first_line_and_fits_it() {
    let files = shipped();
    assert!(files.len() >= 5);
    for (name, text) in files {
        assert_eq!(
            text.lines().next(),
            Some("# yaml-language-server: $schema=source.schema.json"),
            "{name}"
        );
        assert_eq!(complaints(&text), [""; 0], "{name}");
    }
}

/// A file with everything that a source file can have.
const FULL: &str = include_str!("tests/full.yaml");

#[test]
fn a_file_with_everything_fits_and_has_no_mistakes() {
    assert_eq!(complaints(FULL), [""; 0]);
    let errors: Vec<Diagnostic> = found(FULL)
        .into_iter()
        .filter(|found| found.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn what_the_schema_refuses_check_refuses_too() {
    for (place, with) in [
        ("mapping: 1", "mapping: 2"),
        ("mapping: 1\n", ""),
        ("source: my-crm", "source: My CRM"),
        ("otherwise: fail\n", ""),
        ("otherwise: fail", "otherwise: ignore"),
        ("mode: live", "mode: watch"),
        ("on_conflict: drop_contact", "on_conflict: drop"),
        ("phone_region: CO", "phone_region: Colombia"),
        ("quentli: default", "quentil: default"),
        ("items: events[]", "items: [events]"),
        ("allow: [tags]", "allow: tags"),
        ("allow: [tags]", "allow: [tag]"),
        ("    encoding: hex\n", ""),
        ("    type: hmac\n", ""),
        ("    encoding: hex", "    encoding: hexadecimal"),
        ("    encoding: hex", "    encodnig: hex"),
        ("tolerance: 5m", "tolerance: 5 minutes"),
        ("\"header:X-Time\"", "X-Time"),
        ("{env: CRM_SECRET,", "{env: 'not a name',"),
        ("{env: CRM_SECRET,", "{value: hush,"),
        ("{env: CRM_SECRET,", "{env: A, file: b,"),
        ("dedup: [eventId, \"a | text\"]", "dedup: []"),
        ("handshake: none", "handshake: wave"),
        ("handshake: none", "handshake: {kind: confirm-url}"),
        ("status: 202", "status: 404"),
        ("bodies_for: 24h", "bodies_for: always"),
        ("content_type: application/json", "content_type: json"),
        ("  - {name: test, when", "  - {when"),
        ("name: everything\n", "nmae: everything\n"),
        ("on_missing: create", "on_missing: maybe"),
        ("find: [{username: id}, {email: mail | lower}]", "find: []"),
        ("{username: id}", "{username: id, email: mail}"),
        ("{from: mail | email,", "{"),
        ("{from: mail | email,", "{from: mail | email, value: x,"),
        (
            "{when: out == true, from: at | datetime}",
            "{from: at | datetime}",
        ),
        ("{key: Grado, from: grade}", "{from: grade}"),
        (
            "{key: Grado, from: grade}",
            "{key: a, key_from: b, from: grade}",
        ),
        ("      name: {template", "      nmae: {template"),
        ("required: true", "required: yes"),
        ("    event: {events: [{type: ping}]}\n", ""),
        ("    now: 2026", "    event_file: a.json\n    now: 2026"),
        ("    expect: [{drop: connection test}]", "    expect: []"),
        (
            "    expect: [{drop: connection test}]",
            "    expect: [{drop: a, fail: b}]",
        ),
        (
            "    expect: [{drop: connection test}]",
            "    expect: [{drop: a, patch: {name: b}}]",
        ),
        (
            "    expect: [{drop: connection test}]",
            "    expcet: [{drop: connection test}]",
        ),
        ("username=1: cus_1", "phone=1: cus_1"),
    ] {
        assert!(FULL.contains(place), "{place}");
        let text = FULL.replacen(place, with, 1);
        assert!(
            !complaints(&text).is_empty(),
            "the schema takes {with:?} for {place:?}"
        );
        let refused = found(&text)
            .iter()
            .any(|found| found.severity == Severity::Error);
        assert!(refused, "check takes {with:?} for {place:?}");
    }
}

#[test]
fn everything_has_a_description() {
    fn look(value: &Value, path: &str, without: &mut Vec<String>) {
        let Some(map) = value.as_object() else { return };
        for (key, inner) in map {
            if let Some(properties) = inner.as_object().filter(|_| key == "properties") {
                for (name, property) in properties {
                    // The one word of a style speaks for itself.
                    if property["description"].as_str().is_none_or(str::is_empty) && name != "style"
                    {
                        without.push(format!("{path}/{name}"));
                    }
                }
            }
            look(inner, &format!("{path}/{key}"), without);
        }
    }
    let mut without = Vec::new();
    look(&schema(), "", &mut without);
    assert_eq!(without, [""; 0]);
}
