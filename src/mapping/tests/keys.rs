//! The keys of a file and of a rule: what each of them does.

use super::*;

#[test]
fn zone_and_region_are_those_of_mexico_unless_the_file_says_otherwise() {
    let fields = "optedOutWhatsappAt: at | datetime\nphoneNumber: phone | phone";
    for (top, phone, came) in [
        (
            "",
            "55 1234 5678",
            r#"{"phoneNumber":"+525512345678","optedOutWhatsappAt":"2025-01-15T18:00:00.000Z"}"#,
        ),
        (
            "timezone: America/Bogota\nphone_region: US",
            "(415) 555-2671",
            r#"{"phoneNumber":"+14155552671","optedOutWhatsappAt":"2025-01-15T17:00:00.000Z"}"#,
        ),
    ] {
        let body = format!(r#"{{"at": "2025-01-15 12:00", "phone": "{phone}"}}"#);
        assert_eq!(
            result(&compiled(&setting(top, fields)), &body),
            came,
            "{top}"
        );
    }
}

#[test]
fn the_whole_body_is_one_item_unless_items_splits_it() {
    for (top, body, came) in [
        ("", r#"{"n": "a"}"#, r#"{"name":"a"}"#),
        (
            "items: $[]",
            r#"[{"n": "a"}, {"n": "b"}]"#,
            r#"{"name":"a"} ; {"name":"b"}"#,
        ),
        (
            "items: events[]",
            r#"{"events": [{"n": "a"}], "n": "z"}"#,
            r#"{"name":"a"}"#,
        ),
        (
            "items: $.events[]",
            r#"{"events": [{"n": "a"}]}"#,
            r#"{"name":"a"}"#,
        ),
        (
            "items: events",
            r#"{"events": [{"n": "a"}]}"#,
            r#"{"name":"a"}"#,
        ),
    ] {
        assert_eq!(
            result(&compiled(&setting(top, "name: n")), body),
            came,
            "{top}"
        );
    }
}

#[test]
fn the_first_rule_that_holds_is_the_only_one_that_runs() {
    let text = file(
        "",
        "when: kind == 'a'\ncustomer: {id: \"'c'\"}\nset: {name: \"'first'\"}",
    );
    let text = text.replace(
        "tests:\n",
        "  - name: second\n    when: kind in ['a', 'b']\n    customer: {id: \"'c'\"}\n    set: {name: \"'second'\"}\n  - {name: last, when: kind == 'c', drop: the reason}\ntests:\n",
    );
    let mapping = compiled(&text);
    for (kind, came) in [
        ("a", r#"{"name":"first"}"#),
        ("b", r#"{"name":"second"}"#),
        ("c", "drop: the reason"),
        ("d", "drop: no rule"),
    ] {
        assert_eq!(result(&mapping, &format!("{{\"kind\": \"{kind}\"}}")), came);
    }
    let failing = compiled(&text.replace("otherwise: drop", "otherwise: fail"));
    assert_eq!(result(&failing, r#"{"kind": "d"}"#), "fail: no rule");
}

#[test]
fn quotes_of_yaml_change_no_expression() {
    for written in [
        "s | upper",
        "'s | upper'",
        "\"s | upper\"",
        ">-\n        s |\n        upper",
    ] {
        assert_eq!(
            set(&format!("name: {written}"), FAMILY),
            r#"{"name":"X"}"#,
            "{written}"
        );
    }
    let one_line = "name: {from: \"join('-', s, l[1])\"}";
    assert_eq!(set(one_line, FAMILY), r#"{"name":"x-b"}"#);
}

#[test]
fn names_begin_at_the_nearest_element_and_levels_lead_up() {
    let mapping = compiled(&file(
        "items: events[]",
        "each: people[]\ncustomer: {id: \"'c'\"}\nset:\n  metadata:\n    - each: notes[]\n      key_from: k\n      template: '{k} {v} {^.v} {^^.v} {$.v}'\n    - {key: item, from: ^.v}\n    - {key: element, from: v}\n    - {key: body, from: $.v}\n    - {key: levels, from: ^v}",
    ));
    let body = r#"{"v": "body", "events": [{"v": "item", "people": [{"v": "person", "notes": [{"k": "note", "v": "1"}]}]}]}"#;
    assert_eq!(
        result(&mapping, body),
        r#"{"metadata":[{"key":"note","value":"note 1 person item body"},{"key":"item","value":"item"},{"key":"element","value":"person"},{"key":"body","value":"body"},{"key":"levels","value":"item"}]}"#
    );
}

#[test]
fn updates_of_one_event_for_one_customer_are_shown_joined() {
    for (events, patch) in [
        // Fields of the later one win; metadata is joined key by key; tags of the later one win.
        (
            "[{n: A, m: '1', t: [x]}, {n: B, k: '2', t: [y]}]",
            "{name: B, tags: [y], metadata: [{key: m, value: '1'}, {key: k, value: '2'}]}",
        ),
        // What is older by `order_by` overwrites nothing that is newer, field by field.
        (
            "[{n: A, at: 5}, {n: B, m: '1', at: 4}]",
            "{name: A, metadata: [{key: m, value: '1'}]}",
        ),
        ("[{n: A, at: 5}, {n: B, at: 5}]", "{name: B}"),
        // Without a number on both sides the later one wins.
        ("[{n: A, at: 5}, {n: B}]", "{name: B}"),
    ] {
        let rule = "order_by: at\ncustomer: {id: \"'c'\"}\nset:\n  name: n\n  tags: t\n  metadata: {m: m, k: k}";
        let text = file("", rule).replace("otherwise:", "items: $[]\notherwise:");
        let (head, _) = text.split_once("tests:\n").unwrap();
        compiled(&format!(
            "{head}tests:\n  - name: t\n    event: {events}\n    expect: [{{customer: c, patch: {patch}}}]\n"
        ));
    }
}

#[test]
fn a_customer_is_found_by_the_first_line_that_matches() {
    for (found, expect) in [
        (
            "{username=u1: cus_1, email=ana@x.mx: cus_2}",
            "{customer: cus_1, patch: {name: Ana}}",
        ),
        (
            "{email=ana@x.mx: cus_2}",
            "{customer: cus_2, patch: {name: Ana}}",
        ),
        (
            "{email=ANA@X.mx: cus_2}",
            "{customer: cus_2, patch: {name: Ana}}",
        ),
        ("{username=U1: cus_1}", "{retry: customer not found}"),
        (
            "{metadata.key=k1: cus_3}",
            "{customer: cus_3, patch: {name: Ana}}",
        ),
        (
            "{username=u1: [cus_1, cus_4]}",
            "{fail: more than one customer matches}",
        ),
        ("{}", "{retry: customer not found}"),
    ] {
        let rule = "customer:\n  find:\n    - username: u\n    - email: mail\n    - metadata.key: k\nset: {name: n}";
        let text = file("", rule);
        let (head, _) = text.split_once("tests:\n").unwrap();
        compiled(&format!(
            "{head}tests:\n  - name: t\n    found: {found}\n    event: {{u: ' u1 ', mail: Ana@x.MX, k: k1, n: Ana}}\n    expect: [{expect}]\n"
        ));
    }
}

#[test]
fn on_missing_says_what_becomes_of_an_unknown_customer() {
    for (word, expect) in [
        ("retry", "retry: customer not found"),
        ("fail", "fail: customer not found"),
        ("drop", "drop: customer not found"),
        ("create", "create: {username: u1, name: Ana}"),
    ] {
        let rule =
            format!("customer: {{find: [{{username: u}}], on_missing: {word}}}\nset: {{name: n}}");
        let text = file("", &rule);
        let (head, _) = text.split_once("tests:\n").unwrap();
        compiled(&format!(
            "{head}tests:\n  - name: t\n    event: {{u: u1, n: Ana}}\n    expect: [{{{expect}}}]\n"
        ));
    }
}

#[test]
fn a_test_compares_all_of_a_patch_or_a_part_and_may_set_the_clock() {
    for (test, lines) in [
        (
            "event: {n: Ana, m: '1'}\nexpect: [{customer: c, patch: {name: Ana, metadata: [{key: m, value: '1'}]}}]",
            vec![],
        ),
        (
            "event: {n: Ana, m: '1'}\nexpect: [{customer: c, patch_includes: {name: Ana}}]",
            vec![],
        ),
        (
            "event: {n: Ana, m: '1'}\nexpect: [{customer: c, patch: {name: Ana}}]",
            vec![r#"outcome 1: metadata.m: expected nothing, got "1" (rule `r`)"#],
        ),
        (
            "event: {n: Ana}\nexpect: [{customer: c, patch_includes: {name: Eva}}, {drop: x}]",
            vec![
                r#"outcome 1: name: expected "Eva", got "Ana" (rule `r`)"#,
                "outcome 2: expected drop: x, got nothing",
            ],
        ),
        // Values are plain data: what has no quotes is a number, true, false or null.
        (
            "event: {n: 5, m: no}\nexpect: [{customer: c, patch: {name: '5', metadata: [{key: m, value: no}]}}]",
            vec![],
        ),
        (
            "event: {n: Ana, at: 2025-01-15T10:00:00Z}\nnow: 2025-01-15T00:00:00Z\nexpect: [{customer: c, patch: {name: Ana}}]",
            vec![
                r#"outcome 1: warnings: expected [], got ["order_by: 2025-01-15T10:00:00.000Z is in the future and counts as now"] (rule `r`)"#,
            ],
        ),
        (
            "event: {n: Ana, at: 2025-01-15T10:00:00Z}\nnow: 2025-01-16T00:00:00Z\nexpect: [{customer: c, patch: {name: Ana}}]",
            vec![],
        ),
    ] {
        let rule =
            "order_by: at | datetime\ncustomer: {id: \"'c'\"}\nset: {name: n, metadata: {m: m}}";
        let text = file("", rule);
        let (head, _) = text.split_once("tests:\n").unwrap();
        let (_, told) = read(&format!(
            "{head}tests:\n  - name: t\n{}",
            indented(test, "    ")
        ));
        let differences: Vec<&str> = told
            .iter()
            .filter_map(|line| line.split_once("map/test-failed: test `t`: "))
            .map(|(_, difference)| difference)
            .collect();
        assert_eq!(differences, lines, "{test}");
    }
}
