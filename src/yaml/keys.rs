//! Reads the keys of a map: known ones are taken, missing and unknown ones are reported.

use super::{Entry, Node};
use crate::diag::{Collector, Diagnostic, Span, did_you_mean};

/// The codes under which a kind of file reports its keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyCodes {
    pub unknown: &'static str,
    pub missing: &'static str,
    /// A value of the wrong shape.
    pub shape: &'static str,
    /// Whether secrets are spoken of here, so that an unknown key may be one whose value is a secret: its lines are
    /// shown by no finding.
    pub hides_unknown: bool,
}

/// Takes the keys of one map one by one; [`KeyReader::finish`] reports those that nobody took.
#[derive(Debug)]
pub struct KeyReader<'a> {
    entries: &'a [Entry],
    asked: Vec<&'static str>,
    codes: KeyCodes,
    /// What the map is, for messages: `a rule`.
    what: &'static str,
    span: Span,
}

impl<'a> KeyReader<'a> {
    /// Begins with a map; anything else is reported and gives `None`.
    pub fn new(
        node: &'a Node,
        what: &'static str,
        codes: KeyCodes,
        out: &mut Collector,
    ) -> Option<Self> {
        let Some(entries) = node.as_map() else {
            out.add(
                Diagnostic::error(
                    codes.shape,
                    format!("{what} is a map of keys, but here is {}", node.shape()),
                )
                .at(node.span, "expected `key: value` lines"),
            );
            return None;
        };
        Some(Self {
            entries,
            asked: Vec::new(),
            codes,
            what,
            span: node.span,
        })
    }

    /// The entry of an optional key.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.asked.push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The entry of a required key; its absence is reported with `help`, which says what to write.
    pub fn require(
        &mut self,
        key: &'static str,
        help: &str,
        out: &mut Collector,
    ) -> Option<&'a Entry> {
        let entry = self.take(key);
        if entry.is_none() {
            // The first line is enough to mark: a map may be pages long.
            let first = self
                .entries
                .first()
                .map_or(self.span, |entry| entry.key_span);
            out.add(
                Diagnostic::error(self.codes.missing, format!("{} needs `{key}`", self.what))
                    .at(first, format!("`{key}` is missing here"))
                    .help(help),
            );
        }
        entry
    }

    /// The text of an optional key; another shape is reported.
    pub fn take_text(
        &mut self,
        key: &'static str,
        out: &mut Collector,
    ) -> Option<(&'a str, &'a Node)> {
        let node = &self.take(key)?.value;
        self.text(key, node, out)
    }

    /// The text of a required key; absence and another shape are reported.
    pub fn require_text(
        &mut self,
        key: &'static str,
        help: &str,
        out: &mut Collector,
    ) -> Option<(&'a str, &'a Node)> {
        let node = &self.require(key, help, out)?.value;
        self.text(key, node, out)
    }

    fn text(&self, key: &str, node: &'a Node, out: &mut Collector) -> Option<(&'a str, &'a Node)> {
        match node.as_text() {
            Some(text) if !node.is_null() => Some((text, node)),
            _ => {
                out.add(
                    Diagnostic::error(
                        self.codes.shape,
                        format!("`{key}` takes a text, but here is {}", node.shape()),
                    )
                    .at(node.span, "expected a text"),
                );
                None
            }
        }
    }

    /// Says that other code reads these keys.
    pub fn also_known(&mut self, keys: &[&'static str]) {
        self.asked.extend_from_slice(keys);
    }

    /// Reports the keys that were never asked for, without repeating them, unless they are a slip of a known one: what
    /// stands where a key belongs may be a secret. The line is not shown in any case.
    pub fn finish_unshown(self, out: &mut Collector) {
        self.hide_others(out);
        for entry in self.entries {
            if !self.asked.contains(&entry.key.as_str()) {
                let (named, help) = match did_you_mean(&entry.key, self.asked.iter().copied()) {
                    Some(help) => (format!("key `{}`", entry.key), help),
                    None => (
                        "such key".to_owned(),
                        format!("{} knows: {}", self.what, self.asked.join(", ")),
                    ),
                };
                out.add(
                    Diagnostic::error(self.codes.unknown, format!("{} has no {named}", self.what))
                        .at(entry.key_span, "unknown key")
                        .unshown()
                        .help(help),
                );
            }
        }
    }

    /// Where the map is not read to the end, so that nobody can say which keys are unknown.
    pub fn give_up(self, out: &mut Collector) {
        self.hide_others(out);
    }

    fn hide_others(&self, out: &mut Collector) {
        for entry in self.entries.iter().filter(|_| self.codes.hides_unknown) {
            if !self.asked.contains(&entry.key.as_str()) {
                out.hide(Span::new(entry.key_span.start, entry.value.span.end));
            }
        }
    }

    /// Reports the keys that were never asked for.
    pub fn finish(self, out: &mut Collector) {
        self.hide_others(out);
        for entry in self.entries {
            if !self.asked.contains(&entry.key.as_str()) {
                let help = did_you_mean(&entry.key, self.asked.iter().copied())
                    .or_else(|| Some(format!("{} knows: {}", self.what, self.asked.join(", "))));
                out.add(
                    Diagnostic::error(
                        self.codes.unknown,
                        format!("{} has no key `{}`", self.what, entry.key),
                    )
                    .at(entry.key_span, "unknown key")
                    .maybe_help(help),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{SourceText, render_lines};
    use crate::yaml::parse;

    const CODES: KeyCodes = KeyCodes {
        unknown: "x/unknown",
        missing: "x/missing",
        shape: "x/shape",
        hides_unknown: false,
    };

    #[test]
    fn unknown_missing_and_misshapen_keys_are_all_reported() {
        let mut out = Collector::new(SourceText::new("a.yaml", "nam: x\nsize: [1]\nextra: 1\n"));
        let root = parse(&mut out).unwrap();
        let mut keys = KeyReader::new(&root, "a thing", CODES, &mut out).unwrap();
        assert!(
            keys.require_text("name", "write `name: x`", &mut out)
                .is_none()
        );
        assert!(keys.take_text("size", &mut out).is_none());
        keys.finish(&mut out);
        insta::assert_snapshot!(render_lines(&out.finish()).join("\n"), @r"
        a.yaml:1:1: error x/missing: a thing needs `name` (write `name: x`)
        a.yaml:1:1: error x/unknown: a thing has no key `nam` (did you mean `name`?)
        a.yaml:2:7: error x/shape: `size` takes a text, but here is a list
        a.yaml:3:1: error x/unknown: a thing has no key `extra` (a thing knows: name, size)
        ");
    }
}
