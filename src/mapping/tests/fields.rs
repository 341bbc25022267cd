//! Field forms: what is sent for every kind of value.

use super::*;

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
    // What cannot hold a blank leaves it out.
    let fields =
        "name: e\nemail: e | email\nphoneNumber: {from: e | phone, required: false}\nassigneeId: e";
    let keep = compiled(&setting("defaults: {on_blank: keep}", fields));
    assert_eq!(result(&keep, FAMILY), r#"{"assigneeId":""}"#);
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
