//! Diagnostics: messages about a file that a person edits, with place, cause and remedy, as a compiler gives them.
//!
//! A reader of a file holds a [`Collector`], adds what it finds and goes on, so that a person sees all mistakes at
//! once. This module only describes and shows findings; it judges nothing, reads no file, and knows no other module.

mod render;
mod tone;
mod visible;

use std::{fmt, ops::Range, sync::Arc};

pub use render::{Style, render_json, render_lines, render_report};
pub use tone::{Tone, painted};
pub use visible::{inert, visible};

/// The text of a file under the name that people know it by.
#[derive(PartialEq, Eq)]
pub struct SourceText {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

impl SourceText {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Arc::new(Self {
            name: name.into(),
            text,
            line_starts,
        })
    }

    /// As it is shown: a path relative to where the person stands, where possible.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text at a place; empty for a place outside the text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self
            .line_starts
            .partition_point(|start| *start <= offset)
            .max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or_default();
        let before = self
            .text
            .get(start..offset.min(self.text.len()))
            .unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

/// Shows the name only: the text may hold what does not belong in a log.
impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceText").field(&self.name).finish()
    }
}

/// A place in a [`SourceText`]: byte offsets, the end not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Whether a finding stops the file from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable and never used for anything else, such as `map/unknown-field`.
    pub code: &'static str,
    pub severity: Severity,
    /// What is wrong, in one line: lower case, no full stop.
    pub message: String,
    pub span: Span,
    /// Stands beside the marked text; may be empty.
    pub label: String,
    /// Other places that matter, such as `first defined here`.
    pub also: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether the line it is about is left out of what people are shown: a secret stands there.
    pub is_unshown: bool,
}

impl Diagnostic {
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            span: Span::default(),
            label: String::new(),
            also: Vec::new(),
            help: None,
            is_unshown: false,
        }
    }

    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// Marks the place.
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.span = span;
        self.label = label.into();
        self
    }

    /// Marks another place.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also.push((span, label.into()));
        self
    }

    /// Leaves out the line it is about, which holds a secret.
    #[must_use]
    pub fn unshown(mut self) -> Self {
        self.is_unshown = true;
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do, where something is known.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// How many findings of a file are kept. Nobody reads more, and a file made to do harm could give one for every byte.
const MOST_FINDINGS: usize = 500;

/// Gathers the findings of one file: the first `MOST_FINDINGS`, and a last one that counts the others.
#[derive(Debug)]
pub struct Collector {
    file: Arc<SourceText>,
    found: Vec<Diagnostic>,
    hidden: Vec<Span>,
    has_errors: bool,
    left_out: usize,
}

impl Collector {
    pub fn new(file: Arc<SourceText>) -> Self {
        Self {
            file,
            found: Vec::new(),
            hidden: Vec::new(),
            has_errors: false,
            left_out: 0,
        }
    }

    pub fn file(&self) -> &Arc<SourceText> {
        &self.file
    }

    pub fn add(&mut self, diagnostic: Diagnostic) {
        self.has_errors |= diagnostic.severity == Severity::Error;
        if diagnostic.is_unshown {
            self.hide(diagnostic.span);
        }
        if self.found.len() < MOST_FINDINGS {
            self.found.push(diagnostic);
        } else {
            self.left_out += 1;
        }
    }

    /// Keeps the lines of a place out of what people are shown, whatever is found there: a secret may stand in it.
    pub fn hide(&mut self, span: Span) {
        self.hidden.push(span);
    }

    /// Whether anything found so far stops the file from being used.
    pub fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// The findings, sorted by place.
    pub fn finish(mut self) -> Findings {
        self.found.sort_by_key(|found| (found.span, found.severity));
        if self.left_out > 0 {
            let message = format!("{} more findings are not shown", self.left_out);
            let more = if self.has_errors {
                Diagnostic::error("yaml/limit", message)
            } else {
                Diagnostic::warning("yaml/limit", message)
            };
            let end = self.file.text().len();
            let more = more.at(Span::new(end, end), "");
            self.found
                .push(more.help("mend the first ones, then look again"));
        }
        Findings {
            file: self.file,
            list: self.found,
            hidden: self.hidden,
        }
    }
}

/// All findings of one file, sorted by place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    pub file: Arc<SourceText>,
    pub list: Vec<Diagnostic>,
    /// Places of which no line is shown.
    pub hidden: Vec<Span>,
}

impl Findings {
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.list
            .iter()
            .filter(|found| found.severity == severity)
            .count()
    }
}

/// The name out of `known` that was probably meant, for a help line.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&lower, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| {
            *distance <= (name.chars().count().max(written.chars().count()) / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// ``did you mean `x`?``, where something close is known.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(written, known).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let file = SourceText::new("a.yaml", "año: 1\nb: 2");
        assert_eq!(file.line_column(0), (1, 1));
        assert_eq!(file.line_column(6), (1, 6));
        assert_eq!(file.line_column(8), (2, 1));
        assert_eq!(file.line_column(99), (2, 5));
    }

    #[test]
    fn of_thousands_of_findings_the_first_are_kept_and_the_others_counted() {
        let mut out = Collector::new(SourceText::new("a.yaml", "a"));
        for at in 0..MOST_FINDINGS {
            out.add(Diagnostic::warning("a/b", "odd").at(Span::new(at, at), ""));
        }
        assert!(!out.has_errors());
        out.add(Diagnostic::warning("a/b", "odd"));
        out.add(Diagnostic::error("a/c", "wrong"));
        assert!(out.has_errors());
        let findings = out.finish();
        assert_eq!(findings.list.len(), MOST_FINDINGS + 1);
        let last = findings.list.last().unwrap();
        assert_eq!(last.message, "2 more findings are not shown");
        assert!(findings.has_errors(), "what is left out still counts");
    }

    #[test]
    fn only_close_names_are_suggested() {
        let known = ["phoneNumber", "email", "name"];
        assert_eq!(closest("phoneNumbr", known), Some("phoneNumber"));
        assert_eq!(closest("emial", known), Some("email"));
        assert_eq!(closest("Name", known), Some("name"));
        assert_eq!(closest("telefono", known), None);
    }
}
