//! What is said about the tests of a file, and about what they do not show.

use super::{diagnostics::said, *};

#[test]
fn tests_have_a_form() {
    let text = file("", "drop: x");
    let (head, _) = text.split_once("tests:\n").unwrap();
    let mut told = Vec::new();
    for tests in [
        "[]",
        "[{name: t}]",
        "[{name: t, event: {}, event_file: x.json, expect: []}]",
        "[{name: t, event_file: x.json, expect: [{drop: x}]}]",
        "[{name: t, event: {}, now: soon, found: [a], expect: {drop: x}}]",
        "[{name: t, event: {}, found: {phone=1: a}, expect: [{customer: a}]}]",
        "[{name: t, event: {}, expect: [{customer: a, drop: x}, {drop: x, warnings: []}, {customer: a, patch: [], warnings: x}, {dropp: x}]}]",
    ] {
        told.push(format!(
            "{tests}\n{}\n",
            said(&format!("{head}tests: {tests}\n"))
        ));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    []
    m.yaml:12:8: error map/test-form: a mapping file has at least one test (write `- name: …` with `event` and `expect` below `tests`)

    [{name: t}]
    m.yaml:12:10: error map/test-form: a test needs `event` or `event_file` (write `event:` with the event below it, or `event_file:` with the path of a sample)
    m.yaml:12:10: error map/missing-key: a test needs `expect` (write `expect:` with `- customer: …`, `- create: …`, `- drop: …`, `- fail: …` or `- retry: …` below it)

    [{name: t, event: {}, event_file: x.json, expect: []}]
    m.yaml:12:42: error map/test-form: a test has one of `event` and `event_file` (remove one of the two)
    m.yaml:12:58: error map/test-form: `expect` is a list of outcomes (write `- customer: …` with `patch: …`, `- create: …`, `- drop: reason`, `- fail: reason` or `- retry: reason`)

    [{name: t, event_file: x.json, expect: [{drop: x}]}]
    m.yaml:12:31: error map/test-form: `x.json` cannot be read: entity not found (the path is relative to the mapping file)

    [{name: t, event: {}, now: soon, found: [a], expect: {drop: x}}]
    m.yaml:12:35: error map/test-form: `now` is not a time (write it as 2025-01-15T10:30:00Z)
    m.yaml:12:48: error map/test-form: `found` is a map of answers (write `{email=a@b.mx: cus_1}`)
    m.yaml:12:61: error map/test-form: `expect` is a list of outcomes (write `- customer: …` with `patch: …`, `- create: …`, `- drop: reason`, `- fail: reason` or `- retry: reason`)

    [{name: t, event: {}, found: {phone=1: a}, expect: [{customer: a}]}]
    m.yaml:12:38: error map/test-form: an answer says which key has which customer (write `email=a@b.mx: cus_1` or `username=tut-1: cus_1`)
    m.yaml:12:60: error map/test-form: an update has one of `patch` and `patch_includes` (the first compares all fields, the second only those that it names)

    [{name: t, event: {}, expect: [{customer: a, drop: x}, {drop: x, warnings: []}, {customer: a, patch: [], warnings: x}, {dropp: x}]}]
    m.yaml:12:39: error map/test-form: an outcome is one of `customer`, `create`, `drop`, `fail` and `retry` (write each outcome behind a `-` of its own)
    m.yaml:12:73: error map/test-form: `warnings` belongs to an update (remove it)
    m.yaml:12:109: error map/test-form: `patch` is a map of fields and values (write `{name: Ana}`)
    m.yaml:12:127: error map/test-form: an outcome is one of `customer`, `create`, `drop`, `fail` and `retry` (write each outcome behind a `-` of its own)
    m.yaml:12:128: error map/unknown-key: an outcome has no key `dropp` (did you mean `drop`?)
    ");
}

#[test]
fn a_sample_that_cannot_be_read_may_be_a_warning_and_its_test_is_not_run() {
    let text = setting("", "name: n").replace(
        "tests:\n",
        "tests:\n  - {name: sampled, event_file: x.json, expect: [{drop: other}]}\n",
    );
    let mut out = Collector::new(SourceText::new("m.yaml", text));
    let root = yaml::parse(&mut out).unwrap();
    let options = CompileOptions {
        unreadable_samples: UnreadableSamples::Warn,
        ..options()
    };
    let compiled = compile(&root, &options, &mut out);
    assert!(compiled.mapping.is_some());
    let report = compiled.tests.unwrap();
    assert_eq!((report.results.len(), report.not_run), (1, 1));
    // Nothing is said of paths that the sample would have shown.
    insta::assert_snapshot!(render_lines(&out.finish()).join("\n"), @"m.yaml:15:33: warning map/test-form: `x.json` cannot be read: entity not found");
}

#[test]
fn paths_rules_tables_and_permissions_that_no_test_needs_are_warned_about() {
    let text = "mapping: 1\nsource: s\notherwise: drop\nallow: [tags, name]\ntables:\n  t: {a: b}\nrules:\n  - name: never\n    when: exists(nothing.here[].x)\n    drop: never\n  - name: r\n    each: people[]\n    customer: {find: [{email: mail | email}]}\n    set:\n      name: {when: nam == 'x', from: other ?? full}\n      metadata:\n        - each: attrs[]\n          key_from: k\n          value: v\ntests:\n  - name: t\n    found: {email=A@b.mx: cus_1}\n    event: {people: [{mail: A@b.mx, full: null, attrs: [{k: a}, {k: b, v: c}]}]}\n    expect: [{customer: cus_1, patch_includes: {metadata: [{key: a, value: v}]}}]\n";
    insta::assert_snapshot!(said(text), @"
    m.yaml:4:9: warning map/unused: no rule sets `tags` (remove it from `allow`)
    m.yaml:4:15: warning map/unused: `name` needs no permission (remove it from `allow`)
    m.yaml:6:3: warning map/unused: no rule uses the table `t` (use it, `… | lookup(t)`, or remove it)
    m.yaml:8:11: warning map/rule-never-reached: no test reaches the rule `never` (add a test with an event that it takes)
    m.yaml:9:18: warning map/path-never-seen: no test event has a value at `nothing.here[].x` (correct the name, or add a test with an event that has it)
    m.yaml:15:20: warning map/path-never-seen: no test event has a value at `nam` (correct the name, or add a test with an event that has it)
    m.yaml:15:38: warning map/path-never-seen: no test event has a value at `other` (correct the name, or add a test with an event that has it)
    ");
}

#[test]
fn a_test_that_fails_for_a_misspelt_path_does_not_hide_it() {
    let text = setting("", "name: nmae");
    let (head, _) = text.split_once("tests:\n").unwrap();
    let text = format!(
        "{head}tests:\n  - {{name: t, event: {{name: N}}, expect: [{{customer: c, patch: {{name: N}}}}]}}\n"
    );
    let (_, lines) = read(&text);
    insta::assert_snapshot!(lines[2..].join("\n"), @"
    m.yaml:13:13: warning map/path-never-seen: no test event has a value at `nmae` (did you mean `name`?)
    m.yaml:15:43: error map/test-failed: test `t`: outcome 1: expected an update of c, got drop: nothing to change (rule `r`)
    ");
}

#[test]
fn a_name_that_no_event_has_is_compared_with_those_that_it_has() {
    let event = r"{skipped: false, contact: {fullName: Ana, phones: [{type: home, number: '1'}]}}";
    let mut told = Vec::new();
    for expression in [
        "contact.fulName",
        "contac.fullName",
        "$.contact.FullName",
        "join(',', contact.phones[].numbr)",
        "contact.phones[0].tipe",
        "contact.phones[typ='home'].number",
        "contact.phones[type='fax'].number",
        "contact.nothing",
        "'origin'",
        "origin",
        "contact.fullName.first",
    ] {
        let text = setting(
            "",
            &format!("metadata:\n  k: {expression}\n  a: {{value: b}}"),
        );
        let (head, _) = text.split_once("tests:\n").unwrap();
        let (_, lines) = read(&format!(
            "{head}tests:\n  - name: t\n    event: {event}\n    expect: [{{customer: c, patch_includes: {{}}}}]\n"
        ));
        let line = lines
            .iter()
            .find(|line| line.contains("map/path-never-seen"));
        let help = line.and_then(|line| line.rsplit_once(" ("));
        told.push(format!(
            "{expression}: {}",
            help.map_or("seen", |(_, help)| help)
        ));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    contact.fulName: did you mean `fullName`?)
    contac.fullName: did you mean `contact`?)
    $.contact.FullName: did you mean `fullName`?)
    join(',', contact.phones[].numbr): did you mean `number`?)
    contact.phones[0].tipe: did you mean `type`?)
    contact.phones[typ='home'].number: did you mean `type`?)
    contact.phones[type='fax'].number: correct the name, or add a test with an event that has it)
    contact.nothing: correct the name, or add a test with an event that has it)
    'origin': if the text itself is meant, write `value: origin` in place of the expression)
    origin: correct the name, or add a test with an event that has it)
    contact.fullName.first: correct the name, or add a test with an event that has it)
    ");
}
