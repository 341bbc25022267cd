//! The events of a large file, one after the other: one for each line, or the elements of one JSON list. Memory holds one
//! event, whatever the file is.

use std::io::{self, BufRead};

use bytes::Bytes;

/// The largest event that is read; more than gateways usually take.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// An event of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// 1-based: the line, or the place in the list.
    pub number: u64,
    /// Bytes of the file up to its end.
    pub end: u64,
    pub body: Result<Bytes, BadLine>,
}

/// Why an event of a file cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    #[error("longer than {} MiB", MAX_EVENT_BYTES >> 20)]
    TooLong,
    /// The file is no list of events, or ends inside one; nothing comes after it.
    #[error("the file is not one JSON list: {0}")]
    NotAList(&'static str),
    /// Its first byte, counted from 1. What stands before it is sent.
    #[error("the file is not one JSON list: more stands after the `]` of the list, at byte {0}")]
    Trailing(u64),
}

impl BadLine {
    /// Whether the whole file is at fault, and not one event.
    pub const fn is_of_the_file(&self) -> bool {
        match self {
            Self::TooLong => false,
            Self::NotAList(_) | Self::Trailing(_) => true,
        }
    }
}

/// How a file holds its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Each line is an event; blank lines are not.
    Lines,
    /// The file is one JSON list of events.
    List,
}

/// Reads the events of a file.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    layout: Layout,
    number: u64,
    position: u64,
    place: Place,
}

/// Where the reader stands in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the start of the file.
    Start,
    Inside,
    /// Behind the bracket that closes the list.
    Behind,
    /// Nothing more is read.
    End,
}

/// The events one after the other, or why the file cannot be read any further.
impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        let next = match self.layout {
            Layout::Lines => self.next_line(),
            Layout::List => self.next_element(),
        };
        next.transpose()
    }
}

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R, layout: Layout) -> Self {
        Self {
            reader,
            layout,
            number: 0,
            position: 0,
            place: Place::Start,
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut text = Text::default();
            let is_end = self.take(|byte| {
                let is_last = byte == b'\n';
                if !is_last {
                    text.push(byte);
                }
                is_last
            })?;
            if is_end && text.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            let mut body = text.finish();
            if let (1, Ok(first)) = (self.number, &mut body)
                && first.starts_with(BYTE_ORDER_MARK)
            {
                *first = first.slice(BYTE_ORDER_MARK.len()..);
            }
            let body = body.map(|body| trimmed(&body));
            if body.as_ref().is_ok_and(Bytes::is_empty) {
                continue;
            }
            return Ok(Some(self.line(body)));
        }
    }

    fn next_element(&mut self) -> io::Result<Option<Line>> {
        if self.place == Place::End {
            return Ok(None);
        }
        if self.place == Place::Behind {
            return self.end_of_file();
        }
        if self.place == Place::Start {
            self.place = Place::Inside;
            if let Err(bad) = self.open_list()? {
                return Ok(Some(self.broken(bad)));
            }
        }
        let mut element = Element::default();
        let is_cut = self.take(|byte| element.push(byte))?;
        if is_cut {
            return Ok(Some(
                self.broken(BadLine::NotAList("it has no `]` at its end")),
            ));
        }
        let (is_last, text) = (element.is_last, element.text);
        if is_last {
            self.place = Place::Behind;
        }
        let body = text.finish().map(|body| trimmed(&body));
        // `[]`, or a comma before the bracket.
        if is_last && body.as_ref().is_ok_and(Bytes::is_empty) {
            return self.end_of_file();
        }
        self.number += 1;
        Ok(Some(self.line(body)))
    }

    /// Reads what stands behind the list, which is only space where the file is one list.
    fn end_of_file(&mut self) -> io::Result<Option<Line>> {
        let is_end = self.take(|byte| !byte.is_ascii_whitespace())?;
        self.place = Place::End;
        Ok((!is_end).then(|| self.broken(BadLine::Trailing(self.position))))
    }

    /// Reads up to the bracket that opens the list.
    fn open_list(&mut self) -> io::Result<Result<(), BadLine>> {
        let mut before = Vec::new();
        let mut is_open = false;
        self.take(|byte| {
            is_open = byte == b'[';
            let is_other = !(byte.is_ascii_whitespace() || BYTE_ORDER_MARK.contains(&byte));
            before.push(byte);
            is_open || is_other || before.len() > 1024
        })?;
        Ok(if is_open {
            Ok(())
        } else {
            Err(BadLine::NotAList("it does not begin with `[`"))
        })
    }

    fn broken(&mut self, bad: BadLine) -> Line {
        self.place = Place::End;
        self.number += 1;
        self.line(Err(bad))
    }

    fn line(&self, body: Result<Bytes, BadLine>) -> Line {
        Line {
            number: self.number,
            end: self.position,
            body,
        }
    }

    /// Gives bytes to `push` until it says that this was the last; whether the file ended before.
    fn take(&mut self, mut push: impl FnMut(u8) -> bool) -> io::Result<bool> {
        loop {
            let piece = match self.reader.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if piece.is_empty() {
                return Ok(true);
            }
            let last = piece.iter().position(|&byte| push(byte));
            let used = last.map_or(piece.len(), |last| last + 1);
            self.reader.consume(used);
            self.position += u64::try_from(used).unwrap_or(u64::MAX);
            if last.is_some() {
                return Ok(false);
            }
        }
    }
}

/// The bytes of one event, as far as they are kept.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl Text {
    fn push(&mut self, byte: u8) {
        if self.bytes.len() < MAX_EVENT_BYTES {
            self.bytes.push(byte);
        } else {
            self.is_too_long = true;
        }
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn finish(self) -> Result<Bytes, BadLine> {
        if self.is_too_long {
            Err(BadLine::TooLong)
        } else {
            Ok(self.bytes.into())
        }
    }
}

/// One element of a list, as far as it was read. Only brackets and texts are understood; whether it is JSON is for others
/// to say.
#[derive(Default)]
struct Element {
    text: Text,
    depth: u64,
    is_in_text: bool,
    is_escaped: bool,
    /// Whether the bracket of the list followed.
    is_last: bool,
}

impl Element {
    /// Takes a byte; whether it was the one behind the element.
    fn push(&mut self, byte: u8) -> bool {
        if self.is_in_text {
            let is_quoted = std::mem::replace(&mut self.is_escaped, false);
            match byte {
                _ if is_quoted => {}
                b'\\' => self.is_escaped = true,
                b'"' => self.is_in_text = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => self.is_in_text = true,
                b'{' | b'[' => self.depth += 1,
                b',' if self.depth == 0 => return true,
                b']' if self.depth == 0 => {
                    self.is_last = true;
                    return true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.text.push(byte);
        false
    }
}

fn trimmed(body: &Bytes) -> Bytes {
    let inner = body.trim_ascii();
    body.slice_ref(inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(layout: Layout, text: &[u8]) -> Vec<(u64, Result<String, BadLine>)> {
        // A buffer of three bytes, so that every seam is met.
        let lines = Lines::new(io::BufReader::with_capacity(3, text), layout);
        let mut found = Vec::new();
        for line in lines {
            let line = line.unwrap();
            let body = line
                .body
                .map(|body| String::from_utf8(body.to_vec()).unwrap());
            found.push((line.number, body));
        }
        found
    }

    fn good(found: &[(u64, &str)]) -> Vec<(u64, Result<String, BadLine>)> {
        let own = |(number, text): &(u64, &str)| (*number, Ok((*text).to_owned()));
        found.iter().map(own).collect()
    }

    #[test]
    fn each_line_is_an_event_and_blank_ones_only_count() {
        for (text, found) in [
            ("", &[][..]),
            ("\n\n", &[]),
            ("{}", &[(1, "{}")]),
            ("{}\n", &[(1, "{}")]),
            ("{\"a\":1}\r\n\r\n [2] \n", &[(1, "{\"a\":1}"), (3, "[2]")]),
            ("\u{feff}{}\n\u{feff}1", &[(1, "{}"), (2, "\u{feff}1")]),
        ] {
            assert_eq!(
                read(Layout::Lines, text.as_bytes()),
                good(found),
                "{text:?}"
            );
        }
    }

    #[test]
    fn each_element_of_a_list_is_an_event() {
        for (text, found) in [
            ("[]", &[][..]),
            (" [ ] \n", &[]),
            ("\u{feff}[1]", &[(1, "1")]),
            (
                r#"[ {"a": "],{\"[", "b": [1, 2]} ,{"c":{"d":"\\"}}, 3 ]"#,
                &[
                    (1, r#"{"a": "],{\"[", "b": [1, 2]}"#),
                    (2, r#"{"c":{"d":"\\"}}"#),
                    (3, "3"),
                ],
            ),
            // What is not JSON stays what it is, and is refused when it is looked at.
            ("[,1]", &[(1, ""), (2, "1")]),
        ] {
            assert_eq!(read(Layout::List, text.as_bytes()), good(found), "{text:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_list_says_so_once() {
        for (text, why) in [
            ("", "it does not begin with `[`"),
            ("{\"events\": []}", "it does not begin with `[`"),
            ("[1, 2", "it has no `]` at its end"),
            ("[\"a]", "it has no `]` at its end"),
        ] {
            let found = read(Layout::List, text.as_bytes());
            let bad: Vec<_> = found
                .into_iter()
                .filter_map(|(_, body)| body.err())
                .collect();
            assert_eq!(bad, [BadLine::NotAList(why)], "{text:?}");
        }
    }

    #[test]
    fn what_stands_behind_the_list_is_told_with_its_place_after_the_events_of_the_list() {
        for (text, events, byte) in [
            ("[1]\n[2]", 1, 5),
            ("[1] garbage", 1, 5),
            ("[]]", 0, 3),
            ("[1,2] \r\n\t,", 2, 10),
            ("[1,]\u{feff}", 1, 5),
        ] {
            let mut found = read(Layout::List, text.as_bytes());
            let last = found.pop();
            let number = events + 1;
            assert_eq!(
                last,
                Some((number, Err(BadLine::Trailing(byte)))),
                "{text:?}"
            );
            let good = found.iter().filter(|(_, body)| body.is_ok()).count();
            assert_eq!(u64::try_from(good), Ok(events), "{text:?}");
        }
    }

    #[test]
    fn an_event_that_is_too_long_is_passed_over_and_not_held() {
        let mut text = vec![b'1'; MAX_EVENT_BYTES + 1];
        text.extend(b"\n2\n");
        let found = read(Layout::Lines, &text);
        assert_eq!(found, [(1, Err(BadLine::TooLong)), (2, Ok("2".to_owned()))]);
    }

    proptest! {
        #[test]
        fn a_list_that_is_written_is_read_back(values in prop::collection::vec(any::<String>(), 0..20)) {
            let events: Vec<_> = values.iter().map(|text| serde_json::json!({"a": [text, {"b": text}]})).collect();
            let text = serde_json::to_string_pretty(&events).unwrap();
            let found = read(Layout::List, text.as_bytes());
            let back: Vec<serde_json::Value> =
                found.into_iter().map(|(_, body)| serde_json::from_str(&body.unwrap()).unwrap()).collect();
            prop_assert_eq!(back, events);
        }

        #[test]
        fn any_file_is_read_to_its_end(text in prop::collection::vec(prop::sample::select(&b"[]{},\"\\ \n1"[..]), 0..200)) {
            for layout in [Layout::Lines, Layout::List] {
                let mut number = 0;
                for line in Lines::new(&text[..], layout) {
                    let line = line.unwrap();
                    prop_assert!(line.number > number);
                    number = line.number;
                }
                prop_assert!(number <= 201);
            }
        }
    }
}
