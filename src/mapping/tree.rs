//! The event as a tree that borrows from the body wherever it can.
//!
//! Numbers stay the text the sender wrote, so `8450.00` and a 20-digit number survive unchanged. This module reads
//! one format after the other and finds keys; it knows nothing of requests and mappings.

mod charset;
mod form;
mod json;
mod numbered;
mod xml;

use std::{borrow::Cow, fmt::Write as _, slice};

use super::{
    limits::{BODY_PARTS, TEXT_BYTES_PER_STEP},
    transform::text::nfc,
};

pub(super) use charset::{Charset, NotText};
pub(super) use form::{Fields, FormError, read_form};
pub(super) use json::{number_length, read_json, text_or_json};
pub(super) use numbered::{Numbered, list_index};
pub(super) use xml::{declared_encoding, read_xml};

/// The name under which every text has itself, for texts that have more inside.
const TEXT_KEY: &str = "#text";

/// One value of an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree<'a> {
    Null,
    Bool(bool),
    /// The number as it is spelled in the body, which is valid JSON.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Object<'a>),
    /// A text as far as its value goes, with something inside for paths that go on.
    Layered(Box<Layered<'a>>),
    /// An element of XML or a field of a form that has no sibling of its name: itself, and also the list of it alone. Its
    /// sender would write several in the same way.
    Sole(Box<Self>),
    /// Fields of a form under numbers with gaps: an object, and also the list of its values.
    Numbered(Box<Numbered<'a>>),
}

/// A text and what it has inside: the attributes of an XML element, or what the text itself says as JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layered<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) inside: Tree<'a>,
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
    /// Keys are kept in the form in which paths are written: `é` is one character.
    pub(super) fn new(mut entries: Vec<(Cow<'a, str>, Tree<'a>)>) -> Self {
        for (key, _) in &mut entries {
            if let Cow::Owned(normal) = nfc(key) {
                *key = Cow::Owned(normal);
            }
        }
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

    /// With one more key, in place of the one of this name where there is one.
    pub(super) fn with(mut self, key: &'static str, value: Tree<'a>) -> Self {
        self.entries.push((Cow::Borrowed(key), value));
        Self::new(self.entries)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each key once, with the value that counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Tree<'a>)> {
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
    /// What a name leads to from here.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(object) => object.get(key),
            other => other.get_in_text(key),
        }
    }

    /// [`Self::get`] for all that JSON does not have; apart, so that the way of JSON stays short.
    #[cold]
    fn get_in_text(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Sole(only) => only.get(key),
            Self::Layered(layered) => match layered.inside.get(key) {
                None if key == TEXT_KEY => Some(self),
                found => found,
            },
            Self::Text(_) if key == TEXT_KEY => Some(self),
            Self::Numbered(numbered) => numbered.get(key),
            // Ids that happen to be 0, 1, 2 make a list of what is an object otherwise.
            Self::List(elements) => elements.get(list_index(key)?),
            _ => None,
        }
    }

    /// The names that lead on from here, some perhaps twice.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let mut inside = self;
        loop {
            inside = match inside {
                Self::Sole(only) => only,
                Self::Layered(layered) => &layered.inside,
                _ => break,
            };
        }
        let (entries, numbers) = match inside {
            Self::Object(object) => (object.entries.as_slice(), None),
            Self::Numbered(numbered) => (&[][..], Some(numbered.names())),
            _ => (&[][..], None),
        };
        let names = entries.iter().map(|(key, _)| key.as_ref());
        names.chain(numbers.into_iter().flatten())
    }

    /// The text that its value is, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Layered(layered) => Some(&layered.text),
            Self::Sole(only) => only.text(),
            _ => None,
        }
    }

    /// What `[]` passes from here.
    pub(super) fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::List(elements) => Some(elements),
            Self::Sole(only) => Some(slice::from_ref(only)),
            Self::Layered(layered) => layered.inside.elements(),
            Self::Numbered(numbered) => Some(numbered.elements()),
            _ => None,
        }
    }

    /// The same tree without anything borrowed.
    pub(super) fn into_owned(self) -> Tree<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Null => Tree::Null,
            Self::Bool(flag) => Tree::Bool(flag),
            Self::Number(number) => Tree::Number(owned(number)),
            Self::Text(text) => Tree::Text(owned(text)),
            Self::List(elements) => {
                Tree::List(elements.into_iter().map(Self::into_owned).collect())
            }
            Self::Object(object) => Tree::Object(Object {
                entries: object
                    .entries
                    .into_iter()
                    .map(|(key, value)| (owned(key), value.into_owned()))
                    .collect(),
            }),
            Self::Layered(layered) => Tree::Layered(Box::new(Layered {
                text: owned(layered.text),
                inside: layered.inside.into_owned(),
            })),
            Self::Sole(only) => Tree::Sole(Box::new(only.into_owned())),
            Self::Numbered(numbered) => Tree::Numbered(Box::new(numbered.into_owned())),
        }
    }

    /// How much there is to it: one for each value inside, and more for long texts.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 1,
            Self::Number(text) | Self::Text(text) => 1 + text.len() / TEXT_BYTES_PER_STEP,
            Self::List(elements) => 1 + elements.iter().map(Self::size).sum::<usize>(),
            Self::Object(object) => {
                let values = object.entries.iter().map(|(_, value)| value.size());
                1 + values.sum::<usize>()
            }
            Self::Layered(layered) => {
                1 + layered.text.len() / TEXT_BYTES_PER_STEP + layered.inside.size()
            }
            Self::Sole(only) => only.size(),
            Self::Numbered(numbered) => {
                1 + numbered.elements().iter().map(Self::size).sum::<usize>()
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
            Self::Object(object) => write_json_object(object.iter(), out),
            Self::Numbered(numbered) => write_json_object(numbered.iter(), out),
            Self::Layered(layered) => write_json_text(&layered.text, out),
            Self::Sole(only) => only.write_json(out),
        }
    }
}

/// How many more names, elements and values a body may have, in the formats where two bytes can make one that takes
/// up to about two hundred bytes of memory.
pub(super) struct Parts {
    left: usize,
}

impl Parts {
    pub(super) fn new() -> Self {
        Self { left: BODY_PARTS }
    }

    pub(super) fn take(&mut self) -> Result<(), &'static str> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or("more than 50,000 names and values")?;
        Ok(())
    }
}

/// Why a text is not what it should be: what, and where. It never quotes the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub(super) struct Unreadable {
    what: &'static str,
    /// From 1.
    line: usize,
    /// From 1, in characters.
    column: usize,
}

impl Unreadable {
    /// With the place of a byte of the text.
    fn new(text: &str, at: usize, what: &'static str) -> Self {
        let mut end = at.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = text.get(..end).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            what,
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// The same in a text where so many lines stand before.
    pub(super) fn after_lines(self, lines: usize) -> Self {
        Self {
            line: self.line + lines,
            ..self
        }
    }
}

fn write_json_object<'t>(entries: impl Iterator<Item = (&'t str, &'t Tree<'t>)>, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_json_text(key, out);
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
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
