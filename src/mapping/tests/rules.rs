//! Items, rules, elements, customers, order and limits.

use super::*;

/// The customer of an event's only update, or its failure.
fn customer_of(customer: &str, body: &str) -> String {
    let mapping = compiled(&file(
        "",
        &format!("customer:\n  {customer}\nset: {{name: s}}"),
    ));
    match mapped(&mapping, body).as_slice() {
        [ItemOutcome::Update(update)] => serde_json::to_string(&update.customer).unwrap(),
        [other] => shown(other),
        _ => panic!("one outcome"),
    }
}

#[test]
fn a_customer_is_named_by_id_or_by_lines_that_have_a_value() {
    for (customer, named) in [
        ("id: s", r#"{"id":"x","onMissing":"retry"}"#),
        ("id: n", r#"{"id":"5","onMissing":"retry"}"#),
        (
            "id: {template: 'x_{n}'}",
            r#"{"id":"x_5","onMissing":"retry"}"#,
        ),
        (
            "id: \"o.\\\"tipo de plan\\\" | require_prefix('cus_')\"",
            "fail: customer.id: require_prefix: 'anual' does not begin with 'cus_'",
        ),
        (
            "id: \"'a b'\"",
            "fail: customer.id: 'a b' is not a customer identifier",
        ),
        (
            "id: t",
            "fail: customer.id: expected a text, got true or false",
        ),
        ("id: none\n  on_missing: drop", r#"{"onMissing":"drop"}"#),
        (
            "id: none\n  find:\n    - username: concat('tut-', n)\n    - email: \"' ANA@X.mx '\"\n    - metadata.k: e\n  on_missing: fail",
            r#"{"find":[{"username":"tut-5"},{"email":"ana@x.mx"}],"onMissing":"fail"}"#,
        ),
        (
            "find: [{metadata.idx: n}]",
            r#"{"find":[{"metadata":{"key":"idx","value":"5"}}],"onMissing":"retry"}"#,
        ),
        // Constants alone never find anybody.
        (
            "find:\n    - username: concat('tut-', none)\n    - username: join('-', 'tut', e) | lower",
            r#"{"onMissing":"retry"}"#,
        ),
        (
            "find: [{username: o}]",
            "fail: customer.find.username: expected a text, got an object",
        ),
    ] {
        assert_eq!(customer_of(customer, FAMILY), named, "{customer}");
    }
}

#[test]
fn items_rules_and_elements_are_selected_in_order() {
    let text = file(
        "items: events[]",
        "when: kind != 'none'\neach: people[]\nonly: paying\ncustomer: {id: id}\nset: {name: name, assigneeId: ^.kind, metadata: {top: $.top}}",
    );
    let mapping = compiled(&text);
    let body = r#"{"top": "T", "events": [
        {"kind": "k", "people": [{"id": "1", "name": "a", "paying": true}, {"id": "2", "paying": false}, {"id": "3", "paying": true}]},
        {"kind": "none"},
        {"kind": "k", "people": []},
        {"kind": "k"},
        {"kind": "k", "people": "x"},
        {"kind": "k", "people": [{"id": "1", "paying": "x"}]}
    ]}"#;
    let outcomes = mapped(&mapping, body);
    let shown: Vec<String> = outcomes.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            r#"{"name":"a","assigneeId":"k","metadata":[{"key":"top","value":"T"}]}"#,
            r#"{"assigneeId":"k","metadata":[{"key":"top","value":"T"}]}"#,
            "drop: no rule",
            "drop: nothing selected",
            "drop: nothing selected",
            "fail: each: expected a list, got a text",
            "fail: only: expected true or false, got a text",
        ]
    );
    let lines: Vec<usize> = mapping
        .map(&Input {
            body: body.as_bytes(),
            content_type: None,
            headers: &[],
            now: now(),
        })
        .items
        .iter()
        .map(|item| item.outcomes.len())
        .collect();
    assert_eq!(lines, [2, 1, 1, 1, 1, 1]);
}

#[test]
fn a_rule_with_fail_leaves_the_item_to_a_person_and_names_itself() {
    let mapping = compiled(&file("items: $[]", "when: a == 1\nfail: two at once"));
    let outcomes = mapped(&mapping, r#"[{"a": 1}, {"a": 2}]"#);
    let [ItemOutcome::Fail(failure), other] = outcomes.as_slice() else {
        panic!("{outcomes:?}");
    };
    let rule = mapping.rules.last().unwrap();
    let (line, _) = mapping.file.line_column(rule.span.start);
    assert_eq!(
        (failure.reason.as_str(), failure.rule.as_deref()),
        ("two at once", Some("r"))
    );
    assert_eq!(failure.line, u32::try_from(line).ok());
    assert_eq!(shown(other), "drop: no rule");
}

#[test]
fn each_over_something_that_is_no_list_fails_and_over_nothing_is_dropped() {
    for (each, body, said) in [
        ("people[]", "{}", "drop: nothing selected"),
        ("people[]", r#"{"people": null}"#, "drop: nothing selected"),
        ("people[]", r#"{"people": ""}"#, "drop: nothing selected"),
        ("people[]", r#"{"people": {}}"#, "drop: nothing selected"),
        ("people[]", r#"{"people": []}"#, "drop: nothing selected"),
        (
            "people[]",
            r#"{"people": {"id": 1}}"#,
            "fail: each: expected a list, got an object",
        ),
        (
            "people",
            r#"{"people": {"id": 1}}"#,
            "fail: each: expected a list, got an object",
        ),
        (
            "families[].people[]",
            r#"{"families": "x"}"#,
            "fail: each: expected a list, got a text",
        ),
        (
            "nobody[] ?? people[]",
            r#"{"nobody": {}, "people": {}}"#,
            "drop: nothing selected",
        ),
        (
            "nobody[] ?? people[]",
            r#"{"people": {"id": 1}}"#,
            "fail: each: expected a list, got an object",
        ),
        (
            "people[] ?? [people]",
            r#"{"people": {"id": "cus_1", "name": "A"}}"#,
            r#"{"name":"A"}"#,
        ),
    ] {
        let mapping = compiled(&file(
            "",
            &format!("each: {each}\ncustomer: {{id: id}}\nset: {{name: name}}"),
        ));
        assert_eq!(result(&mapping, body), said, "{each} {body}");
    }
}

#[test]
fn a_body_without_the_list_of_items_is_dropped_or_fails_as_otherwise_says() {
    let mapping = compiled(&file("items: events[]", "drop: x"));
    assert_eq!(
        result(&mapping, r#"{"events": []}"#),
        "drop: nothing selected"
    );
    assert_eq!(result(&mapping, "{}"), "drop: nothing selected");
    let mapping =
        compiled(&file("items: events", "drop: x").replace("otherwise: drop", "otherwise: fail"));
    assert_eq!(
        result(&mapping, "{}"),
        "fail: items: the body has no such list"
    );
    assert_eq!(
        result(&mapping, r#"{"events": 1}"#),
        "fail: items: expected a list, got a number"
    );
    assert_eq!(
        result(&mapping, r#"{"events": []}"#),
        "drop: nothing selected"
    );
    let mapping =
        compiled(&file("", "when: a == 1\ndrop: x").replace("otherwise: drop", "otherwise: fail"));
    assert_eq!(result(&mapping, "{}"), "fail: no rule");
}

#[test]
fn a_failure_names_rule_and_line() {
    let text = setting("", "name: s\nphoneNumber: s | trim | phone");
    let line = 1 + text
        .lines()
        .position(|line| line.contains("| phone"))
        .unwrap();
    let outcomes = mapped(&compiled(&text), FAMILY);
    let [ItemOutcome::Fail(failure)] = outcomes.as_slice() else {
        panic!("one failure");
    };
    assert_eq!(failure.rule.as_deref(), Some("r"));
    assert_eq!(failure.line, u32::try_from(line).ok());
    assert_eq!(
        failure.reason,
        "phoneNumber: phone: 'x' is not a phone number"
    );
}

fn order_of(order_by: &str, body: &str) -> String {
    let rule = format!("customer: {{id: \"'c'\"}}\norder_by: {order_by}\nset: {{name: \"'x'\"}}");
    match mapped(&compiled(&file("", &rule)), body).as_slice() {
        [ItemOutcome::Update(update)] => {
            let order = update
                .order_by
                .map_or("none".to_owned(), |order| order.0.to_string());
            format!("{order} {}", update.warnings.join("; "))
        }
        [other] => shown(other),
        _ => panic!("one outcome"),
    }
}

#[test]
fn an_update_is_ordered_by_a_number_without_its_fraction_or_a_time_that_is_not_in_the_future() {
    let now = now().as_millisecond();
    for (order_by, ordered) in [
        ("n", "5 ".to_owned()),
        ("d", "8450 ".to_owned()),
        ("none", "none ".to_owned()),
        ("e", "none ".to_owned()),
        (
            "\"'2026-01-15T10:30:00Z' | datetime\"",
            format!("{} ", now + 1_800_000),
        ),
        (
            "\"'2026-01-15T11:30:00Z' | datetime\"",
            format!("{now} order_by: 2026-01-15T11:30:00.000Z is in the future and counts as now"),
        ),
        ("1768473000.923", "1768473000 ".to_owned()),
        // Whoever gives a number says when that is.
        ("9999999999999", "9999999999999 ".to_owned()),
        (
            "99999999999999999999",
            "fail: order_by: 99999999999999999999 is too large; 18 digits fit".to_owned(),
        ),
        (
            "s",
            "fail: order_by: expected a number or a date and time, got a text".to_owned(),
        ),
    ] {
        assert_eq!(order_of(order_by, FAMILY), ordered, "{order_by}");
    }
}

#[test]
fn dedup_expressions_give_the_parts_of_a_key_as_text() {
    let text = file("items: $[]", "drop: x");
    let dedup: Vec<(String, Span)> = ["a", "b", "c | upper", "d", "e", "f", "g | number"]
        .map(|part| (part.to_owned(), Span::new(0, 1)))
        .into();
    let (mapping, _) = read_with(&text, &dedup);
    let body = r#"[{"a": 1.50, "b": true, "c": "x", "d": null, "f": {"k": [1, "\"", null], "k2": {}}, "g": "q"}]"#;
    let mapped = mapping.unwrap().map(&Input {
        body: body.as_bytes(),
        content_type: None,
        headers: &[],
        now: now(),
    });
    let parts: Vec<Option<&str>> = mapped.items[0].dedup.iter().map(Option::as_deref).collect();
    assert_eq!(
        parts,
        [
            Some("1.50"),
            Some("true"),
            Some("X"),
            None,
            None,
            Some(r#"{"k":[1,"\"",null],"k2":{}}"#),
            None
        ]
    );
}

#[test]
fn a_dedup_part_without_content_is_a_missing_part() {
    let dedup = [("id".to_owned(), Span::new(0, 1))];
    let (mapping, _) = read_with(&file("items: $[]", "drop: x"), &dedup);
    let body = r#"[{"id": ""}, {"id": " \u00a0"}, {"id": []}, {"id": {}}, {"id": [[]]}, {"id": 0}, {"id": false}]"#;
    let mapped = mapping.unwrap().map(&Input {
        body: body.as_bytes(),
        content_type: None,
        headers: &[],
        now: now(),
    });
    let parts: Vec<Option<&str>> = mapped
        .items
        .iter()
        .map(|item| item.dedup[0].as_deref())
        .collect();
    assert_eq!(
        parts,
        [
            None,
            None,
            None,
            None,
            Some("[[]]"),
            Some("0"),
            Some("false")
        ]
    );
}

#[test]
fn a_mistake_in_a_dedup_expression_is_marked_where_it_was_written() {
    let text = file("receive: {dedup: [id | lowr]}", "drop: x");
    let at = text.find("id | lowr").unwrap();
    let (_, lines) = read_with(&text, &[("id | lowr".to_owned(), Span::new(at, at + 9))]);
    assert_eq!(
        lines,
        ["m.yaml:5:24: error map/unknown-transform: no transform `lowr` (did you mean `lower`?)"]
    );
}

#[test]
fn a_dedup_path_that_the_file_spells_out_must_be_in_a_test() {
    let text = file(
        "receive: {dedup: [skipped, nope.typo ?? skiped, 'gone[].x']}",
        "drop: x",
    );
    let written = |part: &str| {
        let at = text.find(part).unwrap();
        (part.to_owned(), Span::new(at, at + part.len()))
    };
    let of_preset = ("portalId".to_owned(), Span::new(0, 3));
    let dedup = [
        written("skipped"),
        written("nope.typo ?? skiped"),
        written("gone[].x"),
        of_preset,
    ];
    let (mapping, lines) = read_with(&text, &dedup);
    assert!(mapping.is_some());
    let never_seen: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains("map/path-never-seen"))
        .collect();
    assert_eq!(
        never_seen,
        [
            "m.yaml:5:28: warning map/path-never-seen: no test event has a value at `nope.typo` (correct the name, or add a test with an event that has it)",
            "m.yaml:5:41: warning map/path-never-seen: no test event has a value at `skiped` (did you mean `skipped`?)",
            "m.yaml:5:50: warning map/path-never-seen: no test event has a value at `gone[].x` (correct the name, or add a test with an event that has it)",
        ]
    );
}

#[test]
fn above_a_limit_the_event_is_one_failure_with_the_count() {
    let mapping = compiled(&file(
        "items: $[]",
        "each: e[]\ncustomer: {id: id}\nset: {name: n}",
    ));
    let item = |elements: usize| {
        let element = r#"{"id": "1", "n": "x"}"#;
        format!("{{\"e\": [{}]}}", vec![element; elements].join(","))
    };
    let body = |items: &[usize]| {
        let items: Vec<String> = items.iter().map(|elements| item(*elements)).collect();
        format!("[{}]", items.join(","))
    };
    assert_eq!(mapped(&mapping, &body(&[4000, 1000])).len(), 5000);
    assert_eq!(
        result(&mapping, &body(&[4000, 1002])),
        "fail: the event gives 5002 updates; at most 5000 are taken"
    );
    assert_eq!(
        result(&mapping, &format!("[{}]", vec!["1"; 5001].join(","))),
        "fail: the event gives 5001 items; at most 5000 are taken"
    );
}

#[test]
fn texts_lists_and_work_are_limited() {
    let long = "x".repeat(10_001);
    let body = format!(r#"{{"s": "{long}", "l": [{}]}}"#, vec!["1"; 1001].join(","));
    for (fields, reason) in [
        (
            "name: s",
            "name: the text has 10001 characters; at most 10000 are taken",
        ),
        (
            "name: s | upper",
            "name: upper: the text has 10001 characters; at most 10000 are taken",
        ),
        (
            "name: concat(s, s)",
            "name: concat: the text has 20002 characters; at most 10000 are taken",
        ),
        (
            "name: {template: '{s}'}",
            "name: the text has 10001 characters; at most 10000 are taken",
        ),
        (
            "tags: l[]",
            "tags: the list has 1001 entries; at most 1000 are taken",
        ),
        ("tags: l", "tags: more than 1000 entries"),
        (
            "name: join(',', l | unique)",
            "name: unique: the list has 1001 entries; at most 1000 are taken",
        ),
        (
            "name: {template: \"{s | replace('x', 'yyyyyyyyyy')}\"}",
            "name: replace: the text would have more than 10000 characters",
        ),
    ] {
        let shown = set(fields, &body.replace(",1,1,", ",2,3,"));
        if fields == "tags: l" {
            // Repeats do not count.
            assert_eq!(shown, r#"{"tags":["1","2","3"]}"#);
        } else {
            assert_eq!(shown, format!("fail: {reason}"), "{fields}");
        }
    }
    assert_eq!(set("name: s | max_len(3)", &body), r#"{"name":"xxx"}"#);

    // Lists that search each other.
    let mapping = compiled(&setting(
        "items: $.l",
        "tags:\n  - each: $.l\n    from: $.l[k='none'].v",
    ));
    let body = format!(r#"{{"l": [{}]}}"#, vec![r#"{"k": 1}"#; 4000].join(","));
    assert_eq!(
        result(&mapping, &body),
        "fail: mapping this event takes too much work"
    );
}

#[test]
fn work_that_grows_with_the_square_is_paid_for() {
    let numbers = |count: usize| {
        let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        numbers.join(",")
    };
    let is_brief = |top: &str, fields: &str, body: &str| {
        let mapping = compiled(&setting(top, fields));
        let input = Input {
            body: body.as_bytes(),
            content_type: Some("application/json"),
            headers: &[],
            now: now(),
        };
        mapping.map_briefly(&input).is_some()
    };

    // The same long list for each of many.
    let body = |count| {
        format!(
            r#"{{"nums": [{}], "xs": [{}]}}"#,
            numbers(999),
            numbers(count)
        )
    };
    let unique = "metadata:\n  a: $.nums[] | unique | first";
    assert!(is_brief("items: $.xs", unique, &body(1)));
    assert!(!is_brief("items: $.xs", unique, &body(60)));

    // A long number against each of many.
    let body = |count| {
        let long = "7".repeat(20_000);
        format!(r#"{{"n": {long}, "nums": [{}]}}"#, numbers(count))
    };
    for fields in [
        "metadata:\n  a: {when: n in nums, value: x}",
        "metadata:\n  - {each: 'nums[]', when: $.n > 5, key: k, value: x}",
        "metadata:\n  - {each: 'nums[]', when: $.n == 5, key: k, value: x}",
    ] {
        assert!(is_brief("", fields, &body(3)), "{fields}");
        assert!(!is_brief("", fields, &body(300)), "{fields}");
    }

    // Lists against each other.
    let rows: Vec<String> = (0..900)
        .map(|row| format!("[{row},{}]", vec!["1"; 30].join(",")))
        .collect();
    let body = format!(r#"{{"rows": [{}]}}"#, rows.join(","));
    assert_eq!(
        set("metadata: {a: $.rows | unique | count}", &body),
        "fail: mapping this event takes too much work"
    );
}
