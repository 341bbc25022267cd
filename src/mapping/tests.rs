//! Tests of the language as a whole: files in, updates or diagnostics out.

mod body;
mod create;
mod diagnostics;
mod document;
mod examples;
mod explain;
mod expressions;
mod fields;
mod functions;
mod headers;
mod keys;
mod properties;
mod rules;
mod samples;
mod values;

use super::{
    evaluate::{Run, Scope, evaluate},
    transform::datetime,
    value::Value,
    *,
};
use crate::{customer::Patch, diag::render_lines, event::ItemOutcome, yaml};

/// An event with a value of every kind.
const FAMILY: &str = r#"{
    "s": "x", "n": 5, "d": 8450.00, "t": true, "nil": null, "e": "", "sp": " \u00a0", "l": ["a", "b", null, "b"],
    "el": [], "o": {"k": "v", "tipo de plan": "anual", "dup": 1, "dup": 2},
    "phones": [{"type": "home", "number": "1"}, {"type": "mobile", "number": "2"}, {"type": "mobile", "number": "3"}],
    "grid": [{"row": [1, 2]}, {"row": [3]}, {}]
}"#;

fn no_samples(_: &str) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::NotFound.into())
}

/// The compiled file with all that was said about it, one line each.
fn read(text: &str) -> (Option<Mapping>, Vec<String>) {
    read_with(text, &[])
}

fn read_with(text: &str, dedup: &[(String, Span)]) -> (Option<Mapping>, Vec<String>) {
    read_by(text, &CompileOptions { dedup, ..options() })
}

fn options() -> CompileOptions<'static> {
    CompileOptions {
        also_known: &["receive", "quentli", "mode", "on_conflict"],
        dedup: &[],
        read_sample: &no_samples,
        unreadable_samples: UnreadableSamples::Refuse,
        secret_headers: &[],
    }
}

fn read_by(text: &str, options: &CompileOptions<'_>) -> (Option<Mapping>, Vec<String>) {
    let mut out = Collector::new(SourceText::new("m.yaml", text));
    let mapping = yaml::parse(&mut out).and_then(|root| compile(&root, options, &mut out).mapping);
    let findings = out.finish();
    assert_eq!(mapping.is_none(), findings.has_errors(), "{text}");
    (mapping, render_lines(&findings))
}

/// A file that must compile without errors.
pub(super) fn compiled(text: &str) -> Mapping {
    let (mapping, lines) = read(text);
    mapping.unwrap_or_else(|| panic!("{}\n{text}", lines.join("\n")))
}

/// A file with these keys at its top and this rule body, and a test that passes whatever the rule does.
fn file(top: &str, rule: &str) -> String {
    let lines = indented(rule, "    ");
    let allow = if rule.contains("tags:") {
        "allow: [tags]"
    } else {
        ""
    };
    let item = "{skipped: true}";
    let event = match top.strip_prefix("items: ") {
        None => item.to_owned(),
        Some("$[]") => format!("[{item}]"),
        Some(path) => {
            let names = path.trim_start_matches("$.").trim_end_matches("[]");
            let list = format!("[{item}]");
            names
                .rsplit('.')
                .fold(list, |inner, name| format!("{{{name}: {inner}}}"))
        }
    };
    format!(
        "mapping: 1\nsource: s\notherwise: drop\n{allow}\n{top}\nrules:\n  - name: skipped\n    when: skipped == true\n    drop: skipped\n  - name: r\n{lines}tests:\n  - name: t\n    event: {event}\n    expect: [{{drop: skipped}}]\n"
    )
}

/// The lines of a text, each moved to the right.
fn indented(text: &str, by: &str) -> String {
    let lines = text.lines().flat_map(|line| [by, line, "\n"]);
    lines.collect()
}

/// The mapping of one rule that sets these fields of customer `c`.
fn setting(top: &str, set: &str) -> String {
    let set = indented(set, "  ");
    file(top, &format!("customer: {{id: \"'c'\"}}\nset:\n{set}"))
}

fn now() -> Timestamp {
    "2026-01-15T10:00:00Z".parse().unwrap()
}

fn mapped(mapping: &Mapping, body: &str) -> Vec<ItemOutcome> {
    mapping
        .map(&Input {
            body: body.as_bytes(),
            content_type: Some("application/json; charset=utf-8"),
            headers: &[],
            now: now(),
        })
        .items
        .into_iter()
        .flat_map(|item| item.outcomes)
        .collect()
}

/// An outcome in one line.
fn shown(outcome: &ItemOutcome) -> String {
    match outcome {
        ItemOutcome::Update(update) => {
            let mut shown = vec![json(&update.patch)];
            shown.extend(update.warnings.iter().map(|warning| format!("[{warning}]")));
            shown.join(" ")
        }
        ItemOutcome::Drop { reason, .. } => format!("drop: {reason}"),
        ItemOutcome::Fail(failure) => format!("fail: {}", failure.reason),
    }
}

fn json(patch: &Patch) -> String {
    serde_json::to_string(patch).unwrap()
}

/// What a file makes of an event, outcomes separated by ` ; `.
fn result(mapping: &Mapping, body: &str) -> String {
    let outcomes: Vec<String> = mapped(mapping, body).iter().map(shown).collect();
    outcomes.join(" ; ")
}

/// What these fields become on this event.
fn set(fields: &str, body: &str) -> String {
    result(&compiled(&setting("", fields)), body)
}

/// The text of an expression, by way of a metadata key.
fn text_of(top: &str, expression: &str, body: &str) -> String {
    let quoted = expression.replace('\'', "''");
    let fields = format!("metadata:\n  k:\n    from: '{quoted}'\n    on_blank: keep");
    let shown = result(&compiled(&setting(top, &fields)), body);
    match shown
        .strip_prefix("{\"metadata\":[{\"key\":\"k\",\"value\":")
        .and_then(|rest| rest.strip_suffix("}]}"))
    {
        Some(value) => value.to_owned(),
        None if shown == "drop: nothing to change" => "absent".to_owned(),
        None => shown
            .strip_prefix("fail: metadata.k: ")
            .map_or(shown.clone(), |reason| format!("error: {reason}")),
    }
}

/// What an expression gives on an event with the header `X-Topic: contact.updated`, of whatever type; see [`written`].
fn evaluated(top: &str, expression: &str, body: &str) -> String {
    let dedup = [(expression.to_owned(), Span::new(0, 1))];
    let (mapping, lines) = read_with(&file(top, "drop: x"), &dedup);
    let mapping = mapping.unwrap_or_else(|| panic!("{expression}: {}", lines.join("\n")));
    let body = tree::read_json(body.as_bytes()).unwrap();
    let headers = [("x-topic".to_owned(), "contact.updated".to_owned())];
    let run = Run::new(&body, &headers, &mapping.tables);
    match evaluate(&mapping.dedup[0], &Scope::item(&run, Value::of_tree(&body))) {
        Ok(value) => written(&value),
        Err(fault) => fault.to_string(),
    }
}

/// A value as `docs/MAPPING.md` writes it: a text as it is, `['a', 'b']`, `nothing`.
fn written(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) | Value::Number(text) => text.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::DateTime(time) => datetime::written(*time),
        list if list.is_list() => {
            let shown: Vec<String> = list
                .clone()
                .elements()
                .unwrap()
                .iter()
                .map(|element| match element {
                    Value::Text(text) => format!("'{text}'"),
                    other => written(other),
                })
                .collect();
            format!("[{}]", shown.join(", "))
        }
        other => other.kind().to_owned(),
    }
}

/// Whether a condition holds.
fn holds(condition: &str, body: &str) -> bool {
    let quoted = condition.replace('\'', "''");
    let mapping = compiled(&setting(
        "",
        &format!("name:\n  when: '{quoted}'\n  value: x"),
    ));
    match result(&mapping, body).as_str() {
        "{\"name\":\"x\"}" => true,
        "drop: nothing to change" => false,
        other => panic!("{condition} on {body}: {other}"),
    }
}

#[test]
fn a_mapping_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Mapping>();
}

#[test]
fn a_mapping_says_what_it_is() {
    let text = setting("", "name: n");
    let mapping = compiled(&text);
    assert_eq!(mapping.name().as_str(), "s");
    assert_eq!(mapping.hash(), MappingHash::of(text.as_bytes()));
    assert_eq!(mapping.rules().collect::<Vec<_>>(), ["skipped", "r"]);
    assert!(mapping.run_tests().has_passed());
    assert_eq!(mapping.file().name(), "m.yaml");
}
