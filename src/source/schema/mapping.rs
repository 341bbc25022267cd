//! Rules, fields, and what fields do by default.

use serde_json::{Value, json};

use super::build::{
    Key, Piece as _, any, constant, expression, list, map, map_of, map_with_one_of, may, must,
    one_of, reference, text, yes_or_no,
};
use crate::{
    customer::{Field, FieldKind, Guard},
    mapping::Function,
};

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    let sources = ["from", "value", "template"];
    let all_sources = ["from", "value", "template", "cases"];
    let with = |more: Vec<Key>| long_form().into_iter().chain(more).collect();
    // One of the sources, and one of the keys as well.
    let one_key = json!([{"oneOf": [{"required": ["key"]}, {"required": ["key_from"]}]}]);
    vec![
        (
            "expression",
            expression().with("description", json!(about_expressions())),
        ),
        ("defaults", map(reactions())),
        ("rule", map(rule())),
        ("customer", map(customer())),
        ("find", find()),
        ("template", map(vec![template()])),
        ("set", map(fields())),
        ("form", map_with_one_of(&all_sources, long_form())),
        ("case", map_with_one_of(&sources, case())),
        ("tag", map_with_one_of(&all_sources, with(vec![each()]))),
        (
            "entry",
            map_with_one_of(&all_sources, with(entry())).with("allOf", one_key),
        ),
    ]
}

/// What an expression is, and every function.
fn about_expressions() -> String {
    let functions: Vec<&str> = Function::ALL.into_iter().map(Function::usage).collect();
    format!(
        "An expression: a path such as contact.email, a text in single quotes, `a ?? b` for the first that has a \
         value, and `| name` to change it. Functions: {}.",
        functions.join("; ")
    )
}

fn reactions() -> Vec<Key> {
    vec![
        may(
            "on_null",
            "Null in the event: `clear` the field, unless you say otherwise, or `skip` it.",
            one_of(&["clear", "skip"]),
        ),
        may(
            "on_blank",
            "A text without content: `skip` the field, unless you say otherwise, `clear` it, or `keep` the blank.",
            one_of(&["skip", "clear", "keep"]),
        ),
        may(
            "on_error",
            "A value that cannot be read: `fail` the whole update, unless you say otherwise, or `skip` the field with \
             a warning.",
            one_of(&["fail", "skip"]),
        ),
    ]
}

fn rule() -> Vec<Key> {
    vec![
        must(
            "name",
            "Different for each rule; errors and tests show it.",
            text(),
        ),
        may(
            "when",
            "The rule takes the item only if this holds. Without it, it takes every item.",
            expression(),
        ),
        may(
            "drop",
            "The item ends here, with this reason. Only `name` and `when` may stand beside it.",
            text(),
        ),
        may(
            "fail",
            "The item waits for a person, with this reason. Only `name` and `when` may stand beside it.",
            text(),
        ),
        may(
            "each",
            "A list: one update for each of its elements. Inside, names begin at the element, and `^` goes one level \
             up.",
            expression(),
        ),
        may(
            "only",
            "Elements of `each` for which this does not hold are left out.",
            expression(),
        ),
        may(
            "order_by",
            "A number or a date that grows with each change: an older change never overwrites a newer one.",
            expression(),
        ),
        may("customer", "Whose record.", reference("customer")),
        may(
            "set",
            "Which field of Quentli gets which value.",
            reference("set"),
        ),
    ]
}

fn customer() -> Vec<Key> {
    vec![
        may(
            "id",
            "The customer's id in Quentli; used when it has a value.",
            identifier(),
        ),
        may(
            "find",
            "Otherwise the customer is looked for, in this order.",
            list(&reference("find")).not_empty(),
        ),
        may(
            "on_missing",
            "When nobody is found: `retry`, unless you say otherwise, looks again for up to seven days; `fail` leaves \
             it to a person; `drop` lets it go; `create` makes a new customer.",
            one_of(&["retry", "fail", "drop", "create"]),
        ),
        may(
            "create",
            "With `on_missing: create`: fields that only a new customer gets, where `set` gives nothing.",
            reference("set"),
        ),
    ]
}

/// An expression whose text names a customer, or a template.
fn identifier() -> Value {
    any(&[expression(), reference("template")])
}

fn template() -> Key {
    must(
        "template",
        "A text with expressions in braces, such as x_{id}.",
        text(),
    )
}

/// A line such as `username: id` or `metadata.folio: id`.
fn find() -> Value {
    let ways = vec![
        may(
            "username",
            "The customer whose username is exactly this.",
            identifier(),
        ),
        may(
            "email",
            "The customer with this e-mail address; capitals make no difference.",
            identifier(),
        ),
    ];
    let by_metadata = identifier().with(
        "description",
        json!("The customer whose metadata has exactly this under the key after the dot."),
    );
    map(ways)
        .with("patternProperties", json!({"^metadata\\..": by_metadata}))
        .with("minProperties", json!(1))
        .with("maxProperties", json!(1))
}

/// The fields of Quentli, and the other name of one.
fn fields() -> Vec<Key> {
    let meta = may(
        "meta",
        "Another name of `metadata`; use one of the two.",
        map_of(&form()),
    );
    let field = |field: Field| may(field.as_str(), &about(field), takes(field.kind()));
    Field::ALL.into_iter().map(field).chain([meta]).collect()
}

/// What may stand under a field of a kind.
fn takes(kind: FieldKind) -> Value {
    let tag = any(&[reference("expression"), reference("tag")]);
    match kind {
        FieldKind::KeyedText => any(&[map_of(&form()), list(&reference("entry"))]),
        FieldKind::TextList => any(&[
            reference("expression"),
            reference("tag"),
            list(&tag).not_empty(),
        ]),
        FieldKind::Text
        | FieldKind::Email
        | FieldKind::Phone
        | FieldKind::DateTime
        | FieldKind::Bool => form(),
    }
}

/// An expression, or the long form of a field.
fn form() -> Value {
    any(&[reference("expression"), reference("form")])
}

/// What a field holds, and whether it may be set and cleared.
fn about(field: Field) -> String {
    let kind = match field.kind() {
        FieldKind::Text => "Text.",
        FieldKind::Email => "An e-mail address: needs `| email`.",
        FieldKind::Phone => "A phone number: needs `| phone`.",
        FieldKind::DateTime => "A date and time: needs `| datetime`, `| unix_s` or `| unix_ms`.",
        FieldKind::Bool => "True or false: needs `| bool`.",
        FieldKind::TextList => "A list of texts; what is sent replaces the whole list.",
        FieldKind::KeyedText => {
            "Data of your own: keys with texts, or a list of entries with `key` or `key_from`. Keys that are not sent \
             stay; null removes a key."
        }
    };
    let clearing = match field.kind() {
        FieldKind::KeyedText => "",
        _ if field.is_nullable() => " Null clears it.",
        _ => " It cannot be cleared.",
    };
    let guard = match field.guard() {
        Guard::None => String::new(),
        Guard::WholeList | Guard::Consent | Guard::Account => {
            format!(" Guarded: needs `allow: [{field}]` at the top of the file.")
        }
    };
    format!("{kind}{clearing}{guard}")
}

/// The fields that `allow` may name.
pub(super) fn guarded_field() -> Value {
    let guarded = Field::ALL
        .into_iter()
        .filter(|field| field.guard() != Guard::None);
    one_of(&guarded.map(Field::as_str).collect::<Vec<_>>())
}

/// Where a value comes from.
fn sources() -> Vec<Key> {
    vec![
        may("from", "Where the value comes from.", expression()),
        may(
            "value",
            "A fixed value; a text needs no quotes inside. null clears the field.",
            constant(),
        ),
        may(
            "template",
            "A text with expressions in braces, such as tut-{contact.id}. If one has no value, neither has the whole.",
            text(),
        ),
    ]
}

fn case() -> Vec<Key> {
    let when = must(
        "when",
        "The first case for which this holds gives the value.",
        expression(),
    );
    sources().into_iter().chain([when]).collect()
}

fn each() -> Key {
    may(
        "each",
        "A list: one entry for each of its elements.",
        expression(),
    )
}

fn entry() -> Vec<Key> {
    vec![
        each(),
        may("key", "The key in Quentli, exactly as it is to be.", text()),
        may("key_from", "Where the key comes from.", expression()),
    ]
}

/// The long form of a field.
fn long_form() -> Vec<Key> {
    let mut keys = sources();
    keys.extend([
        may(
            "cases",
            "Cases, tried in order.",
            list(&reference("case")).not_empty(),
        ),
        may(
            "when",
            "Without this holding, the field is left alone.",
            expression(),
        ),
        may(
            "default",
            "A fixed value for when there is none. It is written on every such event.",
            constant(),
        ),
        may("required", "true: no value is a failure.", yes_or_no()),
    ]);
    keys.extend(reactions());
    keys
}
