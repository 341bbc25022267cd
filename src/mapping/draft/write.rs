//! Writes data as YAML that reads back the same, in the plain style of the shipped files.

use super::{data::Data, spot::is_printable};

/// Longer keys are not keys to YAML (1.2.2, section 8.2.2: 1024 characters).
const MAX_KEY_CHARS: usize = 1_000;

/// Where a scalar stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Block,
    /// Between `{` and `}`, where more marks mean something.
    Flow,
}

/// A text that stays one: expressions, names, reasons, data.
pub(super) fn text(written: &str) -> String {
    scalar(written, Place::Block)
}

fn scalar(written: &str, place: Place) -> String {
    if is_plain(written, place) {
        written.to_owned()
    } else {
        quoted(written)
    }
}

/// Whether a text may stand without quotes. Stricter than YAML is: what people or other programs could read as
/// something else (`no`, `0123`, `2026-01-15`, `+52`) is quoted too.
fn is_plain(written: &str, place: Place) -> bool {
    const WORDS: [&str; 10] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "~",
    ];
    let begins = |c: char| match place {
        Place::Block => c.is_alphabetic() || matches!(c, '_' | '$' | '^' | '(' | '/' | '\\'),
        Place::Flow => c.is_alphabetic() || c == '_',
    };
    written.starts_with(begins)
        && !written.ends_with([' ', ':'])
        && !written.contains(": ")
        && !written.contains(" #")
        && is_printable(written)
        && (place == Place::Block || !written.contains([',', '[', ']', '{', '}', ':']))
        && !WORDS.contains(&written.to_lowercase().as_str())
}

fn quoted(written: &str) -> String {
    let mut out = String::with_capacity(written.len() + 2);
    out.push('"');
    for c in written.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c.encode_utf8(&mut [0; 4])) => out.push(c),
            c => out.push_str(&escaped(c)),
        }
    }
    out.push('"');
    out
}

fn escaped(c: char) -> String {
    match u32::from(c) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// Adds `key:` and a value below it or beside it, at an indentation.
pub(super) fn entry(key: &str, value: &Data, indent: usize, out: &mut String) {
    push(&[&" ".repeat(indent), &text(key), ":"], out);
    let indent = indent + 2;
    match value {
        Data::Object(object) if !object.is_empty() => {
            out.push('\n');
            for (key, inner) in object.iter() {
                entry(key, inner, indent, out);
            }
        }
        Data::List(elements) if !elements.is_empty() => {
            out.push('\n');
            for element in elements {
                list_element(element, indent, out);
            }
        }
        plain => push(&[" ", &leaf(plain, Place::Block), "\n"], out),
    }
}

fn list_element(element: &Data, indent: usize, out: &mut String) {
    let dash = format!("{:indent$}- ", "");
    if let Some(flow) = short_pair(element) {
        return push(&[&dash, &flow, "\n"], out);
    }
    // What is large begins beside the dash and goes on below it.
    let mut lines = String::new();
    match element {
        Data::Object(object) if !object.is_empty() => {
            for (key, inner) in object.iter() {
                entry(key, inner, indent + 2, &mut lines);
            }
        }
        Data::List(elements) if !elements.is_empty() => {
            for inner in elements {
                list_element(inner, indent + 2, &mut lines);
            }
        }
        plain => return push(&[&dash, &leaf(plain, Place::Block), "\n"], out),
    }
    push(&[&dash, lines.get(indent + 2..).unwrap_or_default()], out);
}

fn push(parts: &[&str], out: &mut String) {
    out.extend(parts.iter().copied());
}

/// `{key: Grado, value: "5"}`: how a short entry of a list is written in one line.
fn short_pair(element: &Data) -> Option<String> {
    let Data::Object(object) = element else {
        return None;
    };
    let is_leaf = |value: &Data| !matches!(value, Data::Object(_) | Data::List(_));
    let pairs: Vec<(&str, &Data)> = object.iter().collect();
    if pairs.len() != 2 || !pairs.iter().all(|(_, value)| is_leaf(value)) {
        return None;
    }
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{}: {}", scalar(key, Place::Flow), leaf(value, Place::Flow)))
        .collect();
    let line = format!("{{{}}}", pairs.join(", "));
    (line.chars().count() <= 80).then_some(line)
}

fn leaf(value: &Data, place: Place) -> String {
    match value {
        Data::Text(text) => scalar(text, place),
        Data::Object(_) => "{}".to_owned(),
        Data::List(_) => "[]".to_owned(),
        Data::Null => "null".to_owned(),
        Data::Bool(flag) => flag.to_string(),
        Data::Number(number) => number.clone(),
    }
}

/// How many values events may still put into a draft, so that the reader of source files takes it.
pub(super) struct Room {
    left: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { left: 20_000 }
    }
}

/// Lists and objects inside each other; those of the file around an event come on top.
const MAX_DEPTH: usize = 50;

impl Room {
    /// Whether an event still fits: it is no deeper, larger or stranger than YAML can be.
    pub(super) fn takes(&mut self, event: &Data) -> bool {
        self.takes_at(event, MAX_DEPTH)
    }

    fn takes_at(&mut self, value: &Data, depth: usize) -> bool {
        let Some(left) = self.left.checked_sub(1) else {
            return false;
        };
        self.left = left;
        match value {
            Data::Object(object) => {
                depth > 0
                    && object.iter().all(|(key, inner)| {
                        key.chars().count() <= MAX_KEY_CHARS && self.takes_at(inner, depth - 1)
                    })
            }
            Data::List(elements) => {
                depth > 0 && elements.iter().all(|inner| self.takes_at(inner, depth - 1))
            }
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{
        diag::{Collector, SourceText},
        mapping::{compile::plain, transform::text::nfc, tree::read_json},
        yaml::{self, Kind, Node},
    };

    /// What was written, as tests of a source file read it.
    fn read_back(text: &str) -> Value {
        let mut out = Collector::new(SourceText::new("a.yaml", text));
        let node = yaml::parse(&mut out).unwrap_or_else(|| panic!("{text}"));
        data(&node)
    }

    fn data(node: &Node) -> Value {
        match &node.kind {
            Kind::Scalar(_) => {
                let mut json = String::new();
                plain(node).unwrap().write_json(&mut json);
                serde_json::from_str(&json).unwrap()
            }
            Kind::List(nodes) => nodes.iter().map(data).collect(),
            Kind::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|entry| (entry.key.clone(), data(&entry.value)));
                Value::Object(entries.collect())
            }
        }
    }

    fn written(json: &str) -> String {
        let mut out = String::new();
        entry(
            "event",
            &Data::of(&read_json(json.as_bytes()).unwrap()),
            0,
            &mut out,
        );
        out
    }

    #[test]
    fn data_is_written_in_the_plain_style_of_the_shipped_files() {
        let json = r#"{"type": "contact.updated", "phone": "+52 55", "no": "no", "n": 8450.00, "list": [{"key": "a", "value": "x, y"}, {"k": {"a": []}, "l": {}}, [1, [null]]], "text": "a: b"}"#;
        insta::assert_snapshot!(written(json), @r#"
        event:
          type: contact.updated
          phone: "+52 55"
          "no": "no"
          "n": 8450.00
          list:
            - {key: a, value: "x, y"}
            - k:
                a: []
              l: {}
            - - 1
              - - null
          text: "a: b"
        "#);
    }

    fn any_data() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "\\PC{0,8}",
            "[-?:,#&*!|>'\"%@`{}\\[\\] a1\\\\]{0,6}",
            any::<String>()
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            let entries = prop::collection::vec((text.clone(), inner.clone()), 0..5);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                entries.prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    /// As names and texts of a file are read: in one form of letters.
    fn normal(value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(nfc(text)),
            Value::Array(list) => list.iter().map(normal).collect(),
            Value::Object(map) => {
                let entries = map
                    .iter()
                    .map(|(key, value)| (nfc(key).into_owned(), normal(value)));
                Value::Object(entries.collect())
            }
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any_data()) {
            let text = written(&value.to_string());
            prop_assert_eq!(&read_back(&text)["event"], &normal(&value), "{}", text);
        }
    }
}
