//! What is fuzzed: each target takes any bytes and panics only where a promise is broken.
//!
//! | target | reads | promise |
//! | --- | --- | --- |
//! | [`file`] | a source file | checking it never panics, every finding can be shown, what passes can map |
//! | [`expression`] | one expression inside a sound file | the same |
//! | [`body`] | a request's body, of any content type | mapping never panics, and gives the same for the same body |
//! | [`event`] | a JSON event whose keys the mapping asks for | the same, for every function of the language |

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each target is a program of its own, which uses a part of this"
)]

use std::{
    io,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use jiff::Timestamp;
use quentli_gateway::{
    diag::{Style, render_json, render_lines, render_report},
    mapping::{Input, Mapping, UnreadableSamples},
    source::SourceFile,
};
use serde_json::{Map, Value};

/// A file that uses every function of the language, each on values that any event may have.
pub(crate) const EVERYTHING: &str = include_str!("everything.yaml");

/// Where an expression is put: in quotes, as JSON writes them, which YAML reads in the same way.
const FRAME: &str = "mapping: 1
source: fuzz
receive: {verify: github, secrets: [{env: SECRET}]}
otherwise: drop
tables: {table: {a: b}}
rules:
  - name: r
    each: l[]
    customer: {id: v}
    set:
      metadata:
        k: {from: EXPRESSION, on_error: skip}
tests:
  - {name: t, event: {l: []}, expect: [{drop: nothing selected}]}
";

/// What a body may be said to be.
pub(crate) const CONTENT_TYPES: [&str; 12] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "text/xml",
    "application/soap+xml; charset=iso-8859-1",
    "multipart/form-data; boundary=b",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/json; charset=utf-16le",
    "application/x-www-form-urlencoded; charset=windows-1252",
    "text/plain",
    "application/octet-stream",
];

static EVERYTHING_COMPILED: LazyLock<Mapping> =
    LazyLock::new(|| compiled("everything", EVERYTHING, Path::new("")));

/// The mappings that come with the gateway.
static SHIPPED: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let folder = mappings();
    let files = quentli_gateway::source::find_files(&folder).expect("the folder is there");
    files
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file).expect("the file can be read");
            let stem = file.file_stem().and_then(|stem| stem.to_str());
            compiled(stem.expect("the file has a name"), &text, &folder)
        })
        .collect()
});

/// The folder of the mappings that come with the gateway.
pub(crate) fn mappings() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = package.join("mappings");
    if here.is_dir() {
        here
    } else {
        package.join("../mappings")
    }
}

fn compiled(name: &str, text: &str, folder: &Path) -> Mapping {
    let read = |sample: &str| std::fs::read(folder.join(sample));
    let shown = format!("{name}.yaml");
    let file = SourceFile::check(
        &shown,
        name,
        text.to_owned(),
        &read,
        UnreadableSamples::Refuse,
    );
    match file.checked {
        Some(checked) => checked.into_mapping(),
        None => panic!("{}", render_report(&file.findings, Style::Plain)),
    }
}

/// A source file.
pub(crate) fn file(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text.to_owned());
    }
}

/// An expression.
pub(crate) fn expression(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        check(FRAME.replace("EXPRESSION", &Value::from(text).to_string()));
    }
}

fn check(text: String) {
    let no_samples = |_: &str| Err(io::Error::from(io::ErrorKind::NotFound));
    let file = SourceFile::check(
        "fuzz.yaml",
        "fuzz",
        text,
        &no_samples,
        UnreadableSamples::Warn,
    );
    let findings = [file.findings];
    for style in [Style::Plain, Style::Coloured] {
        for findings in &findings {
            let shown = render_report(findings, style);
            assert_eq!(shown.is_empty(), render_lines(findings).is_empty());
        }
    }
    assert!(render_json(&findings).is_array());
    let [findings] = &findings;
    assert_eq!(file.checked.is_some(), !findings.has_errors());
    if let Some(checked) = &file.checked {
        let body = br#"{"l": [{"v": "cus_1", "w": 2, "n": null, "l": [{"v": "a"}]}, {"v": 1}, 2]}"#;
        maps_the_same_again(checked.mapping(), CONTENT_TYPES[0], body);
    }
}

/// A body: the first byte chooses its content type, the second the mapping.
pub(crate) fn body(data: &[u8]) {
    let [content_type, mapping, body @ ..] = data else {
        return;
    };
    let content_type = CONTENT_TYPES[usize::from(*content_type) % CONTENT_TYPES.len()];
    let mapping = &SHIPPED[usize::from(*mapping) % SHIPPED.len()];
    maps_the_same_again(mapping, content_type, body);
    maps_the_same_again(&EVERYTHING_COMPILED, content_type, body);
}

/// An event: the bytes say what it is made of.
pub(crate) fn event(data: &[u8]) {
    let mut bytes = data.iter().copied();
    let event = value(&mut bytes, 0).to_string();
    maps_the_same_again(&EVERYTHING_COMPILED, CONTENT_TYPES[0], event.as_bytes());
}

fn value(bytes: &mut impl Iterator<Item = u8>, depth: usize) -> Value {
    const KEYS: [&str; 8] = ["l", "v", "w", "n", "mail", "id", "order", "k"];
    const TEXTS: [&str; 19] = [
        "",
        " ",
        "a",
        "1",
        "cus_1",
        "ana@example.com",
        "55 1234 5678",
        "+57 321 1234567",
        "2025-01-15T04:30:00",
        "15/01/2025 4:30 p. m.",
        "/Date(1736937000123)/",
        "1,234.50",
        "PÉREZ GARCÍA, ANA",
        "sí",
        "BOXW310820HNERXN09",
        "GODE561231GR8",
        "15 de enero de 2026, 4:30 p. m.",
        "ñ\u{301}\u{200b}\u{a0}",
        "1736937000",
    ];
    let mut next = || bytes.next().unwrap_or_default();
    let (kind, detail) = (next(), next());
    match kind % 9 {
        1 => Value::from(detail % 2 == 0),
        2 => Value::from(i64::from(detail) - 100),
        3 => Value::from(f64::from(detail) * 1e9 + 0.25),
        4 | 5 => Value::from(TEXTS[usize::from(detail) % TEXTS.len()]),
        6 => Value::from(char::from(detail).to_string().repeat(usize::from(next()))),
        7 if depth < 6 => (0..detail % 5).map(|_| value(bytes, depth + 1)).collect(),
        8 if depth < 6 => {
            let mut entries = Map::new();
            for _ in 0..detail % 7 {
                let key = KEYS[usize::from(bytes.next().unwrap_or_default()) % KEYS.len()];
                entries.insert(key.to_owned(), value(bytes, depth + 1));
            }
            Value::Object(entries)
        }
        _ => Value::Null,
    }
}

fn maps_the_same_again(mapping: &Mapping, content_type: &str, body: &[u8]) {
    let input = Input {
        body,
        content_type: Some(content_type),
        headers: &[],
        now: Timestamp::UNIX_EPOCH,
    };
    let mapped = mapping.map(&input);
    assert!(!mapped.items.is_empty(), "an event has an item");
    for item in &mapped.items {
        assert!(!item.outcomes.is_empty(), "an item has an outcome");
    }
    assert_eq!(mapped, mapping.map(&input));
    if let Some(briefly) = mapping.map_briefly(&input) {
        assert_eq!(mapped, briefly);
    }
}
