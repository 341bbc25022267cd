//! Expressions, field forms, customers and selections: one row per row of the language's tables.

use super::*;

const FAMILY: &str = r#"{
    "s": "x", "n": 5, "d": 8450.00, "t": true, "nil": null, "e": "", "sp": " \u00a0", "l": ["a", "b", null, "b"],
    "el": [], "o": {"k": "v", "tipo de plan": "anual", "dup": 1, "dup": 2},
    "phones": [{"type": "home", "number": "1"}, {"type": "mobile", "number": "2"}, {"type": "mobile", "number": "3"}],
    "grid": [{"row": [1, 2]}, {"row": [3]}, {}]
}"#;

#[test]
fn paths_step_into_what_is_there() {
    for (path, text) in [
        ("s", r#""x""#),
        ("$.s", r#""x""#),
        ("o.k", r#""v""#),
        ("o.\"tipo de plan\"", r#""anual""#),
        ("o.dup", r#""2""#),
        ("d", r#""8450.00""#),
        ("l[1]", r#""b""#),
        ("phones[type='mobile'].number", r#""2""#),
        ("phones[number='3'].type", r#""mobile""#),
        ("phones[type='fax'].number", "absent"),
        ("phones[9].number", "absent"),
        ("s.k", "absent"),
        ("nil.k", "absent"),
        ("l.k", "absent"),
        ("o[0]", "absent"),
        ("o[k='v']", "absent"),
        ("none.of.this", "absent"),
        ("nil", "null"),
        ("join(',', grid[].row[])", r#""1,2,3""#),
        ("join(',', phones[].number)", r#""1,2,3""#),
        ("join(',', phones[].row)", "absent"),
        ("join(',', s[])", "absent"),
        ("o", "error: expected a text, got an object"),
        ("t", "error: expected a text, got true or false"),
    ] {
        assert_eq!(text_of("", path, FAMILY), text, "{path}");
    }
}

#[test]
fn comparison_follows_its_rules() {
    for (condition, expected) in [
        ("n == 5", true),
        ("n == 5.0", true),
        ("n == '5'", true),
        ("'5' == n", true),
        ("n == '5.0'", false),
        ("s == 'X'", false),
        ("s | upper == 'X'", true),
        ("t == true", true),
        ("t == 'true'", false),
        ("t == 1", false),
        ("none == null", false),
        ("none == other", true),
        ("none == ''", false),
        ("none != 'x'", true),
        ("nil == null", true),
        ("e == ''", true),
        ("n < 10", true),
        ("n <= 5", true),
        ("n > 5", false),
        ("n >= 5.0", true),
        ("none < 5", false),
        ("nil > 5", false),
        ("e < 5", false),
        (
            "('2025-01-15' | datetime) < ('2025-01-16' | datetime)",
            true,
        ),
        ("s in ['x', 'y']", true),
        ("n in ['5']", true),
        ("s in l", false),
        ("'a' in l", true),
        ("'a' in l[]", true),
        ("'2' in phones[].number", true),
        ("s in none", false),
        ("none in ['x']", false),
        ("nil in [null]", true),
        ("s in []", false),
        ("exists(nil)", true),
        ("exists(none)", false),
        ("is_null(nil)", true),
        ("is_null(none)", false),
        ("is_blank(e)", true),
        ("is_blank(sp)", true),
        ("is_blank(el)", true),
        ("is_blank(none)", false),
        ("is_blank(nil)", false),
        ("t and n == 5", true),
        ("t and not t", false),
        ("none or t", true),
        ("none and t", false),
        ("not none", false),
        ("not nil", false),
        ("not e", false),
        ("not (none | bool)", false),
        ("not (n == 6)", true),
        ("not t or t", true),
        ("none", false),
        ("nil", false),
        ("true", true),
    ] {
        assert_eq!(holds(condition, FAMILY), expected, "{condition}");
    }
}

#[test]
fn a_condition_that_is_neither_true_nor_false_fails() {
    for (condition, reason) in [
        ("s", "name: expected true or false, got a text"),
        ("not n", "name: expected true or false, got a number"),
        (
            "s < 5",
            "name: `<` compares two numbers or two dates, got a text and a number",
        ),
        (
            "'x' in s",
            "name: `in` needs a list on its right, got a text",
        ),
    ] {
        let quoted = condition.replace('\'', "''");
        let fields = format!("name:\n  when: '{quoted}'\n  value: x");
        assert_eq!(
            set(&fields, FAMILY),
            format!("fail: {reason}"),
            "{condition}"
        );
    }
}

#[test]
fn a_fallback_takes_the_first_value_else_null_else_blank_else_nothing() {
    for (expression, text) in [
        ("none ?? e ?? s", r#""x""#),
        ("none ?? nil ?? e", "null"),
        ("none ?? e", r#""""#),
        ("e ?? nil", "null"),
        ("none ?? other", "absent"),
        ("none ?? s | upper", r#""X""#),
        ("(s | upper) ?? n", r#""X""#),
        ("none ?? 'lit'", r#""lit""#),
    ] {
        assert_eq!(text_of("", expression, FAMILY), text, "{expression}");
    }
}

#[test]
fn absent_null_blank_value_and_error_do_what_the_table_says() {
    for (form, source, sent) in [
        ("", "none", "drop: nothing to change"),
        ("default: d", "none", r#"{"assigneeId":"d"}"#),
        (
            "required: true",
            "none",
            "fail: assigneeId: required, but it has no value",
        ),
        ("", "nil", r#"{"assigneeId":null}"#),
        ("on_null: skip", "nil", "drop: nothing to change"),
        ("default: d", "nil", r#"{"assigneeId":"d"}"#),
        (
            "required: true",
            "nil",
            "fail: assigneeId: required, but it has no value",
        ),
        ("", "e", "drop: nothing to change"),
        ("", "sp", "drop: nothing to change"),
        ("on_blank: clear", "e", r#"{"assigneeId":null}"#),
        ("on_blank: keep", "e", r#"{"assigneeId":""}"#),
        ("default: d", "e", r#"{"assigneeId":"d"}"#),
        ("", "s", r#"{"assigneeId":"x"}"#),
        ("default: d", "s", r#"{"assigneeId":"x"}"#),
        ("when: t", "s", r#"{"assigneeId":"x"}"#),
        ("when: not t", "s", "drop: nothing to change"),
        (
            "when: none\n  default: d\n  required: true",
            "s",
            "drop: nothing to change",
        ),
        (
            "",
            "s | require_prefix('y')",
            "fail: assigneeId: require_prefix: 'x' does not begin with 'y'",
        ),
        (
            "on_error: skip",
            "s | require_prefix('y')",
            "drop: nothing to change",
        ),
        (
            "on_error: skip\n  required: true",
            "none",
            "drop: nothing to change",
        ),
    ] {
        let fields = format!("assigneeId:\n  from: \"{source}\"\n  {form}");
        assert_eq!(set(&fields, FAMILY), sent, "{form} {source}");
    }
}

#[test]
fn the_defaults_of_a_file_hold_for_all_its_fields() {
    let top = "defaults: {on_null: skip, on_blank: clear, on_error: skip}";
    let fields = "assigneeId: e\nemail: nil | email\nphoneNumber: s | phone\nname: n";
    assert_eq!(
        result(&compiled(&setting(top, fields)), FAMILY),
        r#"{"name":"5","assigneeId":null} [phoneNumber: phone: 'x' is not a phone number]"#
    );
    // What is said in the field wins; what cannot be cleared is an error when it happens.
    let fields = "assigneeId: {from: e, on_blank: skip}\nname: {from: e, on_error: fail}";
    assert_eq!(
        result(&compiled(&setting(top, fields)), FAMILY),
        "fail: name: Quentli cannot clear this field"
    );
    let keep = compiled(&setting("defaults: {on_blank: keep}", "name: e"));
    assert_eq!(result(&keep, FAMILY), "fail: name: cannot be blank");
    let keep = compiled(&setting("defaults: {on_blank: keep}", "email: e | email"));
    assert_eq!(result(&keep, FAMILY), "fail: email: cannot be blank");
}

#[test]
fn every_field_form_gives_its_value() {
    for (fields, sent) in [
        ("skipTaxInvoice: true", r#"{"skipTaxInvoice":true}"#),
        ("skipTaxInvoice: 'true'", r#"{"skipTaxInvoice":true}"#),
        ("name: 5", r#"{"name":"5"}"#),
        ("email: null", r#"{"email":null}"#),
        ("name: {value: no}", r#"{"name":"no"}"#),
        ("name: {value: 0123}", r#"{"name":"0123"}"#),
        (
            "phoneNumber: {value: '55 1234 5678'}",
            r#"{"phoneNumber":"+525512345678"}"#,
        ),
        (
            "optedOutWhatsappAt: {value: 2025-01-15}",
            r#"{"optedOutWhatsappAt":"2025-01-15T06:00:00.000Z"}"#,
        ),
        (
            "optedOutWhatsappAt: {from: none | datetime, default: 2025-01-15T00:00:00Z}",
            r#"{"optedOutWhatsappAt":"2025-01-15T00:00:00.000Z"}"#,
        ),
        ("email: {value: ANA@X.MX}", r#"{"email":"ANA@x.mx"}"#),
        (
            "name: {template: 'a {s} {{b}} {n | text}'}",
            r#"{"name":"a x {b} 5"}"#,
        ),
        ("name: {template: 'a {none}'}", "drop: nothing to change"),
        ("name: {template: 'a {e}'}", "drop: nothing to change"),
        (
            "name: {template: \"{s | replace('x', '}')}\"}",
            r#"{"name":"}"}"#,
        ),
        (
            "name: {template: '{o}'}",
            "fail: name: expected a text, got an object",
        ),
        (
            "name:\n  cases:\n    - {when: n == 4, value: four}\n    - {when: n == 5, from: s}\n    - {when: true, value: z}",
            r#"{"name":"x"}"#,
        ),
        (
            "name:\n  cases:\n    - {when: n == 4, value: four}",
            "drop: nothing to change",
        ),
        (
            "name:\n  cases:\n    - {when: n == 4, value: four}\n  default: other",
            r#"{"name":"other"}"#,
        ),
        (
            "email:\n  cases:\n    - {when: t == true, value: null}",
            r#"{"email":null}"#,
        ),
    ] {
        assert_eq!(set(fields, FAMILY), sent, "{fields}");
    }
}

#[test]
fn tags_are_joined_trimmed_and_without_repeats() {
    for (fields, sent) in [
        (
            "tags: [{value: ' A '}, {from: l}, s, {value: A}, {from: nil}, {from: e}]",
            r#"{"tags":["A","a","b","x"]}"#,
        ),
        ("tags: l", r#"{"tags":["a","b"]}"#),
        ("tags: s", r#"{"tags":["x"]}"#),
        ("tags: {value: []}", r#"{"tags":[]}"#),
        ("tags: [{value: []}]", r#"{"tags":[]}"#),
        ("tags: [{value: [p, 1]}]", r#"{"tags":["p","1"]}"#),
        ("tags: [el, none]", "drop: nothing to change"),
        (
            "tags:\n  - each: phones[]\n    when: type == 'mobile'\n    template: 'M{number}{^.s}{$.n}'",
            r#"{"tags":["M2x5","M3x5"]}"#,
        ),
        ("tags: [o]", "fail: tags: expected a text, got an object"),
        (
            "tags: [t]",
            "fail: tags: expected a text, got true or false",
        ),
        (
            "tags: [{from: s | phone, on_error: skip}, {value: A}]",
            r#"{"tags":["A"]} [tags: phone: 'x' is not a phone number]"#,
        ),
        (
            "tags: [{each: s, from: n}]",
            "fail: tags: expected a list, got a text",
        ),
    ] {
        assert_eq!(set(fields, FAMILY), sent, "{fields}");
    }
}

#[test]
fn metadata_keys_are_set_removed_and_left_alone() {
    for (fields, sent) in [
        (
            "metadata: {Grado: n, grado: s}",
            r#"{"metadata":[{"key":"Grado","value":"5"},{"key":"grado","value":"x"}]}"#,
        ),
        (
            "metadata: {a: nil, b: e, c: none, d: \"' v '\"}",
            r#"{"metadata":[{"key":"a","value":null},{"key":"d","value":"v"}]}"#,
        ),
        (
            "metadata:\n  a: {from: e, on_blank: clear}\n  b: {from: nil, on_null: skip}\n  c: {from: sp, on_blank: keep}",
            r#"{"metadata":[{"key":"a","value":null},{"key":"c","value":""}]}"#,
        ),
        (
            "metadata:\n  - {key: a, from: s}\n  - {key: b, value: v}\n  - {key: a, from: n}",
            r#"{"metadata":[{"key":"a","value":"5"},{"key":"b","value":"v"}]}"#,
        ),
        (
            "metadata:\n  - each: phones[]\n    when: type != 'home'\n    key_from: type\n    from: number",
            r#"{"metadata":[{"key":"mobile","value":"3"}]}"#,
        ),
        (
            "metadata:\n  - each: phones[]\n    key_from: none\n    from: number",
            "fail: metadata: the entry has a value, but no key",
        ),
        (
            "metadata:\n  - each: phones[]\n    key_from: none\n    from: none",
            "drop: nothing to change",
        ),
        (
            "metadata: {a: l}",
            "fail: metadata.a: expected a text, got a list",
        ),
        (
            "metadata: {a: t}",
            "fail: metadata.a: expected a text, got true or false",
        ),
        (
            "metadata: {a: n, b: {from: none, required: true}}",
            "fail: metadata.b: required, but it has no value",
        ),
        (
            "meta: {a: n, b: null}",
            r#"{"metadata":[{"key":"a","value":"5"},{"key":"b","value":null}]}"#,
        ),
    ] {
        assert_eq!(set(fields, FAMILY), sent, "{fields}");
    }
}

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
            "drop: nothing selected",
            "fail: only: expected true or false, got a text",
        ]
    );
    let lines: Vec<usize> = mapping
        .map(&Input {
            body: body.as_bytes(),
            content_type: None,
            now: now(),
        })
        .items
        .iter()
        .map(|item| item.outcomes.len())
        .collect();
    assert_eq!(lines, [2, 1, 1, 1, 1, 1]);
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
fn an_update_is_ordered_by_a_whole_number_or_a_time_that_is_not_in_the_future() {
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
        (
            "1.5",
            "fail: order_by: 1.5 is not a whole number".to_owned(),
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
