//! The event as a tree that borrows from the body wherever it can.
//!
//! Numbers stay the text the sender wrote, so `8450.00` and a 20-digit number survive unchanged. This module reads
//! bodies and finds keys; it knows nothing of mappings.

mod form;
mod json;

use std::{borrow::Cow, fmt::Write as _};

use super::limits::TEXT_BYTES_PER_STEP;

pub(super) use form::read_form;
pub(super) use json::{number_length, read_json};

/// One value of an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree<'a> {
    Null,
    Bool(bool),
    /// The number as it is spelled in the body, which is valid JSON.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Object<'a>),
}

/// The keys of an object with their values; of a repeated key the last write wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object<'a> {
    /// Sorted by key, without repeats, when longer than [`LINEAR`]; else as written.
    entries: Vec<(Cow<'a, str>, Tree<'a>)>,
}

/// Up to this many keys a scan is as fast as a search.
const LINEAR: usize = 24;

impl<'a> Object<'a> {
    pub(super) fn new(mut entries: Vec<(Cow<'a, str>, Tree<'a>)>) -> Self {
        if entries.len() > LINEAR {
            // Reversed first, so that of equal keys the stable sort puts the last one written in front.
            entries.reverse();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            entries.dedup_by(|(later, _), (kept, _)| later == kept);
        }
        Self { entries }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Tree<'a>> {
        if self.entries.len() > LINEAR {
            let at = self
                .entries
                .binary_search_by(|(name, _)| name.as_ref().cmp(key))
                .ok()?;
            return self.entries.get(at).map(|(_, value)| value);
        }
        self.entries
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each key once, with the value that counts.
    fn iter(&self) -> impl Iterator<Item = (&str, &Tree<'a>)> {
        self.entries
            .iter()
            .enumerate()
            .filter(|(index, (key, _))| {
                self.entries.len() > LINEAR
                    || !self
                        .entries
                        .iter()
                        .skip(index + 1)
                        .any(|(later, _)| later == key)
            })
            .map(|(_, (key, value))| (key.as_ref(), value))
    }
}

impl Tree<'_> {
    /// How much there is to it: one for each value inside, and more for long texts.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => 1,
            Self::Text(text) => 1 + text.len() / TEXT_BYTES_PER_STEP,
            Self::List(elements) => 1 + elements.iter().map(Self::size).sum::<usize>(),
            Self::Object(object) => {
                let values = object.entries.iter().map(|(_, value)| value.size());
                1 + values.sum::<usize>()
            }
        }
    }

    /// Adds the value as compact JSON.
    pub(super) fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => write_json_text(text, out),
            Self::List(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    element.write_json(out);
                }
                out.push(']');
            }
            Self::Object(object) => {
                out.push('{');
                for (index, (key, value)) in object.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_json_text(key, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

/// Adds a text as a JSON string.
pub(super) fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let written = write!(out, "\\u{:04x}", u32::from(c));
                debug_assert!(written.is_ok(), "writing to a String cannot fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_repeated_key_the_last_write_wins_in_small_and_large_objects() {
        for size in [2_usize, 200] {
            let entries = (0..size)
                .chain(0..size)
                .enumerate()
                .map(|(index, key)| {
                    let value = Tree::Text(Cow::Owned(index.to_string()));
                    (Cow::Owned(format!("k{key}")), value)
                })
                .collect();
            let object = Object::new(entries);
            for key in 0..size {
                assert_eq!(
                    object.get(&format!("k{key}")),
                    Some(&Tree::Text(Cow::Owned((size + key).to_string())))
                );
            }
            assert_eq!(object.get("none"), None);
            assert_eq!(object.iter().count(), size);
        }
    }
}
