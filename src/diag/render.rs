//! Shows findings: with the source line and a marker for people, one line each for editors and logs, or as JSON.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::json;

use super::{Diagnostic, Findings, Severity, SourceText, Span, visible};

/// How a report for people looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Coloured,
}

/// For people: every finding with its source line and a marker under the place. Empty where nothing was found.
pub fn render_report(findings: &Findings, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let mut report = String::new();
    for found in &findings.list {
        let level = match found.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(visible(&found.message)).id(found.code);
        let excerpt = Excerpt::around(&findings.file, found);
        if found.is_unshown || excerpt.has_any_of(&findings.hidden) {
            let (line, column) = findings.file.line_column(found.span.start);
            let place = Origin::path(findings.file.name())
                .line(line)
                .char_column(column);
            let mut group = Group::with_title(title).element(place);
            if let Some(help) = &found.help {
                group = group.element(Level::HELP.message(visible(help)));
            }
            report.push_str(&renderer.render(&[group]));
            report.push_str("\n\n");
            continue;
        }
        let mut snippet = Snippet::source(excerpt.text)
            .line_start(excerpt.first_line)
            .path(findings.file.name())
            .annotation(
                AnnotationKind::Primary
                    .span(excerpt.fit(found.span))
                    .label((!found.label.is_empty()).then_some(found.label.as_str())),
            );
        for (span, label) in &found.also {
            snippet = snippet.annotation(
                AnnotationKind::Context
                    .span(excerpt.fit(*span))
                    .label(label.as_str()),
            );
        }
        let mut group: Group<'_> = title.element(snippet);
        if let Some(help) = &found.help {
            group = group.element(Level::HELP.message(visible(help)));
        }
        report.push_str(&renderer.render(&[group]));
        report.push_str("\n\n");
    }
    report
}

/// The lines that a finding is about. The whole file, for each of hundreds of findings, would take long to look through.
struct Excerpt<'a> {
    text: &'a str,
    first_line: usize,
    /// Where it begins in the file.
    start: usize,
}

impl<'a> Excerpt<'a> {
    fn around(file: &'a SourceText, found: &Diagnostic) -> Self {
        let whole = file.text();
        let spans = || std::iter::once(found.span).chain(found.also.iter().map(|(span, _)| *span));
        let first = spans().map(|span| span.start).min().unwrap_or_default();
        let last = spans().map(|span| span.end).max().unwrap_or_default();
        let first = whole.floor_char_boundary(first);
        let last = whole.ceil_char_boundary(last).max(first);
        let (before, rest) = whole.split_at(first);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let after = last - first;
        let end = rest
            .get(after..)
            .and_then(|rest| rest.find('\n'))
            .map_or(whole.len(), |newline| last + newline);
        Self {
            text: whole.get(start..end).unwrap_or_default(),
            first_line: file.line_column(first).0,
            start,
        }
    }

    /// Whether a part of one of the places stands in it.
    fn has_any_of(&self, places: &[Span]) -> bool {
        let end = self.start + self.text.len();
        places
            .iter()
            .any(|place| place.start <= end && place.end.max(place.start + 1) > self.start)
    }

    /// A place of the file in the excerpt, between whole characters.
    fn fit(&self, span: Span) -> Range<usize> {
        let start = self
            .text
            .floor_char_boundary(span.start.saturating_sub(self.start));
        let end = self
            .text
            .ceil_char_boundary(span.end.saturating_sub(self.start));
        start..end.max(start)
    }
}

/// One line each, `file:line:column: error CODE: message`, without any text of the file; for editors and logs.
pub fn render_lines(findings: &Findings) -> Vec<String> {
    let line = |found: &Diagnostic| {
        let (line, column) = findings.file.line_column(found.span.start);
        let severity = word(found.severity);
        let help = found
            .help
            .as_ref()
            .map(|help| format!(" ({})", visible(help)))
            .unwrap_or_default();
        format!(
            "{}:{line}:{column}: {severity} {}: {}{help}",
            findings.file.name(),
            found.code,
            visible(&found.message)
        )
    };
    findings.list.iter().map(line).collect()
}

/// For programs: an array of objects with `file`, `line`, `column`, `severity`, `code`, `message`, `label`, `also`,
/// `help`.
pub fn render_json(all: &[Findings]) -> serde_json::Value {
    all.iter()
        .flat_map(|findings| {
            findings.list.iter().map(|found| {
                let (line, column) = findings.file.line_column(found.span.start);
                let (end_line, end_column) = findings.file.line_column(found.span.end);
                let also = found.also.iter().map(|(span, label)| {
                    let (line, column) = findings.file.line_column(span.start);
                    json!({"line": line, "column": column, "label": label})
                });
                json!({
                    "file": findings.file.name(),
                    "line": line, "column": column, "endLine": end_line, "endColumn": end_column,
                    "severity": word(found.severity),
                    "code": found.code,
                    "message": found.message,
                    "label": found.label,
                    "also": also.collect::<Vec<_>>(),
                    "help": found.help,
                })
            })
        })
        .collect()
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Collector, SourceText, Span};
    use super::*;

    fn findings() -> Findings {
        let file = SourceText::new("mappings/crm.yaml", "set:\n  phoneNumbr: contact.phone\n");
        let mut found = Collector::new(file);
        found.add(
            Diagnostic::error("map/unknown-field", "Quentli has no field `phoneNumbr`")
                .at(Span::new(7, 17), "unknown field")
                .help("did you mean `phoneNumber`?"),
        );
        found.finish()
    }

    #[test]
    fn a_line_that_holds_a_secret_is_not_quoted() {
        let mut found = Collector::new(SourceText::new("crm.yaml", "a: 1\nsecrets: [hush-hush]\n"));
        found.add(
            Diagnostic::error("recv/literal-secret", "a secret stands here")
                .at(Span::new(15, 24), "expected a name")
                .unshown()
                .help("write its name"),
        );
        let report = render_report(&found.finish(), Style::Plain);
        insta::assert_snapshot!(report.trim_end(), @r"
        error[recv/literal-secret]: a secret stands here
        --> crm.yaml:2:11
         = help: write its name
        ");
    }

    #[test]
    fn a_line_that_holds_a_secret_is_quoted_by_no_other_finding_either() {
        let mut found = Collector::new(SourceText::new(
            "crm.yaml",
            "a: 1\nb: {c: 2, d: hush-hush}\ne: 3\n",
        ));
        for (at, what) in [(0, "first"), (9, "second"), (29, "third")] {
            found.add(Diagnostic::error("a/b", what).at(Span::new(at, at + 1), "here"));
        }
        found.hide(Span::new(15, 27));
        let report = render_report(&found.finish(), Style::Plain);
        assert!(!report.contains("hush-hush"), "{report}");
        for shown in ["a: 1", "crm.yaml:2:5", "e: 3"] {
            assert!(report.contains(shown), "{report}");
        }
    }

    #[test]
    fn a_report_shows_the_line_a_marker_and_the_remedy() {
        insta::assert_snapshot!(render_report(&findings(), Style::Plain), @r"
        error[map/unknown-field]: Quentli has no field `phoneNumbr`
         --> mappings/crm.yaml:2:3
          |
        2 |   phoneNumbr: contact.phone
          |   ^^^^^^^^^^ unknown field
          |
          = help: did you mean `phoneNumber`?
        ");
    }

    #[test]
    fn a_line_has_place_code_and_remedy_but_no_text_of_the_file() {
        assert_eq!(
            render_lines(&findings()),
            [
                "mappings/crm.yaml:2:3: error map/unknown-field: Quentli has no field `phoneNumbr` (did you mean `phoneNumber`?)"
            ]
        );
    }

    #[test]
    fn a_place_inside_a_character_marks_the_whole_of_it() {
        let mut out = Collector::new(SourceText::new("a.yaml", "a: 1\nb: é\nc: 2"));
        out.add(Diagnostic::error("a/b", "wrong").at(Span::new(8, 9), "here"));
        insta::assert_snapshot!(render_report(&out.finish(), Style::Plain), @r"
        error[a/b]: wrong
         --> a.yaml:2:4
          |
        2 | b: é
          |    ^ here
        ");
    }

    #[test]
    fn a_place_outside_the_text_still_renders() {
        let mut found = findings();
        found.list[0].span = Span::new(900, 901);
        assert!(render_report(&found, Style::Plain).contains("unknown-field"));
        assert_eq!(render_json(&[found])[0]["line"], 3);
    }

    #[test]
    fn a_finding_stays_on_its_line_whatever_it_quotes() {
        let mut found = findings();
        found.list[0].message = "'a\nb\u{1b}[31m' is no number".to_owned();
        found.list[0].also = vec![(Span::new(0, 3), "here".to_owned())];
        assert_eq!(render_lines(&found).len(), 1);
        assert!(render_lines(&found)[0].contains("'a\\nb\\u{1b}[31m' is no number"));
        let report = render_report(&found, Style::Plain);
        assert!(report.starts_with("error[map/unknown-field]: 'a\\nb\\u{1b}[31m' is no number\n"));
        let json = render_json(&[found]);
        assert_eq!(
            json[0]["also"][0],
            json!({"line": 1, "column": 1, "label": "here"})
        );
    }
}
