//! JSON that is written anew in another style: with the same values, in the same order unless sorted, and with numbers
//! as they were spelled.

use std::iter::repeat_n;

use serde::de::IgnoredAny;

/// Deeper values are not read. As deep as `serde_json` goes for values.
const MAX_DEPTH: usize = 128;

/// A value. Numbers and words keep their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json<'a> {
    Word(&'a str),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// How JSON is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent habit of a writer"
)]
pub(super) struct Style {
    /// Each element on a line of its own, moved in by this much of the character.
    pub(super) indent: Option<(char, usize)>,
    /// A space behind commas, where elements share a line, and behind colons.
    pub(super) is_spaced: bool,
    pub(super) is_sorted: bool,
    /// Characters beyond ASCII as `\u00f1`.
    pub(super) is_ascii: bool,
    /// `/` as `\/`.
    pub(super) escapes_slashes: bool,
    /// `<`, `>` and `&` as `\u003c`.
    pub(super) escapes_html: bool,
}

impl<'a> Json<'a> {
    /// Reads a text; `None` where it is no JSON, or nested more than [`MAX_DEPTH`] deep.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        Reader { rest: text }.value(0)
    }

    /// The text; `None` where it would have more than `most` bytes.
    pub(super) fn write(&self, style: Style, most: usize) -> Option<String> {
        let mut out = String::new();
        self.write_to(&mut out, style, 0, most);
        (out.len() <= most).then_some(out)
    }

    /// Stops soon after `most` bytes.
    fn write_to(&self, out: &mut String, style: Style, depth: usize, most: usize) {
        if out.len() > most {
            return;
        }
        match self {
            Self::Word(word) => out.push_str(word),
            Self::Text(text) => write_text(out, text, style),
            Self::List(elements) => {
                let writers = elements.iter().map(|element| (None, element)).collect();
                write_all(out, ('[', ']'), writers, style, depth, most);
            }
            Self::Object(members) => {
                let mut writers: Vec<_> = members
                    .iter()
                    .map(|(name, value)| (Some(name.as_str()), value))
                    .collect();
                if style.is_sorted {
                    writers.sort_by_key(|(name, _)| *name);
                }
                write_all(out, ('{', '}'), writers, style, depth, most);
            }
        }
    }
}

fn write_all(
    out: &mut String,
    (open, close): (char, char),
    elements: Vec<(Option<&str>, &Json<'_>)>,
    style: Style,
    depth: usize,
    most: usize,
) {
    out.push(open);
    let is_empty = elements.is_empty();
    let new_line = |out: &mut String, depth: usize| {
        if let Some((character, width)) = style.indent {
            out.push('\n');
            out.extend(repeat_n(character, width * depth));
        }
    };
    for (index, (name, value)) in elements.into_iter().enumerate() {
        if out.len() > most {
            return;
        }
        if index > 0 {
            out.push(',');
            if style.is_spaced && style.indent.is_none() {
                out.push(' ');
            }
        }
        new_line(out, depth + 1);
        if let Some(name) = name {
            write_text(out, name, style);
            out.push(':');
            if style.is_spaced || style.indent.is_some() {
                out.push(' ');
            }
        }
        value.write_to(out, style, depth + 1, most);
    }
    if !is_empty {
        new_line(out, depth);
    }
    out.push(close);
}

fn write_text(out: &mut String, text: &str, style: Style) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '/' if style.escapes_slashes => out.push_str("\\/"),
            '<' | '>' | '&' if style.escapes_html => write_escape(out, character),
            c if c.is_ascii_control() => write_escape(out, c),
            c if style.is_ascii && !c.is_ascii() => write_escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_escape(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        out.push_str("\\u");
        out.push_str(&hex::encode(unit.to_be_bytes()));
    }
}

/// Reads what is known to be JSON.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Passes a character, if it is the next.
    fn takes(&mut self, character: char) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.takes('{') {
            let mut members = Vec::new();
            while !self.takes('}') {
                self.takes(',');
                self.skip_space();
                let name = self.text()?;
                self.takes(':');
                members.push((name, self.value(depth + 1)?));
            }
            return Some(Json::Object(members));
        }
        if self.takes('[') {
            let mut elements = Vec::new();
            while !self.takes(']') {
                self.takes(',');
                elements.push(self.value(depth + 1)?);
            }
            return Some(Json::List(elements));
        }
        if self.rest.starts_with('"') {
            return self.text().map(Json::Text);
        }
        let end = self
            .rest
            .find([',', ']', '}', ' ', '\t', '\n', '\r'])
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(Json::Word(word))
    }

    fn text(&mut self) -> Option<String> {
        let mut is_escaped = false;
        let end = self.rest.char_indices().skip(1).find_map(|(at, c)| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end.then_some(at + 1)
        })?;
        let (quoted, rest) = self.rest.split_at(end);
        self.rest = rest;
        serde_json::from_str(quoted).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_written_in_other_styles() {
        let text =
            " {\"b\" : [1.50, true,{}], \"a\":\"ñ/<\\\"\\u0001\\ud83d\\ude00\", \"c\": []}\n";
        let json = Json::read(text).unwrap();
        let default = Style::default();
        for (style, expected) in [
            (
                default,
                "{\"b\":[1.50,true,{}],\"a\":\"ñ/<\\\"\\u0001😀\",\"c\":[]}",
            ),
            (
                Style {
                    is_spaced: true,
                    is_sorted: true,
                    is_ascii: true,
                    ..default
                },
                "{\"a\": \"\\u00f1/<\\\"\\u0001\\ud83d\\ude00\", \"b\": [1.50, true, {}], \"c\": []}",
            ),
            (
                Style {
                    escapes_slashes: true,
                    escapes_html: true,
                    ..default
                },
                "{\"b\":[1.50,true,{}],\"a\":\"ñ\\/\\u003c\\\"\\u0001😀\",\"c\":[]}",
            ),
            (
                Style {
                    indent: Some((' ', 2)),
                    ..default
                },
                "{\n  \"b\": [\n    1.50,\n    true,\n    {}\n  ],\n  \"a\": \"ñ/<\\\"\\u0001😀\",\n  \"c\": []\n}",
            ),
        ] {
            assert_eq!(json.write(style, 1_000).as_deref(), Some(expected));
            assert_eq!(json.write(style, expected.len() - 1), None);
        }
        for text in ["", "{", "[1,]", "{\"a\" 1}", "nul", &"[".repeat(10_000)] {
            assert_eq!(Json::read(text), None);
        }
    }

    #[test]
    fn values_are_read_to_a_depth_only() {
        let nested = |open: &str, close: &str, levels: usize| {
            format!("{}1{}", open.repeat(levels), close.repeat(levels))
        };
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for (levels, is_read) in [(128, true), (129, false), (100_000, false)] {
                let text = nested(open, close, levels);
                assert_eq!(Json::read(&text).is_some(), is_read, "{open} {levels}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_the_same_value(text in "[\\[\\]{},:\" 0-9a-z\\\\un]{0,40}") {
            if let Some(json) = Json::read(&text) {
                let before: serde_json::Value = serde_json::from_str(&text).unwrap();
                let style = Style { is_ascii: true, is_spaced: true, ..Style::default() };
                let after: serde_json::Value = serde_json::from_str(&json.write(style, 10_000).unwrap()).unwrap();
                proptest::prop_assert_eq!(before, after);
            }
        }
    }
}
