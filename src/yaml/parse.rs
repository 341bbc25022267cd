//! Text to tree.

use std::{borrow::Cow, sync::Arc};

use granit_parser::{Event, Parser, ScalarStyle as Written};
use icu_normalizer::ComposingNormalizerBorrowed;

use super::{Entry, Kind, Node, Scalar, ScalarStyle, syntax};
use crate::diag::{Collector, Diagnostic, SourceText, Span};

/// The largest file that is read.
pub const MAX_BYTES: usize = 1 << 20;
const MAX_NODES: usize = 50_000;
const MAX_DEPTH: usize = 64;
const SPLIT: &str = "split tables or rules between several sources";
/// Texts are kept in this form: some editors write `é` as an `e` and an accent, which nobody sees.
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// Reads the one document of a file. `None` where the text is not the YAML we allow; the reasons are in `out`.
/// A file without content gives an empty map.
pub fn parse(out: &mut Collector) -> Option<Node> {
    let file = Arc::clone(out.file());
    if file.text().len() > MAX_BYTES {
        out.add(
            Diagnostic::error(
                "yaml/limit",
                format!("the file is larger than {MAX_BYTES} bytes"),
            )
            .at(Span::new(0, 0), "")
            .help(SPLIT),
        );
        return None;
    }
    let before = out.has_errors();
    let mut builder = Builder {
        file: &file,
        out,
        open: Vec::new(),
        root: None,
        nodes: 0,
        documents: 0,
    };
    let completed = builder.run();
    let root = builder.root.take();
    let empty = Node {
        span: Span::new(0, 0),
        kind: Kind::Map(Vec::new()),
    };
    (completed && (before || !out.has_errors())).then(|| match root {
        Some(node) if node.is_null() => empty,
        Some(node) => node,
        None => empty,
    })
}

struct Builder<'a> {
    file: &'a Arc<SourceText>,
    out: &'a mut Collector,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

/// A list or map whose end has not come yet.
enum Open {
    List {
        start: usize,
        nodes: Vec<Node>,
    },
    Map {
        start: usize,
        entries: Vec<Entry>,
        key: Option<(String, Span)>,
    },
}

impl Builder<'_> {
    /// Whether the text was read to its end.
    fn run(&mut self) -> bool {
        for event in Parser::new_from_str(self.file.text()) {
            let (event, place) = match event {
                Ok(event) => event,
                Err(error) => {
                    let at = error.marker().byte_offset().unwrap_or_default();
                    let here = self.file.text().get(at..).unwrap_or_default();
                    if here.starts_with('*') {
                        self.refuse_alias(Span::new(at, at + 1));
                        return false;
                    }
                    let finding = syntax::explain(self.file.text(), at, &error.info());
                    self.out.add(finding);
                    return false;
                }
            };
            let span = place
                .byte_range()
                .map_or_else(Span::default, |range| Span::new(range.start, range.end));
            if !self.event(event, span) {
                return false;
            }
        }
        true
    }

    /// Takes one event; `false` ends the reading.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.refuse(
                        span,
                        "a second document",
                        "keep one document in the file and remove `---`",
                    );
                    return false;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(span, anchor, tag.is_some());
                let kind = Kind::Scalar(self.scalar(text, style, span));
                return self.place(Node { span, kind });
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_properties(span, anchor, tag.is_some());
                return self.open(
                    Open::List {
                        start: span.start,
                        nodes: Vec::new(),
                    },
                    span,
                );
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_properties(span, anchor, tag.is_some());
                return self.open(
                    Open::Map {
                        start: span.start,
                        entries: Vec::new(),
                        key: None,
                    },
                    span,
                );
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (start, kind, last) = match self.open.pop() {
                    Some(Open::List { start, nodes }) => {
                        let last = nodes.last().map(|node| node.span.end);
                        (start, Kind::List(nodes), last)
                    }
                    Some(Open::Map { start, entries, .. }) => {
                        let last = entries
                            .last()
                            .map(|entry| entry.value.span.end.max(entry.key_span.end));
                        (start, Kind::Map(entries), last)
                    }
                    None => return true,
                };
                // A block ends where its last part ends, not at the next line with text; a flow ends at its bracket.
                let closes = matches!(self.file.slice(span), "]" | "}");
                let end = if closes {
                    span.end
                } else {
                    last.unwrap_or(span.end)
                };
                return self.place(Node {
                    span: Span::new(start, end.max(start)),
                    kind,
                });
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.refuse_alias(span);
                return false;
            }
            _ => {}
        }
        true
    }

    fn open(&mut self, open: Open, span: Span) -> bool {
        if self.open.len() >= MAX_DEPTH {
            self.limit(span, &format!("more than {MAX_DEPTH} levels"));
            return false;
        }
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            self.refuse(span, "a list or map as a key", "a key is a plain text");
            return false;
        }
        self.open.push(open);
        true
    }

    fn place(&mut self, node: Node) -> bool {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            self.limit(node.span, &format!("more than {MAX_NODES} values"));
            return false;
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { nodes, .. }) => nodes.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                None => {
                    let Kind::Scalar(scalar) = node.kind else {
                        return true;
                    };
                    if scalar.text == "<<" && scalar.style == ScalarStyle::Plain {
                        self.refuse(node.span, "a merge key", "write the keys out");
                        return false;
                    }
                    *key = Some((scalar.text, node.span));
                }
                Some((key, key_span)) => {
                    if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                        let first = first.key_span;
                        self.out.add(
                            Diagnostic::error(
                                "yaml/duplicate-key",
                                format!("`{key}` is given twice"),
                            )
                            .at(key_span, "again here")
                            .also(first, "first here")
                            .help("remove one of the two"),
                        );
                    } else {
                        entries.push(Entry {
                            key,
                            key_span,
                            value: node,
                        });
                    }
                }
            },
        }
        true
    }

    fn scalar(&self, text: Cow<'_, str>, style: Written, span: Span) -> Scalar {
        let normal = match NFC.normalize(&text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(normal) => Some(normal),
        };
        let text = normal.map_or(text, Cow::Owned);
        let raw = self.file.slice(span);
        let quoted = matches!(style, Written::SingleQuoted | Written::DoubleQuoted);
        let begin = span.start + usize::from(quoted);
        let verbatim = match style {
            Written::Plain => raw == text,
            Written::SingleQuoted | Written::DoubleQuoted => {
                raw.get(1..raw.len().saturating_sub(1)) == Some(text.as_ref())
            }
            _ => false,
        };
        let style = match style {
            Written::Plain => ScalarStyle::Plain,
            Written::SingleQuoted | Written::DoubleQuoted => ScalarStyle::Quoted,
            _ => ScalarStyle::Block,
        };
        Scalar {
            text: text.into_owned(),
            style,
            verbatim: verbatim.then_some(begin),
        }
    }

    fn refuse_properties(&mut self, span: Span, anchor: usize, tagged: bool) {
        // The value's place begins behind them.
        let from = |sign: char| {
            let before = self.file.text().get(..span.start).unwrap_or_default();
            let start = before.rfind(sign).unwrap_or(span.start);
            Span::new(start, span.start.max(start + 1))
        };
        let (ampersand, exclamation) = (from('&'), from('!'));
        if anchor != 0 {
            self.refuse(
                ampersand,
                "an anchor",
                "remove it; text that begins with `&` needs quotes",
            );
        }
        if tagged {
            self.refuse(
                exclamation,
                "a tag",
                "remove it; text that begins with `!` needs quotes",
            );
        }
    }

    fn refuse_alias(&mut self, span: Span) {
        self.refuse(
            span,
            "an alias",
            "write the value out; text that begins with `*` needs quotes",
        );
    }

    fn refuse(&mut self, span: Span, what: &str, help: &str) {
        self.out.add(
            Diagnostic::error("yaml/not-allowed", format!("{what} is not allowed here"))
                .at(span, "")
                .help(help),
        );
    }

    fn limit(&mut self, span: Span, what: &str) {
        self.out.add(
            Diagnostic::error("yaml/limit", format!("the file has {what}"))
                .at(span, "too many from here on")
                .help(SPLIT),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::render_lines;

    fn read(text: &str) -> Result<Node, Vec<String>> {
        let mut out = Collector::new(SourceText::new("a.yaml", text));
        parse(&mut out).ok_or_else(|| render_lines(&out.finish()))
    }

    #[test]
    fn scalars_keep_the_text_that_was_written() {
        let root =
            read("a: no\nb: 0123\nc: 1.20\nd: 'x''y'\ne: \"t\\n\"\nf:\ng: |\n  two\n  lines\n")
                .unwrap();
        let texts: Vec<_> = root
            .as_map()
            .unwrap()
            .iter()
            .map(|e| e.value.as_text().unwrap())
            .collect();
        assert_eq!(
            texts,
            ["no", "0123", "1.20", "x'y", "t\n", "~", "two\nlines\n"]
        );
        assert!(root.get("f").unwrap().is_null() && !root.get("a").unwrap().is_null());
    }

    #[test]
    fn an_accent_apart_from_its_letter_is_put_onto_it() {
        let root = read("Matri\u{301}cula: Jose\u{301} | lower\nMatr\u{ed}cula: x\n");
        assert!(root.unwrap_err()[0].contains("yaml/duplicate-key"));
        let text = "Matri\u{301}cula: Jose\u{301} | lower\n";
        let root = read(text).unwrap();
        let node = root.get("Matrícula").unwrap();
        assert_eq!(node.as_text(), Some("José | lower"));
        // The file has other bytes than the text, so a place in the text is that of all of it.
        let file = SourceText::new("a.yaml", text);
        assert_eq!(file.slice(node.span_within(8, 13)), "Jose\u{301} | lower");
    }

    #[test]
    fn places_inside_texts_are_places_in_the_file() {
        let text = "año:\n  - one | two\n  - 'three | four'\n  - \"esc\\taped\"\n";
        let file = SourceText::new("a.yaml", text);
        let root = read(text).unwrap();
        let nodes = root.get("año").unwrap().as_list().unwrap();
        assert_eq!(file.slice(nodes[0].span_within(6, 9)), "two");
        assert_eq!(file.slice(nodes[1].span_within(8, 12)), "four");
        assert_eq!(file.slice(nodes[2].span_within(0, 3)), "\"esc\\taped\"");
    }

    #[test]
    fn a_block_ends_with_its_last_part() {
        let text = "a:\n  b: 1\n  c: [1, 2]\n\n\nd: 2\n";
        let root = read(text).unwrap();
        let file = SourceText::new("a.yaml", text);
        assert_eq!(file.slice(root.get("a").unwrap().span), "b: 1\n  c: [1, 2]");
        assert_eq!(
            file.slice(root.get("a").unwrap().get("c").unwrap().span),
            "[1, 2]"
        );
    }

    #[test]
    fn what_is_not_allowed_is_refused_with_its_place() {
        for (text, place, code) in [
            ("a: &x 1", "1:", "yaml/not-allowed"),
            ("a: *x", "1:4", "yaml/not-allowed"),
            ("a: !t 1", "1:", "yaml/not-allowed"),
            ("a: 1\n---\nb: 2", "2:1", "yaml/not-allowed"),
            ("<<: {a: 1}", "1:1", "yaml/not-allowed"),
            ("a: 1\nb: 2\na: 3", "3:1", "yaml/duplicate-key"),
            ("a: 'x", "1:", "yaml/syntax"),
            ("[a]: 1", "1:1", "yaml/not-allowed"),
            ("a: [1, 2", "1:", "yaml/syntax"),
        ] {
            let found = read(text).unwrap_err();
            assert!(
                found[0].contains(&format!("a.yaml:{place}")),
                "{text:?}: {found:?}"
            );
            assert!(found[0].contains(code), "{text:?}: {found:?}");
        }
    }

    #[test]
    fn size_and_depth_are_limited() {
        assert!(read(&"[".repeat(500)).unwrap_err()[0].contains("yaml/"));
        assert!(read(&"- 1\n".repeat(MAX_NODES + 1)).unwrap_err()[0].contains("yaml/limit"));
        assert!(read(&" ".repeat(MAX_BYTES + 1)).unwrap_err()[0].contains("yaml/limit"));
    }

    #[test]
    fn a_file_without_content_is_an_empty_map() {
        for text in ["", "# only a comment\n", "---\n", "null"] {
            assert_eq!(read(text).unwrap().as_map(), Some(&[][..]), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_a_tree_or_findings(text in "[a-c:\\-\\[\\]{}'\"#&*!|>, \n\t~<ñ0-9]{0,60}") {
            if let Err(found) = read(&text) {
                assert!(!found.is_empty(), "{text:?}");
            }
        }
    }
}
