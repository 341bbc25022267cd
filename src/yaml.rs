//! YAML as a tree in which every key and value knows its place.
//!
//! Files that people edit are read into this tree first, and their meaning is read out of it with a
//! [`Diagnostic`](crate::diag::Diagnostic) for every mistake. Only the plain part of YAML is allowed: no anchors,
//! aliases, tags, merge keys, directives or second documents; a repeated key is an error; size is limited. Scalars
//! keep the text that was written, so `no`, `0123` and `1.20` stay what they are; only accents are put onto their
//! letters (Unicode's form NFC).
//!
//! This module alone knows the YAML parser, and it knows no other module of ours but `diag`.

mod keys;
mod parse;
mod syntax;

use crate::diag::Span;

pub use keys::{KeyCodes, KeyReader};
pub use parse::{MAX_BYTES, parse};

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub span: Span,
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order written; no key twice.
    Map(Vec<Entry>),
}

/// A text, as written but without quotes and escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    pub text: String,
    pub style: ScalarStyle,
    /// Where `text` begins in the file, when the file holds it byte for byte; then a place inside the text is a
    /// place in the file.
    verbatim: Option<usize>,
}

/// How a scalar was written. It never changes the meaning of an expression; it tells data such as `5` and `"5"`
/// apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarStyle {
    Plain,
    Quoted,
    /// `|` or `>`.
    Block,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Node {
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The text of a scalar.
    pub fn as_text(&self) -> Option<&str> {
        self.as_scalar().map(|scalar| scalar.text.as_str())
    }

    pub fn as_list(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(nodes) => Some(nodes),
            Kind::Scalar(_) | Kind::Map(_) => None,
        }
    }

    pub fn as_map(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Scalar(_) | Kind::List(_) => None,
        }
    }

    /// The value of a key, where this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// Whether nothing was written, or `null`, or `~`.
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(|scalar| {
            scalar.style == ScalarStyle::Plain && matches!(scalar.text.as_str(), "" | "null" | "~")
        })
    }

    /// The place of a part of a scalar's text, given as byte offsets in that text. Where the file spells the text
    /// differently (escapes, folded lines), the place of the whole scalar.
    pub fn span_within(&self, start: usize, end: usize) -> Span {
        match self.as_scalar().and_then(|scalar| scalar.verbatim) {
            Some(begin) => Span::new(begin + start, begin + end.max(start)),
            None => self.span,
        }
    }

    /// `a text`, `a list` or `a map`, for messages.
    pub fn shape(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(_) if self.is_null() => "nothing",
            Kind::Scalar(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}
