//! What is told of an event.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const ALL: Extent = Extent {
    item: None,
    most: usize::MAX,
};
const FEW: Extent = Extent {
    item: None,
    most: 3,
};

fn explained(mapping: &Mapping, body: &str, extent: Extent) -> Explanation {
    let input = Input {
        body: body.as_bytes(),
        content_type: None,
        headers: &[],
        now: now(),
    };
    mapping.explain(&input, None, extent).unwrap()
}

/// The steps in one line, `expression = value` each, with parts of parts in parentheses.
fn steps(steps: &[Step]) -> String {
    let shown = steps.iter().map(|step| {
        let shown = format!("{} = {}", step.expression, step.value.text);
        if step.depth == 0 {
            shown
        } else {
            format!("({shown})")
        }
    });
    shown.collect::<Vec<_>>().join(" ; ")
}

fn assignment(told: &Assignment) -> String {
    let note = told.note.iter().map(|note| format!(" -> {note}"));
    format!(
        "{}: {}{}",
        told.field,
        steps(&told.steps),
        note.collect::<String>()
    )
}

/// What is told of the fields of the only element.
fn fields(set: &str, body: &str) -> String {
    let mapping = compiled(&setting("tables: {t: {a: A}}", set));
    let told = explained(&mapping, body, ALL);
    let [item] = told.items.as_slice() else {
        panic!("one item");
    };
    let [element] = item.elements.as_slice() else {
        panic!("one element");
    };
    let lines: Vec<String> = element.fields.iter().map(assignment).collect();
    lines.join("\n")
}

/// What is told of an event is what becomes of it: the same outcomes, and for each field what its update holds.
pub(super) fn is_told_as_it_is(mapping: &Mapping, input: &Input<'_>) -> Result<(), TestCaseError> {
    let mapped = mapping.map(input);
    let Ok(told) = mapping.explain(input, Some(&[]), ALL) else {
        let [item] = mapped.items.as_slice() else {
            return Err(TestCaseError::fail("an unreadable body is one item"));
        };
        prop_assert!(matches!(item.outcomes.as_slice(), [ItemOutcome::Fail(_)]));
        return Ok(());
    };
    prop_assert_eq!(&told.mapped, &mapped);
    if told.ending.is_some() {
        prop_assert_eq!(told.outcomes().count(), 1);
        return Ok(());
    }
    prop_assert_eq!(told.items.len(), mapped.items.len());
    for (item, mapped) in told.items.iter().zip(&mapped.items) {
        prop_assert_eq!(&item.dedup_key, &mapped.dedup);
        let ended = item
            .elements
            .iter()
            .filter(|element| element.ending.is_some());
        let whole = usize::from(item.ending.is_some());
        prop_assert_eq!(ended.clone().count() + whole, mapped.outcomes.len());
        for (element, outcome) in ended.zip(&mapped.outcomes) {
            let patch = match outcome {
                ItemOutcome::Fail(_) => continue,
                ItemOutcome::Drop { .. } => Patch::new(),
                ItemOutcome::Update(update) => update.patch.clone(),
            };
            fields_are_told_as_they_are(&element.fields, &patch)?;
        }
    }
    Ok(())
}

fn fields_are_told_as_they_are(fields: &[Assignment], patch: &Patch) -> Result<(), TestCaseError> {
    let parts: BTreeMap<String, String> = patch
        .parts()
        .into_iter()
        .map(|(key, value)| (key.to_string(), value))
        .collect();
    // Of several entries of the metadata with the same key the last counts.
    let last: BTreeMap<&str, &Assignment> = fields
        .iter()
        .filter(|told| told.effect != Effect::Each && told.field != "tags")
        .filter(|told| told.field.starts_with("metadata.") || told.field != "metadata")
        .map(|told| (told.field.as_str(), told))
        .collect();
    for (field, told) in last {
        let value = parts.get(field).map(String::as_str);
        match told.effect {
            Effect::Sets => prop_assert!(value.is_some_and(|value| value != "null"), "{told:?}"),
            Effect::Clears => prop_assert_eq!(value, Some("null")),
            // An earlier entry may have given a value.
            _ if field.starts_with("metadata.") => {}
            _ => prop_assert_eq!(value, None),
        }
    }
    for field in parts.keys().filter(|field| *field != "tags") {
        prop_assert!(fields.iter().any(|told| told.field == *field), "{field}");
    }
    Ok(())
}

#[test]
fn every_step_of_an_expression_is_told_with_its_value() {
    for (expression, told) in [
        ("s", "s = 'x'"),
        ("l[0]", "l[0] = 'a'"),
        (
            "s | upper | default('d')",
            "s = 'x' ; | upper = 'X' ; | default('d') = 'X'",
        ),
        (
            "none ?? s ?? n | upper",
            "none = absent ; ?? s = 'x' ; ?? n = not needed ; | upper = 'X'",
        ),
        (
            "nil ?? none",
            "nil = null ; ?? none = absent ; together = null",
        ),
        (
            "none | lower | trim",
            "none = absent ; | lower | trim = absent",
        ),
        (
            "e | lower | default(s)",
            "e = '' ; | lower = '' ; | default(s) = 'x'",
        ),
        (
            "join('-', s, none, n | text)",
            "join('-', s, none, n | text) = 'x-5' ; (s = 'x') ; (none = absent) ; (n = 5) ; (| text = '5')",
        ),
        (
            "(s | upper) ?? n",
            "s = 'x' ; | upper = 'X' ; ?? n = not needed",
        ),
        (
            "l | first | upper",
            "l = ['a', 'b', null, 'b'] ; | first = 'a' ; | upper = 'A'",
        ),
        (
            "s | number | text",
            "s = 'x' ; | number = error: 'x' is not a number",
        ),
        (
            "s | lookup(t)",
            "s = 'x' ; | lookup(t) = error: table `t` has no entry 'x'",
        ),
    ] {
        let set = format!("metadata:\n  k: {{from: \"{expression}\", on_error: skip}}");
        let shown = fields(&set, FAMILY);
        let shown = shown.split(" -> ").next().unwrap();
        assert_eq!(shown, format!("metadata.k: {told}"));
    }
}

#[test]
fn what_becomes_of_a_field_is_told() {
    for (set, told) in [
        ("name: s", "name: s = 'x'"),
        (
            "email: none | email",
            "email: none = absent ; | email = absent -> left alone",
        ),
        (
            "email: nil | email",
            "email: nil = null ; | email = null -> cleared",
        ),
        (
            "email: {from: nil | email, on_null: skip}",
            "email: nil = null ; | email = null -> left alone (on_null: skip)",
        ),
        (
            "email: e | email",
            "email: e = '' ; | email = '' -> left alone, being blank",
        ),
        (
            "email: {from: e | email, on_blank: clear}",
            "email: e = '' ; | email = '' -> cleared (on_blank: clear)",
        ),
        (
            "assigneeId: {from: e, on_blank: keep}",
            "assigneeId: e = '' -> kept, although blank",
        ),
        (
            "name: {from: none, default: Nadie}",
            "name: none = absent -> the default: 'Nadie'",
        ),
        (
            "name: {when: n == 6, from: s}",
            "name: when n == 6 = no: n is 5 -> left alone",
        ),
        (
            "name: {when: n == 5, from: s}",
            "name: when n == 5 = yes: n is 5 ; s = 'x'",
        ),
        ("skipTaxInvoice: true", "skipTaxInvoice: true = true"),
        ("tags: [{value: []}]", "tags: value: [] = []"),
        (
            "name: \"join(' ', s, o)\"",
            "name: join(' ', s, o) = error: expected a text, got an object ; (s = 'x') ; (o = {k: 'v', tipo de plan: 'anual', dup: 2}) -> nothing of this update is sent",
        ),
        ("name: {value: Ana}", "name: value: 'Ana' = 'Ana'"),
        (
            "name: {template: '{s}-{n}'}",
            "name: {s}-{n} = 'x-5' ; (s = 'x') ; (n = 5)",
        ),
        (
            "name: {required: true, from: none}",
            "name: none = absent -> error: required, but it has no value; nothing of this update is sent",
        ),
        (
            "phoneNumber: s | phone",
            "phoneNumber: s = 'x' ; | phone = error: 'x' is not a phone number -> nothing of this update is sent",
        ),
        (
            "phoneNumber: {from: s | phone, on_error: skip}",
            "phoneNumber: s = 'x' ; | phone = error: 'x' is not a phone number -> left out, with a warning (on_error: skip)",
        ),
        (
            "name: o",
            "name: o = {k: 'v', tipo de plan: 'anual', dup: 2} -> error: expected text, got an object; nothing of this update is sent",
        ),
        (
            "name: nil",
            "name: nil = null -> error: Quentli cannot clear this field; nothing of this update is sent",
        ),
        (
            "name:\n  cases:\n    - {when: n == 6, from: s}\n    - {when: exists(o), value: Ana}\n    - {when: t, from: s}",
            "name: when n == 6 = no: n is 5 ; when exists(o) = yes: o is an object ; value: 'Ana' = 'Ana'",
        ),
        (
            "name:\n  cases:\n    - {when: n == 6, from: s}",
            "name: when n == 6 = no: n is 5 ; no case holds = absent -> left alone",
        ),
    ] {
        assert_eq!(fields(set, FAMILY), told);
    }
}

#[test]
fn entries_of_tags_and_metadata_are_told_one_by_one() {
    let set = "tags:\n  - s\n  - nil\n  - each: phones[]\n    when: type == 'mobile'\n    from: number\nmetadata:\n  - {key: Nada, from: none}\n  - {key: Fuera, from: nil}\n  - each: phones[]\n    key_from: type\n    from: number";
    insta::assert_snapshot!(fields(set, FAMILY), @"
    tags: s = 'x'
    tags: nil = null -> left out
    tags: each phones[] = 3 elements
    tags: when type == 'mobile' = no: type is 'home' -> left out
    tags: when type == 'mobile' = yes: type is 'mobile' ; number = '2'
    tags: when type == 'mobile' = yes: type is 'mobile' ; number = '3'
    metadata.Nada: none = absent -> left out
    metadata.Fuera: nil = null -> the key is removed
    metadata: each phones[] = 3 elements
    metadata.home: key type = 'home' ; number = '1'
    metadata.mobile: key type = 'mobile' ; number = '2'
    metadata.mobile: key type = 'mobile' ; number = '3'
    ");
}

#[test]
fn a_condition_names_the_values_that_decide_it() {
    for (condition, answer) in [
        ("s == 'x'", "yes: s is 'x'"),
        ("s == 'y'", "no: s is 'x'"),
        ("s in ['x', none]", "yes: s is 'x', none is absent"),
        ("n > 3 and n < 9", "yes: n is 5"),
        ("t and s == 'y' and n == 5", "no: s is 'x'"),
        ("s == 'y' or n == 5", "yes: n is 5"),
        ("s == 'y' or none", "no: s is 'x', none is absent"),
        ("not t", "no: t is true"),
        ("not exists(phones)", "no: phones is a list"),
        ("is_blank(el)", "yes: el is []"),
        ("s | starts_with('a')", "no: s | starts_with('a') is false"),
        ("(s | upper) == 'X'", "yes: (s | upper) is 'X'"),
        (
            "s < 3",
            "error: `<` compares two numbers or two dates, got a text and a number",
        ),
        ("true", "yes"),
    ] {
        let mapping = compiled(&file(
            "",
            &format!("when: \"{condition}\"\ncustomer: {{id: s}}\nset: {{name: s}}"),
        ));
        let told = explained(&mapping, FAMILY, ALL);
        let rules = &told.items[0].rules;
        assert_eq!(rules[0].answer.text, "no: skipped is absent");
        assert_eq!(rules[1].answer.text, answer, "{condition}");
        assert_eq!(rules[1].when.as_deref(), Some(condition));
    }
}

#[test]
fn the_fields_after_one_that_fails_are_counted() {
    let mapping = compiled(&setting("", "email: s | email\nname: s\nassigneeId: s"));
    let told = explained(&mapping, FAMILY, ALL);
    let element = &told.items[0].elements[0];
    assert_eq!((element.fields.len(), element.unseen), (1, 2));
    assert_eq!(
        element.ending,
        Some(Ending::Fail {
            reason: "email: email: 'x' is not an e-mail address".to_owned(),
            line: Some(13),
        })
    );
}

#[test]
fn a_place_in_the_file_is_told_also_where_yaml_spells_the_text_differently() {
    let mapping = compiled(&setting(
        "",
        "name: |-\n  s\n  | replace('x', 'y')\nassigneeId: \"s | replace('x', '\\\"')\"",
    ));
    let told = explained(&mapping, FAMILY, ALL);
    let shown: Vec<String> = told.items[0].elements[0]
        .fields
        .iter()
        .map(assignment)
        .collect();
    assert_eq!(
        shown,
        [
            "name: s = 'x' ; | replace('x', 'y') = 'y'",
            "assigneeId: s = 'x' ; | replace('x', '\"') = '\"'",
        ]
    );
}

#[test]
fn a_customer_is_told_as_quentli_would_answer() {
    let rule = "customer: {id: none, find: [{username: \"concat('tut-', n)\"}, {email: mail}], on_missing: retry}\nset: {name: s}";
    let mapping = compiled(&file("", rule));
    let found = |written: &str, customers: &[&str]| {
        let customers = customers.iter().map(|id| (*id).to_owned()).collect();
        vec![Found::new(written, customers).unwrap()]
    };
    let input = Input {
        body: FAMILY.as_bytes(),
        content_type: None,
        headers: &[],
        now: now(),
    };
    let ending = |found: Option<Vec<Found>>| {
        let told = mapping.explain(&input, found.as_deref(), ALL).unwrap();
        match told.items[0].elements[0].ending.clone().unwrap() {
            Ending::Update { recipient, .. } => format!("{recipient:?}"),
            ending => format!("{ending:?}"),
        }
    };
    for (found, told) in [
        (
            None,
            r#"Asked { keys: [("username", "tut-5")], if_nobody: Retry }"#,
        ),
        (
            Some(found("username=tut-5", &["cus_5"])),
            r#"Known("cus_5")"#,
        ),
        (Some(Vec::new()), r#"Retry("customer not found")"#),
        (
            Some(found("username=tut-5", &["cus_5", "cus_6"])),
            r#"Fail { reason: "more than one customer matches", line: None }"#,
        ),
    ] {
        assert_eq!(ending(found), told);
    }
}

#[test]
fn a_new_customer_is_told_with_the_fields_that_only_it_gets() {
    let rule = "customer:\n  find: [{username: \"concat('tut-', n)\"}]\n  on_missing: create\n  create: {name: \"concat('Tutor ', n)\", skipTaxInvoice: true}\nset: {assigneeId: s}";
    let mapping = compiled(&file("", rule));
    let told = explained(&mapping, FAMILY, ALL);
    let element = &told.items[0].elements[0];
    let create: Vec<String> = element.create.iter().map(assignment).collect();
    assert_eq!(
        create,
        [
            "name: concat('Tutor ', n) = 'Tutor 5' ; (n = 5)",
            "skipTaxInvoice: true = true"
        ]
    );
    let fields: Vec<String> = element.fields.iter().map(assignment).collect();
    assert_eq!(fields, ["assigneeId: s = 'x'"]);
    let Some(Ending::Update {
        recipient:
            Recipient::Asked {
                if_nobody: IfNobody::Create(all),
                ..
            },
        ..
    }) = &element.ending
    else {
        panic!("{:?}", element.ending);
    };
    assert_eq!(
        json(all),
        r#"{"name":"Tutor 5","username":"tut-5","assigneeId":"x","skipTaxInvoice":true}"#
    );
}

#[test]
fn an_event_that_gives_nothing_ends_as_a_whole() {
    for (top, body, reason) in [
        ("items: $.events[]", r#"{"events": []}"#, "nothing selected"),
        ("items: $.events[]", "{}", "nothing selected"),
    ] {
        let told = explained(
            &compiled(&file(top, "customer: {id: s}\nset: {name: s}")),
            body,
            ALL,
        );
        assert_eq!(told.ending, Some(Ending::Drop(reason.to_owned())));
        assert!(told.items.is_empty());
    }
    let unreadable = Input {
        body: b"{",
        content_type: None,
        headers: &[],
        now: now(),
    };
    let mapping = compiled(&setting("", "name: s"));
    let error = mapping.explain(&unreadable, None, ALL).unwrap_err();
    assert!(error.to_string().starts_with("body: not JSON: "), "{error}");
}

#[test]
fn what_is_told_is_bounded_however_large_the_event() {
    let rule = "each: $.l[]\nonly: $.all or keep\ncustomer: {id: id}\nset:\n  metadata:\n    - {each: $.many, key_from: id, from: id}";
    let mapping = compiled(&file("items: $.events[]", rule));
    let many = vec![r#"{"id": "x"}"#; 20].join(",");
    let elements: Vec<String> = (0..200)
        .map(|id| format!(r#"{{"id": "c{id}", "keep": {}}}"#, id == 150))
        .collect();
    let events = vec!["{}"; 20].join(",");
    let body = |all| {
        format!(
            r#"{{"all": {all}, "events": [{events}], "l": [{}], "many": [{many}]}}"#,
            elements.join(",")
        )
    };
    let told = explained(&mapping, &body(false), FEW);
    assert_eq!(
        (told.items.len(), told.others.count, told.others.updates),
        (3, 17, 17)
    );
    let item = &told.items[0];
    let numbers: Vec<_> = item
        .elements
        .iter()
        .filter_map(|element| element.number)
        .collect();
    // Those that are left out do not crowd out the one that is not.
    assert_eq!(numbers, [1, 2, 3, 151]);
    assert_eq!((item.others.count, item.others.updates), (196, 0));

    let told = explained(&mapping, &body(true), FEW);
    let item = &told.items[0];
    assert_eq!((item.elements.len(), item.others.updates), (3, 197));
    let fields: Vec<String> = item.elements[0].fields.iter().map(assignment).collect();
    assert_eq!(
        fields[0],
        "metadata: each $.many = 20 elements -> 17 more elements not shown"
    );
    assert_eq!(fields.len(), 4);
    let told = explained(
        &mapping,
        &body(true),
        Extent {
            item: Some(20),
            most: 3,
        },
    );
    assert_eq!((told.items.len(), told.items[0].number), (1, 20));
}

#[test]
fn an_event_that_asks_for_too_much_work_is_told_as_that() {
    let mapping = compiled(&file(
        "items: $.l[]",
        "customer: {id: v}\nset: {name: \"join(',', $.l[].v, $.l[].v, $.l[].v)\"}",
    ));
    let elements = vec![r#"{"v": "abc"}"#; 4_000].join(",");
    let told = explained(&mapping, &format!(r#"{{"l": [{elements}]}}"#), FEW);
    let Some(Ending::Fail { reason, line: None }) = &told.ending else {
        panic!("{:?}", told.ending);
    };
    assert_eq!(reason, "mapping this event takes too much work");
    assert_eq!(told.items.len(), 3);
}
