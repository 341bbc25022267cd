//! Why a text is not YAML, in words for those who write it.
//!
//! The parser says where it could not go on, in the words of YAML's grammar. The mistakes that people make often are
//! recognised by the text around that place; of all others the parser's words are given.

use crate::diag::{Diagnostic, Span};

const CODE: &str = "yaml/syntax";

/// The finding for a text in which the parser could not go on at a byte offset.
pub(super) fn explain(text: &str, at: usize, parser_says: &str) -> Diagnostic {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    tab(text, line_start)
        .or_else(|| colon(before, after, line_start))
        .or_else(|| quote(before, at))
        .or_else(|| sign(after, at))
        .or_else(|| indentation(text, line_start, at))
        .or_else(|| no_key(text, line_start))
        .unwrap_or_else(|| {
            Diagnostic::error(CODE, format!("this is not YAML: {parser_says}"))
                .at(Span::new(at, at + 1), "")
                .help("look for a quote or bracket that is not closed, or a line that is indented differently from its neighbours")
        })
}

/// A tab in the indentation of this line or the next.
fn tab(text: &str, line_start: usize) -> Option<Diagnostic> {
    let mut start = line_start;
    for line in text.get(line_start..)?.split_inclusive('\n').take(2) {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line.get(..indentation)?.find('\t') {
            let place = Span::new(start + tab, start + tab + 1);
            return Some(
                Diagnostic::error(CODE, "a tab indents this line, and YAML takes only spaces")
                    .at(place, "a tab")
                    .help("write spaces in its place, as many as the lines beside it have"),
            );
        }
        start += line.len();
    }
    None
}

/// Something behind a closing quote: the quote was opened further up, or stands inside the text.
fn quote(before: &str, at: usize) -> Option<Diagnostic> {
    let end = before.trim_end_matches([' ', '\t']);
    let quote = end
        .chars()
        .next_back()
        .filter(|c| matches!(c, '\'' | '"'))?;
    let inside = end.strip_suffix(quote)?;
    let opened = inside.rfind(quote)?;
    let is_above = inside.get(opened..)?.contains('\n');
    let help = if is_above {
        "close the quote where its text ends, or remove it"
    } else if quote == '\'' {
        "inside single quotes write '' for one quote; or put the whole value in double quotes"
    } else {
        "inside double quotes write \\\" for one quote; or put the whole value in single quotes"
    };
    Some(
        Diagnostic::error(CODE, "something stands behind a closing quote")
            .at(Span::new(at, at + 1), "the quote is closed before this")
            .also(Span::new(opened, opened + 1), "and was opened here")
            .help(help),
    )
}

/// A second colon in a line.
fn colon(before: &str, after: &str, line_start: usize) -> Option<Diagnostic> {
    let own = before.get(line_start..)?;
    (after.starts_with(": ") && own.contains(": ")).then(|| {
        Diagnostic::error(CODE, "a value holds a colon with a space behind it")
            .at(
                Span::new(before.len(), before.len() + 1),
                "begins another value",
            )
            .help("put the whole value in quotes")
    })
}

/// A line without `key: value`.
fn no_key(text: &str, line_start: usize) -> Option<Diagnostic> {
    let line = text.get(line_start..)?.lines().next()?;
    let written = line.trim();
    let start = line_start + (line.len() - line.trim_start().len());
    let is_word = written
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ':'));
    (is_word && !written.is_empty() && !written.ends_with(':')).then(|| {
        Diagnostic::error(CODE, "this line is no `key: value`")
            .at(Span::new(start, start + written.len()), "")
            .help("write a colon and a space behind the key")
    })
}

/// A sign with which no text begins.
fn sign(after: &str, at: usize) -> Option<Diagnostic> {
    let sign = after
        .chars()
        .next()
        .filter(|c| matches!(c, '@' | '`' | '%'))?;
    Some(
        Diagnostic::error(CODE, format!("a text cannot begin with {sign}"))
            .at(Span::new(at, at + 1), "")
            .help("put the whole value in quotes"),
    )
}

/// A line that begins elsewhere than the one before it, or beside a list without being part of it.
fn indentation(text: &str, line_start: usize, at: usize) -> Option<Diagnostic> {
    let line = text.get(line_start..)?.lines().next()?;
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    // The parser stops at the first word of the line, or at the colon behind it.
    let start = line_start + depth(line);
    let first_word = text.get(start..at)?;
    if first_word.contains(char::is_whitespace) {
        return None;
    }
    let above = text
        .get(..line_start)?
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    let place = Span::new(start, start + 1);
    let is_item = |line: &str| line.trim_start().starts_with("- ");
    // The keys of a list's item stand behind its hyphen, and what a key holds stands deeper.
    let behind_hyphen = depth(above)
        + (above.trim_start().len() - above.trim_start().trim_start_matches("- ").len());
    let is_below = above.trim_end().ends_with(':') && depth(line) > depth(above);
    // Going back to where an earlier line began is no mistake.
    let is_back = depth(line) < depth(above)
        && text
            .get(..line_start)?
            .lines()
            .any(|earlier| !earlier.trim().is_empty() && depth(earlier) == depth(line));
    if depth(line) != depth(above) && depth(line) != behind_hyphen && !is_below && !is_back {
        let label = format!(
            "{} spaces; the line above has {}",
            depth(line),
            depth(above)
        );
        return Some(
            Diagnostic::error(
                CODE,
                "this line is indented differently from its neighbours",
            )
            .at(place, label)
            .help("begin it exactly below the line that it stands beside"),
        );
    }
    (is_item(above) && !is_item(line)).then(|| {
        Diagnostic::error(CODE, "this line stands beside a list and is no part of it")
            .at(place, "")
            .help("begin it with `- `, or indent it differently")
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::{
        diag::{Collector, SourceText, render_lines},
        yaml::parse,
    };

    #[test]
    fn the_usual_mistakes_are_named() {
        let mut told = String::new();
        for text in [
            "a:\n\tb: 1\n",
            "a:\n  b: 1\n \tc: 2\n",
            "a: 'x\nb: 'y'\n",
            "a: \"x\nb: \"y\"\n",
            "a: 'it's'\n",
            "a: \"say \"x\"\"\n",
            "a: b: c\n",
            "a: b == 'c': d\n",
            "a:\n  b: c: d\n",
            "a: @x\n",
            "a: %x\n",
            "a: `x`\n",
            "a:\n  - b\n - c\n",
            "a:\n  b: 1\n c: 2\n",
            "a:\n  b: 1\n   c: 2\n",
            "a: 'x\n",
            "a: [1, 2\nb: 3\n",
            "a: {b: 1\n",
            "a: ]\n",
            "a: 1\nb\n",
            "- a\nb: 1\n",
            "a:\n  - b: 1\n   c: 2\n",
            "a:\n  - b: 1\n    ]\n",
            "a:\n  b: 1\nc\nd: 2\n",
            "a:\n  ]: 1\n",
        ] {
            let mut out = Collector::new(SourceText::new("a.yaml", text));
            parse(&mut out);
            let lines = render_lines(&out.finish()).join("\n");
            writeln!(told, "{text:?}\n{lines}").unwrap();
        }
        insta::assert_snapshot!(told, @r#"
        "a:\n\tb: 1\n"
        a.yaml:2:1: error yaml/syntax: a tab indents this line, and YAML takes only spaces (write spaces in its place, as many as the lines beside it have)
        "a:\n  b: 1\n \tc: 2\n"
        a.yaml:3:2: error yaml/syntax: a tab indents this line, and YAML takes only spaces (write spaces in its place, as many as the lines beside it have)
        "a: 'x\nb: 'y'\n"
        a.yaml:2:5: error yaml/syntax: something stands behind a closing quote (close the quote where its text ends, or remove it)
        "a: \"x\nb: \"y\"\n"
        a.yaml:2:5: error yaml/syntax: something stands behind a closing quote (close the quote where its text ends, or remove it)
        "a: 'it's'\n"
        a.yaml:1:8: error yaml/syntax: something stands behind a closing quote (inside single quotes write '' for one quote; or put the whole value in double quotes)
        "a: \"say \"x\"\"\n"
        a.yaml:1:10: error yaml/syntax: something stands behind a closing quote (inside double quotes write \" for one quote; or put the whole value in single quotes)
        "a: b: c\n"
        a.yaml:1:5: error yaml/syntax: a value holds a colon with a space behind it (put the whole value in quotes)
        "a: b == 'c': d\n"
        a.yaml:1:12: error yaml/syntax: a value holds a colon with a space behind it (put the whole value in quotes)
        "a:\n  b: c: d\n"
        a.yaml:2:7: error yaml/syntax: a value holds a colon with a space behind it (put the whole value in quotes)
        "a: @x\n"
        a.yaml:1:4: error yaml/syntax: a text cannot begin with @ (put the whole value in quotes)
        "a: %x\n"
        a.yaml:1:4: error yaml/syntax: a text cannot begin with % (put the whole value in quotes)
        "a: `x`\n"
        a.yaml:1:4: error yaml/syntax: a text cannot begin with ` (put the whole value in quotes)
        "a:\n  - b\n - c\n"
        a.yaml:3:2: error yaml/syntax: this line is indented differently from its neighbours (begin it exactly below the line that it stands beside)
        "a:\n  b: 1\n c: 2\n"
        a.yaml:3:2: error yaml/syntax: this line is indented differently from its neighbours (begin it exactly below the line that it stands beside)
        "a:\n  b: 1\n   c: 2\n"
        a.yaml:3:4: error yaml/syntax: this line is indented differently from its neighbours (begin it exactly below the line that it stands beside)
        "a: 'x\n"
        a.yaml:1:4: error yaml/syntax: this is not YAML: unclosed quote (look for a quote or bracket that is not closed, or a line that is indented differently from its neighbours)
        "a: [1, 2\nb: 3\n"
        a.yaml:2:2: error yaml/syntax: this is not YAML: illegal placement of ':' indicator (look for a quote or bracket that is not closed, or a line that is indented differently from its neighbours)
        "a: {b: 1\n"
        a.yaml:1:4: error yaml/syntax: this is not YAML: unclosed bracket '{' (look for a quote or bracket that is not closed, or a line that is indented differently from its neighbours)
        "a: ]\n"
        a.yaml:1:4: error yaml/syntax: this is not YAML: misplaced bracket (look for a quote or bracket that is not closed, or a line that is indented differently from its neighbours)
        "a: 1\nb\n"
        a.yaml:2:1: error yaml/syntax: this line is no `key: value` (write a colon and a space behind the key)
        "- a\nb: 1\n"
        a.yaml:2:1: error yaml/syntax: this line stands beside a list and is no part of it (begin it with `- `, or indent it differently)
        "a:\n  - b: 1\n   c: 2\n"
        a.yaml:3:4: error yaml/syntax: this line is indented differently from its neighbours (begin it exactly below the line that it stands beside)
        "a:\n  - b: 1\n    ]\n"
        a.yaml:3:5: error yaml/syntax: this line stands beside a list and is no part of it (begin it with `- `, or indent it differently)
        "a:\n  b: 1\nc\nd: 2\n"
        a.yaml:3:1: error yaml/syntax: this line is no `key: value` (write a colon and a space behind the key)
        "a:\n  ]: 1\n"
        a.yaml:2:3: error yaml/syntax: this is not YAML: misplaced bracket (look for a quote or bracket that is not closed, or a line that is indented differently from its neighbours)
        "#);
    }
}
