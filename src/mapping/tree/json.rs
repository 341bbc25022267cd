//! A strict JSON reader (RFC 8259) into the borrowed tree.
//!
//! It takes what the RFC calls JSON text and nothing more, except a byte order mark in front, which some senders
//! write and the RFC lets a reader ignore. Depth is limited; size is limited by whoever read the body.

use std::borrow::Cow;

use super::{Layered, Object, Tree, Unreadable};
use crate::mapping::limits::EVENT_DEPTH;

/// Reads one JSON text in UTF-8.
pub(in crate::mapping) fn read_json(body: &[u8]) -> Result<Tree<'_>, Unreadable> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            let before = body.get(..error.valid_up_to()).unwrap_or_default();
            let before = std::str::from_utf8(before).unwrap_or_default();
            return Err(Unreadable::new(before, before.len(), "not UTF-8"));
        }
    };
    let mut reader = Reader {
        text,
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        depth: 0,
        elements: Vec::with_capacity(USUAL_ENTRIES),
        entries: Vec::with_capacity(USUAL_ENTRIES),
    };
    reader
        .document()
        .map_err(|what| Unreadable::new(text, reader.at, what))
}

/// A text that no JSON holds. Where it says an object or a list in JSON itself, paths go on into that.
pub(in crate::mapping) fn text_or_json(text: Cow<'_, str>) -> Tree<'_> {
    if !text.trim_ascii_start().starts_with(['{', '[']) {
        return Tree::Text(text);
    }
    let inside = match &text {
        Cow::Borrowed(text) => read_json(text.as_bytes()),
        Cow::Owned(text) => read_json(text.as_bytes()).map(Tree::into_owned),
    };
    match inside {
        Ok(inside) => Tree::Layered(Box::new(Layered { text, inside })),
        Err(_) => Tree::Text(text),
    }
}

/// Room for what is open at once in a usual event.
const USUAL_ENTRIES: usize = 32;

/// How many bytes stand before the next quote, backslash or control character; eight are looked at in one step.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of each byte that is zero; above the first of them, more may be set.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let special = quotes | backslashes | controls;
        if special != 0 {
            let before = special.trailing_zeros() / 8;
            return index * 8 + usize::try_from(before).unwrap_or_default();
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    let before = rest.iter().position(is_special).unwrap_or(rest.len());
    words.len() * 8 + before
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// What the lists and objects that are still open hold so far, the innermost last. A list that closes takes its
    /// part in one piece, so that it has no room to spare: most of a tree's memory would be that.
    elements: Vec<Tree<'a>>,
    entries: Vec<(Cow<'a, str>, Tree<'a>)>,
}

type Read<T> = Result<T, &'static str>;

impl<'a> Reader<'a> {
    fn document(&mut self) -> Read<Tree<'a>> {
        self.skip_space();
        if self.peek().is_none() {
            return Err("empty");
        }
        let tree = self.value()?;
        self.skip_space();
        match self.peek() {
            None => Ok(tree),
            Some(_) => Err("something follows the end of the JSON value"),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Read<Tree<'a>> {
        match self.peek() {
            Some(b'"') => self.string().map(Tree::Text),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Tree::Bool(true)),
            Some(b'f') => self.word("false", Tree::Bool(false)),
            Some(b'n') => self.word("null", Tree::Null),
            Some(_) => Err("expected a JSON value"),
            None => Err("the JSON ends too early"),
        }
    }

    fn word(&mut self, word: &str, value: Tree<'a>) -> Read<Tree<'a>> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err("expected a JSON value")
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Read<Tree<'a>>) -> Read<Tree<'a>> {
        if self.depth == EVENT_DEPTH {
            return Err("nested deeper than 64 levels");
        }
        self.depth += 1;
        self.at += 1;
        let tree = read(self);
        self.depth -= 1;
        tree
    }

    fn list(&mut self) -> Read<Tree<'a>> {
        let first = self.elements.len();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Tree::List(Vec::new()));
        }
        loop {
            self.skip_space();
            let element = self.value()?;
            self.elements.push(element);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Tree::List(self.elements.drain(first..).collect()));
                }
                Some(_) => return Err("expected `,` or `]`"),
                None => return Err("the JSON ends too early"),
            }
        }
    }

    fn object(&mut self) -> Read<Tree<'a>> {
        let first = self.entries.len();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Tree::Object(Object::default()));
        }
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'"') => {}
                Some(_) => return Err("expected a key in double quotes"),
                None => return Err("the JSON ends too early"),
            }
            let key = self.string()?;
            self.skip_space();
            match self.peek() {
                Some(b':') => self.at += 1,
                Some(_) => return Err("expected `:`"),
                None => return Err("the JSON ends too early"),
            }
            self.skip_space();
            let value = self.value()?;
            self.entries.push((key, value));
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Tree::Object(Object::new(
                        self.entries.drain(first..).collect(),
                    )));
                }
                Some(_) => return Err("expected `,` or `}`"),
                None => return Err("the JSON ends too early"),
            }
        }
    }

    fn number(&mut self) -> Read<Tree<'a>> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = number_length(rest).ok_or("not a JSON number")?;
        let number = rest.get(..length).unwrap_or_default();
        self.at += length;
        Ok(Tree::Number(Cow::Borrowed(number)))
    }

    /// The string whose opening quote is next.
    fn string(&mut self) -> Read<Cow<'a, str>> {
        self.at += 1;
        let piece = self.plain_text();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(piece));
        }
        let mut text = piece.to_owned();
        loop {
            match self.peek() {
                None => return Err("a text is never closed"),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                Some(_) => return Err("a control character inside a text"),
            }
            text.push_str(self.plain_text());
        }
    }

    /// The text up to the next quote, backslash or control character.
    fn plain_text(&mut self) -> &'a str {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let end = self.at + plain_length(rest);
        let piece = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        piece
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Read<char> {
        let c = match self.peek().ok_or("a text is never closed")? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err("an unknown escape inside a text"),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode_escape(&mut self) -> Read<char> {
        const LONE: &str = "half of a surrogate pair inside a text";
        let first = self.four_hex_digits()?;
        let code = match first {
            0xd800..=0xdbff => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                if !rest.starts_with("\\u") {
                    return Err(LONE);
                }
                self.at += 2;
                let second = self.four_hex_digits()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(LONE);
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            other => other,
        };
        char::from_u32(code).ok_or(LONE)
    }

    fn four_hex_digits(&mut self) -> Read<u32> {
        let digits = self
            .text
            .as_bytes()
            .get(self.at..self.at + 4)
            .ok_or("an unfinished `\\u` escape")?;
        let mut code = 0;
        for digit in digits {
            let value = char::from(*digit)
                .to_digit(16)
                .ok_or("an unfinished `\\u` escape")?;
            code = code * 16 + value;
        }
        self.at += 4;
        Ok(code)
    }
}

/// How many bytes of the text's beginning are a JSON number, where it begins with one.
pub(in crate::mapping) fn number_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits_from = |start: usize| {
        bytes
            .iter()
            .skip(start)
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    match bytes.get(at)? {
        b'0' => at += 1,
        b'1'..=b'9' => at += digits_from(at),
        _ => return None,
    }
    if bytes.get(at) == Some(&b'.') {
        let digits = digits_from(at + 1);
        if digits == 0 {
            return None;
        }
        at += 1 + digits;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let digits = digits_from(at + 1 + sign);
        if digits == 0 {
            return None;
        }
        at += 1 + sign + digits;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    proptest::proptest! {
        #[test]
        fn what_needs_a_look_is_found_byte_by_byte_and_eight_at_a_time(
            bytes in "[a\u{7f}\u{80}\u{ff}ñ \u{1f}\u{20}\u{21}\"\\\\#]{0,40}|[a-zñ]{0,40}[\u{0}-\u{21}\"\\\\]?[a-z]{0,20}",
        ) {
            let wanted = bytes.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            proptest::prop_assert_eq!(plain_length(bytes.as_bytes()), wanted.unwrap_or(bytes.len()));
        }
    }

    fn error(body: &[u8]) -> String {
        read_json(body).unwrap_err().to_string()
    }

    #[test]
    fn a_fault_is_told_with_its_place_and_without_the_text() {
        for (body, told) in [
            (&b""[..], "empty at line 1 column 1"),
            (b"  \n ", "empty at line 2 column 2"),
            (
                b"{\"a\": secret}",
                "expected a JSON value at line 1 column 7",
            ),
            (
                b"{\"a\":1,\n}",
                "expected a key in double quotes at line 2 column 1",
            ),
            (b"[1 2]", "expected `,` or `]` at line 1 column 4"),
            (b"{\"a\" 1}", "expected `:` at line 1 column 6"),
            (b"[1", "the JSON ends too early at line 1 column 3"),
            (b"[01]", "expected `,` or `]` at line 1 column 3"),
            (b"[1.]", "not a JSON number at line 1 column 2"),
            (b"\"\xff\"", "not UTF-8 at line 1 column 2"),
            (
                b"\"a\nb\"",
                "a control character inside a text at line 1 column 3",
            ),
            (b"\"a", "a text is never closed at line 1 column 3"),
            (
                b"\"\\x\"",
                "an unknown escape inside a text at line 1 column 3",
            ),
            (
                b"1 2",
                "something follows the end of the JSON value at line 1 column 3",
            ),
            (
                b"\"\\ud800\"",
                "half of a surrogate pair inside a text at line 1 column 8",
            ),
        ] {
            assert_eq!(error(body), told, "{:?}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
        assert!(read_json(&nested(EVENT_DEPTH)).is_ok());
        assert!(error(&nested(EVENT_DEPTH + 1)).starts_with("nested deeper than 64 levels"));
        assert!(error(&b"[".repeat(1_000_000)).starts_with("nested deeper than 64 levels"));
    }

    #[test]
    fn numbers_keep_their_spelling_and_escapes_are_resolved() {
        let body = "\u{feff}[8450.00, 123456789012345678901, \"\\u00e1\\ud83d\\ude00\\n\"]";
        let tree = read_json(body.as_bytes()).unwrap();
        assert_eq!(
            tree,
            Tree::List(vec![
                Tree::Number("8450.00".into()),
                Tree::Number("123456789012345678901".into()),
                Tree::Text("á😀\n".into()),
            ])
        );
    }

    /// The same value, by the other reader; numbers compare by value there, so only whether they are numbers.
    fn same(tree: &Tree<'_>, value: &Value) -> bool {
        match (tree, value) {
            (Tree::Null, Value::Null) => true,
            (Tree::Bool(left), Value::Bool(right)) => left == right,
            (Tree::Number(left), Value::Number(right)) => {
                serde_json::from_str::<serde_json::Number>(left).unwrap() == *right
            }
            (Tree::Text(left), Value::String(right)) => left == right,
            (Tree::List(left), Value::Array(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
            }
            (Tree::Object(left), Value::Object(right)) => {
                left.iter().count() == right.len()
                    && right
                        .iter()
                        .all(|(key, r)| left.get(key).is_some_and(|l| same(l, r)))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json_on_any_text(text in "[\\[\\]{}\",:0-9.eE+\\-truefalsn \\\\du/ñ\u{1}]{0,40}") {
            agree(&text)?;
        }

        #[test]
        fn it_agrees_with_serde_json_on_broken_documents(
            at in 0_usize..80,
            with in "[\\[\\]{}\",:0-9\\\\]{0,2}",
        ) {
            let mut text = "{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\",null],\"b\":{\"a\":true,\"a\":false}}".to_owned();
            let at = at.min(text.len());
            text.replace_range(at..(at + 1).min(text.len()), &with);
            agree(&text)?;
        }

        #[test]
        fn written_json_reads_back(text in "\\PC{0,20}", number in any::<i64>()) {
            let value = serde_json::json!({"k": [text, number, {"": null, "x": true}]});
            let body = value.to_string();
            let tree = read_json(body.as_bytes()).unwrap();
            let mut written = String::new();
            tree.write_json(&mut written);
            prop_assert!(same(&read_json(written.as_bytes()).unwrap(), &value));
        }
    }

    fn agree(text: &str) -> Result<(), TestCaseError> {
        match (
            read_json(text.as_bytes()),
            serde_json::from_str::<Value>(text),
        ) {
            (Ok(tree), Ok(value)) => prop_assert!(same(&tree, &value), "{text:?}"),
            (Err(_), Err(_)) => {}
            // It also refuses numbers that no f64 can hold, which we keep as text.
            (Ok(_), Err(error)) => {
                prop_assert!(
                    error.to_string().contains("number out of range"),
                    "{text:?}: {error}"
                );
            }
            (Err(error), Ok(_)) => prop_assert!(false, "{text:?}: {error}"),
        }
        Ok(())
    }
}
