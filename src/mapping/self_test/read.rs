//! Reads the tests of a file. What stands under `event` and `expect` is plain data, never an expression.

use std::str::FromStr;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Expectation, Expected, Found, Test, Tests, error,
    request::{self, Event, write_plain},
};
use crate::{
    diag::Collector,
    mapping::{CompileOptions, codes, compile::KEYS},
    yaml::{KeyCodes, KeyReader, Kind, Node},
};

const TEST_KEYS: KeyCodes = KeyCodes {
    shape: codes::TEST_FORM,
    ..KEYS
};

/// The tests of a file; those that cannot be read are reported and left out.
pub(in crate::mapping) fn read(
    node: &Node,
    options: &CompileOptions<'_>,
    out: &mut Collector,
) -> Tests {
    let mut tests = Tests::default();
    let Some(nodes) = node.as_list().filter(|nodes| !nodes.is_empty()) else {
        error(
            out,
            node.span,
            "a mapping file has at least one test",
            "write `- name: …` with `event` and `expect` below `tests`",
        );
        return tests;
    };
    for node in nodes {
        read_test(node, options, &mut tests, out);
    }
    tests
}

/// Adds a test to the others; `None` where it is not one, which has been reported.
fn read_test(
    node: &Node,
    options: &CompileOptions<'_>,
    tests: &mut Tests,
    out: &mut Collector,
) -> Option<()> {
    let mut keys = KeyReader::new(node, "a test", TEST_KEYS, out)?;
    let name = keys.require_text("name", out);
    let event = request::read(&mut keys, node, options, out);
    let found = keys.take("found");
    let now = keys.take_text("now", out);
    let expect = keys.require("expect", out);
    keys.finish(out);

    let found = match found {
        Some(entry) => read_found(&entry.value, out),
        None => Some(Vec::new()),
    };
    let now = match now {
        // Nothing lies in the future, unless the test says when it is.
        None => Some(Timestamp::MAX),
        Some((text, node)) => {
            let now = Timestamp::from_str(text).ok();
            if now.is_none() {
                error(
                    out,
                    node.span,
                    "`now` is not a time",
                    "write it as 2025-01-15T10:30:00Z",
                );
            }
            now
        }
    };
    let expect = expect.and_then(|entry| read_expectations(&entry.value, out));
    let (name, name_node) = name?;
    let (found, now, expect) = (found?, now?, expect?);
    match event? {
        Event::Unreadable => tests.not_run += 1,
        Event::Read(request) => tests.ready.push(Test {
            name: name.to_owned(),
            span: name_node.span,
            request,
            found,
            now,
            expect,
        }),
    }
    Some(())
}

fn read_found(node: &Node, out: &mut Collector) -> Option<Vec<Found>> {
    let Some(entries) = node.as_map() else {
        error(
            out,
            node.span,
            "`found` is a map of answers",
            "write `{email=a@b.mx: cus_1}`",
        );
        return None;
    };
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        let customers: Option<Vec<String>> = match &entry.value.kind {
            Kind::List(nodes) => nodes
                .iter()
                .map(|node| node.as_text().map(ToOwned::to_owned))
                .collect(),
            _ => entry.value.as_text().map(|text| vec![text.to_owned()]),
        };
        let key = match entry.key.split_once('=') {
            Some(("email", value)) => Some(format!("email={}", value.to_lowercase())),
            Some((by, _)) if by == "username" || by.starts_with("metadata.") => {
                Some(entry.key.clone())
            }
            _ => None,
        };
        match (key, customers) {
            (Some(key), Some(customers)) => found.push(Found { key, customers }),
            _ => error(
                out,
                entry.key_span,
                "an answer says which key has which customer",
                "write `email=a@b.mx: cus_1` or `username=tut-1: cus_1`",
            ),
        }
    }
    Some(found)
}

fn read_expectations(node: &Node, out: &mut Collector) -> Option<Vec<Expectation>> {
    let Some(nodes) = node.as_list().filter(|nodes| !nodes.is_empty()) else {
        error(
            out,
            node.span,
            "`expect` is a list of outcomes",
            "write `- customer: …`, `- drop: …`, `- fail: …` or `- retry: …`",
        );
        return None;
    };
    let read: Vec<Option<Expectation>> = nodes
        .iter()
        .map(|node| read_expectation(node, out))
        .collect();
    read.into_iter().collect()
}

fn read_expectation(node: &Node, out: &mut Collector) -> Option<Expectation> {
    let mut keys = KeyReader::new(node, "an outcome", TEST_KEYS, out)?;
    let customer = keys.take_text("customer", out);
    let patch = keys.take("patch");
    let includes = keys.take("patch_includes");
    let warnings = keys.take("warnings");
    let drop = keys.take_text("drop", out);
    let fail = keys.take_text("fail", out);
    let retry = keys.take_text("retry", out);
    keys.finish(out);

    let kind = match (customer, drop, fail, retry) {
        (Some((customer, _)), None, None, None) => {
            let (patch, is_whole) = match (patch, includes) {
                (Some(entry), None) => (&entry.value, true),
                (None, Some(entry)) => (&entry.value, false),
                _ => {
                    error(
                        out,
                        node.span,
                        "an update has one of `patch` and `patch_includes`",
                        "",
                    );
                    return None;
                }
            };
            Expected::Update {
                customer: customer.to_owned(),
                patch: json(patch, out)?,
                is_whole,
                warnings: match warnings {
                    Some(entry) => texts(&entry.value, out)?,
                    None => Vec::new(),
                },
            }
        }
        (None, Some((reason, _)), None, None) => Expected::Drop(reason.to_owned()),
        (None, None, Some((reason, _)), None) => Expected::Fail(reason.to_owned()),
        (None, None, None, Some((reason, _))) => Expected::Retry(reason.to_owned()),
        _ => {
            error(
                out,
                node.span,
                "an outcome is one of `customer`, `drop`, `fail` and `retry`",
                "",
            );
            return None;
        }
    };
    if !matches!(kind, Expected::Update { .. })
        && let Some(other) = [patch, includes, warnings].into_iter().flatten().next()
    {
        error(
            out,
            other.key_span,
            &format!("`{}` belongs to an update", other.key),
            "",
        );
        return None;
    }
    let written = node.as_map().unwrap_or_default();
    let fields = patch.or(includes).and_then(|entry| entry.value.as_map());
    let places = written.iter().chain(fields.unwrap_or_default());
    Some(Expectation {
        span: written.first().map_or(node.span, |entry| entry.key_span),
        places: places
            .map(|entry| (entry.key.clone(), entry.key_span))
            .collect(),
        kind,
    })
}

fn texts(node: &Node, out: &mut Collector) -> Option<Vec<String>> {
    let read = node.as_list().and_then(|nodes| {
        nodes
            .iter()
            .map(|node| node.as_text().map(ToOwned::to_owned))
            .collect()
    });
    if read.is_none() {
        error(out, node.span, "`warnings` is a list of texts", "");
    }
    read
}

fn json(node: &Node, out: &mut Collector) -> Option<Value> {
    let mut text = String::new();
    write_plain(node, &mut text);
    let patch: Option<Value> = serde_json::from_str(&text).ok().filter(Value::is_object);
    if patch.is_none() {
        error(out, node.span, "a patch is a map of fields and values", "");
    }
    patch
}
