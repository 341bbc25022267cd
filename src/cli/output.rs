//! What commands print. Nothing that came from outside commands the terminal here; what stands in a table or a sentence is
//! [`visible`](crate::diag::visible) as well, so that it stays on its line.

#![expect(clippy::print_stderr, reason = "this is where commands talk to people")]

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use clap::ValueEnum;

pub(super) use crate::diag::{Tone, painted};
use crate::{
    config::Environment,
    diag::{Findings, Severity, Style, inert, render_report},
};

/// How a result is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

/// The flag that says when colours are used.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct ColourFlag {
    /// When to use colours; `auto` is on a terminal, unless the variable `NO_COLOR` is set
    #[arg(long = "color", value_name = "WHEN", value_enum, default_value_t)]
    when: When,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum When {
    #[default]
    Auto,
    Always,
    Never,
}

impl ColourFlag {
    /// For the result, on standard output.
    pub(super) fn of_result(self, environment: &Environment) -> Style {
        self.style(environment, std::io::stdout().is_terminal())
    }

    /// For messages, on standard error.
    pub(super) fn of_messages(self, environment: &Environment) -> Style {
        self.style(environment, std::io::stderr().is_terminal())
    }

    /// <https://no-color.org>: set to anything but nothing, `NO_COLOR` means none; a flag says more than it.
    fn style(self, environment: &Environment, is_terminal: bool) -> Style {
        let is_coloured = match self.when {
            When::Always => true,
            When::Never => false,
            When::Auto => is_terminal && environment.get("NO_COLOR").is_none(),
        };
        if is_coloured {
            Style::Coloured
        } else {
            Style::Plain
        }
    }
}

/// A line of the result. Who reads it may have seen enough and gone, as `head` does; nothing is said of that.
pub(crate) fn line(text: &str) {
    match writeln!(std::io::stdout(), "{}", inert(text)) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: the result cannot be written: {error}");
        }
        Ok(()) | Err(_) => {}
    }
}

/// A line for the person who waits; never part of the result.
pub(crate) fn note(text: &str) {
    eprintln!("{}", inert(text));
}

/// A line that says why the command did not do its work.
pub(crate) fn error(text: &str) {
    eprintln!("error: {}", inert(text));
}

/// Findings with their source lines.
pub(crate) fn findings(findings: &Findings, style: Style) {
    eprint!("{}", inert(&render_report(findings, style)));
}

/// The style of messages for a command without a flag for it.
pub(crate) fn usual_style(environment: &Environment) -> Style {
    ColourFlag::default().of_messages(environment)
}

/// `2 errors, 1 warning`.
pub(crate) fn count(all: &[Findings]) -> String {
    let number = |severity| {
        all.iter()
            .map(|findings| findings.count(severity))
            .sum::<usize>()
    };
    format!(
        "{}, {}",
        counted(number(Severity::Error), "error"),
        counted(number(Severity::Warning), "warning")
    )
}

/// `1 file`, `2 files`, `2 deliveries`.
pub(crate) fn counted(number: usize, what: &str) -> String {
    let stem = what.strip_suffix('y');
    match (
        number,
        stem.filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])),
    ) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {what}s"),
    }
}

/// An error with everything that caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// The words of a text in lines of this length, where they are not longer themselves.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A text as a shell takes it.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_unless_somebody_says_otherwise() {
        let nothing = Environment::default();
        let no_colour: Environment = [("NO_COLOR", "1")].into_iter().collect();
        for (when, environment, is_terminal, style) in [
            (When::Auto, &nothing, true, Style::Coloured),
            (When::Auto, &nothing, false, Style::Plain),
            (When::Auto, &no_colour, true, Style::Plain),
            (When::Always, &no_colour, false, Style::Coloured),
            (When::Never, &nothing, true, Style::Plain),
        ] {
            let flag = ColourFlag { when };
            assert_eq!(
                flag.style(environment, is_terminal),
                style,
                "{when:?} {is_terminal}"
            );
        }
    }

    #[test]
    fn a_shell_reads_back_what_is_quoted() {
        for (text, quoted_text) in [
            ("mappings/a-b_1.yaml", "mappings/a-b_1.yaml"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), quoted_text);
        }
    }
}
