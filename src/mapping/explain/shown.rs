//! Values as people see them: on one line, cut short, with nothing invisible left invisible.

use serde::Serialize;

use crate::{
    diag::visible,
    mapping::{evaluate::Fault, tree::Tree, value::Value},
};

/// About how many characters of a value are shown.
const CHARS: usize = 60;

/// A value, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    pub kind: ShownKind,
    /// `'Ana'`, `5`, `['a', 'b', … 7 more]`, `absent`, `error: 'x' is not a number`, …
    pub text: String,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShownKind {
    Value,
    Absent,
    Null,
    Blank,
    Error,
    /// Whether a condition holds, and why.
    Yes,
    No,
    /// It was not looked at, because what stands before it was enough.
    Unused,
}

impl Shown {
    pub(super) fn new(kind: ShownKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// Where something else than a value is shown.
    pub fn none() -> Self {
        Self::new(ShownKind::Value, "")
    }

    pub(super) fn value(value: &Value<'_>) -> Self {
        let kind = match value {
            Value::Absent => ShownKind::Absent,
            Value::Null => ShownKind::Null,
            value if value.is_blank() => ShownKind::Blank,
            _ => ShownKind::Value,
        };
        Self::new(kind, written(value, CHARS))
    }

    pub(super) fn result(result: &Result<Value<'_>, Fault>) -> Self {
        match result {
            Ok(value) => Self::value(value),
            Err(fault) => Self::error(&fault.message),
        }
    }

    pub(super) fn error(message: &str) -> Self {
        Self::new(ShownKind::Error, format!("error: {}", visible(message)))
    }
}

/// The value in about so many characters.
fn written(value: &Value<'_>, most: usize) -> String {
    match value {
        Value::Absent => "absent".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => cut(number, most),
        Value::Text(text) => quoted(text, most),
        Value::DateTime(time) => crate::mapping::transform::datetime::written(*time),
        Value::List(elements) => list(elements.iter().cloned(), most),
        Value::Tree(Tree::List(elements)) => list(elements.iter().map(Value::of_tree), most),
        Value::Tree(Tree::Object(object)) => entries(object.iter(), most),
        Value::Tree(Tree::Numbered(numbered)) => entries(numbered.iter(), most),
        Value::Tree(tree) => written(&Value::of_tree(tree), most),
    }
}

fn entries<'a>(of: impl Iterator<Item = (&'a str, &'a Tree<'a>)>, most: usize) -> String {
    let entries = of.map(|(key, value)| {
        move |most| {
            let key = cut(&visible(key), most);
            format!("{key}: {}", written(&Value::of_tree(value), most))
        }
    });
    enclosed(entries, "{", "}", most)
}

fn list<'a>(elements: impl Iterator<Item = Value<'a>>, most: usize) -> String {
    let elements = elements.map(|element| move |most| written(&element, most));
    enclosed(elements, "[", "]", most)
}

/// The parts that fit, and how many more there are. The first is always shown.
fn enclosed(
    parts: impl Iterator<Item = impl FnOnce(usize) -> String>,
    open: &str,
    close: &str,
    most: usize,
) -> String {
    let mut out = open.to_owned();
    let mut left = most.saturating_sub(2);
    let mut parts = parts.enumerate();
    while let Some((index, part)) = parts.next() {
        let part = part(left);
        let length = part.chars().count();
        if index > 0 {
            out.push_str(", ");
            if length > left {
                out.push_str("… ");
                out.push_str(&(1 + parts.count()).to_string());
                out.push_str(" more");
                break;
            }
        }
        left = left.saturating_sub(length + 2);
        out.push_str(&part);
    }
    out.push_str(close);
    out
}

/// A text in quotes; a quote inside is written twice, as in an expression.
fn quoted(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else {
        return format!("'{}'", visible(text).replace('\'', "''"));
    };
    let begin = text.get(..end).unwrap_or_default();
    let begin = visible(begin).replace('\'', "''");
    format!("'{begin}…' ({} characters)", text.chars().count())
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tree::read_json;

    fn shown(json: &str) -> String {
        let tree = read_json(json.as_bytes()).unwrap();
        Shown::value(&Value::of_tree(&tree)).text
    }

    #[test]
    fn values_are_shown_on_one_line_and_cut_short() {
        let long = format!("\"{}\"", "ñ".repeat(70));
        let many = format!("[{}]", ["\"abcdefgh\""; 900].join(","));
        for (json, text) in [
            ("null", "null"),
            ("true", "true"),
            ("8450.00", "8450.00"),
            (r#""Ana""#, "'Ana'"),
            (r#""O'Hara""#, "'O''Hara'"),
            ("[]", "[]"),
            ("{}", "{}"),
            (r#"["a", 1, null]"#, "['a', 1, null]"),
            (
                r#"{"type": "mobile", "number": "55"}"#,
                "{type: 'mobile', number: '55'}",
            ),
            (&long, &format!("'{}…' (70 characters)", "ñ".repeat(60))),
            (
                &many,
                "['abcdefgh', 'abcdefgh', 'abcdefgh', 'abcdefgh', 'abcdefgh', … 895 more]",
            ),
        ] {
            assert_eq!(shown(json), text);
        }
    }

    #[test]
    fn a_value_nested_to_the_limit_is_shown_in_a_line() {
        let json = format!("{}{}", "[".repeat(60), "]".repeat(60));
        assert!(shown(&json).chars().count() <= 2 * 60);
    }
}
