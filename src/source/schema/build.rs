//! The pieces that the schema is made of.

use serde_json::{Map, Value, json};

/// A key of a map with what stands under it.
#[derive(Clone)]
pub(super) struct Key {
    name: &'static str,
    is_needed: bool,
    value: Value,
}

/// A piece that takes more keywords.
pub(super) trait Piece: Sized {
    /// With one more keyword of JSON Schema.
    fn with(self, keyword: &str, value: Value) -> Value;

    /// Where it is a text, one of this form.
    fn matching(self, pattern: &str) -> Value {
        self.with("pattern", json!(pattern))
    }

    /// A list with at least one entry.
    fn not_empty(self) -> Value {
        self.with("minItems", json!(1))
    }

    /// A list with at most so many entries.
    fn at_most(self, entries: usize) -> Value {
        self.with("maxItems", json!(entries))
    }
}

impl Piece for Value {
    fn with(mut self, keyword: &str, value: Value) -> Value {
        if let Some(keywords) = self.as_object_mut() {
            keywords.insert(keyword.to_owned(), value);
        }
        self
    }
}

/// A key that must be there, what people are told of it, and what it takes.
pub(super) fn must(name: &'static str, about: &str, takes: Value) -> Key {
    Key {
        is_needed: true,
        ..may(name, about, takes)
    }
}

/// A key that may be there.
pub(super) fn may(name: &'static str, about: &str, takes: Value) -> Key {
    Key {
        name,
        is_needed: false,
        value: takes.with("description", json!(about)),
    }
}

/// A map of these keys and no others.
pub(super) fn map(keys: Vec<Key>) -> Value {
    let needed: Vec<&str> = keys
        .iter()
        .filter(|key| key.is_needed)
        .map(|key| key.name)
        .collect();
    let needed = json!(needed);
    let properties: Map<String, Value> = keys
        .into_iter()
        .map(|key| (key.name.to_owned(), key.value))
        .collect();
    json!({"type": "object", "properties": properties, "required": needed, "additionalProperties": false})
}

/// The same, with exactly one of some keys.
pub(super) fn map_with_one_of(alternatives: &[&str], keys: Vec<Key>) -> Value {
    let alternatives: Vec<Value> = alternatives
        .iter()
        .map(|key| json!({"required": [key]}))
        .collect();
    map(keys).with("oneOf", Value::Array(alternatives))
}

/// A map whose keys are made up, each with a value like this.
pub(super) fn map_of(value: &Value) -> Value {
    json!({"type": "object", "additionalProperties": value})
}

/// A text. Unquoted numbers, true and false are texts to the gateway, and not to editors.
pub(super) fn text() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

/// An expression of the mapping language.
pub(super) fn expression() -> Value {
    json!({"type": ["string", "number", "boolean", "null"]})
}

/// A value as it is, not an expression. Where a field takes a list, it may be one.
pub(super) fn constant() -> Value {
    json!({"type": ["string", "number", "boolean", "null", "array"]})
}

/// One of a few words.
pub(super) fn one_of(words: &[&str]) -> Value {
    json!({"enum": words})
}

/// True or false, with or without quotes.
pub(super) fn yes_or_no() -> Value {
    json!({"enum": [true, false, "true", "false"]})
}

pub(super) fn list(entry: &Value) -> Value {
    json!({"type": "array", "items": entry})
}

/// What one of the definitions says. Editors read the description beside it as well.
pub(super) fn reference(definition: &str) -> Value {
    json!({"$ref": format!("#/definitions/{definition}")})
}

/// Any of several forms.
pub(super) fn any(forms: &[Value]) -> Value {
    json!({"anyOf": forms})
}
