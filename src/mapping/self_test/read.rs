//! Reads the tests of a file. What stands under `event` and `expect` is plain data, never an expression.

use std::str::FromStr;

use jiff::Timestamp;

use super::{
    Found, Test, Tests, error, expect,
    request::{self, Event},
};
use crate::{
    diag::Collector,
    mapping::{CompileOptions, codes, compile::KEYS},
    yaml::{KeyCodes, KeyReader, Kind, Node},
};

pub(super) const TEST_KEYS: KeyCodes = KeyCodes {
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
    let name = keys.require_text("name", "write `- name: what the test shows`", out);
    let event = request::read(&mut keys, node, options, out);
    let found = keys.take("found");
    let now = keys.take_text("now", out);
    let expect = keys.require(
        "expect",
        "write `expect:` with `- customer: …`, `- create: …`, `- drop: …`, `- fail: …` or `- retry: …` below it",
        out,
    );
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
    let expect = expect.and_then(|entry| expect::read(&entry.value, out));
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
        match customers.and_then(|customers| Found::new(&entry.key, customers)) {
            Some(answer) => found.push(answer),
            None => error(
                out,
                entry.key_span,
                "an answer says which key has which customer",
                "write `email=a@b.mx: cus_1` or `username=tut-1: cus_1`",
            ),
        }
    }
    Some(found)
}
