//! What commands print.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where commands talk to people"
)]

use std::io::IsTerminal as _;

use crate::diag::{Findings, Severity, Style, render_report};

/// A line of the result.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// A line for the person who waits; never part of the result.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// A line that says why the command did not do its work.
pub(crate) fn error(text: &str) {
    eprintln!("error: {text}");
}

/// Findings with their source lines, in colour on a terminal.
pub(crate) fn findings(findings: &Findings) {
    let coloured = std::io::stderr().is_terminal();
    eprint!(
        "{}",
        render_report(
            findings,
            if coloured {
                Style::Coloured
            } else {
                Style::Plain
            }
        )
    );
}

/// `2 errors, 1 warning`.
pub(crate) fn count(all: &[Findings]) -> String {
    let number = |severity| {
        all.iter()
            .map(|findings| findings.count(severity))
            .sum::<usize>()
    };
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    format!(
        "{}, {}",
        plural(number(Severity::Error), "error"),
        plural(number(Severity::Warning), "warning")
    )
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
