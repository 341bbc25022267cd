//! The tests inside a file.

use serde_json::{Value, json};

use super::build::{Key, Piece as _, list, map_of, map_with_one_of, may, must, reference, text};

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        ("test", map_with_one_of(&["event", "event_file"], test())),
        ("outcome", outcome()),
    ]
}

fn test() -> Vec<Key> {
    let customer = json!({"type": ["string", "number", "boolean", "array"]});
    let found = json!({
        "type": "object",
        "propertyNames": {"pattern": "^(username|email|metadata\\..+)="},
        "additionalProperties": customer,
    });
    vec![
        must("name", "What the test shows.", text()),
        may("event", "The event itself, as plain data.", json!({})),
        may(
            "event_file",
            "A file with the event, from the folder of this file, such as samples/my-crm/contact.json.",
            text().matching("^[^/]"),
        ),
        may(
            "content_type",
            "What the body is, where the ending of the file cannot say it.",
            text(),
        ),
        may(
            "headers",
            "Headers of the request, those that the rules read, such as {X-Topic: customers/update}.",
            map_of(&text()),
        ),
        may(
            "found",
            "What Quentli would answer, such as {email=ana@example.com: cus_9}; a list where several match.",
            found,
        ),
        may(
            "now",
            "Sets the clock, such as 2026-01-15T10:30:00Z.",
            text(),
        ),
        must(
            "expect",
            "What comes of it: every outcome, in order.",
            list(&reference("outcome")).not_empty(),
        ),
    ]
}

fn outcome() -> Value {
    let fields = || json!({"type": "object"});
    let keys = vec![
        may("customer", "An update of this customer.", text()),
        may("patch", "All that is sent, exactly.", fields()),
        may("patch_includes", "A part of what is sent.", fields()),
        may(
            "create",
            "A new customer, with exactly these fields.",
            fields(),
        ),
        may(
            "create_includes",
            "A new customer, with these fields among others.",
            fields(),
        ),
        may("warnings", "The warnings of the update.", list(&text())),
        may("drop", "Nothing is sent, for this reason.", text()),
        may("fail", "A person must look, for this reason.", text()),
        may("retry", "It is tried again later, for this reason.", text()),
    ];
    let ends = ["drop", "fail", "retry"].map(|end| json!({"required": [end]}));
    map_with_one_of(
        &[
            "customer",
            "create",
            "create_includes",
            "drop",
            "fail",
            "retry",
        ],
        keys,
    )
    .with(
        "dependencies",
        json!({
            "patch": ["customer"],
            "patch_includes": ["customer"],
            "warnings": {"not": {"anyOf": ends}},
        }),
    )
}
