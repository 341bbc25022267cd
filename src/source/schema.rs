//! The JSON Schema of a source file, which editors use to complete, explain and check while somebody types.
//!
//! It describes the file as an editor sees it: YAML with true, false, null and numbers. It says which keys there are,
//! what each is for and what words it takes; it knows nothing of expressions, of types, or of what keys mean together
//! beyond the obvious. So what it finds wrong `check` finds wrong too, and not the other way round. Tests hold its keys
//! and words against the readers, so that a new key cannot be forgotten here.
//!
//! It is written in draft 7 of JSON Schema, since the YAML servers of editors read later drafts only in recent versions.
//! Each map of the file is one of its `definitions`.

mod build;
mod examples;
mod handshake;
mod mapping;
mod receive;
mod signature;

use serde_json::{Map, Value, json};

use self::build::{
    Key, Piece as _, expression, list, map, map_of, may, must, one_of, reference, text,
};
use super::Mode;
use super::conflict;
use crate::event::OrganisationName;

/// The schema as it is shipped: indented, with a line end.
pub fn text_of_schema() -> String {
    format!("{:#}\n", schema())
}

/// The schema.
pub fn schema() -> Value {
    let definitions: Map<String, Value> = receive::definitions()
        .into_iter()
        .chain(handshake::definitions())
        .chain(signature::definitions())
        .chain(mapping::definitions())
        .chain(examples::definitions())
        .map(|(name, definition)| (name.to_owned(), definition))
        .collect();
    let about =
        "How one sending system's webhooks are received, and what becomes of them in Quentli.";
    map(file())
        .with("$schema", json!("http://json-schema.org/draft-07/schema#"))
        .with("title", json!("quentli-gateway source file"))
        .with("description", json!(about))
        .with("definitions", Value::Object(definitions))
}

const NAME: &str = "^[a-z0-9][a-z0-9-]{0,63}$";

/// The keys at the top.
fn file() -> Vec<Key> {
    let organisation = OrganisationName::default_name();
    vec![
        must(
            "mapping",
            "The version of this language: 1.",
            json!({"enum": [1, "1"]}),
        ),
        must(
            "source",
            "The name of the source: small letters, digits and `-`; the same as the file's. It is the end of the \
             address, /webhooks/<source>.",
            text().matching(NAME),
        ),
        must(
            "receive",
            "How requests prove that they are genuine, how a repeated one is known, and what the sender is answered.",
            reference("receive"),
        ),
        may(
            "quentli",
            &format!(
                "Which organisation of the gateway's configuration; otherwise `{organisation}`."
            ),
            text().matching(NAME),
        ),
        may(
            "mode",
            "`live` (also without this line): what is received is delivered. `observe`: it is mapped and shown, and nothing is sent.",
            one_of(&Mode::ALL.map(Mode::as_str)),
        ),
        may(
            "on_conflict",
            "What becomes of a change for which somebody else has the user name, the address or the phone number: \
             `fail` keeps it for a person, `drop_contact` sends the rest and keeps these three.",
            one_of(&conflict::WORDS.map(|(word, _)| word)),
        ),
        may(
            "timezone",
            "The time zone of dates without an offset; America/Mexico_City unless you say otherwise.",
            text(),
        ),
        may(
            "phone_region",
            "The country of phone numbers without a country code; MX unless you say otherwise.",
            text().matching("^[A-Z]{2}$"),
        ),
        may(
            "items",
            "A list that splits one request into items, such as `$[]` or `events[]`. Without it the whole body is one \
             item.",
            expression(),
        ),
        must(
            "otherwise",
            "What becomes of an item that no rule takes: `drop` lets it go, `fail` keeps it for a person.",
            one_of(&["drop", "fail"]),
        ),
        may(
            "defaults",
            "What fields do with null, blanks and errors, unless they say otherwise.",
            reference("defaults"),
        ),
        may(
            "allow",
            "Guarded fields of Quentli that this file may set, such as [tags].",
            list(&mapping::guarded_field()),
        ),
        may(
            "tables",
            "Tables for `lookup(name)`: for each text that may come in, the text, number, true or false that it \
             becomes.",
            map_of(&map_of(&text())),
        ),
        must(
            "rules",
            "Tried in order for each item: the first whose `when` holds is the only one that runs.",
            list(&reference("rule")).not_empty(),
        ),
        must(
            "tests",
            "At least one complete event of each kind, with what must come of it.",
            list(&reference("test")).not_empty(),
        ),
    ]
}

#[cfg(test)]
mod tests;
