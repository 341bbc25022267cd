//! What is sent for every kind of value, field by field and option by option.

use super::*;
use crate::customer::{Field, FieldKind, Guard};

/// A value of every kind at which a field can look, and its name in the table.
const SOURCES: [(&str, &str); 5] = [
    ("absent", "none"),
    ("null", "nil"),
    ("blank", "sp"),
    ("value", "s"),
    ("error", "s | require_prefix('y')"),
];

#[test]
fn every_kind_of_value_meets_every_option() {
    // What becomes of `assigneeId`: left alone, cleared, `x` (the value), `d` (the default), a blank, or an error.
    let table = [
        ("", ["left", "cleared", "left", "x", "error"]),
        ("default: d", ["d", "d", "d", "x", "error"]),
        ("required: true", ["error", "error", "error", "x", "error"]),
        ("required: false", ["left", "cleared", "left", "x", "error"]),
        ("required: true, default: d", ["d", "d", "d", "x", "error"]),
        ("on_null: clear", ["left", "cleared", "left", "x", "error"]),
        ("on_null: skip", ["left", "left", "left", "x", "error"]),
        ("on_blank: skip", ["left", "cleared", "left", "x", "error"]),
        (
            "on_blank: clear",
            ["left", "cleared", "cleared", "x", "error"],
        ),
        ("on_blank: keep", ["left", "cleared", "blank", "x", "error"]),
        ("on_error: fail", ["left", "cleared", "left", "x", "error"]),
        ("on_error: skip", ["left", "cleared", "left", "x", "warned"]),
        (
            "on_error: skip, required: true",
            ["warned", "warned", "warned", "x", "warned"],
        ),
        ("on_error: skip, default: d", ["d", "d", "d", "x", "warned"]),
        (
            "on_null: skip, on_blank: clear",
            ["left", "left", "cleared", "x", "error"],
        ),
        (
            "default: null",
            ["cleared", "cleared", "cleared", "x", "error"],
        ),
        (
            "default: null, on_null: skip",
            ["left", "left", "left", "x", "error"],
        ),
        ("when: t", ["left", "cleared", "left", "x", "error"]),
        ("when: not t", ["left"; 5]),
        ("when: none, required: true, default: d", ["left"; 5]),
    ];
    for (options, row) in table {
        for ((kind, source), expected) in SOURCES.iter().zip(row) {
            let mut form = vec![("from".to_owned(), source.replace('\'', "''"))];
            let options = options
                .split(", ")
                .filter_map(|option| option.split_once(": "));
            form.extend(options.map(|(key, value)| (key.to_owned(), value.to_owned())));
            let form: Vec<String> = form
                .iter()
                .map(|(key, value)| match key.as_str() {
                    "from" => format!("  from: '{value}'"),
                    _ => format!("  {key}: {value}"),
                })
                .collect();
            // A second field tells what is left alone from an update without any field.
            let fields = format!("name: s\nassigneeId:\n{}", form.join("\n"));
            let became = match set(&fields, FAMILY).as_str() {
                r#"{"name":"x"}"# => "left".to_owned(),
                r#"{"name":"x","assigneeId":null}"# => "cleared".to_owned(),
                r#"{"name":"x","assigneeId":"x"}"# => "x".to_owned(),
                r#"{"name":"x","assigneeId":"d"}"# => "d".to_owned(),
                "{\"name\":\"x\",\"assigneeId\":\" \u{a0}\"}" => "blank".to_owned(),
                other if other.starts_with("fail: assigneeId: ") => "error".to_owned(),
                other if other.starts_with(r#"{"name":"x"} [assigneeId: "#) => "warned".to_owned(),
                other => other.to_owned(),
            };
            assert_eq!(became, expected, "{form:?} {kind}");
        }
    }
}

/// An expression that gives a value of this kind, and the value as it is sent.
fn sample(kind: FieldKind) -> (&'static str, &'static str) {
    match kind {
        FieldKind::Text => ("n", r#""5""#),
        FieldKind::Email => ("'a@B.mx' | email", r#""a@b.mx""#),
        FieldKind::Phone => ("'5512345678' | phone", r#""+525512345678""#),
        FieldKind::DateTime => ("'2025-01-15' | datetime", r#""2025-01-15T06:00:00.000Z""#),
        FieldKind::Bool => ("t | bool", "true"),
        FieldKind::TextList => ("l", r#"["a","b"]"#),
        FieldKind::KeyedText => ("s", r#"[{"key":"k","value":"x"}]"#),
    }
}

fn forms(field: Field, expression: &str) -> String {
    let quoted = expression.replace('\'', "''");
    match field.kind() {
        FieldKind::KeyedText => format!("{field}:\n  k: '{quoted}'"),
        _ => format!("{field}: '{quoted}'"),
    }
}

/// A file that sets this, allowed or not.
fn setting_allowed(allow: &str, fields: &str) -> String {
    let text = setting("", fields).replace("allow: [tags]\n", "\n");
    text.replacen(
        "otherwise: drop\n",
        &format!("otherwise: drop\n{allow}\n"),
        1,
    )
}

#[test]
fn every_field_takes_its_kind_and_sends_it() {
    for field in Field::ALL {
        let (expression, sent) = sample(field.kind());
        let text = setting_allowed(&format!("allow: [{field}]"), &forms(field, expression));
        assert_eq!(
            result(&compiled(&text), FAMILY),
            format!("{{\"{field}\":{sent}}}"),
            "{field}"
        );
    }
}

#[test]
fn every_field_refuses_the_other_kinds_when_the_file_is_loaded() {
    let kinds = Field::ALL.map(Field::kind);
    for field in Field::ALL {
        for kind in kinds {
            let (expression, _) = sample(kind);
            let text = setting_allowed(&format!("allow: [{field}]"), &forms(field, expression));
            let (mapping, lines) = read(&text);
            // A text takes what converts to one; a path may be anything until an event comes.
            let converts = |kind| {
                matches!(
                    kind,
                    FieldKind::Text
                        | FieldKind::Email
                        | FieldKind::Phone
                        | FieldKind::DateTime
                        | FieldKind::TextList
                        | FieldKind::KeyedText
                )
            };
            let takes = match field.kind() {
                FieldKind::Text | FieldKind::TextList | FieldKind::KeyedText => converts(kind),
                own => own == kind,
            };
            assert_eq!(mapping.is_some(), takes, "{field} {expression}: {lines:?}");
            if !takes {
                assert!(
                    lines.iter().any(|line| line.contains("map/wrong-type")),
                    "{field} {expression}: {lines:?}"
                );
            }
        }
    }
}

#[test]
fn every_field_is_cleared_by_null_or_refuses_it() {
    for field in Field::ALL {
        let allow = format!("allow: [{field}]");
        let is_list = matches!(field, Field::Tags | Field::Metadata);
        // A null that is written.
        let (mapping, lines) = read(&setting_allowed(&allow, &forms(field, "null")));
        let is_refused = lines.iter().any(|line| line.contains("map/not-nullable"));
        assert_eq!(
            is_refused,
            !field.is_nullable() && !is_list,
            "{field}: {lines:?}"
        );
        assert_eq!(mapping.is_none(), is_refused, "{field}");
        // A null of the event, behind the transform that the field needs.
        let source = match field.kind() {
            FieldKind::Email => "nil | email",
            FieldKind::Phone => "nil | phone",
            FieldKind::DateTime => "nil | datetime",
            FieldKind::Bool => "nil | bool",
            FieldKind::Text | FieldKind::TextList | FieldKind::KeyedText => "nil",
        };
        let text = setting_allowed(&allow, &forms(field, source));
        let sent = match field {
            Field::Tags => "drop: nothing to change".to_owned(),
            Field::Metadata => r#"{"metadata":[{"key":"k","value":null}]}"#.to_owned(),
            _ if field.is_nullable() => format!("{{\"{field}\":null}}"),
            _ => format!("fail: {field}: Quentli cannot clear this field"),
        };
        assert_eq!(result(&compiled(&text), FAMILY), sent, "{field}");
    }
}

#[test]
fn a_name_and_a_username_are_never_blank() {
    for field in [Field::Name, Field::Username] {
        let kept = compiled(&setting("defaults: {on_blank: keep}", &forms(field, "sp")));
        assert_eq!(result(&kept, FAMILY), "drop: nothing to change", "{field}");
    }
    let kept = compiled(&setting("defaults: {on_blank: keep}", "assigneeId: sp"));
    assert_eq!(result(&kept, FAMILY), "{\"assigneeId\":\" \u{a0}\"}");
}

#[test]
fn every_guarded_field_needs_its_permission() {
    for field in Field::ALL {
        let (expression, _) = sample(field.kind());
        let (mapping, lines) = read(&setting_allowed("", &forms(field, expression)));
        let is_guarded = field.guard() != Guard::None;
        assert_eq!(mapping.is_none(), is_guarded, "{field}: {lines:?}");
        if is_guarded {
            assert!(
                lines[0].contains("map/guarded-field")
                    && lines[0].contains(&format!("allow: [{field}]")),
                "{lines:?}"
            );
        }
    }
    for secret in ["password", "otp"] {
        let (_, lines) = read(&setting_allowed("allow: [tags]", &format!("{secret}: s")));
        let refusal = lines.iter().find(|line| line.contains("map/guarded-field"));
        assert!(refusal.unwrap().contains("never sets"), "{lines:?}");
    }
}

#[test]
fn values_convert_as_the_table_says() {
    for (fields, sent) in [
        // A number is text as it was spelled.
        ("name: n", r#"{"name":"5"}"#),
        ("name: d", r#"{"name":"8450.00"}"#),
        ("tags: [n, d]", r#"{"tags":["5","8450.00"]}"#),
        // Telephone numbers, times and addresses are texts.
        (
            "name: \"'5512345678' | phone\"",
            r#"{"name":"+525512345678"}"#,
        ),
        (
            "name: \"'2025-01-15' | datetime\"",
            r#"{"name":"2025-01-15T06:00:00.000Z"}"#,
        ),
        ("name: \"'a@b.mx' | email\"", r#"{"name":"a@b.mx"}"#),
        // A path is looked at when the event comes.
        ("name: t", "fail: name: expected text, got true or false"),
        ("name: l", "fail: name: expected text, got a list"),
        ("name: o", "fail: name: expected text, got an object"),
        (
            "metadata: {k: t}",
            "fail: metadata.k: expected a text, got true or false",
        ),
        // One value is no list, except for tags.
        ("tags: s", r#"{"tags":["x"]}"#),
        (
            "metadata: [{each: s, key: k, from: n}]",
            "fail: metadata.k: expected a list, got a text",
        ),
    ] {
        assert_eq!(set(fields, FAMILY), sent, "{fields}");
    }
}
