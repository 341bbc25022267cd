//! What each transform does to a value.
//!
//! Absent, null and blank pass through unchanged except where a transform is about them. A transform of text that
//! gets a list works on each element.

pub(super) mod datetime;
mod mexico;
pub(super) mod phone;
pub(super) mod text;
mod unique;

use std::borrow::Cow;

use jiff::Timestamp;

use self::text::DecimalSign;
use super::{
    compiled::{Otherwise, Table, Transform},
    limits,
    tree::Tree,
    value::Value,
};

/// How many steps of evaluation it takes to apply a transform.
pub(super) fn work(transform: &Transform, input: &Value<'_>) -> usize {
    let for_each_text = |cost: &dyn Fn(&str) -> usize| match input {
        Value::List(elements) => elements.iter().filter_map(Value::as_text).map(cost).sum(),
        Value::Tree(Tree::List(elements)) => {
            let texts = elements.iter().filter_map(|element| match element {
                Tree::Text(text) => Some(text.as_ref()),
                _ => None,
            });
            texts.map(cost).sum()
        }
        value => value.as_text().map_or(0, cost),
    };
    let more: usize = match transform {
        Transform::Phone(region) => for_each_text(&|text| phone::work(text, *region)),
        // Every character is held against every part of the pattern.
        Transform::Matches(_) => for_each_text(&str::len),
        Transform::Unique => unique::work(input),
        _ => 0,
    };
    input.size().saturating_add(more)
}

/// Applies a transform. The error is what is wrong, without the transform's name.
///
/// `Transform::Default` is the evaluator's, since its argument is an expression; here it changes nothing.
pub(super) fn apply<'a>(
    transform: &'a Transform,
    input: Value<'a>,
    tables: &'a [Table],
) -> Result<Value<'a>, String> {
    let output = match transform {
        Transform::Default(_) => input,
        Transform::First => end_of(input, |mut elements| {
            (!elements.is_empty()).then(|| elements.swap_remove(0))
        })?,
        Transform::Last => end_of(input, |mut elements| elements.pop())?,
        Transform::Count => count(&input)?,
        Transform::Unique => list(input, unique::unique)?,
        Transform::Compact => list(input, |mut elements| {
            elements.retain(|element| !element.has_no_value());
            elements
        })?,
        Transform::Contains(wanted) if input.is_list() && !input.is_blank() => {
            let wanted = Value::Text(Cow::Borrowed(wanted));
            let elements = input.elements().unwrap_or_default();
            Value::Bool(elements.iter().any(|element| element.equals(&wanted)))
        }
        _ => each(transform, input, tables)?,
    };
    check_size(&output)?;
    Ok(output)
}

/// Refuses texts and lists that are too large.
pub(super) fn check_size(value: &Value<'_>) -> Result<(), String> {
    match value {
        Value::Text(text) if text.len() > limits::TEXT_CHARS => {
            let chars = text.chars().count();
            if chars > limits::TEXT_CHARS {
                return Err(format!(
                    "the text has {chars} characters; at most {} are taken",
                    limits::TEXT_CHARS
                ));
            }
        }
        Value::List(elements) if elements.len() > limits::LIST_ENTRIES => {
            return Err(too_many_entries(elements.len()));
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn too_many_entries(count: usize) -> String {
    format!(
        "the list has {count} entries; at most {} are taken",
        limits::LIST_ENTRIES
    )
}

fn end_of<'a>(
    input: Value<'a>,
    take: impl FnOnce(Vec<Value<'a>>) -> Option<Value<'a>>,
) -> Result<Value<'a>, String> {
    match input.elements() {
        Ok(elements) => Ok(take(elements).unwrap_or(Value::Absent)),
        Err(other) => pass_or_expect(other, "a list"),
    }
}

fn list<'a>(
    input: Value<'a>,
    change: impl FnOnce(Vec<Value<'a>>) -> Vec<Value<'a>>,
) -> Result<Value<'a>, String> {
    match input.elements() {
        // Refused before the work, which may grow with the square of the length.
        Ok(elements) if elements.len() > limits::LIST_ENTRIES => {
            Err(too_many_entries(elements.len()))
        }
        Ok(elements) => Ok(Value::List(change(elements))),
        Err(other) => pass_or_expect(other, "a list"),
    }
}

fn count<'a>(input: &Value<'_>) -> Result<Value<'a>, String> {
    let count = match input {
        value if value.has_no_value() => 0,
        Value::List(elements) => elements.len(),
        Value::Tree(Tree::List(elements)) => elements.len(),
        other => return Err(format!("expected a list, got {}", other.kind())),
    };
    Ok(Value::Number(Cow::Owned(count.to_string())))
}

fn pass_or_expect<'a>(value: Value<'a>, expected: &str) -> Result<Value<'a>, String> {
    if value.has_no_value() {
        return Ok(value);
    }
    Err(format!("expected {expected}, got {}", value.kind()))
}

/// A transform of single values, on one or on each of a list.
fn each<'a>(
    transform: &'a Transform,
    input: Value<'a>,
    tables: &'a [Table],
) -> Result<Value<'a>, String> {
    if input.has_no_value() {
        return Ok(input);
    }
    let elements = match input.elements() {
        Ok(elements) => elements,
        Err(value) => return single(transform, value, tables),
    };
    if elements.len() > limits::LIST_ENTRIES {
        return Err(too_many_entries(elements.len()));
    }
    let mut results = Vec::with_capacity(elements.len());
    for element in elements {
        // A list inside a list is not looked into: no transform of text takes one.
        let result = if element.has_no_value() {
            element
        } else {
            single(transform, element, tables)?
        };
        match result {
            Value::Absent => {}
            // Of several texts that are split, one list.
            Value::List(pieces) => results.extend(pieces),
            result => results.push(result),
        }
    }
    Ok(Value::List(results))
}

/// A transform of one value that is neither absent, null, blank nor a list.
fn single<'a>(
    transform: &'a Transform,
    value: Value<'a>,
    tables: &'a [Table],
) -> Result<Value<'a>, String> {
    match (transform, &value) {
        (Transform::Bool, Value::Bool(_)) | (Transform::Number(_), Value::Number(_)) => {
            return Ok(value);
        }
        (Transform::DateTime(_), Value::DateTime(_)) => return Ok(value),
        (Transform::DateTime(_), Value::Number(_)) => {
            return Err(format!(
                "{} is a number; use `unix_s` or `unix_ms`",
                value.quoted()
            ));
        }
        (Transform::Lookup { table, otherwise }, Value::Bool(flag)) => {
            return lookup(
                tables.get(*table),
                otherwise,
                if *flag { "true" } else { "false" },
            );
        }
        _ => {}
    }
    let quoted = |text: &str| Value::Text(Cow::Borrowed(text)).quoted();
    let text = value
        .into_text()
        .map_err(|other| format!("expected a text, got {}", other.kind()))?;
    let owned = |text: String| Value::Text(Cow::Owned(text));
    Ok(match transform {
        Transform::Trim => Value::Text(text::trimmed(text)),
        Transform::Lower => owned(text.to_lowercase()),
        Transform::Upper => owned(text.to_uppercase()),
        Transform::Title => owned(text::title(&text)),
        Transform::Squeeze => Value::Text(text::squeeze(text)),
        Transform::GivenFirst => match text::given_first(&text) {
            Some(name) => owned(name),
            None => {
                return Err(format!(
                    "{} has several commas; only the one between surnames and given names is expected",
                    quoted(&text)
                ));
            }
        },
        Transform::Replace { from, to } => owned(replace(&text, from, to)?),
        Transform::StripPrefix(prefix) => match text.strip_prefix(prefix.as_str()) {
            Some(rest) => owned(rest.to_owned()),
            None => Value::Text(text),
        },
        Transform::StripSuffix(suffix) => match text.strip_suffix(suffix.as_str()) {
            Some(rest) => owned(rest.to_owned()),
            None => Value::Text(text),
        },
        Transform::RequirePrefix(prefix) => {
            if !text.starts_with(prefix.as_str()) {
                return Err(format!("{} does not begin with '{prefix}'", quoted(&text)));
            }
            Value::Text(text)
        }
        Transform::Digits => owned(text::digits(&text)),
        Transform::MaxLen(chars) => Value::Text(text::max_len(text, *chars)),
        Transform::Split(separator) => Value::List(
            text.split(separator.as_str())
                .map(text::trim)
                .filter(|piece| !piece.is_empty())
                .map(|piece| owned(piece.to_owned()))
                .collect(),
        ),
        Transform::Number(decimal) => match text::number(&text, *decimal) {
            Some(number) => Value::Number(Cow::Owned(number)),
            None => return Err(not_a_number(&text, *decimal, &quoted(&text))),
        },
        Transform::Bool => match text::boolean(&text) {
            Some(flag) => Value::Bool(flag),
            None => return Err(format!("{} is not true or false", quoted(&text))),
        },
        Transform::Phone(region) => match phone::phone(&text, *region) {
            Some(number) => owned(number),
            None => return Err(format!("{} is not a phone number", quoted(&text))),
        },
        Transform::Email => match text::email(&text) {
            Some(address) => owned(address),
            None => return Err(format!("{} is not an e-mail address", quoted(&text))),
        },
        Transform::DateTime(format) => match format.read(&text) {
            Ok(time) => Value::DateTime(time),
            Err(fault) => return Err(format.describe(fault, &quoted(&text))),
        },
        Transform::Curp => match mexico::curp(&text) {
            Ok(curp) => owned(curp),
            Err(why) => return Err(format!("{} is not a CURP: {why}", quoted(&text))),
        },
        Transform::Rfc { strict } => match mexico::rfc(&text, *strict) {
            Ok(rfc) => owned(rfc),
            Err(why) => return Err(format!("{} is not an RFC: {why}", quoted(&text))),
        },
        Transform::Unix(unit) => match unix(&text, *unit) {
            Some(time) => Value::DateTime(time),
            None => return Err(not_a_time(&text, *unit, &quoted(&text))),
        },
        Transform::Lookup { table, otherwise } => {
            return lookup(tables.get(*table), otherwise, text::trim(&text));
        }
        Transform::StartsWith(prefix) => Value::Bool(text.starts_with(prefix.as_str())),
        Transform::EndsWith(suffix) => Value::Bool(text.ends_with(suffix.as_str())),
        Transform::Contains(part) => Value::Bool(text.contains(part.as_str())),
        Transform::Matches(pattern) => Value::Bool(pattern.is_match(&text)),
        // `text` only converts; the others take lists and were handled before.
        Transform::Text
        | Transform::Default(_)
        | Transform::First
        | Transform::Last
        | Transform::Unique
        | Transform::Compact
        | Transform::Count => Value::Text(text),
    })
}

fn not_a_number(text: &str, decimal: DecimalSign, quoted: &str) -> String {
    let hint = match (decimal, text::number(text, decimal.other())) {
        (DecimalSign::Point, Some(_)) => "; for a decimal comma write number(decimal=',')",
        (DecimalSign::Comma, Some(_)) => " with a decimal comma; for a point write number",
        (_, None) => "",
    };
    format!("{quoted} is not a number{hint}")
}

fn unix(text: &str, milliseconds_per_unit: i64) -> Option<Timestamp> {
    let number = text::number(text, DecimalSign::Point)
        .or_else(|| is_json_number(text).then(|| text.to_owned()))?;
    datetime::unix(&number, milliseconds_per_unit)
}

fn not_a_time(text: &str, milliseconds_per_unit: i64, quoted: &str) -> String {
    let is_finer = milliseconds_per_unit > 1 && unix(text, 1).is_some();
    let hint = if is_finer {
        "; for milliseconds use `unix_ms`"
    } else {
        ""
    };
    format!("{quoted} is not a time since 1970{hint}")
}

fn is_json_number(text: &str) -> bool {
    super::tree::number_length(text) == Some(text.len())
}

/// Every occurrence of `from`, refused before it would grow beyond the limit.
fn replace(text: &str, from: &str, to: &str) -> Result<String, String> {
    let grows = to.len().saturating_sub(from.len());
    let length = text
        .len()
        .saturating_add(text.matches(from).count().saturating_mul(grows));
    // Bytes against characters: at most four to one.
    if length > limits::TEXT_CHARS * 4 && grows > 0 {
        return Err(format!(
            "the text would have more than {} characters",
            limits::TEXT_CHARS
        ));
    }
    Ok(text.replace(from, to))
}

fn lookup<'a>(
    table: Option<&'a Table>,
    otherwise: &'a Otherwise,
    key: &str,
) -> Result<Value<'a>, String> {
    if let Some(value) = table.and_then(|table| table.entries.get(key)) {
        return Ok(value.borrowed());
    }
    match otherwise {
        Otherwise::Fail => Err(format!(
            "table `{}` has no entry {}",
            table.map_or("", |table| &table.name),
            Value::Text(Cow::Borrowed(key)).quoted()
        )),
        Otherwise::Skip => Ok(Value::Absent),
        Otherwise::Value(value) => Ok(value.borrowed()),
    }
}
